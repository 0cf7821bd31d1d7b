"""The folder of a query store: one folder for each run, and what says how it ended.

``runs/<version>-<random>/`` holds ``run.json`` and, until the run has ended, ``records.jsonl``, which its process has
locked; after that one Parquet file for each record type. Readers hold a shared lock on ``lock`` in the store's folder;
what deletes runs takes it alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec
from cloudmarker.errors import PluginError
from cloudmarker.files import replace_file

from cloudmarker_stores._naming import oldest_kept

Status = Literal["unfinished", "incomplete", "complete"]
UNFINISHED: Status = "unfinished"
INCOMPLETE: Status = "incomplete"
COMPLETE: Status = "complete"
LINES = "records.jsonl"
_ABOUT = "run.json"
_LOCK = "lock"


class Table(msgspec.Struct, frozen=True):
    """The records of one type in one run.

    Attributes:
        file: name of the Parquet file.
        records: how many there are.
        columns: the fields of ``com`` that have a column.
    """

    file: str
    records: int
    columns: tuple[str, ...]


class Run(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one store or alert was given in one run.

    Attributes:
        audit_key: of the audit.
        audit_version: of the run.
        worker: the store's own worker.
        status: ``unfinished`` while it is under way, and if its process was killed.
        reason: why it is not complete.
        tables: by record type.
        folder: where it is.
    """

    audit_key: str
    audit_version: str
    worker: str
    status: Status = UNFINISHED
    reason: str = ""
    tables: dict[str, Table] = {}
    folder: Path = Path()

    @property
    def records(self) -> int:
        """How many records it has."""
        return sum(table.records for table in self.tables.values())


def need_duckdb() -> None:
    """Raise PluginError if DuckDB is not installed; it is not imported."""
    if importlib.util.find_spec("duckdb") is None:
        raise PluginError("DuckDB is not installed: pip install 'cloudmarker[query]'")


def default_path() -> Path:
    """Return where a store is if its ``path`` is not set."""
    import platformdirs  # only here: most stores have a path

    return Path(platformdirs.user_data_dir("cloudmarker")) / "query"


def create(path: Path, audit_key: str, audit_version: str, worker: str) -> tuple[Run, int]:
    """Make the folder of a new run, private, and return it with its JSON Lines open and locked.

    Raises:
        OSError: it cannot be made.
    """
    (path / "runs").mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path / _LOCK, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    prefix = re.sub(r"[^0-9A-Za-z_]", "", audit_version) or "run"
    folder = Path(tempfile.mkdtemp(prefix=f"{prefix}-", dir=path / "runs"))
    fd = os.open(folder / LINES, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
    fcntl.flock(fd, fcntl.LOCK_EX)
    run = Run(audit_key=audit_key, audit_version=audit_version, worker=worker, folder=folder)
    _save(run)
    return run, fd


def ended(run: Run, status: Status, reason: str, tables: Mapping[str, Table]) -> Run:
    """Say how a run ended, once its tables are on the disk.

    Raises:
        OSError: that cannot be written.
    """
    after = msgspec.structs.replace(run, status=status, reason=reason, tables=dict(tables))
    _save(after)
    return after


def read(path: Path) -> list[Run]:
    """Return the runs of a store, oldest first; none if there is no store."""
    found = []
    for about in path.glob(f"runs/*/{_ABOUT}"):
        with contextlib.suppress(FileNotFoundError, msgspec.MsgspecError):  # deleted since, or not one of ours
            run = msgspec.json.decode(about.read_bytes(), type=Run)
            found.append(msgspec.structs.replace(run, folder=about.parent))
    return sorted(found, key=lambda run: (run.audit_version, run.folder.name))


def unfinished(path: Path) -> list[Run]:
    """Return the runs that have not ended, those at work included."""
    return [run for run in read(path) if run.status == UNFINISHED]


def whole(runs: Sequence[Run]) -> set[tuple[str, str]]:
    """Return audit key and version of the audits that are complete in every store and alert that is among *runs*."""
    seen = {(run.audit_key, run.audit_version) for run in runs}
    return seen - {(run.audit_key, run.audit_version) for run in runs if run.status != COMPLETE}


def latest(runs: Sequence[Run]) -> list[Run]:
    """Return the runs of the newest complete audit of each audit key."""
    newest = dict(sorted(whole(runs)))
    return [run for run in runs if newest.get(run.audit_key) == run.audit_version]


def prune(path: Path, run: Run, days: float) -> None:
    """Delete runs of the same audit that began so many days before *run*, but for the newest complete one.

    While anybody reads the store nothing is deleted; the next run does it.
    """
    oldest = oldest_kept(run.audit_version, days)
    if oldest is None:
        return
    with (path / _LOCK).open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        runs = read(path)
        keep = {other.folder for other in latest(runs)}
        for other in runs:
            if other.audit_key == run.audit_key and other.audit_version < oldest and other.folder not in keep:
                (other.folder / _ABOUT).unlink(missing_ok=True)  # first: without it, it is no run
                shutil.rmtree(other.folder, ignore_errors=True)


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """See to it that no run is deleted meanwhile.

    Raises:
        OSError: there is no store, or it cannot be read.
    """
    with (path / _LOCK).open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield


def _save(run: Run) -> None:
    """Write ``run.json`` whole or not at all."""
    about = {name: value for name, value in msgspec.structs.asdict(run).items() if name != "folder"}
    replace_file(run.folder / _ABOUT, msgspec.json.encode(about), durable=True)
    folder = os.open(run.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    with contextlib.suppress(OSError):  # some file systems cannot sync a folder
        os.fsync(folder)
    os.close(folder)
