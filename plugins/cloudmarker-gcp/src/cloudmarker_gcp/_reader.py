"""One list to records and coverage: what is read is yielded, what is not is said, and nothing is raised."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from typing import Any

from cloudmarker.contracts import Record
from cloudmarker.coverage import State, coverage
from cloudmarker.errors import RecordError

from cloudmarker_gcp._client import Client
from cloudmarker_gcp._lists import Gaps, items_of
from cloudmarker_gcp._outcome import UnreadError, one_line
from cloudmarker_gcp._records import CLOUD_TYPE, Scope, Transform
from cloudmarker_gcp._table import Part, Row

_LOGGER = logging.getLogger(__name__)

Chunks = Generator[list[Record], None, None]

CHUNK = 64
"""Records that are handed over at once, at most: enough to make the handing over cheap, and few in memory."""


class _Tally:
    """What became of one record type of one list."""

    def __init__(self, record_type: str, limit: int) -> None:
        self.record_type = record_type
        self._limit = limit
        self.count = 0
        self._left_out = 0
        self._malformed = 0
        self._first_problem = ""

    def take(self, transform: Transform, scope: Scope, item: Any, member: Any) -> Record | None:
        """Count the *item* and return its record; None if it has none, or is one more than wanted."""
        if self._limit and self.count >= self._limit:
            self._left_out += 1
            return None
        self.count += 1
        if not isinstance(item, dict):
            self.malformed("an item is not an object")
            return None
        try:
            return transform(scope, item, member)
        except RecordError as exc:
            self.malformed(str(exc))
            return None

    def malformed(self, problem: str) -> None:
        """Count something of which no record can be made."""
        self._malformed += 1
        self._first_problem = self._first_problem or problem

    @property
    def full(self) -> bool:
        """Whether there is more than was wanted."""
        return bool(self._left_out)

    def coverage(self, scope: Scope, row: Row, gaps: Gaps) -> Record:
        """Return the coverage record: what happened to the list decides, then what was wrong inside, then the limit."""
        state: State = gaps.state
        error = str(gaps)
        if state != "ok":
            pass
        elif self._malformed:
            plural = "s" if self._malformed > 1 else ""
            state, error = "failed", f"{self._malformed} item{plural} of unexpected shape: {self._first_problem}"
        elif self._left_out:
            state, error = "skipped", f"limited to {self._limit} by _max_recs"
        elif row.if_empty and not self.count:
            state, error = "denied", row.if_empty
        return coverage(
            CLOUD_TYPE, scope.reference, self.record_type, state, self.count, one_line(error) if error else None
        )


class _Reading:
    """One list of one scope, while it is read: one call, or one a zone."""

    def __init__(self, client: Client, row: Row, scope: Scope, limit: int) -> None:
        self._client = client
        self._row = row
        self._scope = scope
        self._tallies = {record_type: _Tally(record_type, limit) for record_type in row.record_types}
        self._gaps = Gaps()

    @property
    def full(self) -> bool:
        """Whether there is more than was wanted."""
        return self._tallies[self._row.record_type].full

    def read(self, zone: str | None) -> Iterator[list[Record]]:
        """Yield the records of one call; note how it ended."""
        try:
            yield from self._read(zone)
        except UnreadError as exc:
            self._note(exc, zone)
        except Exception as exc:  # a fault of ours in one type must not cost the others
            _LOGGER.exception("%s %s", self._scope.reference, self._row.record_type)
            self._note(UnreadError("failed", f"unexpected {type(exc).__name__}: {exc}"), zone)

    def coverage(self) -> list[Record]:
        """Return the coverage records: the state of the worst call, and what each that failed says."""
        return [tally.coverage(self._scope, self._row, self._gaps) for tally in self._tallies.values()]

    def _read(self, zone: str | None) -> Iterator[list[Record]]:
        row, scope = self._row, self._scope
        method = "aggregatedList" if row.zonal and not zone else row.method
        arguments = {
            name: value.format(project_id=scope.project_id) if isinstance(value, str) else value
            for name, value in row.arguments.items()
        }
        if zone:
            arguments["zone"] = zone
        with closing(self._client.pages(row, method, arguments)) as pages:
            for page in pages:
                items = items_of(page, row, method, scope, self._gaps)
                del page  # and the items, one by one: large pages must not pile up
                yield from self._chunks(items)
                if self.full:
                    return

    def _chunks(self, items: list[Any]) -> Iterator[list[Record]]:
        """Yield the records of *items*, which is emptied."""
        items.reverse()
        chunk: list[Record] = []
        while items:
            chunk += self._records_of(items.pop())
            if len(chunk) >= CHUNK:
                yield chunk
                chunk = []
        if chunk:
            yield chunk

    def _records_of(self, item: Any) -> Iterator[Record]:
        record = self._tallies[self._row.record_type].take(self._row.transform, self._scope, item, None)
        if record is None:
            return
        yield record
        for part in self._row.parts:
            tally = self._tallies[part.record_type]
            for member in _members(item, part, tally):
                record = tally.take(part.transform, self._scope, item, member)
                if record is not None:
                    yield record

    def _note(self, exc: UnreadError, zone: str | None) -> None:
        state = exc.state
        if state == "disabled" and not (self._row.api.used_where_read and self._scope.holds(_project(exc.consumer))):
            state = "failed"  # it is some other project that lacks the API, so nothing is known of this one
        self._gaps.add(state, str(exc), f"zones/{zone}" if zone else "")


def read_list(client: Client, row: Row, scope: Scope, zones: tuple[str, ...] | None = None, limit: int = 0) -> Chunks:
    """Yield the records of a list in chunks, page by page; then one coverage record for each type in it.

    A zone that fails does not end the others; the coverage record names it.

    Args:
        client: reads the pages.
        row: what the list is of.
        scope: what it is read from.
        zones: of a zonal type; None for all.
        limit: records of each type at most; 0 for all.
    """
    reading = _Reading(client, row, scope, limit)
    for zone in zones if row.zonal and zones else (None,):
        if not reading.full:
            yield from reading.read(zone)
    yield reading.coverage()


def skip_lists(rows: Iterable[Row], scope: Scope, reason: str) -> Chunks:
    """Yield the coverage records of lists that are not read because of the configuration."""
    yield [
        coverage(CLOUD_TYPE, scope.reference, record_type, "skipped", 0, reason)
        for row in rows
        for record_type in row.record_types
    ]


def _members(item: dict[str, Any], part: Part, tally: _Tally) -> list[Any]:
    try:
        return part.members(item)
    except RecordError as exc:
        tally.malformed(str(exc))
        return []


def _project(consumer: str | None) -> str | None:
    """Return the id or number in ``projects/<id or number>``, as the consumer of an API is spelled."""
    return consumer.removeprefix("projects/") if consumer else None
