"""Which organizations, folders and projects there are: all that can be seen, or what is in one of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from functools import partial
from typing import Any

from cloudmarker.contracts import Record
from cloudmarker.coverage import coverage
from cloudmarker.errors import RecordError
from cloudmarker.fanout import Job
from cloudmarker.reading import Tally, UnreadError

from cloudmarker_gcp._client import Call, Client
from cloudmarker_gcp._governor import Target
from cloudmarker_gcp._pages import decoded
from cloudmarker_gcp._reader import Chunk, Steps, Work
from cloudmarker_gcp._record import CLOUD_TYPE, Where, record
from cloudmarker_gcp._row import Row
from cloudmarker_gcp._scopes import Level, Scope
from cloudmarker_gcp._selection import Selection, is_pattern
from cloudmarker_gcp._table import FOLDER, LISTED, ORGANIZATION, PROJECT, SEARCHED

_ROWS: dict[Level, Row] = {"organization": ORGANIZATION, "folder": FOLDER, "project": PROJECT}

_TYPES = ["scope"]
"""The ``com.record_type`` of their records. What is in a project that is not listed has no coverage at all."""

NOTHING_VISIBLE = "no project is visible: give the account the role Viewer on a project, a folder or the organization"


class Discovery:
    """Finds what is read from.

    Args:
        client: reads.
        selection: which projects are read.
        root: path of the folder or organization that is looked into; empty for all that can be seen.
        levels: what is of interest besides projects.
        shown: the record types that are wanted: those of projects, folders and organizations may be among them.
        found: yields what is to be read of a scope; called once for each that is found.
        all_found: yields what is to be read after the last one.
    """

    def __init__(
        self,
        client: Client,
        selection: Selection,
        root: str,
        levels: Iterable[Level],
        shown: Callable[[str], bool],
        found: Callable[[Scope], Steps],
        all_found: Callable[[], Steps],
    ) -> None:
        self._client = client
        self._selection = selection
        self._root = root
        self._levels = set(levels)
        self._shown = shown
        self._found = found
        self._all_found = all_found
        self._everything = Scope()
        self._tallies: dict[Level, Tally] = {}
        self._open = 0
        self._lock = threading.Lock()

    def jobs(self) -> list[Work]:
        """Return the jobs that find everything."""
        if self._root:
            self._tallies = {"folder": Tally(), "project": Tally()}
            return [self._job(self._look_at_root)]
        levels = [level for level in _ROWS if level == "project" or level in self._levels]
        self._tallies = {level: Tally() for level in levels}
        return [self._job(partial(self._read, level, Call.of(SEARCHED[level], self._everything))) for level in levels]

    def _job(self, start: Callable[[], Steps]) -> Work:
        with self._lock:
            self._open += 1
        return Job(start, Target.of(self._everything, PROJECT.api))

    def _look_at_root(self) -> Steps:
        """Read the folder or organization itself, then what is in it."""
        level: Level = "organization" if self._root.startswith("organization") else "folder"
        number = self._root.partition("/")[2]
        try:
            item = None
            with closing(self._client.pages(Call.of(_ROWS[level], self._everything, number))) as pages:
                for page in pages:
                    if page is None:
                        yield []
                    else:
                        item = page.whole()
            yield from self._take(level, item, None)
        except UnreadError as exc:
            reference = Scope(level, number).reference
            yield [coverage(CLOUD_TYPE, reference, level, exc.state, 0, str(exc), record_types=_TYPES)]
            yield from self._within(Scope(level, number))
        yield from self._leave()

    def _within(self, scope: Scope) -> Iterator[Work]:
        """Yield the jobs that list what is directly in a folder or organization."""
        for level in ("project", "folder"):
            yield self._job(partial(self._read, level, Call.of(LISTED[level], self._everything, scope.path)))

    def _read(self, level: Level, call: Call) -> Steps:
        """Read one list of projects, folders or organizations."""
        tally = self._tallies[level]
        try:
            with closing(self._client.pages(call)) as pages:
                for page in pages:
                    if page is None:
                        yield []
                        continue
                    items, _ = page.items(call.row.items or "")
                    for raw in items:
                        yield from self._take(level, raw if isinstance(raw, dict) else decoded(memoryview(raw)), tally)
        except UnreadError as exc:
            parent = str(call.arguments.get("parent", ""))
            tally.gap("failed" if exc.state == "disabled" else exc.state, str(exc), parent)
        yield from self._leave()

    def _take(self, level: Level, item: Any, tally: Tally | None) -> Steps:
        """Yield the record of a scope, and what is to be read of it."""
        if tally is not None:
            tally.admit()
        try:
            scope = Scope.of(level, item if isinstance(item, dict) else {})
        except RecordError as exc:
            if tally is not None:
                tally.malformed(str(exc))
            return
        if not self._selection.first_sight(scope):
            return
        yield from self._show(level, scope, item)
        yield from self._found(scope)
        if self._root and level != "project":
            yield from self._within(scope)

    def _show(self, level: Level, scope: Scope, item: dict[str, Any]) -> Iterator[Chunk]:
        kind = _ROWS[level].kind
        if kind is not None and self._shown(level):
            yield [record(kind, Where(scope, {}), item)]

    def _leave(self) -> Steps:
        """Take note that a list has been read; after the last one yield coverage, and look for who is missing."""
        with self._lock:
            self._open -= 1
            if self._open:
                return
        reference = f"{self._everything.reference}/{self._root}" if self._root else self._everything.reference
        yield [
            tally.coverage(CLOUD_TYPE, reference, level, self._if_empty(level), record_types=_TYPES)
            for level, tally in self._tallies.items()
            if level == "project" or self._shown(level)
        ]
        for entry in self._selection.missing():
            if self._root or is_pattern(entry):
                yield [_not_found(entry, f"no project in {self._root} matches it" if self._root else None)]
            else:
                yield Job(partial(self._single, entry), Target.of(self._everything, PROJECT.api))
        yield from self._all_found()

    def _if_empty(self, level: Level) -> str | None:
        return NOTHING_VISIBLE if level == "project" and not self._root else None

    def _single(self, entry: str) -> Steps:
        """Read a project that was asked for and is not in the search: new ones appear there after a while only."""
        tally = Tally()
        try:
            with closing(self._client.pages(Call.of(PROJECT, self._everything, entry))) as pages:
                for page in pages:
                    if page is None:
                        yield []
                        continue
                    item = page.whole()
                    own = Scope.of("project", item)
                    if entry.lower() in (own.id, own.number):
                        yield from self._take("project", item, tally)
                    else:
                        tally.gap("failed", f"the answer is not of this project, but of project {own.id}")
        except UnreadError as exc:
            tally.gap(exc.state, str(exc))
        except RecordError as exc:
            tally.malformed(str(exc))
        reference = Scope("project", entry).reference
        yield [tally.coverage(CLOUD_TYPE, reference, "project", account=entry.lower(), record_types=_TYPES)]


def _not_found(entry: str, reason: str | None) -> Record:
    return coverage(
        CLOUD_TYPE,
        Scope("project", entry).reference,
        "project",
        "failed",
        0,
        reason or "no visible project matches it",
        account=entry.lower(),
        record_types=_TYPES,
    )
