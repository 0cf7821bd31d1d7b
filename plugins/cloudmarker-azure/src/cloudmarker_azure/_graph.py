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
from typing import Any

from cloudmarker.contracts import Record

from cloudmarker_azure._client import BARREN_PAGES, Client
from cloudmarker_azure._governor import Target
from cloudmarker_azure._graph_types import GROUPS, HELD, KNOWN_SUBSCRIPTIONS, as_listed, graph_type, may_read, query
from cloudmarker_azure._json import text, whole
from cloudmarker_azure._listplan import ListPlan
from cloudmarker_azure._novelty import Novelty
from cloudmarker_azure._outcome import UnreadError
from cloudmarker_azure._pool import Job
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


class GraphPlan(ListPlan):
    """The record types that the Graph holds through it, the others by lists."""

    def jobs(self, client: Client, scopes: Sequence[Scope], add: Callable[[Work], None]) -> Iterable[Work]:
        """Yield the jobs; see :class:`cloudmarker_azure._tenant.Plan`."""
        context = self._context(client, add)
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
        yield Job(_TARGET, _TARGET, self._find_known)
        for scope in self._scopes.values():
            target = Target.of(f"{scope.id}{PERMISSIONS}")
            yield Job(target, target.subscription, partial(self._find_permissions, scope))

    def _find_known(self) -> Generator[list[Record], None, None]:
        try:
            for page in self._pages(KNOWN_SUBSCRIPTIONS):
                self._known.update(_key(text(found, "subscriptionId")) for found in page)
                yield []
        except UnreadError as exc:
            self._known.clear()
            self._unknown = f"Azure Resource Graph cannot be asked: {exc}"
        self._step()

    def _find_permissions(self, scope: Scope) -> Generator[list[Record], None, None]:
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
        self._step()

    def _step(self) -> None:
        """Say that one of the jobs has ended; once all have, begin with the types."""
        with self._lock:
            self._open -= 1
            if self._open:
                return
        for group in GROUPS:
            rows = [row for row in self._rows if row.record_type in group]
            if rows and self._known:
                self._context.add(Job(_TARGET, _TARGET, partial(self._read, rows)))
            for row in rows:
                for scope in self._scopes.values():
                    if not self._knows(scope):
                        self._fall_back(Listing(self._context, row, scope), self._unknown)

    def _knows(self, scope: Scope) -> bool:
        return _key(scope.subscription_id) in self._known

    def _fall_back(self, listing: Listing, reason: str, seen: Novelty | None = None) -> None:
        listing.note = f"read through Azure Resource Manager: {reason}"
        listing.seen = seen
        self._context.add(listing.job())

    def _read(self, rows: Sequence[Row]) -> Generator[list[Record], None, None]:
        """Yield the records of some types, and coverage."""
        types = {graph_type(row): row for row in rows}
        scopes = [scope for scope in self._scopes.values() if self._knows(scope)]
        # Made when the first row comes: most types are in few subscriptions.
        listings: dict[tuple[str, str | None], Listing] = {}
        seen = Novelty()
        try:
            for page in self._pages(query(rows)):
                chunk: list[Record] = []
                for found in page:
                    row, scope = self._whose(found, types)
                    if seen(text(found, "id")):
                        place = (row.record_type, scope.subscription_id)
                        if place not in listings:
                            listings[place] = Listing(self._context, row, scope)
                        chunk += listings[place].take(as_listed(row, found))
                    if len(chunk) >= CHUNK:
                        yield chunk
                        chunk = []
                yield chunk
        except UnreadError as exc:
            _LOGGER.warning("Azure Resource Graph: %s: %s", ", ".join(types), exc)
            for row in rows:
                for scope in scopes:
                    listing = listings.get((row.record_type, scope.subscription_id)) or Listing(
                        self._context, row, scope
                    )
                    self._fall_back(listing, f"Azure Resource Graph: {exc}", seen)
            return
        for row in rows:
            for scope in scopes:
                found_listing = listings.pop((row.record_type, scope.subscription_id), None)
                listing = found_listing or Listing(self._context, row, scope)
                if found_listing or may_read(self._permissions[_key(scope.subscription_id)], row):
                    yield listing.end(None)
                else:
                    self._fall_back(listing, "Azure Resource Graph has none, and may hide what there is")

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
