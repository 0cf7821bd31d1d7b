"""What a writer keeps of what it sent until the reader has it, and where that goes if the reader dies.

For each message that it has dealt with, the reader sends one byte back on a pipe of its own. What it has not dealt with
is in the pipe or in its hands: no more than the pipe holds and two messages. When the reader dies, all of that, and all
that is still to come, goes to a file of the spool.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections import deque
from multiprocessing.connection import Connection
from pathlib import Path

from cloudmarker.batches import RecordBatch, read_message
from cloudmarker.spool import append

_log = logging.getLogger("cloudmarker.spool")

_LOOK_AT_BYTES = 1024 * 1024
"""Answers are read once this much waits for them: rarely enough to cost nothing, and about what a pipe holds."""


class Handover:
    """The messages of one pipe that its reader may not have.

    Args:
        answers: the end of the pipe on which the reader answers.
        path: the file for what cannot be handed over.
    """

    def __init__(self, answers: Connection, path: Path) -> None:
        self._answers = answers
        self._path = path
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._failed = False
        os.set_blocking(answers.fileno(), False)

    def sending(self, message: bytes) -> None:
        """Remember a message that is about to be written to the pipe."""
        self._waiting.append(message)
        self._bytes += len(message)
        if self._bytes > _LOOK_AT_BYTES:
            with contextlib.suppress(BlockingIOError):  # it has answered for nothing more
                self._forget(os.read(self._answers.fileno(), 65536))

    def broken(self) -> None:
        """Take note that the reader is gone: keep what it has not answered for."""
        with contextlib.suppress(BlockingIOError):  # that was the last answer
            while answered := os.read(self._answers.fileno(), 65536):
                self._forget(answered)
        while self._waiting:
            self.keep(self._waiting.popleft())
        self._bytes = 0

    def keep(self, message: bytes) -> None:
        """Put the records of a message into the spool; if that fails they are lost, which the numbers will show."""
        kept = read_message(message)
        if isinstance(kept, RecordBatch) and not self._failed:
            try:
                append(self._path, kept.data)
            except OSError as exc:
                self._failed = True
                _log.error("the spool cannot be written, what is not delivered now is lost: %s: %s", self._path, exc)

    def settle(self) -> None:
        """Wait until the reader has answered for everything; if it dies before, keep what it has not."""
        if self._waiting:
            os.set_blocking(self._answers.fileno(), True)
            while self._waiting:
                answered = os.read(self._answers.fileno(), 65536)
                if not answered:
                    self.broken()
                self._forget(answered)
        self._answers.close()

    def _forget(self, answered: bytes) -> None:
        for _ in range(min(len(answered), len(self._waiting))):
            self._bytes -= len(self._waiting.popleft())
