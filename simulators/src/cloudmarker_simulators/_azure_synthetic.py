"""The data source of a synthetic Azure tenant: as large as asked for, and made only as it is read."""

from __future__ import annotations

import re
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from cloudmarker_simulators._azure_blueprint import SUBSCRIPTION, Bucket, load_blueprint
from cloudmarker_simulators._azure_data import subscription_of
from cloudmarker_simulators._azure_graph import CONTAINERS, graph_row
from cloudmarker_simulators._azure_paths import normalise
from cloudmarker_simulators._http import JsonObject
from cloudmarker_simulators._sizes import Size
from cloudmarker_simulators._sources import Collection, Refusal
from cloudmarker_simulators._stamps import (
    EvenlyJoinedItems,
    JoinedItems,
    LazyItems,
    Place,
    Stamp,
    StampedItems,
    variant_of,
)
from cloudmarker_simulators.faults import Fault

PAGE_SIZE = 100
SUBSCRIPTIONS_A_GROUP = 50
"""So many subscriptions are in one management group."""

ONCE = -1
"""The unit in which the resources are that a subscription has once."""

TAIL_ONCE = ONCE & 0xFFFFFFF

_NAMESPACE = uuid.UUID("2b0f6f0e-7f4f-4b53-9a2d-4a1f0c7c9d10")
_UNIT = re.compile(r"u([0-9a-f]{4})([0-9a-f]{6})(?![0-9a-f])")
_TAIL = re.compile(r"-([0-9a-f]{5})([0-9a-f]{7})(?=/|$|\?)")
_MANAGEMENT = "/providers/microsoft.management/managementgroups"


@dataclass(frozen=True)
class _Where:
    """A path, as the templates are filed.

    Attributes:
        key: the path with placeholders for what differs between subscriptions, units and locations.
        subscription: number of the subscription, None for paths above all.
        unit: number of the unit, None when the path names none.
        location: number of the location, None when the path names none.
    """

    key: str
    subscription: int | None
    unit: int | None
    location: int | None


