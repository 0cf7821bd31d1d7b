"""A record on its way to a server, and what a server may answer; offered by :mod:`cloudmarker.delivery`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from cloudmarker.records import decode


class _Com(msgspec.Struct):
    record_id: str = ""


class _Line(msgspec.Struct):
    com: _Com


class _ComOnly(msgspec.Struct):
    com: dict[str, Any]


_decode_id = msgspec.json.Decoder(_Line).decode
_decode_com = msgspec.json.Decoder(_ComOnly).decode


class Item:
    """One record on its way.

    Attributes:
        line: its JSON as its producer encoded it, UTF-8, without a newline.
        position: of the record in the run, see :class:`~cloudmarker.contracts.StoreRun`.
    """

    __slots__ = ("line", "position")

    def __init__(self, line: bytes, position: int) -> None:
        self.line = line
        self.position = position

    @property
    def record_id(self) -> str:
        """``com.record_id``: the same each time the record is sent, also by a replay."""
        return _decode_id(self.line).com.record_id

    @property
    def com(self) -> dict[str, Any]:
        """The ``com`` bucket, decoded anew by each access."""
        return _decode_com(self.line).com

    @property
    def record(self) -> Any:
        """The record, decoded anew by each access, so that it may be changed."""
        return decode(self.line)


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
