"""Records at the producer's edge: stamping, and turning whatever a plugin yields into one line of JSON.

Encoding is the normaliser. The JSON encoder knows the plain JSON types and writes datetimes, UUIDs, decimals, bytes,
sets, enums and dataclasses in the forms that ``docs/records.md`` lists, at no cost for records that have none of them.
Only a record it refuses takes the slow path, which repairs what can be repaired and rejects the rest with the place
and the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal

import msgspec

from cloudmarker._inventory import base
from cloudmarker.contracts import Record
from cloudmarker.errors import RecordError

OriginType = Literal["cloud", "event", "audit"]

MAX_NESTING = 500
"""How deep lists and objects of a record may be nested for certain; what is much deeper is rejected."""

STAMPS: tuple[str, ...] = tuple(base.Stamps.__annotations__)
"""The fields of ``com`` that the framework adds to every record."""
EVENT_STAMPS: tuple[str, ...] = tuple(base.EventStamps.__annotations__)
"""Those that it adds to findings."""

_LAST_DIGITS = [b'%03d"}}\n' % number for number in range(1000)]
"""The ends of lines: formatting a number for each takes longer than all else that is done to put its stamps in."""

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
        pass  # the slow way, below, repairs it or names the place
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


class Stamps(msgspec.Struct):
    """The stamps of some records that one producer made one after the other.

    Attributes:
        common: the JSON of the stamps, in the order of :data:`STAMPS`, without the number that ends ``record_id``.
        first: that number, of the first of the records.
    """

    common: msgspec.Raw
    first: int

    def put_into(self, lines: bytes) -> bytes:
        """Return lines of records, as :meth:`Stamper.encode` makes them, with the stamps at the end of each ``com``."""
        records: list[bytes | memoryview] = [*lines.split(b"}}\n")]  # no newline is in the JSON of a record
        records[-1] = memoryview(records[-1])[:-2]  # not copied: one record may be large
        count = len(records)
        stamps = b"," + bytes(self.common)[1:-2]
        parts: list[bytes | memoryview] = [stamps] * (3 * count)
        parts[0::3] = records
        done = 0
        while done < count:  # as many at once as have the same thousands
            thousands, rest = divmod(self.first + done, 1000)
            some = min(1000 - rest, count - done)
            begin, end = 3 * done, 3 * (done + some)
            if thousands:
                parts[begin + 1 : end : 3] = [b"%b%d" % (stamps, thousands)] * some
                parts[begin + 2 : end : 3] = _LAST_DIGITS[rest : rest + some]
            else:
                parts[begin + 2 : end : 3] = [b'%d"}}\n' % number for number in range(rest, rest + some)]
            done += some
        parts[-1] = parts[-1][:-1]
        return b"".join(parts)

    def add_to(self, records: Sequence[Any], names: Collection[str]) -> None:
        """Add to the ``com`` of each decoded record those of the stamps that have these names."""
        stamps = decode(self.common)
        record_id = stamps.pop("record_id")
        wanted = {name: value for name, value in stamps.items() if name in names}
        for number, record in enumerate(records, self.first):
            com = record["com"]
            com.update(wanted)
            if "record_id" in names:
                com["record_id"] = f"{record_id}{number}"

    def first_id(self) -> str:
        """Return the ``record_id`` of the first of the records."""
        return f"{decode(self.common)['record_id']}{self.first}"

    def after(self, count: int) -> Stamps:
        """Return the stamps of the records after the first *count*."""
        return Stamps(self.common, self.first + count)


class Stamper:
    """Encodes the records of one producer, and tells where and in which run they were made.

    Attributes:
        worker: ``com.origin_worker`` of the records.
        size: about how many bytes the stamps have in a line.
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
            "record_id": f"{self.worker}_{audit_version}_{ids}",
        }
        # All of a record's stamps but the running number are the same for each, so they are encoded once.
        self._common = msgspec.Raw(_encode(self._stamps))
        self._own = frozenset((*STAMPS, *EVENT_STAMPS)) if origin_type == "event" else frozenset(STAMPS)
        self.size = len(bytes(self._common)) + 8

    def encode(self, record: Record) -> bytes:
        """Return *record* as one line of JSON that ends with the brace of ``com`` and its own; it is not changed.

        What :meth:`take` returns puts the stamps there. Fields of ``com`` with the names of stamps are left out.

        Raises:
            RecordError: *record* is not a mapping, its ``com`` is not or has nothing else, or something in it has no
                JSON form.
        """
        try:
            com = record["com"]
            plain_dicts = type(com) is dict and type(record) is dict
            if plain_dicts and com and [*record][-1] == "com" and self._own.isdisjoint(com):
                return _encode(record)
        except (*_REFUSALS, KeyError):
            pass  # the slow way, below, repairs it or says what is wrong
        return encode(self._without_stamps(record))

    def take(self, count: int) -> Stamps:
        """Return the stamps of the next *count* records."""
        first = self._count + 1
        self._count += count
        return Stamps(self._common, first)

    def line(self, record: Record) -> bytes:
        """Return *record* with the stamps in ``com``, as one line of JSON; *record* is not changed.

        Raises:
            RecordError: as :meth:`encode`.
        """
        stamps = self.take(1)
        return stamps.put_into(self.encode(record))

    def for_audit(self) -> Stamper:
        """Return a stamper for the records that this producer passes on in the framework's name, e.g. coverage.

        Their origin is the audit; their ids do not meet those of another producer.
        """
        audit_key, version, key = (self._stamps[name] for name in ("audit_key", "audit_version", "origin_key"))
        return Stamper(audit_key, version, "audit", "Audit", "audit", ids=f"{key}_")

    def _without_stamps(self, record: Record) -> dict[str, Any]:
        try:
            com = {name: value for name, value in record["com"].items() if name not in self._own}
            others = {name: value for name, value in record.items() if name != "com"}
        except (TypeError, AttributeError, LookupError):
            com = {}
        if not com:
            raise RecordError(
                f"a record must be a dict whose com bucket is a dict with string keys, not {_shape(record)}"
            )
        return {**others, "com": com}


def _shape(record: object) -> str:
    if isinstance(record, Mapping):
        return f"a dict whose com is {type(record.get('com')).__qualname__}"
    return type(record).__qualname__
