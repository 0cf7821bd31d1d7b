"""The life of one worker process: load the plugin, wait for the start, run its loop, say how it ended.

A worker talks to the supervisor over one connection. It sends snapshots of its counters, log records and ``ready``; it
receives ``go``. When that connection closes, the supervisor is gone and the worker exits at once: nothing is left
behind.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import resource
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import msgspec

from cloudmarker._findingproducer import FindingProducer
from cloudmarker._handover import Handover
from cloudmarker._journal import Journal
from cloudmarker._ledgerfiles import ledger_path
from cloudmarker._producer import Producer, Stop
from cloudmarker.channel import FanOut, Pipe, PipeInput
from cloudmarker.contracts import Kind
from cloudmarker.deadletters import DeadLetters
from cloudmarker.errors import ConfigError, LedgerError
from cloudmarker.logs import ForwardHandler, apply_levels
from cloudmarker.records import Stamper, diagnose
from cloudmarker.report import Report, Snapshot, describe
from cloudmarker.storerun import WorkerRun
from cloudmarker.suppressions import Suppression, Suppressor, day_of
from cloudmarker.when import When
from cloudmarker.workers import Evaluator, run_cloud, run_events, run_store

if TYPE_CHECKING:
    from cloudmarker._tracking import Tracker

TICK_S = 0.2
"""How often a worker sends what it has: records that wait for a full batch, and its counters."""


@dataclass(frozen=True)
class Inlet:
    """The reader's end of a pipe.

    Attributes:
        conn: the end itself.
        origins: the origin workers that write there.
        answers: where to answer for each batch; None if the writer does not want to know.
        last: whether what comes here is to be the last, after what comes by all other pipes.
    """

    conn: Connection
    origins: Sequence[str]
    answers: Connection | None
    last: bool


@dataclass(frozen=True)
class Outlet:
    """The writer's end of a pipe.

    Attributes:
        target: the worker at the other end.
        conn: the end itself.
        answers: where the reader answers; None if nothing is to be kept for it.
        spool: file for what cannot be handed over.
    """

    target: str
    conn: Connection
    answers: Connection | None
    spool: str

    def pipe(self) -> Pipe:
        """Return the pipe to write to."""
        kept = None if self.answers is None else Handover(self.answers, Path(self.spool))
        return Pipe(self.target, self.conn, kept)


@dataclass(frozen=True)
class Task:
    """What a worker process is to do. Pickled to it by the supervisor.

    Attributes:
        kind: the kind of its plugins.
        audit_key: key of the audit.
        audit_version: version of the run.
        plugins: (plugin key, its configuration with ``plugin`` and ``params``); more than one for events only.
        inputs: where its records come from.
        outputs: where they go.
        control: the connection to the supervisor.
        log_levels: level names by logger name, ``""`` for the root.
        state_dir: the state directory.
        spool: the directory of a store or alert in the spool; empty if it is not to have one.
        suppressions: of the findings of its events.
    """

    kind: Kind
    audit_key: str
    audit_version: str
    plugins: Sequence[tuple[str, Mapping[str, Any]]]
    inputs: Sequence[Inlet]
    outputs: Sequence[Outlet]
    control: Connection
    log_levels: Mapping[str, str]
    state_dir: str
    spool: str
    suppressions: Sequence[Suppression] = ()


class Sent(msgspec.Struct):
    """Records written to, and dropped for want of, one target."""

    target: str
    sent: int
    dropped: int


class Message(msgspec.Struct, omit_defaults=True):
    """What a worker tells the supervisor; the fields that are set are what it is about."""

    ready: bool = False
    config_problem: str = ""
    snapshots: list[Snapshot] = []
    sent: list[Sent] = []
    log: dict[str, Any] | None = None
    end: bool = False


_encode = msgspec.msgpack.Encoder().encode
decode_message = msgspec.msgpack.Decoder(Message).decode


class Control:
    """The worker's end of the connection to the supervisor; safe to use from several threads."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self._lock = threading.RLock()
        self._ended = False

    def send(self, message: Message) -> None:
        """Send a message, none after the last; exit if there is no supervisor any more."""
        try:
            data = _encode(message)
        except UnicodeEncodeError:  # a text that came from a record or an exception is not Unicode
            data = _encode(diagnose(msgspec.to_builtins(message)))
        with self._lock:
            if self._ended:
                return
            self._ended = message.end
            try:
                self._conn.send_bytes(data)
            except OSError:
                os._exit(1)

    def wait(self, timeout_s: float) -> bool:
        """Return whether the supervisor said something within *timeout_s*; exit if it is gone."""
        try:
            if not self._conn.poll(timeout_s):
                return False
            self._conn.recv_bytes()
        except (EOFError, OSError):
            os._exit(1)
        return True


