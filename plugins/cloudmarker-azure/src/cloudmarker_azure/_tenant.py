"""A whole tenant: which subscriptions there are, and every list of every one of them through the pool."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial

from cloudmarker.contracts import Record
from cloudmarker.coverage import coverage

from cloudmarker_azure import _pool
from cloudmarker_azure._access import Access
from cloudmarker_azure._client import Client, Retry
from cloudmarker_azure._outcome import UnreadError
from cloudmarker_azure._reader import read_list, skipped
from cloudmarker_azure._records import CLOUD_TYPE, Scope
from cloudmarker_azure._session import Session
from cloudmarker_azure._table import SUBSCRIPTIONS, TABLE

ROWS = tuple(row for row in TABLE if row.scope == "subscription")


@dataclass
class Selection:
    """Which subscriptions are read.

    Attributes:
        wanted: ids or patterns for display names; None for all.
        at_most: how many; 0 for all.
    """

    wanted: Sequence[str] | None = None
    at_most: int = 0
    _taken: int = 0
    _matched: set[str] = field(default_factory=set)

    def refuse(self, scope: Scope) -> str | None:
        """Return why that subscription is left out, or None, and count it."""
        if self.wanted is not None:
            names = [(name or "").casefold() for name in (scope.subscription_id, scope.subscription_name)]
            matched = {entry for entry in self.wanted if any(fnmatchcase(name, entry.casefold()) for name in names)}
            if not matched:
                return "left out by the parameter subscriptions"
            self._matched |= matched
        if self.at_most and self._taken >= self.at_most:
            return f"limited to {self.at_most} subscriptions by _max_subs"
        self._taken += 1
        return None

    def unmatched(self) -> list[str]:
        """Return the entries that no subscription matched."""
        return [entry for entry in self.wanted or () if entry not in self._matched]


def read_tenant(access: Access, selection: Selection, *, limit: int, threads: int, retry: Retry) -> Iterator[Record]:
    """Yield the records and the coverage of a tenant.

    Args:
        access: where and as whom.
        selection: which subscriptions.
        limit: records of each type of a subscription at most; 0 for all.
        threads: lists read at a time.
        retry: when requests are sent again.
    """
    stop = threading.Event()
    session = Session(access, threads, stop)
    client = Client(session, retry, stop)
    tenant = Scope(access.tenant)
    try:
        try:
            session.login()
        except UnreadError as exc:
            yield coverage(CLOUD_TYPE, tenant.reference, SUBSCRIPTIONS.record_type, exc.state, 0, str(exc))
            return
        chosen: list[Scope] = []
        yield from _subscriptions(client, tenant, selection, chosen)
        # Each subscription has a quota of its own: neighbours in the queue are lists of different subscriptions.
        jobs = (partial(read_list, client, row, scope, limit) for row in ROWS for scope in chosen)
        for chunk in _pool.run(jobs, min(threads, len(chosen) * len(ROWS)), stop, session.interrupt):
            yield from chunk
    finally:
        stop.set()
        session.close()


def _subscriptions(client: Client, tenant: Scope, selection: Selection, chosen: list[Scope]) -> Iterator[Record]:
    """Yield the records of the selected subscriptions and the coverage of all others; add the former to *chosen*."""
    for chunk in read_list(client, SUBSCRIPTIONS, tenant):
        for record in chunk:
            if "raw" not in record:  # the list's own coverage
                yield record
                continue
            scope = tenant.subscription(record["raw"])
            if reason := selection.refuse(scope):
                for row in ROWS:
                    yield from skipped(row, scope, reason)
            else:
                chosen.append(scope)
                yield record
    for entry in selection.unmatched():
        yield coverage(
            CLOUD_TYPE,
            f"/subscriptions/{entry}",
            SUBSCRIPTIONS.record_type,
            "failed",
            0,
            "the credential can see no subscription with this id or name",
        )
