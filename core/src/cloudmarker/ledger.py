"""The memory of findings: a SQLite file for each audit and event plugin, in the state directory.

``<state>/findings/<audit>/<plugin key>.sqlite`` knows every finding with a fingerprint that the plugin has had: since
when, whether it is there still, and in which run that changed. Its only writer is the worker that runs the plugin, in
one transaction at the end of a run; beside that the main process confirms that what the run found has been delivered.
A run holds the :class:`cloudmarker._ledgerfiles.AuditLock` of its audit, so that there is never a second one.

- ``findings`` has what is needed to tell the status of an event, and nothing else: it is read in every run.
- ``details`` has what people want to know of a finding, and the event itself, without stamps.
- ``changes`` has one row for each time that the state of a finding changed; what did not change has no row. The state
  of a finding in a run is that of its latest change until then.
- ``runs`` has one row for each run that got to its end, ``sources`` what runs read.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cloudmarker import _findingpages
from cloudmarker.errors import LedgerError

OPEN, FIXED, UNKNOWN = 0, 1, 2
"""States of a finding: it is there; it is there no more; it was not seen, and may be there."""
NEW, REOPENED, GONE, BACK, LOST = 0, 1, 2, 3, 4
"""Changes: first seen; seen after it was fixed; fixed; seen after it was unknown; unknown."""

KEPT_DAYS = 400
"""Days that runs, and findings after they have been fixed, are kept: a year's report can look back."""

_APPLICATION_ID = 0x434D666C
_SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    version TEXT NOT NULL,
    started INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    confirmed INTEGER NOT NULL,
    sources INTEGER NOT NULL
);
CREATE TABLE sources (
    id INTEGER PRIMARY KEY,
    lines TEXT NOT NULL UNIQUE
);
CREATE TABLE findings (
    id INTEGER PRIMARY KEY,
    fingerprint BLOB NOT NULL UNIQUE,
    digest INTEGER NOT NULL,
    first_seen INTEGER NOT NULL,
    state INTEGER NOT NULL,
    told INTEGER NOT NULL,
    told_in INTEGER NOT NULL
);
CREATE TABLE details (
    id INTEGER PRIMARY KEY,
    check_id TEXT NOT NULL,
    severity TEXT NOT NULL,
    cloud_type TEXT NOT NULL,
    account TEXT,
    reference TEXT NOT NULL,
    description TEXT NOT NULL,
    last_run INTEGER,
    event BLOB NOT NULL
);
CREATE TABLE changes (
    finding INTEGER NOT NULL,
    run INTEGER NOT NULL,
    change INTEGER NOT NULL,
    PRIMARY KEY (finding, run)
) WITHOUT ROWID;
CREATE INDEX changes_by_run ON changes (run);
"""
# findings.told: the latest of NEW, REOPENED and GONE; told_in: the run that sent an event that says so. If that run is
# not confirmed, the event may not have arrived, and is sent again; 0 if it was not sent, being suppressed.
# details.last_run: the latest run that saw the finding; null while it is open: that run is the latest one.


@dataclass(frozen=True)
class Run:
    """A run that is in the ledger.

    Attributes:
        id: its number in this ledger.
        version: ``com.audit_version``.
        started: seconds since the epoch.
        ended: likewise, when its plugin had seen everything.
        confirmed: what it found has been delivered, or is in the spool.
        sources: number of what it read, see :func:`sources_of`; the same in all runs that read the same.
    """

    id: int
    version: str
    started: int
    ended: int
    confirmed: bool
    sources: int


def key_of(fingerprint: str) -> bytes:
    """Return the 16 bytes that a fingerprint is kept as: its 32 digits, or a hash of whatever else it is."""
    with contextlib.suppress(ValueError):
        key = bytes.fromhex(fingerprint)
        if len(key) == 16:
            return key
    return blake2b(fingerprint.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def open_ledger(path: Path, *, create: bool = False) -> sqlite3.Connection:
    """Open a ledger; transactions are the caller's affair.

    Args:
        path: the file.
        create: make it, and its directory, if it is not there.

    Raises:
        FileNotFoundError: it is not there.
        LedgerError: it is no ledger, or cannot be read; the message says what to do.
    """
    with explained(path):
        if create:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | (os.O_CREAT if create else 0)
        os.close(os.open(path, flags, 0o600))
        conn = sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True, timeout=10, isolation_level=None)
        try:
            _check(conn, path)
        except BaseException:
            conn.close()
            raise
    return conn


def _check(conn: sqlite3.Connection, path: Path) -> None:
    """Make the tables in a file that is empty; refuse one that has others."""
    conn.execute("PRAGMA cache_size = -4096")
    application, version, schema = (
        conn.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version", "schema_version")
    )
    if not application and not schema:
        conn.executescript(
            f"BEGIN IMMEDIATE; PRAGMA application_id = {_APPLICATION_ID}; PRAGMA user_version = {_SCHEMA_VERSION};"
            f"{_SCHEMA} {_findingpages.SCHEMA} COMMIT;"
        )
    elif application != _APPLICATION_ID:
        raise LedgerError(f"{path}: a database of something else; move it away to have the findings remembered anew")
    elif version > _SCHEMA_VERSION:
        raise LedgerError(f"{path}: made by a newer version of cloudmarker; update, or move it away to begin anew")


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn errors of SQLite and of the file system within the context into a LedgerError that names the file.

    Raises:
        LedgerError: something went wrong with the ledger at *path*.
        FileNotFoundError: it is not there.
    """
    try:
        yield
    except FileNotFoundError:
        raise
    except sqlite3.OperationalError as exc:  # locked, disk full, not readable: the file may be fine
        remedy = "; move it away to have the findings remembered anew" if str(exc).startswith("no such ") else ""
        raise LedgerError(f"{path}: {exc}{remedy}") from exc
    except sqlite3.Error as exc:
        raise LedgerError(f"{path}: {exc}; move it away to have the findings remembered anew") from exc
    except OSError as exc:
        raise LedgerError(f"{path}: {exc.strerror or exc}") from exc


