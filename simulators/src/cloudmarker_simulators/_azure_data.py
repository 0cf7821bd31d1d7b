"""Data sources of the Azure simulator: a tenant file, or recorded answers.

A tenant file says only what its author has to decide; what Azure adds to every resource (ids, types, etags, the default
rules of a network security group) is added here, so that what is served has the form of the real answers.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from cloudmarker_simulators._azure_graph import CONTAINERS, graph_row
from cloudmarker_simulators._azure_paths import ArmPath, normalise
from cloudmarker_simulators._files import Recording, refusals_and_faults
from cloudmarker_simulators._http import JsonObject
from cloudmarker_simulators._sources import Collection, MemorySource, Refusal
from cloudmarker_simulators.faults import Fault

RECORDINGS_TENANT = "0c5e9f1d-7a34-4b0e-9d0f-6f2f7d5b8a11"
RECORDINGS_PAGE_SIZE = 20
_NAMESPACE = uuid.UUID("6f1d9c5e-3b0a-4c57-8a55-8e1f6e0b7c3d")


class AzureMemorySource(MemorySource):
    """An Azure tenant that is kept in memory.

    Attributes:
        tenant: its id.
    """

    def __init__(
        self, tenant: str, *, page_size: int, refusals: Sequence[Refusal] = (), faults: Sequence[Fault] = ()
    ) -> None:
        super().__init__(normalise, page_size=page_size, refusals=refusals, faults=faults)
        self.tenant = tenant

    def counts(self) -> Counter[str]:
        """See :meth:`Source.counts`."""
        found: dict[str, str] = {}
        for item in self._items():
            for id_ in ids_in(item):
                where = ArmPath.parse(id_)
                found[where.path] = where.type or (
                    "microsoft.resources/resourcegroups" if where.group else CONTAINERS[0]
                )
        return Counter(found.values())

    def rows(
        self,
        types: Iterable[str] | None,
        table: str,
        columns: Sequence[str] | None,
        subscriptions: Sequence[str] | None,
    ) -> Sequence[JsonObject]:
        """See :meth:`Rows.rows`."""
        wanted = None if types is None else frozenset(types)
        chosen = None if subscriptions is None else {id_.lower() for id_ in subscriptions}
        found: dict[str, JsonObject] = {}
        for item in self._items():
            where = ArmPath.parse(item["id"])
            name, type_ = item.get("name") or item.get("displayName"), _type_of(where)
            if where.path in found or not _has_row(where) or (type_ in CONTAINERS) != (table == "resourcecontainers"):
                continue
            if (chosen is None or where.subscription in chosen) and (wanted is None or type_ in wanted):
                row = graph_row({**item, "name": name, "type": type_}, where.subscription, self.tenant)
                found[where.path] = row if columns is None else {column: row.get(column) for column in columns}
        return [found[path] for path in sorted(found)]

    def members(self, group: str) -> list[str] | None:
        """See :meth:`Rows.members`; there is the tenant's own group only."""
        everything = self.collection("/subscriptions")
        if group.lower() != self.tenant or everything is None:
            return None
        return [item["subscriptionId"] for item in everything.items]

    def _items(self) -> Iterator[JsonObject]:
        for path, collection in self.collections.items():
            if not path.endswith("/resources"):
                yield from (item for item in collection.items if str(item.get("id", "")).startswith("/subscriptions/"))


def _type_of(where: ArmPath) -> str:
    """Return the type of a resource, in lower case; the ids of subscriptions and their groups do not name it."""
    if where.type:
        return where.type
    return CONTAINERS[1] if where.group else CONTAINERS[0]


def _has_row(where: ArmPath) -> bool:
    """Say whether Resource Graph has it: a subscription, a resource group, or a resource of such a group."""
    return where.path.count("/") in (2, 4) or (bool(where.group) and where.path.count("/") == 8)


