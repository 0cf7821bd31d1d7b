"""Reading JSON that may lack anything: what is absent, null or of another type than expected is None, or empty."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Any, TypeVar

Item = Mapping[str, Any]
T = TypeVar("T")

_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d(?:\.\d+)?)(Z|[+-]\d\d:\d\d)?", re.IGNORECASE)
_SECONDS = re.compile(r"(\d{1,12})(?:\.\d+)?s")
_YEAR_10000_S = 253402300800


def at(item: Any, *keys: str) -> Any:
    """Return what the *keys* lead to, one object inside the other."""
    for key in keys:
        if not isinstance(item, dict):  # it came from a decoder; asking for a Mapping would take three times as long
            return None
        item = item.get(key)
    return item


def text(item: Any, *keys: str) -> str | None:
    """Return the text there; None also if it is empty."""
    value = at(item, *keys)
    return value if isinstance(value, str) and value else None


def lower(item: Any, *keys: str) -> str | None:
    """Return the text there in lower case."""
    value = text(item, *keys)
    return value.lower() if value else None


def flag(item: Any, *keys: str) -> bool | None:
    """Return the truth value there. Settings of machines and databases are text: ``true``, ``on``, ``1``, and so on."""
    value = at(item, *keys)
    if isinstance(value, bool):
        return value
    return word(value, {"true": True, "on": True, "1": True, "false": False, "off": False, "0": False})


def on(item: Any, *keys: str) -> bool:
    """Return whether a flag is there and true: Google's APIs leave out what is false."""
    return flag(item, *keys) is True


def whole(item: Any, *keys: str) -> int | None:
    """Return the whole number there, of at most 64 bits. Google's APIs write those of 64 bits as text."""
    value = at(item, *keys)
    if isinstance(value, str):
        value = int(value) if value.isascii() and value.isdigit() and len(value) < 20 else None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 2**63:
        return None  # not a number is not less than anything
    return int(value)


def items(item: Any, *keys: str) -> list[Any]:
    """Return the entries of the array there."""
    value = at(item, *keys)
    return value if isinstance(value, list) else []


def objects(item: Any, *keys: str) -> list[Item]:
    """Return the objects in the array there."""
    return [entry for entry in items(item, *keys) if isinstance(entry, dict)]


def texts(item: Any, *keys: str) -> list[str]:
    """Return the texts in the array there."""
    return [entry for entry in items(item, *keys) if isinstance(entry, str) and entry]


def each(entries: Iterable[Item], *keys: str) -> list[str]:
    """Return the text under *keys* of every object that has one: order kept, duplicates gone."""
    return unique(text(entry, *keys) for entry in entries)


def unique(values: Iterable[str | None]) -> list[str]:
    """Return the *values* that are there, in order, each once."""
    return list(dict.fromkeys(value for value in values if value))


def labels(item: Any, *keys: str) -> dict[str, str]:
    """Return the labels there: those that are text."""
    value = at(item, *keys)
    if not isinstance(value, dict):
        return {}
    return {key: each_value for key, each_value in value.items() if isinstance(each_value, str)}


def word(value: Any, words: Mapping[str, T], other: T | None = None) -> T | None:
    """Return what stands for *value* in *words*, whose keys are lower case; *other* for any that is not among them."""
    if not isinstance(value, str) or not value:
        return None
    return words.get(value.lower(), other)


def is_word(item: Any, expected: str, *keys: str) -> bool:
    """Return whether the text there is *expected*, which is lower case."""
    return lower(item, *keys) == expected


def timestamp(value: Any) -> str | None:
    """Return a moment as RFC 3339: from text, in UTC unless it says otherwise, or from milliseconds since 1970."""
    if isinstance(value, str) and not value.isdigit():
        found = _TIME.fullmatch(value)
        return f"{found[1]}T{found[2]}{(found[3] or 'Z').upper()}" if found else None
    milliseconds = whole({"value": value}, "value")
    if milliseconds is None or not 0 < milliseconds < _YEAR_10000_S * 1000:
        return None
    return datetime.fromtimestamp(milliseconds // 1000, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds_days(value: Any) -> int | None:
    """Return the whole days of a number of seconds, also one in text, with or without an ``s``."""
    if isinstance(value, str) and (found := _SECONDS.fullmatch(value)):
        value = found[1]
    seconds = whole({"value": value}, "value")
    return seconds // 86400 if seconds is not None and seconds >= 0 else None
