"""A Splunk HTTP Event Collector: requests, and what its answers mean. Importing this imports the SDK.

The codes are those of "Troubleshoot HTTP Event Collector" in Splunk's documentation. Errors of the web server in front
of it (413, 415) come as HTML and have no code.
"""

from __future__ import annotations

import contextlib
import gzip
import logging
import time
import uuid
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import requests
from cloudmarker.errors import PluginError, RecordError, TooLargeError, TransientError
from cloudmarker.servers import CONNECT_TIMEOUT_S, retry_after_s, tls_refusal
from cloudmarker.text import one_line
from requests.auth import AuthBase
from urllib3.exceptions import InsecureRequestWarning

_log = logging.getLogger("cloudmarker.stores.splunkhecstore")

_GZIP_LEVEL = 3
_SLOW_DOWN_S = 1.0
_FIRST_POLL_S, _LAST_POLL_S = 0.1, 2.0

_OK = 0
_NEARLY_FULL = frozenset({24, 25})  # the queue, or the acknowledgement channel, is nearly full; this request is in
_PASSING = frozenset({8, 9, 18, 19, 20, 23, 26, 27})  # internal error, busy, queues full, shutting down, channel full
_RECORD = frozenset({5, 6, 12, 13, 15})  # no data, invalid data, no event, blank event, invalid fields
_HINTS = {
    1: "the token is disabled",
    2: "a token is needed",
    3: "the authorization is not understood",
    4: "the token is not known",
    7: "the index is not one that the token may use",
    10: "the token wants acknowledgement: set ack: true",
    11: "the channel is not valid",
    14: "the token has acknowledgement switched off: set ack: false, or switch it on",
    16: "the token must be in the header",
    21: "the token is not known",
    22: "the token is disabled",
}


@dataclass(frozen=True)
class Access:
    """How a collector is reached; see the parameters of SplunkHECStore."""

    uri: str
    token: str
    verify: bool | str
    timeout_s: float
    ack: bool
    ack_timeout_s: float


