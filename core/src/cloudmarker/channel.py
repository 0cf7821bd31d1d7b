"""How records travel between workers: batches of JSON lines over OS pipes, one writer and one reader each.

A writer that ends says so in a last message; a pipe that closes without one tells its reader that the writer died. A
reader that goes away gives its writer a broken pipe at the next write. Back-pressure is the pipe's own: a full pipe
blocks its writer.

The documented worker functions also run over plain queues of dicts; :class:`QueueOutput` and :class:`QueueInput` make
those look the same.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing import connection
from typing import Any, Protocol

from cloudmarker._handover import Handover
from cloudmarker.batches import (
    BATCH_BYTES,
    BATCH_RECORDS,
    End,
    RecordBatch,
    Runs,
    last_message,
    message_of,
    read_message,
)
from cloudmarker.records import Stamps, decode, encode

_TAKEN_AT_ONCE = 100


class Origin(Protocol):
    """Who makes records: :class:`cloudmarker.records.Stamper`.

    Attributes:
        worker: the ``com.origin_worker`` of the records.
        size: about how many bytes the stamps have in a line.
    """

    worker: str
    size: int

    def take(self, count: int, /) -> Stamps | None:
        """Return the stamps that the next *count* records are to get; None if they have them."""
        ...


class Output(Protocol):
    """Where a producer's records go."""

    rejected: int
    """Records that the producer could not put, being no JSON: said to the readers at the end."""

    def put(self, line: bytes, record_type: str, origin: Origin) -> None:
        """Take one record, encoded by its origin."""
        ...

    def put_all(self, lines: Sequence[bytes], record_type: str, origin: Origin) -> None:
        """Take such records of one type."""
        ...

    def end(self, incomplete: Mapping[str, str]) -> None:
        """Say that no more records come, and which origins' streams are incomplete and why."""
        ...


class Pipe:
    """One writer's end of a pipe.

    Attributes:
        target: the worker at the other end.
        sent: records written.
        dropped: records that could not be written, the reader being gone.

    Args:
        target: the worker at the other end.
        conn: the end to write to.
        handover: keeps what the reader dies without; None if nothing is to be kept.
    """

    def __init__(self, target: str, conn: connection.Connection, handover: Handover | None = None) -> None:
        self.target = target
        self.sent = 0
        self.dropped = 0
        self._conn: connection.Connection | None = conn
        self._handover = handover

    def send(self, message: bytes, count: int) -> None:
        """Write one message; once the reader is gone, count its records as dropped."""
        if self._conn is not None:
            try:
                if self._handover is not None:
                    self._handover.sending(message)
                self._conn.send_bytes(message)
            except OSError:  # broken pipe: the reader died or has given up; the supervisor hears of it from that side
                self._conn.close()
                self._conn = None
                if self._handover is not None:
                    self._handover.broken()
            else:
                self.sent += count
                return
        elif self._handover is not None:
            self._handover.keep(message)
        self.dropped += count

    def settle(self) -> None:
        """Wait, after :meth:`close`, until the reader has dealt with everything or is gone."""
        if self._handover is not None:
            self._handover.settle()
            self._handover = None

    def close(self) -> None:
        """Close the writer's end."""
        if self._conn is not None:
            self._conn.close()
            self._conn = None


class FanOut:
    """One producer's way out: the same batches to every reader, each record encoded once.

    Safe to use from two threads: the worker's own, and the one that flushes by time.
    """

    def __init__(self, pipes: Sequence[Pipe]) -> None:
        self.pipes = tuple(pipes)
        self.rejected = 0
        self._lock = threading.Lock()
        self._lines: list[bytes] = []
        self._room = BATCH_BYTES
        self._origin: Origin | None = None
        self._stamps_size = 0
        self._type: str | None = None
        self._run_start = 0
        self._runs: Runs = []

    def put(self, line: bytes, record_type: str, origin: Origin) -> None:
        """Take one encoded record; send the batch when it is full."""
        if record_type != self._type or origin is not self._origin:
            with self._lock:
                self._begin_run(record_type, origin)
        self._lines.append(line)  # without the lock, which costs more: see _send
        self._room -= len(line) + self._stamps_size
        if self._room <= 0 or len(self._lines) >= BATCH_RECORDS:
            self.flush()

    def put_all(self, lines: Sequence[bytes], record_type: str, origin: Origin) -> None:
        """Take encoded records of one type; send the batch whenever it is full."""
        taken = 0
        while taken < len(lines):
            some = lines[taken : taken + min(_TAKEN_AT_ONCE, BATCH_RECORDS - len(self._lines))]
            taken += len(some)
            if record_type != self._type or origin is not self._origin:
                with self._lock:
                    self._begin_run(record_type, origin)
            self._lines += some
            self._room -= sum(map(len, some)) + self._stamps_size * len(some)
            if self._room <= 0 or len(self._lines) >= BATCH_RECORDS:
                self.flush()

    def flush(self) -> None:
        """Send what there is."""
        with self._lock:
            self._send()

    def end(self, incomplete: Mapping[str, str]) -> None:
        """Send what there is and the end mark, and close the pipes."""
        with self._lock:
            self._send()
            message = last_message(incomplete, self.rejected)
            for pipe in self.pipes:
                pipe.send(message, 0)
                pipe.close()

    def settle(self) -> None:
        """Wait, after :meth:`end`, until every reader has dealt with everything or is gone."""
        for pipe in self.pipes:
            pipe.settle()

    def _begin_run(self, record_type: str, origin: Origin) -> None:
        if origin is not self._origin:
            self._send()
            self._origin, self._stamps_size = origin, origin.size
        self._end_run(len(self._lines))
        self._type = record_type

    def _end_run(self, end: int) -> None:
        if end > self._run_start and self._type is not None:
            self._runs.append((self._type, end - self._run_start))
        self._run_start = end

    def _send(self) -> None:
        """Send the lines there are by now; one that :meth:`put` appends meanwhile is of the same run, and stays."""
        count, origin = len(self._lines), self._origin
        if not count or origin is None:
            return
        self._end_run(count)
        message = message_of(origin.worker, self._runs, self._lines[:count], origin.take(count))
        del self._lines[:count]
        self._room, self._run_start, self._runs = BATCH_BYTES, 0, []
        for pipe in self.pipes:
            pipe.send(message, count)


