"""Numbers for Prometheus, in scheduled mode: how audits went, what they found, what waits in the spool.

Labels are keys of the configuration and words of a fixed list, so that their number is bounded and they hold nothing
that was read. prometheus-client is imported when numbers are to be served, not before.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudmarker import __version__, netaddress
from cloudmarker.contracts import SEVERITIES
from cloudmarker.coverage import HOLES, STATES
from cloudmarker.errors import ConfigError
from cloudmarker.results import AuditResult
from cloudmarker.scheduler import Scheduler
from cloudmarker.state import state_dir

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_STATUSES = ("complete", "incomplete", "failed")


class Metrics:
    """Counts, and serves the numbers over HTTP where it is told to: an observer of the scheduler."""

    def __init__(self) -> None:
        self._numbers: Numbers | None = None
        self._address: tuple[str, int] | None = None
        self._server: Any = None

    def listen(self, address: str | None) -> None:
        """Serve at *address* from now on, or nowhere; the one before is given up only if that is possible.

        Raises:
            ConfigError: prometheus-client is not installed, or nothing can listen there.
        """
        wanted = netaddress.split(address) if address else None
        if wanted == self._address:
            return
        server = self._listening(*wanted) if wanted is not None else None
        self.close()
        self._server, self._address = server, wanted

    def close(self) -> None:
        """Serve no more."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        self._server, self._address = None, None

    def looked(self, scheduler: Scheduler) -> None:
        """Take note of how things are."""
        if self._numbers is not None:
            self._numbers.look(scheduler)

    def ended(self, keys: Sequence[str], results: Sequence[AuditResult], problem: str) -> None:
        """Count what audits did."""
        if self._numbers is None:
            return
        done = {result.audit.key for result in results}
        for key in keys:
            if key not in done:
                self._numbers.runs.labels(key, "failed").inc()
        for result in results:
            self._numbers.count(result)

    def _listening(self, host: str, port: int) -> Any:
        try:
            import prometheus_client
        except ModuleNotFoundError as exc:
            raise ConfigError(
                "metrics.address: prometheus-client is not installed: pip install 'cloudmarker[metrics]'"
            ) from exc
        if self._numbers is None:
            self._numbers = Numbers(prometheus_client.CollectorRegistry())
            prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # as many lines again, of no use
        try:
            server, _ = prometheus_client.start_http_server(port, host, self._numbers.registry)
        except (OSError, UnicodeError) as exc:
            raise ConfigError(f"metrics.address: {host}, port {port}: {exc}") from exc
        return server


class Numbers:
    """The numbers, by their names in the pages of Prometheus."""

    def __init__(self, registry: CollectorRegistry) -> None:
        from prometheus_client import Counter, Gauge, Summary

        self.registry = registry
        self._state = Path()
        self._known: set[str] = set()
        self.runs = Counter("cloudmarker_runs", "Audits that have ended.", ["audit", "status"], registry=registry)
        self.durations = Summary(
            "cloudmarker_run_duration_seconds", "How long audits took.", ["audit"], registry=registry
        )
        self.records = Counter(
            "cloudmarker_records_read", "Records that a cloud plugin gave.", ["audit", "plugin"], registry=registry
        )
        self.deliveries = Counter(
            "cloudmarker_deliveries",
            "Records for a store or alert, by what became of them.",
            ["audit", "plugin", "kind", "outcome"],
            registry=registry,
        )
        self.findings = Gauge(
            "cloudmarker_findings", "Findings of the last run.", ["audit", "severity"], registry=registry
        )
        self.suppressed = Gauge(
            "cloudmarker_findings_suppressed",
            "Findings of the last run that were kept from the alerts.",
            ["audit"],
            registry=registry,
        )
        self.coverage = Gauge(
            "cloudmarker_coverage",
            "Scopes x resource types of the last run, by what came of reading them.",
            ["audit", "state"],
            registry=registry,
        )
        self.holes = Gauge(
            "cloudmarker_coverage_holes",
            "Scopes x resource types that the last run could not read.",
            ["audit"],
            registry=registry,
        )
        self.last = Gauge(
            "cloudmarker_last_run_timestamp_seconds",
            "When the last run with this status began.",
            ["audit", "status"],
            registry=registry,
        )
        self.next = Gauge(
            "cloudmarker_next_run_timestamp_seconds", "When the next run begins.", ["audit"], registry=registry
        )
        self.running = Gauge("cloudmarker_running", "Whether the audit runs now.", ["audit"], registry=registry)
        self.config = Gauge(
            "cloudmarker_config_valid",
            "0 if the configuration could not be used when it was read last.",
            registry=registry,
        )
        spool_bytes = Gauge(
            "cloudmarker_spool_bytes", "Size of the spool, that of running audits included.", registry=registry
        )
        spool_bytes.set_function(lambda: float(sum(_sizes(self._state / "spool"))))
        info = Gauge("cloudmarker_build_info", "Always 1.", ["version"], registry=registry)
        info.labels(__version__).set(1)

    def look(self, scheduler: Scheduler) -> None:
        """Set what can change at any time."""
        self._state = state_dir(scheduler.plan.config)
        self.config.set(not scheduler.problems)
        for key, due in scheduler.due.items():
            self.next.labels(key).set(due.at)
            self.running.labels(key).set(key in scheduler.running)
            for status in _STATUSES:
                self.runs.labels(key, status)  # 0 before it has happened: an increase from nothing is none
        for key in self._known - set(scheduler.due):
            self._forget(key)
        self._known = set(scheduler.due)

    def _forget(self, key: str) -> None:
        """Take back what is said of an audit that is run no more; what was counted of it stays counted."""
        gauges = (self.next, self.running, self.findings, self.suppressed, self.coverage, self.holes, self.last)
        for gauge in gauges:
            for sample in [sample for metric in gauge.collect() for sample in metric.samples]:
                if sample.labels["audit"] == key:
                    gauge.remove(*sample.labels.values())

    def count(self, result: AuditResult) -> None:
        """Count an audit that has ended."""
        key = result.audit.key
        self.runs.labels(key, result.status).inc()
        self.durations.labels(key).observe(result.duration_s)
        self.last.labels(key, result.status).set(result.started)
        for severity in SEVERITIES:
            self.findings.labels(key, severity).set(result.severities.get(severity, 0))
        self.suppressed.labels(key).set(result.suppressed)
        for state in STATES:
            self.coverage.labels(key, state).set(result.coverage.get(state, 0))
        self.holes.labels(key).set(sum(result.coverage.get(state, 0) for state in HOLES))
        for worker in result.workers:
            if worker.kind == "cloud":
                self.records.labels(key, worker.key).inc(worker.records_out)
            if (delivery := worker.delivery) is not None:
                for outcome in ("delivered", "rejected", "spooled", "lost"):
                    number = max(0, getattr(delivery, outcome))
                    self.deliveries.labels(key, worker.key, worker.kind, outcome).inc(number)


def _sizes(folder: Path) -> list[int]:
    """Return the sizes of all files in *folder*; what goes meanwhile has none."""
    sizes: list[int] = []
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                sizes.append((Path(parent) / name).stat().st_size)
            except OSError:  # it has gone
                continue
    return sizes
