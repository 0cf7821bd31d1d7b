"""Where cloudmarker keeps what outlives a run: the state directory, in the place that XDG has for it, and its files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def state_dir(config: Mapping[str, Any]) -> Path:
    """Return the state directory: ``state.path`` of the configuration, else the platform's own for the user."""
    path = (config.get("state") or {}).get("path")
    if path:
        return Path(path).expanduser()
    import platformdirs  # only here: most runs have a worker or two that never need it

    return Path(platformdirs.user_state_dir("cloudmarker"))


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
