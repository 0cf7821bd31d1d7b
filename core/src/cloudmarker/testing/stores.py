"""An in-memory store for tests."""

from __future__ import annotations

import copy

from cloudmarker.contracts import Incomplete, Record


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
