"""Posting JSON to a webhook, signed if there is a secret. Importing this imports requests.

Signatures follow the Standard Webhooks specification (https://www.standardwebhooks.com), so that receivers can verify
them with its libraries. The address of a webhook, its headers and keys are secrets: no message has any of them, and
what the other side answers is searched for them before it is repeated.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import logging
import time
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

import requests
from cloudmarker.errors import PluginError, RecordError, TooLargeError, TransientError
from cloudmarker.servers import CONNECT_TIMEOUT_S, retry_after_s, tls_refusal
from cloudmarker.text import visible, visible_line
from requests.auth import AuthBase

_SHOWN_ANSWER = 200
_READ_ANSWER = 4096
_MASK = "********"
_SHORTEST_SECRET = 8
"""Shorter values are not searched for in answers: they are no secrets, and are in any text."""


def signature(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the value of the header ``webhook-signature``."""
    signed = b"%b.%d.%b" % (message_id.encode(), timestamp, body)
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def key_of(secret: str) -> bytes:
    """Return the key that a secret stands for: what ``whsec_…`` has in base64, else the text itself.

    Raises:
        ValueError: what follows ``whsec_`` is not base64.
    """
    if secret.startswith("whsec_"):
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    return secret.encode()


class Webhook:
    """An address that takes JSON.

    Args:
        url: the address.
        headers: further headers.
        key: what to sign with, None not to.
        verify: the certificate authorities to trust: True, or a PEM file.
        timeout_s: seconds for one answer.
        secrets: values that must not appear in messages, besides the address, the headers and the key.
    """

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        key: bytes | None,
        *,
        verify: bool | str,
        timeout_s: float,
        secrets: Sequence[str] = (),
    ) -> None:
        logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)  # below that it logs addresses
        parts = urlsplit(url)
        self._url = url
        self._key = key
        self._verify = verify
        self._timeout = (min(CONNECT_TIMEOUT_S, timeout_s), timeout_s)
        self._secrets = [url, f"{parts.path}?{parts.query}", parts.path, parts.query, *headers.values(), *secrets]
        self._session = requests.Session()
        self._session.auth = _Nothing()
        self._session.headers.update({"User-Agent": "cloudmarker", "Content-Type": "application/json", **headers})

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def post(self, body: bytes, message_id: str) -> None:
        """Post *body*, and return once it has been taken.

        Args:
            body: JSON.
            message_id: the same whenever the same is sent, so that the receiver can tell.

        Raises:
            TransientError: it may be taken later; perhaps it has been taken nevertheless.
            TooLargeError: it is too large.
            RecordError: something in it is refused.
            PluginError: nothing is taken.
        """
        now = int(time.time())
        headers = {"webhook-id": message_id, "webhook-timestamp": str(now)}
        if self._key is not None:
            headers["webhook-signature"] = signature(self._key, message_id, now, body)
        try:
            answer = self._session.post(
                self._url,
                data=body,
                headers=headers,
                timeout=self._timeout,
                verify=self._verify,  # not of the session, which the environment would override
                stream=True,  # an answer may be of any size
                allow_redirects=False,  # what is found, and the headers, are for this address only
            )
        except requests.exceptions.SSLError as exc:  # the texts of these have the address in them
            if refusal := tls_refusal(str(exc)):
                raise PluginError(f"webhook: {refusal}") from None
            raise TransientError("webhook: the TLS connection broke") from None
        except (
            requests.exceptions.ConnectionError,
            requests.exceptions.Timeout,
            requests.exceptions.ChunkedEncodingError,
            requests.exceptions.ContentDecodingError,
        ) as exc:
            raise TransientError(f"webhook: {_cause(exc)}") from None
        except (requests.exceptions.RequestException, OSError) as exc:
            raise PluginError(f"webhook: {_cause(exc)}") from None
        with answer:
            said = b""
            with contextlib.suppress(requests.exceptions.RequestException):  # the status says all that matters
                said = next(answer.iter_content(_READ_ANSWER), b"")
            self._judge(answer, said.decode("utf-8", "replace"))

    def _judge(self, answer: requests.Response, said: str) -> None:
        status = answer.status_code
        if 200 <= status < 300:
            return
        text = f"webhook: HTTP {status}{self._shown(said)}"
        if status in (408, 425, 429) or status >= 500:
            raise TransientError(text, retry_after_s(answer.headers.get("Retry-After")))
        if status == 413:
            raise TooLargeError(text)
        if status in (400, 422):
            raise RecordError(text)
        if 300 <= status < 400:
            host = urlsplit(answer.headers.get("Location") or "").hostname or "elsewhere on the same host"
            raise PluginError(f"webhook: HTTP {status}: it has moved: {visible(host)}; redirections are not followed")
        raise PluginError(text)

    def _shown(self, said: str) -> str:
        """Return the beginning of what was answered, without secrets."""
        for secret in self._secrets:
            if len(secret) >= _SHORTEST_SECRET:
                said = said.replace(secret, _MASK)
        said = visible_line(said)
        return f": {said[:_SHOWN_ANSWER]}" if said else ""


class _Nothing(AuthBase):
    """Adds nothing to a request; with it no .netrc adds anything either."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


def _cause(exc: BaseException) -> str:
    """Return what is behind an exception, without its text, which has the address in it."""
    found: BaseException = exc
    seen: BaseException | None = exc
    while seen is not None:
        if isinstance(seen, OSError) and seen.strerror:
            return seen.strerror
        found = seen
        inner = getattr(seen, "reason", None) or next(
            (arg for arg in seen.args if isinstance(arg, BaseException)), None
        )
        seen = inner if isinstance(inner, BaseException) else seen.__cause__ or seen.__context__
    return type(exc).__name__ if found is exc else type(found).__name__
