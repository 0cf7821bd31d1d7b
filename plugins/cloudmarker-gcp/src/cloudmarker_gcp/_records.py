"""Resources of Google Cloud to records: JSON in, record out, no I/O.

Every function of the table is a :class:`Transform`. ``raw`` of the record is the very object it was given, unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from cloudmarker.contracts import Record
from cloudmarker.errors import RecordError
from cloudmarker.firewall import normalise_addresses, normalise_ports, normalise_protocol

from cloudmarker_gcp import _names

CLOUD_TYPE = "gcp"

ANYWHERE = ["0.0.0.0/0"]
"""What a rule without addresses, tags and accounts on the other side is about; IPv6 has to be named."""

DEFAULT_PRIORITY = 1000

_STATES = {"RUNNING": "running", "TERMINATED": "stopped", "STOPPED": "stopped", "SUSPENDED": "suspended"}
"""Life cycle states that say how a machine is; in the others it is on its way, or being repaired."""


@dataclass(frozen=True)
class Scope:
    """What is read from: all that the credentials can see, or a project.

    Attributes:
        project_id: None for everything.
        project_number: None also if it is not known.
        project_name: its display name, likewise.
        project_state: as answered: ACTIVE, DELETE_REQUESTED.
    """

    project_id: str | None = None
    project_number: str | None = None
    project_name: str | None = None
    project_state: str | None = None

    @property
    def reference(self) -> str:
        """Its name in coverage records: the project's full resource name, or the service that knows all projects."""
        return f"{_names.RESOURCE_MANAGER}/projects/{self.project_id}" if self.project_id else _names.RESOURCE_MANAGER

    def holds(self, project: str | None) -> bool:
        """Say whether *project*, an id or a number, is this project. None, and for everything any, is."""
        return project is None or self.project_id is None or project in (self.project_id, self.project_number)

    @classmethod
    def project(cls, item: Mapping[str, Any]) -> Scope:
        """Return the scope that a project *item* is."""
        return cls(
            project_id=_required(item, "projectId"),
            project_number=_names.last_part(_text(item, "name") or "") or None,
            project_name=_text(item, "displayName"),
            project_state=_text(item, "state"),
        )


class Transform(Protocol):
    """Makes the record of one resource."""

    def __call__(self, scope: Scope, item: dict[str, Any], member: Any) -> Record:
        """Return the record of *item*.

        Args:
            scope: where it was read.
            item: the JSON object. It is not changed, and becomes the record's ``raw``.
            member: the part of *item* that the record is about; None if it is about all of it.

        Raises:
            RecordError: the object lacks what a resource of its type must have.
        """
        ...


def project(scope: Scope, item: dict[str, Any], member: Any) -> Record:
    """Return a ``scope`` record: https://cloud.google.com/resource-manager/reference/rest/v3/projects."""
    own = Scope.project(item)
    if not (scope.holds(own.project_id) or (own.project_number and scope.holds(own.project_number))):
        raise RecordError(f"the answer is not of this project, but of project {own.project_id}")
    parent = _text(item, "parent")
    return _record(
        own,
        item,
        ("project", "scope"),
        reference=own.reference,
        name=own.project_name or own.project_id,
        parent=f"{_names.RESOURCE_MANAGER}/{parent}" if parent else None,
        created=_text(item, "createTime"),
        com={"scope_type": "project", "state": (own.project_state or "").lower() or None},
    )


def firewall(scope: Scope, item: dict[str, Any], member: Any) -> Record:
    """Return a ``firewall`` record: https://cloud.google.com/compute/docs/reference/rest/v1/firewalls."""
    network = _network(scope, item)
    return _compute_record(
        scope,
        item,
        ("firewall", "firewall"),
        com={
            "rule_count": len(firewall_entries(item)),
            "networks": [network] if network else [],
            "interfaces": [],
        },
    )


