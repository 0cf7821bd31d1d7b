"""An Elasticsearch cluster: the client, and what its answers and exceptions mean. Importing this imports the SDK."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
from cloudmarker.delivery import DELIVERED, Rejected, Retry, Verdict
from cloudmarker.errors import PluginError, RecordError, TooLargeError, TransientError
from cloudmarker.servers import retry_after_s, tls_refusal
from cloudmarker.text import one_line
from elastic_transport import ConnectionError as NoConnectionError
from elastic_transport import NdjsonSerializer, SerializationError, TransportError
from elasticsearch import ApiError, Elasticsearch, UnsupportedProductError

_log = logging.getLogger("cloudmarker.stores.esstore")

_encode = msgspec.json.Encoder().encode

_INDEX_FAULTS = frozenset(
    {"index_not_found_exception", "index_closed_exception", "invalid_index_name_exception", "security_exception"}
)
"""What single items are refused for although nothing is wrong with them: no other item will fare better."""


@dataclass(frozen=True)
class Access:
    """How a cluster is reached; see the parameters of EsStore."""

    hosts: tuple[str, ...]
    cloud_id: str | None
    api_key: str | None
    username: str | None
    password: str | None
    ca_cert: str | None
    verify: bool
    timeout_s: float


class _Bulk(NdjsonSerializer):
    """Sends the body of a bulk request as it is; the client's own looks at each line, and copies all of it twice."""

    def dumps(self, data: Any) -> bytes:
        """Return *data* itself: bytes whose last line ends."""
        return data if isinstance(data, bytes) else super().dumps(data)


class Cluster:
    """A cluster that is Elasticsearch.

    Every method raises TransientError if it may succeed later, and PluginError if it will not.
    """

    def __init__(self, access: Access) -> None:
        for name in ("elastic_transport", "elasticsearch"):  # they log every request at level INFO
            if logging.getLogger(name).level == logging.NOTSET:
                logging.getLogger(name).setLevel(logging.WARNING)
        settings: dict[str, Any] = {"request_timeout": access.timeout_s, "max_retries": 0, "retry_on_status": ()}
        settings["serializers"] = {_Bulk.mimetype: _Bulk()}
        if access.cloud_id is not None:
            settings["cloud_id"] = access.cloud_id
        else:
            settings["hosts"] = list(access.hosts)
        if access.api_key is not None:
            settings["api_key"] = access.api_key
        elif access.username is not None:
            settings["basic_auth"] = (access.username, access.password or "")
        if access.cloud_id is not None or access.hosts[0].startswith("https:"):
            if not access.verify:
                _log.warning("the certificate of Elasticsearch is not verified: anyone on the way can read and change")
                settings |= {"verify_certs": False, "ssl_show_warn": False}
            elif access.ca_cert is not None:
                settings["ca_certs"] = access.ca_cert
        try:
            self._client = Elasticsearch(**settings)
        except (ValueError, TypeError) as exc:
            raise PluginError(f"Elasticsearch: {one_line(exc)}") from exc

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def check(self) -> None:
        """Check that this is Elasticsearch, before anything is written: others store what the client then disowns."""
        with _errors("asking what it is"):
            try:
                self._client.info()
            except ApiError as exc:
                # A key that may only write is refused here, by an Elasticsearch all the same.
                if exc.status_code != 403 or exc.meta.headers.get("x-elastic-product") != "Elasticsearch":
                    raise

    def put_template(self, name: str, pattern: str, template: Mapping[str, Any]) -> None:
        """Put an index template for the indices that match *pattern*."""
        with _errors(f"putting the index template {name} (template: none leaves that to others)"):
            self._client.indices.put_index_template(
                name=name, index_patterns=[pattern], priority=500, template=dict(template)
            )

    def creation(self, index: str, documents: Iterable[tuple[str, bytes]]) -> Callable[[], list[Verdict] | None]:
        """Return what creates documents, and returns what became of each; None if all are there.

        It raises, besides what all methods do, TooLargeError: they are too much for one request.

        Args:
            index: the name of the index.
            documents: the id and the JSON of each. One whose id is there already is left as it is, and counts as
                delivered.
        """
        operations = [b'{"create":{"_id":%b}}\n%b\n' % (_encode(name), line) for name, line in documents]
        return partial(self._create, index, b"".join(operations), len(operations))

    def _create(self, index: str, operations: bytes, count: int) -> list[Verdict] | None:
        with _errors("writing"):
            answer: Any = self._client.bulk(
                index=index,
                operations=operations,  # type: ignore[arg-type]  # what _Bulk takes
                filter_path="errors,items.*.status,items.*.error",
            ).body
        items = answer.get("items") if isinstance(answer, dict) else None
        if not isinstance(items, list) or len(items) != count:
            what = one_line(answer, 200)
            raise PluginError(f"what answers is no Elasticsearch, or something on the way changes answers: {what}")
        if answer.get("errors") is False:
            return None
        return [_verdict(next(iter(item.values()))) for item in items]

    def refresh(self, index: str) -> None:
        """Make what was written visible to searches, if that is allowed: it will be in a moment anyway."""
        with contextlib.suppress(ApiError, TransportError):
            self._client.indices.refresh(index=index)

    def make_index(self, index: str) -> None:
        """Make an index unless it is there."""
        with _errors(f"making the index {index}"):
            try:
                self._client.indices.create(index=index)
            except ApiError as exc:
                if exc.error != "resource_already_exists_exception":
                    raise

    def alias_filters(self, alias: str) -> dict[str, Any]:
        """Return the filter of an alias in each index that it is for."""
        with _errors(f"reading the alias {alias}"):
            try:
                answer = self._client.indices.get_alias(name=alias).body
            except ApiError as exc:
                if exc.status_code == 404:
                    return {}
                raise
        return {index: of["aliases"].get(alias, {}).get("filter") for index, of in answer.items()}

    def move_alias(self, alias: str, index: str, query: Mapping[str, Any], leaving: Sequence[str]) -> None:
        """Point an alias to the documents of an index that match *query*, and to nothing else."""
        actions: list[dict[str, Any]] = [{"remove": {"index": old, "alias": alias}} for old in leaving if old != index]
        actions.append({"add": {"index": index, "alias": alias, "filter": dict(query)}})
        with _errors(f"moving the alias {alias}"):
            self._client.indices.update_aliases(actions=actions)

    def indices(self, pattern: str) -> dict[str, list[str]]:
        """Return the indices that match *pattern* and the aliases of each."""
        with _errors(f"listing {pattern}"):
            answer = self._client.indices.get_alias(index=pattern, allow_no_indices=True).body
        return {index: list(of.get("aliases", {})) for index, of in answer.items()}

    def delete_index(self, index: str) -> None:
        """Delete an index."""
        with _errors(f"deleting the index {index}"):
            self._client.indices.delete(index=index, ignore_unavailable=True)

    def delete_documents(self, index: str, query: Mapping[str, Any]) -> None:
        """Begin to delete the documents that match *query*; the cluster goes on with it by itself."""
        with _errors(f"deleting old records from {index}"):
            self._client.delete_by_query(index=index, query=dict(query), conflicts="proceed", wait_for_completion=False)


