"""Batches of records: some of one producer, in order, as the JSON it made of them.

A batch carries what a reader needs in order to route without decoding: the origin worker, and the record types as runs.
As a message on a pipe it is a header line (JSON) and the records' lines. The stamps are the same for all records of a
producer but for a number, so they travel in the header; they are put into the lines where somebody wants them there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, TypedDict

import msgspec

from cloudmarker.contracts import Bucket
from cloudmarker.records import STAMPS, Stamps, decode, valid_unicode

BATCH_RECORDS = 1000
"""Records in a batch at most."""
BATCH_BYTES = 64 * 1024
"""A batch is sent once its records, with their stamps, have this many bytes or more: small enough to stay in a core's
own cache at both ends, and below the size from which the C library asks the system for each buffer anew; four times
this is a third slower."""
BUCKETS: tuple[Bucket, ...] = ("raw", "ext", "com")

Runs = list[tuple[str, int]]


class _Header(msgspec.Struct, omit_defaults=True):
    """The first line of a message."""

    origin: str = ""
    runs: Runs = []
    stamps: Stamps | None = None
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
        count: how many records there are.

    Args:
        origin_worker: the same.
        runs: the same.
        lines: the records' JSON, one a line.
        stamps: those that the lines do not have yet; None if they have them.
    """

    __slots__ = ("_lines", "_stamps", "count", "origin_worker", "runs")

    def __init__(self, origin_worker: str, runs: Runs, lines: bytes, stamps: Stamps | None = None) -> None:
        self.origin_worker = origin_worker
        self.runs = runs
        self.count = sum(count for _, count in runs)
        self._lines = lines
        self._stamps = stamps

    @property
    def data(self) -> bytes:
        """The records' JSON, one a line, with their stamps."""
        if self._stamps is not None:  # once, and instead of the lines without them: a record may be large
            self._lines, self._stamps = self._stamps.put_into(self._lines), None
        return self._lines

    def first_id(self) -> str:
        """Return the ``com.record_id`` of the first record; empty if it has none."""
        if self._stamps is not None:
            return self._stamps.first_id()
        return str((decode(self._lines.partition(b"\n")[0]).get("com") or {}).get("record_id", ""))

    def unstamped(self) -> tuple[bytes, Stamps | None]:
        """Return the lines as they are by now, and the stamps that they do not have."""
        return self._lines, self._stamps

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

    def split(self) -> Iterator[RecordBatch]:
        """Yield a batch for each run; nothing is decoded."""
        lines = self._lines.split(b"\n")
        at = 0
        for run in self.runs:
            stamps = None if self._stamps is None else self._stamps.after(at)
            yield RecordBatch(self.origin_worker, [run], b"\n".join(lines[at : at + run[1]]), stamps)
            at += run[1]


class Decoder:
    """Turns batches into dicts, decoding only the buckets and fields that someone reads; the others are not there."""

    def __init__(self, buckets: Collection[str] = BUCKETS) -> None:
        self._decode: Callable[[bytes], list[Any]] = msgspec.json.Decoder(_record_of(buckets)).decode_lines
        self._stamps = tuple(name for name in STAMPS if "com" in buckets or f"com.{name}" in buckets)

    def records(self, batch: RecordBatch) -> list[Any]:
        """Return the records of *batch*."""
        lines, stamps = batch.unstamped()
        try:
            records = self._decode(lines)
        except RecursionError:  # nested as deep as its writer's stack just allowed: a fresh stack has more room
            from concurrent.futures import ThreadPoolExecutor

            with ThreadPoolExecutor(1) as fresh:
                records = fresh.submit(self._decode, lines).result()
        if stamps is not None and self._stamps:
            stamps.add_to(records, self._stamps)
        return records


def _record_of(buckets: Collection[str]) -> Any:
    """Return the type of a record of which only some buckets, or fields of ``com``, are decoded."""
    if set(buckets) >= set(BUCKETS):
        return dict[str, Any]
    parts: dict[str, Any] = {name: Any for name in BUCKETS if name in buckets}
    fields = {name.removeprefix("com."): Any for name in buckets if name.startswith("com.")}
    if fields and "com" not in parts:
        parts["com"] = TypedDict("com", fields, total=False)  # type: ignore[operator]  # mypy wants the fields written out
    return TypedDict("record", parts, total=False)  # type: ignore[operator]  # likewise


def message_of(origin_worker: str, runs: Runs, lines: Sequence[bytes], stamps: Stamps | None) -> bytes:
    """Return a batch as a message."""
    try:
        header = _encode_header(_Header(origin=origin_worker, runs=runs, stamps=stamps))
    except UnicodeEncodeError:  # the records have U+FFFD for what is not Unicode in their types
        runs = [(valid_unicode(record_type), count) for record_type, count in runs]
        header = _encode_header(_Header(origin=origin_worker, runs=runs, stamps=stamps))
    return b"\n".join((header, *lines))


def last_message(incomplete: Mapping[str, str], rejected: int) -> bytes:
    """Return the message after which no more come.

    Args:
        incomplete: the origins whose streams are incomplete, with the reason.
        rejected: how many records could not be put.
    """
    return _encode_header(_Header(end=True, incomplete=dict(incomplete), rejected=rejected)) + b"\n"


class End(msgspec.Struct):
    """What the last message says.

    Attributes:
        incomplete: see :func:`last_message`.
        rejected: the same.
    """

    incomplete: dict[str, str]
    rejected: int


def read_message(message: bytes) -> RecordBatch | End:
    """Return what a message says."""
    head, _, lines = message.partition(b"\n")
    header = _decode_header(head)
    if header.end:
        return End(header.incomplete, header.rejected)
    return RecordBatch(header.origin, header.runs, lines, header.stamps)
