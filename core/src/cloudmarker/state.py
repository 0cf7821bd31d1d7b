"""Where cloudmarker keeps what outlives a run: dead letters. Private files under the XDG state directory."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cloudmarker.records import diagnose, encode


def state_dir(config: Mapping[str, Any]) -> Path:
    """Return the state directory: ``state.path`` of the configuration, else the platform's own for the user."""
    path = (config.get("state") or {}).get("path")
    if path:
        return Path(path).expanduser()
    import platformdirs  # only here: most runs have a worker or two that never need it

    return Path(platformdirs.user_state_dir("cloudmarker"))


class DeadLetters:
    """Appends the records that one worker could not pass on to ``dead-letters/<worker>.jsonl``.

    Each line holds the worker, the audit's version, the time (RFC 3339, UTC), the reason and the record; what is not
    JSON in the record is replaced by the name of its type. The file is made, readable by its owner only, when the
    first one comes.

    Args:
        directory: the state directory.
        worker: the worker that could not pass the records on.
        audit_version: the run.
    """

    def __init__(self, directory: Path, worker: str, audit_version: str) -> None:
        self.path = directory / "dead-letters" / f"{worker}.jsonl"
        self._worker = worker
        self._version = audit_version
        self._fd: int | None = None

    def add(self, record: object, reason: str) -> None:
        """Append one record.

        Raises:
            OSError: the file cannot be written.
        """
        if self._fd is None:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            self._fd = os.open(self.path, flags, 0o600)
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        line = {
            "worker": self._worker,
            "audit_version": self._version,
            "time": now,
            "reason": reason,
            "record": diagnose(record),
        }
        os.write(self._fd, encode(line) + b"\n")
