"""When a request may be sent: one governor for all threads, so that no quota is used up and no refusal provoked twice.

Calls are counted per subscription, and per subscription and resource provider; what belongs to no subscription counts
for the tenant. There is a gate for each of these. A request passes two of them: it waits while either is closed because
Azure refused a call, or because what is left of a quota belongs to others. After a refusal a single request tries the
gate; the others wait for what becomes of it.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from cloudmarker.reading import Retry, UnreadError

from cloudmarker_azure._quota import Quota, Refill, Remaining, remaining

LOOK_AGAIN_S = 2.0
"""Seconds that a forecast looks ahead, at most, where the gate is open: every answer tells more of the quota."""

PROBE_S = 0.25
"""The same where one request is trying the gate."""

UNTOLD = 4
"""Requests that are sent at a time before the first answer has told what is left of the quotas."""

NO_PROVIDER = "microsoft.resources"
"""The provider of what Azure Resource Manager answers itself: subscriptions, resource groups."""

_SCOPE_THROTTLED = frozenset({"subscriptionrequeststhrottled", "tenantrequeststhrottled"})


class Target(NamedTuple):
    """Whose quotas a request counts for.

    Attributes:
        subscription: its id, lower case; empty for the tenant.
        provider: namespace of the resource provider, lower case.
    """

    subscription: str
    provider: str

    @classmethod
    def of(cls, path: str) -> Target:
        """Return the target of a *path* under the endpoint; of an extension resource it is the last provider in it."""
        parts = path.partition("?")[0].lower().split("/")
        subscription = parts[2] if len(parts) > 2 and parts[1] == "subscriptions" else ""
        providers = [parts[at + 1] for at, part in enumerate(parts[:-1]) if part == "providers"]
        return cls(subscription, providers[-1] if providers else NO_PROVIDER)


@dataclass
class _Gate:
    """What is known of one place where calls are counted.

    Attributes:
        quotas: by the name that the header gives it.
        in_flight: requests sent and not answered.
        told: whether there was an answer.
        closed_at: when the last refusal came that closed it.
        closed_until: no request before.
        refusals: in a row.
        refused_since: when the first of these came; None if the last answer was none.
        sent_at: when a request was last let through.
    """

    quotas: dict[str, Quota] = field(default_factory=dict)
    in_flight: int = 0
    told: bool = False
    closed_at: float = -math.inf
    closed_until: float = -math.inf
    refusals: int = 0
    refused_since: float | None = None
    sent_at: float = -math.inf

    def wait_s(self, now: float, share: float, max_wait_s: float, ahead: int) -> float:
        """Return the seconds until a request may pass; infinite if it depends on what becomes of those in flight."""
        if self.closed_until > now:
            return self.closed_until - now
        if self.in_flight and (self.refusals or (not self.told and max(self.in_flight, ahead) >= UNTOLD)):
            return math.inf
        wait = max((quota.wait_s(now, share, ahead) for quota in self.quotas.values()), default=0.0)
        return min(wait, max(self.sent_at + max_wait_s - now, 0.0))

    def learn(self, said: Remaining, now: float, refills: dict[str, Refill], *, refused: bool) -> None:
        """Take over what an answer says of one quota; *refills* are what is known of those of that name elsewhere."""
        quota = self.quotas.get(said.quota)
        if quota is None:
            quota = self.quotas[said.quota] = Quota(now, said.calls, refills.setdefault(said.quota, Refill()))
        quota.observe(now, said.calls, self.in_flight, said.resets_s, used=0 if refused else 1)

    def open(self, sent_at: float) -> None:
        """Let requests pass, as one that was sent then was not refused; it proves nothing if it came before."""
        if sent_at >= self.closed_at:
            self.refusals, self.refused_since, self.closed_until = 0, None, -math.inf

    def close(self, refusal: UnreadError, now: float, retry: Retry) -> None:
        """Let nothing pass for a while. Refusals that come while it is closed were provoked before: they count once."""
        if self.closed_until <= now:
            self.refusals += 1
        if self.refused_since is None:
            self.refused_since = now
        self.closed_at = now
        self.closed_until = max(self.closed_until, now + retry.wait_s(self.refusals, refusal.retry_after_s))


class Governor:
    """Lets requests through.

    Args:
        retry: how long to wait after a refusal, and at most.
        share: part of each quota that may be used, more than 0 and up to 1.
        stop: set when reading ends.
    """

    def __init__(self, retry: Retry, share: float, stop: threading.Event) -> None:
        self._retry = retry
        self._share = share
        self._stop = stop
        self._gates: dict[tuple[str, str], _Gate] = {}
        self._refills: dict[str, Refill] = {}
        self._changed = threading.Condition()

    def ready_at(self, target: Target, ahead: int = 0) -> float:
        """Return when a request may pass: monotonic seconds, minus infinity if at once. It is a forecast, no promise.

        Args:
            target: of the request.
            ahead: requests of the same subscription that are about to be sent before.
        """
        with self._changed:
            now = time.monotonic()
            wait = self._wait_s(target, now, ahead)
            closed_until = max(gate.closed_until for gate in self._of(target))
            soon = PROBE_S if math.isinf(wait) else min(wait, LOOK_AGAIN_S)
            at = min(max(now + soon, closed_until), self._given_up_at(target, math.inf))
        return at if wait > 0 and at > now else -math.inf

    def enter(self, target: Target, give_up: float) -> float:
        """Wait until a request may be sent, count it as sent, and return the time; :meth:`leave` must follow.

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
                wait = min(self._wait_s(target, now), self._given_up_at(target, give_up) - now)
                if wait <= 0:
                    break
                # A little more, at random, so that those who wait for the same moment do not move as one.
                self._changed.wait(min(wait * random.uniform(1.0, 1.1), 60.0))  # noqa: S311  # nothing to guess here
            for gate in self._of(target):
                gate.in_flight += 1
                gate.sent_at = now
                for quota in gate.quotas.values():
                    quota.spend(now)
            return now

    def leave(
        self,
        target: Target,
        sent_at: float,
        headers: Mapping[str, str] | None = None,
        refusal: UnreadError | None = None,
    ) -> None:
        """Take note that a request has ended.

        Args:
            target: of the request.
            sent_at: when it was sent, as :meth:`enter` said.
            headers: of the answer; None if there was none.
            refusal: what the answer means, if it is that there were too many requests.
        """
        with self._changed:
            now = time.monotonic()
            scope, provider = gates = self._of(target)
            for gate in gates:
                gate.in_flight -= 1
                gate.told = gate.told or headers is not None
            if headers is not None:
                used_up = False
                for said in remaining(headers):
                    gate = provider if said.of_provider else scope
                    gate.learn(said, now, self._refills, refused=refusal is not None)
                    used_up = used_up or (not said.of_provider and said.calls < 1)
                if refusal is None:
                    for gate in gates:
                        gate.open(sent_at)
                else:
                    # It is the scope's if nothing is left there, and otherwise the resource provider's in it.
                    gate = scope if used_up or refusal.code.lower() in _SCOPE_THROTTLED else provider
                    gate.close(refusal, now, self._retry)
            self._changed.notify_all()

    def opens_in_time(self, target: Target, give_up: float) -> bool:
        """Return whether a request may pass before it is given up; see :meth:`enter`."""
        with self._changed:
            return max(gate.closed_until for gate in self._of(target)) <= self._given_up_at(target, give_up)

    def interrupt(self) -> None:
        """Wake those who wait, once *stop* is set."""
        with self._changed:
            self._changed.notify_all()

    def _of(self, target: Target) -> tuple[_Gate, _Gate]:
        keys = ((target.subscription, ""), (target.subscription, target.provider))
        scope, provider = (self._gates.setdefault(key, _Gate()) for key in keys)
        return scope, provider

    def _wait_s(self, target: Target, now: float, ahead: int = 0) -> float:
        return max(gate.wait_s(now, self._share, self._retry.max_wait_s, ahead) for gate in self._of(target))

    def _given_up_at(self, target: Target, give_up: float) -> float:
        """Return when waiting ends: a gate that was closed for the whole deadline is not waited for by each anew."""
        since = [gate.refused_since for gate in self._of(target) if gate.refused_since is not None]
        return min([give_up, *(at + self._retry.deadline_s for at in since)])
