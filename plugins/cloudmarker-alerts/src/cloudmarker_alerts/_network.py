"""What alerts that talk to a server over HTTP have in common."""

from __future__ import annotations

import email.utils
import ipaddress
import time
from pathlib import Path
from urllib.parse import urlsplit

from cloudmarker.errors import PluginError

_NO_TLS = (
    "WRONG_VERSION_NUMBER",
    "UNKNOWN_PROTOCOL",
    "RECORD_LAYER_FAILURE",
    "HTTP_REQUEST",
    "HANDSHAKE_FAILURE",
    "UNSUPPORTED_PROTOCOL",
    "ALERT",
)


def refused_certificate(exc: BaseException) -> str | None:
    """Return why no other attempt can succeed, if *exc* is about TLS or certificates and not about a connection."""
    text = str(exc)
    if "verify failed" in text or "CERTIFICATE_VERIFY_FAILED" in text or "doesn't match" in text:
        return "its certificate is not trusted; ca_cert names the file with the authority to trust"
    if any(word in text.upper().replace(" ", "_") for word in _NO_TLS):
        return "it does not speak TLS as it is asked to; is the port one for TLS?"
    return None


def retry_after_s(value: str | None) -> float | None:
    """Return what a Retry-After header asks for, in seconds; None if it asks for nothing that can be understood."""
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError):
        return None


def address_problem(url: str) -> str | None:
    """Return what is wrong with *url* as an address to send what is confidential to; None if nothing is.

    It has to be https, or http to this machine. Nothing of it is repeated: it may be a secret.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "it is not an address such as https://example.com/path"
    if parts.scheme not in ("http", "https") or not host or port == 0 or not url.isprintable() or " " in url:
        return "it is not an address such as https://example.com/path"
    if parts.username is not None or parts.fragment:
        return "it must not have a user, a password or a fragment"
    if parts.scheme == "http" and not is_loopback(host):
        return "it must be https: all that is sent could be read on its way"
    return None


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine, by its name."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def readable_file(path: str, parameter: str) -> str:
    """Return *path* with ``~`` expanded.

    Raises:
        PluginError: there is no file that can be read.
    """
    expanded = Path(path).expanduser()
    try:
        with expanded.open("rb"):
            return str(expanded)
    except OSError as exc:
        raise PluginError(f"{parameter}: {path}: {exc.strerror}") from exc
