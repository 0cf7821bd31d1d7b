"""The way out of a plugin that yields records, where they are encoded, counted and put; how its reading is stopped."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cloudmarker.channel import Output
from cloudmarker.contracts import Record
from cloudmarker.coverage import State, coverage
from cloudmarker.errors import RecordError
from cloudmarker.records import Stamper
from cloudmarker.report import Report, describe


class Stopped(BaseException):
    """Raised inside a cloud plugin's ``read`` to stop it; not an Exception, so that plugins let it pass."""


@dataclass(slots=True)
class Stop:
    """The request to stop reading, as the worker process hears it from a signal.

    Attributes:
        requested: why, once it has been made.
        reading: the plugin is being waited for, so an exception may be raised in it.
        held: something is under way, on the plugin's behalf, that must not be left half done.
    """

    requested: str = ""
    reading: bool = False
    held: bool = False

    def interrupt(self) -> None:
        """Raise :class:`Stopped` in the plugin, if it is being waited for."""
        if self.reading and not self.held:
            self.reading = False
            raise Stopped

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Put off an interruption to the end of the context; for the main thread, which alone is interrupted."""
        self.held = True
        try:
            yield
        finally:
            self.held = False
            if self.requested:
                self.interrupt()


@dataclass
class Producer:
    """A plugin that yields records: where they are stamped, counted and put."""

    stamper: Stamper
    output: Output
    report: Report
    audit_stamper: Stamper | None = None
    """Stamps coverage records. None: they get the plugin's own stamps, and a plugin that yields none gets none."""
    last_com: dict[str, Any] = field(default_factory=dict)
    """The ``com`` of the last record, as the plugin yielded it."""
    letters_lost: int = 0
    """Records that were rejected and could not be kept as dead letters."""

    def __post_init__(self) -> None:
        self.report.reading = self._reading

    def _reading(self) -> str:
        """Return what was read last, for the progress display: its type and what contains it."""
        com = self.last_com
        place = com.get("parent") or com.get("scope") or ""
        return f"{com.get('record_type', '')} {place}".strip()[:200]

    def put(self, record: Record) -> None:
        """Encode and send one record; one that is not JSON is counted and becomes a dead letter."""
        stamper, report = self.stamper, self.report
        try:
            com = record["com"]
            record_type = com["record_type"]
            if type(record_type) is not str:
                raise TypeError  # noqa: TRY301  handled with the other faults of shape
            if record_type == "coverage":
                report.saw_coverage(com)
                stamper = self.audit_stamper or stamper
            line = stamper.encode(record)
            report.record_types[record_type] += 1
        except (RecordError, KeyError, TypeError, AttributeError) as exc:
            self._reject(record, explain(exc))
            return
        if "severity" in com:
            report.saw_event(com)
        self.last_com = com
        self.output.put(line, record_type, stamper)

    @property
    def remembers(self) -> bool:
        """Whether coverage is to be told to :meth:`saw_coverage`."""
        return False

    def release(self) -> None:
        """Send what is held back, if anything is."""

    def saw_coverage(self, com: Mapping[str, Any]) -> None:
        """Take in the ``com`` of a coverage record."""

    def remember(self, *, complete: bool) -> None:
        """Say what has changed since the last run; *complete* is whether everything was looked at."""

    def _reject(self, record: Record, exc: Exception) -> None:
        report = self.report
        report.rejected_out += 1
        self.output.rejected += 1
        report.error("yielded", reference_of(record), exc)
        try:
            report.reject(record, exc)
        except OSError as failure:  # the records after it are worth more than this one; the log has its reference
            if not self.letters_lost:
                report.log.error("%s: dead letters cannot be written: %s", report.worker, describe(failure))
            self.letters_lost += 1

    def cover_all(self, state: State, error: str | None = None) -> None:
        """Add a coverage record for everything the plugin read."""
        if self.audit_stamper is not None:
            cloud_type = str(self.last_com.get("cloud_type") or "")
            self.put(coverage(cloud_type, self.stamper.worker, "*", state, self.report.records_out(), error))


def explain(exc: Exception) -> Exception:
    """Return what to say of a record whose shape is wrong."""
    if isinstance(exc, RecordError):
        return exc
    return RecordError("a record must be a dict with a dict com, and in it a string record_type")


def reference_of(record: Any) -> str:
    """Return what identifies a record in a log line, whatever shape it has."""
    try:
        com = record["com"]
        return str(com.get("reference") or com.get("record_id") or "")
    except (TypeError, KeyError, AttributeError):
        return ""
