"""Events as files that go with an alert: JSON Lines or CSV, compressed if they are large, and never too large."""

from __future__ import annotations

import csv
import io
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import msgspec

COLUMNS = (
    "severity",
    "status",
    "cloud_type",
    "account",
    "reference",
    "check_id",
    "description",
    "recommendation",
    "first_seen",
    "last_seen",
    "record_type",
    "fingerprint",
)
"""The columns of a table: fields of ``com``."""

_PLAIN_BYTES = 1024 * 1024
_CHUNK_BYTES = 64 * 1024
_TRAILER_BYTES = 64
_FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")
_MAX_CELL = 32_767  # characters; a spreadsheet cuts longer ones, or refuses the file


class _Line(msgspec.Struct):
    com: dict[str, Any] = {}


_decode = msgspec.json.Decoder(_Line).decode
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Extract:
    """Events as one file.

    Attributes:
        name: its name, e.g. ``findings.csv.gz``.
        data: its content; empty if not even the first event fits.
        count: how many events are in it, the first ones.
        total: how many there are.
    """

    name: str
    data: bytes = field(repr=False)
    count: int
    total: int

    @property
    def compressed(self) -> bool:
        """Whether it is a gzip file."""
        return self.name.endswith(".gz")

    @property
    def whole(self) -> bool:
        """Whether all events are in it."""
        return self.count == self.total


def csv_header() -> bytes:
    """Return the first line of a table, after the mark by which spreadsheets know UTF-8."""
    return b"\xef\xbb\xbf" + _row(COLUMNS)


def csv_row(line: bytes) -> bytes:
    """Return the line of a table for an event, given as JSON."""
    com = _decode(line).com
    return _row([_cell(com.get(name)) for name in COLUMNS])


def _row(cells: Iterable[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue().encode()


def _cell(value: object) -> str:
    """Return a cell that a spreadsheet shows and does not calculate: what would be a formula begins with a quote."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else _encode(value).decode()
    text = text[:_MAX_CELL]
    if not text.isprintable():
        text = "".join(char if char.isprintable() else " " for char in text)
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text


def pack(kind: str, header: bytes, rows: Iterator[bytes], total: int, max_bytes: int) -> Extract:
    """Return *header* and as many of *rows* as fit into *max_bytes*.

    Args:
        kind: the end of the file's name.
        header: the beginning of the file.
        rows: one for each event, with its newline.
        total: how many there are.
        max_bytes: the size of the file at most. What takes more than a megabyte, or more than this, is compressed.
    """
    plain: list[bytes] = []
    size, limit = len(header), min(_PLAIN_BYTES, max_bytes)
    for row in rows:
        plain.append(row)
        size += len(row)
        if size > limit:
            return _compress(kind, header, chain(plain, rows), total, max_bytes)
    return Extract(f"findings.{kind}", header + b"".join(plain), len(plain), total)


def _compress(kind: str, header: bytes, rows: Iterator[bytes], total: int, max_bytes: int) -> Extract:
    """Compress as many rows as fit: each chunk is taken back if it turns out to be too much."""
    packer = zlib.compressobj(wbits=31)  # gzip
    data = bytearray(packer.compress(header) + packer.flush(zlib.Z_SYNC_FLUSH))
    count = 0
    for chunk, number in _chunks(rows):
        before = packer.copy()
        more = packer.compress(chunk) + packer.flush(zlib.Z_SYNC_FLUSH)
        if len(data) + len(more) + _TRAILER_BYTES > max_bytes:
            packer = before
            break
        data += more
        count += number
    data = data + packer.flush() if count else bytearray()
    return Extract(f"findings.{kind}.gz", bytes(data), count, total)


def _chunks(rows: Iterator[bytes]) -> Iterator[tuple[bytes, int]]:
    """Yield rows joined to pieces of about 64 KiB, each with the number of rows in it."""
    chunk, number = bytearray(), 0
    for row in rows:
        chunk += row
        number += 1
        if len(chunk) >= _CHUNK_BYTES:
            yield bytes(chunk), number
            chunk, number = bytearray(), 0
    if number:
        yield bytes(chunk), number
