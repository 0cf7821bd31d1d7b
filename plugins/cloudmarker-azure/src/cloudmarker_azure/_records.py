"""Resources of Azure Resource Manager to records: JSON in, record out, no I/O.

Every function here is a :class:`Transform`. ``raw`` of the record is the very object it was given, unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from cloudmarker.contracts import Record
from cloudmarker.errors import RecordError
from cloudmarker.firewall import normalise_addresses, normalise_ports, normalise_protocol

CLOUD_TYPE = "azure"


@dataclass(frozen=True)
class Scope:
    """What is read from: the tenant, or a subscription of it.

    Attributes:
        tenant: id or domain of the tenant; None if not known.
        id: what the paths of its lists begin with: empty for the tenant, ``/subscriptions/<id>``.
        subscription_id: None for the tenant.
        subscription_name: likewise.
        subscription_state: as answered: Enabled, Warned, PastDue, Disabled, Deleted.
    """

    tenant: str | None
    id: str = ""
    subscription_id: str | None = None
    subscription_name: str | None = None
    subscription_state: str | None = None

    @property
    def reference(self) -> str:
        """Its id in coverage records: its own, or ``/tenants/<tenant>``; ``/`` if the tenant is not known."""
        return self.id or (f"/tenants/{self.tenant}" if self.tenant else "/")

    def subscription(self, item: Mapping[str, Any]) -> Scope:
        """Return the scope that a subscription *item* of the tenant is."""
        return Scope(
            tenant=self.tenant or _text(item, "tenantId"),
            id=f"/subscriptions/{_required(item, 'subscriptionId')}",
            subscription_id=_required(item, "subscriptionId"),
            subscription_name=_text(item, "displayName"),
            subscription_state=_text(item, "state"),
        )


class Transform(Protocol):
    """Makes the record of one resource."""

    def __call__(self, scope: Scope, item: dict[str, Any], owner: dict[str, Any] | None) -> Record:
        """Return the record of *item*.

        Args:
            scope: where it was read.
            item: the JSON object. It is not changed, and becomes the record's ``raw``.
            owner: the resource in whose JSON it stands; None if it was listed itself.

        Raises:
            RecordError: the object lacks what a resource of its type must have.
        """
        ...


def subscription(scope: Scope, item: dict[str, Any], owner: dict[str, Any] | None) -> Record:
    """Return a ``scope`` record: https://learn.microsoft.com/rest/api/resources/subscriptions/list."""
    own = scope.subscription(item)
    return _record(
        own,
        item,
        ("subscription", "scope"),
        name=own.subscription_name,
        parent=f"/tenants/{own.tenant}" if own.tenant else None,
        com={"scope_type": "subscription", "state": _lower(own.subscription_state)},
    )


def resource_group(scope: Scope, item: dict[str, Any], owner: dict[str, Any] | None) -> Record:
    """Return a ``scope`` record: https://learn.microsoft.com/rest/api/resources/resource-groups/list."""
    state = _lower(_text(_object(item, "properties"), "provisioningState"))
    return _record(
        scope,
        item,
        ("resource_group", "scope"),
        parent=scope.id,
        com={"scope_type": "resource_group", "state": state},
    )


def nsg(scope: Scope, item: dict[str, Any], owner: dict[str, Any] | None) -> Record:
    """Return a ``firewall`` record: https://learn.microsoft.com/rest/api/virtualnetwork/network-security-groups."""
    properties = _object(item, "properties")
    return _record(
        scope,
        item,
        ("nsg", "firewall"),
        com={
            "rule_count": len(_list(properties, "securityRules")),
            "networks": _ids(properties, "subnets"),
            "interfaces": _ids(properties, "networkInterfaces"),
        },
    )


def security_rule(scope: Scope, item: dict[str, Any], owner: dict[str, Any] | None) -> Record:
    """Return a ``firewall_rule`` record; its location is that of the group it belongs to, as it has none itself."""
    properties = _object(item, "properties")
    group = _required(owner or {}, "id")
    return _record(
        scope,
        item,
        ("security_rule", "firewall_rule"),
        parent=group,
        location=_text(owner, "location") if owner else None,
        com={
            "firewall": group,
            "network": None,
            "entry": None,
            "enabled": True,  # a rule of a network security group is in effect as long as it exists
            "direction": _word(properties, "direction", {"inbound": "in", "outbound": "out"}),
            "access": _word(properties, "access", {"allow": "allow", "deny": "deny"}),
            "priority": _priority(properties),
            "protocol": normalise_protocol(_required(properties, "protocol")),
            "source_tags": [],
            "source_identities": [],
            "target_tags": [],
            "target_identities": [],
            **_side(properties, "source"),
            **_side(properties, "destination"),
        },
    )


