"""The in-memory source of the Google simulator: collections by path, and what Google derives from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from cloudmarker_simulators._gcp_blueprint import services
from cloudmarker_simulators._gcp_paths import GooglePath
from cloudmarker_simulators._http import JsonObject
from cloudmarker_simulators._sources import Aggregate, Collection, MemorySource, Refusal, Source
from cloudmarker_simulators.faults import Fault


class GoogleSource(Source, Protocol):
    """The data behind the Google simulator."""

    @property
    def unreachable(self) -> Mapping[str, frozenset[str]]:
        """For a project id, the zones and regions that cannot be read, as ``zones/Z`` and ``regions/R``."""

    def aggregate(self, path: str) -> Aggregate | None:
        """Return what the aggregated list at *path* of the compute API covers, or None for an unknown project."""

    def project_number(self, project: str) -> str:
        """Return the number of *project*, or *project* itself when that is not known."""

    def services(self, project: str) -> Mapping[str, str]:
        """Return the services that a project can use, with a path of each that can be refused."""

    def assets(self, parent: str, wanted: Callable[[str], bool], content: str) -> Sequence[JsonObject] | None:
        """Return what Cloud Asset Inventory has below *parent*, such as ``folders/1``; None if it is not in use there.

        Args:
            parent: what is looked into.
            wanted: says of a type of assets whether it is asked for.
            content: ``RESOURCE`` or ``IAM_POLICY``.
        """


class GoogleMemorySource(MemorySource):
    """A Google source that keeps everything in memory.

    Attributes:
        unreachable: for a project, the scopes that cannot be read.
    """

    def __init__(self, *, page_size: int, refusals: Sequence[Refusal] = (), faults: Sequence[Fault] = ()) -> None:
        super().__init__(self._by_project_id, page_size=page_size, refusals=refusals, faults=faults)
        self.unreachable: dict[str, frozenset[str]] = {}
        self._ids: dict[str, str] = {}
        self._numbers: dict[str, str] = {}
        self._scoped: dict[tuple[str, str], dict[str, Sequence[JsonObject]]] = {}
        self._aggregates: dict[str, Aggregate] = {}

    def add_projects(self, projects: Iterable[JsonObject]) -> None:
        """Serve *projects*, given as version 1 of the Resource Manager API has them, through versions 1 and 3."""
        projects = list(projects)
        newer = [as_v3(project) for project in projects]
        for project, project_v3 in zip(projects, newer, strict=True):
            id_ = project["projectId"]
            if number := project.get("projectNumber"):
                self._ids[number] = id_
                self._numbers[id_] = number
            self.add_resource(f"/v1/projects/{id_}", project)
            self.add_resource(f"/v3/projects/{id_}", project_v3)
        self.add_collection("/v1/projects", Collection("projects", projects))
        self.add_collection("/v3/projects:search", Collection("projects", newer))

    def add_collection(self, path: str, collection: Collection) -> None:
        """See :meth:`MemorySource.add_collection`; lists of a zone or region become part of aggregated ones."""
        super().add_collection(path, collection)
        where = GooglePath.parse(path)
        if where.is_compute and where.scope and where.rest.count("/") == where.scope.count("/") + 1:
            self.set_aggregated(path, collection.items)

    def set_aggregated(self, path: str, items: Sequence[JsonObject]) -> None:
        """Let the aggregated list have *items* where it would have those of the zone's or region's list at *path*."""
        where = GooglePath.parse(path)
        self._scoped.setdefault((where.project, where.collection), {})[where.scope] = items

    def aggregate(self, path: str) -> Aggregate | None:
        """See :meth:`GoogleSource.aggregate`."""
        path = self.normalise(path)
        if path not in self._aggregates and (aggregate := self._aggregate(path)) is not None:
            self._aggregates[path] = aggregate
        return self._aggregates.get(path)

    def _aggregate(self, path: str) -> Aggregate | None:
        where = GooglePath.parse(path)
        project = f"/compute/v1/projects/{where.project}"
        if not self.knows(project) and not self.knows(f"/v1/projects/{where.project}"):
            return None
        held = self._scoped.get((where.project, where.collection), {})
        listed = self.collection(f"{project}/zones")
        zones = [f"zones/{zone['name']}" for zone in (listed.items if listed is not None else ())]
        if any(scope.startswith("regions/") for scope in held):
            scopes = ["global", *dict.fromkeys(f"regions/{zone[6:].rpartition('-')[0]}" for zone in zones)]
        else:
            scopes = zones
        scopes = list(dict.fromkeys([*scopes, *held]))
        unreachable = self.unreachable.get(where.project, frozenset())
        items = [(scope, item) for scope in scopes if scope not in unreachable for item in held.get(scope, ())]
        return Aggregate(
            where.collection,
            [item for _, item in items],
            lambda number: items[number][0],
            scopes,
            unreachable & set(scopes),
        )

    def services(self, project: str) -> Mapping[str, str]:
        """See :meth:`GoogleSource.services`."""
        return {name: path.replace("{project}", project) for name, path in services().items()}

    def assets(self, parent: str, wanted: Callable[[str], bool], content: str) -> None:
        """See :meth:`GoogleSource.assets`: small tenants do not use it."""
        return

    def counts(self) -> Counter[str]:
        """See :meth:`Source.counts`; a type is called as its lists are, such as ``firewalls``."""
        total: Counter[str] = Counter()
        for path, collection in self.collections.items():
            total[path.rpartition("/")[2].lower()] += len(collection.items)
        return +total

    def project_number(self, project: str) -> str:
        """See :meth:`GoogleSource.project_number`."""
        return self._numbers.get(project, project)

    def _by_project_id(self, path: str) -> str:
        """Return *path* with the project's number, which Google takes as well, replaced by its id."""
        where = GooglePath.parse(path)
        if where.project not in self._ids:
            return path
        return path.replace(f"/projects/{where.project}", f"/projects/{self._ids[where.project]}", 1)


def as_v3(project: JsonObject, parent: str = "") -> JsonObject:
    """Return a *project* of version 1 of the API as version 3 has it; *parent* if it is not to be taken from it."""
    newer: JsonObject = {"name": f"projects/{project.get('projectNumber', project['projectId'])}"}
    if parent:
        newer["parent"] = parent
    elif above := project.get("parent"):
        newer["parent"] = f"{above['type']}s/{above['id']}"
    newer["projectId"] = project["projectId"]
    newer["state"] = project.get("lifecycleState", "STATE_UNSPECIFIED")
    newer["displayName"] = project.get("name", project["projectId"])
    if "createTime" in project:
        newer["createTime"] = newer["updateTime"] = project["createTime"]
    if "labels" in project:
        newer["labels"] = project["labels"]
    return newer
