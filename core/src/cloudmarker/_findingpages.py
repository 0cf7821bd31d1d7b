"""The open findings of a ledger in their order, packed: what makes a run that finds the same again cheap.

A page has the open findings of 1024 numbers in a row, their columns one after the other: a batch of events that come
in the order of the run before is compared with a part of one at once, instead of being looked up one by one. Pages say
nothing that the table of findings does not say; those in which something has changed are made anew at the end of a run.
"""

from __future__ import annotations

import sqlite3
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

SCHEMA = """
CREATE TABLE pages (
    page INTEGER PRIMARY KEY,
    numbers BLOB NOT NULL,
    fingerprints BLOB NOT NULL,
    digests BLOB NOT NULL,
    first_seen BLOB NOT NULL,
    told_in BLOB NOT NULL
);
"""
_BITS = 10
_FINGERPRINT_BYTES = 16


@dataclass
class Part:
    """Some open findings, in order."""

    numbers: array[int]
    digests: array[int]
    first_seen: array[int]
    told_in: array[int]


class Pages:
    """Reads the open findings of a ledger in order.

    Args:
        conn: of the ledger.
    """

    def __init__(self, conn: sqlite3.Connection) -> None:
        self._conn = conn
        self._page = -1
        self._clear()

    def _clear(self) -> None:
        self._at = 0
        self._numbers = array("I")
        self._fingerprints = b""
        self._digests = array("I")
        self._first_seen = array("I")
        self._told_in = array("I")

    def next(self, fingerprints: bytes) -> Part | None:
        """Return the next findings if they have these fingerprints, joined; None, and they stay, if not."""
        count = len(fingerprints) // _FINGERPRINT_BYTES
        while len(self._numbers) < self._at + count:
            if not self._read_on():
                return None
        at, end = self._at, self._at + count
        if self._fingerprints[at * _FINGERPRINT_BYTES : end * _FINGERPRINT_BYTES] != fingerprints:
            return None
        self._at = end
        columns = (self._numbers, self._digests, self._first_seen, self._told_in)
        return Part(*(column[at:end] for column in columns))

    def go_on_after(self, number: int) -> None:
        """Go on after the finding with a number, whether it is open or not."""
        self._clear()
        self._page = (number >> _BITS) - 1
        self._read_on()
        self._at = bisect_right(self._numbers, number)

    def _read_on(self) -> bool:
        row = self._conn.execute(
            "SELECT page, numbers, fingerprints, digests, first_seen, told_in FROM pages WHERE page > ?"
            " ORDER BY page LIMIT 1",
            (self._page,),
        ).fetchone()
        if row is None:
            return False
        at = self._at
        self._page = row[0]
        self._numbers = self._numbers[at:] + array("I", row[1])
        self._fingerprints = self._fingerprints[at * _FINGERPRINT_BYTES :] + row[2]
        self._digests = self._digests[at:] + array("I", row[3])
        self._first_seen = self._first_seen[at:] + array("I", row[4])
        self._told_in = self._told_in[at:] + array("I", row[5])
        self._at = 0
        return True


def renew(conn: sqlite3.Connection, changed: str, parameters: Sequence[object], state: int) -> None:
    """Make anew the pages in which something has changed; within a transaction.

    Args:
        conn: of the ledger.
        changed: a query for the numbers of the findings that have changed, in its first column ``id``.
        parameters: of that query.
        state: that of open findings.
    """
    query = f"SELECT DISTINCT id >> {_BITS} FROM ({changed})"  # noqa: S608  # a number and a query of ours
    pages = conn.execute(query, parameters).fetchall()
    for (page,) in pages:
        rows = conn.execute(
            "SELECT id, fingerprint, digest, first_seen, told_in FROM findings WHERE id BETWEEN ? AND ? AND state = ?"
            " ORDER BY id",
            (page << _BITS, ((page + 1) << _BITS) - 1, state),
        ).fetchall()
        conn.execute("DELETE FROM pages WHERE page = ?", (page,))
        if rows:
            numbers, fingerprints, *others = zip(*rows, strict=True)
            packed = (array("I", numbers), b"".join(fingerprints), *(array("I", column) for column in others))
            conn.execute("INSERT INTO pages VALUES (?, ?, ?, ?, ?, ?)", (page, *map(bytes, packed)))
