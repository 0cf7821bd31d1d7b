"""What a worker knows of its plugin's work: counters, errors, findings, coverage."""

from __future__ import annotations

import logging
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import msgspec

from cloudmarker.contracts import SEVERITIES, Kind, Severity
from cloudmarker.coverage import HOLES, STATES, State
from cloudmarker.errors import CloudmarkerError
from cloudmarker.results import MAX_LISTED, Finding, Hole, Outcome
from cloudmarker.text import visible_line

_LOGGED_ERRORS = 10
"""Errors of one exception type that are logged one by one; the others are only counted."""
_MAX_TEXT = 2000
"""Characters of a text from a record or an exception that are passed on."""


class Snapshot(msgspec.Struct):
    """A plugin's counters so far, or its end. Counts are totals; ``findings`` and ``holes`` are what is new."""

    key: str
    kind: Kind
    records_in: int = 0
    records_out: int = 0
    accepted: int = 0
    delivered: int = 0
    spooled: int = 0
    lost: int = 0
    wanted: list[str] | None = None
    skipped: int = 0
    rejected: int = 0
    rejected_out: int = 0
    errors: int = 0
    record_types: dict[str, int] = {}
    severities: dict[str, int] = {}
    statuses: dict[str, int] = {}
    fresh: dict[str, int] = {}
    suppressed: dict[int, int] = {}
    matched: dict[int, int] = {}
    coverage: dict[str, int] = {}
    findings: list[Finding] = []
    holes: list[Hole] = []
    outputs: list[str] = []
    display: str = ""
    outcome: Outcome | None = None
    message: str = ""
    incomplete: str = ""
    duration_s: float = 0.0
    reading: str = ""


