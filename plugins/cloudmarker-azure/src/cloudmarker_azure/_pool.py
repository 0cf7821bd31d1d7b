"""A bounded pool of threads whose results are an iterator: memory stays flat however slow its consumer is."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Hashable, Iterable, Iterator
from heapq import heappop, heappush
from itertools import count
from typing import Any, Generic, TypeVar

T = TypeVar("T")

ReadyAt = Callable[[Any, int], float]

JOIN_S = 5.0
"""How long a thread that is inside a call when reading is stopped is waited for. Threads are daemons."""

WAITING = 8
"""Results that wait to be read, at most. A thread whose result has to wait holds a page of items meanwhile."""

PARKED = 4096
"""Jobs that wait for their moment, at most: further ones are not begun until one of these has gone on."""


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


class Job(Generic[T]):
    """Something to be done, step by step.

    Attributes:
        key: what its schedule asks *ready_at* about.
        lane: jobs of the same lane are in each other's way.
        start: begins it; each step of the generator gives a result. One that is empty is not handed on: it says that
            the next step may have to wait, so that the thread can do something else until it may be taken.
    """

    __slots__ = ("_steps", "key", "lane", "start")

    def __init__(self, key: Hashable, lane: Hashable, start: Callable[[], Generator[T, None, None]]) -> None:
        self.key = key
        self.lane = lane
        self.start = start
        self._steps: Generator[T, None, None] | None = None

    def step(self) -> T:
        """Return the next result.

        Raises:
            StopIteration: there are no more.
        """
        if self._steps is None:
            self._steps = self.start()
        return next(self._steps)

    def close(self) -> None:
        """End it where it stands."""
        if self._steps is not None:
            self._steps.close()


class Schedule(Generic[T]):
    """Who does what next: a job that may go on, rather than the one whose turn it is.

    Args:
        ready_at: when a job with that key may take a step (monotonic seconds, in the past if at once), given how many
            jobs of the same lane are taking one.
    """

    def __init__(self, ready_at: ReadyAt = lambda key, ahead: -math.inf) -> None:
        self._new: Iterator[Job[T]] = iter(())
        self._added: deque[Job[T]] = deque()
        self._ready_at = ready_at
        self._parked: list[tuple[float, int, Job[T]]] = []
        self._running: Counter[Hashable] = Counter()
        self._numbers = count()
        self._changed = threading.Condition()
        self._stopped = False

    def feed(self, jobs: Iterable[Job[T]]) -> None:
        """Begin with these *jobs*, in this order as far as they may; call it once, before they run."""
        self._new = iter(jobs)

    def add(self, job: Job[T]) -> None:
        """Add a *job*, while another one is taking a step."""
        with self._changed:
            self._added.append(job)
            self._changed.notify()

    def take(self) -> Job[T] | None:
        """Return a job that may take a step, once there is one; None if there will be none any more."""
        with self._changed:
            while not self._stopped:
                job, at = self._next()
                if job is not None:
                    self._running[job.lane] += 1
                    return job
                if at is None and not self._running:
                    self._changed.notify_all()
                    return None
                self._changed.wait(None if at is None else max(at - time.monotonic(), 0.0))
            return None

    def put_back(self, job: Job[T]) -> bool:
        """Take the *job* back if it may not go on at once, and return whether that is so."""
        with self._changed:
            at = self._ready_at(job.key, self._running[job.lane] - 1)
            if at <= time.monotonic():
                return False
            self._park(at, job)
            self._leave(job)
            return True

    def finish(self, job: Job[T]) -> None:
        """Forget the *job*, which has ended."""
        with self._changed:
            self._leave(job)

    def stop(self) -> list[Job[T]]:
        """Let every :meth:`take` return, and return the jobs that wait."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
            return [job for _, _, job in self._parked]

    def _park(self, at: float, job: Job[T]) -> None:
        heappush(self._parked, (at, next(self._numbers), job))

    def _leave(self, job: Job[T]) -> None:
        self._running[job.lane] -= 1
        if not self._running[job.lane]:
            del self._running[job.lane]
        self._changed.notify()

    def _next(self) -> tuple[Job[T] | None, float | None]:
        """Return a job that may take a step, or when one of those that wait may perhaps."""
        now = time.monotonic()
        while self._parked and self._parked[0][0] <= now:
            _, _, job = heappop(self._parked)
            if self._may(job, now):
                return job, None
        while len(self._parked) < PARKED:
            found = self._added.popleft() if self._added else next(self._new, None)
            if found is None:
                break
            if self._may(found, now):
                return found, None
        return None, self._parked[0][0] if self._parked else None

    def _may(self, job: Job[T], now: float) -> bool:
        """Return whether the *job* may take a step; if not, let it wait."""
        at = self._ready_at(job.key, self._running[job.lane])
        if at <= now:
            return True
        self._park(at, job)
        return False


def run(
    schedule: Schedule[T], threads: int, stop: threading.Event, interrupt: Callable[[], None] = lambda: None
) -> Iterator[T]:
    """Yield what the jobs yield, in any order, running up to that many *threads* at a time.

    When this iterator is closed, or an exception is thrown into it, *stop* is set, the jobs are closed where they
    stand, and the threads are joined.

    Args:
        schedule: the jobs; each step of one runs in one thread.
        threads: how many; 0 only if there are no jobs.
        stop: set at the end; jobs should watch it while they wait.
        interrupt: called once *stop* is set, to end the calls that jobs are blocked in.

    Raises:
        BaseException: what a job raised; the others are stopped. Jobs should not raise.
    """
    channel: _Channel[T] = _Channel(WAITING, producers=threads)

    def work() -> None:
        error: BaseException | None = None
        try:
            while (job := schedule.take()) is not None:
                _advance(job, schedule, channel)
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
        waiting = schedule.stop()
        interrupt()
        deadline = time.monotonic() + JOIN_S
        for worker in workers:
            if worker.ident:
                worker.join(max(deadline - time.monotonic(), 0.0))
        for job in waiting:
            job.close()


def _advance(job: Job[T], schedule: Schedule[T], channel: _Channel[T]) -> None:
    """Take steps of the *job* until it has ended or gives way: what is begun is finished first."""
    parked = False
    try:
        while True:
            try:
                result = job.step()
            except StopIteration:
                return
            if result:
                if not channel.put(result):
                    return
            elif parked := schedule.put_back(job):
                return
    finally:
        if not parked:
            job.close()
            schedule.finish(job)
