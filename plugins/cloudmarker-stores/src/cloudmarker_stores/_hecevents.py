"""Records as events of a Splunk HTTP Event Collector: the producer's bytes, put in another order."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from cloudmarker.delivery import Item

from cloudmarker_stores._naming import run_time

_COM = b',"com":{'
_COM_AT = len(_COM) - 1


class _Stamps(msgspec.Struct, gc=False):
    record_id: str = ""
    audit_version: str = ""
    origin_worker: str = ""


_stamps = msgspec.json.Decoder(_Stamps)
_encode = msgspec.json.Encoder().encode


class Events:
    """Makes events, with ``com`` first, as searches look into the beginning of an event only.

    Args:
        host: of the machine.
        index: Splunk index.
        sourcetype: of the events.

    Attributes:
        extra_bytes: what an event takes at most besides the record, as a rule.
    """

    def __init__(self, host: str, index: str, sourcetype: str) -> None:
        self._fixed = _encode({"host": host, "index": index, "sourcetype": sourcetype}).removesuffix(b"}")
        self._heads: dict[tuple[str, str], bytes] = {}
        self.extra_bytes = len(self._fixed) + 512  # time, source, id

    def of(self, items: Sequence[Item]) -> bytes:
        """Return the events for records, one a line."""
        pieces: list[bytes] = []
        decode, heads = _stamps.decode, self._heads
        for item in items:
            line = item.line
            at = line.rfind(_COM)
            com = line[at + _COM_AT : -1]
            try:
                stamps = decode(com if at > 0 else b"")  # if that is a whole object, it is `com`: see Item.com_as
                start = heads.get((stamps.audit_version, stamps.origin_worker)) if stamps.record_id else None
            except msgspec.DecodeError:
                start = None
            if start is None:
                pieces.append(self._event(item))
                continue
            name = _encode(stamps.record_id)
            pieces += (start, b',"fields":{"event_id":', name, b'},"event":{"com":', com, b",", line[1:at], b"}}\n")
        return b"".join(pieces)

    def _event(self, item: Item) -> bytes:
        """Return the event for a record of any form, or the first one of its plugin."""
        try:
            stamps, event = item.com_first(_stamps)
        except msgspec.DecodeError:  # no com, or not one of an audit
            stamps, event = _Stamps(), (item.line,)
        start = self._start(stamps)
        if stamps.record_id:
            start += b',"fields":{"event_id":%b}' % _encode(stamps.record_id)
            self._heads[stamps.audit_version, stamps.origin_worker] = self._start(stamps)
        return b"".join((start, b',"event":', *event, b"}\n"))

    def _start(self, stamps: _Stamps) -> bytes:
        """Return the beginning of all events of one plugin in one run."""
        start = self._fixed
        if began := run_time(stamps.audit_version):
            start += b',"time":%d' % began.timestamp()
        if stamps.origin_worker:
            start += b',"source":' + _encode(stamps.origin_worker)
        return start
