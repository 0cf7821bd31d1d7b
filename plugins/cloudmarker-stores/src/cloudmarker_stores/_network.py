"""What the stores have in common when a server is not reached, or answers that it cannot now."""

from __future__ import annotations

import email.utils
import ipaddress
import time
from pathlib import Path

from cloudmarker.errors import PluginError

CONNECT_TIMEOUT_S = 10.0

_TLS_REFUSALS = (
    "CERTIFICATE_VERIFY_FAILED",
    "certificate verify failed",
    "WRONG_VERSION_NUMBER",
    "wrong version number",
    "UNKNOWN_PROTOCOL",
    "RECORD_LAYER_FAILURE",
    "HTTP_REQUEST",
    "doesn't match",
    "HANDSHAKE_FAILURE",
    "UNSUPPORTED_PROTOCOL",
    "TLSV1_ALERT",
    "TLSV13_ALERT",
)


def tls_refusal(text: str) -> str | None:
    """Return why no other attempt can succeed, if what a library says of a connection is about TLS or certificates."""
    if "verify failed" in text or "doesn't match" in text or "CERTIFICATE_VERIFY_FAILED" in text:
        return "its certificate is not trusted; ca_cert names the file with the authority to trust"
    if any(word in text for word in _TLS_REFUSALS):
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


def one_line(text: object, limit: int = 500) -> str:
    """Return what a server or library says as one line."""
    line = " ".join(str(text).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