class SyntheticAzure:
    """A tenant whose subscriptions all have the same types of resources, ``scale`` units of them."""

    def __init__(self, size: Size, *, page_size: int = PAGE_SIZE, blueprint: str = "azure") -> None:
        self.size = size
        self._blueprint = load_blueprint(size.seed, blueprint)
        self.page_size = page_size
        self.refusals: Sequence[Refusal] = ()
        self.faults: Sequence[Fault] = ()
        self.tenant = str(uuid.uuid5(_NAMESPACE, f"tenant {size.seed}"))
        self._ids = sorted(str(uuid.uuid5(_NAMESPACE, f"{size.seed} {number}")) for number in range(size.scopes))
        self._numbers = {id_: number for number, id_ in enumerate(self._ids)}
        template = subscription_of("{sub}", self._blueprint.title, "{tenant}")
        template["tags"] = {"env": "{any:scopeenv|prod|test|dev}"}
        self._subscription = Stamp(template, size.seed)
        row = {
            **self._subscription.template,
            "type": "microsoft.resources/subscriptions",
            "name": self._blueprint.title,
        }
        self._blueprint.add_row(
            "once", {**graph_row(row, "{sub}", "{tenant}"), "properties": self._subscription.template}
        )
        self._known = {path.rpartition("?")[0] or path for path in self._blueprint.resources}
        self.normalise = normalise

    def collection(self, path: str) -> Collection | None:
        """See :meth:`Source.collection`; ``?statusonly`` after the path asks for that form of it."""
        path = normalise(path)
        if path == "/subscriptions":
            everything = StampedItems([self._subscription], range(self.size.scopes), lambda s: self._place(s, ONCE))
            return Collection("value", everything, {"count": {"type": "Total", "value": self.size.scopes}})
        if path == "/tenants":
            tenant = {"id": f"/tenants/{self.tenant}", "tenantId": self.tenant, "displayName": "Synthetic"}
            return Collection("value", [tenant])
        if path.startswith(_MANAGEMENT):
            return self._management(path)
        where = self._where(path)
        bucket = self._blueprint.lists.get(where.key)
        if where.subscription is None or bucket is None:
            return None
        return Collection("value", self._items(bucket, where.subscription, where.unit, where.location))

    def _items(self, bucket: Bucket, subscription: int, unit: int | None, location: int | None = None) -> LazyItems:
        units: Sequence[int] = range(self.size.scale)
        if unit is not None:
            units = (unit,)
        elif location is not None:
            units = range(location, self.size.scale, len(self._blueprint.locations))
        place = lambda number: self._place(subscription, number)  # noqa: E731 (a name for it would say no more)
        return JoinedItems([StampedItems(bucket.once, (ONCE,), place), StampedItems(bucket.unit, units, place)])

    def resource(self, path: str) -> JsonObject | None:
        """See :meth:`Source.resource`; ``?instanceview`` after the path asks for that form of it."""
        path = normalise(path)
        where = self._where(path)
        if where.subscription is None:
            return self._group(path.removeprefix(f"{_MANAGEMENT}/")) if path.startswith(f"{_MANAGEMENT}/") else None
        if where.key == SUBSCRIPTION:
            made: JsonObject = self._subscription.value(self._place(where.subscription, ONCE))
            return made
        stamp = self._blueprint.resources.get(where.key)
        if stamp is None or (where.location is not None and where.unit is not None and not self._is_at(where)):
            return None
        found: JsonObject = stamp.value(self._place(where.subscription, ONCE if where.unit is None else where.unit))
        return found

    def values(self, subscription: int) -> Mapping[str, str]:
        """Return what the placeholders of the templates stand for in a subscription, by number."""
        return self._place(subscription, ONCE).values

    def knows(self, path: str) -> bool:
        """See :meth:`Source.knows`."""
        where = self._where(normalise(path))
        return where.subscription is not None and (where.key == SUBSCRIPTION or where.key in self._known)

    def count(self, path: str) -> int:
        """See :meth:`Source.count`."""
        found = self.collection(path)
        return len(found.items) if found is not None else 0

    def counts(self) -> Counter[str]:
        """See :meth:`Source.counts`."""
        size = self.size
        total = Counter({"microsoft.resources/subscriptions": size.scopes})
        for type_, number in self._blueprint.counts["once"].items():
            total[type_] += number * size.scopes
        for type_, number in self._blueprint.counts["unit"].items():
            total[type_] += number * size.scopes * size.scale
        return +total

    def lists(self) -> Iterator[str]:
        """See :meth:`Source.lists`."""
        yield from ("/subscriptions", "/tenants", _MANAGEMENT)
        keys = [key for key in self._blueprint.lists if "?" not in key]
        for subscription in range(self.size.scopes):
            for key in keys:
                values: Sequence[Place] = [self._place(subscription, ONCE)]
                if "{unit}" in key:
                    values = [self._place(subscription, unit) for unit in range(self.size.scale)]
                elif "{location}" in key:
                    values = [self._place(subscription, number) for number in range(len(self._blueprint.locations))]
                yield from (key.format_map(place.values) for place in values)

    def rows(
        self,
        types: Iterable[str] | None,
        table: str,
        columns: Sequence[str] | None,
        subscriptions: Sequence[str] | None,
    ) -> LazyItems:
        """See :meth:`Rows.rows`."""
        bucket = self._row_bucket(None if types is None else frozenset(types), table, columns and tuple(columns))
        chosen: Sequence[int] = range(self.size.scopes)
        if subscriptions is not None:
            chosen = sorted({self._numbers[id_.lower()] for id_ in subscriptions if id_.lower() in self._numbers})
        return EvenlyJoinedItems(len(chosen), lambda number: self._items(bucket, chosen[number], None))

    @lru_cache(maxsize=64)  # noqa: B019 (a source lives as long as its simulator)
    def _row_bucket(self, types: frozenset[str] | None, table: str, columns: tuple[str, ...] | None) -> Bucket:
        made = Bucket()
        for type_, bucket in self._blueprint.rows.items():
            if (type_ in CONTAINERS) != (table == "resourcecontainers") or (types is not None and type_ not in types):
                continue
            made.once += bucket.once
            made.unit += bucket.unit
        for stamps in (made.once, made.unit):
            stamps.sort(key=lambda stamp: str(stamp.template["id"]))
            if columns is not None:
                stamps[:] = [
                    self._blueprint.stamp({name: stamp.template.get(name) for name in columns}) for stamp in stamps
                ]
        return made

    def members(self, group: str) -> list[str] | None:
        """Return the ids of the subscriptions in a management group or below it, None if there is no such group."""
        groups = self._groups
        if group.lower() == self.tenant:
            return list(self._ids)
        number = next((number for number, name in enumerate(groups) if name == group.lower()), None)
        if number is None:
            return None
        return self._ids[number * SUBSCRIPTIONS_A_GROUP : (number + 1) * SUBSCRIPTIONS_A_GROUP]

    @lru_cache(maxsize=256)  # noqa: B019 (a source lives as long as its simulator)
    def _where(self, path: str) -> _Where:
        """Take a normalised path apart, and check that the subscription and unit in it exist."""
        parts = path.split("/", 3)
        number = (
            self._numbers.get(parts[2].partition("?")[0]) if len(parts) > 2 and parts[1] == "subscriptions" else None
        )
        if number is None:
            return _Where(path, None, None, None)
        key = path.replace(self._ids[number], "{sub}")
        unit = location = None
        for pattern, placeholder in ((_UNIT, "{unit}"), (_TAIL, "-{tail}")):
            for match in pattern.finditer(key):
                if int(match[1], 16) != number or not self._has_unit(int(match[2], 16)):
                    continue
                if unit not in (None, int(match[2], 16)):
                    return _Where("", number, None, None)
                unit = int(match[2], 16)
                key = key.replace(match[0], placeholder)
        for index, name in enumerate(self._blueprint.locations):
            if f"_{name}/" in key and "_{location}" not in key:
                key, location = key.replace(f"_{name}/", "_{location}/"), index
        return _Where(key, number, None if unit == TAIL_ONCE else unit, location)

    def _has_unit(self, unit: int) -> bool:
        return unit < self.size.scale or unit == TAIL_ONCE

    def _is_at(self, where: _Where) -> bool:
        return where.unit is not None and where.unit % len(self._blueprint.locations) == where.location

    @lru_cache(maxsize=4096)  # noqa: B019 (a source lives as long as its simulator)
    def _place(self, subscription: int, unit: int) -> Place:
        """Return the place of a unit of a subscription, or that of what a subscription has once."""
        number = subscription * max(self.size.scale, 1) + max(unit, 0)
        host = number + 256
        locations = self._blueprint.locations
        return Place(
            {
                "tenant": self.tenant,
                "sub": self._ids[subscription],
                "number": f"{subscription:05}",
                "unit": f"u{subscription:04x}{unit & 0xFFFFFF:06x}",
                "tail": f"{subscription:05x}{unit & 0xFFFFFFF:07x}",
                "location": locations[unit % len(locations)],
                "net": f"{unit >> 8 & 255}.{unit & 255}",
                "host": f"{host >> 16 & 255}.{host >> 8 & 255}.{host & 255}",
            },
            variant_of(self.size.seed, subscription, unit & 0xFFFFFF),
        )

    @cached_property
    def _groups(self) -> list[str]:
        return [f"group-{number + 1:03}" for number in range(-(-self.size.scopes // SUBSCRIPTIONS_A_GROUP))]

    def _group(self, name: str) -> JsonObject | None:
        if name != self.tenant and name not in self._groups:
            return None
        parent = None if name == self.tenant else {"id": self._group_id(self.tenant), "name": self.tenant}
        return {
            "id": self._group_id(name),
            "type": "Microsoft.Management/managementGroups",
            "name": name,
            "properties": {
                "tenantId": self.tenant,
                "displayName": "Tenant Root Group" if parent is None else name.replace("-", " ").capitalize(),
                "details": {"version": 1, "updatedTime": "2023-01-09T09:55:00.0000000Z", "parent": parent},
            },
        }

    @staticmethod
    def _group_id(name: str) -> str:
        return f"/providers/Microsoft.Management/managementGroups/{name}"

    def _management(self, path: str) -> Collection | None:
        """Return the list of management groups, or what is in one, directly or below."""
        groups = [self.tenant, *self._groups]
        if path == _MANAGEMENT:
            made = [self._group(name) for name in groups]
            return Collection("value", [{**group, "properties": _without_details(group)} for group in made if group])
        name, _, rest = path.removeprefix(f"{_MANAGEMENT}/").partition("/")
        members = self.members(name)
        if rest != "descendants" or members is None:
            return None
        found: list[JsonObject] = []
        for group in self._groups if name == self.tenant else ():
            found.append(_descendant(self._group_id(group), "managementGroups", group, self._group_id(self.tenant)))
        for id_ in members:
            number = self._numbers[id_]
            parent = self._group_id(self._groups[number // SUBSCRIPTIONS_A_GROUP])
            found.append(
                _descendant(
                    f"/subscriptions/{id_}",
                    "managementGroups/subscriptions",
                    self._blueprint.title.format(number=f"{number:05}"),
                    parent,
                )
            )
        return Collection("value", found)


def _without_details(group: JsonObject) -> JsonObject:
    return {key: value for key, value in group["properties"].items() if key != "details"}


def _descendant(id_: str, type_: str, name: str, parent: str) -> JsonObject:
    return {
        "id": id_,
        "type": f"Microsoft.Management/{type_}",
        "name": id_.rpartition("/")[2],
        "properties": {"displayName": name, "parent": {"id": parent}},
    }