def ids_in(resource: JsonObject) -> Iterator[str]:
    """Yield the ids of a resource and of those that are inside it: what has an id below its, and properties."""
    yield resource["id"]

    def inside(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            if "properties" in value and str(value.get("id", "")).startswith(f"{resource['id']}/"):
                yield value["id"]
            value = list(value.values())
        if isinstance(value, list):
            for item in value:
                yield from inside(item)

    yield from inside(resource.get("properties", {}))


def tenant_source(tenant: Mapping[str, Any]) -> AzureMemorySource:
    """Return the source that serves a tenant file's content."""
    refusals, faults = refusals_and_faults(tenant)
    source = AzureMemorySource(tenant["tenant"], page_size=tenant["page_size"], refusals=refusals, faults=faults)
    subscriptions = [_subscription(item, tenant["tenant"]) for item in tenant["subscriptions"]]
    count = {"count": {"type": "Total", "value": len(subscriptions)}}
    source.add_collection("/subscriptions", Collection("value", subscriptions, count))
    source.add_collection(
        "/tenants",
        Collection(
            "value",
            [{"id": f"/tenants/{tenant['tenant']}", "tenantId": tenant["tenant"], "displayName": tenant["name"]}],
        ),
    )
    for described, subscription in zip(tenant["subscriptions"], subscriptions, strict=True):
        source.add_resource(subscription["id"], subscription)
        groups = [_resource_group(item, subscription["id"]) for item in described.get("resourceGroups", [])]
        source.add_collection(f"{subscription['id']}/resourceGroups", Collection("value", groups))
        lists: dict[str, list[JsonObject]] = {}
        for item, group in zip(described.get("resourceGroups", []), groups, strict=True):
            source.add_resource(group["id"], group)
            for resource in (_resource(each, group["id"]) for each in item.get("resources", [])):
                source.add_resource(resource["id"], resource)
                lists.setdefault(f"{subscription['id']}/providers/{resource['type']}", []).append(resource)
                lists.setdefault(f"{group['id']}/providers/{resource['type']}", []).append(resource)
                for scope in (subscription["id"], group["id"]):
                    lists.setdefault(f"{scope}/resources", []).append(_summary(resource))
        for path, items in lists.items():
            source.add_collection(path, Collection("value", items))
    return source


def _subscription(described: Mapping[str, Any], tenant: str) -> JsonObject:
    made = subscription_of(described["subscriptionId"], described["displayName"], tenant)
    return made | {"tags": described.get("tags", {}), "state": described["state"]}


def subscription_of(id_: str, name: str, tenant: str) -> JsonObject:
    """Return an enabled subscription, as the list of them has it."""
    return {
        "id": f"/subscriptions/{id_}",
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "tags": {},
        "subscriptionId": id_,
        "tenantId": tenant,
        "displayName": name,
        "state": "Enabled",
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "EnterpriseAgreement_2014-09-01",
            "spendingLimit": "Off",
        },
    }


def _resource_group(described: Mapping[str, Any], subscription: str) -> JsonObject:
    return {
        "id": f"{subscription}/resourceGroups/{described['name']}",
        "name": described["name"],
        "type": "Microsoft.Resources/resourceGroups",
        "location": described["location"],
        "tags": described.get("tags", {}),
        "properties": {"provisioningState": "Succeeded"},
    }


def _resource(described: Mapping[str, Any], group: str) -> JsonObject:
    """Complete a resource: ``~/`` in strings stands for the id of its group."""
    type_ = described["type"]
    id_ = f"{group}/providers/{type_}/{described['name']}"
    properties = {
        "provisioningState": "Succeeded",
        "resourceGuid": _uuid("guid", id_),
        **described.get("properties", {}),
    }
    resource: JsonObject = _expand({**described, "id": id_, "etag": _etag(id_), "properties": properties}, group)
    if type_.lower() == "microsoft.network/networksecuritygroups":
        rules = resource["properties"].get("securityRules", [])
        resource["properties"]["securityRules"] = [_rule(rule, id_, type_, "securityRules") for rule in rules]
        resource["properties"]["defaultSecurityRules"] = [
            _rule(rule, id_, type_, "defaultSecurityRules") for rule in default_rules()
        ]
    return {key: resource[key] for key in ("name", "id", "etag", "type", *resource)}


def _rule(described: Mapping[str, Any], group: str, type_: str, collection: str) -> JsonObject:
    lists: dict[str, list[str]] = {
        name: []
        for name in ("sourcePortRanges", "destinationPortRanges", "sourceAddressPrefixes", "destinationAddressPrefixes")
    }
    return {
        "name": described["name"],
        "id": f"{group}/{collection}/{described['name']}",
        "etag": _etag(group),
        "type": f"{type_}/{collection}",
        "properties": {"provisioningState": "Succeeded", **lists, **described["properties"]},
    }


