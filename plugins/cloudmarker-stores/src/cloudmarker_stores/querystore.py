"""A store to query on this machine: JSON Lines while records come, Parquet for DuckDB once they have.

A run has a folder of its own that nobody but this store writes to, and that is never changed once it has ended. So
readers need no server and are never in the way: ``cloudmarker query`` looks at what has ended.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterable
from pathlib import Path

from cloudmarker.contracts import Batch, Incomplete, Record, StoreRun
from cloudmarker.delivery import Delivery
from cloudmarker.errors import ConfigError, PluginError
from cloudmarker.files import write_whole
from cloudmarker.parameters import not_positive

from cloudmarker_stores import _queryruns as runs

_log = logging.getLogger(__name__)


class QueryStore:
    """Keep records on this machine, to be queried with SQL: ``cloudmarker query``.

    Records are appended to a file as they come. Once the last has come, they are written to Parquet, one file for each
    record type, with a column for each field of ``com``. The newest complete audit is what queries see unless they ask
    for the history.

    Args:
        path: Directory to keep the records in; ``~`` is expanded. By default ``cloudmarker/query`` in the user's XDG
            data directory, ``~/.local/share`` as a rule.
        retention_days: Delete runs of this audit that began so many days before, after a run that is complete; the
            newest complete one always stays. Without it nothing is deleted.
    """

    spool = False  # a run that broke off is kept as far as it came; a replay of the rest would not make it complete

    def __init__(self, path: str | None = None, retention_days: float | None = None) -> None:
        if problems := not_positive(retention_days=retention_days):
            raise ConfigError(problems)
        self._path = Path(path).expanduser().absolute() if path else runs.default_path()
        self._retention_days = retention_days
        self._run: runs.Run | None = None
        self._intake = Delivery(lambda items: None)  # what makes lines of records; none is ever added to it
        self._fd = -1
        self._audit = ("", "", "")
        self._count = 0
        self._longest = 0

    def begin(self, run: StoreRun) -> None:
        """Make the folder of the run.

        Raises:
            PluginError: it cannot be made, or DuckDB is not installed.
        """
        runs.need_duckdb()
        self._audit = (run.audit_key, run.audit_version, run.worker)
        self._open()

    def write(self, record: Record) -> None:
        """Append *record*.

        Raises:
            RecordError: the record is not JSON.
            PluginError: the file cannot be written.
        """
        self._append(self._intake.item(record).line, 1)

    def write_batch(self, batch: Batch) -> None:
        """Append the records of *batch* as they are.

        Raises:
            PluginError: the file cannot be written.
        """
        self._append(batch.data, batch.count)

    def done(self) -> None:
        """Write what came to Parquet, make it the newest complete run, and delete the runs that are too old.

        Raises:
            PluginError: it cannot be written; the JSON Lines are kept.
        """
        self._finish(runs.COMPLETE, "")
        if self._retention_days is not None and self._run is not None:
            runs.prune(self._path, self._run, self._retention_days)

    def abort(self, reason: Incomplete) -> None:
        """Write what came to Parquet, as a run that is not complete: it is in the history only.

        Raises:
            PluginError: it cannot be written; the JSON Lines are kept.
        """
        self._finish(runs.INCOMPLETE, str(reason))

    def outputs(self) -> Iterable[str]:
        """Return the folder of the run."""
        return [str(self._run.folder)] if self._run else []

    def _open(self) -> None:
        try:
            self._run, self._fd = runs.create(self._path, *self._audit)
        except OSError as exc:
            raise PluginError(f"{self._path}: {exc.strerror or exc}") from exc

    def _append(self, lines: bytes, count: int) -> None:
        if self._run is None:
            self._open()
        try:
            write_whole(self._fd, lines + b"\n")
        except OSError as exc:
            raise PluginError(f"{self._path}: {exc.strerror or exc}") from exc
        self._count += count
        self._longest = max(self._longest, len(lines))

    def _finish(self, status: runs.Status, reason: str) -> None:
        if self._run is None:
            self._open()
        assert self._run is not None  # noqa: S101  for mypy: _open has made it
        try:
            os.fsync(self._fd)
            self._run = compact(self._run, status, reason, self._longest, self._count)
        except OSError as exc:
            raise PluginError(f"{self._run.folder}: {exc.strerror or exc}; the records are in {runs.LINES}") from exc
        finally:
            os.close(self._fd)
        _recover(self._path)


def compact(run: runs.Run, status: runs.Status, reason: str, longest: int, count: int | None) -> runs.Run:
    """Write the JSON Lines of a run to Parquet, then say that it has ended, then remove them.

    Args:
        run: which is not finished.
        status: what it is from now on.
        reason: why it is not complete.
        longest: bytes that no line has more of.
        count: how many records there have to be; None for a file that may break off in the middle of a line.

    Raises:
        PluginError: not all of them can be read back.
        OSError: it cannot be written.
    """
    from cloudmarker_stores import _querytables  # DuckDB, which only the end of a run needs

    tables = _querytables.write(run.folder, longest, whole=count is not None)
    found = sum(table.records for table in tables.values())
    if count is not None and found != count:
        raise PluginError(f"{run.folder}: {found:,} of {count:,} records can be read back; all are in {runs.LINES}")
    ended = runs.ended(run, status, reason, tables)
    (run.folder / runs.LINES).unlink()
    return ended


def _recover(path: Path) -> None:
    """Do for runs whose process died what it could not do itself."""
    for run in runs.unfinished(path):
        lines = run.folder / runs.LINES
        try:
            with lines.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                compact(run, runs.INCOMPLETE, "it broke off", max(map(len, file), default=0), None)
        except BlockingIOError:
            continue  # it is at work
        except (OSError, PluginError) as exc:
            _log.warning("%s: a run that broke off is left as it is: %s", run.folder, exc)
