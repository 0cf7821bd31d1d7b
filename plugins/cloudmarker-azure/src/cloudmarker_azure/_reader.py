"""Lists to records and coverage: what is read is yielded, what is not is said, and nothing is raised."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

from cloudmarker.contracts import Record
from cloudmarker.coverage import State, coverage
from cloudmarker.errors import RecordError
from cloudmarker.fanout import Job
from cloudmarker.reading import REASON_LENGTH, Novelty, UnreadError
from cloudmarker.text import one_line

from cloudmarker_azure._client import Client
from cloudmarker_azure._governor import Target
from cloudmarker_azure._json import text
from cloudmarker_azure._records import CLOUD_TYPE, Kind, Owner, Scope, record
from cloudmarker_azure._row import Part, Row

_LOGGER = logging.getLogger(__name__)

CHUNK = 256
"""Records that are handed over at once, at most: enough to make the handing over cheap, and few in memory."""

ABSENT = frozenset(
    {
        "resourcenotfound",
        "parentresourcenotfound",
        "resourcegroupnotfound",
        "notfound",
        "featurenotsupportedforaccount",
    }
)
"""Error codes, lower case, that say of a list below a resource: that has gone meanwhile, or cannot have such a list."""

_WORST_LAST: Sequence[State] = ("ok", "disabled", "skipped", "denied", "throttled", "failed")
_IN_PATHS = "/!$&'()*+,;=:@"

Work = Job[list[Record]]


@dataclass
class _Tally:
    """What became of one record type.

    Attributes:
        count: resources received, those of unexpected shape among them.
        left_out: whether there was one more than wanted.
        malformed: how many were of unexpected shape.
        first_problem: what was wrong with the first of them.
    """

    count: int = 0
    left_out: bool = False
    malformed: int = 0
    first_problem: str = ""

    def admit(self, limit: int) -> bool:
        """Count one more, and return whether it is wanted."""
        if limit and self.count >= limit:
            self.left_out = True
            return False
        self.count += 1
        return True

    def complain(self, problem: str) -> None:
        """Count one of unexpected shape."""
        self.malformed += 1
        self.first_problem = self.first_problem or problem


@dataclass
class Context:
    """What all lists of one reading share.

    Attributes:
        client: reads the pages.
        wanted: the ``ext.record_type`` of the records that are made; None for all.
        limit: records of each type of a scope at most; 0 for all.
        children: returns the rows of the lists that the resources of a row have, and that are to be read.
    """

    client: Client
    wanted: frozenset[str] | None = None
    limit: int = 0
    children: Callable[[Row], Sequence[Row]] = lambda row: ()
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _above: Novelty = field(default_factory=Novelty)

    def wants(self, record_type: str) -> bool:
        """Return whether records of that type are made."""
        return self.wanted is None or record_type in self.wanted

    def is_new(self, scope: Scope, item: Any) -> bool:
        """Return whether no other subscription had the *item*: what stands above one is listed in all below it."""
        reference = item.get("id") if isinstance(item, dict) else None
        if not scope.id or not isinstance(reference, str) or reference.lower().startswith("/subscriptions/"):
            return True
        with self._lock:
            return self._above(reference.casefold())


class Listing:
    """One row of the table in one scope: all its lists, however many resources there have one each. Threads share it.

    Args:
        context: what it shares with others.
        row: what the lists are of.
        scope: what they are read from.
    """

    def __init__(self, context: Context, row: Row, scope: Scope) -> None:
        self.row = row
        self.scope = scope
        self.children = [Listing(context, child, scope) for child in context.children(row)]
        self._has_others = bool(self.children or row.parts)
        self._context = context
        self._tallies = {record_type: _Tally() for record_type in row.record_types}
        self._lock = threading.Lock()
        self._open = 1
        """Lists that are not read to their end; that of the resources that have one counts as one."""
        self._asked = 0
        self._unread: dict[State, tuple[int, str]] = {}
        """By state: how many lists ended so, and why the first did."""
        self._inherited: tuple[State, str] | None = None
        self._offered: deque[Work] = deque()
        self.note: str | None = None
        """What coverage says of lists that were read to their end, if anything."""
        self.seen: Novelty | None = None
        """What was read already, if anything: it is passed over."""

    def job(self, owner: Owner | None = None) -> Work:
        """Return the job that reads the list of the scope, or of the resource *owner*."""
        target = Target.of(f"{owner.id if owner else self.scope.id}{self.row.path}")
        return Job(partial(self.read, owner), target, target.subscription)

    def read(self, owner: Owner | None = None) -> Generator[list[Record] | Work, None, None]:
        """Yield the records of a list in chunks, page by page, and jobs that follow; after the last list, coverage."""
        unread = None
        try:
            for page in () if self.full else self._pages(owner):
                for chunk in self._chunks(page, owner):
                    yield chunk
                    yield from self.offered()
                if self.full:
                    break
        except UnreadError as exc:
            unread = exc
        except Exception as exc:  # a fault of ours in one list must not cost the others
            _LOGGER.exception("%s%s", owner.id if owner else self.scope.reference, self.row.path)
            unread = UnreadError("failed", f"unexpected {type(exc).__name__}: {exc}")
        yield self.end(unread)

    def _pages(self, owner: Owner | None) -> Generator[list[Any], None, None]:
        path = f"{quote(owner.id if owner else self.scope.id, _IN_PATHS)}{self.row.path}"
        if self.row.query:
            path += f"?{urlencode(self.row.query, safe='$,/', quote_via=quote)}"
        if self.row.single:
            item = yield from self._context.client.object(path, self.row.api_version)
            yield [item]
        else:
            yield from self._context.client.pages(path, self.row.api_version)

    def _chunks(self, page: list[Any], owner: Owner | None) -> Iterator[list[Record]]:
        chunk: list[Record] = []
        for item in page:
            if self.seen and not owner and not self.seen((text(item, "id") or "").casefold()):
                continue
            chunk += self.take(item, owner)
            if len(chunk) >= CHUNK:
                yield chunk
                chunk = []
        yield chunk  # also if it is empty: the thread may then turn to something else

    def offered(self) -> Iterator[Work]:
        """Yield the jobs that follow from what was taken, each once: lists that resources have."""
        for listing in self.children:
            with suppress(IndexError):  # another thread may take them as well
                while True:
                    yield listing._offered.popleft()

    @property
    def full(self) -> bool:
        """Whether every type that the list is of has as many records as are wanted."""
        return all(self._tallies[kind.record_type].left_out for kind in self.row.own_kinds)

    def take(self, item: Any, owner: Owner | None = None) -> list[Record]:
        """Return the records that an *item* of a list gives, and see to the lists that it has itself."""
        kind = self.row.kind_of(item) if isinstance(item, dict) else self.row.kind
        tally = self._tallies[kind.record_type]
        with self._lock:
            if not tally.admit(self._limit(kind)):
                return []
        if not self._context.is_new(self.scope, item):
            return []
        if not isinstance(item, dict):
            self._complain(tally, "an item is not an object")
            return []
        made = self._record(tally, kind, item, owner)
        if not self._has_others:
            return made
        own = Owner.of(item)
        for part in self.row.parts:
            made += self._parts(part, item, own)
        for child in self.children:
            child._offer(item, own)
        return made

    def _parts(self, part: Part, item: dict[str, Any], owner: Owner) -> list[Record]:
        tally = self._tallies[part.kind.record_type]
        made: list[Record] = []
        for member in self._members(part, item, tally):
            with self._lock:
                if not tally.admit(self._limit(part.kind)):
                    break
            if isinstance(member, dict):
                made += self._record(tally, part.kind, member, owner, part.reference(member, owner.id))
            else:
                self._complain(tally, f"{owner.id}: an entry of {'.'.join(part.member)} is not an object")
        return made

    def _members(self, part: Part, item: dict[str, Any], tally: _Tally) -> list[Any]:
        """Return the array that *part* names in *item*; empty if it is absent or null."""
        value: Any = item
        for key in part.member:
            if not isinstance(value, dict):
                self._complain(tally, f"{item.get('id')}: {'.'.join(part.member)} is not where it should be")
                return []
            value = value.get(key)
            if value is None:
                return []
        if not isinstance(value, list):
            self._complain(tally, f"{item.get('id')}: {'.'.join(part.member)} is not an array")
            return []
        return value

    def _record(
        self, tally: _Tally, kind: Kind, item: dict[str, Any], owner: Owner | None, reference: str | None = None
    ) -> list[Record]:
        """Return the record of *item*, if it is wanted and has one."""
        if not self._context.wants(kind.record_type):
            return []
        try:
            return [record(self.scope, kind, item, owner, reference)]
        except RecordError as exc:
            self._complain(tally, str(exc))
            return []

    def _limit(self, kind: Kind) -> int:
        return self._context.limit if self._context.wants(kind.record_type) else 0

    def _complain(self, tally: _Tally, problem: str) -> None:
        with self._lock:
            tally.complain(problem)

    def _offer(self, item: dict[str, Any], owner: Owner) -> None:
        """Have the list of a resource read, if it can have one."""
        if self.row.had_by and not self.row.had_by(item):
            return
        with self._lock:
            self._open += 1
            self._asked += 1
        if owner.id.startswith("/"):
            self._offered.append(self.job(owner))
        else:  # it would not lead to where the token belongs
            self.end(UnreadError("failed", f"{owner.id!r} is not the id of a resource"))

    def end(self, unread: UnreadError | None) -> list[Record]:
        """Say that a list was read to its end, or why it was not; return the coverage records that follow from that."""
        with self._lock:
            if unread and not (self.row.parent and unread.code.lower() in ABSENT):
                lists, reason = self._unread.get(unread.state, (0, str(unread)))
                self._unread[unread.state] = (lists + 1, reason)
            self._open -= 1
            if self._open:
                return []
        state, error = self._outcome()
        found = [self._covered(kind, state, error) for kind in self.row.kinds if self._context.wants(kind.record_type)]
        listed = max((self._state_of(kind, state) for kind in self.row.own_kinds), key=_WORST_LAST.index)
        reason = error or self._tallies[self.row.record_type].first_problem or self._limited
        for child in self.children:
            if listed != "ok":
                child._inherited = (listed, f"of {self.row.record_type}: {reason}")
            found += child.end(None)
        return found

    def _outcome(self) -> tuple[State, str | None]:
        """Return how the reading of the lists ended, in all."""
        unread = dict(self._unread)
        if unread.get("disabled", (0, ""))[0] < self._asked:
            unread.pop("disabled", None)
        state: State = "ok"
        error = None
        if unread:
            state = max(unread, key=_WORST_LAST.index)
            lists, error = unread[state]
            if self.row.parent:
                error = f"{lists} of {self._asked} {self.row.parent}: {error}"
        if self._inherited and _WORST_LAST.index(self._inherited[0]) > _WORST_LAST.index(state):
            state, error = self._inherited
        return state, error

    def _state_of(self, kind: Kind, ended: State) -> State:
        tally = self._tallies[kind.record_type]
        if ended != "ok":
            return ended
        return "failed" if tally.malformed else "skipped" if tally.left_out else "ok"

    def _covered(self, kind: Kind, state: State, error: str | None) -> Record:
        """Return a coverage record: the end of the lists decides, then what was wrong inside, then the limit."""
        tally = self._tallies[kind.record_type]
        own = kind in self.row.own_kinds
        # What is cut off from a list has parts that are cut off with it.
        cut = tally.left_out or (not own and self._tallies[self.row.record_type].left_out)
        if state == "ok":
            if tally.malformed:
                plural = "s" if tally.malformed > 1 else ""
                state, error = "failed", f"{tally.malformed} item{plural} of unexpected shape: {tally.first_problem}"
            elif cut:
                state, error = "skipped", self._limited
            elif self.row.if_empty and not tally.count:
                state, error = "denied", self.row.if_empty
            else:
                error = self.note
        return coverage(
            CLOUD_TYPE,
            self.scope.reference,
            kind.record_type,
            state,
            tally.count,
            one_line(error, REASON_LENGTH) if error else None,
            account=self.scope.account,
            record_types=[kind.com_type],
        )

    @property
    def _limited(self) -> str:
        return f"limited to {self._context.limit} by _max_recs"


def read_list(client: Client, row: Row, scope: Scope, limit: int = 0) -> Iterator[list[Record]]:
    """Yield the records of one list, without the lists that its resources have, and then coverage.

    Args:
        client: reads the pages.
        row: what the list is of.
        scope: what it is read from.
        limit: records of each type at most; 0 for all.
    """
    for chunk in Listing(Context(client, limit=limit), row, scope).read():
        if not isinstance(chunk, Job):
            yield chunk
