"""All that is read: which scopes there are, and everything of every one of them through one pool of threads."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial

from cloudmarker.contracts import Record
from cloudmarker.coverage import coverage
from cloudmarker.fanout import Job, fan_out
from cloudmarker.reading import UnreadError

from cloudmarker_gcp._client import Client
from cloudmarker_gcp._discovery import Discovery
from cloudmarker_gcp._governor import Governor, Target
from cloudmarker_gcp._reader import Branch, Chunk, Steps, Switches, Work, one_first, skipped
from cloudmarker_gcp._record import CLOUD_TYPE
from cloudmarker_gcp._row import Api, Row
from cloudmarker_gcp._scopes import Level, Scope
from cloudmarker_gcp._selection import Selection
from cloudmarker_gcp._session import Session
from cloudmarker_gcp._settings import Settings
from cloudmarker_gcp._table import RESOURCE_MANAGER, SERVICES, record_types, rows_for, token_scopes


def read_cloud(settings: Settings) -> Iterator[Record]:
    """Yield the records of all projects, folders and organizations, and coverage records for each of them."""
    stop = threading.Event()
    plan = Plan(settings)
    session = Session(settings.access, token_scopes(plan.all_rows))
    try:
        apis = {step.api for row in plan.all_rows for step in row.walk()}
        governor = Governor(settings.retry, settings.rate_limit, stop, apis)
        client = Client(session, governor, settings.retry, stop)
        try:
            client.login()
        except UnreadError as exc:
            yield coverage(CLOUD_TYPE, Scope().reference, "project", exc.state, 0, str(exc))
            return
        for chunk in fan_out(
            plan.jobs(client),
            settings.threads,
            stop=stop,
            ready_at=governor.ready_at,
            interrupt=client.interrupt,
            name="gcp",
        ):
            yield from chunk
    finally:
        stop.set()
        session.close()


class Plan:
    """What is read, in which order.

    Attributes:
        all_rows: what may be asked for.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._rows = rows_for(settings.record_types)
        self._selection = Selection(settings.projects, settings.exclude_projects, settings.max_projects)
        gated = {step.api for row in self._in_projects for step in row.walk() if step.api.enabled_by}
        self._services = self._service_row(len(gated) > 1)
        self.all_rows: tuple[Row, ...] = (*self._rows, *([self._services] if self._services else []))

    @property
    def _in_projects(self) -> list[Row]:
        return [row for row in self._rows if "project" in row.levels]

    def _wanted(self, record_type: str) -> bool:
        return self._settings.record_types is None or record_type in self._settings.record_types

    def _service_row(self, needed: bool) -> Row | None:
        """Return the row of the services that are enabled, silent if nobody wants their records; None if not needed."""
        if self._wanted(SERVICES.record_type):
            return SERVICES
        return replace(SERVICES, silent=True) if needed else None

    def jobs(self, client: Client) -> Iterator[Work]:
        """Yield the jobs that read everything."""
        left_out = [name for name in record_types() if not self._wanted(name)]
        if left_out:
            yield Job(partial(_given, _left_out(left_out)), Target.of(Scope(), RESOURCE_MANAGER))
        levels: set[Level] = {level for row in self._rows for level in row.levels}
        levels |= {level for level in ("organization", "folder") if self._wanted(level)}
        discovery = Discovery(
            client,
            self._selection,
            self._settings.root,
            levels,
            self._wanted,
            partial(self._found, client),
        )
        yield from discovery.jobs()

    def _found(self, client: Client, scope: Scope) -> Steps:
        """Yield what is to be read of a scope."""
        if scope.level != "project":
            yield from self._rows_of(client, scope, self._rows, Switches())
            return
        if reason := self._selection.refuse(scope):
            services = [self._services] if self._services else []
            yield skipped([*services, *self._rows], scope, reason)
            return
        yield Job(partial(self._project, client, scope), Target.of(scope, (self._services or SERVICES).api))

    def _project(self, client: Client, scope: Scope) -> Steps:
        """Read the services that are enabled in a project, then what those have there."""
        switches = Switches()
        if self._services:
            names: set[str] = set()
            branch = self._branch(client, self._services, scope, switches)
            yield from branch.steps(names)
            if not branch.holes and names:  # no list at all would be no news but an odd answer
                switches = Switches(frozenset(names))
        yield from self._rows_of(client, scope, self._rows, switches)

    def _rows_of(self, client: Client, scope: Scope, rows: Iterable[Row], switches: Switches) -> Iterator[Work]:
        """Yield the jobs for the rows of a scope. Of an API that may be off a single list is read first."""
        by_api: dict[Api, list[Branch]] = {}
        for row in rows:
            if scope.level in row.levels:
                by_api.setdefault(row.api, []).append(self._branch(client, row, scope, switches))
        for api, branches in by_api.items():
            if len(branches) == 1 or switches.known(api):
                for branch in branches:
                    yield branch.job()
            else:
                first, *others = branches
                yield Job(partial(one_first, first.steps(), [branch.job() for branch in others]), Target.of(scope, api))

    def _branch(self, client: Client, row: Row, scope: Scope, switches: Switches) -> Branch:
        return Branch(client, row, scope, switches, zones=self._settings.zones, limit=self._settings.max_recs)


def _given(chunk: Chunk) -> Steps:
    yield chunk


def _left_out(names: Iterable[str]) -> Chunk:
    return [coverage(CLOUD_TYPE, Scope().reference, name, "skipped", 0, "left out by record_types") for name in names]
