"""Signals of a process that stays: SIGTERM and SIGINT to end, SIGHUP to read the configuration again."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from types import FrameType, TracebackType


class Signals:
    """A context in which these signals are noted instead of ending the process. For the main thread.

    Attributes:
        stopping: name of the first signal that asked to end; empty until then.
        more: numbers of those after it: they ask to end sooner. :func:`cloudmarker._running.run_audits` heeds them.
    """

    def __init__(self) -> None:
        self.stopping = ""
        self.more: list[int] = []
        self._reload = False
        self._previous: dict[int, signal._HANDLER] = {}
        self._awake = self._wake = -1

    def __enter__(self) -> Signals:
        self._awake, self._wake = os.pipe()
        os.set_blocking(self._awake, False)
        os.set_blocking(self._wake, False)
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            self._previous[signum] = signal.signal(signum, self.note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for signum, handler in self._previous.items():
            signal.signal(signum, handler)
        os.close(self._awake)
        os.close(self._wake)
        self._awake = self._wake = -1

    def wait(self, seconds: float) -> None:
        """Wait until one has come, or the time has passed."""
        select.select([self._awake], [], [], max(0.0, seconds))
        with contextlib.suppress(BlockingIOError):
            os.read(self._awake, 4096)

    def take_reload(self) -> bool:
        """Return whether SIGHUP came since this was asked last."""
        asked, self._reload = self._reload, False
        return asked

    def note(self, signum: int, frame: FrameType | None = None) -> None:
        """Note that a signal has come, and no more: whatever locks this process has may be held right now."""
        if signum == signal.SIGHUP:
            self._reload = True
        elif self.stopping:
            self.more.append(signum)
        else:
            self.stopping = signal.Signals(signum).name
        if self._wake >= 0:
            with contextlib.suppress(BlockingIOError):
                os.write(self._wake, b"\0")
