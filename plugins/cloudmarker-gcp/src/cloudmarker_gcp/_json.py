"""Reading fields of JSON objects that should have them: what is absent is empty, what is something else is refused.

All functions but :func:`text` and :func:`each` raise RecordError for the latter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudmarker.errors import RecordError


def required(item: Mapping[str, Any], key: str) -> str:
    """Return the text under *key*, which must be there and not be empty."""
    value = item.get(key)
    if not isinstance(value, str) or not value:
        raise RecordError(f"{item.get('selfLink') or item.get('name') or 'an item'} has no {key}")
    return value


def text(item: Mapping[str, Any], key: str) -> str | None:
    """Return the text under *key*; None if it is absent, empty or no text."""
    value = item.get(key)
    return value if isinstance(value, str) and value else None


def mapping(item: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return the object under *key*, empty if it is absent or null."""
    value = item.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise RecordError(f"{item.get('selfLink') or 'an item'}: {key} is not an object")
    return value


def array(item: Mapping[str, Any], key: str) -> list[Any]:
    """Return the array under *key*, empty if it is absent or null."""
    value = item.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise RecordError(f"{item.get('selfLink') or 'an item'}: {key} is not an array")
    return value


def objects(item: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """Return the objects in the array under *key*."""
    found = array(item, key)
    if not all(isinstance(entry, dict) for entry in found):
        raise RecordError(f"{item.get('selfLink') or 'an item'}: {key} holds something else than objects")
    return found


def texts(item: Mapping[str, Any], key: str) -> list[str]:
    """Return the texts in the array under *key*."""
    found = array(item, key)
    if not all(isinstance(entry, str) for entry in found):
        raise RecordError(f"{item.get('selfLink') or 'an item'}: {key} holds something else than text")
    return list(found)


def each(items: list[dict[str, Any]], key: str) -> list[str]:
    """Return the text under *key* of every object that has one: order kept, duplicates gone."""
    return list(dict.fromkeys(filter(None, (text(item, key) for item in items))))
