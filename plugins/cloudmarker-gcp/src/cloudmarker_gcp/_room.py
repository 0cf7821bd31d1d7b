"""Room for answers: how many bytes of them may be in memory at a time, although no one says how long one will be."""

from __future__ import annotations

import threading

from cloudmarker.reading import UnreadError

PATIENCE_S = 1.0
"""Seconds that room is waited for at most: who holds it may be waiting for something else."""

UNKNOWN_BYTES = 32 * 2**10
"""What an answer is taken to have as long as nothing is known of its kind."""


class Room:
    """Bounds the bytes of answers in memory, if not strictly: what one will have is guessed from others of its kind.

    Args:
        size: bytes that there is room for; one answer alone may take more.
        stop: set when reading ends.
    """

    def __init__(self, size: int, stop: threading.Event) -> None:
        self._size = size
        self._stop = stop
        self._taken = 0
        self._expected: dict[str, int] = {}
        self._left = threading.Condition()

    def enter(self, kind: str) -> int:
        """Wait until there is room for an answer of a *kind*, or for long enough.

        Return what it takes, to be given to :meth:`leave`.

        Raises:
            UnreadError: reading was stopped.
        """
        with self._left:
            self._left.wait_for(lambda: self._stop.is_set() or self._has(kind), PATIENCE_S)
            if self._stop.is_set():
                raise UnreadError("failed", "reading was stopped")
            wanted = self._expected.get(kind, UNKNOWN_BYTES)
            self._taken += wanted
            return wanted

    def _has(self, kind: str) -> bool:
        return not self._taken or self._taken + self._expected.get(kind, UNKNOWN_BYTES) <= self._size

    def leave(self, taken: int) -> None:
        """Give the room back."""
        if taken:
            with self._left:
                self._taken -= taken
                self._left.notify()

    def learn(self, kind: str, size: int) -> None:
        """Take note of the *size* of an answer, in bytes. The largest one counts, and is forgotten by and by."""
        with self._left:
            known = self._expected.get(kind, UNKNOWN_BYTES)
            self._expected[kind] = max(size, known - (known - size) // 16)

    def interrupt(self) -> None:
        """Wake those who wait, once *stop* is set."""
        with self._left:
            self._left.notify_all()
