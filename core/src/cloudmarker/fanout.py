"""Many reads at a time, one stream of results: for cloud plugins that read many lists from a server.

A plugin describes what it reads as jobs. A job is a generator that takes one step at a time: it asks the server for
something, and yields a result, or further jobs that follow from what it read. :func:`fan_out` runs them in threads and
is itself a generator of their results::

    def read(self):
        stop = threading.Event()
        jobs = (Job(partial(self._pages, project, stop)) for project in self._projects)
        for page in fan_out(jobs, 16, stop=stop):
            yield from page

What it holds to:

- Memory is bounded: however slow the consumer is, a few results wait for it, and each thread holds one more. However
  many jobs there are, they are taken from the iterable as they are needed; a job that yields more jobs than are being
  run has to wait.
- It ends promptly: when the consumer stops, every job is closed where it stands, and threads that are blocked in a call
  are not waited for long.
- A thread is never idle because the job that is next has to wait while another one would not: *ready_at* says so.
- Nobody is woken up for nothing: a result wakes one consumer, a job wakes one thread.
"""

from __future__ import annotations

import ctypes
import math
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Hashable, Iterable, Iterator
from contextlib import suppress
from functools import cache
from heapq import heappop, heappush
from itertools import count
from typing import Any, Generic, TypeVar

T = TypeVar("T")

ReadyAt = Callable[[Any, int], float]
"""Says when a job may take its next step, see :func:`fan_out`."""

WAITING = 8
"""Results that wait for the consumer, at most."""

BACKLOG = 1000
"""Jobs yielded by other jobs that wait for a thread, at most: then those that yield them have to wait."""

PARKED = 10_000
"""Jobs that wait for their time, at most: then no others are begun."""

_M_MMAP_THRESHOLD = -3  # malloc.h

JOIN_S = 5.0
"""Seconds that threads inside a call are waited for at the end, all together. Threads are daemons."""


