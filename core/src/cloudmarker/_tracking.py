"""What an event worker does with the memory of findings: give each event its status, and find out what is fixed.

Nothing is written while the run is under way but to temporary tables; the ledger gets all of it in one transaction at
the end. So a run that dies has not been, and what it found is new in the next one. In a run that finds what the one
before it found, nothing is written for a finding, and to read what is known of it costs about a microsecond, as
findings come in the order in which they came before.
"""

from __future__ import annotations

import calendar
import contextlib
import time
from array import array
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import msgspec

from cloudmarker import ledger
from cloudmarker._covered import Covered
from cloudmarker._findingpages import Pages
from cloudmarker._inventory.base import EventStamps
from cloudmarker._staging import Staged
from cloudmarker._times import timestamp
from cloudmarker.contracts import FindingStatus, Record, Severity
from cloudmarker.errors import LedgerError
from cloudmarker.ledger import BACK, FIXED, GONE, LOST, OPEN, REOPENED, UNKNOWN, Run
from cloudmarker.records import decode
from cloudmarker.when import When

Held = tuple[str | None, bytes, bool, str, Severity | None]
"""An event: fingerprint, its JSON without stamps, whether it counts, record type, severity. Not the plugin's dict: a
plugin may use that again."""
_Row = tuple[bytes, int, int, int, int, int, int]
_COLUMNS = "fingerprint, id, digest, first_seen, state, told, told_in"
_UNSEEN, _AS_OPEN, _SETTLED, _AS_NEW, _AS_REOPENED = range(5)
"""What the map of findings says of each: not seen, seen; fixed before, so that nothing is to be done if it is not
seen; seen, and sent as new, or as reopened."""
_SAID: Mapping[int, FindingStatus] = {_AS_OPEN: "open", _AS_NEW: "new", _AS_REOPENED: "reopened"}
_CHUNK = 500
_NO_RUN = 0
"""What is told in no run, because it was suppressed, is told in the first run in which it is not."""
_TYPE = "type "

_encode = msgspec.json.Encoder().encode


