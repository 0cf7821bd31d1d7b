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
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing import connection
from multiprocessing.context import ForkServerProcess
from typing import Any

from cloudmarker import _forkserver, logs, suppressions
from cloudmarker._ledgerfiles import AuditLock, ledger_path
from cloudmarker._plan import KINDS, Plan, process_name
from cloudmarker._process import Message, Sent, Task, decode_message, main
from cloudmarker._spooling import Spooling
from cloudmarker._tally import PluginState, Tally
from cloudmarker.channel import FanOut, Pipe
from cloudmarker.contracts import Kind
from cloudmarker.errors import LedgerError, PluginError
from cloudmarker.plugins import configured, load_class
from cloudmarker.records import Stamper
from cloudmarker.results import AuditInfo, AuditResult, Delivery, WorkerResult
from cloudmarker.spool import Found
from cloudmarker.state import state_dir
from cloudmarker.when import When

SECTIONS: Mapping[Kind, str] = {"cloud": "clouds", "event": "events", "store": "stores", "alert": "alerts"}
STOP_READING_S = 10.0
"""After the first signal: how long clouds may take to stop reading before they are killed."""
STOP_ALL_S = 30.0
"""After the first signal: how long stores and alerts may take to deliver what was read before they are killed; those
that have dealt with all they were given have :data:`STOP_LAST_S`."""
STOP_REST_S = 35.0
"""After the first signal: how long the others may take, which keep what their dead readers have not taken."""
STOP_LAST_S = 40.0
"""After the first signal: how long stores and alerts may take that waited for somebody who was killed, or deliver."""

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
        self.problems: list[str] = []
        self.result: AuditResult | None = None
        self.on_begin: Callable[[AuditInfo], None] | None = None
        self._config = config
        self._state = state_dir(config)
        self._suppressions = suppressions.configured(config, audit_key)
        self._tally = Tally(self.info, self._suppressions)
        self._lock: AuditLock | None = None
        self._spooling: Spooling | None = None
        self._processes: list[_Process] = []
        self._own: FanOut | None = None
        self._own_pipes: tuple[Pipe, ...] = ()
        self._stamper = Stamper(audit_key, audit_version, "audit", "Audit", "audit")
        self._started = time.time()
        self._start = time.monotonic()
        self._began = False
        self._stop_reason = ""
        self._stop_at = 0.0

    @property
    def plugins(self) -> Mapping[tuple[Kind, str], PluginState]:
        """What is known of each plugin, by (kind, key)."""
        return self._tally.plugins

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
            self._tally.heard(process.kind, snapshot)
        for sent in message.sent:
            process.sent[sent.target] = sent
        process.ready = process.ready or message.ready
        if message.end:
            self._gone(process)

    def _died(self, process: _Process) -> None:
        self._gone(process)
        message = _cause_of_death(process.process.exitcode)
        for key in process.keys:
            self._tally.killed(process.kind, key, message)
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
            record = self._tally.record(self._started, time.monotonic() - self._start, self._stop_reason)
            own.put(self._stamper.encode(record), "audit", self._stamper)
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
                limit = STOP_LAST_S if self._waits(process) else STOP_ALL_S
            elif process.kind == "cloud" and self.plugins[process.kind, process.keys[0]].latest.outcome is None:
                limit = STOP_READING_S
            else:
                limit = STOP_REST_S
            if waited > limit:
                _signal(process, signal.SIGKILL)

    def _waits(self, process: _Process) -> bool:
        """Return whether a store or alert has dealt with all it was given: it ends once another has been killed."""
        latest = self.plugins[process.kind, process.keys[0]].latest
        return latest.records_in == latest.accepted + latest.rejected + latest.skipped

    def finish(self) -> AuditResult:
        """Make the result. Called once, after every worker has ended."""
        for pipe in self._own_pipes:
            pipe.settle()
        tally = self._tally
        workers = tuple(tally.worker_result(plugin, self._delivery(plugin)) for plugin in self.plugins.values())
        self._close_spools(workers)
        self._confirm(workers)
        self._unlock()
        status, reason = tally.status(workers, self._stop_reason)
        uses = tally.suppression_uses(self._stop_reason)
        self.result = AuditResult(
            audit=self.info,
            status=status,
            workers=workers,
            coverage=tally.coverage(),
            holes=tally.holes,
            severities=tally.severities(),
            statuses=tally.statuses(),
            fresh=tally.severities(fresh=True),
            suppressed=sum(use.suppressed for use in uses),
            suppressions=uses,
            findings=tally.findings,
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

    def _delivery(self, plugin: PluginState) -> Delivery | None:
        """Return what became of the records of a store or alert; None for other plugins."""
        if plugin.kind not in ("store", "alert"):
            return None
        target = process_name(self.info.key, plugin.kind, (plugin.key,))
        handed = [process.sent[target] for process in self._processes if target in process.sent]
        handed += [Sent(pipe.target, pipe.sent, pipe.dropped) for pipe in self._own_pipes if pipe.target == target]
        found = Found()
        if self._spooling is not None:
            when = When.of(configured(self._config, plugin.key))
            found = self._spooling.found(target, plugin.latest, when, killed=plugin.ended == "killed")
        emitted = max(sum(sent.sent + sent.dropped for sent in handed), plugin.latest.records_in) - found.unwanted
        accounted = found.delivered + found.rejected + found.spooled
        if any(known.outcome == "killed" for known in self.plugins.values()):
            emitted = max(emitted, accounted)  # who was killed may have done more than it lived to report
        return Delivery(emitted, found.delivered, found.rejected, found.spooled, emitted - accounted)


def _signal(process: _Process, signum: signal.Signals) -> None:
    if not process.gone and process.process.pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.process.pid, signum)


def _cause_of_death(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        with contextlib.suppress(ValueError):
            return f"its process was killed by {signal.Signals(-exitcode).name}"
    return f"its process ended unexpectedly (exit code {exitcode})"