def _verdict(item: Mapping[str, Any]) -> Verdict:
    """Return what the answer for one document means."""
    status, error = item.get("status"), item.get("error")
    if status in (200, 201, 409):  # 409: it is there since an earlier attempt, whose answer has not come
        return DELIVERED
    kind = str(error.get("type", "")) if isinstance(error, dict) else ""
    reason = one_line(f"{kind}: {error.get('reason')}" if isinstance(error, dict) else error)
    if not isinstance(status, int) or status == 429 or status >= 500:
        return Retry(reason)
    if status in (401, 403) or kind in _INDEX_FAULTS:
        raise PluginError(f"Elasticsearch takes no records: {reason}")
    return Rejected(reason)


@contextlib.contextmanager
def _errors(doing: str) -> Iterator[None]:
    """Turn the client's exceptions into ours."""
    try:
        yield
    except (PluginError, TransientError, RecordError):
        raise
    except UnsupportedProductError as exc:
        raise PluginError(f"what answers is not Elasticsearch, or a proxy hides that it is: {one_line(exc)}") from exc
    except ApiError as exc:
        raise _api_error(exc, doing) from exc
    except SerializationError as exc:
        raise TransientError(f"Elasticsearch: {doing}: the answer is cut off or no JSON: {one_line(exc, 200)}") from exc
    except TransportError as exc:  # no connection, or a timeout, and then nobody knows whether it was done
        text = "; ".join(map(str, (exc.message, *exc.errors)))
        if isinstance(exc, NoConnectionError) and (refusal := tls_refusal(text)):
            raise PluginError(f"Elasticsearch: {refusal}: {one_line(text, 300)}") from exc
        raise TransientError(f"Elasticsearch: {doing}: {one_line(text, 300)}") from exc


def _api_error(exc: ApiError, doing: str) -> Exception:
    status = exc.status_code
    text = f"Elasticsearch: {doing}: HTTP {status}: {one_line(_reason(exc), 300)}"
    if status == 413:
        return TooLargeError(text)
    if status in (408, 429) or status >= 500:
        return TransientError(text, retry_after_s(exc.meta.headers.get("retry-after")))
    if status == 401:
        return PluginError(f"{text}; are api_key, username and password right?")
    if "media_type_header_exception" in text:
        return PluginError(f"{text}; the client is too new for this server: pip install 'elasticsearch<9'")
    return PluginError(text)


def _reason(exc: ApiError) -> object:
    """Return what the body of an error says; a proxy's is HTML."""
    body: Any = exc.body
    if isinstance(body, dict) and isinstance(error := body.get("error"), dict):
        return f"{error.get('type')}: {error.get('reason')}"
    return body or exc.message
