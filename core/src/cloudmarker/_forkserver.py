"""The process that workers are forked from.

This module imports next to nothing, so that the fork server can be started before all else: it loads the pipeline on
another core while this process loads the same and reads the configuration.
"""

from __future__ import annotations

import atexit
import contextlib
import multiprocessing
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from multiprocessing import forkserver, resource_tracker
from multiprocessing.context import ForkServerContext
from types import ModuleType
from typing import Any

from cloudmarker.errors import ConfigError

_PRELOAD = ["cloudmarker._process", "cloudmarker.plugins", "cloudmarker.findings"]
"""What every worker needs, or many do: it is loaded once."""
_LONGEST_TMPDIR = 70
"""The fork server listens at a socket two levels below the temporary directory; such a path has 108 bytes at most."""


def context() -> ForkServerContext:
    """Return the multiprocessing context of the workers.

    A fork server: workers start in milliseconds from a process that has the pipeline loaded and no threads, and
    inherit no file descriptor but their own.
    """
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(_PRELOAD)
    return found


def start() -> None:
    """Start the fork server unless it runs, for a program that begins no other processes: at its end none is left.

    Raises:
        ConfigError: the path of the directory for temporary files is too long.
    """
    context()
    if len(tempfile.gettempdir()) > _LONGEST_TMPDIR:
        raise ConfigError(
            f"the path of the directory for temporary files is too long for a socket: set TMPDIR to one of at most "
            f"{_LONGEST_TMPDIR} characters, such as /tmp (it is {tempfile.gettempdir()})"
        )
    forkserver.ensure_running()
    atexit.unregister(_end)  # once is enough
    atexit.register(_end)


def _end() -> None:
    """Wait for the fork server and for the process that the library starts beside it.

    They end by themselves once this process is gone, but then it takes somebody else to collect them, which in a
    container may be nobody.
    """
    server: Any = forkserver._forkserver  # there is no public way
    tracker: Any = resource_tracker._resource_tracker
    with contextlib.suppress(OSError, AttributeError):  # it is gone, or this Python keeps them in another way
        if server._forkserver_pid is not None:
            os.kill(server._forkserver_pid, signal.SIGTERM)  # a worker that is left ends when it finds itself alone
            server._stop()
    with contextlib.suppress(OSError, AttributeError):
        tracker._stop()


@contextlib.contextmanager
def main_module_left_alone() -> Iterator[None]:
    """Keep workers from importing the program's main module: a script without a ``__main__`` guard would run again."""
    module: ModuleType = sys.modules["__main__"]
    saved: dict[str, Any] = {name: vars(module).pop(name) for name in ("__file__", "__spec__") if name in vars(module)}
    module.__spec__ = None
    try:
        yield
    finally:
        vars(module).update(saved)
