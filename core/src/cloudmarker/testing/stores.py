"""What tests need of stores: one that keeps records in memory, and the run that a store serves."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import cast

from cloudmarker.contracts import Incomplete, OptionalStore, Record, Store
from cloudmarker.testing.records import batches


class MemoryStore:
    """Keeps what it is given, in the process it runs in.

    Attributes:
        records: what was written, in order; copies, so that a later change of a record does not show.
        ended: ``"done"`` or ``"abort"`` once the framework has said so, None before.
        reason: why the records are not complete, after an abort.
    """

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.ended: str | None = None
        self.reason: Incomplete | None = None

    def write(self, record: Record) -> None:
        """Keep a copy of *record*."""
        self.records.append(copy.deepcopy(record))

    def done(self) -> None:
        """Remember that the records are complete."""
        self.ended = "done"

    def abort(self, reason: Incomplete) -> None:
        """Remember that the records are not complete, and why."""
        self.ended = "abort"
        self.reason = reason


class MemoryRun:
    """A run for a store or alert under test: notes what the plugin says of its records.

    ::

        run = MemoryRun()
        run.serve(store, records.stamped(record))
        assert run.confirmed == {0}

    Attributes:
        taken: positions of the records that the plugin undertook to answer for.
        confirmed: of those, and perhaps others, that it said are delivered.
        rejected: reason by position of those that it said are refused.
        waits: seconds that it asked to wait, each time; only the clock of the run goes on.

    The others are those of :class:`cloudmarker.contracts.StoreRun`.
    """

    def __init__(self, origins: Sequence[str] = ("audit_cloud",)) -> None:
        self.worker = "audit_store"
        self.audit_key = "audit"
        self.audit_version = "20260102_030405"
        self.origins = tuple(origins)
        self.replay = False
        self.position = 0
        self.deadline: float | None = None
        self.taken: set[int] = set()
        self.confirmed: set[int] = set()
        self.rejected: dict[int, str] = {}
        self.waits: list[float] = []
        self._handed = 0
        self._now = 0.0

    def hand(self, count: int = 1) -> None:
        """Note that so many records are about to be handed to the plugin; to be called before each of its writes."""
        self.position = self._handed
        self._handed += count

    def serve(
        self,
        store: Store,
        records: Iterable[Record],
        incomplete: Incomplete | None = None,
        *,
        in_batches: bool = False,
    ) -> None:
        """Give *records* to a store or alert from its beginning to its end, as the framework does.

        Args:
            store: the plugin, of which no method has been called.
            records: with their stamps.
            incomplete: why there are no more of them; None if these are all.
            in_batches: whether they come in batches, which the plugin has to take.
        """
        plugin = cast("OptionalStore", store)
        if hasattr(store, "begin"):
            plugin.begin(self)
        if in_batches:
            for batch in batches(records):
                self.hand(batch.count)
                plugin.write_batch(batch)
        else:
            for record in records:
                self.hand()
                store.write(record)
        if incomplete is not None and hasattr(store, "abort"):
            plugin.abort(incomplete)
        else:
            store.done()

    @property
    def unanswered(self) -> set[int]:
        """Positions of the records that the plugin took and did not answer for."""
        return self.taken - self.confirmed - set(self.rejected)

    def take(self, position: int, count: int = 1) -> None:
        """Note the positions."""
        self.taken |= set(range(position, position + count))

    def delivered(self, position: int, count: int = 1) -> None:
        """Note the positions."""
        self.confirmed |= set(range(position, position + count))

    def reject(self, position: int, record: Record | bytes, reason: str) -> None:
        """Note the reason."""
        self.rejected[position] = reason

    def now(self) -> float:
        """Return the seconds that were waited."""
        return self._now

    def wait(self, seconds: float) -> None:
        """Note how long; return at once."""
        self.waits.append(seconds)
        self._now += seconds
