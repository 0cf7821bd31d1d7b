"""One message for all events of an audit, sent through core's delivery: the events have one answer, all the same.

::

    class ExampleAlert:
        def __init__(self, uri: str) -> None:
            self._gathering = Gathering(Digest())

        def begin(self, run: StoreRun) -> None:
            self._gathering.begin(run)

        def write(self, record: Record) -> None:
            self._gathering.write(record)

        def write_batch(self, batch: Batch) -> None:
            self._gathering.write_batch(batch)

        def done(self) -> None:
            with self._gathering as gathering:
                gathering.deliver(self._send)

Until the message is sent, every event stays in the spool; if it cannot be sent they are left there, and ``cloudmarker
replay`` sends the message.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from types import TracebackType

from cloudmarker.contracts import Batch, Record, StoreRun
from cloudmarker.delivery import Delivery, Item
from cloudmarker.errors import PluginError

from cloudmarker_alerts._digest import Digest


class Gathering:
    """Takes all events, and sees to it that the one message about them is sent.

    Args:
        digest: where the events go.
        give_up_after_s: seconds for which sending is tried again.

    Attributes:
        digest: what they come to.
        run: the run, None outside of one.
    """

    def __init__(self, digest: Digest, *, give_up_after_s: float = 300.0) -> None:
        self.digest = digest
        self.run: StoreRun | None = None
        self._intake = Delivery(lambda _: None)  # only for what it knows of records and their positions
        self._give_up_after_s = give_up_after_s
        self._first: int | None = None
        self._end = 0
        self._failed = ""

    def __enter__(self) -> Gathering:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.digest.close()

    def begin(self, run: StoreRun) -> None:
        """Answer to *run* for the events."""
        self.run = run
        self._intake.begin(run)

    def write(self, record: Record) -> None:
        """Take one event.

        Raises:
            RecordError: it is not JSON.
            PluginError: the temporary file cannot be written.
        """
        self._add([self._intake.item(record)])

    def write_batch(self, batch: Batch) -> None:
        """Take the events of a batch.

        Raises:
            PluginError: the temporary file cannot be written.
        """
        self._add(self._intake.items(batch))

    def _add(self, items: Sequence[Item]) -> None:
        self._first = items[0].position if self._first is None else self._first
        try:
            for item in items:
                self.digest.add(item.line, item.com)
                self._end = item.position + 1
        except OSError as exc:
            self._failed = f"events cannot be kept in a temporary file: {exc.strerror or exc}"
            raise PluginError(self._failed) from exc

    def deliver(self, send: Callable[[], None]) -> None:
        """Call *send* until the message is sent, and then count all events as delivered.

        Args:
            send: sends the message, in another thread: when the time that a stop leaves is over, it is not waited for.
                It may raise TransientError: it is called again after a while; PluginError: there is no point in that.

        Raises:
            PluginError: it was not sent; the events stay in the spool.
        """
        if self._failed:  # what was gathered is not all that there is: a replay has all of it
            raise PluginError(self._failed)
        delivery = Delivery(lambda _: send, give_up_after_s=self._give_up_after_s, noun="message")
        delivery.begin(_OneAnswer(self.run, self.confirm))
        delivery.add(Item(b"{}", 0))
        delivery.finish()

    def confirm(self) -> None:
        """Say that all events are where they belong."""
        if self.run is not None and self._first is not None:
            self.run.delivered(self._first, self._end - self._first)


class _OneAnswer:
    """The run as the delivery of the message sees it: one item, which stands for all events."""

    def __init__(self, run: StoreRun | None, confirm: Callable[[], None]) -> None:
        self.worker = "an alert" if run is None else run.worker
        self.audit_key = "" if run is None else run.audit_key
        self.audit_version = "" if run is None else run.audit_version
        self.origins: tuple[str, ...] = ()
        self.replay = run is not None and run.replay
        self.position = 0
        self._run = run
        self._confirm = confirm

    @property
    def deadline(self) -> float | None:
        return None if self._run is None else self._run.deadline

    @deadline.setter
    def deadline(self, value: float | None) -> None:
        raise AttributeError("the deadline is the run's")

    def take(self, position: int, count: int = 1) -> None:
        """Do nothing: the events are taken."""

    def delivered(self, position: int, count: int = 1) -> None:
        self._confirm()

    def reject(self, position: int, record: Record | bytes, reason: str) -> None:
        """Leave the events in the spool: it is the message that was refused, and no event of it."""
        raise PluginError(reason)

    def now(self) -> float:
        return time.monotonic() if self._run is None else self._run.now()

    def wait(self, seconds: float) -> None:
        if self._run is None:
            time.sleep(seconds)
        else:
            self._run.wait(seconds)