class Report:
    """Counts what one plugin does.

    Args:
        key: the plugin key.
        kind: what the plugin is.
        worker: its ``com.origin_worker``, for log lines.
        dead_letter: called with (record, reason) for each record that ends here.
    """

    def __init__(
        self, key: str, kind: Kind, worker: str, dead_letter: Callable[[object, str], None] | None = None
    ) -> None:
        self.worker = worker
        self.log = logging.getLogger("cloudmarker.workers")
        self.records_in = 0
        self.accepted = 0
        self.delivered = 0
        self.spooled = 0
        self.lost = 0
        self.wanted: list[str] | None = None
        self.skipped = 0
        self.rejected = 0
        self.rejected_out = 0
        self.errors = 0
        self.record_types: defaultdict[str, int] = defaultdict(int)  # counts in half the time that a Counter takes
        self.severities: defaultdict[str, int] = defaultdict(int)
        self.fresh: defaultdict[str, int] = defaultdict(int)
        self.suppressed: defaultdict[int, int] = defaultdict(int)
        self.matched: defaultdict[int, int] = defaultdict(int)
        self.statuses: Counter[str] = Counter()
        self.coverage: Counter[str] = Counter()
        self.outputs: list[str] = []
        self.display = ""
        self.outcome: Outcome | None = None
        self.message = ""
        self.incomplete = ""
        self.reading: Callable[[], str] = str
        self._key = key
        self._kind = kind
        self._dead_letter = dead_letter
        self._findings: list[Finding] = []
        self._holes: list[Hole] = []
        self._listed: Counter[bool] = Counter()
        self._logged: Counter[str] = Counter()
        self._start = time.monotonic()
        self._end: float | None = None

    def snapshot(self) -> Snapshot:
        """Return the counters; findings and holes are handed over once."""
        findings, self._findings = self._findings, []
        holes, self._holes = self._holes, []
        return Snapshot(
            key=self._key,
            kind=self._kind,
            records_in=self.records_in,
            records_out=self.records_out(),
            accepted=self.accepted,
            delivered=self.delivered,
            spooled=self.spooled,
            lost=self.lost,
            wanted=self.wanted,
            skipped=self.skipped,
            rejected=self.rejected,
            rejected_out=self.rejected_out,
            errors=self.errors,
            record_types=self._own_types(),
            severities=dict(self.severities),
            statuses=dict(self.statuses),
            fresh=dict(self.fresh),
            suppressed=dict(self.suppressed),
            matched=dict(self.matched),
            coverage=dict(self.coverage),
            findings=findings,
            holes=holes,
            outputs=self.outputs,
            display=self.display,
            outcome=self.outcome,
            message=self.message,
            incomplete=self.incomplete,
            duration_s=(self._end or time.monotonic()) - self._start,
            reading=self.reading(),
        )

    def records_out(self) -> int:
        """Return how many records the plugin yielded, coverage aside."""
        return sum(self._own_types().values())

    def _own_types(self) -> dict[str, int]:
        types = dict(self.record_types)
        types.pop("coverage", None)
        return types

    def ok(self) -> None:
        """Note that the plugin ended well, unless something worse is known."""
        self._end = time.monotonic()
        if self.outcome is None:
            self.outcome = "ok"

    def failed(self, doing: str, exc: BaseException) -> None:
        """Note that the plugin ended with *exc* while *doing* something; the first cause stays."""
        self._end = time.monotonic()
        message = f"{doing}: {describe(exc)}"
        self.log.error("%s: %s", self.worker, message, exc_info=None if is_expected(exc) else exc)
        if self.outcome != "failed":
            self.outcome, self.message = "failed", message

    def error(self, doing: str, reference: object, exc: BaseException) -> None:
        """Count an exception that cost one record."""
        self.errors += 1
        name = type(exc).__name__
        self._logged[name] += 1
        if self._logged[name] <= _LOGGED_ERRORS:
            what = _text(reference) or "a record"
            self.log.error("%s: %s %s: %s", self.worker, doing, what, describe(exc))
        if self._logged[name] == _LOGGED_ERRORS:
            self.log.error("%s: further errors of type %s are counted, not logged", self.worker, name)

    def reject(self, record: object, exc: BaseException) -> None:
        """Send a record to the dead letters; the caller counts it.

        Raises:
            OSError: they cannot be written.
        """
        if self._dead_letter is not None:
            self._dead_letter(record, describe(exc))

    def saw_event(self, com: dict[str, Any]) -> Severity:
        """Count one event record, and list it if few of its severity are listed; return the severity it counts for."""
        severity: Severity = com["severity"]
        if severity not in SEVERITIES:
            severity = SEVERITIES[-1]
        self.severities[severity] = count = self.severities[severity] + 1
        if count <= MAX_LISTED:
            text = {name: _text(com.get(name)) for name in ("check_id", "reference", "description", "fingerprint")}
            self._findings.append(Finding(severity=severity, **text))
        return severity

    def saw_coverage(self, com: dict[str, Any]) -> None:
        """Count one coverage record, and list it if it is not ``ok`` and few are listed."""
        state: State = com["state"] if com.get("state") in STATES else "failed"
        self.coverage[state] += 1
        if state != "ok" and self._listed[state in HOLES] < MAX_LISTED:  # what is not in use never hides a hole
            self._listed[state in HOLES] += 1
            self._holes.append(
                Hole(
                    origin=self._key,
                    scope=_text(com.get("scope")),
                    resource_type=_text(com.get("resource_type")),
                    state=state,
                    error=_text(com.get("error")) or None,
                )
            )

    def holes(self) -> str:
        """Return the coverage holes as a phrase, e.g. ``2 denied, 1 failed``; empty if there are none."""
        return ", ".join(f"{self.coverage[state]} {state}" for state in sorted(HOLES) if self.coverage[state])


def describe(exc: BaseException) -> str:
    """Return an exception as one line: its text, and its type unless it is one of ours that speaks for itself."""
    text = visible_line(_text(exc))
    return text if is_expected(exc) and text else f"{type(exc).__name__}: {text}" if text else type(exc).__name__


def _text(value: object) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= _MAX_TEXT else text[:_MAX_TEXT] + "…"


def is_expected(exc: BaseException) -> bool:
    """Return whether *exc* was raised on purpose to tell the user something: no traceback is wanted."""
    return isinstance(exc, CloudmarkerError)
