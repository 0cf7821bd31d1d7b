"""Reading through Azure Resource Graph: many subscriptions a query, instead of a list for each.

The Graph answers with what it has and what the caller may read, and says nothing of the rest: a subscription that it
does not know, or a type that the caller may not read, gives no rows, and no error. So no rows mean that there is
nothing only if the Graph knows the subscription and Azure says that the caller may read the type. In every other case,
and when a query fails, the lists of Azure Resource Manager are read, and coverage says so.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import product
from typing import Any

from cloudmarker.contracts import Record
from cloudmarker.fanout import Job
from cloudmarker.reading import Novelty, UnreadError

from cloudmarker_azure._client import BARREN_PAGES, Client
from cloudmarker_azure._governor import Target
from cloudmarker_azure._graph_types import GROUPS, HELD, KNOWN_SUBSCRIPTIONS, as_listed, graph_type, may_read, query
from cloudmarker_azure._json import text, whole
from cloudmarker_azure._listplan import ListPlan
from cloudmarker_azure._reader import CHUNK, Context, Listing, Work
from cloudmarker_azure._records import Scope
from cloudmarker_azure._row import Row
from cloudmarker_azure._session import GRAPH_PATH

_LOGGER = logging.getLogger(__name__)

BATCH = 200
"""Subscriptions that are asked for in one query, at most."""

ROWS = 1000
"""Rows of one answer, at most: what the Graph allows."""

PERMISSIONS = "/providers/Microsoft.Authorization/permissions"
PERMISSIONS_VERSION = "2022-04-01"
_TARGET = Target.of(GRAPH_PATH)

Results = Generator["list[Record] | Work", None, None]


class GraphPlan(ListPlan):
    """The record types that the Graph holds through it, the others by lists."""

    def jobs(self, client: Client, scopes: Sequence[Scope]) -> Iterable[Work]:
        """Yield the jobs; see :class:`cloudmarker_azure._tenant.Plan`."""
        context = self._context(client)
        rows = [row for row in self._tops if row.record_type in HELD]
        if rows:
            for start in range(0, len(scopes), BATCH):
                yield from _Batch(client, context, rows, scopes[start : start + BATCH]).jobs()
        yield from self._lists(context, scopes, [row for row in self._tops if row not in rows])


class _Batch:
    """Some subscriptions that are asked for together. Threads share it.

    Args:
        client: sends the queries.
        context: what all lists share.
        rows: what is asked for.
        scopes: the subscriptions.
    """

    def __init__(self, client: Client, context: Context, rows: Sequence[Row], scopes: Sequence[Scope]) -> None:
        self._client = client
        self._context = context
        self._rows = rows
        self._scopes = {_key(scope.subscription_id): scope for scope in scopes}
        self._known: set[str] = set()
        self._unknown = "Azure Resource Graph does not know the subscription"
        self._permissions: dict[str, list[Any]] = {}
        self._lock = threading.Lock()
        self._open = len(scopes) + 1

    def jobs(self) -> Iterator[Work]:
        """Yield the jobs with which the reading begins: which subscriptions the Graph knows, and what may be read."""
        yield _job(self._find_known)
        for scope in self._scopes.values():
            target = Target.of(f"{scope.id}{PERMISSIONS}")
            yield Job(partial(self._find_permissions, scope), target, target.subscription)

    def _find_known(self) -> Results:
        try:
            for page in self._pages(KNOWN_SUBSCRIPTIONS):
                self._known.update(_key(text(found, "subscriptionId")) for found in page)
                yield []
        except UnreadError as exc:
            self._known.clear()
            self._unknown = f"Azure Resource Graph cannot be asked: {exc}"
        yield from self._step()

    def _find_permissions(self, scope: Scope) -> Results:
        found: list[Any] = []
        try:
            for page in self._client.pages(f"{scope.id}{PERMISSIONS}", PERMISSIONS_VERSION):
                found += page
                if not page:
                    yield []
        except UnreadError as exc:
            _LOGGER.info("%s: it is not known what may be read: %s", scope.reference, exc)
            found = []
        self._permissions[_key(scope.subscription_id)] = found
        yield from self._step()

    def _step(self) -> Results:
        """Say that one of the jobs has ended; once all have, yield those that read the types."""
        with self._lock:
            self._open -= 1
            if self._open:
                return
        for group in GROUPS:
            rows = [row for row in self._rows if row.record_type in group]
            if rows and self._known:
                yield _job(partial(self._read, rows))
            for row in rows:
                for scope in self._scopes.values():
                    if not self._knows(scope):
                        yield _fallen_back(Listing(self._context, row, scope), self._unknown)

    def _knows(self, scope: Scope) -> bool:
        return _key(scope.subscription_id) in self._known

    def _read(self, rows: Sequence[Row]) -> Results:
        """Yield the records of some types, and coverage."""
        types = {graph_type(row): row for row in rows}
        # Made when the first row comes: most types are in few subscriptions.
        listings: dict[tuple[str, str], Listing] = {}
        seen = Novelty()
        unread = None
        try:
            for page in self._pages(query(rows)):
                placed = [(*self._whose(found, types), found) for found in page]
                yield from self._taken(placed, listings, seen)
        except UnreadError as exc:
            _LOGGER.warning("Azure Resource Graph: %s: %s", ", ".join(types), exc)
            unread = exc
        for row, scope in product(rows, filter(self._knows, self._scopes.values())):
            begun = listings.pop((row.record_type, scope.id), None)
            listing = begun or Listing(self._context, row, scope)
            if unread:
                yield _fallen_back(listing, f"Azure Resource Graph: {unread}", seen)
            elif begun or may_read(self._permissions[_key(scope.subscription_id)], row):
                yield listing.end(None)
            else:
                yield _fallen_back(listing, "Azure Resource Graph has none, and may hide what there is")

    def _taken(
        self, placed: Iterable[tuple[Row, Scope, Any]], listings: dict[tuple[str, str], Listing], seen: Novelty
    ) -> Results:
        """Yield the records of the new ones among some rows of the Graph, and the jobs that follow from them."""
        chunk: list[Record] = []
        for row, scope, found in placed:
            if not seen((text(found, "id") or "").casefold()):
                continue
            place = row.record_type, scope.id
            if place not in listings:
                listings[place] = Listing(self._context, row, scope)
            chunk += listings[place].take(as_listed(row, found))
            yield from listings[place].offered()
            if len(chunk) >= CHUNK:
                yield chunk
                chunk = []
        yield chunk

    def _whose(self, found: Any, types: Mapping[str, Row]) -> tuple[Row, Scope]:
        """Return which type a row of the Graph is of, and which subscription.

        Raises:
            UnreadError: none that was asked for.
        """
        row = types.get((text(found, "type") or "").lower())
        scope = self._scopes.get(_key(text(found, "subscriptionId")))
        if row is None or scope is None or not self._knows(scope):
            raise UnreadError("failed", "there is a row that was not asked for")
        return row, scope

    def _pages(self, asked: str) -> Iterator[list[Any]]:
        """Yield the rows that a query gives, page by page; an empty page may come at any time.

        Raises:
            UnreadError: these are not all.
        """
        options: dict[str, Any] = {"$top": ROWS, "resultFormat": "objectArray", "allowPartialScopes": False}
        body = {"query": asked, "subscriptions": [scope.subscription_id for scope in self._scopes.values()]}
        tokens: set[str] = set()
        received = barren = 0
        expected: int | None = None
        while True:
            answer = yield from self._client.query({**body, "options": options})
            rows = answer.get("data")
            if not isinstance(rows, list):
                raise UnreadError("failed", 'the answer has no array "data"')
            received += len(rows)
            expected = whole(answer, "totalRecords") if expected is None else expected
            yield rows
            token = text(answer, "$skipToken")
            if token is None:
                break
            barren = 0 if rows else barren + 1
            if token in tokens or barren == BARREN_PAGES:
                raise UnreadError("failed", "the pages do not end")
            tokens.add(token)
            options = {**options, "$skipToken": token}
        if text(answer, "resultTruncated") not in (None, "false") or answer.get("resultTruncated") is True:
            raise UnreadError("failed", "the result was truncated")
        if expected is not None and received < expected:
            raise UnreadError("failed", f"{expected} rows were announced, and {received} came")


def _key(subscription_id: str | None) -> str:
    return (subscription_id or "").lower()


def _job(start: Callable[[], Results]) -> Work:
    return Job(start, _TARGET, _TARGET)


def _fallen_back(listing: Listing, reason: str, seen: Novelty | None = None) -> Work:
    """Return the job that reads a list in the Graph's place, but for what was *seen*."""
    listing.note = f"read through Azure Resource Manager: {reason}"
    listing.seen = seen
    return listing.job()
