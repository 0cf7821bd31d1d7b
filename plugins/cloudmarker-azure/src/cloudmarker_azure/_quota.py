"""What Azure says of the calls that are left, and how fast they come back: arithmetic, no waiting and no threads.

Azure counts calls in several places, and every answer carries what is left in some of them:

- ``x-ms-ratelimit-remaining-subscription-reads`` (``-global-reads``, ``-tenant-reads``): Azure Resource Manager's own;
- ``x-ms-ratelimit-remaining-resource``: ``policy;left,policy;left``, the resource provider's, by the policies it has;
- ``x-ms-ratelimit-remaining-subscription-resource-requests``: the resource provider's, too;
- ``x-ms-user-quota-remaining`` and ``x-ms-user-quota-resets-after`` (``hh:mm:ss``): Azure Resource Graph's window.

What none of them says is how many there can be at most, and how fast used ones come back. Both are learned here.
https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from typing import NamedTuple

FIRST_REFILL = 1.0
"""Calls per second that are taken to come back as long as nothing is known. Azure's usual figure is 25."""

MEMORY_S = 60.0
"""Seconds of watching a bucket after which older ones begin to count less."""

SPREAD = 1.3
"""By how much longer, at most and at random, is waited for the first calls that come back to a bucket."""

KIND_MEMORY_S = 10_000.0
"""The same for all buckets of a kind together."""

HIDDEN = 0.25
"""Part of a call that is taken to have come back unseen when a bucket is first watched: what is left is told in whole
calls."""

DOUBT = 0.9
"""What is left of all these parts when a call is refused by a bucket that has never been seen to gain one."""

MARGIN = 1.1
"""By how much longer is waited than the measured refill says: a little late costs less than a refusal."""

_PREFIX = "x-ms-ratelimit-remaining-"
_OF_SCOPE = ("subscription-reads", "subscription-global-reads", "tenant-reads", "tenant-global-reads")
_NOT_READS = ("writes", "deletes")
_USER_QUOTA = "x-ms-user-quota-remaining"
_USER_RESET = "x-ms-user-quota-resets-after"


class Remaining(NamedTuple):
    """What one header says.

    Attributes:
        quota: what it calls the quota.
        of_provider: whether the quota is the resource provider's, and not that of the subscription or tenant.
        calls: that are left.
        resets_s: seconds until all are back, if they come back at once; None if they come back one by one.
    """

    quota: str
    of_provider: bool
    calls: float
    resets_s: float | None = None


def remaining(headers: Mapping[str, str]) -> Iterator[Remaining]:
    """Yield what the *headers* of an answer say of the calls that are left; what cannot be read is passed over."""
    for name, value in headers.items():
        header = name.lower()
        if header == _USER_QUOTA:
            calls = _number(value)
            resets_s = _seconds(headers.get(_USER_RESET, ""))
            if calls is not None and resets_s is not None:
                yield Remaining("user-quota", True, calls, resets_s)
        elif header == f"{_PREFIX}resource":
            for part in value.split(","):
                policy, _, left = part.rpartition(";")
                if (calls := _number(left)) is not None:
                    yield Remaining(policy.strip(), True, calls)
        elif header.startswith(_PREFIX) and not header.endswith(_NOT_READS):
            quota = header[len(_PREFIX) :]
            if (calls := _number(value)) is not None:
                yield Remaining(quota, quota not in _OF_SCOPE, calls)


class Refill:
    """How fast calls come back to buckets of one kind, as far as all of them were watched."""

    def __init__(self) -> None:
        self._gained = FIRST_REFILL
        self._hidden = 0.0
        self._elapsed = 1.0

    @property
    def per_s(self) -> float:
        """Calls per second; what others used up meanwhile is already taken off."""
        return max(self._gained + self._hidden, 0.0) / self._elapsed

    def watch(self, gained: float, elapsed_s: float, hidden: float = 0.0) -> None:
        """Take note that so many calls came back in that time, and part of one that could not be seen."""
        self._gained += gained
        self._hidden += hidden
        self._elapsed += elapsed_s
        if self._elapsed > KIND_MEMORY_S:
            self._gained *= KIND_MEMORY_S / self._elapsed
            self._hidden *= KIND_MEMORY_S / self._elapsed
            self._elapsed = KIND_MEMORY_S

    def doubt(self) -> None:
        """Take note that a call had not come back in the time in which it should have, if what was hidden was right.

        A tenant's buckets are emptied together: hundreds of them must not find that out one by one.
        """
        self._hidden *= DOUBT