def _side(properties: Mapping[str, Any], side: Literal["source", "destination"]) -> dict[str, list[str]]:
    """Return addresses, ports and groups of one side. Each has a singular and a plural field; either may be used."""
    return {
        f"{side}_addresses": normalise_addresses(
            _both(properties, f"{side}AddressPrefix", f"{side}AddressPrefixes"),
        ),
        f"{side}_ports": normalise_ports(_both(properties, f"{side}PortRange", f"{side}PortRanges")),
        f"{side}_groups": _ids(properties, f"{side}ApplicationSecurityGroups"),
    }


def _record(
    scope: Scope,
    item: dict[str, Any],
    types: tuple[str, str],
    *,
    com: dict[str, Any],
    name: str | None = None,
    parent: str | None = None,
    location: str | None = None,
) -> Record:
    """Return a record with what all of them have.

    Args:
        scope: where the item was read.
        item: the resource.
        types: the record types of ``ext`` and of ``com``.
        com: the fields of the common model that only this type has.
        name: what it is called, if not by its ``name``.
        parent: reference of what contains it, if not its resource group.
        location: where it is, if it does not say so itself.
    """
    reference = _required(item, "id")
    group, group_name = _group(reference)
    location = location or _text(item, "location")
    tags = {key: value for key, value in _object(item, "tags").items() if isinstance(value, str)}
    parent = parent or group or scope.id or None
    return {
        "raw": item,
        "ext": {
            "cloud_type": CLOUD_TYPE,
            "record_type": types[0],
            "tenant": scope.tenant,
            "subscription_id": scope.subscription_id,
            "subscription_name": scope.subscription_name,
            "subscription_state": scope.subscription_state,
            "resource_group": group_name,
            "location": location,
            "tags": tags,
            "parent": parent,
        },
        "com": {
            "cloud_type": CLOUD_TYPE,
            "record_type": types[1],
            "reference": reference,
            "name": name or _text(item, "name"),
            "location": location,
            "tags": tags,
            "parent": parent,
            "created": _text(_object(item, "systemData"), "createdAt"),
            **com,
        },
    }


def _group(reference: str) -> tuple[str | None, str | None]:
    """Return id and name of the resource group in an id, in the id's own spelling; None if it is in none."""
    parts = reference.split("/")
    if len(parts) < 5 or parts[3].lower() != "resourcegroups":
        return None, None
    return "/".join(parts[:5]), parts[4]


def _required(item: Mapping[str, Any], key: str) -> str:
    value = item.get(key)
    if not isinstance(value, str) or not value:
        raise RecordError(f"{item.get('id') or 'an item'} has no {key}")
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
        raise RecordError(f"{item.get('id') or 'an item'}: {key} is not an object")
    return value


def _list(item: Mapping[str, Any], key: str) -> list[Any]:
    """Return the array under *key*, empty if it is absent or null."""
    value = item.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise RecordError(f"{key} is not an array")
    return value


def _ids(item: Mapping[str, Any], key: str) -> list[str]:
    return [_required(entry, "id") if isinstance(entry, dict) else str(entry) for entry in _list(item, key)]


def _both(item: Mapping[str, Any], singular: str, plural: str) -> Iterator[str]:
    """Yield the values of a singular field and of its plural; an unused one is absent, null or empty."""
    for value in (item.get(singular), *_list(item, plural)):
        if isinstance(value, (str, int)) and value != "":
            yield str(value)
        elif value:
            raise RecordError(f"{singular} or {plural} holds {type(value).__name__}, not text")


def _word(item: Mapping[str, Any], key: str, words: Mapping[str, str]) -> str:
    value = _required(item, key)
    try:
        return words[value.lower()]
    except KeyError:
        raise RecordError(f"{key} is {value!r}, not one of {', '.join(words)}") from None


def _priority(item: Mapping[str, Any]) -> int:
    value = item.get("priority")
    if not isinstance(value, int) or isinstance(value, bool):
        raise RecordError(f"priority is {value!r}, not a number")
    return value


def _lower(text: str | None) -> str | None:
    return text.lower() if text else None
