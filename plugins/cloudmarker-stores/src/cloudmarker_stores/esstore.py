"""The Elasticsearch store. Importing this module imports no SDK; the first record does."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cloudmarker.contracts import Batch, Incomplete, Record, StoreRun
from cloudmarker.delivery import Delivery, Item, Verdict
from cloudmarker.errors import ConfigError, PluginError
from cloudmarker.parameters import not_positive, readable_file
from cloudmarker.servers import is_loopback, needs_client

from cloudmarker_stores import _esindex
from cloudmarker_stores._afterwards import patiently
from cloudmarker_stores._estemplate import TEMPLATES, template
from cloudmarker_stores._naming import Ids, oldest_kept

if TYPE_CHECKING:
    from cloudmarker_stores._escluster import Cluster

_log = logging.getLogger("cloudmarker.stores.esstore")

_ACTION_BYTES = 160
"""What a document takes in a request besides its JSON: the line with its id."""
_MAX_DOCUMENTS = 10_000
_PARALLEL = 2
"""Requests that are under way at a time: one is made while the server works on the other."""


class EsStore:
    """Write records to Elasticsearch, each as a document whose id is its ``com.record_id``.

    Elasticsearch 8 or 9; client 8.19 for both, client 9 for servers 9 only.

    Args:
        host: Elasticsearch host.
        port: Elasticsearch port.
        index: Elasticsearch index. `{audit_key}`, `{audit_version}` and `{date}` in it, the last two of the start of
            the audit, give an index for each audit, run or day: `cloudmarker-{audit_key}-{date}`.
        buffer_size: Maximum number of bytes of data to hold in the in-memory buffer, and to send in one request.
        hosts: Addresses of several nodes, as `https://node-1:9200`; host, port and scheme are then not used.
        cloud_id: Cloud id of a deployment in Elastic Cloud, in place of any address.
        scheme: `http` or `https`, with host and port.
        api_key: API key, as Elasticsearch encodes it.
        username: User to log in as, if not with an API key.
        password: Password of that user.
        ca_cert: PEM file with the certificate authorities to trust. Without it the usual ones are trusted.
        verify: False does not verify the certificate of the server, and logs a warning.
        timeout_s: Seconds after which a request that is not answered is sent again.
        retry_deadline_s: Seconds for which records are sent again while Elasticsearch takes none. After that they stay
            in the spool, for `cloudmarker replay`.
        template: What the index template, which is put before the first record, does with `raw` and `ext`:
            `flattened` makes them searchable, `stored` only keeps them in the documents. With `none` no template is
            put.
        alias: Name of an alias for the records of the latest complete run; it needs `{audit_key}` in it.
        retention_days: Delete what runs of this audit that began so many days before have written, after a run that
            was complete. Without it everything is kept.

    Raises:
        ConfigError: a parameter cannot be used; every such parameter is named.
    """

    def __init__(
        self,
        host: str = "localhost",
        port: int = 9200,
        index: str = "cloudmarker",
        buffer_size: int = 5000000,
        *,
        hosts: Sequence[str] | None = None,
        cloud_id: str | None = None,
        scheme: str = "http",
        api_key: str | None = None,
        username: str | None = None,
        password: str | None = None,
        ca_cert: str | None = None,
        verify: bool = True,
        timeout_s: float = 60.0,
        retry_deadline_s: float = 300.0,
        template: str = "flattened",
        alias: str | None = None,
        retention_days: float | None = None,
    ) -> None:
        address = f"[{host}]" if ":" in host and not host.startswith("[") else host
        self._hosts = tuple(hosts) if hosts is not None else (f"{scheme}://{address}:{port}",)
        self._access = {
            "cloud_id": cloud_id,
            "api_key": api_key,
            "username": username,
            "password": password,
            "ca_cert": ca_cert,
            "verify": verify,
            "timeout_s": timeout_s,
        }
        self._template = template
        self._retention_days = retention_days
        problems = [] if cloud_id is not None else _problems_with_hosts(self._hosts)
        if cloud_id is not None and hosts is not None:
            problems.append("cloud_id, hosts: only one of them can be given")
        if api_key is not None and username is not None:
            problems.append("api_key, username: only one of them can be given")
        if (username is None) != (password is None):
            problems.append("username, password: one needs the other")
        if template not in TEMPLATES:
            problems.append(f"template: {template!r} is none of {', '.join(TEMPLATES)}")
        problems += not_positive(
            buffer_size=buffer_size,
            timeout_s=timeout_s,
            retry_deadline_s=retry_deadline_s,
            retention_days=retention_days,
        )
        self._index = _esindex.name_pattern("index", index, problems)
        self._alias = None if alias is None else _esindex.name_pattern("alias", alias, problems)
        if self._alias is not None and self._alias.names != {"audit_key"}:
            problems.append(
                "alias: it needs {audit_key}, as each audit has its own latest run, and no other placeholder"
            )
        if problems:
            raise ConfigError(problems)
        self._delivery = Delivery(
            self._send,
            batch_bytes=buffer_size,
            batch_records=_MAX_DOCUMENTS,
            item_extra_bytes=_ACTION_BYTES,
            give_up_after_s=retry_deadline_s,
            parallel=_PARALLEL,
        )
        self._ids = Ids()
        self._run: StoreRun | None = None
        self._cluster: Cluster | None = None
        self._name = ""

    def begin(self, run: StoreRun) -> None:
        """Answer to *run*."""
        self._run = run
        self._delivery.begin(run)

    def write(self, record: Record) -> None:
        """Add a record to the buffer, and send what is there if it is full.

        Raises:
            RecordError: it is not JSON.
            PluginError: Elasticsearch takes no records.
        """
        self._delivery.write(record)

    def write_batch(self, batch: Batch) -> None:
        """Add the records of a batch, likewise.

        Raises:
            PluginError: Elasticsearch takes no records.
        """
        self._delivery.write_batch(batch)

    def done(self) -> None:
        """Send what is buffered; then let the alias point to this run, and delete what is too old.

        Raises:
            PluginError: not everything could be delivered, or the rest could not be done.
        """
        try:
            self._delivery.finish()
            if self._run is not None:
                self._complete(self._run)
        finally:
            self._close()

    def abort(self, reason: Incomplete) -> None:
        """Send what is buffered. The alias stays where it is, and nothing is deleted.

        Raises:
            PluginError: not everything could be delivered.
        """
        try:
            self._delivery.finish()
        finally:
            self._close()

    def outputs(self) -> Iterable[str]:
        """Return the address of the index; nothing if there were no records."""
        if not self._name:
            return []
        return [self._name if self._access["cloud_id"] is not None else f"{self._hosts[0]}/{self._name}"]

    def _send(self, items: Sequence[Item]) -> Callable[[], list[Verdict] | None]:
        if not self._name:
            com = items[0].com if self._run is None else {}
            self._name = self._index_name(str(com.get("audit_key", "")), str(com.get("audit_version", "")))
        names = self._ids.all(items)
        documents = zip(names, [item.line for item in items], strict=True)

        def begin() -> list[Verdict] | None:  # what is asked first may take as long as any request
            return self._connected().creation(self._name, documents)()

        return begin if self._cluster is None else self._cluster.creation(self._name, documents)

    def _index_name(self, audit_key: str, audit_version: str) -> str:
        if self._run is not None:
            audit_key, audit_version = self._run.audit_key, self._run.audit_version
        known = _esindex.values(audit_key, audit_version)
        if missing := sorted(name for name in self._index.names if not known[name]):
            raise PluginError(f"index: the records have no {missing[0]}, which is in the name of the index")
        return self._index.fill(known)

    def _connected(self) -> Cluster:
        """Return the cluster, which is Elasticsearch and has the template."""
        if self._cluster is None:
            cluster = self._connect()
            try:
                cluster.check()
                if self._template != "none":
                    pattern = _esindex.wildcard(self._index)
                    cluster.put_template(pattern.replace("*", "any"), pattern, template(self._template))
            except BaseException:
                cluster.close()
                raise
            self._cluster = cluster
        return self._cluster

    def _connect(self) -> Cluster:
        with needs_client("es", "elasticsearch", "elastic_transport"):
            from cloudmarker_stores._escluster import Access, Cluster
        access: dict[str, Any] = dict(self._access)
        if access["ca_cert"] is not None:
            access["ca_cert"] = readable_file(access["ca_cert"], "ca_cert")
        if (access["api_key"] or access["password"]) and access["cloud_id"] is None:
            for host in map(urlsplit, self._hosts):
                if host.scheme == "http" and not is_loopback(host.hostname or ""):
                    _log.warning("%s is not https: the credentials can be read on their way", host.netloc)
        return Cluster(Access(hosts=self._hosts, **access))

    def _complete(self, run: StoreRun) -> None:
        """Do what is to be done once all records of a complete run are there."""
        if self._alias is None and not self._name:
            return
        self._name = self._name or self._index_name("", "")
        alias, days = self._alias, self._retention_days
        patiently(lambda: self._connected().refresh(self._name), run)
        if alias is not None:
            name = alias.fill(_esindex.values(run.audit_key, run.audit_version))
            patiently(lambda: self._move_alias(name, run), run)
        oldest = None if days is None or run.replay else oldest_kept(run.audit_version, days)
        if oldest is not None:
            patiently(lambda: self._delete_old(oldest, run.audit_key), run)

    def _move_alias(self, alias: str, run: StoreRun) -> None:
        """Point the alias to this run, unless a later one is complete already."""
        cluster = self._connected()
        there = cluster.alias_filters(alias)
        if any(_esindex.version_of(query) > run.audit_version for query in there.values()):
            return
        cluster.make_index(self._name)
        cluster.move_alias(alias, self._name, _esindex.run_query(run), list(there))

    def _delete_old(self, oldest: str, audit_key: str) -> None:
        """Delete the indices of old runs or days; if an index is for all of them, their documents in it."""
        cluster = self._connected()
        if not self._index.names & {"audit_version", "date"}:
            old = [{"term": {"com.audit_key": audit_key}}, {"range": {"com.audit_version": {"lt": oldest}}}]
            cluster.delete_documents(self._name, {"bool": {"filter": old}})
            return
        key = _esindex.values(audit_key, "")["audit_key"]
        there = cluster.indices(_esindex.wildcard(self._index, {"audit_key": key}))
        for index in _esindex.too_old(self._index, there, key, oldest):
            if not there[index]:  # one with an alias is in use: it may hold the latest complete run
                cluster.delete_index(index)

    def _close(self) -> None:
        if self._cluster is not None:
            self._cluster.close()
            self._cluster = None


def _problems_with_hosts(hosts: Sequence[str]) -> list[str]:
    found: list[str] = []
    if not hosts:
        found.append("hosts: at least one is needed")
    for host in hosts:
        try:
            parts = urlsplit(host)
            port = parts.port
        except ValueError:
            found.append("hosts: one of them has no valid port")
            continue
        if parts.username is not None:
            found.append("hosts: put user and password into the parameters of their own")
        elif parts.scheme not in ("http", "https") or not parts.hostname or port is None:
            found.append(f"hosts: {host!r} is not like https://node:9200")
    if len({host.partition(":")[0] for host in hosts}) > 1:
        found.append("hosts: all must be https, or all http")
    return found