def main(task: Task) -> None:
    """Run one worker process from start to end."""
    gc.freeze()  # a collection would touch, and so copy, all that is still shared with the fork server
    gc.set_threshold(50_000, 20, 50)  # batches are many short-lived dicts; the default collects several times in each
    os.umask(0o077)
    _print_to_standard_error()
    _schedule_as_batch()
    stop = _handle_signals(reading=task.kind == "cloud")
    control = Control(task.control)
    _name_process(task)
    _forward_logs(task, control, stop)
    try:
        _work(task, control, stop)
    except Exception as exc:  # what a plugin raises at its work is caught where it is known what that costs; not this
        logging.getLogger("cloudmarker.workers").exception("%s: its process fails", _name(task))
        raise SystemExit(1) from exc


def _work(task: Task, control: Control, stop: Stop) -> None:
    """Load the plugins, wait for the start, and do all there is to do."""
    log = logging.getLogger("cloudmarker.workers")
    worker = _Worker(task)
    if worker.store_run is not None:
        _stop_on_sigterm(worker.store_run)
    worker.load(control)
    control.send(Message(ready=True, snapshots=worker.snapshots()))
    while not control.wait(60):
        pass
    log.info("%s: started, process %d", worker.name, os.getpid())
    gc.freeze()
    threading.Thread(target=_tick, args=(worker, control), name="ticker", daemon=True).start()
    worker.run(stop)
    worker.output.settle()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    log.info(
        "%s: ended, %.2f s of processor time, %d MB of memory at most",
        worker.name,
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss // (1024 if sys.platform == "linux" else 1024 * 1024),  # kilobytes, but bytes on macOS
    )
    control.send(Message(snapshots=worker.snapshots(), sent=worker.sent(), end=True))


def _tick(worker: _Worker, control: Control) -> None:
    while True:
        control.wait(TICK_S)
        worker.output.flush()
        control.send(Message(snapshots=worker.snapshots(), sent=worker.sent()))


def _name(task: Task) -> str:
    return ", ".join(f"{task.audit_key}_{key}" for key, _ in task.plugins)


