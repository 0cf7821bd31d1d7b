"""The data source of a synthetic Google organization: as large as asked for, and made only as it is read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter

from cloudmarker_simulators._gcp_blueprint import PROJECT, Bucket, Often, load_blueprint, services
from cloudmarker_simulators._gcp_hierarchy import ONCE, Hierarchy
from cloudmarker_simulators._gcp_paths import GooglePath
from cloudmarker_simulators._gcp_source import as_v3
from cloudmarker_simulators._http import JsonObject
from cloudmarker_simulators._sizes import Size
from cloudmarker_simulators._sources import Aggregate, Collection, Refusal
from cloudmarker_simulators._stamps import JoinedItems, LazyItems, Place, Stamp, StampedItems
from cloudmarker_simulators.faults import Fault

PAGE_SIZE = 500
_UNIT = re.compile(r"u([0-9a-f]{4})([0-9a-f]{6})(?![0-9a-f])")
_PLACED = re.compile(r"/(zones|regions|locations)/([^/:?]+)(?=[/:])")
_SCOPE = re.compile(r"/v[12](?:beta1)?/(organizations|folders)/(\d+)|/v3/(organizations|folders)/(\d+)")


@dataclass(frozen=True)
class _Where:
    """A path, as the templates are filed.

    Attributes:
        key: the path with placeholders for project, unit, zone and region.
        project: number of the project in the order of the list, None for paths above all.
        unit: number of the unit, None when the path names none.
        place: number of the zone and region, None when the path names none.
    """

    key: str
    project: int | None = None
    unit: int | None = None
    place: int | None = None


class SyntheticGoogle:
    """An organization whose projects all have the same types of resources, ``scale`` units of them.

    Attributes:
        hierarchy: its folders and projects.
        unreachable: for a project id, the zones and regions that cannot be read.
    """

    def __init__(
        self,
        size: Size,
        *,
        page_size: int = PAGE_SIZE,
        unreachable: Mapping[str, Iterable[str]] | None = None,
        blueprint: str = "gcp",
    ) -> None:
        self.size = size
        self.page_size = page_size
        self.refusals: Sequence[Refusal] = ()
        self.faults: Sequence[Fault] = ()
        self.unreachable = {project: frozenset(scopes) for project, scopes in (unreachable or {}).items()}
        self._blueprint = load_blueprint(size.seed, blueprint)
        self.hierarchy = Hierarchy(size, self._blueprint.title, self._blueprint.zones)
        self._project = Stamp(PROJECT, size.seed)
        self._project_v3 = Stamp(as_v3(PROJECT, "{parent}"), size.seed)
        self._known = {path.rpartition("/")[0] for path in self._blueprint.lists} | set(self._blueprint.resources)

    @property
    def organization(self) -> str:
        """The number of the organization."""
        return self.hierarchy.organization

    def collection(self, path: str) -> Collection | None:
        """See :meth:`Source.collection`; parameters that decide what is listed follow the path after a ``?``."""
        if path in ("/v1/projects", "/v3/projects:search"):
            stamp = self._project if path == "/v1/projects" else self._project_v3
            projects = StampedItems([stamp], range(self.size.scopes), lambda number: self.hierarchy.place(number, ONCE))
            return Collection("projects", projects)
        if path == "/v3/folders:search":
            return Collection("folders", [self.hierarchy.folder(number) for number in range(self.hierarchy.folders)])
        if path == "/v3/organizations:search":
            return Collection("organizations", [self.hierarchy.organization_json()])
        where = self._where(path)
        bucket = self._blueprint.lists.get(where.key)
        if bucket is None:
            return None
        return Collection(
            bucket.key, self._items(bucket.stamps, where), self._hidden_places(path, where.project), bucket.paged
        )

    def _items(self, stamps: Mapping[Often, Sequence[Stamp]], where: _Where) -> LazyItems:
        once = stamps["organization"] if where.project is None else stamps["project"]
        here = where.place in (None, ONCE % len(self._blueprint.zones))
        parts = [StampedItems(once, (ONCE,) if here else (), self.hierarchy.placer(where.project))]
        if where.project is not None:
            units = (where.unit,) if where.unit is not None else self._units(where)
            parts.append(StampedItems(stamps["unit"], units, self.hierarchy.placer(where.project)))
        return JoinedItems(parts)

    def _units(self, where: _Where) -> Sequence[int]:
        """Return the units of a list: all, or those in its zone or region, but for those that cannot be reached."""
        step = len(self._blueprint.zones)
        units = range(self.size.scale) if where.place is None else range(where.place, self.size.scale, step)
        hidden = self._hidden(where.project) if "/locations/" in where.key else frozenset()
        return [unit for unit in units if unit % step not in hidden] if hidden else units

    def _hidden(self, project: int | None) -> frozenset[int]:
        """Return the numbers of the zones and regions that cannot be read in a project."""
        if project is None:
            return frozenset()
        scopes = self.unreachable.get(self.hierarchy.id(project), frozenset())
        blueprint = self._blueprint
        return frozenset(
            number
            for number, zone in enumerate(blueprint.zones)
            if f"zones/{zone}" in scopes or f"regions/{blueprint.regions[number]}" in scopes
        )

    def _hidden_places(self, path: str, project: int | None) -> JsonObject:
        """Return what a list of all locations says of those that it could not read."""
        if "/locations/-/" not in path or project is None or not (hidden := self._hidden(project)):
            return {}
        if path.endswith("/clusters"):
            return {"missingZones": [self._blueprint.zones[number] for number in sorted(hidden)]}
        names = [self._blueprint.regions[number] for number in sorted(hidden)]
        return {"unreachable": [f"projects/{self.hierarchy.id(project)}/locations/{name}" for name in names]}

    def resource(self, path: str) -> JsonObject | None:
        """See :meth:`Source.resource`; IAM policies are resources too."""
        where = self._where(path)
        found = self._scope(path, where) or None
        if found is not None:
            return found
        for key in (where.key, _unplaced(path, where.key)):
            stamp = self._blueprint.resources.get(key)
            if stamp is not None and self._is_at(where, key):
                made: JsonObject = stamp.value(
                    self.hierarchy.placer(where.project)(ONCE if where.unit is None else where.unit)
                )
                return made
        return None

    def _is_at(self, where: _Where, key: str) -> bool:
        """Say whether the zone or region in a path is that of its unit."""
        placed = "{zone}" in key or "{region}" in key
        return not placed or where.unit is None or where.unit % len(self._blueprint.zones) == where.place

    def _scope(self, path: str, where: _Where) -> JsonObject | None:
        """Return a project, folder or organization, or its IAM policy."""
        policy = path.endswith(":getIamPolicy")
        bare = GooglePath.parse(path.removesuffix(":getIamPolicy"))
        if (match := _SCOPE.fullmatch(bare.path)) is not None:
            return self._above(match[1] or match[3], match[2] or match[4], policy=policy)
        if where.project is None or bare.rest or bare.root not in ("/v1", "/v3"):
            return None
        place = self.hierarchy.place(where.project, ONCE)
        if policy:
            return self._policy("project", place)
        made: JsonObject = (self._project if bare.root == "/v1" else self._project_v3).value(place)
        return made

    def _above(self, kind: str, number: str, *, policy: bool) -> JsonObject | None:
        """Return a folder or organization, or its IAM policy."""
        if kind == "organizations":
            if number != self.hierarchy.organization:
                return None
            return (
                self._policy("organization", self.hierarchy.organization_place())
                if policy
                else self.hierarchy.organization_json()
            )
        index = self.hierarchy.folder_index(number)
        if index is None:
            return None
        return self._policy("folder", self.hierarchy.folder_place(index)) if policy else self.hierarchy.folder(index)

    def _policy(self, level: str, place: Place) -> JsonObject:
        made: JsonObject = self._blueprint.resources[f"{level}:getIamPolicy"].value(place)
        return made

    def values(self, project: int) -> Mapping[str, str]:
        """Return what the placeholders of the templates stand for in a project, by number."""
        return self.hierarchy.place(project, ONCE).values

    def knows(self, path: str) -> bool:
        """See :meth:`Source.knows`."""
        where = self._where(path)
        if _SCOPE.fullmatch(path) is not None:
            return self.resource(path) is not None
        return where.project is not None and (not GooglePath.parse(path).rest or where.key in self._known)

    def aggregate(self, path: str) -> Aggregate | None:
        """See :meth:`GoogleSource.aggregate`."""
        where = self._where(path)
        if where.project is None:
            return None
        collection = GooglePath.parse(path).collection
        placed = self._blueprint.aggregated.get(collection, {})
        hidden = self.unreachable.get(self.hierarchy.id(where.project), frozenset())
        step = len(self._blueprint.zones)
        parts: list[tuple[LazyItems, str]] = []
        scopes: list[str] = []
        for scope, bucket in sorted((placed or {"zones/{zone}": Bucket()}).items(), key=itemgetter(0)):
            for place in range(step) if scope != "global" else (None,):
                name = self._scope_name(scope, place)
                scopes.append(name)
                if name not in hidden:
                    here = _Where(where.key, where.project, None, place)
                    parts.append((self._items(bucket.stamps, here), name))
        joined = JoinedItems([part for part, _ in parts])
        labels = [name for part, name in parts if len(part)]
        return Aggregate(
            collection, joined, lambda number: labels[joined.part_of(number)], scopes, hidden & frozenset(scopes)
        )

    def _scope_name(self, scope: str, place: int | None) -> str:
        """Return the name of a scope, such as ``zones/europe-west1-b`` for ``zones/{zone}`` and the first place."""
        if place is None:
            return scope
        blueprint = self._blueprint
        return scope.format(zone=blueprint.zones[place], region=blueprint.regions[place])

    def services(self, project: str) -> Mapping[str, str]:
        """See :meth:`GoogleSource.services`."""
        return {name: path.replace("{project}", project) for name, path in services().items()}

    def assets(self, parent: str, wanted: Callable[[str], bool], content: str) -> LazyItems | None:
        """See :meth:`GoogleSource.assets`."""
        projects = self.hierarchy.projects_in(parent)
        if projects is None:
            return None
        by_level: dict[Often, list[Stamp]] = {"organization": [], "folder": [], "project": [], "unit": []}
        for asset, stamps in self._blueprint.assets[content].items():
            for often, stamp in stamps if wanted(asset) else ():
                by_level[often].append(stamp)
        parts: list[LazyItems] = []
        if parent.startswith("organizations/"):
            parts.append(StampedItems(by_level["organization"], (ONCE,), self.hierarchy.placer(None)))
        parts.append(StampedItems(by_level["folder"], self.hierarchy.folders_in(parent), self.hierarchy.folder_place))
        for project in projects:
            place = self.hierarchy.placer(project)
            parts.append(StampedItems(by_level["project"], (ONCE,), place))
            parts.append(StampedItems(by_level["unit"], range(self.size.scale), place))
        return JoinedItems(parts)

    def project_number(self, project: str) -> str:
        """See :meth:`GoogleSource.project_number`."""
        number = self.hierarchy.number(project)
        return project if number is None else self.hierarchy.number_of(number)

    def count(self, path: str) -> int:
        """See :meth:`Source.count`."""
        found = self.collection(path)
        return len(found.items) if found is not None else 0

    def counts(self) -> Counter[str]:
        """See :meth:`Source.counts`: types are called as in Cloud Asset Inventory, or else as their lists are."""
        times = {"organization": 1, "project": self.size.scopes, "unit": self.size.scopes * self.size.scale}
        total = Counter(
            {
                "cloudresourcemanager.googleapis.com/organization": 1,
                "cloudresourcemanager.googleapis.com/folder": self.hierarchy.folders,
                "cloudresourcemanager.googleapis.com/project": self.size.scopes,
            }
        )
        for often, number in times.items():
            for type_, each in self._blueprint.counts[often].items():  # type: ignore[index]  # these are levels
                total[type_] += each * number
        return +total

    def lists(self) -> Iterator[str]:
        """See :meth:`Source.lists`; each list once, whatever ways there are to ask for it."""
        yield from ("/v1/projects", "/v3/folders:search", "/v3/organizations:search")
        organization = self.hierarchy.placer(None)(ONCE)
        step = len(self._blueprint.zones)
        for key, bucket in self._blueprint.lists.items():
            if bucket.stamps["organization"]:
                yield key.format_map(organization.values)
                continue
            if bucket.again:
                continue
            for project in range(self.size.scopes):
                units = [ONCE]
                if "{unit}" in key:
                    units = list(range(self.size.scale))
                elif "{zone}" in key or "{region}" in key:
                    units = list(range(step))
                yield from (key.format_map(self.hierarchy.place(project, unit).values) for unit in units)

    @lru_cache(maxsize=256)  # noqa: B019 (a source lives as long as its simulator)
    def _where(self, path: str) -> _Where:
        """Take a path apart, and check that the project and unit in it exist."""
        bare, _, parameter = path.partition("?")
        name = GooglePath.parse(bare).project or (parameter.partition("=")[2] if "project=" in parameter else "")
        number = self.hierarchy.number(name)
        key = path.replace(self.organization, "{org}")
        if name and number is None:
            return _Where("")
        match = _UNIT.search(bare)
        if match is not None:
            number = int(match[1], 16) if number is None else number
            if number != int(match[1], 16) or number >= self.size.scopes or int(match[2], 16) >= self.size.scale:
                return _Where("")
            key = key.replace(match[0], "{unit}")
        if number is None and bare.startswith("/storage/v1/b/"):
            number = 0  # a bucket's path names no project; without a unit in its name there can be one such only
        if number is None:
            return _Where(key)
        for spelling in (self.hierarchy.id(number), self.hierarchy.number_of(number)):
            key = key.replace(spelling, "{project}")
        unit = int(match[2], 16) if match is not None else None
        key = key.replace(f"{number:05}{0 if unit is None else unit + 1:07}", "{digits}")
        key = key.replace(f"-{number:05x}{(ONCE if unit is None else unit) & 0xFFFFFFF:07x}", "-{tail}")
        key, place = self._unplace(key)
        return _Where(key, number, unit, place)

    def _unplace(self, key: str) -> tuple[str, int | None]:
        """Return a path with a placeholder for its zone or region, and the number of that."""
        match = _PLACED.search(key)
        if match is None:
            return key, None
        names = self._blueprint.zones if match[1] == "zones" else self._blueprint.regions
        if match[2] not in names:
            return key, None
        placeholder = "{zone}" if match[1] == "zones" else "{region}"
        return key.replace(f"/{match[1]}/{match[2]}", f"/{match[1]}/{placeholder}", 1), names.index(match[2])


def _unplaced(path: str, key: str) -> str:
    """Return *key* with the zone or region of *path* in it: for zones and regions themselves."""
    match = _PLACED.search(path) or re.search(r"/(zones|regions|locations)/([^/:?]+)$", path)
    return key if match is None else key.replace("{zone}", match[2]).replace("{region}", match[2])
