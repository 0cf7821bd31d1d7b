"""What the workers of one audit have reported, and what it comes to: totals, status, the audit's own record."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from cloudmarker import suppressions
from cloudmarker.contracts import SEVERITIES, Kind, Record, Severity
from cloudmarker.coverage import HOLES, STATES, State
from cloudmarker.report import Snapshot
from cloudmarker.results import (
    FINDING_STATES,
    MAX_LISTED,
    AuditInfo,
    Delivery,
    Finding,
    FindingState,
    Hole,
    Outcome,
    Status,
    SuppressionUse,
    WorkerResult,
)
from cloudmarker.suppressions import Suppression

T = TypeVar("T")


@dataclass
class PluginState:
    """A plugin and the latest that its process reported of it."""

    key: str
    kind: Kind
    latest: Snapshot
    outcome: Outcome | None = None
    message: str = ""

    @property
    def ended(self) -> Outcome:
        """How it ended."""
        return self.outcome or self.latest.outcome or "stopped"


class Tally:
    """The counters of all plugins of one run, and what follows from them.

    Args:
        info: the audit.
        suppressed: its suppressions.

    Attributes:
        plugins: what is known of each, by (kind, key).
    """

    def __init__(self, info: AuditInfo, suppressed: Sequence[Suppression]) -> None:
        self.plugins = {
            (kind, key): PluginState(key, kind, Snapshot(key, kind))
            for kind, keys in info.plugins.items()
            for key in keys
        }
        self._info = info
        self._suppressions = suppressed
        self._findings: dict[Severity, list[Finding]] = {severity: [] for severity in SEVERITIES}
        self._holes: dict[bool, list[Hole]] = {True: [], False: []}

    def heard(self, kind: Kind, snapshot: Snapshot) -> None:
        """Take in what a plugin's process reports; what is more than can be listed is only counted."""
        self.plugins[kind, snapshot.key].latest = snapshot
        for hole in snapshot.holes:  # holes and what is not in use apart, so that neither crowds out the other
            _list(self._holes[hole.state in HOLES], hole)
        for finding in snapshot.findings:
            _list(self._findings[finding.severity], finding)

    def killed(self, kind: Kind, key: str, message: str) -> None:
        """Take in that the process of a plugin has died, and of what."""
        plugin = self.plugins[kind, key]
        plugin.outcome, plugin.message = "killed", message

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings that are listed, the worst first."""
        return tuple(finding for severity in SEVERITIES for finding in self._findings[severity])

    @property
    def holes(self) -> tuple[Hole, ...]:
        """The coverage records that are listed: holes, then what was not in use."""
        return (*self._holes[True], *self._holes[False])

    def statuses(self) -> dict[FindingState, int]:
        """Return how many findings have which status."""
        counts: Counter[str] = Counter()
        for plugin in self.plugins.values():
            counts.update(plugin.latest.statuses)
        return {state: counts[state] for state in FINDING_STATES if counts[state]}

    def coverage(self) -> dict[State, int]:
        """Return how many coverage records have which state."""
        counts: Counter[str] = Counter()
        for plugin in self.plugins.values():
            counts.update(plugin.latest.coverage)
        return {state: counts[state] for state in STATES if counts[state]}

    def severities(self, *, fresh: bool = False) -> dict[Severity, int]:
        """Return how many events have which severity; *fresh*: only the new and the reopened ones."""
        counts: Counter[str] = Counter()
        for plugin in self.plugins.values():
            if plugin.kind == "event":
                counts.update(plugin.latest.fresh if fresh else plugin.latest.severities)
        return {severity: counts[severity] for severity in SEVERITIES if counts[severity]}

    def suppression_uses(self, stopped: str) -> tuple[SuppressionUse, ...]:
        """Return what became of each suppression; *stopped* is as for :meth:`status`."""
        suppressed: Counter[int] = Counter()
        matched: Counter[int] = Counter()
        for plugin in self.plugins.values():
            suppressed.update(plugin.latest.suppressed)
            matched.update(plugin.latest.matched)
        status, _ = self.status(self.producers(), stopped)  # what stores and alerts do plays no part in it
        day = suppressions.day_of(self._info.version)
        return suppressions.uses(self._suppressions, day, suppressed, matched, complete=status == "complete")

    def producers(self) -> list[WorkerResult]:
        """Return the results of clouds and events."""
        return [self.worker_result(plugin) for plugin in self.plugins.values() if plugin.kind in ("cloud", "event")]

    def worker_result(self, plugin: PluginState, delivery: Delivery | None = None) -> WorkerResult:
        """Return the result of a plugin; *delivery* is what became of the records of a store or alert."""
        latest = plugin.latest
        return WorkerResult(
            name=f"{self._info.key}_{plugin.key}",
            key=plugin.key,
            kind=plugin.kind,
            outcome=plugin.ended,
            message=plugin.message or latest.message,
            records_in=latest.records_in,
            records_out=latest.records_out,
            rejected_out=latest.rejected_out,
            errors=latest.errors,
            record_types=latest.record_types,
            delivery=delivery,
            outputs=tuple(latest.outputs),
            display=latest.display,
            duration_s=latest.duration_s,
        )

    def status(self, workers: Sequence[WorkerResult], stopped: str = "") -> tuple[Status, str]:
        """Return the status of the audit as far as these workers go, and the reason for it, the worst first.

        Args:
            workers: the results.
            stopped: why the run was told to stop; empty if it was not.
        """
        if failures := list(filter(None, map(_failure, workers))):
            return "failed", failures[0]
        if shortfalls := list(filter(None, map(_shortfall, workers))):
            return "incomplete", shortfalls[0]
        holes = {state: count for state, count in self.coverage().items() if state in HOLES}
        if holes:
            return "incomplete", "coverage has holes: " + ", ".join(f"{n} {state}" for state, n in holes.items())
        if stopped:
            return "incomplete", stopped
        return "complete", ""

    def record(self, started: float, duration_s: float, stopped: str) -> Record:
        """Return the audit record: what is known of the audit before its stores have ended.

        Args:
            started: when it began, seconds since the epoch.
            duration_s: how long it has taken.
            stopped: as for :meth:`status`.
        """
        producers = self.producers()
        uses = self.suppression_uses(stopped)
        status, reason = self.status(producers, stopped)
        types: Counter[str] = Counter()
        for worker in producers:
            if worker.kind == "cloud":
                types.update(worker.record_types)
        return {
            "ext": {"cloud_type": "", "record_type": "audit"},
            "com": {
                "record_type": "audit",
                "cloud_type": "",
                "reference": f"{self._info.key}/{self._info.version}",
                "status": status,
                "reason": reason,
                "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
                "duration_s": round(duration_s, 3),
                "records": dict(types),
                "events": self.severities(),
                "findings": self.statuses(),
                "suppressed": sum(use.suppressed for use in uses),
                "suppressions_expired": [use.what for use in uses if use.state == "expired"],
                "suppressions_unmatched": [use.what for use in uses if use.state == "unmatched"],
                "coverage": self.coverage(),
                "workers": [
                    {
                        "name": worker.name,
                        "kind": worker.kind,
                        "outcome": worker.outcome,
                        "message": worker.message,
                        "records_in": worker.records_in,
                        "records_out": worker.records_out,
                        "errors": worker.errors,
                        "rejected": worker.rejected_out,
                    }
                    for worker in producers
                ],
            },
        }


def _failure(worker: WorkerResult) -> str:
    """Return what failed in a worker, empty if nothing did; a cloud that ended early is no failure but a shortfall."""
    delivery = worker.delivery or Delivery()
    if worker.outcome == "killed" or (worker.outcome == "failed" and worker.kind != "cloud"):
        return f"{worker.name} {worker.outcome}: {worker.message}"
    if missing := delivery.rejected + delivery.spooled + delivery.lost:
        return f"{worker.name} did not deliver {missing} records"
    if worker.errors:
        return f"{worker.name} failed on {worker.errors} records"
    return ""


def _shortfall(worker: WorkerResult) -> str:
    """Return why a worker did not do everything, empty if it did."""
    return f"{worker.name} {worker.outcome}: {worker.message}" if worker.outcome in ("failed", "stopped") else ""


def _list(listed: list[T], what: T) -> None:
    if len(listed) < MAX_LISTED:
        listed.append(what)
