"""What plugins that talk to a server have in common: how long to try, what refusals mean, which host is this one."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone

from cloudmarker.errors import PluginError

CONNECT_TIMEOUT_S = 10.0
"""Seconds that a connection may take, however long an answer may."""

_UNTRUSTED = ("CERTIFICATE_VERIFY_FAILED", "verify failed", "doesn't match")
_NO_TLS = (
    "WRONG_VERSION_NUMBER",
    "wrong version number",
    "UNKNOWN_PROTOCOL",
    "UNSUPPORTED_PROTOCOL",
    "RECORD_LAYER_FAILURE",
    "HTTP_REQUEST",
    "HANDSHAKE_FAILURE",
    "SSLV3_ALERT",
    "TLSV1_ALERT",
    "TLSV13_ALERT",
    "TLS_ALERT",
)
"""OpenSSL's words, and no shorter ones: what libraries say also has the address in it."""


@contextmanager
def needs_client(extra: str, *modules: str) -> Iterator[None]:
    """Say what to install if an import within fails because one of a client's *modules* is not there.

    ::

        with needs_client("example", "example_sdk"):
            from cloudmarker_example._server import Server

    Raises:
        PluginError: it is not there; the extra of cloudmarker has it.
    """
    try:
        yield
    except ModuleNotFoundError as exc:
        if exc.name not in modules:
            raise
        raise PluginError(f"its client is not installed: pip install 'cloudmarker[{extra}]'") from exc


def is_loopback(host: str) -> bool:
    """Tell whether a host, given by name or address, is this machine.

    >>> is_loopback("localhost"), is_loopback("127.1.2.3"), is_loopback("[::1]"), is_loopback("example.com")
    (True, True, True, False)
    """
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def tls_refusal(text: str) -> str | None:
    """Return why no other attempt can succeed, if what a library says of a connection is about TLS or certificates."""
    if any(word in text for word in _UNTRUSTED):
        return "its certificate is not trusted; ca_cert names the file with the authority to trust"
    if any(word in text for word in _NO_TLS):
        return "it does not speak TLS as it is asked to; is the port one for TLS?"
    return None


def retry_after_s(value: str | None) -> float | None:
    """Return the seconds that a Retry-After header, a number or a date, asks to wait; None if absent or unreadable."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        from email.utils import parsedate_to_datetime  # only here: importing a plugin's class has to be quick

        try:
            until = parsedate_to_datetime(value)
        except ValueError:
            return None
        until = until if until.tzinfo else until.replace(tzinfo=timezone.utc)
        seconds = (until - datetime.now(timezone.utc)).total_seconds()
    return None if math.isnan(seconds) else max(seconds, 0.0)
