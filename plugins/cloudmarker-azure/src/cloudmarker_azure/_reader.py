"""One list to records and coverage: what is read is yielded, what is not is said, and nothing is raised."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from typing import Any

from cloudmarker.contracts import Record
from cloudmarker.coverage import State, coverage
from cloudmarker.errors import RecordError

from cloudmarker_azure._client import Client
from cloudmarker_azure._outcome import UnreadError, one_line
from cloudmarker_azure._records import CLOUD_TYPE, Scope, Transform
from cloudmarker_azure._table import Part, Row

_LOGGER = logging.getLogger(__name__)

CHUNK = 256
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

    def take(self, transform: Transform, scope: Scope, item: Any, owner: dict[str, Any] | None) -> Record | None:
        """Count the *item* and return its record; None if it has none, or is one more than wanted."""
        if self._limit and self.count >= self._limit:
            self._left_out += 1
            return None
        self.count += 1
        if not isinstance(item, dict):
            self.malformed("an item is not an object")
            return None
        try:
            return transform(scope, item, owner)
        except RecordError as exc:
            self.malformed(str(exc))
            return None

    def malformed(self, problem: str) -> None:
        self._malformed += 1
        self._first_problem = self._first_problem or problem

    @property
    def full(self) -> bool:
        return bool(self._left_out)

    def coverage(self, scope: Scope, row: Row, ended: UnreadError | None, *, cut: bool) -> Record:
        """Return the coverage record: the end of the list decides, then what was wrong inside, then the limit."""
        state: State = "ok"
        error = None
        if ended:
            state, error = ended.state, str(ended)
        elif self._malformed:
            plural = "s" if self._malformed > 1 else ""
            state, error = "failed", f"{self._malformed} item{plural} of unexpected shape: {self._first_problem}"
        elif cut:
            state, error = "skipped", f"limited to {self._limit} by _max_recs"
        elif row.if_empty and not self.count:
            state, error = "denied", row.if_empty
        return coverage(
            CLOUD_TYPE, scope.reference, self.record_type, state, self.count, one_line(error) if error else None
        )


def read_list(client: Client, row: Row, scope: Scope, limit: int = 0) -> Generator[list[Record], None, None]:
    """Yield the records of a list in chunks, page by page; then one coverage record for each type in it.

    Args:
        client: reads the pages.
        row: what the list is of.
        scope: what it is read from.
        limit: records of each type at most; 0 for all.
    """
    tallies = {record_type: _Tally(record_type, limit) for record_type in row.record_types}
    ended = None
    try:
        for page in client.pages(f"{scope.id}{row.path}", row.api_version):
            chunk: list[Record] = []
            for item in page:
                chunk += _records_of(item, row, scope, tallies)
                if len(chunk) >= CHUNK:
                    yield chunk
                    chunk = []
            if chunk:
                yield chunk
            if tallies[row.record_type].full:
                break
    except UnreadError as exc:
        ended = exc
    except Exception as exc:  # a fault of ours in one type must not cost the others
        _LOGGER.exception("%s%s", scope.reference, row.path)
        ended = UnreadError("failed", f"unexpected {type(exc).__name__}: {exc}")
    # What is cut off from a list has parts that are cut off with it.
    listed = tallies[row.record_type]
    yield [tally.coverage(scope, row, ended, cut=listed.full or tally.full) for tally in tallies.values()]


def skipped(row: Row, scope: Scope, reason: str) -> list[Record]:
    """Return the coverage records of a list that is not read because of the configuration."""
    return [
        coverage(CLOUD_TYPE, scope.reference, record_type, "skipped", 0, reason) for record_type in row.record_types
    ]


def _records_of(item: Any, row: Row, scope: Scope, tallies: dict[str, _Tally]) -> Iterator[Record]:
    listed = tallies[row.record_type]
    record = listed.take(row.transform, scope, item, None)
    if record is not None:
        yield record
    if listed.full:
        return
    for part in row.parts:
        tally = tallies[part.record_type]
        for member in _members(item, part, tally):
            record = tally.take(part.transform, scope, member, item)
            if record is not None:
                yield record


def _members(item: Any, part: Part, tally: _Tally) -> list[Any]:
    """Return the array that *part* names in *item*; empty if it is absent or null."""
    value = item
    for key in part.member:
        if not isinstance(value, dict):
            tally.malformed(f"{_id(item)}: {'.'.join(part.member)} is not where it should be")
            return []
        value = value.get(key)
        if value is None:
            return []
    if not isinstance(value, list):
        tally.malformed(f"{_id(item)}: {'.'.join(part.member)} is not an array")
        return []
    return value


def _id(item: Any) -> str:
    return str(item.get("id", "an item")) if isinstance(item, dict) else "an item"
