"""What a run will write to a ledger at its end, kept in temporary tables of the same connection until then."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any
from zlib import crc32

import msgspec

from cloudmarker._findingpages import renew
from cloudmarker.ledger import FIXED, NEW, OPEN
from cloudmarker.records import decode

_DETAILS = "check_id, severity, cloud_type, account, reference, description, event"
_TABLES = f"""
CREATE TEMP TABLE added (
    id INTEGER PRIMARY KEY, fingerprint BLOB NOT NULL UNIQUE, digest INTEGER, {_DETAILS}, told_in INTEGER
);
CREATE TEMP TABLE edited (id INTEGER PRIMARY KEY, digest INTEGER, {_DETAILS});
CREATE TEMP TABLE altered (
    id INTEGER PRIMARY KEY, state INTEGER, told INTEGER, told_in INTEGER, last_run INTEGER, change INTEGER
);
"""
_CHANGED = "SELECT id FROM altered UNION ALL SELECT id FROM edited UNION ALL SELECT id + ? FROM added"
_encode = msgspec.json.Encoder().encode


class _Com(msgspec.Struct):
    """The part of an event's ``com`` that is a column."""

    check_id: Any = None
    severity: Any = None
    cloud_type: Any = None
    account: Any = None
    reference: Any = None
    description: Any = None


class _Event(msgspec.Struct):
    """The part of an event that is looked at."""

    com: _Com
    raw: Any = None


_TEXT = {str, type(None)}
_decode_event = msgspec.json.Decoder(_Event).decode


class Staged:
    """What is to be written.

    Args:
        conn: of the ledger.
    """

    def __init__(self, conn: sqlite3.Connection) -> None:
        self._conn = conn
        conn.executescript(_TABLES)
        conn.execute("PRAGMA temp.journal_mode = OFF")  # after an error nothing of them is used

    def add(self, key: bytes, line: bytes, told_in: int) -> bool:
        """Take in a finding that the ledger does not have; return False if it is here already.

        Args:
            key: of its fingerprint.
            line: its event.
            told_in: the run in which it is told.
        """
        values = (key, crc32(line), *_details(line), told_in)
        marks = ", ".join("?" * len(values))
        cursor = self._conn.execute(
            f"INSERT OR IGNORE INTO added (fingerprint, digest, {_DETAILS}, told_in) VALUES ({marks})",  # noqa: S608  # ours
            values,
        )
        return cursor.rowcount == 1

    def edit(self, number: int, line: bytes) -> None:
        """Take in that the event of a finding says something else now."""
        values = (number, crc32(line), *_details(line))
        marks = ", ".join("?" * len(values))
        self._conn.execute(f"INSERT OR REPLACE INTO edited VALUES ({marks})", values)  # noqa: S608  # marks only

    def alter(
        self,
        number: int,
        state: int,
        *,
        told: int | None = None,
        told_in: int | None = None,
        last_run: int | None = None,
        change: int | None,
    ) -> None:
        """Take in that the state of a finding changes, or what was told of it.

        Args:
            number: of the finding; once for each at most.
            state: from now on.
            told: what was told of it last; None for no change.
            told_in: in which run; None for no change.
            last_run: the latest run that saw it; None if it is open.
            change: what is to be remembered as a change in this run; None for nothing.
        """
        values = (number, state, told, told_in, last_run, change)
        self._conn.execute("INSERT INTO altered VALUES (?, ?, ?, ?, ?, ?)", values)

    def write(self, run: int, base: int, started: int) -> None:
        """Write everything to the ledger; within a transaction.

        Args:
            run: number of this run.
            base: the highest number that a finding of the ledger has.
            started: when this run began, seconds since the epoch.
        """
        self._write_added(run, base, started)
        self._write_altered(run)
        renew(self._conn, _CHANGED, (base,), OPEN)

    def fixed(self) -> Iterator[tuple[int, int, bytes]]:
        """Yield (since when it was known, last run that saw it, event) for each finding that is fixed, once written."""
        yield from self._conn.execute(
            "SELECT first_seen, last_run, event FROM (SELECT id FROM temp.altered WHERE state = ?)"
            " JOIN main.findings USING (id) JOIN main.details USING (id) ORDER BY id",
            (FIXED,),
        )

    def _write_added(self, run: int, base: int, started: int) -> None:
        conn = self._conn
        conn.execute(
            "INSERT INTO main.findings SELECT id + ?, fingerprint, digest, ?, ?, ?, told_in"
            " FROM temp.added ORDER BY id",
            (base, started, OPEN, NEW),
        )
        conn.execute(
            "INSERT INTO main.details SELECT id + ?, check_id, severity, cloud_type, account, reference, description,"
            " NULL, event FROM temp.added ORDER BY id",
            (base,),
        )
        conn.execute(
            "INSERT INTO main.changes SELECT id + ?, ?, ? FROM temp.added ORDER BY id",
            (base, run, NEW),
        )

    def _write_altered(self, run: int) -> None:
        conn = self._conn
        conn.executemany(
            "UPDATE main.findings SET state = ?, told = coalesce(?, told), told_in = coalesce(?, told_in) WHERE id = ?",
            conn.execute("SELECT state, told, told_in, id FROM temp.altered"),
        )
        conn.executemany(
            "UPDATE main.details SET last_run = ? WHERE id = ?", conn.execute("SELECT last_run, id FROM temp.altered")
        )
        conn.execute(
            "INSERT INTO main.changes SELECT id, ?, change FROM temp.altered WHERE change IS NOT NULL ORDER BY id",
            (run,),
        )
        conn.executemany(
            "UPDATE main.findings SET digest = ? WHERE id = ?", conn.execute("SELECT digest, id FROM temp.edited")
        )
        names = [name.strip() for name in _DETAILS.split(",")]
        conn.executemany(
            f"UPDATE main.details SET {', '.join(f'{name} = ?' for name in names)} WHERE id = ?",  # noqa: S608  # ours
            conn.execute(f"SELECT {_DETAILS}, id FROM temp.edited"),  # noqa: S608  # our own names
        )


def _details(line: bytes) -> tuple[str | bytes | None, ...]:
    """Return what is kept of an event: the columns of :data:`_DETAILS`."""
    event = _decode_event(line)
    if event.raw is not None:
        whole = decode(line)
        line = _encode({"ext": whole.get("ext") or {}, "com": whole["com"]})
    return (*_texts(event.com), line)


def _texts(com: _Com) -> tuple[str | None, ...]:
    values = (com.check_id, com.severity, com.cloud_type, com.account, com.reference, com.description)
    if set(map(type, values)) <= _TEXT:
        check_id, severity, cloud_type, account, *others = values
    else:
        check_id, severity, cloud_type, account, *others = [None if value is None else str(value) for value in values]
    return (check_id or "", severity or "", cloud_type or "", account, *(text or "" for text in others))
