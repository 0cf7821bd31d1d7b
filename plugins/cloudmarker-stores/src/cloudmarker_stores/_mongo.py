"""A MongoDB database: the client, and what its answers and exceptions mean. Importing this imports the SDK."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import bson
import pymongo
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from cloudmarker.delivery import DELIVERED, Rejected, Retry, Verdict
from cloudmarker.errors import PluginError, RecordError, TransientError
from cloudmarker.servers import tls_refusal
from cloudmarker.text import one_line
from pymongo.errors import (
    AutoReconnect,
    ConfigurationError,
    ExecutionTimeout,
    NetworkTimeout,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    WTimeoutError,
)

_log = logging.getLogger("cloudmarker.stores.mongodbstore")

_SELECTION_S = 30.0
"""How long a server that can write is looked for: a failover takes up to 15 s to be noticed."""
_FIRST_SELECTION_S = 5.0
"""The same before the first record, where a wrong address is likelier than a failover."""
_MAX_UPDATE_BYTES = 16 * 1024 * 1024
_DUPLICATE_KEY = 11000

# Codes of https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml
_ACCESS_CODES = frozenset({13, 18, 8000})  # Unauthorized, AuthenticationFailed, AtlasError
_PASSING_CODES = frozenset(
    {
        6,  # HostUnreachable
        7,  # HostNotFound
        24,  # LockTimeout
        46,  # LockBusy
        50,  # MaxTimeMSExpired
        64,  # WriteConcernFailed
        89,  # NetworkTimeout
        91,  # ShutdownInProgress
        112,  # WriteConflict
        133,  # FailedToSatisfyReadPreference
        189,  # PrimarySteppedDown
        202,  # NetworkInterfaceExceededTimeLimit
        262,  # ExceededTimeLimit
        9001,  # SocketException
        10107,  # NotWritablePrimary
        11600,  # InterruptedAtShutdown
        11602,  # InterruptedDueToReplStateChange
        13435,  # NotPrimaryNoSecondaryOk
        13436,  # NotPrimaryOrSecondary
        14031,  # OutOfDiskSpace
    }
)
_RECORD_CODES = frozenset(
    {
        1,  # InternalError
        2,  # BadValue
        9,  # FailedToParse
        14,  # TypeMismatch
        15,  # Overflow: nested too deep
        22,  # InvalidBSON
        52,  # DollarPrefixedFieldName
        57,  # DottedFieldName
        121,  # DocumentValidationFailure
        10334,  # BSONObjectTooLarge
        17280,  # KeyTooLong
        17419,  # the resulting document is too large
    }
)


@dataclass(frozen=True)
class Access:
    """How a database is reached; see the parameters of MongoDBStore."""

    host: str
    port: int
    uri: str | None
    db: str
    username: str | None
    password: str | None
    auth_source: str | None
    tls: bool | None
    ca_cert: str | None
    verify: bool
    timeout_s: float


class _Update(RawBSONDocument):
    """One update that has been encoded already, and need not be looked at again."""

    raw = b""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw


class Database:
    """A database that can be written to.

    Every method raises TransientError if it may succeed later, and PluginError if it will not.
    """

    def __init__(self, access: Access) -> None:
        settings: dict[str, Any] = {
            "w": "majority",
            "journal": True,  # a majority of one, as a server without replicas is, would not mean on its disk
            "timeoutMS": int(access.timeout_s * 1000),
            "serverSelectionTimeoutMS": int(min(access.timeout_s, _SELECTION_S) * 1000),
            "appname": "cloudmarker",
        }
        if access.username is not None:
            settings |= {"username": access.username, "password": access.password}
            if access.auth_source is not None:
                settings["authSource"] = access.auth_source
        if access.tls is not None:
            settings["tls"] = access.tls
        if access.ca_cert is not None:
            settings["tlsCAFile"] = access.ca_cert
        if not access.verify:
            _log.warning("the certificate of MongoDB is not verified: anyone on the way can read and change")
            settings["tlsAllowInvalidCertificates"] = True
        self._first_selection_s = min(access.timeout_s, _FIRST_SELECTION_S)
        address: dict[str, Any] = {"host": access.uri} if access.uri else {"host": access.host, "port": access.port}
        try:
            self._client: pymongo.MongoClient[Any] = pymongo.MongoClient(**address, **settings)
            self._database = self._client[access.db]
            self._concern = dict(self._client.write_concern.document)
        except (ValueError, TypeError, PyMongoError) as exc:
            if access.uri is not None:  # what is wrong with an address may be the password in it
                raise PluginError(f"MongoDB: the parameters do not make an address: {type(exc).__name__}") from None
            raise PluginError(f"MongoDB: {one_line(exc)}") from exc

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def check(self) -> None:
        """Check that it is there and lets us in."""
        with _errors("connecting"), pymongo.timeout(self._first_selection_s):
            self._client.admin.command("ping")

    def make_indexes(self, collection: str) -> None:
        """Make the indexes that queries by audit and type need, unless they are there."""
        by_audit = [("com.audit_key", 1), ("com.audit_version", -1), ("com.record_type", 1)]
        by_type = [("com.record_type", 1), ("com.cloud_type", 1)]
        with _errors(f"making the indexes of {collection}"):
            self._database[collection].create_indexes([pymongo.IndexModel(by_audit), pymongo.IndexModel(by_type)])

    def replacement(
        self, collection: str, documents: Iterable[tuple[str, Mapping[str, Any]]]
    ) -> Callable[[], list[Verdict] | None]:
        """Return what writes documents in the place of those with the same ids.

        It returns what became of each, None if all are in, and raises, besides what all methods do, RecordError: one of
        them is refused, and which one is not said.

        Args:
            collection: the name of the collection.
            documents: id and document of each; each is encoded as it comes, so that all need not be there at a time.
        """
        updates: list[_Update] = []
        refused: dict[int, Rejected] = {}
        for place, (name, document) in enumerate(documents):
            try:
                update = bson.encode({"q": {"_id": name}, "u": {"_id": name, **document}, "upsert": True})
            except (BSONError, OverflowError, ValueError, RecursionError) as exc:
                refused[place] = Rejected(f"it has no form in MongoDB: {one_line(exc, 200)}")
                continue
            if len(update) > _MAX_UPDATE_BYTES:
                refused[place] = Rejected(f"MongoDB takes 16 MiB at most; it has {len(update):,} bytes")
            else:
                updates.append(_Update(update))
        return partial(self._replace, collection, updates, refused)

    def _replace(
        self, collection: str, updates: Sequence[_Update], refused: Mapping[int, Rejected]
    ) -> list[Verdict] | None:
        verdicts = self._update(collection, updates) if updates else None
        if not refused:
            return verdicts
        rest = iter(verdicts or [DELIVERED] * len(updates))
        return [refused[place] if place in refused else next(rest) for place in range(len(updates) + len(refused))]

    def _update(self, collection: str, updates: Sequence[_Update]) -> list[Verdict] | None:
        """Send updates as one command: the client's bulk operations take longer to make than to send.

        The command is not made again by the client, as bulk operations may be; whoever calls this does that.
        """
        command = {"update": collection, "updates": updates, "ordered": False, "writeConcern": self._concern}
        with _errors("writing"):
            answer = self._database.command(command)
        if "writeErrors" not in answer and "writeConcernError" not in answer and answer.get("n") == len(updates):
            return None
        return _judge(answer, len(updates))

    def collections(self) -> list[str]:
        """Return the names of the collections."""
        with _errors("listing the collections"):
            return self._database.list_collection_names()

    def delete_runs(self, collection: str, audit_key: str, before: str) -> None:
        """Delete the records of runs of an audit before a version."""
        with _errors(f"deleting old records from {collection}"):
            self._database[collection].delete_many({"com.audit_key": audit_key, "com.audit_version": {"$lt": before}})


def _judge(answer: Mapping[str, Any], count: int) -> list[Verdict]:
    """Return what the answer to *count* updates says of each of them."""
    verdicts: list[Verdict] = [DELIVERED] * count
    if concern := answer.get("writeConcernError"):
        # They are there, but could still be rolled back; writing them again does no harm.
        verdicts = [Retry(f"not confirmed by a majority: {one_line(concern.get('errmsg'))}")] * count
    errors = answer.get("writeErrors", ())
    if answer.get("n") != count - len(errors):
        raise PluginError(f"MongoDB: {answer.get('n')} of {count} records were written, and it is not said which")
    for error in errors:
        code, place = error.get("code"), error["index"]
        reason = one_line(f"{error.get('errmsg')} (code {code})")
        if code in _ACCESS_CODES:
            raise PluginError(f"MongoDB takes no records: {reason}")
        if code == _DUPLICATE_KEY and list(error.get("keyPattern") or {}) == ["_id"]:
            verdicts[place] = DELIVERED  # somebody else has just written the same record
        elif code in _PASSING_CODES:
            verdicts[place] = Retry(reason)
        else:
            verdicts[place] = Rejected(reason)
    return verdicts


@contextlib.contextmanager
def _errors(doing: str) -> Iterator[None]:
    """Turn the client's exceptions into ours."""
    try:
        yield
    except (PluginError, TransientError, RecordError):
        raise
    except (AutoReconnect, NetworkTimeout, WaitQueueTimeoutError, ExecutionTimeout, WTimeoutError) as exc:
        text = f"MongoDB: {doing}: {one_line(exc, 300)}"
        if isinstance(exc, ServerSelectionTimeoutError) and (refusal := tls_refusal(str(exc))):
            raise PluginError(f"MongoDB: {refusal}: {one_line(exc, 300)}") from exc
        raise TransientError(text) from exc
    except OperationFailure as exc:
        text = f"MongoDB: {doing}: {one_line(exc.details.get('errmsg') if exc.details else exc)} (code {exc.code})"
        if exc.code in _PASSING_CODES or exc.has_error_label("RetryableWriteError"):
            raise TransientError(text) from exc
        if exc.code in _RECORD_CODES:
            raise RecordError(text) from exc
        if exc.code in _ACCESS_CODES:
            raise PluginError(f"{text}; are username, password and auth_source right?") from exc
        raise PluginError(text) from exc
    except ConfigurationError as exc:
        raise PluginError(f"MongoDB: {one_line(exc)}") from exc
    except PyMongoError as exc:
        if exc.timeout:
            raise TransientError(f"MongoDB: {doing}: {one_line(exc, 300)}") from exc
        raise PluginError(f"MongoDB: {doing}: {type(exc).__name__}: {one_line(exc, 300)}") from exc
