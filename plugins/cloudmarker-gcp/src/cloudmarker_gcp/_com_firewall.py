"""Common fields of firewalls and firewall policies, and the records of their rules.

These are strict where the others are lenient: a rule that is half understood would be worse than one that is missing,
as it may look harmless, so what is not as it should be is an error that coverage names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudmarker.contracts import Record
from cloudmarker.errors import RecordError
from cloudmarker.firewall import is_anywhere, normalise_addresses, normalise_ports, normalise_protocol

from cloudmarker_gcp._com_compute import link, links
from cloudmarker_gcp._json import Item, text
from cloudmarker_gcp._names import RESOURCE_MANAGER, compute_name
from cloudmarker_gcp._record import Basics, Kind, Where, compute, record, required

ANYWHERE = ["0.0.0.0/0"]
"""What a rule without addresses, tags and accounts on the other side is about; IPv6 has to be named."""

EVERY_ADDRESS = ["0.0.0.0/0", "::/0"]
"""What it is about on the side of the machines, whatever else selects those."""

DEFAULT_PRIORITY = 1000

_ACTIONS = {"allow": "allow", "apply_security_profile_group": "allow", "deny": "deny", "goto_next": "next"}
"""What a policy's rule does. Connections that are inspected are let through as far as nothing is found."""

_TARGETS = {"INSTANCES": "machine", "INTERNAL_MANAGED_LB": "load_balancer"}
"""What a policy's rule guards. Load balancers that end connections have rules of their own, which machines ignore."""

_OTHER_SOURCES = ("AddressGroups", "Fqdns", "RegionCodes", "ThreatIntelligences")


def firewall(item: Item, where: Where) -> dict[str, Any]:
    """Return ``firewall`` fields: https://cloud.google.com/compute/docs/reference/rest/v1/firewalls."""
    network = link(item, where, "network")
    return {"rule_count": len(firewall_entries(item)), "networks": [network] if network else [], "interfaces": []}


def firewall_entries(item: Item) -> list[tuple[str, Any]]:
    """Return the entries of a firewall, each with the list it stands in, ``allowed`` or ``denied``."""
    return [(kind, entry) for kind in ("allowed", "denied") for entry in _array(item, kind)]


def firewall_rule(where: Where, item: Item, member: tuple[str, Any]) -> Record:
    """Return the record of one of :func:`firewall_entries`; its ``raw`` is the whole firewall."""
    return record(_kind("firewall_rule", lambda _: _entry_fields(item, where, *member)), _beside(where), item)


def _entry_fields(item: Item, where: Where, kind: str, entry: Any) -> dict[str, Any]:
    if not isinstance(entry, Mapping):
        raise RecordError(f"an entry of {kind} is not an object")
    protocol = required(entry, "IPProtocol")
    ports = [str(port) for port in _array(entry, "ports")]
    outward = (text(item, "direction") or "INGRESS").upper() == "EGRESS"
    sources = normalise_addresses(_texts(item, "sourceRanges"))
    destinations = normalise_addresses(_texts(item, "destinationRanges"))
    source_tags, source_identities = _texts(item, "sourceTags"), _texts(item, "sourceServiceAccounts")
    if outward:
        destinations, sources = destinations or list(ANYWHERE), sources or list(EVERY_ADDRESS)
    else:
        destinations = destinations or list(EVERY_ADDRESS)
        if not (source_tags or source_identities):
            sources = sources or list(ANYWHERE)
    return _rule(
        firewall=compute_name(required(item, "selfLink"), where.scope.project),
        network=link(item, where, "network"),
        entry="/".join(filter(None, (kind, protocol.lower(), ",".join(ports)))),
        enabled=item.get("disabled") is not True,
        outward=outward,
        access="allow" if kind == "allowed" else "deny",
        priority=_priority(item.get("priority", DEFAULT_PRIORITY)),
        protocol=protocol,
        ports=ports,
        source_addresses=sources,
        destination_addresses=destinations,
        source_tags=source_tags,
        source_identities=source_identities,
        source_groups=[],
        destination_groups=[],
        target_tags=_texts(item, "targetTags"),
        target_identities=_texts(item, "targetServiceAccounts"),
        target_networks=[],
        target_type="machine",
    )


def firewall_policy(item: Item, where: Where) -> dict[str, Any]:
    """Return ``firewall`` fields: https://cloud.google.com/compute/docs/reference/rest/v1/firewallPolicies.

    A hierarchical policy protects all networks in the folders and organizations that it is attached to.
    """
    targets = [text(association, "attachmentTarget") for association in _objects(item, "associations")]
    return {
        "rule_count": len(policy_rules(item)),
        "networks": [_attached(target, where) for target in targets if target],
        "interfaces": [],
    }


def _attached(target: str, where: Where) -> str:
    for level in ("folders", "organizations"):
        _, found, number = target.rpartition(f"{level}/")
        if found:
            return f"{RESOURCE_MANAGER}/{level}/{number}"
    return compute_name(target, where.scope.project)


