"""The spool: what stores and alerts were given and may not have delivered, until ``cloudmarker replay`` has.

``<state>/spool/<worker>/<version>-<kind>/`` belongs to one store or alert in one run of an audit. It is there from the
start of the run, so that the death of any process loses nothing, and is removed when everything has its answer. It
holds

- ``run.json``: whose it is (:class:`Owner`);
- ``lock``: locked by the run or the replay that is at work on it;
- ``000001.jsonl``, …: the records, as their producers encoded them, one a line, and ``settled``: which of them have
  an answer (:mod:`cloudmarker._journal`);
- ``from-<worker>.jsonl``: the records that a producer could not hand over because the store's process had died.

All of it is readable by its owner only.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from cloudmarker._filenames import file_stem
from cloudmarker._journal import DELIVERED, ELSEWHERE, REJECTED, UNWANTED, Journal, lines
from cloudmarker.contracts import Kind
from cloudmarker.errors import CloudmarkerError
from cloudmarker.files import replace_file, write_whole

_OWNER = "run.json"
_LOCK = "lock"
_FROM = "from-"


class Owner(msgspec.Struct, frozen=True):
    """Whose records these are.

    Attributes:
        audit_key: key of the audit.
        audit_version: version of the run.
        key: key of the store or alert.
        kind: which of the two it was.
        origins: the origin workers that records may come from.
        incomplete: origins whose stream was incomplete, with the reason; None if the run did not live to say so.
    """

    audit_key: str
    audit_version: str
    key: str
    kind: Kind
    origins: tuple[str, ...]
    incomplete: Mapping[str, str] | None = None

    @property
    def worker(self) -> str:
        """The store's worker, ``<audit>_<plugin key>``."""
        return f"{self.audit_key}_{self.key}"


@dataclass(frozen=True)
class Found:
    """What the files say of a run whose store did not live to say it: numbers of records."""

    delivered: int = 0
    rejected: int = 0
    unwanted: int = 0
    spooled: int = 0


class Spool:
    """The directory of one store or alert in one run, locked by this object until :meth:`close` or :meth:`remove`.

    Attributes:
        path: the directory.
        owner: whose it is.
    """

    def __init__(self, path: Path, owner: Owner, lock: int) -> None:
        self.path = path
        self.owner = owner
        self._lock = lock

    @classmethod
    def create(cls, state: Path, owner: Owner) -> Spool:
        """Make the directory.

        Raises:
            OSError: that is not possible.
        """
        parent = _root(state) / file_stem(owner.worker)
        parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = _unused(parent, f"{file_stem(owner.audit_version)}-{owner.kind}")
        lock = _locked(path)
        if lock is None:
            raise FileExistsError(errno.EEXIST, "someone else is using it", str(path))
        spool = cls(path, owner, lock)
        spool._write_owner()
        return spool

    @classmethod
    def open(cls, path: Path) -> Spool | None:
        """Open a directory that is there; None while a run or a replay is at work on it, or if it is gone."""
        with contextlib.suppress(FileNotFoundError):
            lock = _locked(path)
            if lock is None:
                return None
            try:
                return cls(path, _owner(path), lock)
            except FileNotFoundError:
                os.close(lock)
        return None

    def part_from(self, producer: str) -> Path:
        """Return the file for what the worker *producer* cannot hand over."""
        return self.path / f"{_FROM}{file_stem(producer)}.jsonl"

    def has_leftovers(self) -> bool:
        """Return whether some producer could not hand everything over."""
        return any(self.path.glob(f"{_FROM}*.jsonl"))

    def recover(self, wants: Callable[[str, bytes], bool]) -> Found:
        """Find out from the files what became of the records after the death of the store's process.

        A producer keeps what it sent until the store has taken it in, so what was on its way at that moment is in the
        producer's part and may be in the journal too: then it is in the last file of the journal, and counts once. Of
        what the store did not want the journal has numbers only: those of the batch with which a producer's part
        begins, if the journal has them, are the last ones in it, as the store deals with one batch at a time.

        Args:
            wants: tells of a record, given its type and its JSON, whether it is for the plugin.
        """
        journal = Journal.load(self.path)
        own = [name for name in journal.names if not name.startswith(_FROM)]
        seen = {stamps(line).record_id for line in lines(self.path / own[-1])} if own else set()
        for name in journal.names:
            if name.startswith(_FROM):
                first_id, skipped = journal.last_skip
                known: int | None = None
                for position, line in journal.unsettled(name):
                    com = stamps(line)
                    if known is None:
                        known = skipped if com.record_id == first_id else 0
                    if not wants(com.record_type, line):
                        journal.settle(position, 1, ELSEWHERE if known else UNWANTED)
                        known = max(known - 1, 0)
                    elif com.record_id in seen:
                        journal.settle(position, 1, ELSEWHERE)
        spooled, _ = journal.close()
        settled = journal.settled
        return Found(settled[DELIVERED], settled[REJECTED], settled[UNWANTED], spooled)

    def keep(self, incomplete: Mapping[str, str], origins: Collection[str] | None = None) -> None:
        """Note what is known at the end of the run, and let a replay have the directory."""
        origins = self.owner.origins if origins is None else tuple(origins)
        self.owner = msgspec.structs.replace(self.owner, incomplete=dict(incomplete), origins=origins)
        with contextlib.suppress(OSError):  # a full disk; a replay then takes the streams for incomplete, which is safe
            self._write_owner()
        self.close()

    def remove(self) -> None:
        """Remove the directory, and the one above it with the last of its kind."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.close()
        with contextlib.suppress(OSError):  # there are others in it
            self.path.parent.rmdir()

    def close(self) -> None:
        """Give the lock up."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _write_owner(self) -> None:
        replace_file(self.path / _OWNER, msgspec.json.encode(self.owner), durable=True)