class Collector:
    """A collector that takes events."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._gzip = True
        self._channel = str(uuid.uuid4())
        self._requests: dict[str, requests.PreparedRequest] = {}
        self._settings: dict[str, Any] = {}
        self._session = requests.Session()
        self._session.auth = _Token(access.token)
        self._session.headers["User-Agent"] = "cloudmarker"
        if access.ack:
            self._session.headers["X-Splunk-Request-Channel"] = self._channel
        if access.verify is False:
            _log.warning("the certificate of Splunk is not verified: anyone on the way can read and change")

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def send(self, events: bytes, wait: Callable[[float], None]) -> None:
        """Send events, and return once they are in; with acknowledgement, once they are indexed.

        Args:
            events: JSON of each, one after the other.
            wait: waits for so many seconds, or raises TransientError if there is no time for that.

        Raises:
            TransientError: it may succeed later; perhaps they are in nevertheless.
            TooLargeError: it is too much for one request.
            RecordError: there is something wrong with one of them.
            PluginError: no events are taken.
        """
        answer = self._post(self._access.uri, events)
        if answer.status_code == 415 and self._gzip:
            _log.info("Splunk, or what is in front of it, takes no compressed requests")
            self._gzip = False
            answer = self._post(self._access.uri, events)
        body = _judged(answer)
        if self._access.ack:
            self._await(body.get("ackId"), wait)
        if body.get("code") in _NEARLY_FULL:
            with contextlib.suppress(TransientError):  # these are in, whether there is time to wait or not
                wait(_SLOW_DOWN_S)

    def _await(self, ack: object, wait: Callable[[float], None]) -> None:
        """Wait until a request is acknowledged."""
        if not isinstance(ack, int):
            raise PluginError("Splunk: the answer has no ackId: is acknowledgement on for the token?")
        uri = f"{self._access.uri.removesuffix('/event')}/ack?channel={self._channel}"
        question = b'{"acks":[%d]}' % ack
        end, pause = time.monotonic() + self._access.ack_timeout_s, _FIRST_POLL_S
        while True:
            acks = _judged(self._post(uri, question), poll=True).get("acks")
            if isinstance(acks, dict) and acks.get(str(ack)) is True:
                return
            if time.monotonic() + pause > end:  # false is "not yet", and also "never heard of"
                raise TransientError(f"Splunk: not acknowledged within {self._access.ack_timeout_s:.0f} s")
            wait(pause)
            pause = min(2 * pause, _LAST_POLL_S)

    def _post(self, uri: str, body: bytes) -> requests.Response:
        compressed = self._gzip
        if compressed:
            body = gzip.compress(body, _GZIP_LEVEL, mtime=0)
        timeout = (min(CONNECT_TIMEOUT_S, self._access.timeout_s), self._access.timeout_s)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", InsecureRequestWarning)  # it has been said, once
                request = self._request(uri).copy()
                if compressed:
                    request.headers["Content-Encoding"] = "gzip"
                request.prepare_body(body, None)
                if self._session.cookies:  # by which a load balancer knows its server
                    request.prepare_cookies(self._session.cookies)
                return self._session.send(request, timeout=timeout, allow_redirects=False, **self._settings)
        except requests.exceptions.SSLError as exc:
            if refusal := tls_refusal(str(exc)):
                raise PluginError(f"Splunk: {refusal}: {one_line(exc, 300)}") from exc
            raise TransientError(f"Splunk: {one_line(exc, 300)}") from exc
        except (
            requests.exceptions.ConnectionError,
            requests.exceptions.Timeout,
            requests.exceptions.ChunkedEncodingError,
            requests.exceptions.ContentDecodingError,
        ) as exc:  # whether the events are in is not known
            raise TransientError(f"Splunk: {type(exc).__name__}: {one_line(exc, 300)}") from exc
        except (requests.exceptions.RequestException, OSError) as exc:
            raise PluginError(f"Splunk: {one_line(exc, 300)}") from exc

    def _request(self, uri: str) -> requests.PreparedRequest:
        """Return what all requests to *uri* have in common; making it takes half as long as a whole request."""
        request = self._requests.get(uri)
        if request is None:
            head = requests.Request("POST", uri, headers={"Content-Type": "application/json"})
            # `verify` is not given to the session, because the environment would override that
            self._settings = self._session.merge_environment_settings(uri, {}, None, self._access.verify, None)
            request = self._session.prepare_request(head)
            request.headers.pop("Cookie", None)  # it may change
            self._requests[uri] = request
        return request


class _Token(AuthBase):
    """The header with the token; as an auth object, so that no .netrc takes its place."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Splunk {self._token}"
        return request


def _judged(answer: requests.Response, *, poll: bool = False) -> dict[str, Any]:
    """Return the JSON of an answer that says yes.

    Args:
        answer: of the collector.
        poll: whether it is to a question about acknowledgements, which has no code if all is well.

    Raises:
        CloudmarkerError: it says no.
    """
    status, body = answer.status_code, _json(answer)
    code = body.get("code")
    if status == 200 and (code == _OK or code in _NEARLY_FULL or (poll and "acks" in body)):
        return body
    what = body.get("text") or one_line(answer.text, 100) or answer.reason
    text = f"Splunk: HTTP {status}{'' if code is None else f', code {code}'}: {what}"
    if status == 413:
        raise TooLargeError(text)
    if code in _RECORD:
        raise RecordError(text)
    if code in _PASSING or status in (408, 429) or status >= 500:
        raise TransientError(text, retry_after_s(answer.headers.get("Retry-After")))
    if status == 200 and not body:
        raise PluginError(f"{text}; what answers is no event collector, or something on the way changes its answers")
    hint = _HINTS.get(code) if isinstance(code, int) else None
    raise PluginError(f"{text}; {hint}" if hint else text)


def _json(answer: requests.Response) -> dict[str, Any]:
    with contextlib.suppress(ValueError):
        body = answer.json()
        if isinstance(body, dict):
            return body
    return {}
