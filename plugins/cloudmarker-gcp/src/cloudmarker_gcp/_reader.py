"""A row of the table, and all below it, to records and coverage: what is not read is said, and nothing is raised."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
from cloudmarker.contracts import Record
from cloudmarker.coverage import coverage
from cloudmarker.errors import RecordError
from cloudmarker.fanout import Job
from cloudmarker.reading import Tally, UnreadError

from cloudmarker_gcp._client import Call, Client
from cloudmarker_gcp._governor import Target
from cloudmarker_gcp._json import text
from cloudmarker_gcp._names import last_part
from cloudmarker_gcp._outcome import RefusedError
from cloudmarker_gcp._pages import Page, check_item, decoded
from cloudmarker_gcp._record import CLOUD_TYPE, Where, record
from cloudmarker_gcp._row import Api, Row
from cloudmarker_gcp._scopes import Scope

_LOGGER = logging.getLogger(__name__)

Chunk = list[Record]
Work = Job[Chunk]
Steps = Generator["Chunk | Work", None, None]
"""Records as they come, further jobs, and empty chunks while there is something to wait for."""

CHUNK = 64
"""Records that are handed over at once, at most: enough to make the handing over cheap, and few in memory."""

CHUNK_BYTES = 32 * 2**10
"""Bytes of JSON after which they are handed over, however few."""


class Switches:
    """Which APIs are off in a scope: found out once, and then not asked again. Threads may share it."""

    def __init__(self, enabled: frozenset[str] | None = None) -> None:
        self._enabled = enabled
        self._off: dict[Api, UnreadError] = {}

    def off(self, api: Api) -> UnreadError | None:
        """Return why an API need not be asked; None if it must be."""
        if self._enabled is not None and api.enabled_by and not self._enabled.intersection(api.enabled_by):
            return UnreadError("disabled", f"the service {api.enabled_by[0]} is not enabled in the project")
        return self._off.get(api)

    def known(self, api: Api) -> bool:
        """Say whether it is known that an API is on, or off."""
        return api in self._off or (self._enabled is not None and bool(api.enabled_by))

    def note(self, api: Api, unread: UnreadError) -> None:
        """Take note of an answer that says that an API is off."""
        self._off.setdefault(api, unread)


class Branch:
    """A row and all below it, read from one scope, and what came of each of its record types.

    Args:
        client: reads.
        row: what.
        scope: from where.
        switches: which APIs are off.
        zones: those that zonal types are read from; None for all.
        limit: records of each type at most; 0 for all.

    Attributes:
        holes: whether some list could not be read to its end.
    """

    def __init__(
        self,
        client: Client,
        row: Row,
        scope: Scope,
        switches: Switches,
        *,
        zones: tuple[str, ...] | None = None,
        limit: int = 0,
    ) -> None:
        self.row = row
        self.scope = scope
        self._client = client
        self._switches = switches
        self._zones = zones
        self._tallies = {name: Tally(limit, "_max_recs") for name in row.record_types}
        self.holes = False
        self._names: set[str] | None = None
        self._open = 1
        self._lock = threading.Lock()

    def job(self, row: Row | None = None) -> Work:
        """Return the job that reads it, or a *row* in its place that leaves something out."""
        row = row or self.row
        return self._job(row, partial(self.steps, None, row))

    def steps(self, names: set[str] | None = None, row: Row | None = None) -> Steps:
        """Read the row; yield its records, jobs for what is below, and coverage at the end of the last of them.

        Args:
            names: the last part of the name of everything that is read is added to it.
            row: read in place of its own.
        """
        self._names = names
        row = row or self.row
        first, *others = (self._zones if row.zone_method else None) or ("",)
        where = Where(self.scope, {})
        jobs = []
        for zone in others:
            self.enter()
            jobs.append(self._job(row, partial(self._read, row, where, "", zone)))
        yield from one_first(self._read(row, where, "", first), jobs)

    def enter(self) -> None:
        """Take note that there is one more list to read, and :meth:`leave` will be called once more."""
        with self._lock:
            self._open += 1

    def leave(self) -> Iterator[Chunk]:
        """Take note that a list has been read; yield coverage if it was the last one."""
        with self._lock:
            self._open -= 1
            if self._open:
                return
        if self._tallies:
            types = self.row.com_types
            zones = ", ".join(self._zones or ()) if self.row.zone_method else ""
            yield [
                tally.coverage(
                    CLOUD_TYPE,
                    self.scope.reference,
                    name,
                    self.row.if_empty if name == self.row.record_type else None,
                    left_out=f"what is not in {zones} is left out by the parameter zone" if zones else "",
                    account=self.scope.project,
                    record_types=[types[name]],
                )
                for name, tally in self._tallies.items()
            ]

    def note(self, row: Row, unread: UnreadError, place: str = "") -> None:
        """Take note that a list of a row, or the rest of it, could not be read."""
        self.holes = True
        state = unread.state
        if state == "disabled":
            consumer = unread.consumer if isinstance(unread, RefusedError) else None
            if consumer is not None and not (row.api.enabled_by and self.scope.holds(_project(consumer))):
                state = (
                    "failed"  # some other project lacks the API, or it says nothing: so nothing is known of this one
                )
        for name in row.record_types:
            self._tallies[name].gap(state, str(unread), place)

    def remark(self, row: Row, text: str) -> None:
        """Add to the coverage of a row and all below it something that is worth knowing and not amiss."""
        for name in row.record_types:
            self._tallies[name].gap("ok", text)

    def records_of(
        self, row: Row, where: Where, item: Any, *, below: bool = True, skip: Collection[Row] = ()
    ) -> Generator[Record | Work, None, None]:
        """Yield the records of an *item* of a row, and the jobs for what is below it.

        Args:
            row: what it is an item of; this row, or one below it.
            where: where it is.
            item: decoded.
            below: whether the jobs are wanted.
            skip: rows below it whose jobs are not.
        """
        if self._names is not None:
            self._names.add(last_part(text(item, "name") or ""))
        made = self._made(row, where, item)
        if row.record_type and made is not None:
            yield made
        if not isinstance(item, dict) or (row.record_type and made is None):
            return
        inner = Where(where.scope, made["com"] if made else {})
        for part in row.parts:
            tally = self._tallies[part.record_type]
            try:
                members = part.members(item)
            except RecordError as exc:
                tally.malformed(str(exc))
                continue
            for member in members:
                if not tally.admit():
                    break
                try:
                    yield part.make(inner, item, member)
                except RecordError as exc:
                    tally.malformed(str(exc))
        if below:
            yield from self._below(row, inner, item, skip)

    def _below(self, row: Row, where: Where, item: Any, skip: Collection[Row]) -> Iterator[Work]:
        """Yield the jobs for what is below an *item* of a row, but for the rows to *skip*."""
        children = [child for child in row.children if not any(child is left_out for left_out in skip)]
        parent = row.leads_to(item) if children else None
        if parent is None:
            return
        for child in children:
            self.enter()
            yield self._job(child, partial(self._read, child, where, parent, ""))

    def _made(self, row: Row, where: Where, item: Any) -> Record | None:
        """Return the record of an item, counted; None if it has none, or is one more than wanted."""
        if row.kind is None:
            return None
        tally = self._tallies.get(row.record_type)
        if tally is not None and not tally.admit():
            return None
        problem = "an item is not an object"
        if isinstance(item, dict):
            try:
                return record(row.kind, where, item)
            except RecordError as exc:
                problem = str(exc)
        if tally is not None:
            tally.malformed(problem)
        return None

    def _job(self, row: Row, start: Any) -> Work:
        return Job(start, Target.of(self.scope, row.api))

    def _read(self, row: Row, where: Where, parent: str, zone: str) -> Steps:
        """Read one list of a row; yield its records and jobs, and coverage if it was the last one."""
        off = self._switches.off(row.api)
        place = f"zones/{zone}" if zone else parent
        if off is not None:
            self.note(row, off)
        else:
            try:
                with closing(self._client.pages(Call.of(row, self.scope, parent, zone))) as pages:
                    for page in pages:
                        if page is None:
                            yield []
                            continue
                        yield from self._chunks(row, where, self._items(row, page, "" if zone else row.aggregated))
                        if self._full(row):
                            break
            except UnreadError as exc:
                if exc.state == "disabled":
                    self._switches.note(row.api, exc)
                    place = ""
                self.note(row, exc, place)
            except Exception as exc:  # a fault of ours in one list must not cost the others
                _LOGGER.exception("%s %s", self.scope.reference, row.method)
                self.note(row, UnreadError("failed", f"unexpected {type(exc).__name__}: {exc}"), place)
        yield from self.leave()

    def _full(self, row: Row) -> bool:
        tally = self._tallies.get(row.record_type)
        return tally is not None and tally.full

    def _items(self, row: Row, page: Page, aggregated: str) -> Iterator[tuple[Any, int]]:
        """Yield the items of a page, and the bytes of each; note what it says is missing."""
        if row.items is None:
            yield page.whole(), 0
            return
        page.check_owner(self.scope)
        items, gaps = page.items(row.items, aggregated)
        for state, reason, place in [*page.gaps(), *gaps]:
            for name in row.record_types:
                self._tallies[name].gap(state, reason, place)
        del page
        items.reverse()
        while items:
            raw = items.pop()
            size = 0
            if isinstance(raw, msgspec.Raw):
                view = memoryview(raw)
                size = len(view)
                try:
                    raw = decoded(view)
                except ValueError as exc:
                    raise UnreadError("failed", f"an item is not JSON: {exc}") from exc
            check_item(raw, self.scope)
            yield raw, size

    def _chunks(self, row: Row, where: Where, items: Iterator[tuple[Any, int]]) -> Steps:
        """Yield the records of *items* in chunks, and jobs; also what was made before an item that cannot be."""
        yield from in_chunks(self._sized(row, where, items))

    def _sized(self, row: Row, where: Where, items: Iterator[tuple[Any, int]]) -> Iterator[tuple[Record | Work, int]]:
        for item, item_size in items:
            size = item_size
            for result in self.records_of(row, where, item):
                yield result, size
                size = 0


def in_chunks(results: Iterable[tuple[Record | Work, int]]) -> Steps:
    """Yield records in chunks, and jobs.

    Args:
        results: each with its size in bytes. If they end with an UnreadError, what came before is yielded first.

    Raises:
        UnreadError: that of *results*.
    """
    chunk: Chunk = []
    size = 0
    try:
        for result, result_size in results:
            if isinstance(result, Job):
                yield result
                continue
            chunk.append(result)
            size += result_size
            if len(chunk) >= CHUNK or size >= CHUNK_BYTES:
                yield chunk
                chunk, size = [], 0
    except UnreadError:
        if chunk:
            yield chunk
        raise
    if chunk:
        yield chunk


@dataclass(frozen=True)
class Branches:
    """Makes branches.

    Attributes:
        client: reads.
        zones: see :class:`Branch`, as for *limit*.
        limit: of records.
    """

    client: Client
    zones: tuple[str, ...] | None = None
    limit: int = 0

    def __call__(self, row: Row, scope: Scope, switches: Switches | None = None) -> Branch:
        """Return the branch of a row in a scope; switches of its own if none are given."""
        return Branch(self.client, row, scope, switches or Switches(), zones=self.zones, limit=self.limit)


def one_first(first: Steps, others: Iterable[Work]) -> Steps:
    """Take the *first* steps, and yield *others* once those have brought something: it may be that the API is off."""
    waiting = list(others)
    for result in first:
        if result:
            while waiting:
                yield waiting.pop(0)
        yield result
    yield from waiting


def skipped(rows: Iterable[Row], scope: Scope, reason: str) -> Chunk:
    """Return the coverage records of what is not read because of the configuration."""
    return [
        coverage(
            CLOUD_TYPE, scope.reference, name, "skipped", 0, reason, account=scope.project, record_types=[com_type]
        )
        for row in rows
        if scope.level in row.levels
        for name, com_type in row.com_types.items()
    ]


def _project(consumer: str) -> str:
    """Return the id or number in ``projects/<id or number>``, as the consumer of an API is spelled."""
    return consumer.removeprefix("projects/")
