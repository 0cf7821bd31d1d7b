"""Misbehaviour on purpose: rules that make a simulator answer some calls wrongly, late or not at all."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from cloudmarker_simulators._http import Handler, Request, Response


@dataclass
class Fault:
    """One rule: which calls it hits, and what becomes of them.

    A rule with a ``status`` answers in place of the API. One without lets the API answer and then delays, cuts or drops
    the answer.

    Attributes:
        path: regular expression searched for, without regard to case, in path and query as sent.
        method: only calls with this method; None for all.
        status: answer with this status; None to let the API answer.
        body: body for ``status``; None for the error body that this cloud sends with such a status.
        headers: headers added to the answer, for instance ``{"Retry-After": "1"}``.
        delay_s: seconds to wait before the answer.
        reset: drop the connection instead of answering.
        truncate_bytes: send only so many bytes of the body, then drop the connection.
        skip: let so many matching calls pass first.
        times: hit so many calls, then never again; None for ever.
        hits: how many calls the rule has hit so far.
    """

    path: str
    method: str | None = None
    status: int | None = None
    body: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    reset: bool = False
    truncate_bytes: int | None = None
    skip: int = 0
    times: int | None = None
    hits: int = 0

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
        return self.method in (None, request.method) and re.search(self.path, request.target, re.IGNORECASE) is not None


class Faults:
    """A handler that applies the first rule that hits, and otherwise passes the call on.

    Attributes:
        rules: the list given, which may be changed at any time.
    """

    def __init__(self, inner: Handler, error: Callable[[int], Response], rules: list[Fault]) -> None:
        """Wrap *inner*; *error* makes this cloud's usual answer for a status."""
        self._inner = inner
        self._error = error
        self._lock = threading.Lock()
        self.rules = rules

    def __call__(self, request: Request) -> Response:
        """Answer *request*."""
        fault = self._hit(request)
        if fault is None:
            return self._inner(request)
        if fault.delay_s:
            time.sleep(fault.delay_s)
        response = self._inner(request) if fault.status is None else self._error(fault.status)
        if fault.status is not None and fault.body is not None:
            response = replace(response, body=fault.body.encode())
        return replace(
            response,
            headers={**response.headers, **fault.headers},
            reset=fault.reset,
            truncate_bytes=fault.truncate_bytes,
        )

    def _hit(self, request: Request) -> Fault | None:
        with self._lock:
            for fault in self.rules:
                if fault.times is not None and fault.hits >= fault.times:
                    continue
                if not fault.matches(request):
                    continue
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.hits += 1
                return fault
        return None