class Quota:
    """A model of one of Azure's buckets: how much is in it now, as far as the answers tell.

    The most that was ever left counts as all there is.

    Args:
        now: seconds, monotonic, as all times here.
        calls: that are left.
        kind: what is known of the refill of all buckets of the kind; it learns from this one.
    """

    def __init__(self, now: float, calls: float, kind: Refill | None = None) -> None:
        self.capacity = calls
        self._level = calls
        self._seen = calls
        self._seen_at = now
        self._updated = now
        self._resets_at: float | None = None
        self._kind = kind or Refill()
        self._gained = 0.0
        self._elapsed = 0.0
        self._spread = random.uniform(1.0, SPREAD)  # noqa: S311  # nothing to guess here

    @property
    def refill(self) -> float:
        """Calls per second that come back: as to all of the kind, unless what this one gained says otherwise.

        What is left is told in whole calls, so that what was gained may be one more or one less.
        """
        if not self._elapsed:
            return self._kind.per_s
        least, most = max(self._gained - 1, 0.0) / self._elapsed, (self._gained + 1) / self._elapsed
        return min(max(self._kind.per_s, least), max(most, least))

    @property
    def _pace(self) -> float:
        """Calls per second that are counted on."""
        # Until it has been seen to gain, others of its kind should find out before it does, or after.
        return self.refill / (MARGIN if self._gained >= 1 else MARGIN * self._spread)

    def level(self, now: float) -> float:
        """Return how many calls are left."""
        if self._resets_at is not None:
            return self.capacity if now >= self._resets_at else self._level
        return min(self._level + self._pace * (now - self._updated), max(self.capacity, self._level, 1.0))

    def spend(self, now: float) -> None:
        """Count a call that is sent."""
        self._level = self.level(now) - 1
        self._updated = now
        if self._resets_at is not None and now >= self._resets_at:
            self._resets_at = None

    def observe(
        self, now: float, calls: float, in_flight: int, resets_s: float | None = None, *, used: int = 1
    ) -> None:
        """Take over what an answer says.

        Args:
            now: when it came.
            calls: that are left.
            in_flight: other calls that are sent and not answered: the answer may not count them yet.
            resets_s: see :class:`Remaining`.
            used: calls that the answered one counted for: none if it was refused.
        """
        elapsed = now - self._seen_at
        if max(calls, self._seen) < self.capacity and elapsed > 0:
            gained = calls - self._seen + used
            self._kind.watch(gained, elapsed, 0.0 if self._elapsed else HIDDEN)
            self._gained += gained
            if not used and self._gained < 1:
                self._kind.doubt()
            self._elapsed += elapsed
            if self._elapsed > MEMORY_S:
                self._gained *= MEMORY_S / self._elapsed
                self._elapsed = MEMORY_S
        self.capacity = max(self.capacity, calls)
        self._seen, self._seen_at = calls, now
        self._level, self._updated = calls - in_flight, now
        self._resets_at = None if resets_s is None else now + resets_s

    def wait_s(self, now: float, share: float, ahead: int = 0) -> float:
        """Return the seconds until one more call may be sent, infinite if it is not known when.

        Args:
            now: the time.
            share: of the capacity that may be used, up to 1; the rest is left to others.
            ahead: calls that will be sent before this one.
        """
        # A full bucket is always enough, also where the share of it is less than a call.
        missing = min((1 - share) * self.capacity + 1 + ahead, max(self.capacity, 1.0)) - self.level(now)
        if missing <= 0:
            return 0.0
        if self._resets_at is not None:
            return max(self._resets_at - now, 0.0)
        pace = self._pace
        return missing / pace if pace else math.inf


def _number(text: str) -> float | None:
    text = text.strip()
    return float(text) if text.isascii() and text.isdigit() else None


def _seconds(text: str) -> float | None:
    """Return the seconds of ``hh:mm:ss``; None if it is something else."""
    parts = [_number(part) for part in text.split(":")]
    if len(parts) != 3 or None in parts:
        return None
    hours, minutes, seconds = (part or 0.0 for part in parts)
    return hours * 3600 + minutes * 60 + seconds