class Tracker:
    """The memory of the findings of one event plugin, during one run.

    Args:
        path: the ledger; it is made if it is not there.
        version: ``com.audit_version``.
        record_types: those that the plugin looks at; None for all.
        together: see :class:`cloudmarker._covered.Covered`.
        origins: the workers that its records come from.
        plugin: its class: what another one found is not for this one to say that it is fixed.
        when: the filter before the plugin.

    Attributes:
        counts: findings by status so far, each counted once; ``unknown`` at the end, ``fixed`` by who sends them.

    Raises:
        LedgerError: the ledger cannot be used.
    """

    def __init__(
        self,
        path: Path,
        version: str,
        record_types: Collection[str] | None,
        *,
        together: bool,
        origins: Sequence[str],
        plugin: str = "",
        when: When | None = None,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._path = path
        self._version = version
        self._started = _start_of(version)
        self._when = when or When({})
        self._covered = Covered(self._when.narrowed(record_types), together=together)
        self._together = together
        self._origins = tuple(origins)
        self._plugin = plugin
        self._suffixes: dict[tuple[FindingStatus, int], bytes] = {}
        self._sources: frozenset[str] = frozenset()
        self._again: dict[int, bool] = {}
        with ledger.explained(path):
            self._conn = conn = ledger.open_ledger(path, create=True)
            self._staged = Staged(conn)
            self._pages = Pages(conn)
            self._runs = {run.id: run for run in ledger.runs(conn)}
            self._last = max(self._runs, default=0)
            self._run = self._last + 1
            self._unconfirmed = {_NO_RUN, *(run.id for run in self._runs.values() if not run.confirmed)}
            self._base = conn.execute("SELECT max(id) FROM findings").fetchone()[0] or 0
            self._seen = bytearray(self._base + 1)
            self._seen[0] = _SETTLED
            for number, told_in in conn.execute("SELECT id, told_in FROM findings WHERE state = ?", (FIXED,)):
                if told_in not in self._unconfirmed:
                    self._seen[number] = _SETTLED

    # Events

    def stamped(self, events: Sequence[Held]) -> tuple[list[bytes], list[int]]:
        """Return the lines of some events with what is known of them, and the positions of those new or reopened.

        Args:
            events: those without a fingerprint stay as they are, and are new.

        Raises:
            LedgerError: the ledger cannot be used any more.
        """
        with ledger.explained(self._path):
            lines = self._stamped_in_order(events)
            if lines is not None:
                return lines, []
            lines, fresh = [], []
            self._conn.execute("BEGIN")  # one transaction for all: each has its price, that of temporary tables too
            for event, key, row in self._with_rows(events):
                line = event[1]
                status: FindingStatus = "new"
                if row is None:
                    lines.append(line if key is None else self._stamped_new(key, line, counts=event[2]))
                else:
                    status = self._status_of(row, counts=event[2])
                    if row[2] != crc32(line):
                        self._staged.edit(row[1], line)
                    lines.append(line[:-2] + self._suffix(status, row[3]))
                if status != "open":
                    fresh.append(len(lines) - 1)
            self._conn.execute("COMMIT")
            return lines, fresh

    def _stamped_in_order(self, events: Sequence[Held]) -> list[bytes] | None:
        """Return the lines of events that are the next open findings of the ledger, seen once; None if they are not."""
        if not self._base or not all(event[2] for event in events):
            return None
        fingerprints = [event[0] for event in events]
        try:
            keys = bytes.fromhex("".join(fingerprints))  # type: ignore[arg-type]  # None raises TypeError
        except (TypeError, ValueError):
            return None
        if set(map(len, fingerprints)) != {32} or len(keys) != 16 * len(events):  # type: ignore[arg-type]  # likewise
            return None
        part = self._pages.next(keys)
        if part is None or not self._unconfirmed.isdisjoint(part.told_in) or not self._mark(part.numbers):
            return None
        lines = [event[1] for event in events]
        digests = [*map(crc32, lines)]
        if digests != part.digests.tolist():
            for number, line, found, known in zip(part.numbers, lines, digests, part.digests, strict=True):
                if found != known:
                    self._staged.edit(number, line)
        self.counts["open"] += len(lines)
        first_seen = part.first_seen[0]
        if part.first_seen.count(first_seen) == len(lines):
            suffix = self._suffix("open", first_seen)
            return [line[:-2] + suffix for line in lines]
        return [line[:-2] + self._suffix("open", first) for line, first in zip(lines, part.first_seen, strict=True)]

    def _mark(self, numbers: array[int]) -> bool:
        """Mark open findings as seen; return False, and mark none, if one of them was seen before."""
        first, end = numbers[0], numbers[-1] + 1
        if end - first == len(numbers):
            if any(self._seen[first:end]):
                return False
            self._seen[first:end] = bytes((_AS_OPEN,)) * len(numbers)
            return True
        if any(map(self._seen.__getitem__, numbers)):
            return False
        for number in numbers:
            self._seen[number] = _AS_OPEN
        return True

    def _with_rows(self, events: Sequence[Held]) -> Iterator[tuple[Held, bytes | None, _Row | None]]:
        """Yield each event with the key of its fingerprint and what the ledger has of it."""
        keys = [None if event[0] is None else ledger.key_of(event[0]) for event in events]
        found: dict[bytes | None, _Row] = {}
        if self._base:
            wanted = [key for key in dict.fromkeys(keys) if key is not None]
            found = {row[0]: row for row in ledger.lookup(self._conn, _COLUMNS, "findings", "fingerprint", wanted)}
        if found:
            self._pages.go_on_after(found[next(key for key in reversed(keys) if key in found)][1])
        for event, key in zip(events, keys, strict=True):
            yield event, key, found.get(key)

    def _status_of(self, row: _Row, *, counts: bool) -> FindingStatus:
        """Return the status of a finding that is seen, and note what changes for it."""
        _, number, _, _, state, told, told_in = row
        mark = self._seen[number]
        if mark in _SAID:  # one more event of the same finding
            return _SAID[mark]
        if state == FIXED:
            self._staged.alter(number, OPEN, told=REOPENED, told_in=self._run if counts else _NO_RUN, change=REOPENED)
            mark = _AS_REOPENED
        elif not counts:  # suppressed: when that ends it is as if it had been fixed meanwhile, if it had been told
            change = BACK if state == UNKNOWN else None
            if told_in != _NO_RUN:
                told = told if told_in in self._unconfirmed else REOPENED
                self._staged.alter(number, OPEN, told=told, told_in=_NO_RUN, change=change)
            elif change is not None:
                self._staged.alter(number, OPEN, change=change)
            mark = _AS_OPEN
        elif told_in in self._unconfirmed:
            self._staged.alter(number, OPEN, told=told, told_in=self._run, change=BACK if state == UNKNOWN else None)
            mark = _AS_REOPENED if told == REOPENED else _AS_NEW
        else:
            if state == UNKNOWN:
                self._staged.alter(number, OPEN, change=BACK)
            mark = _AS_OPEN
        self._seen[number] = mark
        self.counts[_SAID[mark]] += counts
        return _SAID[mark]

    def _stamped_new(self, key: bytes, line: bytes, *, counts: bool) -> bytes:
        added = self._staged.add(key, line, self._run if counts else _NO_RUN)
        self.counts["new"] += added and counts
        return line[:-2] + self._suffix("new", self._started)

    def _suffix(self, status: FindingStatus, first_seen: int) -> bytes:
        key = status, first_seen
        if key not in self._suffixes:
            stamps = self._stamps(status, first_seen, self._started)
            self._suffixes[key] = b"," + _encode(stamps)[1:] + b"}"
        return self._suffixes[key]

    def _stamps(self, status: FindingStatus, first_seen: int, last_seen: int) -> EventStamps:
        return {
            "status": status,
            "first_seen": timestamp(first_seen),
            "last_seen": timestamp(last_seen),
        }

    # The end

    def saw(self, com: Mapping[str, Any]) -> None:
        """Take in the ``com`` of a coverage record; what is kept out by the filter is not covered."""
        if self._when.fulfils(com):
            self._covered.add(com)

    def commit(self, *, complete: bool) -> None:
        """Find out what was not seen, and write what this run has found to the ledger; it is not confirmed yet.

        Args:
            complete: all records there are were looked at, but for what the coverage says.

        Raises:
            LedgerError: that is not possible; the next run will say the same again.
        """
        conn, run = self._conn, self._run
        self._sources = self._sources_now()
        with contextlib.ExitStack() as on_error, ledger.explained(self._path):
            on_error.callback(conn.close)
            self._stage_unseen(complete=complete)
            conn.execute("BEGIN IMMEDIATE")
            if (conn.execute("SELECT max(id) FROM runs").fetchone()[0] or 0) != self._last:
                raise LedgerError(f"{self._path}: another run has changed it meanwhile; run the audit again")
            ledger.add_run(conn, run, self._version, self._started, self._sources)
            self._staged.write(run, self._base, self._started)
            ledger.prune(conn, int(time.time()))
            conn.execute("COMMIT")
            on_error.pop_all()

    def fixed(self) -> Iterator[tuple[Record, bytes]]:
        """Yield an event for each finding that is fixed, and its JSON without stamps. To be read to the end.

        Called after :meth:`commit`.

        Not before: were the process to die between, nobody would hear of one that is there again in the next run. So
        the next run says again what this one said, until it is confirmed.

        Raises:
            LedgerError: the ledger cannot be used any more.
        """
        with ledger.explained(self._path), contextlib.closing(self._conn):
            for first_seen, last_run, event in self._staged.fixed():
                known = self._runs.get(last_run)
                stamps = self._stamps("fixed", first_seen, known.started if known else first_seen)
                line = event[:-2] + b"," + _encode(stamps)[1:] + b"}"
                yield decode(line), line

    def _stage_unseen(self, *, complete: bool) -> None:
        """Note what has become of each finding that was not seen; count those of which it is not known."""
        number = 0
        while number >= 0:
            unseen: list[int] = []
            while len(unseen) < _CHUNK and (number := self._seen.find(_UNSEEN, number + 1)) >= 0:
                unseen.append(number)
            columns, table = "id, state, cloud_type, account, last_run", "findings JOIN details USING (id)"
            for finding in ledger.lookup(self._conn, columns, table, "id", unseen):
                self._stage_one(*finding, complete=complete)

    def _stage_one(
        self, number: int, state: int, cloud_type: str, account: str | None, last_run: int | None, *, complete: bool
    ) -> None:
        last = self._last if last_run is None else last_run
        known = self._runs.get(last)
        if state == FIXED:  # the event that said so may not have arrived
            self._staged.alter(number, FIXED, told=GONE, told_in=self._run, last_run=last, change=None)
        elif (
            complete
            and known is not None
            and self._read_again(known)
            and self._when.lets_through(cloud_type, account)
            and self._covered.covers(cloud_type, account)
        ):
            self._staged.alter(number, FIXED, told=GONE, told_in=self._run, last_run=last, change=GONE)
        else:
            if state == OPEN:
                self._staged.alter(number, UNKNOWN, last_run=last, change=LOST)
            self.counts["unknown"] += 1

    def _sources_now(self) -> frozenset[str]:
        """Return what was read: what had been read when a finding was seen must be read again for it to be fixed."""
        accounts = self._covered.accounts() if self._together else ()
        types = [f"{_TYPE}{record_type}" for record_type in self._when.record_types or ()]
        origins = (f"worker {origin}" for origin in self._origins)
        return frozenset((f"plugin {self._plugin}", *origins, *accounts, *types))

    def _read_again(self, known: Run) -> bool:
        """Return whether what had been read in a run, and let through by the filter then, was this time too."""
        again = self._again.get(known.sources)
        if again is None:
            sources = ledger.sources_of(self._conn, known.sources)
            types = {source for source in sources if source.startswith(_TYPE)}
            if self._when.record_types is None:
                again = sources - types <= self._sources
            else:
                again = bool(types) and sources <= self._sources
            self._again[known.sources] = again
        return again


def _start_of(version: str) -> int:
    """Return when the run with a version began, seconds since the epoch; now, if it is not a time."""
    with contextlib.suppress(ValueError):
        return calendar.timegm(time.strptime(version, "%Y%m%d_%H%M%S"))
    return int(time.time())
