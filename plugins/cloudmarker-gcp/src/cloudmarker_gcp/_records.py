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
from cloudmarker_gcp._json import array, each, mapping, objects, required, text, texts

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
            project_id=required(item, "projectId"),
            project_number=_names.last_part(text(item, "name") or "") or None,
            project_name=text(item, "displayName"),
            project_state=text(item, "state"),
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
    parent = text(item, "parent")
    return _record(
        own,
        item,
        ("project", "scope"),
        reference=own.reference,
        name=own.project_name or own.project_id,
        parent=f"{_names.RESOURCE_MANAGER}/{parent}" if parent else None,
        created=text(item, "createTime"),
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
    return [(kind, entry) for kind in ("allowed", "denied") for entry in array(item, kind)]


def firewall_rule(scope: Scope, item: dict[str, Any], member: Any) -> Record:
    """Return a ``firewall_rule`` record; *member* is one of :func:`firewall_entries`."""
    kind, entry = member
    if not isinstance(entry, dict):
        raise RecordError(f"{required(item, 'name')}: an entry of {kind} is not an object")
    protocol = required(entry, "IPProtocol")
    ports = [str(port) for port in array(entry, "ports")]
    outward = (text(item, "direction") or "INGRESS").upper() == "EGRESS"
    sources = normalise_addresses(texts(item, "sourceRanges"))
    destinations = normalise_addresses(texts(item, "destinationRanges"))
    source_tags, source_identities = texts(item, "sourceTags"), texts(item, "sourceServiceAccounts")
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
            "target_tags": texts(item, "targetTags"),
            "target_identities": texts(item, "targetServiceAccounts"),
        },
    )


def instance(scope: Scope, item: dict[str, Any], member: Any) -> Record:
    """Return a ``compute`` record: https://cloud.google.com/compute/docs/reference/rest/v1/instances."""
    interfaces = objects(item, "networkInterfaces")
    ways_out = [config for nic in interfaces for config in objects(nic, "accessConfigs")]
    ways_out_6 = [config for nic in interfaces for config in objects(nic, "ipv6AccessConfigs")]
    disks = sorted(objects(item, "disks"), key=lambda disk: disk.get("boot") is not True)
    shielded = mapping(item, "shieldedInstanceConfig")
    status = text(item, "status")
    image = text(item, "sourceMachineImage")
    return _compute_record(
        scope,
        item,
        ("instance", "compute"),
        com={
            "state": _STATES.get(status.upper(), "other") if status else None,
            "size": _names.last_part(text(item, "machineType") or "") or None,
            "os": _operating_system(disks[0]) if disks else None,
            "image": _names.compute_name(image, scope.project_id) if image else None,
            "compute_group": _group(scope, item),
            "interfaces": [],  # they have no names of their own
            "networks": [_names.compute_name(link, scope.project_id) for link in each(interfaces, "network")],
            "subnets": [_names.compute_name(link, scope.project_id) for link in each(interfaces, "subnetwork")],
            "private_addresses": [*each(interfaces, "networkIP"), *each(interfaces, "ipv6Address")],
            "public_addresses": [*each(ways_out, "natIP"), *each(ways_out_6, "externalIpv6")],
            "network_tags": texts(mapping(item, "tags"), "items"),
            "identities": each(objects(item, "serviceAccounts"), "email"),
            "disks": [_names.compute_name(link, scope.project_id) for link in each(disks, "source")],
            "host_encryption": True,  # Google encrypts local disks always
            "secure_boot": _flag(shielded, "enableSecureBoot"),
            "vtpm": _flag(shielded, "enableVtpm"),
            "confidential": _is_confidential(mapping(item, "confidentialInstanceConfig")),
            "password_login": None,
            "ip_forwarding": _flag(item, "canIpForward"),
        },
    )


def _operating_system(boot_disk: Mapping[str, Any]) -> str | None:
    """Return ``windows`` or ``linux`` as the licenses and features of the boot disk tell; None if they do not."""
    features = each(objects(boot_disk, "guestOsFeatures"), "type")
    licenses = " ".join(texts(boot_disk, "licenses"))
    if "WINDOWS" in features or "/windows-" in licenses:
        return "windows"
    return "linux" if licenses and "bsd" not in licenses else None


def _group(scope: Scope, item: Mapping[str, Any]) -> str | None:
    """Return the group of machines that made this one, which names it in the metadata, by the project's number."""
    entries = objects(mapping(item, "metadata"), "items")
    maker = next((text(entry, "value") for entry in entries if entry.get("key") == "created-by"), None)
    if not maker or "/instanceGroupManagers/" not in maker:
        return None
    name = _names.compute_name(maker, scope.project_id)
    return name.replace(f"/projects/{scope.project_number}/", f"/projects/{scope.project_id}/", 1)


def _is_confidential(config: Mapping[str, Any]) -> bool:
    kind = text(config, "confidentialInstanceType") or "CONFIDENTIAL_INSTANCE_TYPE_UNSPECIFIED"
    return config.get("enableConfidentialCompute") is True or not kind.endswith("_UNSPECIFIED")


def _flag(item: Mapping[str, Any], key: str) -> bool | None:
    value = item.get(key)
    return value if isinstance(value, bool) else None


def _compute_record(scope: Scope, item: dict[str, Any], types: tuple[str, str], *, com: dict[str, Any]) -> Record:
    """Return the record of a resource of Compute Engine: all of them have these fields."""
    return _record(
        scope,
        item,
        types,
        reference=_reference(scope, item),
        name=required(item, "name"),
        parent=scope.reference,
        created=text(item, "creationTimestamp"),
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
    labels = {key: value for key, value in mapping(item, "labels").items() if isinstance(value, str)}
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
    return _names.compute_name(required(item, "selfLink"), scope.project_id)


def _network(scope: Scope, item: Mapping[str, Any]) -> str | None:
    link = text(item, "network")
    return _names.compute_name(link, scope.project_id) if link else None


def _priority(item: Mapping[str, Any]) -> int:
    value = item.get("priority", DEFAULT_PRIORITY)
    if not isinstance(value, int) or isinstance(value, bool):
        raise RecordError(f"{item.get('name')}: priority is {value!r}, not a number")
    return value
