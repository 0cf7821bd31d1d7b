"""A bounded pool of threads whose results are an iterator: memory stays flat however slow its consumer is."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from typing import Generic, TypeVar

T = TypeVar("T")

JOIN_S = 5.0
"""How long a thread that is inside a call when reading is stopped is waited for. Threads are daemons."""


WAITING = 8
"""Results that wait to be read, at most. A thread whose result has to wait holds a page of items meanwhile."""


class _Channel(Generic[T]):
    """A bounded queue from some threads to one, which either side can end."""

    def __init__(self, capacity: int, producers: int) -> None:
        self._items: deque[T] = deque()
        self._capacity = capacity
        self._producers = producers
        self._changed = threading.Condition()
        self._closed = False
        self._error: BaseException | None = None

    def put(self, item: T) -> bool:
        """Add *item* once there is room; return False if nobody wants it any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._items) < self._capacity)
            if self._closed:
                return False
            self._items.append(item)
            self._changed.notify_all()
            return True

    def leave(self, error: BaseException | None) -> None:
        """Say that one producer has ended, and by which error."""
        with self._changed:
            self._producers -= 1
            self._error = self._error or error
            self._changed.notify_all()

    def __iter__(self) -> Iterator[T]:
        """Yield items until all producers have left.

        Raises:
            BaseException: the first error that a producer left with.
        """
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._items or self._error or not self._producers)
                if self._error:
                    raise self._error
                if not self._items:
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._items.clear()
            self._changed.notify_all()


def run(
    jobs: Iterable[Callable[[], Generator[T, None, None]]],
    threads: int,
    stop: threading.Event,
    interrupt: Callable[[], None] = lambda: None,
) -> Iterator[T]:
    """Yield what the *jobs* yield, in any order, running up to that many *threads* at a time.

    When this iterator is closed, or an exception is thrown into it, *stop* is set, the jobs are closed where they
    stand, and the threads are joined.

    Args:
        jobs: begun in this order; each runs in one thread.
        threads: how many; 0 only if there are no jobs.
        stop: set at the end; jobs should watch it while they wait.
        interrupt: called once it is set, to end the calls that jobs are blocked in.

    Raises:
        BaseException: what a job raised; the others are stopped. Jobs should not raise.
    """
    pending = iter(jobs)
    taking = threading.Lock()
    channel: _Channel[T] = _Channel(WAITING, producers=threads)

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

    workers = [threading.Thread(target=work, name=f"azure-{number}", daemon=True) for number in range(threads)]
    try:
        for worker in workers:
            worker.start()
        yield from channel
    finally:
        stop.set()
        channel.close()
        interrupt()
        deadline = time.monotonic() + JOIN_S
        for worker in workers:
            if worker.ident:
                worker.join(max(deadline - time.monotonic(), 0.0))
