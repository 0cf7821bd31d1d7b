"""Files that hold something whole or not at all, for their owner only."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def write_whole(fd: int, data: bytes) -> None:
    """Append all of *data* to a file, or nothing of it.

    Raises:
        OSError: it cannot be written.
    """
    view, size = memoryview(data), os.fstat(fd).st_size
    try:
        while view:
            view = view[os.write(fd, view) :]
    except OSError:
        if os.fstat(fd).st_size == size + len(data) - len(view):  # nobody else has appended meanwhile
            os.ftruncate(fd, size)
        raise


def replace_file(path: Path, data: bytes, *, durable: bool) -> None:
    """Put *data* in the place of a file; whoever opens it finds all of the new content, or all of the old one.

    Args:
        path: of the file; in its directory there is one with a hidden name meanwhile.
        data: the new content.
        durable: whether it has to be on the disk before it takes its place, so that a crash of the machine leaves no
            empty file.

    Raises:
        OSError: it cannot be written; the file is as it was.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(data)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    temporary.rename(path)