def firewall_entries(item: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return the entries of a firewall, each with the list it stands in, ``allowed`` or ``denied``."""
    return [(kind, entry) for kind in ("allowed", "denied") for entry in _list(item, kind)]


def firewall_rule(scope: Scope, item: dict[str, Any], member: Any) -> Record:
    """Return a ``firewall_rule`` record; *member* is one of :func:`firewall_entries`."""
    kind, entry = member
    if not isinstance(entry, dict):
        raise RecordError(f"{_required(item, 'name')}: an entry of {kind} is not an object")
    protocol = _required(entry, "IPProtocol")
    ports = [str(port) for port in _list(entry, "ports")]
    outward = (_text(item, "direction") or "INGRESS").upper() == "EGRESS"
    sources = normalise_addresses(_texts(item, "sourceRanges"))
    destinations = normalise_addresses(_texts(item, "destinationRanges"))
    source_tags, source_identities = _texts(item, "sourceTags"), _texts(item, "sourceServiceAccounts")
    if outward:
        destinations = destinations or list(ANYWHERE)
    elif not (source_tags or source_identities):
        sources = sources or list(ANYWHERE)
    return _compute_record(
        scope,
        item,
        ("firewall_rule", "firewall_rule"),
        com={
            "firewall": _reference(scope, item),
            "network": _network(scope, item),
            "entry": "/".join(filter(None, (kind, protocol.lower(), ",".join(ports)))),
            "enabled": item.get("disabled") is not True,
            "direction": "out" if outward else "in",
            "access": "allow" if kind == "allowed" else "deny",
            "priority": _priority(item),
            "protocol": normalise_protocol(protocol),
            "source_addresses": sources,
            "source_ports": ["*"],
            "source_tags": source_tags,
            "source_identities": source_identities,
            "source_groups": [],
            "destination_addresses": destinations,
            "destination_ports": normalise_ports(ports),
            "destination_groups": [],
            "target_tags": _texts(item, "targetTags"),
            "target_identities": _texts(item, "targetServiceAccounts"),
        },
    )


def instance(scope: Scope, item: dict[str, Any], member: Any) -> Record:
    """Return a ``compute`` record: https://cloud.google.com/compute/docs/reference/rest/v1/instances."""
    interfaces = _objects(item, "networkInterfaces")
    ways_out = [config for nic in interfaces for config in _objects(nic, "accessConfigs")]
    ways_out_6 = [config for nic in interfaces for config in _objects(nic, "ipv6AccessConfigs")]
    status = _text(item, "status")
    return _compute_record(
        scope,
        item,
        ("instance", "compute"),
        com={
            "state": _STATES.get(status.upper(), "other") if status else None,
            "size": _names.last_part(_text(item, "machineType") or "") or None,
            "networks": [_names.compute_name(link, scope.project_id) for link in _each(interfaces, "network")],
            "subnets": [_names.compute_name(link, scope.project_id) for link in _each(interfaces, "subnetwork")],
            "private_addresses": [*_each(interfaces, "networkIP"), *_each(interfaces, "ipv6Address")],
            "public_addresses": [*_each(ways_out, "natIP"), *_each(ways_out_6, "externalIpv6")],
            "network_tags": _texts(_object(item, "tags"), "items"),
            "identities": _each(_objects(item, "serviceAccounts"), "email"),
        },
    )


def _compute_record(scope: Scope, item: dict[str, Any], types: tuple[str, str], *, com: dict[str, Any]) -> Record:
    """Return the record of a resource of Compute Engine: all of them have these fields."""
    return _record(
        scope,
        item,
        types,
        reference=_reference(scope, item),
        name=_required(item, "name"),
        parent=scope.reference,
        created=_text(item, "creationTimestamp"),
        com=com,
    )


def _record(
    scope: Scope,
    item: dict[str, Any],
    types: tuple[str, str],
    *,
    reference: str,
    name: str | None,
    parent: str | None,
    created: str | None,
    com: dict[str, Any],
) -> Record:
    """Return a record with what all of them have.

    Args:
        scope: where the item was read.
        item: the resource.
        types: the record types of ``ext`` and of ``com``.
        reference: its full resource name.
        name: what it is called.
        parent: reference of what contains it.
        created: when it was created.
        com: the fields of the common model that only this type has.
    """
    zone, region = _names.zone_and_region(reference)
    labels = {key: value for key, value in _object(item, "labels").items() if isinstance(value, str)}
    return {
        "raw": item,
        "ext": {
            "cloud_type": CLOUD_TYPE,
            "record_type": types[0],
            "project_id": scope.project_id,
            "project_number": scope.project_number,
            "project_name": scope.project_name,
            "project_state": scope.project_state,
            "zone": zone,
            "region": region,
            "labels": labels,
            "parent": parent,
        },
        "com": {
            "cloud_type": CLOUD_TYPE,
            "record_type": types[1],
            "reference": reference,
            "name": name,
            "location": zone or region,
            "tags": labels,
            "parent": parent,
            "created": created,
            **com,
        },
    }


def _reference(scope: Scope, item: Mapping[str, Any]) -> str:
    return _names.compute_name(_required(item, "selfLink"), scope.project_id)


def _network(scope: Scope, item: Mapping[str, Any]) -> str | None:
    link = _text(item, "network")
    return _names.compute_name(link, scope.project_id) if link else None


def _priority(item: Mapping[str, Any]) -> int:
    value = item.get("priority", DEFAULT_PRIORITY)
    if not isinstance(value, int) or isinstance(value, bool):
        raise RecordError(f"{item.get('name')}: priority is {value!r}, not a number")
    return value


def _required(item: Mapping[str, Any], key: str) -> str:
    value = item.get(key)
    if not isinstance(value, str) or not value:
        raise RecordError(f"{item.get('selfLink') or item.get('name') or 'an item'} has no {key}")
    return value


def _text(item: Mapping[str, Any], key: str) -> str | None:
    value = item.get(key)
    return value if isinstance(value, str) and value else None


def _object(item: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return the object under *key*, empty if it is absent or null."""
    value = item.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise RecordError(f"{item.get('selfLink') or 'an item'}: {key} is not an object")
    return value


def _list(item: Mapping[str, Any], key: str) -> list[Any]:
    """Return the array under *key*, empty if it is absent or null."""
    value = item.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise RecordError(f"{item.get('selfLink') or 'an item'}: {key} is not an array")
    return value


def _objects(item: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    found = _list(item, key)
    if not all(isinstance(entry, dict) for entry in found):
        raise RecordError(f"{item.get('selfLink') or 'an item'}: {key} holds something else than objects")
    return found


def _texts(item: Mapping[str, Any], key: str) -> list[str]:
    found = _list(item, key)
    if not all(isinstance(entry, str) for entry in found):
        raise RecordError(f"{item.get('selfLink') or 'an item'}: {key} holds something else than text")
    return list(found)


def _each(items: list[dict[str, Any]], key: str) -> list[str]:
    """Return the text under *key* of every object that has one: order kept, duplicates gone."""
    return list(dict.fromkeys(filter(None, (_text(item, key) for item in items))))
