"""Delivery to a server, for stores and alerts: batches, an answer for each record, another try for what deserves one.

A plugin says how one batch is sent; :class:`Delivery` does the rest, the same for every server::

    class ExampleStore:
        def __init__(self, uri: str) -> None:
            self._uri = uri
            self._delivery = Delivery(self._send, batch_bytes=1_000_000)

        def begin(self, run: StoreRun) -> None:
            self._delivery.begin(run)

        def write(self, record: Record) -> None:
            self._delivery.write(record)

        def write_batch(self, batch: Batch) -> None:
            self._delivery.write_batch(batch)

        def done(self) -> None:
            self._delivery.finish()

        def _send(self, items: Sequence[Item]) -> Iterable[Verdict] | None: ...

What becomes of a record is said to the :class:`~cloudmarker.contracts.StoreRun`, so that the framework counts it:
delivered, rejected, or left in the spool for ``cloudmarker replay``. While something is tried again, ``write`` does not
return: the records behind it wait in the pipeline, where memory is bounded.
"""

from __future__ import annotations

import contextlib
import logging
import random
from collections.abc import Iterable, Iterator

from cloudmarker._flights import Awaited, Flights, Send
from cloudmarker._items import DELIVERED, Delivered, Item, Rejected, Retry, Verdict, record_ids, rows
from cloudmarker._norun import NoRun
from cloudmarker.contracts import Batch, Record, StoreRun
from cloudmarker.errors import PluginError, RecordError, TooLargeError, TransientError
from cloudmarker.records import encode
from cloudmarker.text import pluralize

__all__ = ["DELIVERED", "Delivered", "Delivery", "Item", "Rejected", "Retry", "Send", "Verdict", "record_ids"]

_log = logging.getLogger("cloudmarker.delivery")

BATCH_BYTES = 1024 * 1024
BATCH_RECORDS = 1000
GIVE_UP_AFTER_S = 300.0
_SMALLEST_BATCH_BYTES = 16 * 1024
"""However often batches are too large, none is made to hold less than this."""


