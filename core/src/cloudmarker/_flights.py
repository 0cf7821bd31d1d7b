"""The batches of a delivery that are under way: each is sent by a plugin, here or in a thread, and gets its answers.

What a plugin raises is made one of the errors that :class:`cloudmarker.delivery.Delivery` knows, which decides what
they mean.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

from cloudmarker._items import Item, Verdict
from cloudmarker.errors import PluginError, RecordError, TransientError

Answer = Iterable[Verdict] | None
Send = Callable[[Sequence[Item]], Answer | Callable[[], Answer]]
"""Sends a batch and returns the answer; or returns what does both, which may be called in another thread."""
Awaited = Callable[[], list[Verdict] | None]
"""Waits for the answer to a batch, and returns it or raises what the plugin raised."""


class Flights:
    """Batches in the order in which they were sent.

    Args:
        send: of the plugin.
        threads: in which requests are made, at most; they are started when they are needed.
        numbered: gives words for so many records.
    """

    def __init__(self, send: Send, threads: int, numbered: Callable[[int], str]) -> None:
        self._send = send
        self._max_threads = threads
        self._numbered = numbered
        self._threads: ThreadPoolExecutor | None = None
        self._flights: deque[tuple[list[Item], Awaited]] = deque()

    def __len__(self) -> int:
        return len(self._flights)

    def send(self, batch: list[Item]) -> list[Verdict] | None:
        """Send a batch without another thread; return the answer.

        Raises:
            TransientError: see Delivery.
            RecordError: likewise.
            PluginError: likewise.
        """
        answer = self._ask(batch, partial(self._send, batch))
        return self._answer(batch, answer) if callable(answer) else answer

    def start(self, batch: list[Item]) -> None:
        """Make a request and have a thread send it; what is raised meanwhile is part of the answer."""
        made: Future[list[Verdict] | None] = Future()
        awaited: Awaited = made.result
        try:
            answer = self._ask(batch, partial(self._send, batch))
        except (TransientError, RecordError, PluginError) as exc:
            made.set_exception(exc)
        else:
            if callable(answer):
                if self._threads is None:
                    self._threads = ThreadPoolExecutor(self._max_threads, "delivery")
                awaited = self._threads.submit(self._answer, batch, answer).result
            else:
                made.set_result(answer)
        self._flights.append((batch, awaited))

    def first(self) -> tuple[list[Item], Awaited]:
        """Return what was started first, and what waits for its answer; it is not among these any more."""
        return self._flights.popleft()

    def close(self) -> None:
        """End the threads, once they are idle."""
        if self._threads is not None:
            self._threads.shutdown()
            self._threads = None

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
