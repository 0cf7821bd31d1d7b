"""Which subscriptions are read: by id or name, by management group, and how many."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from cloudmarker_azure._records import Scope

_LOGGER = logging.getLogger(__name__)


@dataclass
class Selection:
    """Which subscriptions are read. It remembers what it was asked, so use one for one reading.

    Attributes:
        wanted: ids or patterns for display names; None for all.
        unwanted: ids or patterns for display names that are left out nevertheless.
        management_group: id of the group whose subscriptions are read; None for all.
        at_most: how many; 0 for all.
    """

    wanted: Sequence[str] | None = None
    unwanted: Sequence[str] = ()
    management_group: str | None = None
    at_most: int = 0
    _members: Collection[str] | None = None
    _taken: int = 0
    _matched: set[str] = field(default_factory=set)
    _seen: set[str] = field(default_factory=set)

    def limit_to(self, members: Iterable[str]) -> None:
        """Leave out what is not in *members*, the ids of the management group's subscriptions."""
        self._members = {member.casefold() for member in members}

    def refuse(self, scope: Scope) -> str | None:
        """Return why that subscription is left out, or None, and count it."""
        own_id = (scope.subscription_id or "").casefold()
        self._seen.add(own_id)
        names = (own_id, (scope.subscription_name or "").casefold())
        if self._members is not None and own_id not in self._members:
            return f"not in the management group {self.management_group}"
        if self.wanted is not None:
            matched = _matching(self.wanted, names)
            self._matched |= matched
            if not matched:
                return "left out by the parameter subscriptions"
        if matched := _matching(self.unwanted, names):
            self._matched |= matched
            return "left out by the parameter exclude_subscriptions"
        if self.at_most and self._taken >= self.at_most:
            return f"limited to {self.at_most} subscriptions by _max_subs"
        self._taken += 1
        return None

    def missing(self) -> list[tuple[str, str]]:
        """Return what should have been there and was not: an id, or an entry of *wanted*; and the reason."""
        where = f" in the management group {self.management_group}" if self._members is not None else ""
        found = [
            (entry, f"the credential can see no subscription with this id or name{where}")
            for entry in self.wanted or ()
            if entry not in self._matched
        ]
        if self.wanted is None:
            reason = f"it is in the management group {self.management_group}, but the credential cannot see it"
            left = sorted(set(self._members or ()) - self._seen)
            found += [(member, reason) for member in left if not _matching(self.unwanted, (member,))]
        for entry in self.unwanted:
            if entry not in self._matched:
                _LOGGER.warning("exclude_subscriptions: no subscription has the id or name %r", entry)
        return found


def _matching(entries: Iterable[str], names: Iterable[str]) -> set[str]:
    """Return the entries that fit one of the *names*; ``*`` and ``?`` are wildcards, brackets are not."""
    patterns = {entry: entry.casefold().replace("[", "[[]") for entry in entries}
    return {entry for entry, pattern in patterns.items() if any(fnmatchcase(name, pattern) for name in names)}
