"""Where the memory of findings is, and the lock that keeps two runs of one audit from changing it at the same time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from cloudmarker._filenames import file_stem
from cloudmarker.errors import ConfigError


def directory(state: Path, audit_key: str) -> Path:
    """Return where the ledgers of an audit are."""
    return state / "findings" / file_stem(audit_key)


def ledger_path(state: Path, audit_key: str, plugin_key: str) -> Path:
    """Return the ledger of an event plugin in an audit."""
    return directory(state, audit_key) / f"{file_stem(plugin_key)}.sqlite"


class AuditLock:
    """Keeps a second run of an audit from beginning, until :meth:`release` or the end of the process.

    Args:
        state: the state directory.
        audit_key: key of the audit.

    Raises:
        ConfigError: another run of the audit is at work.
        OSError: the lock cannot be made.
    """

    def __init__(self, state: Path, audit_key: str) -> None:
        path = directory(state, audit_key) / "lock"
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._fd)
            raise ConfigError(
                f"audits.{audit_key}: another run of it is at work with the same state directory; wait for its end"
            ) from None

    def release(self) -> None:
        """Let others begin."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
