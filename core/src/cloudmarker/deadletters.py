"""The dead letters: records that a plugin yielded and that are not JSON, and records that a store refused for good.

They are in ``<state>/dead-letters/<worker>.jsonl``, one :class:`Letter` a line, readable by their owner only.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import time
from pathlib import Path

import msgspec

from cloudmarker._filenames import file_stem
from cloudmarker._journal import lines
from cloudmarker._times import timestamp
from cloudmarker.contracts import Kind
from cloudmarker.errors import RecordError
from cloudmarker.files import write_whole
from cloudmarker.records import diagnose, encode
from cloudmarker.spool import Owner, Spool, append, stamps

_log = logging.getLogger("cloudmarker.workers")

_AGAIN = "only what was rejected comes again"


class Letter(msgspec.Struct):
    """One line of the dead letters.

    Attributes:
        worker: the worker that could not pass the record on.
        store: key of the store or alert that refused it; None if it is not JSON and got to none.
        kind: of the plugin.
        audit_key: key of the audit.
        audit_version: version of the run.
        time: when, RFC 3339, UTC.
        reason: why.
        record: the record; what is not JSON in it is replaced by the name of its type.
    """

    worker: str
    store: str | None
    kind: Kind
    audit_key: str
    audit_version: str
    time: str
    reason: str
    record: msgspec.Raw


class DeadLetters:
    """Appends the records that one plugin could not pass on to its file, which is made when the first one comes.

    Args:
        directory: the state directory.
        kind: of the plugin.
        key: of the plugin.
        audit_key: key of the audit.
        audit_version: version of the run.
    """

    def __init__(self, directory: Path, kind: Kind, key: str, audit_key: str, audit_version: str) -> None:
        worker = f"{audit_key}_{key}"
        self.path = _directory(directory) / f"{file_stem(worker)}.jsonl"
        self._fd = -1
        self._common = {
            "worker": worker,
            "store": key if kind in ("store", "alert") else None,
            "kind": kind,
            "audit_key": audit_key,
            "audit_version": audit_version,
        }

    def add(self, record: object, reason: str) -> None:
        """Append one record.

        Raises:
            OSError: the file cannot be written.
        """
        if self._fd < 0:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._fd = _opened(self.path)
        letter = {**self._common, "time": timestamp(time.time()), "reason": reason, "record": record}
        try:
            line = encode(letter)
        except RecordError:
            line = encode({**letter, "record": diagnose(record)})
        write_whole(self._fd, line + b"\n")

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def spool_letters(state: Path, store: str | None = None) -> None:
    """Move the records of dead letters to the spool, those of plugins that read excepted.

    A file that a run has open is left alone. A crash leaves some records in both places.

    Args:
        state: the state directory.
        store: only those of the store or alert with this key.
    """
    for path in sorted(_directory(state).glob("*.jsonl")):
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _move(path, state, store)
        except BlockingIOError:
            _log.warning("%s: a run is writing it; its letters stay there", path)
        finally:
            os.close(fd)


def _move(path: Path, state: Path, store: str | None) -> None:
    spools: dict[tuple[str, ...], tuple[Spool, set[str]]] = {}
    rest = path.with_suffix(".tmp")
    rest.unlink(missing_ok=True)
    for line in lines(path):
        letter = _letter(line)
        if letter is None or letter.store is None or (store is not None and letter.store != store):
            append(rest, line)
            continue
        key = (letter.audit_key, letter.audit_version, letter.store, letter.kind)
        if key not in spools:
            owner = Owner(letter.audit_key, letter.audit_version, letter.store, letter.kind, ())
            spools[key] = Spool.create(state, owner), set()
        spool, origins = spools[key]
        record = bytes(letter.record)
        append(spool.part_from("dead-letters"), record)
        origins.add(stamps(record).origin_worker)
    for spool, origins in spools.values():
        with spool.part_from("dead-letters").open("rb") as part:
            os.fsync(part.fileno())
        spool.keep(dict.fromkeys(origins, _AGAIN), sorted(origins))
    if not spools:
        rest.unlink(missing_ok=True)
    elif rest.exists():
        rest.rename(path)
    else:
        path.unlink()


def _letter(line: bytes) -> Letter | None:
    with contextlib.suppress(msgspec.MsgspecError):
        letter = msgspec.json.decode(line, type=Letter)
        stamps(bytes(letter.record))
        return letter
    return None


def _directory(state: Path) -> Path:
    return state / "dead-letters"


def _opened(path: Path) -> int:
    """Open a file to append to, with a lock that others may share; one that was removed before that is made anew."""
    while True:
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        fcntl.flock(fd, fcntl.LOCK_SH)
        if os.fstat(fd).st_nlink:
            return fd
        os.close(fd)
