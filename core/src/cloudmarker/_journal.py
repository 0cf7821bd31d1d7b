"""What one store or alert was given in one run, in files, and which of it has its answer.

Records are known by their position, the number of records before them. They are kept in parts, each a file of JSON
lines in the order they came. A ledger says for which lines there is an answer; a part in which every line has one is
removed. So what is in the parts and not in the ledger is, at any time, what a replay has to deliver, also after a
crash: a torn last line of a part is not a record, and a torn last line of the ledger is no answer.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from cloudmarker.files import write_whole

_log = logging.getLogger("cloudmarker.spool")

PART_BYTES = 16 * 1024 * 1024
"""A part that has this many bytes or more is not continued."""
LEDGER = "settled"

DELIVERED = "d"
REJECTED = "r"
ELSEWHERE = "e"
UNWANTED = "u"
SKIPPED = "s"
"""The marks of the ledger; ELSEWHERE: the record is in another part too; UNWANTED: it is not for this plugin; SKIPPED:
neither are so many of a batch, which are in no part. In the place of a part's name is the id of the batch's first
record then, as JSON."""

_OPEN, _TAKEN, _SETTLED = b"\0\1\2"
_OPEN_ROW = re.compile(b"\0+")
_NEW_FILE = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Part:
    """Records in a row.

    Attributes:
        first: position of its first record.
        name: of its file; empty if it could not be written, or is not to be.
        states: a byte a record: open, taken, settled.
        left: how many of them are not settled.
    """

    __slots__ = ("first", "left", "name", "size", "states")

    def __init__(self, first: int, name: str) -> None:
        self.first = first
        self.name = name
        self.states = bytearray()
        self.left = 0
        self.size = 0


class Journal:
    """The parts of one run and their ledger.

    Args:
        directory: where its files are; None keeps only the numbers.

    Attributes:
        on_disk: whether there are files.
        position: of the next record.
        settled: records by the mark of their answer.
        problem: why something could not be written, empty if everything was.
        last_skip: the id of the first record of the latest batch of which some were skipped, and how many were.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self.position = 0
        self.settled: Counter[str] = Counter()
        self.problem = ""
        self.last_skip = ("", 0)
        self._directory = directory or Path()
        self.on_disk = directory is not None
        self._parts: list[Part] = []
        self._firsts: list[int] = []
        self._number = 0
        self._fd = -1
        self._ledger = -1

    # Writing

    def receive(self, data: bytes, count: int) -> int:
        """Append *count* records, one a line; return the position of the first."""
        part = self._parts[-1] if self._parts else None
        if part is None or part.size >= PART_BYTES:
            part = self._next_part()
        if part.name and not self._write(part, data):
            part = self._next_part(on_disk=False)
        first = self.position
        part.states += bytes(count)
        part.left += count
        part.size += len(data) + 1
        self.position += count
        return first

    def _next_part(self, *, on_disk: bool = True) -> Part:
        self._close_file()
        if self._parts and not self._parts[-1].left:
            self._remove(self._parts[-1])
        name = ""
        if on_disk and self.on_disk:
            self._number += 1
            name = f"{self._number:06d}.jsonl"
            try:
                self._fd = os.open(self._directory / name, _NEW_FILE, 0o600)
            except OSError as exc:
                self._failed(name, exc)
                name = ""
        return self._add(name)

    def _add(self, name: str) -> Part:
        part = Part(self.position, name)
        self._parts.append(part)
        self._firsts.append(part.first)
        return part

    def _write(self, part: Part, data: bytes) -> bool:
        """Write all of *data* or nothing of it."""
        try:
            if os.writev(self._fd, (data, b"\n")) != len(data) + 1:  # the disk is full, which the next attempt says
                os.ftruncate(self._fd, part.size)
                write_whole(self._fd, data + b"\n")
        except OSError as exc:
            self._failed(part.name, exc)
            return False
        return True

    def _failed(self, name: str, exc: OSError) -> None:
        if not self.problem:
            self.problem = f"{self._directory / name}: {exc.strerror or exc}"
            _log.error("the spool cannot be written, what is not delivered now is lost: %s", self.problem)

    def _close_file(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    # Reading

    @classmethod
    def load(cls, directory: Path) -> Journal:
        """Return the journal that is in *directory*, to settle what it holds; nothing can be received any more."""
        journal = cls(directory)
        known = journal._read_ledger(directory)
        names = sorted(path.name for path in directory.glob("*.jsonl"))
        for name in names:
            if f"{Path(name).stem}~.jsonl" in names:  # a crash after the shorter version of it was complete
                (directory / name).unlink()
                continue
            part = journal._add(name)
            count = sum(1 for _ in lines(directory / name))
            part.states = known.get(name, bytearray())[:count].ljust(count, b"\0")
            part.left = count - part.states.count(_SETTLED)
            journal.position += count
        return journal

    def _read_ledger(self, directory: Path) -> dict[str, bytearray]:
        """Return the states of each part that the ledger speaks of, and count the answers by mark."""
        states: dict[str, bytearray] = {}
        path = directory / LEDGER
        for line in lines(path) if path.exists() else ():
            mark, first, count, name = line.decode().split(" ", 3)
            if mark == SKIPPED:
                self.settled[UNWANTED] += int(count)
                self.last_skip = (json.loads(name), int(count))
            else:
                self.settled[mark] += _settle(states.setdefault(name, bytearray()), int(first), int(count))
        return states

    def skip(self, count: int, first_id: str) -> None:
        """Note that *count* records came that the plugin does not want; they are not kept.

        Args:
            count: how many.
            first_id: the ``com.record_id`` of the first record of the batch that they came in.
        """
        self.settled[UNWANTED] += count
        self.last_skip = (first_id, count)
        self._note(SKIPPED, 0, count, json.dumps(first_id))  # a key of a plugin may have any characters

    @property
    def left(self) -> int:
        """How many records have no answer."""
        return sum(part.left for part in self._parts)

    @property
    def names(self) -> list[str]:
        """The names of the parts' files, in the order of their records."""
        return [part.name for part in self._parts if part.name]

    def unsettled(self, name: str) -> Iterator[tuple[int, bytes]]:
        """Yield position and line of each record of a part that has no answer."""
        part = next(part for part in self._parts if part.name == name)
        for index, line in enumerate(lines(self._directory / name)):
            if index < len(part.states) and part.states[index] != _SETTLED:
                yield part.first + index, line

    # Settling

    def take(self, position: int, count: int = 1) -> None:
        """Except records from :meth:`confirm`."""
        for part, start, end in self._within(position, count):
            part.states[start:end] = part.states[start:end].replace(b"\0", b"\1")

    def settle(self, position: int, count: int, mark: str) -> int:
        """Note an answer for records; return how many of them had none before."""
        found = 0
        for part, start, end in self._within(position, count):
            settled = _settle(part.states, start, end - start)
            if settled:
                found += settled
                part.left -= settled
                if part.name:
                    self._note(mark, start, end - start, part.name)
                if not part.left and part is not self._parts[-1]:
                    self._remove(part)
        self.settled[mark] += found
        return found

    def is_settled(self, position: int) -> bool:
        """Return whether there is an answer for a record."""
        found = list(self._within(position, 1))
        return not found or found[0][0].states[found[0][1]] == _SETTLED

    def confirm(self) -> int:
        """Note as delivered whatever is open, that is neither taken nor settled; return how many records that were."""
        found = 0
        for part in list(self._parts):
            for row in _OPEN_ROW.finditer(bytes(part.states)):
                found += self.settle(part.first + row.start(), row.end() - row.start(), DELIVERED)
        return found

    def _within(self, position: int, count: int) -> list[tuple[Part, int, int]]:
        """Return the parts with some of these records, and where in each: index of the first, index after the last."""
        found: list[tuple[Part, int, int]] = []
        for part in self._parts[max(0, bisect_right(self._firsts, position) - 1) :]:
            start, end = max(position - part.first, 0), min(position + count - part.first, len(part.states))
            if part.first >= position + count:
                break
            if start < end:
                found.append((part, start, end))
        return found

    def _note(self, mark: str, first: int, count: int, name: str) -> None:
        if not self.on_disk:
            return
        try:
            if self._ledger < 0:
                flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
                self._ledger = os.open(self._directory / LEDGER, flags, 0o600)
            os.write(self._ledger, f"{mark} {first} {count} {name}\n".encode())
        except OSError as exc:
            self._failed(LEDGER, exc)

    def _remove(self, part: Part) -> None:
        index = self._parts.index(part)
        del self._parts[index], self._firsts[index]
        if part.name:
            with contextlib.suppress(FileNotFoundError):
                (self._directory / part.name).unlink()

    # Ending

    def close(self) -> tuple[int, int]:
        """Bring what has no answer to the disk; return how many records are kept there, and how many are nowhere."""
        self._close_file()
        kept, lost, whole = 0, 0, True
        for part in list(self._parts):
            if not part.left:
                self._remove(part)
            elif not part.name:
                lost += part.left
            else:
                kept += part.left
                whole = self._shorten(part) and whole
        if self._ledger >= 0:
            os.close(self._ledger)
            self._ledger = -1
        if whole and self.on_disk:
            (self._directory / LEDGER).unlink(missing_ok=True)
        return kept, lost

    def _shorten(self, part: Part) -> bool:
        """Leave in a part's file what has no answer, so that it needs no ledger; return whether that worked."""
        path = self._directory / part.name
        try:
            if part.left == len(part.states):
                with path.open("rb") as file:
                    os.fsync(file.fileno())
                return True
            shorter = path.with_name(f"{path.stem}~.jsonl")
            temporary = path.with_name(f"{path.stem}.tmp")
            with os.fdopen(os.open(temporary, _NEW_FILE, 0o600), "wb") as file:
                for _, line in self.unsettled(part.name):
                    file.write(line + b"\n")
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(shorter)
            path.unlink()
        except OSError as exc:  # the file and the ledger together say the same
            self._failed(part.name, exc)
            return False
        part.name, part.states = shorter.name, part.states.replace(bytes((_SETTLED,)), b"")
        return True


def lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a file without their ends; what has no end was torn by a crash and is not one."""
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield line[:-1]


def _settle(states: bytearray, first: int, count: int) -> int:
    """Set *count* states to settled, from *first* on; return how many were not."""
    if len(states) < first + count:
        states += bytes(first + count - len(states))
    new = count - states.count(_SETTLED, first, first + count)
    states[first : first + count] = bytes((_SETTLED,)) * count
    return new