class Delivery:
    """Sends records in batches and sees to it that each gets its answer.

    Args:
        send: sends some records as one batch, at most as many as the limits below allow. It returns a verdict for each,
            in their order, or None if all are delivered. It may raise

            - TransientError: another attempt may succeed, or it is not known what the server did; all are sent again.
            - TooLargeError: the batch is too large; its halves are sent, and later batches are smaller.
            - RecordError: the batch is refused because of some record in it; it is halved until that one is alone,
              which then goes to the dead letters.
            - PluginError: there is no point in going on. Every other exception counts as this.

            A function that it returns is called in another thread, and is not waited for any longer when the time that
            a stop leaves is over.
        batch_bytes: bytes of JSON in a batch at most; a record that is larger is sent alone.
        batch_records: records in a batch at most.
        item_extra_bytes: bytes that a record takes in a batch besides its JSON.
        item_limit_bytes: a record that takes more than this is rejected without an attempt; None for no limit.
        give_up_after_s: seconds for which a record is tried again; if nothing at all was taken for that long, the
            plugin ends.
        first_wait_s: seconds before the second attempt; twice as many before the third, and so on, less a random part.
        max_wait_s: seconds before any attempt at most, unless the server asks for more.
        max_retry_after_s: seconds that the server is granted at most if it asks to wait.
        noun: what log lines and errors call what is sent, in the singular.
        parallel: batches that may be under way at a time. With more than one, the functions that *send* returns are
            called in other threads while the next batch is made, and batches may arrive in another order. Until
            something has been delivered, and while something is tried again, there is one at a time.

    Attributes:
        delivered: records that the server has.
        rejected: records that were refused for good.
        left: records that were given up; they stay in the spool.
    """

    def __init__(
        self,
        send: Send,
        *,
        batch_bytes: int = BATCH_BYTES,
        batch_records: int = BATCH_RECORDS,
        item_extra_bytes: int = 0,
        item_limit_bytes: int | None = None,
        give_up_after_s: float = GIVE_UP_AFTER_S,
        first_wait_s: float = 0.5,
        max_wait_s: float = 30.0,
        max_retry_after_s: float = 120.0,
        noun: str = "record",
        parallel: int = 1,
    ) -> None:
        self.delivered = 0
        self.rejected = 0
        self.left = 0
        self._batch_bytes = batch_bytes
        self._batch_records = batch_records
        self._item_extra_bytes = item_extra_bytes
        self._item_limit_bytes = item_limit_bytes
        self._give_up_after_s = give_up_after_s
        self._first_wait_s = first_wait_s
        self._max_wait_s = max_wait_s
        self._max_retry_after_s = max_retry_after_s
        self._noun = noun
        self._parallel = parallel
        self._flights = Flights(send, parallel, self._numbered, self._is_late)
        self._flows = False
        self._run: StoreRun = NoRun()
        self._items: list[Item] = []
        self._bytes = 0
        self._ended = False
        self._reason = ""
        self._patience_s = give_up_after_s

    def begin(self, run: StoreRun) -> None:
        """Answer to *run* for the records from here on; without it, :meth:`finish` raises if any was not delivered."""
        self._run = run

    def write(self, record: Record) -> None:
        """Add a record; send the batch that it does not fit in any more, or that it fills.

        Raises:
            RecordError: it is not JSON.
            PluginError: there is no point in going on.
        """
        self.add(self.item(record))

    def write_batch(self, batch: Batch) -> None:
        """Add the records of a batch as they are, likewise.

        Raises:
            PluginError: there is no point in going on.
        """
        self.add_all(self.items(batch))

    def item(self, record: Record) -> Item:
        """Return the record that is being handed as an item to :meth:`add`, here or to another Delivery of the run.

        Raises:
            RecordError: it is not JSON.
        """
        line = encode(record)
        position = self._run.position
        self._run.take(position)
        return Item(line, position)

    def items(self, batch: Batch) -> list[Item]:
        """Return the records of the batch that is being handed as items to :meth:`add`, here or elsewhere."""
        position = self._run.position
        self._run.take(position, batch.count)
        lines = batch.data.split(b"\n")
        return list(map(Item, lines, range(position, position + len(lines))))

    def add(self, item: Item) -> None:
        """Add an item; send the batch that it does not fit in any more, or that it fills.

        Raises:
            PluginError: there is no point in going on.
        """
        self.add_all((item,))

    def add_all(self, items: Iterable[Item]) -> None:
        """Add items one after the other, as :meth:`add` does.

        Raises:
            PluginError: there is no point in going on.
        """
        extra, limit = self._item_extra_bytes, self._item_limit_bytes
        for item in items:
            size = len(item.line) + extra
            if limit is not None and size > limit:
                self._reject(item, f"the {self._noun} takes {size:,} bytes; the limit is {limit:,}")
                continue
            if self._bytes + size > self._batch_bytes and self._items:
                self._launch()
            self._items.append(item)
            self._bytes += size
            if self._bytes >= self._batch_bytes or len(self._items) >= self._batch_records:
                self._launch()

    def flush(self) -> None:
        """Send what is buffered, and return when each record of it has its answer.

        Raises:
            PluginError: there is no point in going on.
        """
        self._launch()
        while self._flights:
            self._land()

    def _launch(self) -> None:
        """Send what is buffered, and return once no more is under way than may be."""
        items, self._items, self._bytes = self._items, [], 0
        if self._ended or not items:
            return
        if self._parallel == 1 or not self._flows:
            while self._flights:
                self._land()
            self._settled(items)
            return
        for batch in list(self._chunks(items)):
            self._flights.start(batch)
            while len(self._flights) > (self._parallel - 1 if self._flows else 0):
                self._land()

    def _land(self) -> None:
        """Wait for the answer to what was sent first, and see to it that each record has its own."""
        items, answer = self._flights.first()
        self._settled(items, answer)

    def _settled(self, items: list[Item], ask: Awaited | None = None) -> None:
        try:
            self._deliver(items, ask)
        except PluginError:
            self._ended = True
            self._give_up_flights()
            self._flights.close()
            raise

    def _give_up_flights(self) -> None:
        """Wait for what is under way, and note what of it is known to be delivered."""
        while self._flights:
            items, answer = self._flights.first()
            with contextlib.suppress(TransientError, RecordError, PluginError):
                self._settle(items, answer())

    def finish(self) -> None:
        """Send what is buffered; to be called by ``done`` and ``abort``. Does nothing after a PluginError.

        Raises:
            PluginError: not all records are delivered or, if the framework counts them, rejected.
        """
        try:
            self.flush()
        finally:
            self._flights.close()
        if self._ended:
            return
        if self.left:
            raise PluginError(f"{self._numbered(self.left)} could not be delivered: {self._reason}")
        if self.rejected and isinstance(self._run, NoRun):
            raise PluginError(f"{self._numbered(self.rejected)} rejected: {self._reason}")

    def _is_late(self) -> bool:
        """Return whether the time that a stop leaves is over."""
        return self._run.deadline is not None and self._run.now() >= self._run.deadline

    def _numbered(self, count: int) -> str:
        return f"{count:,} {pluralize(count, self._noun)}"

    def _deliver(self, items: list[Item], ask: Awaited | None = None) -> None:
        """Send items until each has its answer or is given up; *ask* gives the answer if they have been sent once."""
        total, failures, since, waited = len(items), 0, 0.0, False
        while True:
            again, reason, after_s = self._round(items, ask)
            ask = None
            if len(again) < len(items):
                failures = 0
                if waited:
                    self._patience_s = self._give_up_after_s
            self._flows = not again
            if not again:
                return
            failures += 1
            if failures == 1:
                since = self._run.now()
            if not self._pause(again, failures, since, reason, after_s, some=len(again) < total):
                return
            items, waited = again, True

    def _round(self, items: list[Item], ask: Awaited | None) -> tuple[list[Item], str, float | None]:
        """Send each item once; return those to be sent again, the first reason, and the longest wait asked for."""
        again: list[Item] = []
        reasons: list[str] = []
        waits: list[float] = []
        work = list(self._chunks(items))[::-1] if ask is None else [items]
        while work:
            batch = work.pop()
            try:
                known, ask = ask, None
                retries = self._settle(batch, known() if known else self._flights.send(batch))
            except TransientError as exc:  # nothing else would get through now, so nothing else is tried
                again += batch
                again += [item for rest in reversed(work) for item in rest]
                reasons.append(str(exc))
                waits += [] if exc.retry_after_s is None else [exc.retry_after_s]
                break
            except RecordError as exc:
                work += self._halves(batch, exc)
                if isinstance(exc, TooLargeError) and len(batch) > 1:
                    self._shrink(batch)
                    work = [part for rest in work for part in list(self._chunks(rest))[::-1]]
                continue
            again += [item for item, _ in retries]
            reasons += [verdict.reason for _, verdict in retries[:1]]
            waits += [verdict.after_s for _, verdict in retries if verdict.after_s is not None]
        return again, reasons[0] if reasons else "", max(waits, default=None)

    def _chunks(self, items: list[Item]) -> Iterator[list[Item]]:
        """Yield the items as batches within the limits, which may have become smaller since the items were gathered."""
        if self._size(items) <= self._batch_bytes:
            yield items
            return
        batch: list[Item] = []
        taken = 0
        for item in items:
            size = len(item.line) + self._item_extra_bytes
            if batch and taken + size > self._batch_bytes:
                yield batch
                batch, taken = [], 0
            batch.append(item)
            taken += size
        if batch:
            yield batch

    def _settle(self, batch: list[Item], verdicts: list[Verdict] | None) -> list[tuple[Item, Retry]]:
        """Note what is known now; return what is to be tried again."""
        if verdicts is None:
            self._confirm(batch)
            return []
        retries: list[tuple[Item, Retry]] = []
        confirmed: list[Item] = []
        for item, verdict in zip(batch, verdicts, strict=True):
            if isinstance(verdict, Delivered):
                confirmed.append(item)
            elif isinstance(verdict, Retry):
                retries.append((item, verdict))
            else:
                self._reject(item, verdict.reason)
        self._confirm(confirmed)
        return retries

    def _halves(self, batch: list[Item], exc: RecordError) -> list[list[Item]]:
        """Return the halves of a batch that was refused, the first one last; a record alone is rejected."""
        if len(batch) == 1:
            self._reject(batch[0], str(exc))
            return []
        half = len(batch) // 2
        return [batch[half:], batch[:half]]

    def _shrink(self, batch: list[Item]) -> None:
        """Make batches from now on half as large as this one, which is too large."""
        self._batch_bytes = min(self._batch_bytes, max(self._size(batch) // 2, _SMALLEST_BATCH_BYTES))

    def _size(self, items: list[Item]) -> int:
        return sum([len(item.line) for item in items]) + self._item_extra_bytes * len(items)

    def _confirm(self, items: list[Item]) -> None:
        self.delivered += len(items)
        for position, count in rows([item.position for item in items]):
            self._run.delivered(position, count)

    def _reject(self, item: Item, reason: str) -> None:
        self.rejected += 1
        self._reason = reason
        self._run.reject(item.position, item.line, reason)

    def _pause(
        self, items: list[Item], failures: int, since: float, reason: str, after_s: float | None, *, some: bool
    ) -> bool:
        """Wait before the next attempt; return whether there is to be one, else the items are given up.

        Args:
            items: what is to be sent again.
            failures: how many attempts in a row got nothing of it through.
            since: when the first of them was.
            reason: why.
            after_s: seconds that the server asked to wait.
            some: whether others of the same batch got through.

        Raises:
            PluginError: nothing at all has been taken for too long, or the time to stop has come.
        """
        run, now = self._run, self._run.now()
        wait = min(self._max_wait_s, self._first_wait_s * 2.0 ** min(failures - 1, 60))
        wait *= random.uniform(0.5, 1)  # noqa: S311  # nothing to guess here
        if after_s is not None:
            wait = max(wait, min(after_s, self._max_retry_after_s))
        if run.deadline is not None and now + wait > run.deadline:
            raise PluginError(
                f"{self._numbered(len(items))} still to be delivered when the audit was stopped: {reason}"
            )
        if now + wait > since + (self._patience_s if some else self._give_up_after_s):
            if not some:
                raise PluginError(f"nothing could be delivered for {now - since:.0f} s: {reason}")
            # Others got through, so it is these records; if there are many such, they shall not each cost as much time.
            self._patience_s /= 2
            self.left += len(items)
            self._reason = reason
            _log.error("%s: %s given up: %s", run.worker, self._numbered(len(items)), reason)
            return False
        _log.warning("%s: %s to be sent again in %.1f s: %s", run.worker, self._numbered(len(items)), wait, reason)
        run.wait(wait)
        return True
