"""What a store's worker knows of each record that it was given: :class:`WorkerRun` is the StoreRun that plugins see."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from multiprocessing import connection

from cloudmarker._journal import DELIVERED, REJECTED, Journal
from cloudmarker.batches import RecordBatch
from cloudmarker.contracts import Record
from cloudmarker.errors import RecordError
from cloudmarker.records import decode
from cloudmarker.report import Report

STOP_S = 10.0
"""How long a plugin may take to deliver what it has when the audit is being stopped."""

_log = logging.getLogger("cloudmarker.workers")


class WorkerRun:
    """The run as one store or alert sees it; the documentation of its methods is that of the contract.

    Args:
        report: where records are counted.
        journal: what is kept of the records until they have their answer.
        audit_key: key of the audit.
        audit_version: version of the run.
        origins: the origin workers that records may come from.
        replay: whether the records come from the spool.
    """

    def __init__(
        self,
        report: Report,
        journal: Journal | None = None,
        *,
        audit_key: str = "",
        audit_version: str = "",
        origins: tuple[str, ...] = (),
        replay: bool = False,
    ) -> None:
        self.worker = report.worker
        self.audit_key = audit_key
        self.audit_version = audit_version
        self.origins = origins
        self.replay = replay
        self.position = 0
        self.deadline: float | None = None
        self.journal = journal or Journal()
        self._report = report
        self._letters_failed = False
        self._woken, self._waker = os.pipe()
        os.set_blocking(self._waker, False)
        os.set_blocking(self._woken, False)

    # What the plugin may call

    def take(self, position: int, count: int = 1) -> None:
        """Undertake to answer for records."""
        self.journal.take(position, count)

    def delivered(self, position: int, count: int = 1) -> None:
        """Say that records are delivered."""
        self._report.delivered += self.journal.settle(position, count, DELIVERED)

    def reject(self, position: int, record: Record | bytes, reason: str) -> None:
        """Say that a record is refused."""
        self.refuse(position, record, RecordError(reason), "delivering")

    def now(self) -> float:
        """Return the time of the clock that the deadline is on."""
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        """Wait, but not through the beginning of a stop."""
        if self._woken < 0:
            time.sleep(seconds)
        elif connection.wait([self._woken], seconds):
            with contextlib.suppress(BlockingIOError):  # another thread, which waited too, was quicker
                os.read(self._woken, 1)

    # What the worker calls

    @property
    def spools(self) -> bool:
        """Whether records are kept in files."""
        return self.journal.on_disk

    def receive(self, batch: RecordBatch) -> None:
        """Keep a batch that is about to be handed to the plugin."""
        self.position = self.journal.receive(batch.data, batch.count)

    def skip(self, count: int, first_id: str) -> None:
        """Note that records came that the plugin does not want, in a batch that begins with the record *first_id*."""
        self._report.skipped += count
        self.journal.skip(count, first_id)

    def refuse(self, position: int, record: Record | bytes, exc: Exception, doing: str = "writing") -> None:
        """Count a record as rejected, and send it to the dead letters; without them it stays in the spool."""
        if self.journal.is_settled(position):
            return
        whole: Record = decode(record) if isinstance(record, bytes) else record
        self._report.error(doing, _reference(whole), exc)
        try:
            self._report.reject(whole, exc)
        except OSError as failure:
            if not self._letters_failed:
                self._letters_failed = True
                _log.error("%s: dead letters cannot be written, records stay in the spool: %s", self.worker, failure)
            self.journal.take(position)
        else:
            self._report.rejected += self.journal.settle(position, 1, REJECTED)

    def stop(self) -> None:
        """Give the plugin a bounded time to end; safe to be called by a signal handler."""
        if self.deadline is None:
            self.deadline = self.now() + STOP_S
            if self._waker >= 0:
                os.write(self._waker, b"\0")

    def end(self) -> None:
        """Count what has no answer, once the plugin has ended; if it ended well, what it did not take is delivered."""
        report = self._report
        if report.outcome != "failed":
            report.delivered += self.journal.confirm()
        report.spooled, report.lost = self.journal.close()
        if report.lost and self.journal.problem:
            report.message = f"{report.message}; the spool cannot be written: {self.journal.problem}".removeprefix("; ")
        woken, waker, self._woken, self._waker = self._woken, self._waker, -1, -1
        os.close(waker)
        os.close(woken)


def _reference(record: Record) -> str:
    com = record.get("com") or {}
    return str(com.get("reference") or com.get("record_id") or "")
