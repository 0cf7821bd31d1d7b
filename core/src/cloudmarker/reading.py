"""What cloud plugins have in common when they read lists: what went wrong, when to try again, and what came of it.

- :class:`UnreadError` is what a plugin's client raises: something could not be read, and what that amounts to.
- :class:`Retry` says when a request is sent again;
  :func:`cloudmarker.servers.retry_after_s` reads what a server asks for.
- :class:`Tally` counts what came of one resource type in one scope, and makes its coverage record.
- :class:`Novelty` tells whether an id was seen before, for servers that send the same item on two pages.

Threads may share all of them. See :mod:`cloudmarker.fanout` for reading many lists at a time.
"""

from __future__ import annotations

import random
import threading
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from cloudmarker.contracts import Record
from cloudmarker.coverage import STATES, State, coverage
from cloudmarker.errors import CloudmarkerError
from cloudmarker.text import one_line

REASON_LENGTH = 400
"""Characters of a reason that are kept: servers' messages carry boilerplate and links at their end."""

PLACES = 5
"""Places that are named for one reason; of the others it is said how many there are."""


class UnreadError(CloudmarkerError):
    """Something, or the rest of it, could not be read.

    Attributes:
        state: the coverage state that this amounts to.
        again: whether another attempt may succeed.
        retry_after_s: seconds that the server asked to wait, or None if it did not say.
        status: the HTTP status that was answered, or None if none was.
        code: the server's own word for the error, empty if there is none.
    """

    def __init__(
        self,
        state: State,
        reason: str,
        *,
        again: bool = False,
        retry_after_s: float | None = None,
        status: int | None = None,
        code: str = "",
    ) -> None:
        super().__init__(one_line(reason, REASON_LENGTH))
        self.state = state
        self.again = again
        self.retry_after_s = retry_after_s
        self.status = status
        self.code = code


@dataclass(frozen=True)
class Retry:
    """When a request is sent again.

    Attributes:
        attempts: how often a request is sent if it fails; throttling is bounded by the deadline alone.
        first_wait_s: wait after the first failure; doubled with each further one.
        max_wait_s: longest single wait, also if the server asks for more.
        deadline_s: seconds from the first attempt in which the last one must begin.
    """

    attempts: int = 5
    first_wait_s: float = 0.5
    max_wait_s: float = 60.0
    deadline_s: float = 600.0

    def wait_s(self, attempt: int, retry_after_s: float | None) -> float:
        """Return the seconds to wait after that *attempt* (from 1): never less than asked for, but for the cap.

        Up to a quarter more, at random, keeps those that were refused together from coming back together.
        """
        wait = retry_after_s if retry_after_s is not None else self.first_wait_s * 2 ** min(attempt - 1, 30)
        return min(wait, self.max_wait_s) * random.uniform(1.0, 1.25)  # noqa: S311  # nothing to guess here


