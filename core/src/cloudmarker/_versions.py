"""Versions of runs: no two runs of an audit have the same one, however soon one follows the other."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path

from cloudmarker._filenames import file_stem

_MODE = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


def reserve(state: Path, audit_keys: Iterable[str], make: Callable[[], str]) -> str:
    """Return a version that the last runs of some audits do not have, and note it for the next ones.

    What is known of a run by its version, and ``com.record_id``, would else be that of another run, too. In the second
    in which one of the audits began last, this waits for the next one.

    Args:
        state: the state directory.
        audit_keys: the audits that begin.
        make: returns the version of a run that begins now.

    Raises:
        OSError: the last versions cannot be read or noted.
    """
    directory = state / "versions"
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    with ExitStack() as stack:
        files: list[int] = []
        for key in sorted(set(audit_keys)):  # in order, so that no two processes wait for each other
            files.append(os.open(directory / file_stem(key), _MODE, 0o600))
            stack.callback(os.close, files[-1])
            fcntl.flock(files[-1], fcntl.LOCK_EX)
        used = {os.read(file, 100).decode("ascii", "replace") for file in files}
        while (version := make()) in used:
            time.sleep(1 - time.time() % 1)
        for file in files:
            os.ftruncate(file, 0)
            os.pwrite(file, version.encode(), 0)
    return version
