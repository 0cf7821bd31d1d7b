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

from cloudmarker_gcp._apis import RESOURCE_MANAGER
from cloudmarker_gcp._assets import asset_job, grouped, is_served
from cloudmarker_gcp._client import Client
from cloudmarker_gcp._discovery import Discovery
from cloudmarker_gcp._governor import Governor, Target
from cloudmarker_gcp._methods import Methods
from cloudmarker_gcp._reader import Branch, Branches, Chunk, Steps, Switches, Work, one_first, skipped
from cloudmarker_gcp._record import CLOUD_TYPE
from cloudmarker_gcp._row import Api, Row
from cloudmarker_gcp._scopes import Level, Scope
from cloudmarker_gcp._selection import Selection
from cloudmarker_gcp._session import Session
from cloudmarker_gcp._settings import Settings
from cloudmarker_gcp._table import (
    ASSET_LIST,
    PROJECT,
    SERVICES,
    com_types,
    methods,
    record_types,
    rows_for,
    token_scopes,
)


def read_cloud(settings: Settings) -> Iterator[Record]:
    """Yield the records of all projects, folders and organizations, and coverage records for each of them."""
    stop = threading.Event()
    plan = Plan(settings)
    session = Session(settings.access, token_scopes(plan.all_rows))
    try:
        governor = Governor(settings.retry, settings.rate_limit, stop, plan.apis)
        client = Client(session, Methods(session, methods(plan.all_rows)), governor, settings.retry, stop)
        try:
            client.login()
        except UnreadError as exc:
            yield coverage(CLOUD_TYPE, Scope().reference, "project", exc.state, 0, str(exc), record_types=["scope"])
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
        settings: what is wanted.
        rows: what is read of projects, folders and organizations.
        services: the row of the services that are enabled, silent if nobody wants their records; None if not needed.
        selection: which projects are read.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.rows = rows_for(settings.record_types)
        self.selection = Selection(settings.projects, settings.exclude_projects, settings.max_projects)
        self.services: Row | None = None
        if self._wanted(SERVICES.record_type):
            self.services = SERVICES
        elif len({api for api in _apis(self.rows) if api.enabled_by}) > 1 and not settings.from_assets:
            self.services = replace(SERVICES, silent=True)

    @property
    def all_rows(self) -> list[Row]:
        """All that may be asked for, but for projects, folders and organizations."""
        more = [self.services] if self.services else []
        return [*self.rows, *more, *([ASSET_LIST] if self.settings.from_assets else [])]

    @property
    def apis(self) -> set[Api]:
        """All APIs that may be asked."""
        return _apis(self.all_rows) | {RESOURCE_MANAGER}

    @property
    def served(self) -> list[Row]:
        """What Cloud Asset Inventory is asked for."""
        return [row for row in self.all_rows if is_served(row)]

    def _wanted(self, record_type: str) -> bool:
        return self.settings.record_types is None or record_type in self.settings.record_types

    def jobs(self, client: Client) -> Iterator[Work]:
        """Yield the jobs that read everything."""
        # Projects are listed in any case, and the list has coverage of its own.
        left_out = [name for name in record_types() if name != PROJECT.record_type and not self._wanted(name)]
        if left_out:
            yield Job(partial(_given, _left_out(left_out)), Target.of(Scope(), RESOURCE_MANAGER))
        reading = _Reading(self, client)
        levels = {level for row in self.rows for level in row.levels}
        discovery = Discovery(
            client,
            self.selection,
            self.settings.root,
            {level for level in ("organization", "folder") if level in levels or self._wanted(level)},
            self._wanted,
            reading.found,
            reading.all_found,
        )
        yield from discovery.jobs()


class _Reading:
    """What is read of the scopes that are found."""

    def __init__(self, plan: Plan, client: Client) -> None:
        self._plan = plan
        self._client = client
        self._branches = Branches(client, plan.settings.zones, plan.settings.max_recs)
        self._scopes: list[Scope] = []

    def found(self, scope: Scope) -> Steps:
        """Yield what is to be read of a scope."""
        plan = self._plan
        if scope.level != "project":
            yield from self._scope(scope)
        elif reason := plan.selection.refuse(scope):
            services = [plan.services] if plan.services else []
            yield skipped([*services, *plan.rows], scope, reason)
        elif plan.services and not plan.settings.from_assets:
            yield Job(partial(self._project, scope, plan.services), Target.of(scope, plan.services.api))
        else:
            yield from self._scope(scope)

    def all_found(self) -> Steps:
        """Yield what is to be read of all scopes together, once there are no more."""
        plan = self._plan
        root = plan.settings.root
        if plan.settings.from_assets and root:
            level: Level = "organization" if root.startswith("organization") else "folder"
            parent = Scope(level, root.partition("/")[2])
            for rows in grouped(plan.served):
                yield asset_job(self._client, self._branches, parent, rows, self._scopes)

    def _project(self, scope: Scope, services: Row) -> Steps:
        """Read the services that are enabled in a project, then what those have there."""
        switches = Switches()
        names: set[str] = set()
        branch = self._branches(services, scope, switches)
        yield from branch.steps(names)
        if not branch.holes and names:  # no service at all would be an odd answer
            switches = Switches(frozenset(names))
        yield from self._rows(scope, self._plan.rows, switches)

    def _scope(self, scope: Scope) -> Steps:
        plan = self._plan
        if not plan.settings.from_assets or not (plan.settings.root or scope.level == "project"):
            yield from self._rows(scope, plan.rows, Switches())
            return
        yield from self._rows(scope, [row for row in plan.rows if not is_served(row)], Switches())
        if plan.settings.root:
            self._scopes.append(scope)
        else:
            yield asset_job(self._client, self._branches, scope, plan.served, [scope])

    def _rows(self, scope: Scope, rows: Iterable[Row], switches: Switches) -> Iterator[Work]:
        """Yield the jobs for the rows of a scope. Of an API that may be off a single list is read first."""
        by_api: dict[Api, list[Branch]] = {}
        for row in rows:
            if scope.level in row.levels:
                by_api.setdefault(row.api, []).append(self._branches(row, scope, switches))
        for api, branches in by_api.items():
            if len(branches) == 1 or switches.known(api):
                for branch in branches:
                    yield branch.job()
            else:
                first, *others = branches
                yield Job(partial(one_first, first.steps(), [branch.job() for branch in others]), Target.of(scope, api))


def _apis(rows: Iterable[Row]) -> set[Api]:
    return {step.api for row in rows for step in row.walk()}


def _given(chunk: Chunk) -> Steps:
    yield chunk


def _left_out(names: Iterable[str]) -> Chunk:
    types = com_types()
    return [
        coverage(
            CLOUD_TYPE,
            Scope().reference,
            name,
            "skipped",
            0,
            "left out by the parameter record_types",
            record_types=[types[name]],
        )
        for name in names
    ]