class Input(Protocol):
    """Where a consumer's records come from."""

    incomplete: dict[str, str]
    """Origins whose stream is incomplete, with the reason; final once :meth:`batches` has ended."""
    rejected: int
    """Records that the writers could not put, likewise."""

    def batches(self) -> Iterator[RecordBatch]:
        """Yield batches until every writer has ended."""
        ...

    def close(self, reason: str) -> None:
        """Take no more: every origin whose stream has not ended is incomplete, for *reason*."""
        ...


class PipeInput:
    """The readers' ends of a consumer's pipes.

    Args:
        pipes: (reader's end, origin workers that write there).
        answers: for those of these ends whose writer wants to know, the pipe on which each batch that has been dealt
            with is answered by one byte.
        last: the end that is read only when the other writers have ended: what comes there is to be the last.
    """

    def __init__(
        self,
        pipes: Sequence[tuple[connection.Connection, Sequence[str]]],
        answers: Mapping[connection.Connection, connection.Connection] | None = None,
        last: connection.Connection | None = None,
    ) -> None:
        self.incomplete: dict[str, str] = {}
        self.rejected = 0
        self._origins = {conn: tuple(origins) for conn, origins in pipes}
        self._answers = dict(answers or {})
        self._last = last

    def batches(self) -> Iterator[RecordBatch]:
        """Yield batches as they come, from whichever pipe has one; one is dealt with when the next is asked for."""
        while self._origins:
            conns = [conn for conn in self._origins if conn is not self._last] or list(self._origins)
            ready = set(connection.wait(conns)) if len(conns) > 1 else conns
            for conn in (conn for conn in conns if conn in ready):
                batch = self._receive(conn)
                if batch is not None:
                    yield batch
                    if conn in self._answers:
                        with contextlib.suppress(OSError):  # the writer is gone, and with it what it kept
                            os.write(self._answers[conn].fileno(), b"\0")

    def _receive(self, conn: connection.Connection) -> RecordBatch | None:
        try:
            message = conn.recv_bytes()
        except (EOFError, OSError):
            self.incomplete.update(dict.fromkeys(self._origins[conn], "its process died"))
            self._close(conn)
            return None
        said = read_message(message)
        if isinstance(said, End):
            self.incomplete.update(said.incomplete)
            self.rejected += said.rejected
            self._close(conn)
            return None
        return said

    def _close(self, conn: connection.Connection) -> None:
        del self._origins[conn]
        conn.close()
        if conn in self._answers:
            self._answers.pop(conn).close()

    def close(self, reason: str) -> None:
        """Take no more: writers get a broken pipe."""
        for conn, origins in list(self._origins.items()):
            self.incomplete.update(dict.fromkeys(origins, reason))
            self._close(conn)


class Queue(Protocol):
    """Anything with put and get: :class:`multiprocessing.Queue`, :class:`queue.Queue`."""

    def put(self, item: Any, /) -> None:
        """Add an item."""
        ...

    def get(self) -> Any:
        """Remove and return an item, waiting for one."""
        ...


class QueueOutput:
    """An :class:`Output` that puts each record as a dict of plain JSON values into each of some queues."""

    def __init__(self, queues: Sequence[Queue]) -> None:
        self.rejected = 0
        self._queues = tuple(queues)

    def put(self, line: bytes, record_type: str, origin: Origin) -> None:
        """Put the record."""
        self.put_all([line], record_type, origin)

    def put_all(self, lines: Sequence[bytes], record_type: str, origin: Origin) -> None:
        """Put the records."""
        for line in lines:
            stamps = origin.take(1)
            stamped = line if stamps is None else stamps.put_into(line)
            for queue in self._queues:
                queue.put(decode(stamped))

    def end(self, incomplete: Mapping[str, str]) -> None:
        """Do nothing: whoever owns the queues knows when all their writers are done, and puts the None."""


class QueueInput:
    """An :class:`Input` over a queue of dicts that ends with None."""

    def __init__(self, queue: Queue) -> None:
        self.incomplete: dict[str, str] = {}
        self.rejected = 0
        self._queue = queue
        self._seen: set[str] = set()
        self._ended = False

    def batches(self) -> Iterator[RecordBatch]:
        """Yield each record of the queue as a batch of one."""
        while (record := self._get()) is not None:
            com = record.get("com") or {}
            run = (str(com.get("record_type", "")), 1)
            yield RecordBatch(_origin(record), [run], encode(record))

    def close(self, reason: str) -> None:
        """Take no more: what is in the queue and what comes is thrown away, so that no writer waits for room."""
        while not self._ended:
            self._get()
        self.incomplete.update(dict.fromkeys(self._seen, reason))

    def _get(self) -> Any:
        record = self._queue.get()
        if record is None:
            self._ended = True
        else:
            self._seen.add(_origin(record))
        return record


def _origin(record: Any) -> str:
    """Return the origin worker of a record of whatever shape, empty if it has none."""
    try:
        return str(record["com"]["origin_worker"])
    except (TypeError, LookupError):
        return ""