class _Worker:
    """The plugins of one process and what they need."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.name = _name(task)
        self.output = FanOut([outlet.pipe() for outlet in task.outputs])
        answers = {inlet.conn: inlet.answers for inlet in task.inputs if inlet.answers is not None}
        last = next((inlet.conn for inlet in task.inputs if inlet.last), None)
        self.source = PipeInput([(inlet.conn, inlet.origins) for inlet in task.inputs], answers, last)
        self._objects: list[Any] = []
        self._reports: list[Report] = []
        self._trackers: dict[str, Tracker] = {}
        for key, _ in task.plugins:
            letters = DeadLetters(Path(task.state_dir), task.kind, key, task.audit_key, task.audit_version)
            self._reports.append(Report(key, task.kind, f"{task.audit_key}_{key}", letters.add))
        self.store_run = self._store_run() if task.kind in ("store", "alert") else None

    def load(self, control: Control) -> None:
        """Make the plugin objects."""
        from cloudmarker.plugins import load_plugin

        for (key, config), report in zip(self.task.plugins, self._reports, strict=True):
            try:
                self._objects.append(load_plugin(dict(config)))
            except (ConfigError, TypeError, ValueError) as exc:  # its parameters are wrong: nothing is to be started
                self._objects.append(None)
                report.failed("loading", exc)
                control.send(Message(config_problem=f"plugins.{key}.params: {describe(exc)}"))
            except Exception as exc:  # a plugin's constructor may raise anything; only its branch fails
                self._objects.append(None)
                report.failed("loading", exc)
            else:
                wanted = getattr(self._objects[-1], "record_types", None)
                report.wanted = None if wanted is None else list(wanted)
                if self.task.kind == "event":
                    self._remember(key, self._objects[-1], report)

    def _remember(self, key: str, plugin: object, report: Report) -> None:
        """Open the memory of the plugin's findings; without it they have no status, and the plugin counts as failed."""
        from cloudmarker._tracking import Tracker  # only here: it needs the database library, and others do not

        task = self.task
        try:
            self._trackers[key] = Tracker(
                ledger_path(Path(task.state_dir), task.audit_key, key),
                task.audit_version,
                getattr(plugin, "record_types", None),
                together=hasattr(plugin, "finish"),
                origins=[origin for inlet in task.inputs for origin in inlet.origins],
                plugin=type(plugin).__name__,
                when=When.of(dict(task.plugins)[key]),
            )
        except LedgerError as exc:
            report.failed("remembering findings", exc)

    def run(self, stop: Stop) -> None:
        """Run the plugins' loop until their input or their reading ends."""
        task = self.task
        running = [
            (key, plugin, report)
            for (key, _), plugin, report in zip(task.plugins, self._objects, self._reports, strict=True)
            if plugin is not None
        ]
        if self.store_run is not None:
            if running or self.store_run.spools:
                when = When.of(task.plugins[0][1])
                run_store(self._objects[0], self.source, self._reports[0], self.store_run, when)
        elif not running:
            return  # its readers will see that it ended without a word
        elif task.kind == "cloud":
            run_cloud(running[0][1], self._producer(*running[0]), stop)
        else:
            run_events([self._evaluator(key, plugin, report) for key, plugin, report in running], self.source)

    def snapshots(self) -> list[Snapshot]:
        """Return the counters of every plugin."""
        return [report.snapshot() for report in self._reports]

    def sent(self) -> list[Sent]:
        """Return the records written to each target."""
        return [Sent(pipe.target, pipe.sent, pipe.dropped) for pipe in self.output.pipes]

    def _store_run(self) -> WorkerRun:
        task = self.task
        return WorkerRun(
            self._reports[0],
            Journal(Path(task.spool) if task.spool else None),
            audit_key=task.audit_key,
            audit_version=task.audit_version,
            origins=tuple(dict.fromkeys(origin for inlet in task.inputs for origin in inlet.origins)),
        )

    def _evaluator(self, key: str, plugin: Any, report: Report) -> Evaluator:
        task = self.task
        suppressor: Suppressor | None = None
        if task.suppressions:
            suppressor = Suppressor(task.suppressions, day_of(task.audit_version), report)
        when = When.of(dict(task.plugins)[key])
        stamper = Stamper(task.audit_key, task.audit_version, key, type(plugin).__name__, "event")
        tracker = self._trackers.get(key)
        producer = FindingProducer(stamper, self.output, report, tracker=tracker, suppressor=suppressor)
        return Evaluator(plugin, producer, when)

    def _producer(self, key: str, plugin: object, report: Report) -> Producer:
        task, name = self.task, type(plugin).__name__
        stamper = Stamper(task.audit_key, task.audit_version, key, name, "cloud")
        return Producer(stamper, self.output, report, stamper.for_audit())


def _print_to_standard_error() -> None:
    """Let what a plugin prints, and what its libraries do, go beside the results: they alone are standard output."""
    with contextlib.suppress(OSError):  # it is closed
        os.dup2(2, 1)


def _schedule_as_batch() -> None:
    """Ask the system, where it knows the word, not to preempt another worker for this one whenever a batch arrives."""
    if hasattr(os, "SCHED_BATCH"):
        with contextlib.suppress(OSError):  # not allowed: it is only a little faster
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def _handle_signals(*, reading: bool) -> Stop:
    """Leave Ctrl-C and SIGTERM to the supervisor; a cloud worker stops reading when the supervisor sends it SIGTERM."""
    stop = Stop()

    def on_sigterm(signum: int, frame: FrameType | None) -> None:
        stop.requested = stop.requested or "stopped by a signal before everything was read"
        stop.interrupt()

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, on_sigterm if reading else signal.SIG_IGN)
    return stop


def _stop_on_sigterm(run: WorkerRun) -> None:
    """Let the supervisor's SIGTERM bound the time that a store or alert has."""
    signal.signal(signal.SIGTERM, lambda _signum, _frame: run.stop())


def _name_process(task: Task) -> None:
    """Show the plugin in ``ps`` and ``top``, where the system lets a process name itself by writing a file."""
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_text(f"cm:{task.plugins[0][0]}"[:15])


def _forward_logs(task: Task, control: Control, stop: Stop) -> None:
    def send(fields: dict[str, Any]) -> None:
        in_main = threading.current_thread() is threading.main_thread()
        with stop.hold() if in_main else contextlib.nullcontext():  # half a message would garble all that follow
            control.send(Message(log=fields))

    root = logging.getLogger()
    worker = ", ".join(f"{task.audit_key}_{key}" for key, _ in task.plugins)
    root.handlers[:] = [ForwardHandler(send, audit=task.audit_key, worker=worker)]
    apply_levels(task.log_levels)
    logging.captureWarnings(True)
