"""The MongoDB store. Importing this module imports no SDK; the first record does."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
from cloudmarker.contracts import Batch, Incomplete, Record, StoreRun
from cloudmarker.delivery import Delivery, Item, Verdict
from cloudmarker.errors import ConfigError, PluginError
from cloudmarker.parameters import not_positive, readable_file
from cloudmarker.servers import needs_client

from cloudmarker_stores._afterwards import patiently
from cloudmarker_stores._naming import Ids, Pattern, oldest_kept

if TYPE_CHECKING:
    from cloudmarker_stores._mongo import Database

_BATCH_BYTES = 2 * 1024 * 1024
_PARALLEL = 2
"""Requests that are under way at a time: one is made while the server works on the other."""
_NOT_IN_A_NAME = re.compile(r"[$\0]|^system\.")


class _Com(msgspec.Struct, gc=False):
    record_type: str = ""


_com = msgspec.json.Decoder(_Com)


def _record_id(record: Any) -> str:
    com = record.get("com") if isinstance(record, dict) else None
    return str(com.get("record_id") or "") if isinstance(com, dict) else ""


class MongoDBStore:
    """Write records to MongoDB, each as a document whose `_id` is its ``com.record_id``.

    There is a buffer for each record type. A record that is written again takes the place of itself.

    Args:
        host: Hostname of the DB server.
        port: Port that MongoDB is listening on.
        db: Name of the database.
        collection: Name of the collection; with `{record_type}` in it, a collection for each record type.
        username: Username for the database; without it there is no login.
        password: Password of that user.
        buffer_size: Maximum number of records to buffer, of each record type.
        uri: Connection string, as `mongodb://a,b/?replicaSet=rs` or `mongodb+srv://…`; host and port are then not
            used. User and password can be in it or in the parameters.
        tls: True demands TLS, False forbids it; without it the connection string decides, or giving ca_cert.
        ca_cert: PEM file with the certificate authorities to trust. Without it the usual ones are trusted.
        verify: False does not verify the certificate of the server, and logs a warning.
        auth_source: Database that the user is of; `admin` as a rule.
        timeout_s: Seconds after which a request that is not answered is sent again.
        retry_deadline_s: Seconds for which records are sent again while MongoDB takes none. After that they stay in the
            spool, for `cloudmarker replay`.
        retention_days: Delete what runs of this audit that began so many days before have written, after a run that
            was complete. Without it everything is kept.

    Raises:
        ConfigError: a parameter cannot be used; every such parameter is named.
    """

    def __init__(
        self,
        host: str = "localhost",
        port: int = 27017,
        db: str = "cloudmarker",
        collection: str = "cloudmarker",
        username: str | None = None,
        password: str | None = None,
        buffer_size: int = 1000,
        *,
        uri: str | None = None,
        tls: bool | None = None,
        ca_cert: str | None = None,
        verify: bool = True,
        auth_source: str | None = None,
        timeout_s: float = 60.0,
        retry_deadline_s: float = 300.0,
        retention_days: float | None = None,
    ) -> None:
        problems: list[str] = []
        if uri is not None and not uri.startswith(("mongodb://", "mongodb+srv://")):
            problems.append("uri: it begins with mongodb:// or mongodb+srv://")
        if (username is None) != (password is None):
            problems.append("username, password: one needs the other")
        if tls is False and (ca_cert is not None or not verify):
            problems.append("tls: ca_cert and verify mean nothing without TLS")
        problems += not_positive(
            buffer_size=buffer_size,
            timeout_s=timeout_s,
            retry_deadline_s=retry_deadline_s,
            retention_days=retention_days,
        )
        try:
            self._collection = Pattern(collection, {"record_type"})
        except ValueError as exc:
            problems.append(f"collection: {exc}")
        if not collection or _NOT_IN_A_NAME.search(collection):
            problems.append("collection: must be a name without $, and not begin with system.")
        if problems:
            raise ConfigError(problems)
        self._access = {
            "host": host,
            "port": port,
            "uri": uri,
            "db": db,
            "username": username,
            "password": password,
            "auth_source": auth_source,
            "tls": True if tls is None and uri is None and (ca_cert is not None or not verify) else tls,
            "ca_cert": ca_cert,
            "verify": verify,
            "timeout_s": timeout_s,
        }
        self._buffer_size = buffer_size
        self._retry_deadline_s = retry_deadline_s
        self._retention_days = retention_days
        self._buffers: dict[str, Delivery] = {}
        self._intake = Delivery(lambda items: None)  # what makes items of records; none is ever added to it
        self._ids = Ids()
        self._run: StoreRun | None = None
        self._database: Database | None = None
        self._indexed: set[str] = set()
        self._ended = False

    def begin(self, run: StoreRun) -> None:
        """Answer to *run*."""
        self._run = run
        self._intake.begin(run)

    def write(self, record: Record) -> None:
        """Add a record to the buffer of its type, and write what is there if it is full.

        Raises:
            RecordError: it is not JSON.
            PluginError: MongoDB takes no records.
        """
        item = self._intake.item(record)
        try:
            record_type = item.com_as(_com).record_type
        except msgspec.DecodeError:  # not of an audit
            record_type = ""
        self._add(record_type, [item])

    def write_batch(self, batch: Batch) -> None:
        """Add the records of a batch, likewise.

        Raises:
            PluginError: MongoDB takes no records.
        """
        items, at = self._intake.items(batch), 0
        for record_type, count in batch.runs:
            self._add(record_type, items[at : at + count])
            at += count

    def done(self) -> None:
        """Write what is buffered, delete what is too old, and close the client.

        Raises:
            PluginError: not everything could be delivered, or the rest could not be done.
        """
        try:
            self._finish()
            run, days = self._run, self._retention_days
            oldest = None if run is None or days is None else oldest_kept(run.audit_version, days)
            if run is not None and oldest is not None and not run.replay and self._buffers:
                patiently(partial(self._delete_old, run.audit_key, oldest), run)
        finally:
            self._close()

    def abort(self, reason: Incomplete) -> None:
        """Write what is buffered and close the client. Nothing is deleted.

        Raises:
            PluginError: not everything could be delivered.
        """
        try:
            self._finish()
        finally:
            self._close()

    def outputs(self) -> Iterable[str]:
        """Return where the collections are; nothing if there were no records."""
        where = f"{self._access['host']}:{self._access['port']}/" if self._access["uri"] is None else ""
        return [f"{where}{self._access['db']}.{name}" for name in sorted(self._indexed)]

    def _add(self, record_type: str, items: Sequence[Item]) -> None:
        buffer = self._buffers.get(record_type)
        if buffer is None:
            name = self._collection.fill({"record_type": record_type or "unknown"})
            send = partial(self._send, _NOT_IN_A_NAME.sub("_", name))
            buffer = Delivery(
                send,
                batch_bytes=_BATCH_BYTES,
                batch_records=self._buffer_size,
                give_up_after_s=self._retry_deadline_s,
                parallel=_PARALLEL,
            )
            if self._run is not None:
                buffer.begin(self._run)
            self._buffers[record_type] = buffer
        try:
            buffer.add_all(items)
        except PluginError:
            self._ended = True
            raise

    def _send(self, collection: str, items: Sequence[Item]) -> Callable[[], list[Verdict] | None]:
        def begin() -> list[Verdict] | None:  # what is asked first may take as long as any request
            database = self._connected()
            if collection not in self._indexed:
                database.make_indexes(collection)
                self._indexed.add(collection)
            return database.replacement(collection, map(self._document, items))()

        if self._database is None or collection not in self._indexed:
            return begin
        return self._database.replacement(collection, map(self._document, items))

    def _document(self, item: Item) -> tuple[str, Any]:
        record = item.record
        return self._ids(item, _record_id(record)), record

    def _connected(self) -> Database:
        if self._database is None:
            database = self._connect()
            try:
                database.check()
            except BaseException:
                database.close()
                raise
            self._database = database
        return self._database

    def _connect(self) -> Database:
        with needs_client("mongodb", "pymongo", "bson"):
            from cloudmarker_stores._mongo import Access, Database
        access: dict[str, Any] = dict(self._access)
        if access["ca_cert"] is not None:
            access["ca_cert"] = readable_file(access["ca_cert"], "ca_cert")
        return Database(Access(**access))

    def _finish(self) -> None:
        """Empty every buffer; once the server takes nothing more, what is in the others is not tried."""
        if self._ended:
            return
        for buffer in self._buffers.values():
            buffer.flush()
        problems: list[str] = []
        for buffer in self._buffers.values():
            try:
                buffer.finish()
            except PluginError as exc:
                problems.append(str(exc))
        if problems:
            raise PluginError("; ".join(dict.fromkeys(problems)))

    def _delete_old(self, audit_key: str, oldest: str) -> None:
        database, names = self._connected(), self._collection.regex({})
        for collection in database.collections():
            if names.fullmatch(collection):
                database.delete_runs(collection, audit_key, oldest)

    def _close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None
