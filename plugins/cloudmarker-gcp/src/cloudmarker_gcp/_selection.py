"""Which projects are read: by id or number, and how many."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from cloudmarker_gcp._scopes import Scope

_LOGGER = logging.getLogger(__name__)


class Selection:
    """Which projects are read. It remembers what it was asked, so use one for one reading. Threads may share it.

    Args:
        wanted: ids, numbers, or patterns for ids; None for all.
        unwanted: likewise, of what is left out nevertheless.
        at_most: how many; 0 for all.
    """

    def __init__(self, wanted: Sequence[str] | None = None, unwanted: Sequence[str] = (), at_most: int = 0) -> None:
        self._wanted = wanted
        self._unwanted = unwanted
        self._at_most = at_most
        self._taken: set[str] = set()
        self._seen: set[str] = set()
        self._matched: set[str] = set()
        self._lock = threading.Lock()

    def first_sight(self, scope: Scope) -> bool:
        """Return whether that project, folder or organization was not asked about before."""
        with self._lock:
            before = len(self._seen)
            self._seen.add(scope.path)
            return len(self._seen) > before

    def refuse(self, scope: Scope) -> str | None:
        """Return why that project is left out, or None, and count it."""
        with self._lock:
            wanted = _matching(self._wanted or (), scope)
            unwanted = _matching(self._unwanted, scope)
            self._matched |= wanted | unwanted
            if self._wanted is not None and not wanted:
                return "left out by the parameter projects"
            if unwanted:
                return "left out by the parameter exclude_projects"
            if scope.state and scope.state != "ACTIVE":
                return f"the project is {scope.state}"
            if self._at_most and len(self._taken) >= self._at_most:
                return f"limited to {self._at_most} projects by _max_projects"
            self._taken.add(scope.id)
            return None

    def missing(self) -> list[str]:
        """Return the entries of *wanted* that no project matched."""
        for entry in self._unwanted:
            if entry not in self._matched:
                _LOGGER.warning("exclude_projects: no visible project has the id or number %r", entry)
        return [entry for entry in self._wanted or () if entry not in self._matched]


def is_pattern(entry: str) -> bool:
    """Return whether an entry has wildcards."""
    return any(sign in entry for sign in "*?")


def _matching(entries: Iterable[str], scope: Scope) -> set[str]:
    """Return the entries that are the id or the number of a project, or a pattern for its id. Ids are lower case."""
    return {
        entry for entry in entries if entry == scope.number or fnmatchcase(scope.id, entry.lower().replace("[", "[[]"))
    }
