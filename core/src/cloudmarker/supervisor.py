"""One audit's processes: start them, join them by pipes, watch them, and make the result of what they report.

The supervisor never touches a record of a plugin and never blocks on a pipe of records: it listens to the workers'
control connections, which also tell it of every death. Its own records (the last one of each audit) go out when all
producers have ended, over pipes that are empty until then.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing import connection
from multiprocessing.context import ForkServerProcess
from typing import Any

from cloudmarker import _forkserver, logs, suppressions
from cloudmarker._ledgerfiles import AuditLock, ledger_path
from cloudmarker._plan import KINDS, Plan, process_name
from cloudmarker._process import Message, Sent, Task, decode_message, main
from cloudmarker._spooling import Spooling
from cloudmarker.channel import FanOut, Pipe
from cloudmarker.contracts import SEVERITIES, Kind, Severity
from cloudmarker.coverage import HOLES, STATES, State
from cloudmarker.errors import ConfigError, LedgerError, PluginError
from cloudmarker.plugins import configured, load_class
from cloudmarker.records import Stamper
from cloudmarker.report import Snapshot
from cloudmarker.results import (
    FINDING_STATES,
    MAX_LISTED,
    AuditInfo,
    AuditResult,
    Delivery,
    Finding,
    FindingState,
    Hole,
    Outcome,
    Status,
    SuppressionUse,
    WorkerResult,
)
from cloudmarker.spool import Found
from cloudmarker.state import state_dir
from cloudmarker.when import When

SECTIONS: Mapping[Kind, str] = {"cloud": "clouds", "event": "events", "store": "stores", "alert": "alerts"}
STOP_READING_S = 10.0
"""After the first signal: how long clouds may take to stop reading before they are killed."""
STOP_ALL_S = 30.0
"""After the first signal: how long stores and alerts may take to deliver what was read before they are killed."""
STOP_REST_S = 35.0
"""After the first signal: how long the others may take, which keep what their dead readers have not taken."""

log = logging.getLogger("cloudmarker.manager")


@dataclass
class _Process:
    """A worker process and what is known of it."""

    kind: Kind
    keys: tuple[str, ...]
    process: ForkServerProcess
    control: connection.Connection
    ready: bool = False
    gone: bool = False
    sent: dict[str, Sent] = field(default_factory=dict)


@dataclass
class _Plugin:
    """A plugin and the latest that its process reported of it."""

    key: str
    kind: Kind
    latest: Snapshot
    outcome: Outcome | None = None
    message: str = ""
    origins: int = 0


class AuditRun:
    """One run of one audit.

    Args:
        audit_key: key of the audit in ``config["audits"]``.
        audit_version: ``%Y%m%d_%H%M%S``, UTC.
        config: the whole configuration, checked.
    """

    def __init__(self, audit_key: str, audit_version: str, config: Mapping[str, Any]) -> None:
        audit = config["audits"][audit_key]
        self.info = AuditInfo(
            audit_key, audit_version, {kind: tuple(audit.get(SECTIONS[kind]) or ()) for kind in KINDS}
        )
        self.plugins = {
            (kind, key): _Plugin(key, kind, Snapshot(key, kind)) for kind in KINDS for key in self.info.plugins[kind]
        }
        self.problems: list[str] = []
        self.result: AuditResult | None = None
        self.on_begin: Callable[[AuditInfo], None] | None = None
        self._config = config
        self._state = state_dir(config)
        self._suppressions = suppressions.configured(config, audit_key)
        self._lock: AuditLock | None = None
        self._spooling: Spooling | None = None
        self._processes: list[_Process] = []
        self._own: FanOut | None = None
        self._own_pipes: tuple[Pipe, ...] = ()
        self._stamper = Stamper(audit_key, audit_version, "audit", "Audit", "audit")
        self._findings: dict[Severity, list[Finding]] = {severity: [] for severity in SEVERITIES}
        self._holes: dict[bool, list[Hole]] = {True: [], False: []}
        self._started = time.time()
        self._start = time.monotonic()
        self._began = False
        self._stop_reason = ""
        self._stop_at = 0.0

    # Starting

    def start(self) -> None:
        """Start every worker process; none reads before :meth:`handle` has heard that all are ready.

        Raises:
            ConfigError: another run of the audit is at work.
        """
        if self.info.plugins["event"]:
            try:
                self._lock = AuditLock(self._state, self.info.key)
            except OSError as exc:
                log.warning("Audit %s: its findings are not protected from another run: %s", self.info.key, exc)
        self._spooling = Spooling(self.info, self._state, self._keeps)
        spools = self._spooling.spools
        plan = Plan(self.info, spools)
        levels = logs.levels(self._config.get("logger") or {})
        spawn = _forkserver.context()
        for kind, keys in plan.processes:
            name = plan.name(kind, keys)
            control, theirs = spawn.Pipe()
            task = Task(
                kind=kind,
                audit_key=self.info.key,
                audit_version=self.info.version,
                plugins=[(key, configured(self._config, key)) for key in keys],
                inputs=plan.inputs(name),
                outputs=plan.outputs(name),
                control=theirs,
                log_levels=levels,
                state_dir=str(self._state),
                spool=str(spools[name].path) if name in spools else "",
                suppressions=self._suppressions if kind == "event" else (),
            )
            process = spawn.Process(target=main, args=(task,), name=name, daemon=True)
            with _forkserver.main_module_left_alone():
                process.start()
            theirs.close()
            self._processes.append(_Process(kind, keys, process, control))
        plan.close_ends()
        self._own = FanOut(plan.own_pipes())

    def _keeps(self, key: str) -> bool:
        """Return whether what a plugin does not deliver is to be kept; what cannot be loaded delivers nothing."""
        try:
            return bool(getattr(load_class(configured(self._config, key)["plugin"]), "spool", True))
        except PluginError:
            return True

    def discard(self) -> None:
        """Remove what was made for a run that did not begin."""
        if self._spooling is not None:
            self._spooling.discard()
        self._unlock()

    # Listening

    def connections(self) -> list[connection.Connection]:
        """Return the connections that :meth:`handle` takes, of the workers that are alive."""
        return [process.control for process in self._processes if not process.gone]

    @property
    def ended(self) -> bool:
        """Return whether every worker has ended."""
        return all(process.gone for process in self._processes)

    @property
    def loaded(self) -> bool:
        """Return whether every worker has loaded its plugin, or failed to."""
        return all(process.ready or process.gone for process in self._processes)

    def handle(self, conn: connection.Connection) -> None:
        """Take what a worker has to say, its death included."""
        process = next(p for p in self._processes if p.control is conn)
        try:
            message = decode_message(conn.recv_bytes())
        except (EOFError, OSError):
            self._died(process)
        else:
            self._heard(process, message)
        self._advance()

    def _heard(self, process: _Process, message: Message) -> None:
        if message.log is not None:
            logs.handle(message.log)
        if message.config_problem:
            self.problems.append(message.config_problem)
        for snapshot in message.snapshots:
            self.plugins[process.kind, snapshot.key].latest = snapshot
            self._list_holes(snapshot.holes)
            for finding in snapshot.findings:
                listed = self._findings[finding.severity]
                if len(listed) < MAX_LISTED:
                    listed.append(finding)
        for sent in message.sent:
            process.sent[sent.target] = sent
        process.ready = process.ready or message.ready
        if message.end:
            self._gone(process)

    def _list_holes(self, holes: Sequence[Hole]) -> None:
        """List what was not read: holes and what is not in use apart, so that neither crowds out the other."""
        for hole in holes:
            listed = self._holes[hole.state in HOLES]
            if len(listed) < MAX_LISTED:
                listed.append(hole)

    def _died(self, process: _Process) -> None:
        self._gone(process)
        message = _cause_of_death(process.process.exitcode)
        for key in process.keys:
            plugin = self.plugins[process.kind, key]
            plugin.outcome, plugin.message = "killed", message
            log.error("%s_%s: %s", self.info.key, key, message)

    def _gone(self, process: _Process) -> None:
        process.gone = True
        process.control.close()
        process.process.join(timeout=5)

    def _advance(self) -> None:
        """Start the reading when all are ready; send the audit's own record when all producers have ended."""
        if not self._began:
            if self.loaded and not self.problems:
                self._began = True
                if self.on_begin is not None:
                    self.on_begin(self.info)
                for process in self._processes:
                    with contextlib.suppress(OSError):  # it died meanwhile, which its connection tells
                        if not process.gone:
                            process.control.send_bytes(b"go")
        elif self._own is not None and all(p.gone for p in self._processes if p.kind in ("cloud", "event")):
            own, self._own = self._own, None
            self._send_own_record(own)
            own.end({})
            self._own_pipes = own.pipes

    # Ending

    def stop(self, reason: str) -> None:
        """Stop reading, let the rest drain and finish; :meth:`tick` bounds the time that takes."""
        if self._stop_reason:
            return
        self._stop_reason, self._stop_at = reason, time.monotonic()
        for process in self._processes:
            if process.kind != "event":
                _signal(process, signal.SIGTERM)

    def kill(self) -> None:
        """Kill every worker that is left."""
        for process in self._processes:
            _signal(process, signal.SIGKILL)

    def tick(self) -> None:
        """Kill what has not stopped in time."""
        if not self._stop_reason:
            return
        waited = time.monotonic() - self._stop_at
        for process in self._processes:
            if process.kind in ("store", "alert"):
                limit = STOP_ALL_S
            elif process.kind == "cloud" and self.plugins[process.kind, process.keys[0]].latest.outcome is None:
                limit = STOP_READING_S
            else:
                limit = STOP_REST_S
            if waited > limit:
                _signal(process, signal.SIGKILL)

    def finish(self) -> AuditResult:
        """Make the result. Called once, after every worker has ended."""
        for pipe in self._own_pipes:
            pipe.settle()
        workers = tuple(self._worker_result(plugin) for plugin in self.plugins.values())
        self._close_spools(workers)
        self._confirm(workers)
        self._unlock()
        status, reason = self._status(workers)
        uses = self._suppression_uses()
        self.result = AuditResult(
            audit=self.info,
            status=status,
            workers=workers,
            coverage=self._coverage(),
            holes=(*self._holes[True], *self._holes[False]),
            severities=self._severities(),
            statuses=self._statuses(),
            fresh=self._severities(fresh=True),
            suppressed=sum(use.suppressed for use in uses),
            suppressions=uses,
            findings=tuple(finding for severity in SEVERITIES for finding in self._findings[severity]),
            started=self._started,
            duration_s=time.monotonic() - self._start,
            reason=reason,
            interrupted=bool(self._stop_reason),
        )
        return self.result

    def _close_spools(self, workers: Sequence[WorkerResult]) -> None:
        left = {
            process_name(self.info.key, worker.kind, (worker.key,)): worker.delivery.spooled
            for worker in workers
            if worker.delivery is not None
        }
        incomplete = {worker.name: worker.message for worker in workers if worker.outcome != "ok"}
        for plugin in self.plugins.values():
            if plugin.latest.incomplete and plugin.kind in ("cloud", "event"):
                incomplete[f"{self.info.key}_{plugin.key}"] = plugin.latest.incomplete
        if self._spooling is not None:
            self._spooling.close(left, incomplete)

    def _confirm(self, workers: Sequence[WorkerResult]) -> None:
        """Note in the memory of findings that what was said of them is delivered or spooled, if it is."""
        if any(worker.delivery.lost for worker in workers if worker.kind == "alert" and worker.delivery):
            return
        from cloudmarker import ledger  # only here: not every audit needs the database library

        for worker in workers:
            remembered = self.plugins[worker.kind, worker.key].latest.statuses  # said when all of it has been sent
            if worker.kind == "event" and worker.outcome != "killed" and remembered:
                try:
                    ledger.confirm(ledger_path(self._state, self.info.key, worker.key), self.info.version)
                except LedgerError as exc:
                    log.warning("%s: the next run will repeat what is new: %s", worker.name, exc)

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.release()

    def _statuses(self) -> dict[FindingState, int]:
        counts: Counter[str] = Counter()
        for plugin in self.plugins.values():
            counts.update(plugin.latest.statuses)
        return {state: counts[state] for state in FINDING_STATES if counts[state]}

    def _coverage(self) -> dict[State, int]:
        counts: Counter[str] = Counter()
        for plugin in self.plugins.values():
            counts.update(plugin.latest.coverage)
        return {state: counts[state] for state in STATES if counts[state]}

    def _severities(self, *, fresh: bool = False) -> dict[Severity, int]:
        counts: Counter[str] = Counter()
        for plugin in self.plugins.values():
            if plugin.kind == "event":
                counts.update(plugin.latest.fresh if fresh else plugin.latest.severities)
        return {severity: counts[severity] for severity in SEVERITIES if counts[severity]}

    def _suppression_uses(self) -> tuple[SuppressionUse, ...]:
        suppressed: Counter[int] = Counter()
        matched: Counter[int] = Counter()
        for plugin in self.plugins.values():
            suppressed.update(plugin.latest.suppressed)
            matched.update(plugin.latest.matched)
        complete = self._status(self._producers())[0] == "complete"  # what stores and alerts do plays no part in it
        day = suppressions.day_of(self.info.version)
        return suppressions.uses(self._suppressions, day, suppressed, matched, complete=complete)

    def _producers(self) -> list[WorkerResult]:
        plugins = self.plugins.values()
        return [self._worker_result(plugin) for plugin in plugins if plugin.kind in ("cloud", "event")]

    def _worker_result(self, plugin: _Plugin) -> WorkerResult:
        latest = plugin.latest
        outcome: Outcome = plugin.outcome or latest.outcome or "stopped"
        return WorkerResult(
            name=f"{self.info.key}_{plugin.key}",
            key=plugin.key,
            kind=plugin.kind,
            outcome=outcome,
            message=plugin.message or latest.message,
            records_in=latest.records_in,
            records_out=latest.records_out,
            rejected_out=latest.rejected_out,
            errors=latest.errors,
            record_types=latest.record_types,
            delivery=self._delivery(plugin, outcome) if plugin.kind in ("store", "alert") else None,
            outputs=tuple(latest.outputs),
            display=latest.display,
            duration_s=latest.duration_s,
        )

    def _delivery(self, plugin: _Plugin, outcome: Outcome) -> Delivery:
        target = process_name(self.info.key, plugin.kind, (plugin.key,))
        handed = [process.sent[target] for process in self._processes if target in process.sent]
        handed += [Sent(pipe.target, pipe.sent, pipe.dropped) for pipe in self._own_pipes if pipe.target == target]
        found = Found()
        if self._spooling is not None:
            when = When.of(configured(self._config, plugin.key))
            found = self._spooling.found(target, plugin.latest, when, killed=outcome == "killed")
        emitted = max(sum(sent.sent + sent.dropped for sent in handed), plugin.latest.records_in) - found.unwanted
        accounted = found.delivered + found.rejected + found.spooled
        if any(known.outcome == "killed" for known in self.plugins.values()):
            emitted = max(emitted, accounted)  # who was killed may have done more than it lived to report
        return Delivery(emitted, found.delivered, found.rejected, found.spooled, emitted - accounted)

    def _status(self, workers: Sequence[WorkerResult]) -> tuple[Status, str]:
        """Return the status and the reason for it, the worst first."""
        if failures := list(filter(None, map(_failure, workers))):
            return "failed", failures[0]
        if shortfalls := list(filter(None, map(_shortfall, workers))):
            return "incomplete", shortfalls[0]
        holes = {state: count for state, count in self._coverage().items() if state in HOLES}
        if holes:
            return "incomplete", "coverage has holes: " + ", ".join(f"{n} {state}" for state, n in holes.items())
        if self._stop_reason:
            return "incomplete", self._stop_reason
        return "complete", ""

    def _send_own_record(self, output: FanOut) -> None:
        """Send the audit record: what is known of the audit before its stores have ended."""
        producers = self._producers()
        uses = self._suppression_uses()
        status, reason = self._status(producers)
        types: Counter[str] = Counter()
        for worker in producers:
            if worker.kind == "cloud":
                types.update(worker.record_types)
        record = {
            "ext": {"cloud_type": "", "record_type": "audit"},
            "com": {
                "record_type": "audit",
                "cloud_type": "",
                "reference": f"{self.info.key}/{self.info.version}",
                "status": status,
                "reason": reason,
                "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._started)),
                "duration_s": round(time.monotonic() - self._start, 3),
                "records": dict(types),
                "events": self._severities(),
                "findings": self._statuses(),
                "suppressed": sum(use.suppressed for use in uses),
                "suppressions_expired": [use.what for use in uses if use.state == "expired"],
                "suppressions_unmatched": [use.what for use in uses if use.state == "unmatched"],
                "coverage": self._coverage(),
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
        output.put(self._stamper.encode(record), "audit", self._stamper)  # type: ignore[arg-type]


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


def _signal(process: _Process, signum: signal.Signals) -> None:
    if not process.gone and process.process.pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.process.pid, signum)


def _cause_of_death(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        with contextlib.suppress(ValueError):
            return f"its process was killed by {signal.Signals(-exitcode).name}"
    return f"its process ended unexpectedly (exit code {exitcode})"


def run_audits(
    audits: Sequence[AuditRun],
    *,
    on_tick: Callable[[], None] | None = None,
    on_end: Callable[[AuditResult], None] | None = None,
    signals: list[int] | None = None,
) -> list[AuditResult]:
    """Run audits side by side to their ends.

    SIGINT and SIGTERM stop the reading and let the rest finish; a second one kills every worker.

    Args:
        audits: audits that have been started.
        on_tick: called some times a second while they run.
        on_end: called when an audit has ended.
        signals: numbers of the signals to heed, of a caller who catches them and appends to this meanwhile; None
            means that SIGINT and SIGTERM are caught here.

    Returns:
        Their results, in the same order.

    Raises:
        ConfigError: plugins did not accept their parameters; nothing was read.
    """
    caught: list[int] = [] if signals is None else signals
    heeded = 0
    with _catch_signals(caught) if signals is None else contextlib.nullcontext():
        while not all(audit.result for audit in audits):
            _listen(audits)
            if len(caught) > heeded:
                _heed(audits, caught, first=heeded == 0 and len(caught) == 1)
                heeded = len(caught)
            for audit in audits:
                audit.tick()
                if audit.ended and audit.result is None:
                    result = audit.finish()
                    if on_end is not None:
                        on_end(result)
            if on_tick is not None:
                on_tick()
    return [audit.result for audit in audits if audit.result is not None]


def _listen(audits: Sequence[AuditRun]) -> None:
    """Hear what workers say within a tenth of a second."""
    owners = {conn: audit for audit in audits for conn in audit.connections()}
    for conn in connection.wait(list(owners), timeout=0.1):
        if isinstance(conn, connection.Connection):  # nothing else is waited for
            owners[conn].handle(conn)
    problems = [problem for audit in audits for problem in audit.problems]
    if problems and all(audit.loaded for audit in audits):
        for audit in audits:
            audit.kill()
            audit.discard()
        raise ConfigError(problems)


def _heed(audits: Sequence[AuditRun], signals: Sequence[int], *, first: bool) -> None:
    reason = f"stopped by {signal.Signals(signals[0]).name}"
    log.warning("%s: %s", reason, "reading stops, what was read is finished" if first else "killing the workers")
    for audit in audits:
        if first:
            audit.stop(reason)
        else:
            audit.kill()


@contextlib.contextmanager
def _catch_signals(caught: list[int]) -> Iterator[None]:
    """Append SIGINT and SIGTERM to *caught* instead of dying of them; does nothing outside the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {
        signum: signal.signal(signum, lambda number, _frame: caught.append(number))
        for signum in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for signum, handler in previous.items():
            signal.signal(signum, handler)
