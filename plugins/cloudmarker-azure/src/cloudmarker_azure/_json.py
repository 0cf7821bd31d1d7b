"""Reading JSON that may lack anything: what is absent, null or of another type than expected is None, or empty.

Keys are looked up as they are; the words in values are compared without regard to case, as Azure's services spell the
same word in several ways.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Any, TypeVar

Item = Mapping[str, Any]
T = TypeVar("T")

_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d(?:\.\d+)?)(Z|[+-]\d\d:\d\d)?", re.IGNORECASE)
_PERIOD = re.compile(r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T.*)?", re.IGNORECASE)
_TLS = re.compile(r"(?:tls|tlsv)?(1)[._]?([0-3])", re.IGNORECASE)


def at(item: Any, *keys: str) -> Any:
    """Return what the *keys* lead to, one object inside the other."""
    for key in keys:
        if not isinstance(item, dict):  # JSON has no other mappings, and to ask for those takes five times as long
            return None
        item = item.get(key)
    return item


def text(item: Any, *keys: str) -> str | None:
    """Return the text there; None also if it is empty."""
    for key in keys:  # as in at(): this is asked for so often that the call would be half of its time
        if not isinstance(item, dict):
            return None
        item = item.get(key)
    return item if isinstance(item, str) and item else None


def flag(item: Any, *keys: str) -> bool | None:
    """Return the truth value there. Some services write it as text: ``true``, ``Enabled``, ``On``, or the contrary."""
    value = at(item, *keys)
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return word(value, {"true": True, "enabled": True, "on": True, "false": False, "disabled": False, "off": False})
    return None


def whole(item: Any, *keys: str) -> int | None:
    """Return the whole number there, of at most 64 bits."""
    value = at(item, *keys)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return int(value) if -(2**63) < value < 2**63 else None  # not a number is not between them either


def items(item: Any, *keys: str) -> list[Any]:
    """Return the entries of the array there."""
    value = at(item, *keys)
    return value if isinstance(value, list) else []


def objects(item: Any, *keys: str) -> list[Item]:
    """Return the objects in the array there."""
    value = at(item, *keys)
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def texts(item: Any, *keys: str) -> list[str]:
    """Return the texts in the array there."""
    return [entry for entry in items(item, *keys) if isinstance(entry, str) and entry]


def id_of(item: Any, *keys: str) -> list[str]:
    """Return the ``id`` of the object there, in a list that is empty if it has none."""
    found = text(item, *keys, "id")
    return [found] if found else []


def ids(item: Any, *keys: str) -> list[str]:
    """Return the ``id`` of each object in the array there."""
    return unique([text(entry, "id") for entry in objects(item, *keys)])


def unique(values: Iterable[str | None]) -> list[str]:
    """Return the *values* that are there, in order, each once; ids that differ in case only are the same."""
    found: dict[str, str] = {}
    for value in values:
        if value:
            found.setdefault(value.casefold(), value)
    return list(found.values())


def word(value: Any, words: Mapping[str, T], other: T | None = None) -> T | None:
    """Return what stands for *value* in *words*, whose keys are lower case; *other* for any that is not among them."""
    if not isinstance(value, str) or not value:
        return None
    return words.get(value.lower(), other)


def is_word(item: Any, expected: str, *keys: str) -> bool:
    """Return whether the text there is *expected*, which is lower case."""
    value = at(item, *keys)
    return isinstance(value, str) and value.lower() == expected


def timestamp(value: Any) -> str | None:
    """Return a moment as RFC 3339: from text, which is UTC unless it says otherwise, or from seconds since 1970."""
    if isinstance(value, str):
        found = _TIME.fullmatch(value)
        return f"{found[1]}T{found[2]}{(found[3] or 'Z').upper()}" if found else None
    seconds = whole({"value": value}, "value") if value is not None else None
    if seconds is None or not 0 < seconds < 253402300800:  # the year 10000
        return None
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def period_days(value: Any) -> int | None:
    """Return the days of an ISO 8601 duration: a month counts as 30, a year as 365, less than a day as none."""
    found = _PERIOD.fullmatch(value) if isinstance(value, str) else None
    if not found or not any(found.groups()):
        return None
    years, months, weeks, days = (int(part or 0) for part in found.groups())
    return years * 365 + months * 30 + weeks * 7 + days


def tls(value: Any) -> str | None:
    """Return a version of TLS as ``1.2``, from ``TLS1_2``, ``TLSv1_2``, ``Tls12`` or ``1.2``; ``none`` if not set."""
    if not isinstance(value, str):
        return None
    found = _TLS.fullmatch(value)
    if found:
        return f"{found[1]}.{found[2]}"
    return "none" if value.lower() in ("none", "tlsenforcementdisabled") else None


def parent_of(reference: str) -> str | None:
    """Return the id that *reference* is under, in its own spelling; None if that is the tenant.

    A child is under its parent resource, an extension under what it extends, other resources under their group.
    """
    before = reference.rstrip("/").rsplit("/", 2)[0]
    outer = before.rpartition("/")[0]
    if outer.lower().endswith("/providers"):
        before = outer[: -len("/providers")]
    return before or None
