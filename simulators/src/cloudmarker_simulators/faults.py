"""Misbehaviour on purpose: rules that make a simulator answer some calls wrongly, late or not at all."""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, Protocol

from cloudmarker_simulators._http import Handler, Request, Response

HTML_PAGE = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><h1>Sign in to go on</h1></body></html>"


@dataclass
class Fault:
    """One rule: which calls it hits, and what becomes of them.

    A rule with a ``status`` answers in place of the API. One without lets the API answer and then changes, delays, cuts
    or drops the answer.

    Attributes:
        path: regular expression searched for, without regard to case, in path and query as sent.
        method: only calls with this method; None for all.
        status: answer with this status; None to let the API answer.
        body: body for ``status``; None for the error body that this cloud sends with such a status.
        headers: headers added to the answer, for instance ``{"Retry-After": "1"}``.
        content: ``html`` puts a web page in place of the body, with status 200 unless ``status`` says another;
            ``malformed`` sends the first half of the body as if it were the whole.
        next_link: where the answer says that the next page is: ``loop`` for the page itself, ``foreign`` for the same
            page by another name of this machine, or a URL. Google's answers have no links: only ``loop`` is for them.
        expire_token: the token that the call came with is no longer good, from this call on.
        delay_s: seconds to wait before the answer.
        reset: drop the connection instead of answering.
        truncate_bytes: send only so many bytes of the body, then drop the connection.
        skip: let so many matching calls pass first.
        times: hit so many calls, then never again; None for ever.
        rate: the share of the matching calls that are hit, from 0 to 1; None for all. Which ones is the same in every
            run that asks in the same order.
        hits: how many calls the rule has hit so far.
    """

    path: str
    method: str | None = None
    status: int | None = None
    body: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    content: Literal["html", "malformed"] | None = None
    next_link: str | None = None
    expire_token: bool = False
    delay_s: float = 0.0
    reset: bool = False
    truncate_bytes: int | None = None
    skip: int = 0
    times: int | None = None
    rate: float | None = None
    hits: int = 0

    def __post_init__(self) -> None:
        self._pattern = re.compile(self.path, re.IGNORECASE)
        self._random = random.Random(self.path)  # noqa: S311 (nobody has to be unable to guess)

    @classmethod
    def from_json(cls, rule: Mapping[str, Any]) -> Fault:
        """Return the rule that *rule*, an object of a tenant's or a fault file, describes.

        Raises:
            ValueError: a key that no rule has, or no path.
        """
        known = {item.name for item in fields(cls)} - {"hits"}
        if unknown := sorted(set(rule) - known):
            raise ValueError(f"fault rule with unknown key {unknown[0]!r}; known are {', '.join(sorted(known))}")
        if not rule.get("path"):
            raise ValueError("fault rule without a path")
        return cls(**rule)

    def matches(self, request: Request) -> bool:
        """Say whether the rule is about *request*, whatever its counts."""
        return self.method in (None, request.method) and self._pattern.search(request.target) is not None

    def hit(self) -> bool:
        """Count a matching call, and say whether it is hit."""
        if self.skip:
            self.skip -= 1
            return False
        if self.rate is not None and self._random.random() >= self.rate:
            return False
        self.hits += 1
        return True

    @property
    def spent(self) -> bool:
        """Say whether the rule has hit all the calls that it may."""
        return self.times is not None and self.hits >= self.times


class Cloud(Protocol):
    """What a fault has to know of the cloud that it is in."""

    def error(self, status: int, /) -> Response:
        """Return the cloud's usual answer with *status*."""

    def relinked(self, request: Request, response: Response, link: str, /) -> Response:
        """Return *response* with another next page, see :attr:`Fault.next_link`."""

    def revoke(self, token: str | None, /) -> None:
        """Let *token* be good no longer."""


class Faults:
    """A handler that applies the first rule that hits, and otherwise passes the call on.

    Attributes:
        rules: the list given, which may be changed at any time.
    """

    def __init__(self, inner: Handler, cloud: Cloud, rules: list[Fault]) -> None:
        """Wrap *inner*, the API of *cloud*."""
        self._inner = inner
        self._cloud = cloud
        self._lock = threading.Lock()
        self.rules = rules

    def __call__(self, request: Request) -> Response:
        """Answer *request*."""
        if not self.rules:
            return self._inner(request)
        fault = self._hit(request)
        return self._inner(request) if fault is None else self._answer(fault, request)

    def _answer(self, fault: Fault, request: Request) -> Response:
        if fault.expire_token:
            self._cloud.revoke(request.bearer_token)
        response = self._inner(request) if fault.status is None else self._cloud.error(fault.status)
        if fault.status is not None and fault.body is not None:
            response = replace(response, body=fault.body.encode())
        if fault.next_link is not None and response.status == 200:
            response = self._cloud.relinked(request, response, fault.next_link)
        if fault.content == "html":
            headers = {"Content-Type": "text/html; charset=utf-8"}
            response = Response(fault.status or 200, HTML_PAGE, headers)
        elif fault.content == "malformed":
            response = replace(response, body=response.body[: len(response.body) // 2])
        return replace(
            response,
            headers={**response.headers, **fault.headers},
            reset=fault.reset,
            truncate_bytes=fault.truncate_bytes,
            delay_s=response.delay_s + fault.delay_s,
        )

    def _hit(self, request: Request) -> Fault | None:
        with self._lock:
            return next(
                (fault for fault in self.rules if not fault.spent and fault.matches(request) and fault.hit()), None
            )


class Latency:
    """A handler that answers as another does, but later.

    Attributes:
        seconds: by how much; may be changed at any time.
    """

    def __init__(self, inner: Handler, seconds: float) -> None:
        self._inner = inner
        self.seconds = seconds

    def __call__(self, request: Request) -> Response:
        """Answer *request*, late."""
        response = self._inner(request)
        return replace(response, delay_s=response.delay_s + self.seconds) if self.seconds else response
