"""Where to listen, as a configuration has it."""

from __future__ import annotations

import re

LOOPBACK = "127.0.0.1"
_ADDRESS = re.compile(r"(?:(?P<host>[\w.-]+|\[[0-9A-Fa-f:.]+\]):)?(?P<port>[0-9]{1,5})", re.ASCII)


def split(address: str) -> tuple[str, int]:
    """Return host and port of ``HOST:PORT``, ``[IPv6]:PORT`` or ``PORT``, which is one of this machine only.

    Raises:
        ValueError: it is none of these.

    >>> split("127.0.0.1:9464"), split("9464"), split("[::]:9464")
    (('127.0.0.1', 9464), ('127.0.0.1', 9464), ('::', 9464))
    """
    match = _ADDRESS.fullmatch(address)
    if match is None or not 0 < int(match["port"]) < 65536:
        raise ValueError(f'{address!r} is no address; expected HOST:PORT, such as "127.0.0.1:9464", or a port')
    return (match["host"] or LOOPBACK).strip("[]"), int(match["port"])
