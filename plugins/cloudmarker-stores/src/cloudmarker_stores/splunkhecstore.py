"""The Splunk store. Importing this module imports no SDK; the first record does."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cloudmarker.contracts import Batch, Incomplete, Record, StoreRun
from cloudmarker.delivery import Delivery, Item
from cloudmarker.errors import ConfigError, TransientError
from cloudmarker.parameters import not_positive, readable_file
from cloudmarker.servers import is_loopback, needs_client

from cloudmarker_stores._hecevents import Events

if TYPE_CHECKING:
    from cloudmarker_stores._hec import Collector

_log = logging.getLogger("cloudmarker.stores.splunkhecstore")

_BODY_BYTES = 1024 * 1024
_PARALLEL = 2
"""Requests that are under way at a time: one is made while the server works on the other."""


class SplunkHECStore:
    """Send records to a Splunk HTTP Event Collector, each as an event.

    The collector does not know what it has: an event that is sent again, because no answer came, is there twice. Both
    have the same `event_id`, the ``com.record_id``.

    Args:
        uri: Splunk collector service URI, as `https://splunk:8088/services/collector`.
        token: Splunk HEC token.
        index: Splunk index, one that the token may use.
        ca_cert: PEM file with the certificate authorities to trust; False does not verify the certificate of the
            server, and logs a warning; True trusts the usual ones.
        buffer_size: Maximum number of records to hold in the in-memory buffer.
        sourcetype: Sourcetype of the events.
        timeout_s: Seconds after which a request that is not answered is sent again.
        retry_deadline_s: Seconds for which records are sent again while Splunk takes none. After that they stay in the
            spool, for `cloudmarker replay`.
        ack: Count records as delivered only when Splunk has acknowledged that they are indexed. The token has to have
            acknowledgement switched on.
        ack_timeout_s: Seconds after which records that are not acknowledged are sent again.

    Raises:
        ConfigError: a parameter cannot be used; every such parameter is named.
    """

    def __init__(
        self,
        uri: str,
        token: str,
        index: str,
        ca_cert: str | bool,
        buffer_size: int = 1000,
        *,
        sourcetype: str = "cloudmarker",
        timeout_s: float = 60.0,
        retry_deadline_s: float = 300.0,
        ack: bool = False,
        ack_timeout_s: float = 120.0,
    ) -> None:
        problems: list[str] = []
        parts = urlsplit(uri)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username is not None:
            problems.append("uri: it is not like https://splunk:8088/services/collector")
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            problems.append("token: it is empty, or has characters that no token has")
        if not index:
            problems.append("index: a name is needed")
        problems += not_positive(
            buffer_size=buffer_size,
            timeout_s=timeout_s,
            retry_deadline_s=retry_deadline_s,
            ack_timeout_s=ack_timeout_s,
        )
        if problems:
            raise ConfigError(problems)
        self._uri = uri.rstrip("/")
        self._token = token
        self._index = index
        self._ca_cert = ca_cert
        self._timeout_s = timeout_s
        self._ack = ack
        self._ack_timeout_s = ack_timeout_s
        self._events = Events(socket.gethostname(), index, sourcetype)
        self._delivery = Delivery(
            self._send,
            batch_bytes=_BODY_BYTES,
            batch_records=buffer_size,
            item_extra_bytes=self._events.extra_bytes,
            give_up_after_s=retry_deadline_s,
            parallel=_PARALLEL,
        )
        self._run: StoreRun | None = None
        self._collector: Collector | None = None

    def begin(self, run: StoreRun) -> None:
        """Answer to *run*."""
        self._run = run
        self._delivery.begin(run)

    def write(self, record: Record) -> None:
        """Add a record to the buffer, and send what is there if it is full.

        Raises:
            RecordError: it is not JSON.
            PluginError: Splunk takes no events.
        """
        self._delivery.write(record)

    def write_batch(self, batch: Batch) -> None:
        """Add the records of a batch, likewise.

        Raises:
            PluginError: Splunk takes no events.
        """
        self._delivery.write_batch(batch)

    def done(self) -> None:
        """Send what is buffered.

        Raises:
            PluginError: not everything could be delivered.
        """
        try:
            self._delivery.finish()
        finally:
            if self._collector is not None:
                self._collector.close()
                self._collector = None

    def abort(self, reason: Incomplete) -> None:
        """Send what is buffered: events are not of a run as a whole.

        Raises:
            PluginError: not everything could be delivered.
        """
        self.done()

    def outputs(self) -> Iterable[str]:
        """Return where the events are; nothing if there were none."""
        return [f"{self._uri} index={self._index}"] if self._delivery.delivered else []

    def _send(self, items: Sequence[Item]) -> Callable[[], None]:
        if self._collector is None:
            self._collector = self._connect()
        return partial(self._collector.send, self._events.of(items), self._wait)

    def _connect(self) -> Collector:
        with needs_client("splunk", "requests", "urllib3"):
            from cloudmarker_stores._hec import Access, Collector
        address = urlsplit(self._uri)
        if address.scheme == "http" and not is_loopback(address.hostname or ""):
            _log.warning("%s is not https: the token can be read on its way", address.netloc)
        verify = readable_file(self._ca_cert, "ca_cert") if isinstance(self._ca_cert, str) else self._ca_cert
        return Collector(Access(self._uri, self._token, verify, self._timeout_s, self._ack, self._ack_timeout_s))

    def _wait(self, seconds: float) -> None:
        """Wait while a request is under way, unless the audit has been stopped and the time for that is up."""
        run = self._run
        if run is None:
            time.sleep(seconds)
        elif run.deadline is not None and run.now() + seconds > run.deadline:
            raise TransientError("Splunk: the audit was stopped before an acknowledgement came")
        else:
            run.wait(seconds)
