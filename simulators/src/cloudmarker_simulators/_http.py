"""Requests and responses as the simulated APIs see them, independent of the transport that carries them.

Every API here is a :data:`Handler`, a function from a request to a response. What wraps one (faults, journal) is a
handler too, so that each can be used and tested without a socket.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, unquote

Json: TypeAlias = Any
"""A value that ``json.loads`` can give."""

JsonObject: TypeAlias = dict[str, Any]

READ_METHODS = frozenset({"GET", "HEAD"})


@dataclass(frozen=True)
class Request:
    """One call.

    Attributes:
        method: in upper case.
        target: path and query exactly as sent.
        headers: names in lower case.
        body: empty when there was none.
        base_url: scheme, host and port under which the client called, without a slash at the end: links in answers
            start with it, because clients follow links to the host they know only.
    """

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    base_url: str = "http://localhost"

    @cached_property
    def path(self) -> str:
        """Path, decoded, without doubled slashes and without one at the end (the root is ``""``)."""
        parts = unquote(self.target.partition("?")[0]).split("/")
        return "".join(f"/{part}" for part in parts if part)

    @cached_property
    def query(self) -> Mapping[str, str]:
        """Query parameters with names in lower case; the last one of a name counts."""
        pairs = parse_qsl(self.target.partition("?")[2], keep_blank_values=True)
        return {name.lower(): value for name, value in pairs}

    @property
    def bearer_token(self) -> str | None:
        """Token of the Authorization header, or None when it holds none."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" and token.strip() else None


@dataclass(frozen=True)
class Response:
    """One answer, and how faithfully the transport has to deliver it.

    Attributes:
        status: HTTP status code.
        body: the whole body.
        headers: besides Content-Length, which the transport adds.
        reset: drop the connection instead of answering.
        truncate_bytes: send no more of the body than this, with the Content-Length of the whole, then hang up.
        delay_s: seconds to wait before the answer is sent.
    """

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    reset: bool = False
    truncate_bytes: int | None = None
    delay_s: float = 0.0

    def json(self) -> Json:
        """Return the body, parsed."""
        return json.loads(self.body)


Handler: TypeAlias = Callable[[Request], Response]


def json_response(status: int, payload: Json, headers: Mapping[str, str] | None = None) -> Response:
    """Return a response with *payload* as its JSON body."""
    return text_response(status, json.dumps(payload, ensure_ascii=False, separators=(",", ":")), headers)


def text_response(status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return a response with *text*, which is JSON already, as its body."""
    return Response(status, text.encode(), {"Content-Type": "application/json; charset=utf-8", **(headers or {})})
