"""What records are called in a store: the id of a document, the name of the index or collection, the age of a run."""

from __future__ import annotations

import hashlib
import re
import string
import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta, timezone

from cloudmarker.delivery import Item, record_ids

_VERSION_FORMAT = "%Y%m%d_%H%M%S"
_MAX_ID_BYTES = 512
"""Elasticsearch takes no longer ids; the other stores do as it does, so that ids are the same in all of them."""


class Ids:
    """Ids for documents: the ``record_id``, so that what is sent again is not there twice.

    A record without one, which no audit makes, gets an id that lasts as long as this object.
    """

    def __init__(self) -> None:
        self._prefix = uuid.uuid4().hex

    def all(self, items: Sequence[Item]) -> list[str]:
        """Return the ids for items."""
        names = record_ids(items)
        if all(0 < len(name) <= _MAX_ID_BYTES // 4 for name in names):
            return names
        return list(map(self, items, names))

    def __call__(self, item: Item, record_id: str) -> str:
        """Return the id for an item with a ``record_id``, empty if it has none; 512 bytes of UTF-8 at most."""
        if not record_id:
            return f"{self._prefix}_{item.position}"
        if len(record_id) <= _MAX_ID_BYTES // 4 or len(encoded := record_id.encode()) <= _MAX_ID_BYTES:
            return record_id
        return hashlib.sha256(encoded).hexdigest()


class Pattern:
    """A name with placeholders in braces.

    Args:
        text: e.g. ``audit-{date}``.
        allowed: what may stand in braces.

    Attributes:
        names: what stands in braces.

    Raises:
        ValueError: it cannot be used; the message says why.
    """

    def __init__(self, text: str, allowed: Collection[str]) -> None:
        self.text = text
        self._parts: list[tuple[str, str]] = []
        for literal, name, spec, conversion in string.Formatter().parse(text):
            if name is not None and (name not in allowed or spec or conversion):
                known = " and ".join(f"{{{known}}}" for known in sorted(allowed))
                raise ValueError(f"{{{name}}} is not known; there are {known}")
            self._parts.append((literal, name or ""))
        self.names = frozenset(name for _, name in self._parts if name)

    @property
    def prefix(self) -> str:
        """What stands before the first placeholder."""
        return self._parts[0][0] if self._parts else ""

    def fill(self, values: Mapping[str, str]) -> str:
        """Return the name with each placeholder replaced by its value."""
        return "".join(literal + (values[name] if name else "") for literal, name in self._parts)

    def regex(self, values: Mapping[str, str]) -> re.Pattern[str]:
        """Return what matches the names that this gives, with a group for each placeholder that is not in *values*."""
        text, seen = "", set(values)
        for literal, name in self._parts:
            text += re.escape(literal)
            if name in values:
                text += re.escape(values[name])
            elif name:
                text += f"(?P<{name}>.+)" if name not in seen else f"(?P={name})"
                seen.add(name)
        return re.compile(text)


def run_date(audit_version: str) -> str:
    """Return the day of a run as ``2026.01.31``, UTC."""
    return f"{audit_version[:4]}.{audit_version[4:6]}.{audit_version[6:8]}"


def run_time(audit_version: str) -> datetime | None:
    """Return when a run began; None if that is no version of a run."""
    try:
        return datetime.strptime(audit_version, _VERSION_FORMAT).replace(tzinfo=timezone.utc)
    except ValueError:
        return None


def oldest_kept(audit_version: str, days: float) -> str | None:
    """Return the version that a run of so many *days* before another would have had.

    Versions are compared as text. What is kept depends on when runs began and on no clock at hand.
    """
    time = run_time(audit_version)
    return None if time is None else (time - timedelta(days=days)).strftime(_VERSION_FORMAT)
