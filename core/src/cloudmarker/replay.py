"""Delivering what is in the spool, and in the dead letters, through the plugins that it was for.

A record leaves the spool when its plugin has confirmed it, never before, so a replay may be interrupted at any time and
repeated. Records are the same bytes as in the run, with its stamps and their ``record_id``: a store that uses that as
its own id gets nothing twice.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from cloudmarker._journal import UNWANTED, Journal
from cloudmarker.batches import BATCH_BYTES, BATCH_RECORDS, RecordBatch
from cloudmarker.contracts import Kind
from cloudmarker.deadletters import DeadLetters, spool_letters
from cloudmarker.plugins import configured, load_plugin
from cloudmarker.report import Report
from cloudmarker.spool import Owner, Spool, spools, stamps
from cloudmarker.state import state_dir
from cloudmarker.storerun import WorkerRun
from cloudmarker.when import Wanted, When
from cloudmarker.workers import run_store

_log = logging.getLogger("cloudmarker.workers")


@dataclass(frozen=True)
class Replayed:
    """What became of the records of one store or alert in one run.

    Attributes:
        store: key of the store or alert.
        kind: which of the two it was.
        audit: key of the audit.
        version: version of the run.
        delivered: records that were delivered now.
        rejected: records that were refused now; they are in the dead letters.
        left: records that are still in the spool.
        problem: why something is left, one line.
    """

    store: str
    kind: Kind
    audit: str
    version: str
    delivered: int = 0
    rejected: int = 0
    left: int = 0
    problem: str = ""


def replay(config: Mapping[str, Any], *, store: str | None = None, dead_letters: bool = False) -> list[Replayed]:
    """Deliver what is in the spool, run by run; directories that a run or another replay is at work on are left alone.

    SIGINT and SIGTERM end it after what is under way.

    Args:
        config: the whole configuration, checked.
        store: only records of the store or alert with this key.
        dead_letters: deliver the dead letters of stores and alerts too.
    """
    state = state_dir(config)
    if dead_letters:
        spool_letters(state, store)
    results: list[Replayed] = []
    with _Stop() as stop:
        for path in spools(state):
            spool = Spool.open(path)
            if spool is None:
                _log.warning("%s: a run or another replay is at work on it", path)
            elif store is not None and spool.owner.key != store:
                spool.close()
            else:
                results.append(_replay_one(spool, config, state, stop))
    return results


def _replay_one(spool: Spool, config: Mapping[str, Any], state: Path, stop: _Stop) -> Replayed:
    owner, journal = spool.owner, Journal.load(spool.path)
    letters = DeadLetters(state, owner.kind, owner.key, owner.audit_key, owner.audit_version)
    report = Report(owner.key, owner.kind, owner.worker, letters.add)
    if stop.requested:
        report.failed("replaying", InterruptedError("the replay was stopped before this"))
    elif journal.left:
        run = _ReplayRun(report, journal, owner)
        stop.run = run
        entry = configured(config, owner.key)
        try:
            plugin: Any = load_plugin(entry)
        except Exception as exc:  # noqa: BLE001  a plugin's constructor may raise anything; the other stores go on
            report.failed("loading", exc)
            run.end()
        else:
            wanted = Wanted(getattr(plugin, "record_types", None), When.of(entry))
            run_store(plugin, _SpoolInput(journal, owner, run, wanted), report, run)
        stop.run = None
    letters.close()
    left = journal.left
    if left:
        spool.close()
    else:
        spool.remove()
    return Replayed(
        owner.key,
        owner.kind,
        owner.audit_key,
        owner.audit_version,
        report.delivered,
        report.rejected,
        left,
        report.message if left else "",
    )


class _ReplayRun(WorkerRun):
    """The run of a plugin whose records are in the spool already."""

    def __init__(self, report: Report, journal: Journal, owner: Owner) -> None:
        super().__init__(
            report,
            journal,
            audit_key=owner.audit_key,
            audit_version=owner.audit_version,
            origins=owner.origins,
            replay=True,
        )

    @property
    def spools(self) -> bool:
        """Whether what the plugin can no longer take is still to be taken in: it is in files already."""
        return False

    def receive(self, batch: RecordBatch) -> None:
        """Do nothing: the input says where in the spool a batch is."""


class _SpoolInput:
    """The records of one directory in the spool, as the input of a store; what it does not want is settled."""

    def __init__(self, journal: Journal, owner: Owner, run: WorkerRun, wanted: Wanted) -> None:
        unknown = dict.fromkeys(owner.origins, "the run was cut off")
        self.incomplete: dict[str, str] = dict(unknown if owner.incomplete is None else owner.incomplete)
        self.rejected = 0
        self._journal = journal
        self._owner = owner
        self._run = run
        self._wants = wanted.wants

    def batches(self) -> Iterator[RecordBatch]:
        """Yield the records that have no answer, until the replay is stopped."""
        for name in self._journal.names:
            for position, batch in self._batches(name):
                self._run.position = position
                yield batch
                if self._run.deadline is not None:
                    self.close("the replay was stopped")
                    return

    def close(self, reason: str) -> None:
        """Note that not everything was taken."""
        self.incomplete.update(dict.fromkeys(self._owner.origins, reason))

    def _batches(self, name: str) -> Iterator[tuple[int, RecordBatch]]:
        """Yield the position of each batch, and the batch: records in a row that are of one origin and type."""
        rows: list[bytes] = []
        first, size, like = 0, 0, ("", "")
        for position, line in self._journal.unsettled(name):
            com = stamps(line)
            if not self._wants(com.record_type, line):
                self._journal.settle(position, 1, UNWANTED)
                continue
            kind = (com.origin_worker, com.record_type)
            full = size >= BATCH_BYTES or len(rows) >= BATCH_RECORDS
            if rows and (full or kind != like or position != first + len(rows)):
                yield first, RecordBatch(like[0], [(like[1], len(rows))], b"\n".join(rows))
                rows, size = [], 0
            if not rows:
                first, like = position, kind
            rows.append(line)
            size += len(line)
        if rows:
            yield first, RecordBatch(like[0], [(like[1], len(rows))], b"\n".join(rows))


class _Stop:
    """SIGINT and SIGTERM as a request to end, outside the main thread nothing; a second one ends at once.

    Attributes:
        requested: whether one has come.
        run: what it is to stop.
    """

    def __init__(self) -> None:
        self.requested = False
        self.run: WorkerRun | None = None
        self._exit = contextlib.ExitStack()

    def __enter__(self) -> _Stop:
        if threading.current_thread() is threading.main_thread():
            for signum in (signal.SIGINT, signal.SIGTERM):
                self._exit.callback(signal.signal, signum, signal.signal(signum, self._heed))
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    def _heed(self, signum: int, frame: FrameType | None) -> None:
        self._exit.close()
        self.requested = True
        if self.run is not None:
            self.run.stop()
