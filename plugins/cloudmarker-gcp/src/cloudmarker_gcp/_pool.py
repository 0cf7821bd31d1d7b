"""A bounded pool of threads whose results are an iterator: memory stays flat however slow its consumer is."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from typing import Generic, TypeVar

T = TypeVar("T")

JOIN_S = 2.0
"""Seconds that threads inside a call are waited for when reading is stopped early. Threads are daemons."""


class _Channel(Generic[T]):
    """A bounded queue from some threads to one, which either side can end."""

    def __init__(self, capacity: int, producers: int) -> None:
        self._items: deque[T] = deque()
        self._capacity = capacity
        self._producers = producers
        self._lock = threading.Lock()
        self._filled = threading.Condition(self._lock)  # there is something to take, or there never will be
        self._drained = threading.Condition(self._lock)  # there is room, or nobody takes any more
        self._closed = False
        self._error: BaseException | None = None

    def put(self, item: T) -> bool:
        """Add *item* once there is room; return False if nobody wants it any more."""
        with self._lock:
            self._drained.wait_for(lambda: self._closed or len(self._items) < self._capacity)
            if self._closed:
                return False
            self._items.append(item)
            self._filled.notify()
            return True

    def leave(self, error: BaseException | None) -> None:
        """Say that one producer has ended, and by which error."""
        with self._lock:
            self._producers -= 1
            self._error = self._error or error
            self._filled.notify()

    def __iter__(self) -> Iterator[T]:
        """Yield items until all producers have left.

        Raises:
            BaseException: the first error that a producer left with.
        """
        while True:
            with self._lock:
                self._filled.wait_for(lambda: self._items or self._error or not self._producers)
                if self._error:
                    raise self._error
                if not self._items:
                    return
                item = self._items.popleft()
                self._drained.notify()
            yield item

    def close(self) -> None:
        """Take nothing any more."""
        with self._lock:
            self._closed = True
            self._items.clear()
            self._drained.notify_all()


def run(
    jobs: Iterable[Callable[[], Generator[T, None, None]]], threads: int, stop: threading.Event, join_s: float = JOIN_S
) -> Iterator[T]:
    """Yield what the *jobs* yield, in any order, running up to that many *threads* at a time.

    When this iterator is closed, or an exception is thrown into it, *stop* is set, the jobs are closed where they
    stand, and the threads are joined, each job's next wait or call being its last.

    Args:
        jobs: begun in this order, each in one thread. It is advanced in the threads, one at a time, and may itself
            take long to give the next.
        threads: at least 1.
        stop: set at the end; jobs should watch it while they wait.
        join_s: see :data:`JOIN_S`; for all threads together.

    Raises:
        BaseException: what a job raised; the others are stopped. Jobs should not raise.
    """
    pending = iter(jobs)
    taking = threading.Lock()
    channel: _Channel[T] = _Channel(capacity=2 * threads, producers=threads)

    def work() -> None:
        error: BaseException | None = None
        try:
            while not stop.is_set():
                with taking:
                    job = next(pending, None)
                if job is None:
                    return
                with closing(job()) as results:
                    for result in results:
                        if not channel.put(result):
                            return
        except BaseException as exc:  # noqa: BLE001  # raised again where the results are read
            error = exc
        finally:
            channel.leave(error)

    workers = [threading.Thread(target=work, name=f"gcp-{number}", daemon=True) for number in range(threads)]
    try:
        for worker in workers:
            worker.start()
        yield from channel
    finally:
        stop.set()
        channel.close()
        deadline = time.monotonic() + join_s
        for worker in workers:
            if worker.ident:
                worker.join(max(deadline - time.monotonic(), 0.0))
