"""What a run has covered: whether a finding that was not seen is fixed, or may just not have been seen.

A finding of an account is covered if something of the account was read, and nothing that the plugin looks at was
missing there. docs/findings.md has the rules.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from cloudmarker.coverage import HOLES

_MISSING = HOLES | {"skipped"}


@dataclass
class _Cloud:
    """What is known of one cloud: accounts of which something was read, and those of which something is missing."""

    read: set[str] = field(default_factory=set)
    holed: set[str] = field(default_factory=set)
    read_whole: bool = False
    read_any: bool = False
    holed_whole: bool = False


class Covered:
    """The coverage of one run, as far as it concerns one event plugin.

    Args:
        record_types: the ``com.record_type`` that the plugin looks at; None for all.
        together: the plugin looks at records together, of several accounts maybe, so that what is missing in one may
            hide a finding in another.
    """

    def __init__(self, record_types: Collection[str] | None, *, together: bool) -> None:
        self._types = None if record_types is None else frozenset(record_types)
        self._together = together
        self._clouds: defaultdict[str, _Cloud] = defaultdict(_Cloud)

    def add(self, com: Mapping[str, Any]) -> None:
        """Take in the ``com`` of a coverage record."""
        types, account = com.get("record_types"), com.get("account")
        if types is not None and self._types is not None and self._types.isdisjoint(types):
            return
        cloud = self._clouds[str(com.get("cloud_type") or "").casefold()]
        if com.get("state") in _MISSING:
            if account is None:
                cloud.holed_whole = True
            else:
                cloud.holed.add(str(account).casefold())
            return
        cloud.read_any = True
        if account is not None:
            cloud.read.add(str(account).casefold())
        elif types is None:  # of everything there is; lists above the accounts say nothing of what is in these
            cloud.read_whole = True

    def covers(self, cloud_type: str, account: str | None) -> bool:
        """Return whether a finding there would have been seen."""
        cloud = self._clouds.get(cloud_type.casefold())
        if cloud is None or cloud.holed_whole:
            return False
        if account is None:  # it may have come with any account
            return cloud.read_any and not cloud.holed
        account = account.casefold()
        if account in cloud.holed or (self._together and cloud.holed):
            return False
        return cloud.read_whole or account in cloud.read

    def accounts(self) -> list[str]:
        """Return the accounts of which something was read, each after its cloud."""
        return [f"{name} {account}" for name, cloud in self._clouds.items() for account in cloud.read]
