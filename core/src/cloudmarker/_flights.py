"""The batches of a delivery that are under way: each is sent by a plugin, here or in a thread, and gets its answers.

What a plugin raises is made one of the errors that :class:`cloudmarker.delivery.Delivery` knows, which decides what
they mean.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent import futures
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue
from threading import Thread

from cloudmarker._items import Item, Verdict
from cloudmarker.errors import PluginError, RecordError, TransientError

Answer = Iterable[Verdict] | None
Send = Callable[[Sequence[Item]], Answer | Callable[[], Answer]]
"""Sends a batch and returns the answer; or returns what does both, which may be called in another thread."""
Awaited = Callable[[], list[Verdict] | None]
"""Waits for the answer to a batch, and returns it or raises what the plugin raised."""
Answered = Future[list[Verdict] | None]

_LOOK_S = 0.5
"""How often is it looked whether there is still time to wait for an answer."""


class Flights:
    """Batches in the order in which they were sent.

    Args:
        send: of the plugin.
        threads: in which requests are made, at most; they are started when they are needed.
        numbered: gives words for so many records.
        is_late: tells whether the time to wait for answers is over.
    """

    def __init__(self, send: Send, threads: int, numbered: Callable[[int], str], is_late: Callable[[], bool]) -> None:
        self._send = send
        self._max_threads = threads
        self._numbered = numbered
        self._is_late = is_late
        self._threads: list[Thread] = []
        self._calls: SimpleQueue[tuple[Answered, Awaited] | None] = SimpleQueue()
        self._flights: deque[tuple[list[Item], Awaited]] = deque()

    def __len__(self) -> int:
        return len(self._flights)

    def send(self, batch: list[Item]) -> list[Verdict] | None:
        """Send a batch and return the answer, once it is there.

        Raises:
            TransientError: see Delivery.
            RecordError: likewise.
            PluginError: likewise.
        """
        answer = self._ask(batch, partial(self._send, batch))
        return self._call(partial(self._answer, batch, answer))() if callable(answer) else answer

    def start(self, batch: list[Item]) -> None:
        """Make a request and have a thread send it; what is raised meanwhile is part of the answer."""
        made: Answered = Future()
        awaited: Awaited = made.result
        try:
            answer = self._ask(batch, partial(self._send, batch))
        except (TransientError, RecordError, PluginError) as exc:
            made.set_exception(exc)
        else:
            if callable(answer):
                awaited = self._call(partial(self._answer, batch, answer))
            else:
                made.set_result(answer)
        self._flights.append((batch, awaited))

    def first(self) -> tuple[list[Item], Awaited]:
        """Return what was started first, and what waits for its answer; it is not among these any more."""
        return self._flights.popleft()

    def close(self) -> None:
        """End the threads, once they are idle; if there is no time for that, those that wait are left alone."""
        for _ in self._threads:
            self._calls.put(None)
        for thread in self._threads:
            while thread.is_alive() and not self._is_late():
                thread.join(_LOOK_S)
        self._threads = []

    def _call(self, call: Awaited) -> Awaited:
        """Have a thread call something; return what waits for it."""
        if len(self._threads) < min(self._max_threads, len(self._flights) + 1):
            # A daemon, so that a server that does not answer cannot keep the process from ending.
            self._threads.append(Thread(target=_work_off, args=(self._calls,), name="delivery", daemon=True))
            self._threads[-1].start()
        made: Answered = Future()
        self._calls.put((made, call))
        return partial(self._wait, made)

    def _wait(self, made: Answered) -> list[Verdict] | None:
        while True:
            try:
                return made.result(_LOOK_S)
            except futures.TimeoutError:
                if self._is_late():
                    raise TransientError("there was no answer yet") from None

    def _answer(self, batch: list[Item], call: Callable[[], Answer]) -> list[Verdict] | None:
        answer = self._ask(batch, call)
        if callable(answer):
            raise PluginError("an answer is awaited once only")
        return answer

    def _ask(
        self, batch: list[Item], call: Callable[[], Answer | Callable[[], Answer]]
    ) -> list[Verdict] | Callable[[], Answer] | None:
        try:
            answer = call()
            if answer is None or callable(answer):
                return answer
            verdicts = list(answer)
        except (TransientError, RecordError, PluginError):
            raise
        except Exception as exc:  # the plugin's code: whatever it raises, its records must not be lost
            raise PluginError(f"sending {self._numbered(len(batch))}: {type(exc).__name__}: {exc}") from exc
        if len(verdicts) != len(batch):
            raise PluginError(f"there are {len(verdicts):,} answers for {self._numbered(len(batch))}")
        return verdicts


def _work_off(calls: SimpleQueue[tuple[Answered, Awaited] | None]) -> None:
    """Make calls until there is None in place of one."""
    while (job := calls.get()) is not None:
        made, call = job
        try:
            made.set_result(call())
        except BaseException as exc:  # noqa: BLE001  whatever it is, who waits for the answer has to hear of it
            made.set_exception(exc)
        del job, made, call  # nothing is to be kept while there is nothing to do
