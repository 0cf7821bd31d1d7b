"""A record on its way to a server, and what a server may answer; offered by :mod:`cloudmarker.delivery`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from cloudmarker.records import decode

T = TypeVar("T")

_COM = b',"com":{'
_COM_AT = len(_COM) - 1


class _Id(msgspec.Struct, gc=False):
    record_id: str = ""


class _Line(msgspec.Struct):
    com: msgspec.Raw


_id = msgspec.json.Decoder(_Id)
_dict = msgspec.json.Decoder(dict[str, Any])
_line = msgspec.json.Decoder(_Line)


class Item(msgspec.Struct, gc=False, eq=False):
    """One record on its way.

    Attributes:
        line: its JSON as its producer encoded it, UTF-8, without a newline.
        position: of the record in the run, see :class:`~cloudmarker.contracts.StoreRun`.
    """

    line: bytes
    position: int

    @property
    def record_id(self) -> str:
        """``com.record_id``: the same each time the record is sent, also by a replay."""
        return self.com_as(_id).record_id

    @property
    def com(self) -> dict[str, Any]:
        """The ``com`` bucket, decoded anew by each access."""
        return self.com_as(_dict)

    @property
    def record(self) -> Any:
        """The record, decoded anew by each access, so that it may be changed."""
        return decode(self.line)

    def com_as(self, decoder: msgspec.json.Decoder[T]) -> T:
        """Return the ``com`` bucket as *decoder* decodes it; one that names only some fields is fast.

        Raises:
            msgspec.DecodeError: there is none, or the decoder wants something else.
        """
        line = self.line
        at = line.rfind(_COM)
        try:
            # What follows the last `,"com":` and makes, without the line's last brace, a whole object, is in no string
            # and in no object but the record: it is `com`. So the rest of the line need not be looked at.
            return decoder.decode(line[at + _COM_AT : -1] if at >= 0 else b"")
        except msgspec.DecodeError:
            return decoder.decode(_line.decode(line).com)

    def com_first(self, decoder: msgspec.json.Decoder[T]) -> tuple[T, Sequence[bytes]]:
        """Return likewise ``com``, and the record's JSON, in pieces, with ``com`` as its first bucket.

        That is for what looks into the beginning of a record only, as Splunk does. A record whose ``com`` is neither
        the first bucket nor the last is returned as it is.

        Raises:
            msgspec.DecodeError: there is none, or the decoder wants something else.
        """
        line = self.line
        at = line.rfind(_COM)
        com = line[at + _COM_AT : -1] if at >= 0 else b""
        try:
            return decoder.decode(com), (b'{"com":', com, b",", line[1:at], b"}")  # as in com_as
        except msgspec.DecodeError:
            return decoder.decode(_line.decode(line).com), (line,)


def record_ids(items: Sequence[Item]) -> list[str]:
    """Return the ``record_id`` of each item, in less time than one by one.

    Raises:
        msgspec.DecodeError: one has no ``com``.
    """
    ids: list[str] = []
    look, at_com = _id.decode, _COM_AT
    for item in items:
        line = item.line
        at = line.rfind(_COM)
        try:
            ids.append(look(line[at + at_com : -1] if at >= 0 else b"").record_id)  # as in com_as
        except msgspec.DecodeError:
            ids.append(item.record_id)
    return ids


def rows(positions: list[int]) -> Iterator[tuple[int, int]]:
    """Yield the first and the number of positions that follow one another."""
    if not positions:
        return
    first, count = positions[0], len(positions)
    if positions == list(range(first, first + count)):  # as a rule it is one row
        yield first, count
        return
    count = 1
    for position in positions[1:]:
        if position != first + count:
            yield first, count
            first, count = position, 0
        count += 1
    yield first, count


@dataclass(frozen=True)
class Delivered:
    """The server has the record, now or since an earlier attempt."""


@dataclass(frozen=True)
class Retry:
    """The server may take the record later.

    Attributes:
        reason: why not now, in one line without secrets.
        after_s: seconds that the server asked to wait, None if it did not say.
    """

    reason: str
    after_s: float | None = None


@dataclass(frozen=True)
class Rejected:
    """The server will never take the record: it goes to the dead letters.

    Attributes:
        reason: why, in one line without secrets.
    """

    reason: str


Verdict = Delivered | Retry | Rejected
DELIVERED = Delivered()
"""The verdict to give; there is nothing to tell two of them apart."""
