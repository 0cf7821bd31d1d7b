"""What alerts that send over HTTP to an address of the user's have in common."""

from __future__ import annotations

from urllib.parse import urlsplit

from cloudmarker.servers import is_loopback


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