def policy_rules(item: Item) -> list[tuple[Item, int, Any]]:
    """Return the parts of a policy's rules: each rule, and each of the protocols it is about by its position."""
    found: list[tuple[Item, int, Any]] = []
    for rule in _objects(item, "rules"):
        protocols = _array(_object(rule, "match"), "layer4Configs") or [{"ipProtocol": "all"}]
        found += [(rule, position, protocol) for position, protocol in enumerate(protocols)]
    return found


def policy_rule(record_type: str) -> Any:
    """Return what makes the record of one of :func:`policy_rules`; its ``raw`` is the rule."""

    def make(where: Where, item: Item, member: tuple[Item, int, Any]) -> Record:
        rule, _, protocol = member
        kind = _kind(record_type, lambda _: _policy_fields(item, where, rule, protocol), text(rule, "ruleName"))
        return record(kind, _beside(where), item, raw=rule)

    return make


def _policy_fields(item: Item, where: Where, rule: Item, protocol: Any) -> dict[str, Any]:
    if not isinstance(protocol, Mapping):
        raise RecordError("a protocol of a rule is not an object")
    match = _object(rule, "match")
    name = required(protocol, "ipProtocol")
    ports = [str(port) for port in _array(protocol, "ports")]
    outward = (text(rule, "direction") or "INGRESS").upper() == "EGRESS"
    action = required(rule, "action")
    if action.lower() not in _ACTIONS:
        raise RecordError(f"action is {action!r}, not one of {', '.join(_ACTIONS)}")
    priority = _priority(rule.get("priority"))
    target_type = text(rule, "targetType") or "INSTANCES"
    if target_type not in _TARGETS:
        raise RecordError(f"targetType is {target_type!r}, not one of {', '.join(_TARGETS)}")
    secure_tags = [required(tag, "name") for tag in _objects(match, "srcSecureTags")]
    sources, destinations = _side(match, "src"), _side(match, "dest")
    if outward:
        destinations, sources = destinations or list(ANYWHERE), sources or list(EVERY_ADDRESS)
    else:
        destinations = destinations or list(EVERY_ADDRESS)
        if not secure_tags:
            sources = sources or list(ANYWHERE)
    return _rule(
        firewall=compute_name(required(item, "selfLink"), where.scope.project),
        network=None,
        entry="/".join(filter(None, (str(priority), name.lower(), ",".join(ports)))),
        enabled=rule.get("disabled") is not True,
        outward=outward,
        access=_ACTIONS[action.lower()],
        priority=priority,
        protocol=name,
        ports=ports,
        source_addresses=sources,
        destination_addresses=destinations,
        source_tags=[],
        source_identities=[],
        source_groups=secure_tags,  # resources of their own, unlike the tags of machines
        destination_groups=[required(tag, "name") for tag in _objects(rule, "targetSecureTags")],
        target_tags=[],
        target_identities=_texts(rule, "targetServiceAccounts"),
        target_networks=links(_texts(rule, "targetResources"), where),
        target_type=_TARGETS[target_type],
    )


def _side(match: Item, side: str) -> list[str]:
    """Return the addresses of one side of a policy's rule, and what else stands for some, as Google spells it."""
    addresses = normalise_addresses(_texts(match, f"{side}IpRanges"))
    scope = (text(match, f"{side}NetworkScope") or text(match, f"{side}NetworkType") or "UNSPECIFIED").upper()
    if scope == "INTERNET":
        addresses = addresses or ["Internet"]
    elif scope != "UNSPECIFIED" and (not addresses or is_anywhere(addresses)):
        addresses = [scope]  # what is left of everywhere: it must be in that place as well
    others = [value for key in _OTHER_SOURCES for value in _texts(match, f"{side}{key}")]
    return [*addresses, *others]


def _rule(*, enabled: bool, outward: bool, protocol: str, ports: list[str], **fields: Any) -> dict[str, Any]:
    return {
        **fields,
        "enabled": enabled,
        "direction": "out" if outward else "in",
        "protocol": normalise_protocol(protocol),
        "source_ports": ["*"],
        "destination_ports": normalise_ports(ports),
    }


def _kind(record_type: str, fields: Any, name: str | None = None) -> Kind:
    def basics(item: Item, where: Where) -> Basics:
        own = compute(item, where)
        return own._replace(name=name) if name else own

    return Kind(record_type, "firewall_rule", basics, lambda item, where: fields(item))


def _beside(where: Where) -> Where:
    """Return where a firewall is: its rules have its reference, so that it is not what contains them."""
    return Where(where.scope, {})


def _priority(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**31:
        raise RecordError(f"priority is {value!r}, not a number")
    return value


def _object(item: Item, key: str) -> Item:
    value = item.get(key)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise RecordError(f"{key} is not an object")
    return value


def _array(item: Item, key: str) -> list[Any]:
    value = item.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise RecordError(f"{key} is not an array")
    return value


def _objects(item: Item, key: str) -> list[Item]:
    found = _array(item, key)
    if not all(isinstance(entry, Mapping) for entry in found):
        raise RecordError(f"{key} holds something else than objects")
    return found


def _texts(item: Item, key: str) -> list[str]:
    found = _array(item, key)
    if not all(isinstance(entry, str) for entry in found):
        raise RecordError(f"{key} holds something else than text")
    return list(found)