def spools(state: Path) -> Iterator[Path]:
    """Yield the directories in the spool, those of one worker in the order of their runs."""
    yield from sorted(path.parent for path in _root(state).glob(f"*/*/{_OWNER}"))


def spools_of(state: Path, worker: str) -> list[Path]:
    """Return the directories of one worker, in the order of their runs."""
    return sorted(path.parent for path in (_root(state) / file_stem(worker)).glob(f"*/{_OWNER}"))


def owners(state: Path) -> list[Owner]:
    """Return whose records are in the spool."""
    found: list[Owner] = []
    for path in spools(state):
        with contextlib.suppress(FileNotFoundError):  # a run has just ended
            found.append(_owner(path))
    return found


def append(path: Path, data: bytes) -> None:
    """Append lines to a producer's part.

    Raises:
        OSError: not all of it could be written; then none of it is.
    """
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        write_whole(fd, data + b"\n")
    finally:
        os.close(fd)


def _owner(path: Path) -> Owner:
    try:
        return msgspec.json.decode((path / _OWNER).read_bytes(), type=Owner)
    except msgspec.MsgspecError as exc:
        raise CloudmarkerError(f"{path / _OWNER}: {exc}; nothing says any more whose records are beside it") from exc


def _root(state: Path) -> Path:
    return state / "spool"


def _unused(parent: Path, name: str) -> Path:
    """Make and return a directory that was not there: two runs may begin in one second."""
    number = 1
    while True:
        path = parent / (name if number == 1 else f"{name}-{number}")
        try:
            path.mkdir(mode=0o700)
        except FileExistsError:
            number += 1
        else:
            return path


def _locked(path: Path) -> int | None:
    """Return a descriptor that holds the lock of a directory, None if someone else has it or it has been removed."""
    lock = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    if os.fstat(lock).st_nlink == 0:
        os.close(lock)
        return None
    return lock


class Stamps(msgspec.Struct):
    """What the spool needs to know of a record: fields of its ``com``."""

    record_id: str = ""
    record_type: str = ""
    origin_worker: str = ""


class _Line(msgspec.Struct):
    com: Stamps


_decode = msgspec.json.Decoder(_Line).decode


def stamps(line: bytes) -> Stamps:
    """Return the stamps of a record's JSON."""
    return _decode(line).com