def runs(conn: sqlite3.Connection) -> list[Run]:
    """Return the runs that are known, the oldest first."""
    rows = conn.execute("SELECT id, version, started, ended, confirmed, sources FROM runs ORDER BY id")
    return [
        Run(number, version, started, ended, bool(confirmed), sources)
        for number, version, started, ended, confirmed, sources in rows
    ]


def sources_of(conn: sqlite3.Connection, number: int) -> frozenset[str]:
    """Return what runs read whose ``sources`` is *number*: what must be there again for what is gone to be fixed."""
    (lines,) = conn.execute("SELECT lines FROM sources WHERE id = ?", (number,)).fetchone()
    return frozenset(lines.splitlines())


def add_run(conn: sqlite3.Connection, number: int, version: str, started: int, sources: Collection[str]) -> None:
    """Add a run that ends now and is not confirmed; within a transaction."""
    lines = "\n".join(sorted(sources))
    conn.execute("INSERT OR IGNORE INTO sources (lines) VALUES (?)", (lines,))
    conn.execute(
        "INSERT INTO runs SELECT ?, ?, ?, ?, 0, id FROM sources WHERE lines = ?",
        (number, version, started, int(time.time()), lines),
    )


def confirm(path: Path, version: str) -> None:
    """Note that what a run found has been delivered; nothing happens if the run did not get to its end.

    Raises:
        LedgerError: that cannot be noted; the next run will say again what is new.
    """
    with contextlib.suppress(FileNotFoundError), explained(path), contextlib.closing(open_ledger(path)) as conn:
        conn.execute(
            "UPDATE runs SET confirmed = 1 WHERE id = (SELECT max(id) FROM runs) AND version = ? AND NOT confirmed",
            (version,),
        )


def prune(conn: sqlite3.Connection, now: int) -> None:
    """Forget runs, and findings that are fixed, that are older than :data:`KEPT_DAYS`; within a transaction."""
    limit = now - KEPT_DAYS * 24 * 3600
    oldest = conn.execute("SELECT min(id) FROM runs WHERE started >= ?", (limit,)).fetchone()[0]
    if oldest is None or not conn.execute("SELECT 1 FROM runs WHERE id < ?", (oldest,)).fetchone():
        return
    conn.execute(
        "DELETE FROM changes WHERE run < ? AND EXISTS (SELECT 1 FROM changes AS later"
        " WHERE later.finding = changes.finding AND later.run > changes.run AND later.run <= ?)",
        (oldest, oldest),
    )
    gone = "SELECT finding FROM changes JOIN findings ON id = finding WHERE run < ? AND change = ? AND state = ?"
    numbers = conn.execute(gone, (oldest, GONE, FIXED)).fetchall()
    for table, column in (("details", "id"), ("findings", "id"), ("changes", "finding")):
        conn.executemany(f"DELETE FROM {table} WHERE {column} = ?", numbers)  # noqa: S608  # both are ours
    conn.execute(
        "DELETE FROM runs WHERE id < ? AND id NOT IN (SELECT told_in FROM findings WHERE NOT confirmed)", (oldest,)
    )
    conn.execute("DELETE FROM sources WHERE id NOT IN (SELECT sources FROM runs)")


def lookup(conn: sqlite3.Connection, columns: str, table: str, column: str, values: Sequence[object]) -> list[Any]:
    """Return the rows of a table whose *column* is one of some values."""
    found: list[Any] = []
    for first in range(0, len(values), 500):
        some = values[first : first + 500]
        marks = ",".join("?" * len(some))
        query = f"SELECT {columns} FROM {table} WHERE {column} IN ({marks})"  # noqa: S608  # our own names, and marks
        found += conn.execute(query, some).fetchall()
    return found