class Job(Generic[T]):
    """Something to be done, step by step. It is run by one thread at a time, not always the same one.

    Args:
        start: begins it. Each step of the generator that it returns gives a result, or a further job. It should not
            raise: what it raises ends everything.
        key: what ``ready_at`` of :func:`fan_out` is asked about.
        lane: jobs of the same lane are in each other's way; by default those with the same key.
    """

    __slots__ = ("_steps", "key", "lane", "start")

    def __init__(
        self,
        start: Callable[[], Generator[T | Job[T], None, None]],
        key: Hashable = None,
        lane: Hashable = None,
    ) -> None:
        self.start = start
        self.key = key
        self.lane = key if lane is None else lane
        self._steps: Generator[T | Job[T], None, None] | None = None

    def step(self) -> T | Job[T]:
        """Take the next step and return what it gives.

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


LARGE_BYTES = 128 * 2**10
"""Freed blocks of memory of that size go back to the system, see :func:`give_back_large_blocks`."""


@cache
def give_back_large_blocks() -> None:
    """Let the C library of Linux give back to the system whatever large block of memory is freed, in this process.

    That is what it does at first. As soon as one is freed, it takes others from heaps that some threads have for
    themselves, and that do not shrink: 32 threads that read pages of two megabytes then hold 110 MB where 63 will do.
    :func:`fan_out` calls it. Elsewhere it does nothing.
    """
    with suppress(OSError, AttributeError):  # it is another system, or another C library
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)


def fan_out(
    jobs: Iterable[Job[T]],
    threads: int,
    *,
    stop: threading.Event,
    ready_at: ReadyAt | None = None,
    eager: bool = False,
    interrupt: Callable[[], None] | None = None,
    name: str = "reader",
    join_s: float = JOIN_S,
) -> Iterator[T]:
    """Yield what the *jobs* yield, in any order, running up to that many *threads* at a time.

    When this iterator is closed, or an exception is thrown into it, *stop* is set, *interrupt* is called, the jobs are
    closed where they stand, and the threads are joined.

    Args:
        jobs: begun in this order, as far as they may. The iterable is advanced under a lock and must not block: what
            has to be read before is known what there is to do is a job that yields jobs. Those come before the rest of
            the iterable.
        threads: how many; at least 1. No more are started than there are jobs for.
        stop: set at the end; jobs should look at it while they wait.
        ready_at: called with the key of a job and the number of other jobs of its lane that are taking a step, returns
            when it may take one (as :func:`time.monotonic`; in the past if at once). It is asked between the steps of a
            job, too: one that has to wait for long should yield something, or take a step for nothing, so that its
            thread can go on with another job. It may not block.
        eager: whether a step that gave something is followed by the next one at once. *ready_at* is then asked before
            the first step and after one that gave nothing, an empty result, which is not handed on: for jobs that know
            best when they have to wait, and whose last steps ask the server for nothing.
        interrupt: ends the calls that jobs are blocked in; called once, after *stop* was set.
        name: what the names of the threads begin with.
        join_s: see :data:`JOIN_S`.

    Raises:
        BaseException: what a job, or *jobs*, raised; the others are stopped.
    """
    give_back_large_blocks()
    schedule: _Schedule[T] = _Schedule(jobs, ready_at)
    channel: _Channel[T] = _Channel(WAITING)
    crew = _Crew(schedule, channel, threads, name, eager=eager)
    try:
        crew.begin()
        yield from channel
    finally:
        stop.set()
        channel.close()
        waiting = schedule.stop()
        if interrupt:
            interrupt()
        crew.join(join_s)
        for job in waiting:
            job.close()


class _Channel(Generic[T]):
    """A bounded queue from some threads to one, which either side can end."""

    def __init__(self, capacity: int) -> None:
        self._items: deque[T] = deque()
        self._capacity = capacity
        self._producers = 0
        self._lock = threading.Lock()
        self._filled = threading.Condition(self._lock)  # there is something to take, or there never will be
        self._drained = threading.Condition(self._lock)  # there is room, or nobody takes any more
        self._closed = False
        self._error: BaseException | None = None

    def enter(self) -> None:
        """Say that there is one more producer."""
        with self._lock:
            self._producers += 1

    def put(self, item: T) -> bool:
        """Add *item* once there is room; return False if nobody wants it any more."""
        with self._lock:
            while not self._closed and len(self._items) >= self._capacity:
                self._drained.wait()
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
            if self._error or not self._producers:
                self._filled.notify()

    def __iter__(self) -> Iterator[T]:
        """Yield items until all producers have left.

        Raises:
            BaseException: the first error that a producer left with.
        """
        while True:
            with self._lock:
                while not self._items and not self._error and self._producers:
                    self._filled.wait()
                if self._error:
                    raise self._error
                if not self._items:
                    return
                item = self._items.popleft()
                self._drained.notify()
            yield item
            del item  # it is not held while the next one is waited for

    def close(self) -> None:
        """Take nothing any more."""
        with self._lock:
            self._closed = True
            self._items.clear()
            self._drained.notify_all()


class _Schedule(Generic[T]):
    """Who does what next: a job that may go on, rather than the one whose turn it is."""

    def __init__(self, jobs: Iterable[Job[T]], ready_at: ReadyAt | None) -> None:
        self._new = iter(jobs)
        self._ready_at = ready_at
        self._added: deque[Job[T]] = deque()  # yielded by other jobs
        self._held: deque[Job[T]] = deque()  # which have yielded too many
        self._parked: list[tuple[float, int, Job[T]]] = []  # whose time has not come, a heap
        self._lanes: Counter[Hashable] = Counter()
        self._running = 0
        self._numbers = count()
        self._changed = threading.Condition()
        self._wakes_at = math.inf
        self._stopped = False
        self.wanted: Callable[[], None] = lambda: None

    def take(self) -> Job[T] | None:
        """Return a job that may take a step, once there is one; None if there will be none any more."""
        with self._changed:
            while not self._stopped:
                job, at = self._next()
                if job is not None:
                    self._lanes[job.lane] += 1
                    self._running += 1
                    self.wanted()
                    return job
                if at is None and not self._running:
                    self._changed.notify_all()
                    return None
                self._wait(at)
            return None

    def _wait(self, at: float | None) -> None:
        """Wait for a change, or until then: only one thread needs to wake up by itself, and then wakes the next."""
        if at is None or at >= self._wakes_at:
            self._changed.wait()
            return
        self._wakes_at = at
        try:
            self._changed.wait(max(at - time.monotonic(), 0.0))
        finally:
            if self._wakes_at == at:
                self._wakes_at = math.inf
            self._changed.notify()

    def add(self, job: Job[T]) -> None:
        """Add a *job* that another one has yielded."""
        with self._changed:
            self._added.append(job)
            self._changed.notify()
            self.wanted()

    def put_back(self, job: Job[T], *, at_once: bool = False) -> bool:
        """Take the *job* back if it may not go on, and return whether that is so; *at_once*: its time has come."""
        with self._changed:
            if len(self._added) > BACKLOG:
                self._held.append(job)
            else:
                if self._ready_at is None or at_once:
                    return False
                at = self._ready_at(job.key, self._lanes[job.lane] - 1)
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
            return [*self._held, *(job for _, _, job in self._parked)]

    def _park(self, at: float, job: Job[T]) -> None:
        heappush(self._parked, (at, next(self._numbers), job))

    def _leave(self, job: Job[T]) -> None:
        self._running -= 1
        self._lanes[job.lane] -= 1
        if not self._lanes[job.lane]:
            del self._lanes[job.lane]
        self._changed.notify()

    def _next(self) -> tuple[Job[T] | None, float | None]:
        """Return a job that may take a step, or when one of those that wait may perhaps."""
        now = time.monotonic()
        while self._parked and self._parked[0][0] <= now:
            _, _, job = heappop(self._parked)
            if self._may(job):
                return job, None
        while len(self._parked) < PARKED and (following := self._following()) is not None:
            if self._may(following):
                return following, None
        return None, self._parked[0][0] if self._parked else None

    def _following(self) -> Job[T] | None:
        for jobs in (self._added, self._held):
            if jobs:
                return jobs.popleft()
        return next(self._new, None)

    def _may(self, job: Job[T]) -> bool:
        """Return whether the *job* may take a step; if not, let it wait."""
        at = -math.inf if self._ready_at is None else self._ready_at(job.key, self._lanes[job.lane])
        if at <= time.monotonic():
            return True
        self._park(at, job)
        return False


class _Crew(Generic[T]):
    """The threads: one more is started whenever a job is taken or added, up to the number given."""

    def __init__(self, schedule: _Schedule[T], channel: _Channel[T], size: int, name: str, *, eager: bool) -> None:
        self._schedule = schedule
        self._channel = channel
        self._size = size
        self._name = name
        self._eager = eager
        self._threads: list[threading.Thread] = []
        self._ended = False
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Start the first thread."""
        self._schedule.wanted = self._grow
        self._grow()

    def _grow(self) -> None:
        with self._lock:
            if self._ended or len(self._threads) >= self._size:
                return
            thread = threading.Thread(target=self._work, name=f"{self._name}-{len(self._threads)}", daemon=True)
            self._channel.enter()
            self._threads.append(thread)
            thread.start()

    def join(self, seconds: float) -> None:
        """Start none any more, and wait for those there are, that long for all together."""
        with self._lock:
            self._ended = True
            threads = list(self._threads)
        deadline = time.monotonic() + seconds
        for thread in threads:
            thread.join(max(deadline - time.monotonic(), 0.0))

    def _work(self) -> None:
        error: BaseException | None = None
        try:
            while (job := self._schedule.take()) is not None:
                self._advance(job)
                del job
        except BaseException as exc:  # noqa: BLE001  # raised again where the results are read
            error = exc
        finally:
            self._channel.leave(error)

    def _advance(self, job: Job[T]) -> None:
        """Take steps of the *job* until it has ended or may not go on: what is begun is finished first."""
        kept = False
        try:
            while True:
                try:
                    result = job.step()
                except StopIteration:
                    return
                going_on = self._eager and bool(result)
                if isinstance(result, Job):
                    self._schedule.add(result)
                elif (result or not self._eager) and not self._channel.put(result):
                    return
                del result
                kept = self._schedule.put_back(job, at_once=going_on)
                if kept:
                    return
        finally:
            if not kept:
                job.close()
                self._schedule.finish(job)
