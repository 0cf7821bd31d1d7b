"""What is read by lists: which rows of the table, and in what order."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cached_property

from cloudmarker.contracts import Record
from cloudmarker.coverage import coverage

from cloudmarker_azure._client import Client
from cloudmarker_azure._reader import Context, Listing, Work
from cloudmarker_azure._records import CLOUD_TYPE, Scope
from cloudmarker_azure._row import Row
from cloudmarker_azure._table import COM_TYPES, RECORD_TYPES, SUBSCRIPTIONS, TABLE, children


class ListPlan:
    """The lists that give the wanted record types, and those that lead to them.

    Args:
        wanted: the ``ext.record_type`` of the records that are made; None for all.
        limit: records of each type of a scope at most; 0 for all.
    """

    def __init__(self, wanted: Collection[str] | None = None, limit: int = 0) -> None:
        self._wanted = None if wanted is None else frozenset(wanted)
        self._limit = limit

    @property
    def with_subscriptions(self) -> bool:
        """Whether the subscriptions themselves are records, too."""
        return self._wants(SUBSCRIPTIONS.record_type)

    @property
    def record_types(self) -> Sequence[str]:
        """All that is read from a subscription."""
        found = [each for row in TABLE if row.scope == "subscription" for each in row.record_types]
        return [record_type for record_type in found if self._wants(record_type)]

    def left_out(self, tenant: Scope) -> Iterator[Record]:
        """Yield a coverage record for each type that is not wanted; subscriptions are always listed."""
        for record_type in RECORD_TYPES:
            if not self._wants(record_type) and record_type != SUBSCRIPTIONS.record_type:
                reason = "left out by the parameter record_types"
                types = [COM_TYPES[record_type]]
                yield coverage(CLOUD_TYPE, tenant.reference, record_type, "skipped", 0, reason, record_types=types)

    def jobs(self, client: Client, scopes: Sequence[Scope]) -> Iterable[Work]:
        """Yield one job for each list of the tenant and of a subscription; lists of resources follow from these.

        Args:
            client: what they read with.
            scopes: the subscriptions.
        """
        return self._lists(self._context(client), scopes, self._tops)

    def _context(self, client: Client) -> Context:
        return Context(client, self._wanted, self._limit, self._children)

    @property
    def _tops(self) -> Sequence[Row]:
        """The rows whose lists a scope has."""
        return [row for row in self._rows if row.parent is None and row is not SUBSCRIPTIONS]

    def _lists(self, context: Context, scopes: Sequence[Scope], rows: Sequence[Row]) -> Iterator[Work]:
        if scopes:
            tenant = Scope(scopes[0].tenant)
            yield from (Listing(context, row, tenant).job() for row in rows if row.scope == "tenant")
        # Each subscription has a quota of its own: neighbours are lists of different subscriptions.
        yield from (
            Listing(context, row, scope).job() for row in rows if row.scope == "subscription" for scope in scopes
        )

    def _wants(self, record_type: str) -> bool:
        return self._wanted is None or record_type in self._wanted

    @cached_property
    def _rows(self) -> Sequence[Row]:
        """The rows that are read."""
        return [row for row in TABLE if self._needs(row)]

    def _needs(self, row: Row) -> bool:
        return any(map(self._wants, row.record_types)) or any(map(self._needs, children(row)))

    def _children(self, row: Row) -> Sequence[Row]:
        return [child for child in self._rows if child.parent == row.record_type]
