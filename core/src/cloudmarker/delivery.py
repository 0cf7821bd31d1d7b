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

What becomes of a record is said to the :class:`~cloudmarker.contracts.StoreRun`, so that the framework counts it: delivered,
rejected, or left in the spool for ``cloudmarker replay``. While something is tried again, ``write`` does not return: the
records behind it wait in the pipeline, where memory is bounded.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from cloudmarker.contracts import Batch, Record, StoreRun
from cloudmarker.errors import PluginError, RecordError, TooLargeError, TransientError
from cloudmarker.records import decode, encode

_log = logging.getLogger("cloudmarker.delivery")

BATCH_BYTES = 1024 * 1024
BATCH_RECORDS = 1000
GIVE_UP_AFTER_S = 300.0
_SMALLEST_BATCH_BYTES = 16 * 1024
"""However often batches are too large, none is made to hold less than this."""


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

    __slots__ = ("_since", "line", "position")

    def __init__(self, line: bytes, position: int) -> None:
        self.line = line
        self.position = position
        self._since: float | None = None

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

Send = Callable[[Sequence[Item]], Iterable[Verdict] | None]
