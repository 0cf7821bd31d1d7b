"""The way out of an event plugin: suppressions, the memory of findings, and the status that it gives to each event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cloudmarker._producer import Producer, explain
from cloudmarker.batches import BATCH_RECORDS
from cloudmarker.contracts import Record, Severity
from cloudmarker.errors import LedgerError, RecordError
from cloudmarker.suppressions import Suppressor

if TYPE_CHECKING:
    from cloudmarker._tracking import Held, Tracker


@dataclass
class FindingProducer(Producer):
    """A producer of findings.

    Attributes:
        tracker: the memory; None if there is none, or it cannot be used any more: then events have no status.
        suppressor: says which events are not sent. They are remembered like all others.
    """

    tracker: Tracker | None = None
    suppressor: Suppressor | None = None
    _held: list[Held] = field(default_factory=list)

    @property
    def remembers(self) -> bool:
        """Whether coverage is to be told to :meth:`saw_coverage`."""
        return self.tracker is not None

    def put(self, record: Record) -> None:
        """Encode one event; it is sent by :meth:`release` at the latest, unless it is suppressed."""
        report = self.report
        try:
            com = record["com"]
            record_type = com["record_type"]
            if type(record_type) is not str:
                raise TypeError  # noqa: TRY301  handled with the other faults of shape
            if record_type == "coverage":
                super().put(record)
                return
            line = self.stamper.encode(record)
        except (RecordError, KeyError, TypeError, AttributeError) as exc:
            self._reject(record, explain(exc))
            return
        report.record_types[record_type] += 1
        self.last_com = com
        sent = self.suppressor is None or not self.suppressor.suppresses(record)
        severity = report.saw_event(com) if sent and "severity" in com else None
        if self.tracker is None:
            if sent:
                self.output.put(line, record_type, self.stamper)
                self._count_fresh(severity)
            return
        fingerprint = com.get("fingerprint")  # an empty one is none: not all that have it are the same
        held = self._held
        held.append((str(fingerprint) if fingerprint else None, line, sent, record_type, severity))
        if len(held) >= BATCH_RECORDS:
            self.release()

    def release(self) -> None:
        """Send the events that were held, so that the memory could be asked about many of them at once."""
        held = self._held
        if not held or self.tracker is None:
            return
        self._held = []
        try:
            lines, fresh = self.tracker.stamped(held)
        except LedgerError as exc:
            self._forget(exc)
            lines, fresh = [line for _, line, *_ in held], list(range(len(held)))
        types = {record_type for *_, record_type, _ in held}
        if self.suppressor is None and len(types) == 1:
            self.output.put_all(lines, types.pop(), self.stamper)
        else:
            for line, (_, _, sent, record_type, _) in zip(lines, held, strict=True):
                if sent:
                    self.output.put(line, record_type, self.stamper)
        for position in fresh:
            *_, severity = held[position]
            self._count_fresh(severity)

    def saw_coverage(self, com: Mapping[str, Any]) -> None:
        """Take in what is covered: it decides what is fixed."""
        if self.tracker is not None:
            self.tracker.saw(com)

    def remember(self, *, complete: bool) -> None:
        """Write to the memory what was found, and send events for what is fixed. Called once, at the end.

        Args:
            complete: all records there are were evaluated, but for what the coverage says.
        """
        if self.tracker is None:
            return
        try:
            self.tracker.commit(complete=complete)
            for event, line in self.tracker.fixed():
                if self.suppressor is None or not self.suppressor.suppresses(event):
                    self.tracker.counts["fixed"] += 1
                    self.report.record_types[event["com"]["record_type"]] += 1
                    self.output.put(line, event["com"]["record_type"], self.stamper)
        except LedgerError as exc:
            self._forget(exc)
        else:
            self.report.statuses = self.tracker.counts

    def _forget(self, exc: LedgerError) -> None:
        self.report.failed("remembering findings", exc)
        self.tracker = None

    def _count_fresh(self, severity: Severity | None) -> None:
        if severity is not None:
            self.report.fresh[severity] += 1
