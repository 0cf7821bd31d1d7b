"""How records travel between workers: batches of JSON lines over OS pipes, one writer and one reader each.

A message on a pipe is a header line (JSON) and the records' lines. The header carries what a reader needs in order to
route without decoding: the origin worker, and the record types as runs. A writer that ends says so in a last message;
a pipe that closes without one tells its reader that the writer died. A reader that goes away gives its writer a broken
pipe at the next write. Back-pressure is the pipe's own: a full pipe blocks its writer.

The documented worker functions also run over plain queues of dicts; :class:`QueueOutput` and :class:`QueueInput` make
those look the same.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from multiprocessing import connection
from typing import Any, Protocol, TypedDict

import msgspec

from cloudmarker._handover import Handover
from cloudmarker.contracts import Bucket
from cloudmarker.records import decode, encode, valid_unicode

BATCH_RECORDS = 1000
"""Records in a batch at most."""
BATCH_BYTES = 64 * 1024
"""A batch is sent once its records have this many bytes or more: small enough to stay in a core's own cache at both
ends, and below the size from which the C library asks the system for each buffer anew; four times this is a third
slower."""
_TAKEN_AT_ONCE = 100
BUCKETS: tuple[Bucket, ...] = ("raw", "ext", "com")

Runs = list[tuple[str, int]]


class _Header(msgspec.Struct, omit_defaults=True):
    """The first line of a message."""

    origin: str = ""
    runs: Runs = []
    end: bool = False
    incomplete: dict[str, str] = {}
    rejected: int = 0


_encode_header = msgspec.json.Encoder().encode
_decode_header = msgspec.json.Decoder(_Header).decode


class RecordBatch:
    """Some records of one origin, in order.

    Attributes:
        origin_worker: the ``com.origin_worker`` that all of them carry.
        runs: (record type, how many records of it in a row).
        data: the records' JSON, one a line.
        count: how many records there are.
    """

    __slots__ = ("count", "data", "origin_worker", "runs")

    def __init__(self, origin_worker: str, runs: Runs, data: bytes) -> None:
        self.origin_worker = origin_worker
        self.runs = runs
        self.data = data
        self.count = sum(count for _, count in runs)

    def only(self, record_types: Collection[str]) -> RecordBatch | None:
        """Return the part with these record types, None if there is none; nothing is decoded."""
        wanted = [run for run in self.runs if run[0] in record_types]
        if len(wanted) == len(self.runs):
            return self
        if not wanted:
            return None
        lines = self.data.split(b"\n")
        kept: list[bytes] = []
        at = 0
        for record_type, count in self.runs:
            if record_type in record_types:
                kept += lines[at : at + count]
            at += count
        return RecordBatch(self.origin_worker, wanted, b"\n".join(kept))


class Decoder:
    """Turns batches into dicts, decoding only the buckets and fields that someone reads; the others are not there."""

    def __init__(self, buckets: Collection[str] = BUCKETS) -> None:
        self._decode: Callable[[bytes], list[Any]] = msgspec.json.Decoder(_record_of(buckets)).decode_lines

    def records(self, batch: RecordBatch) -> list[Any]:
        """Return the records of *batch*."""
        try:
            return self._decode(batch.data)
        except RecursionError:  # nested as deep as its writer's stack just allowed: a fresh stack has more room
            from concurrent.futures import ThreadPoolExecutor

            with ThreadPoolExecutor(1) as fresh:
                return fresh.submit(self._decode, batch.data).result()


def _record_of(buckets: Collection[str]) -> Any:
    """Return the type of a record of which only some buckets, or fields of ``com``, are decoded."""
    if set(buckets) >= set(BUCKETS):
        return dict[str, Any]
    parts: dict[str, Any] = {name: Any for name in BUCKETS if name in buckets}
    fields = {name.removeprefix("com."): Any for name in buckets if name.startswith("com.")}
    if fields and "com" not in parts:
        parts["com"] = TypedDict("com", fields, total=False)  # type: ignore[operator]
    return TypedDict("record", parts, total=False)  # type: ignore[operator]


class Output(Protocol):
    """Where a producer's records go."""

    rejected: int
    """Records that the producer could not put, being no JSON: said to the readers at the end."""

    def put(self, line: bytes, record_type: str, origin_worker: str) -> None:
        """Take one encoded record."""
        ...

    def put_all(self, lines: Sequence[bytes], record_type: str, origin_worker: str) -> None:
        """Take encoded records of one type."""
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
        self._origin = ""
        self._type: str | None = None
        self._run_start = 0
        self._runs: Runs = []

    def put(self, line: bytes, record_type: str, origin_worker: str) -> None:
        """Take one encoded record; send the batch when it is full."""
        if record_type != self._type or origin_worker != self._origin:
            with self._lock:
                self._begin_run(record_type, origin_worker)
        self._lines.append(line)  # without the lock, which costs more: see _send
        self._room -= len(line)
        if self._room <= 0 or len(self._lines) >= BATCH_RECORDS:
            self.flush()

    def put_all(self, lines: Sequence[bytes], record_type: str, origin_worker: str) -> None:
        """Take encoded records of one type; send the batch whenever it is full."""
        taken = 0
        while taken < len(lines):
            some = lines[taken : taken + min(_TAKEN_AT_ONCE, BATCH_RECORDS - len(self._lines))]
            taken += len(some)
            if record_type != self._type or origin_worker != self._origin:
                with self._lock:
                    self._begin_run(record_type, origin_worker)
            self._lines += some
            self._room -= sum(map(len, some))
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
            header = _Header(end=True, incomplete=dict(incomplete), rejected=self.rejected)
            message = _encode_header(header) + b"\n"
            for pipe in self.pipes:
                pipe.send(message, 0)
                pipe.close()

    def settle(self) -> None:
        """Wait, after :meth:`end`, until every reader has dealt with everything or is gone."""
        for pipe in self.pipes:
            pipe.settle()

    def _begin_run(self, record_type: str, origin_worker: str) -> None:
        if origin_worker != self._origin:
            self._send()
            self._origin = origin_worker
        self._end_run(len(self._lines))
        self._type = record_type

    def _end_run(self, end: int) -> None:
        if end > self._run_start and self._type is not None:
            self._runs.append((self._type, end - self._run_start))
        self._run_start = end

    def _send(self) -> None:
        """Send the lines there are by now; one that :meth:`put` appends meanwhile is of the same run, and stays."""
        count = len(self._lines)
        if not count:
            return
        self._end_run(count)
        try:
            header = _encode_header(_Header(origin=self._origin, runs=self._runs))
        except UnicodeEncodeError:  # the records have U+FFFD for what is not Unicode in their types
            runs = [(valid_unicode(record_type), count) for record_type, count in self._runs]
            header = _encode_header(_Header(origin=self._origin, runs=runs))
        message = b"\n".join((header, *self._lines[:count]))
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
        head, _, data = message.partition(b"\n")
        header = _decode_header(head)
        if header.end:
            self.incomplete.update(header.incomplete)
            self.rejected += header.rejected
            self._close(conn)
            return None
        return RecordBatch(header.origin, header.runs, data)

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

    def put(self, line: bytes, record_type: str, origin_worker: str) -> None:
        """Put the record."""
        for queue in self._queues:
            queue.put(decode(line))

    def put_all(self, lines: Sequence[bytes], record_type: str, origin_worker: str) -> None:
        """Put the records."""
        for line in lines:
            self.put(line, record_type, origin_worker)

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
