"""How many calls a simulated cloud answers: buckets that refill, and windows that start anew."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass


@dataclass(frozen=True)
class Quota:
    """A number of calls that may be made at once, and how fast used ones come back.

    Attributes:
        calls: most calls at once.
        per_s: calls that come back every second.
        window_s: seconds after which all come back at once, and none before; None for one by one.
    """

    calls: int
    per_s: float = 0.0
    window_s: float | None = None

    @classmethod
    def parse(cls, text: str) -> Quota:
        """Return the quota that ``CALLS/PER_SECOND`` means, such as ``250/25``.

        Raises:
            ValueError: it is something else.
        """
        calls, slash, rate = text.partition("/")
        if not calls.isdigit() or not int(calls) or not slash:
            raise ValueError(f"{text!r} is not CALLS/PER_SECOND, such as 250/25")
        return cls(int(calls), float(rate))


@dataclass(frozen=True)
class Verdict:
    """What a quota says of one call.

    Attributes:
        remaining: calls that are left after it.
        wait_s: seconds after which one would be allowed again; 0 when this one is.
        resets_s: seconds until all calls are back.
    """

    remaining: int
    wait_s: float
    resets_s: float


class Quotas:
    """A quota for each of many callers, subscriptions or projects, told apart by a key."""

    def __init__(self, quota: Quota, clock: Callable[[], float] = time.monotonic) -> None:
        self.quota = quota
        self._clock = clock
        self._lock = threading.Lock()
        self._levels: dict[Hashable, tuple[float, float]] = {}

    def take(self, key: Hashable) -> Verdict:
        """Count a call of *key*; a refused one does not use anything up."""
        quota = self.quota
        with self._lock:
            now = self._clock()
            level, since = self._levels.get(key, (float(quota.calls), now))
            if quota.window_s is not None:
                if now - since >= quota.window_s:
                    level, since = float(quota.calls), now
            else:
                level, since = min(level + (now - since) * quota.per_s, float(quota.calls)), now
            allowed = level >= 1
            level -= allowed
            self._levels[key] = level, since
        if quota.window_s is not None:
            resets_s = max(quota.window_s - (now - since), 0.0)
            return Verdict(int(level), 0.0 if allowed else resets_s, resets_s)
        missing = 0.0 if allowed else 1 - level
        rate = quota.per_s or 1e-9
        return Verdict(math.floor(level), missing / rate, (quota.calls - level) / rate)