def default_rules() -> Iterator[JsonObject]:
    """Yield the rules that Azure gives every network security group."""
    rows = (
        ("AllowVnetInBound", "Inbound", "Allow", 65000, "VirtualNetwork", "VirtualNetwork", "all VMs in VNET"),
        ("AllowAzureLoadBalancerInBound", "Inbound", "Allow", 65001, "AzureLoadBalancer", "*", "azure load balancer"),
        ("DenyAllInBound", "Inbound", "Deny", 65500, "*", "*", "all"),
        (
            "AllowVnetOutBound",
            "Outbound",
            "Allow",
            65000,
            "VirtualNetwork",
            "VirtualNetwork",
            "all VMs to all VMs in VNET",
        ),
        ("AllowInternetOutBound", "Outbound", "Allow", 65001, "*", "Internet", "all VMs to Internet"),
        ("DenyAllOutBound", "Outbound", "Deny", 65500, "*", "*", "all"),
    )
    for name, direction, access, priority, source, destination, whom in rows:
        yield {
            "name": name,
            "properties": {
                "description": f"{access} {direction.lower()} traffic: {whom}",
                "protocol": "*",
                "sourcePortRange": "*",
                "destinationPortRange": "*",
                "sourceAddressPrefix": source,
                "destinationAddressPrefix": destination,
                "access": access,
                "priority": priority,
                "direction": direction,
            },
        }


def _summary(resource: JsonObject) -> JsonObject:
    """Return what the list of all resources says of one."""
    return {key: resource[key] for key in ("id", "name", "type", "location", "kind", "sku", "tags") if key in resource}


def _expand(value: Any, group: str) -> Any:
    if isinstance(value, str):
        return f"{group}/{value[2:]}" if value.startswith("~/") else value
    if isinstance(value, list):
        return [_expand(item, group) for item in value]
    if isinstance(value, dict):
        return {key: _expand(item, group) for key, item in value.items()}
    return value


def _uuid(kind: str, of: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, f"{kind} {of}"))


def _etag(of: str) -> str:
    return f'W/"{_uuid("etag", of)}"'


class RecordedSource(AzureMemorySource):
    """Recorded answers, and what follows from them: lists of a resource group, and the items of lists one by one."""

    def __init__(self, recordings: Sequence[Recording], page_size: int) -> None:
        super().__init__(RECORDINGS_TENANT, page_size=page_size)
        for recording in recordings:
            self._add(recording)
        for path, collection in list(self.collections.items()):
            for item in collection.items:
                id_ = item.get("id")
                if isinstance(id_, str) and id_.startswith("/") and ArmPath.parse(path).is_list:
                    self.add_known(id_)
                    self.resources.setdefault(normalise(id_), item)

    def _add(self, recording: Recording) -> None:
        body, path = recording.body, recording.path
        if ArmPath.parse(path).is_list and isinstance(body.get("value"), list):
            envelope = {key: value for key, value in body.items() if key not in ("value", "nextLink")}
            self.add_collection(path, Collection("value", body["value"], envelope))
        else:
            self.add_known(path)
            self.resources[normalise(path) + (f"?{recording.expand.lower()}" if recording.expand else "")] = body

    def collection(self, path: str) -> Collection | None:
        """See :meth:`Source.collection`; a group's list that was not recorded is taken from the subscription's."""
        if (found := super().collection(path)) is not None:
            return found
        where = ArmPath.parse(path)
        if not where.group or where.type.count("/") != 1 or where.parent.count("/") != 4:
            return None
        whole = super().collection(f"/subscriptions/{where.subscription}/providers/{where.type}")
        if whole is None:
            return None
        prefix = f"{where.parent}/"
        return Collection(
            whole.key, [item for item in whole.items if normalise(str(item.get("id"))).startswith(prefix)]
        )


def recorded_source(recordings: Sequence[Recording]) -> AzureMemorySource:
    """Return the source that serves recorded answers."""
    return RecordedSource(recordings, RECORDINGS_PAGE_SIZE)
