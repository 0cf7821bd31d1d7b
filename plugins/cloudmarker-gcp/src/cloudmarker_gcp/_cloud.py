"""All projects: which there are, which are read, and their lists in parallel."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from functools import partial

from cloudmarker.contracts import Record
from cloudmarker.coverage import coverage

from cloudmarker_gcp._access import Access
from cloudmarker_gcp._client import Client
from cloudmarker_gcp._outcome import UnreadError
from cloudmarker_gcp._pool import run
from cloudmarker_gcp._reader import Chunks, read_list, skip_lists
from cloudmarker_gcp._records import CLOUD_TYPE, Scope
from cloudmarker_gcp._table import PROJECT, PROJECTS, TABLE, Row

_LOGGER = logging.getLogger(__name__)

ROWS: tuple[Row, ...] = (PROJECTS, PROJECT, *TABLE)
"""All that is read."""

Job = Callable[[], Chunks]


def read_cloud(
    client: Client, access: Access, stop: threading.Event, *, threads: int, max_projects: int, max_records: int
) -> Iterator[Record]:
    """Yield the records of all projects, and coverage records for each of them.

    Args:
        client: reads.
        access: which projects and zones.
        stop: set when reading ends.
        threads: lists that are read at the same time.
        max_projects: projects that are read at most; 0 for all.
        max_records: records of each type and project at most; 0 for all.
    """
    try:
        client.login()
    except UnreadError as exc:
        yield coverage(CLOUD_TYPE, Scope().reference, PROJECTS.record_type, exc.state, 0, str(exc))
        return
    for chunk in run(_jobs(client, access, max_projects, max_records), threads, stop):
        yield from chunk


def _jobs(client: Client, access: Access, max_projects: int, max_records: int) -> Iterator[Job]:
    """Yield a job for each list of each project, while the projects are still being listed."""
    chosen = 0
    for chunk in _projects(client, access):
        yield partial(_given, chunk)
        for record in chunk:
            if record["com"]["record_type"] != "scope":
                continue
            scope = Scope.project(record["raw"])
            reason = _reason_to_skip(scope, access)
            if not reason and max_projects and chosen >= max_projects:
                reason = f"limited to {max_projects} projects by _max_projects"
            if reason:
                yield partial(skip_lists, TABLE, scope, reason)
                continue
            chosen += 1
            for row in TABLE:
                yield partial(read_list, client, row, scope, access.zones, max_records)


def _projects(client: Client, access: Access) -> Iterator[list[Record]]:
    """Yield the records of the projects that can be seen, then of those asked for that are not among them; in chunks.

    Coverage records are among them.
    """
    missing = dict.fromkeys(access.projects or ())
    count = 0
    for chunk in read_list(client, PROJECTS, Scope()):
        for record in chunk:
            if record["com"]["record_type"] == "scope":
                count += 1
                for name in [name for name in missing if _matches(Scope.project(record["raw"]), name)]:
                    del missing[name]
        yield chunk
    _LOGGER.info("%d projects are visible", count)
    for name in missing:
        scope = Scope(project_id=name)
        if _is_pattern(name):
            reason = "no visible project matches it"
            yield [coverage(CLOUD_TYPE, scope.reference, PROJECT.record_type, "failed", 0, reason)]
        else:
            yield from read_list(client, PROJECT, scope)


def _given(chunk: list[Record]) -> Chunks:
    yield chunk


def _reason_to_skip(scope: Scope, access: Access) -> str | None:
    if access.projects is not None and not any(_matches(scope, name) for name in access.projects):
        return "left out by projects"
    if scope.project_state and scope.project_state != "ACTIVE":
        return f"the project is {scope.project_state}"
    return None


def _matches(scope: Scope, name: str) -> bool:
    """Say whether *name* is the id or the number of a project, or a pattern for its id. Ids are in lower case."""
    return name == scope.project_number or fnmatchcase(scope.project_id or "", name.lower())


def _is_pattern(name: str) -> bool:
    return any(sign in name for sign in "*?[")
