"""When a request may be sent: one governor for all threads, so that no quota is used up and no refusal provoked twice.

Google counts calls per project and API, minute by minute. There is a gate for each of these. A request waits while its
gate is closed because Google refused a call, or while the calls of the last minute make up the share of the quota that
may be used. After a refusal a single request tries the gate; the others wait for what becomes of it.

Some APIs count a call for the project that is read, others for that of the caller. Which it is, is learned from
refusals, which name the project.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from cloudmarker.reading import Retry, UnreadError

from cloudmarker_gcp._outcome import RefusedError
from cloudmarker_gcp._row import Api
from cloudmarker_gcp._scopes import Scope

PROBE_S = 0.05
"""Seconds after which a gate is looked at again that depends on what is in flight, by those who do not wait at it."""

MINUTE_S = 60.0

SLICE_S = 0.5
"""Seconds whose calls are counted together: a minute has at most so many numbers."""


class Target(NamedTuple):
    """Whose quota a request counts for.

    Attributes:
        consumer: path of the project, folder or organization that is read; empty for all that can be seen.
        by_number: the same, with the number of the project.
        api: name of the API.
    """

    consumer: str
    by_number: str
    api: str

    @classmethod
    def of(cls, scope: Scope, api: Api) -> Target:
        """Return the target of what is read from a *scope*."""
        return cls(scope.path, f"projects/{scope.number}" if scope.number else scope.path, api.name)


@dataclass
class Gate:
    """What is known of one place where calls are counted.

    Attributes:
        calls_per_minute: that may be sent; 0 if that is not known.
        sent: calls of the last minute: when, and how many.
        in_flight: requests sent and not answered.
        window: how many of them there may be: half as many after a refusal, and one more for each round of answers.
        closed_at: when that was last said.
        closed_until: no request before.
        refusals: in a row.
        refused_since: when the first of these came; None if the last answer was none.
    """

    calls_per_minute: float = 0
    sent: deque[tuple[float, int]] = field(default_factory=deque)
    in_last_minute: int = 0
    in_flight: int = 0
    window: float = math.inf
    closed_at: float = -math.inf
    closed_until: float = -math.inf
    refusals: int = 0
    refused_since: float | None = None

    def wait_s(self, now: float, ahead: int) -> float:
        """Return the seconds until a request may pass; infinite if that depends on those that are in flight."""
        if self.closed_until > now:
            return self.closed_until - now
        if self.in_flight >= (1 if self.refusals else self.window):
            return math.inf
        return self._pace_s(now, ahead)

    def _pace_s(self, now: float, ahead: int) -> float:
        self._forget(now)
        if not self.calls_per_minute:
            return 0.0
        too_many = self.in_last_minute + ahead + 1 - max(self.calls_per_minute, 1)
        if too_many <= 0:
            return 0.0
        for at, calls in self.sent:
            too_many -= calls
            if too_many <= 0:
                return max(at + MINUTE_S + SLICE_S - now, 0.0)
        return MINUTE_S

    def _forget(self, now: float) -> None:
        while self.sent and self.sent[0][0] + MINUTE_S + SLICE_S <= now:
            self.in_last_minute -= self.sent.popleft()[1]

    def send(self, now: float) -> None:
        """Count a call."""
        self.in_flight += 1
        self.in_last_minute += 1
        if self.sent and now - self.sent[-1][0] < SLICE_S:
            at, calls = self.sent[-1]
            self.sent[-1] = (at, calls + 1)
        else:
            self.sent.append((now, 1))

    def open(self, now: float) -> None:
        """Let requests pass again."""
        self.refusals, self.refused_since, self.closed_until = 0, None, now

    def widen(self) -> None:
        """Take note of an answer that is no refusal."""
        self.window += 1 / self.window

    def close(self, refusal: UnreadError, now: float, retry: Retry) -> None:
        """Let nothing pass for a while. Refusals that come while it is closed were provoked before: they count once."""
        if self.closed_until <= now:
            self.refusals += 1
            self.window = max(min(self.window, self.in_flight + 1) / 2, 1.0)
        if self.refused_since is None:
            self.refused_since = now
        self.closed_at = now
        self.closed_until = max(self.closed_until, now + retry.wait_s(self.refusals, refusal.retry_after_s))


class Pass(NamedTuple):
    """What a request gets when it is let through, and gives back when it has ended.

    Attributes:
        gate: that it passed.
        at: when.
    """

    gate: Gate
    at: float


class Governor:
    """Lets requests through.

    Args:
        retry: how long to wait after a refusal, and at most.
        share: part of each quota that may be used, more than 0 and up to 1.
        stop: set when reading ends.
        apis: those that are read.
    """

    def __init__(self, retry: Retry, share: float, stop: threading.Event, apis: set[Api]) -> None:
        self._retry = retry
        self._share = share
        self._stop = stop
        self._limits = {api.name: api.calls_per_minute * share for api in apis}
        self._callers: dict[str, str] = {}
        self._gates: dict[tuple[str, str], Gate] = {}
        self._changed = threading.Condition()

    def ready_at(self, target: Target, ahead: int = 0) -> float:
        """Return when a request may pass: monotonic seconds, in the past if at once. It is a forecast, no promise.

        Args:
            target: of the request.
            ahead: requests to the same target that are about to be sent before.
        """
        with self._changed:
            now = time.monotonic()
            gate = self._gate(target)
            wait = gate.wait_s(now, ahead)
            wait = min(
                PROBE_S if math.isinf(wait) else wait,
                self._given_up_at(gate, now + self._retry.deadline_s) - now,
            )
        return now + wait if wait > 0 else -math.inf

    def enter(self, target: Target, give_up: float) -> Pass:
        """Wait until a request may be sent, and count it as sent. :meth:`leave` must follow, with what is returned.

        Args:
            target: of the request.
            give_up: when waiting makes no sense any more. The request may then be sent all the same, so that nothing
                is called throttled that was never asked for.

        Raises:
            UnreadError: reading was stopped.
        """
        with self._changed:
            while True:
                if self._stop.is_set():
                    raise UnreadError("failed", "reading was stopped")
                now = time.monotonic()
                gate = self._gate(target)
                wait = min(gate.wait_s(now, 0), self._given_up_at(gate, give_up) - now)
                if wait <= 0:
                    gate.send(now)
                    return Pass(gate, now)
                # A little more, at random, so that those who wait for the same moment do not move as one.
                self._changed.wait(min(wait * random.uniform(1.0, 1.1), 60.0))  # noqa: S311  # nothing to guess here

    def leave(self, target: Target, passed: Pass, refusal: UnreadError | None = None, *, answered: bool = True) -> None:
        """Take note that a request has ended.

        Args:
            target: of the request.
            passed: what :meth:`enter` returned.
            refusal: what the answer means, if it is that there were too many requests.
            answered: whether there was an answer.
        """
        with self._changed:
            now = time.monotonic()
            gate = passed.gate
            gate.in_flight -= 1
            if refusal is not None:
                self._learn(target, refusal, gate).close(refusal, now, self._retry)
            elif math.isinf(gate.window):
                return
            elif answered and passed.at >= gate.closed_at:  # others were let through before, and say nothing
                gate.widen()
                if gate.refusals:
                    gate.open(now)
            self._changed.notify_all()

    def _learn(self, target: Target, refusal: UnreadError, gate: Gate) -> Gate:
        """Take over what a refusal says: how much is allowed, and for whom calls are counted; return its gate."""
        if not isinstance(refusal, RefusedError):
            return gate
        caller = refusal.consumer
        if caller and caller not in (target.consumer, target.by_number) and target.api not in self._callers:
            self._callers[target.api] = caller
            gate = self._gate(target)
        if refusal.calls_per_minute:
            self._limits[target.api] = gate.calls_per_minute = refusal.calls_per_minute * self._share
        return gate

    def opens_in_time(self, target: Target, give_up: float) -> bool:
        """Return whether a request may pass before it is given up; see :meth:`enter`."""
        with self._changed:
            gate = self._gate(target)
            return gate.closed_until <= self._given_up_at(gate, give_up)

    def interrupt(self) -> None:
        """Wake those who wait, once *stop* is set."""
        with self._changed:
            self._changed.notify_all()

    def _gate(self, target: Target) -> Gate:
        key = (self._callers.get(target.api, target.consumer), target.api)
        gate = self._gates.get(key)
        if gate is None:
            gate = self._gates[key] = Gate(self._limits.get(target.api, 0))
        return gate

    def _given_up_at(self, gate: Gate, give_up: float) -> float:
        """Return when waiting ends: a gate that was closed for the whole deadline is not waited for by each anew."""
        if gate.refused_since is None:
            return give_up
        return min(give_up, gate.refused_since + self._retry.deadline_s)
