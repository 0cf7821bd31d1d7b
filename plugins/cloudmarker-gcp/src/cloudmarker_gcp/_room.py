"""Room for answers: how many bytes of them may be in memory at a time, although no one says how long one will be."""

from __future__ import annotations

import threading
import time

from cloudmarker.reading import UnreadError

PATIENCE_S = 1.0
"""Seconds in which nobody gives back any room, after which one is let in nevertheless.

Who holds room may be waiting for something else, and for a thread to go on in, so that everybody would wait for ever.
"""

UNKNOWN_BYTES = 2 * 2**20
"""What an answer is taken to have as long as nothing is known of its kind: a full page of machines. Were it less, each
thread would have one before the first was measured."""


class Room:
    """Bounds the bytes of answers in memory: what one will have is guessed from others of its kind.

    Args:
        size: bytes that there is room for; one answer alone may take more.
        stop: set when reading ends.
    """

    def __init__(self, size: int, stop: threading.Event) -> None:
        self._size = size
        self._stop = stop
        self._taken = 0
        self._moved_at = time.monotonic()
        self._expected: dict[str, int] = {}
        self._left = threading.Condition()

    def enter(self, kind: str) -> int:
        """Wait until there is room for an answer of a *kind*; return what it takes, to be given to :meth:`leave`.

        Raises:
            UnreadError: reading was stopped.
        """
        with self._left:
            while True:
                if self._stop.is_set():
                    raise UnreadError("failed", "reading was stopped")
                wanted = self._expected.get(kind, UNKNOWN_BYTES)
                patience = self._moved_at + PATIENCE_S - time.monotonic()
                if not self._taken or self._taken + wanted <= self._size or patience <= 0:
                    self._taken += wanted
                    self._moved_at = time.monotonic()
                    self._left.notify()  # there may be room for one more
                    return wanted
                self._left.wait(patience)

    def leave(self, taken: int) -> None:
        """Give the room back."""
        if taken:
            with self._left:
                self._taken -= taken
                self._moved_at = time.monotonic()
                self._left.notify()

    def learn(self, kind: str, size: int) -> None:
        """Take note of the *size* of an answer, in bytes. The largest one counts, and is forgotten by and by."""
        with self._left:
            known = self._expected.get(kind, size)
            self._expected[kind] = max(size, known - (known - size) // 16)
            self._left.notify()

    def interrupt(self) -> None:
        """Wake those who wait, once *stop* is set."""
        with self._left:
            self._left.notify_all()
