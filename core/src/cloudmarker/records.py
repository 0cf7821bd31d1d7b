"""Records at the producer's edge: stamping, and turning whatever a plugin yields into one line of JSON.

Encoding is the normaliser. The JSON encoder knows the plain JSON types and writes datetimes, UUIDs, decimals, bytes,
sets, enums and dataclasses in the forms that ``docs/records.md`` lists, at no cost for records that have none of them.
Only a record it refuses takes the slow path, which repairs what can be repaired and rejects the rest with the place
and the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from cloudmarker.contracts import Record
from cloudmarker.errors import RecordError

OriginType = Literal["cloud", "event", "audit"]

MAX_NESTING = 500
"""How deep lists and objects of a record may be nested for certain; what is much deeper is rejected."""

_encode: Callable[[object], bytes] = msgspec.json.Encoder().encode
_REFUSALS = (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError)


def encode(record: object) -> bytes:
    """Return *record* as one line of JSON, UTF-8, without a newline.

    Raises:
        RecordError: something in it has no JSON form; the message names the place, e.g. ``com.owner: object of type
        Foo``.
    """
    try:
        return _encode(record)
    except _REFUSALS:
        pass
    try:
        return _encode(_repair(record, "record", 0))
    except RecursionError:
        raise RecordError(f"record: nested more than {MAX_NESTING} deep") from None
    except _REFUSALS as exc:
        raise RecordError(f"record: {exc}") from exc


decode: Callable[[bytes], Any] = msgspec.json.Decoder().decode
"""Return the value that one line of JSON stands for."""


def plain(value: object) -> Any:
    """Return *value* as plain JSON values: what a reader of the record will see.

    Raises:
        RecordError: as :func:`encode`.
    """
    return decode(encode(value))


def _repair(value: object, path: str, depth: int) -> object:
    """Return *value* with strings and keys repaired, or raise RecordError for the first value that is not JSON."""
    if depth > MAX_NESTING:
        raise RecordError(f"{_short(path)}: nested more than {MAX_NESTING} deep")
    if isinstance(value, str):
        return valid_unicode(value)
    if isinstance(value, Mapping):
        repaired: dict[str, object] = {}
        for key, item in value.items():
            name = _key(key, path)
            if name in repaired:
                raise RecordError(f"{_short(path)}: two keys become {name!r}")
            repaired[name] = _repair(item, f"{path}.{name}", depth + 1)
        return repaired
    if isinstance(value, (list, tuple, set, frozenset)):
        items: list[object] = []
        for index, item in enumerate(value):  # no comprehension: it would take a second stack frame for each level
            items.append(_repair(item, f"{path}[{index}]", depth + 1))
        return items
    try:
        _encode(value)
    except _REFUSALS:
        builtins = _as_builtins(value, path)
        return _repair(builtins, path, depth + 1)
    return value


def _as_builtins(value: object, path: str) -> object:
    """Return the dict or list form of a dataclass or the like, or raise RecordError."""
    try:
        builtins = msgspec.to_builtins(value)
    except _REFUSALS as exc:
        raise RecordError(f"{_short(path)}: object of type {type(value).__qualname__} is not JSON") from exc
    if builtins is value or type(builtins) is type(value):
        raise RecordError(f"{_short(path)}: object of type {type(value).__qualname__} is not JSON")
    return builtins


def _key(key: object, path: str) -> str:
    if isinstance(key, str):
        return valid_unicode(key)
    try:
        (name,) = decode(_encode({key: None}))
    except _REFUSALS as exc:
        raise RecordError(f"{_short(path)}: key of type {type(key).__qualname__} is not JSON") from exc
    return str(name)


def valid_unicode(text: str) -> str:
    """Return *text* with U+FFFD in the place of each lone surrogate."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _short(path: str) -> str:
    path = path.removeprefix("record.")
    return path if len(path) <= 200 else path[:120] + "…" + path[-60:]


def diagnose(value: object, depth: int = 0) -> Any:
    """Return as much of *value* as can be shown in a dead letter: what is not JSON is replaced by its type's name."""
    if depth > 20:
        return "…"
    if isinstance(value, Mapping):
        return {_shown_key(key): diagnose(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [diagnose(item, depth + 1) for item in value]
    try:
        return plain(value)
    except RecordError:
        return f"<{type(value).__qualname__}>"


def _shown_key(key: object) -> str:
    try:
        return _key(key, "")
    except RecordError:
        return f"<{type(key).__qualname__}>"


class Stamper:
    """Adds to each record of one producer where and in which run it was made, and encodes it.

    Attributes:
        worker: ``com.origin_worker`` of the records.
    """

    def __init__(
        self,
        audit_key: str,
        audit_version: str,
        plugin_key: str,
        plugin_class: str,
        origin_type: OriginType,
        ids: str = "",
    ) -> None:
        """Make a stamper; *ids* keeps the ids of several producers apart that stamp in one origin's name."""
        self.worker = f"{audit_key}_{plugin_key}"
        self._count = 0
        self._stamps = {
            "audit_key": audit_key,
            "audit_version": audit_version,
            "origin_key": plugin_key,
            "origin_class": plugin_class,
            "origin_worker": self.worker,
            "origin_type": origin_type,
        }
        self._names = frozenset(self._stamps) | {"record_id"}
        self._id_prefix = f"{self.worker}_{audit_version}_{ids}"
        # All of a record's stamps but the running number are the same for each, so they are encoded once.
        encoded = _encode({**self._stamps, "record_id": self._id_prefix})
        self._tail = b"," + encoded.removeprefix(b"{").removesuffix(b'"}')

    def line(self, record: Record) -> bytes:
        """Return *record* with the stamps and a ``record_id`` in ``com``, as one line of JSON; *record* is not changed.

        Raises:
            RecordError: *record* is not a mapping, its ``com`` is not, or something in it has no JSON form.
        """
        self._count += 1
        try:
            com = record["com"]
            plain_dicts = type(com) is dict and type(record) is dict
            if plain_dicts and com and [*record][-1] == "com" and self._names.isdisjoint(com):
                # com is the last bucket: the line ends with its brace and the record's, and the stamps go before them
                return b"".join((_encode(record)[:-2], self._tail, b'%d"}}' % self._count))
        except (*_REFUSALS, KeyError):
            pass
        try:
            stamped = {
                **record,
                "com": {**record.get("com", {}), **self._stamps, "record_id": f"{self._id_prefix}{self._count}"},
            }
        except (TypeError, AttributeError) as exc:
            raise RecordError(
                f"a record must be a dict whose com bucket is a dict with string keys, not {_shape(record)}"
            ) from exc
        return encode(stamped)

    def for_audit(self) -> Stamper:
        """Return a stamper for the records that this producer passes on in the framework's name, e.g. coverage.

        Their origin is the audit; their ids do not meet those of another producer.
        """
        audit_key, version, key = (self._stamps[name] for name in ("audit_key", "audit_version", "origin_key"))
        return Stamper(audit_key, version, "audit", "Audit", "audit", ids=f"{key}_")


def _shape(record: object) -> str:
    if isinstance(record, Mapping):
        return f"a dict whose com is {type(record.get('com')).__qualname__}"
    return type(record).__qualname__