class Tally:
    """What came of one resource type in one scope: how many there were, what is missing, and what that amounts to.

    Args:
        limit: how many are wanted; 0 for all.
        limited_by: what to blame for the limit, such as the name of a parameter.
    """

    def __init__(self, limit: int = 0, limited_by: str = "") -> None:
        self._limit = limit
        self._limited_by = limited_by
        self._count = 0
        self._left_out = 0
        self._malformed = 0
        self._first_problem = ""
        self._states: set[State] = set()
        self._gaps: dict[str, dict[str, None]] = {}
        self._more_places: dict[str, int] = {}
        self._lock = threading.Lock()

    @property
    def count(self) -> int:
        """How many there were, but for those beyond the limit."""
        return self._count

    @property
    def full(self) -> bool:
        """Whether there is more than is wanted."""
        return bool(self._left_out)

    def admit(self) -> bool:
        """Count one more; return False if it is one more than wanted."""
        with self._lock:
            if self._limit and self._count >= self._limit:
                self._left_out += 1
                return False
            self._count += 1
            return True

    def malformed(self, problem: str) -> None:
        """Note that of something that came no record can be made."""
        with self._lock:
            self._malformed += 1
            self._first_problem = self._first_problem or problem

    def gap(self, state: State, reason: str, place: str = "") -> None:
        """Note that, for that *reason*, what is in *place* (empty: everywhere) is not there, or not all of it.

        Args:
            state: what it amounts to; ``ok`` for a mere note.
            reason: one line, without secrets.
            place: a part of the scope.
        """
        with self._lock:
            self._states.add(state)
            places = self._gaps.setdefault(reason, {})
            if place in places:
                return
            if len(places) < PLACES:
                places[place] = None
            else:
                self._more_places[reason] = self._more_places.get(reason, 0) + 1

    @property
    def gaps(self) -> str:
        """What is missing, why, and where."""
        return "; ".join(
            f"{self._where(reason, places)}: {reason}" if any(places) else reason
            for reason, places in self._gaps.items()
        )

    def _where(self, reason: str, places: dict[str, None]) -> str:
        more = self._more_places.get(reason)
        return ", ".join([*filter(None, places), *([f"{more} more"] if more else [])])

    def coverage(
        self,
        cloud_type: str,
        scope: str,
        resource_type: str,
        if_empty: str | None = None,
        *,
        left_out: str = "",
        account: str | None = None,
        record_types: Sequence[str] | None = None,
    ) -> Record:
        """Return the coverage record: what is missing decides, then what was wrong with items, then what is left out.

        Args:
            cloud_type: see :func:`cloudmarker.coverage.coverage`, as for *scope* and *resource_type*.
            scope: what was read.
            resource_type: of what.
            if_empty: why it means that something is not seen if there is none at all; None if it does not.
            left_out: what was not asked for because of the configuration; empty if nothing was.
            account: see :func:`cloudmarker.coverage.coverage`, as for *record_types*.
            record_types: of the records.
        """
        with self._lock:
            state: State = max(self._states, key=STATES.index, default="ok")
            error = self.gaps
            if state != "ok":
                pass
            elif self._malformed:
                plural = "s" if self._malformed > 1 else ""
                state, error = "failed", f"{self._malformed} item{plural} of unexpected shape: {self._first_problem}"
            elif self._left_out:
                state, error = "skipped", f"limited to {self._limit} by {self._limited_by}"
            elif left_out:
                state, error = "skipped", "; ".join(filter(None, (left_out, error)))
            elif if_empty and not self._count:
                state, error = "denied", if_empty
            return coverage(
                cloud_type,
                scope,
                resource_type,
                state,
                self._count,
                one_line(error, REASON_LENGTH) if error else None,
                account=account,
                record_types=record_types,
            )


class Novelty:
    """Tells what was not seen before.

    It keeps digests of 64 bits in a hash table of its own, 12 to 24 bytes each, a quarter of what a set takes: a list
    may have a million ids of 200 characters, and many lists are read at a time. The chance that two of a million ids
    have the same digest, so that one would be taken for the other, is 1 in 37 million.
    """

    def __init__(self) -> None:
        self._table = array("Q", bytes(8 * 64))
        self._count = 0

    def __call__(self, reference: str) -> bool:
        """Return whether that *reference* is new, and remember it."""
        text = reference.encode("utf-8", "surrogatepass")
        digest = int.from_bytes(blake2b(text, digest_size=8).digest(), "little") or 1  # 0 is an empty slot
        if not _put(self._table, digest):
            return False
        self._count += 1
        if 3 * self._count > 2 * len(self._table):
            larger = array("Q", bytes(16 * len(self._table)))
            for each in self._table:
                if each:
                    _put(larger, each)
            self._table = larger
        return True


def _put(table: array[int], digest: int) -> bool:
    """Put *digest* into the *table*, whose length is a power of two; return whether it was not there."""
    mask = len(table) - 1
    at = digest & mask
    while found := table[at]:
        if found == digest:
            return False
        at = (at + 1) & mask
    table[at] = digest
    return True
