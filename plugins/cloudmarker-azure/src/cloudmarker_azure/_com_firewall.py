"""Common fields of network security groups and their rules.

These are strict where the others are lenient: a rule that is half understood would be worse than one that is missing,
as it may look harmless, so what is not as it should be is an error that coverage names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from cloudmarker.errors import RecordError
from cloudmarker.firewall import normalise_addresses, normalise_ports, normalise_protocol

from cloudmarker_azure._json import Item


def nsg(item: Item, parent: str | None) -> dict[str, Any]:
    """Return ``firewall`` fields: https://learn.microsoft.com/rest/api/virtualnetwork/network-security-groups."""
    properties = _object(item, "properties")
    return {
        "rule_count": len(_list(properties, "securityRules")),
        "networks": _ids(properties, "subnets"),
        "interfaces": _ids(properties, "networkInterfaces"),
    }


def security_rule(item: Item, parent: str | None) -> dict[str, Any]:
    """Return ``firewall_rule`` fields of a rule of the group *parent*."""
    properties = _object(item, "properties")
    return {
        "firewall": parent,
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
        "target_networks": [],
        "target_type": "machine",
        **_side(properties, "source"),
        **_side(properties, "destination"),
    }


def _side(properties: Mapping[str, Any], side: Literal["source", "destination"]) -> dict[str, list[str]]:
    """Return addresses, ports and groups of one side. Each has a singular and a plural field; either may be used."""
    return {
        f"{side}_addresses": normalise_addresses(
            _both(properties, f"{side}AddressPrefix", f"{side}AddressPrefixes"),
        ),
        f"{side}_ports": normalise_ports(_both(properties, f"{side}PortRange", f"{side}PortRanges")),
        f"{side}_groups": _ids(properties, f"{side}ApplicationSecurityGroups"),
    }


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


def _required(item: Mapping[str, Any], key: str) -> str:
    value = item.get(key)
    if not isinstance(value, str) or not value:
        raise RecordError(f"it has no {key}")
    return value


def _object(item: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = item.get(key)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise RecordError(f"{key} is not an object")
    return value


def _list(item: Mapping[str, Any], key: str) -> list[Any]:
    value = item.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise RecordError(f"{key} is not an array")
    return value


def _ids(item: Mapping[str, Any], key: str) -> list[str]:
    entries = _list(item, key)
    if not all(isinstance(entry, Mapping) for entry in entries):
        raise RecordError(f"{key} holds something else than objects")
    return [_required(entry, "id") for entry in entries]
