"""What has been seen of a cloud, as little of it as is needed to tell what the Internet can reach."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from cloudmarker._exposure.aim import Aim
from cloudmarker.firewall.evaluation import Rule

Com = Mapping[str, Any]
Texts = tuple[str, ...]


class Machine(NamedTuple):
    """A ``compute`` record."""

    reference: str = ""
    account: str = ""
    name: str = ""
    cloud_type: str = ""
    location: str = ""
    parent: str = ""
    compute_group: str = ""
    interfaces: Texts = ()
    networks: Texts = ()
    private_addresses: Texts = ()
    public_addresses: Texts = ()
    network_tags: Texts | None = None
    identities: Texts | None = None
    address_groups: Texts | None = None


class Interface(NamedTuple):
    """A ``network_interface`` record."""

    reference: str = ""
    attached_to: Texts = ()
    networks: Texts = ()
    subnets: Texts = ()
    private_addresses: Texts = ()
    public_addresses: Texts = ()
    public_ips: Texts = ()
    firewalls: Texts = ()
    address_groups: Texts | None = None
    backend_pools: Texts = ()


class PublicIP(NamedTuple):
    """A ``public_ip`` record."""

    reference: str = ""
    address: str = ""
    scheme: str = ""
    attached_to: Texts = ()
    closed_by_default: bool | None = None


class Balancer(NamedTuple):
    """A ``load_balancer`` record, or one of what stands between such a one and machines."""

    record_type: str = ""
    reference: str = ""
    cloud_type: str = ""
    location: str = ""
    scheme: str = ""
    layer: str = ""
    protocols: Texts = ()
    backend_ports: Texts = ()
    backends: Texts = ()
    backend_pools: Texts = ()
    public_addresses: Texts = ()
    public_ips: Texts = ()


class Firewall(NamedTuple):
    """A ``firewall`` record."""

    location: str = ""
    networks: Texts = ()
    interfaces: Texts = ()


class Subnet(NamedTuple):
    """A ``subnet`` record."""

    firewalls: Texts = ()


class Network(NamedTuple):
    """A ``network`` record."""

    parent: str = ""
    policies_first: bool | None = None


class Scope(NamedTuple):
    """A ``scope`` record."""

    parent: str = ""


class Inventory:
    """All that has been seen, by :func:`key` of the reference.

    Attributes:
        rules: those that are for everything behind their firewall, or in their network, by the key of that.
        aimed: those that are for some machines only, likewise, and by what they are for.
        unread: keys of the scopes whose firewalls were not all read.
        pools: keys of the pools behind load balancers that something is an entry of, and that do not list their entries
            themselves, by the key of the entry.
    """

    def __init__(self) -> None:
        self.machines: dict[str, Machine] = {}
        self.interfaces: dict[str, Interface] = {}
        self.public_ips: dict[str, PublicIP] = {}
        self.balancers: dict[str, Balancer] = {}
        self.firewalls: dict[str, Firewall] = {}
        self.subnets: dict[str, Subnet] = {}
        self.networks: dict[str, Network] = {}
        self.scopes: dict[str, Scope] = {}
        self.rules: defaultdict[str, list[Rule]] = defaultdict(list)
        self.aimed: defaultdict[str, dict[Aim, list[Rule]]] = defaultdict(dict)
        self.unread: set[str] = set()
        self.pools: defaultdict[str, list[str]] = defaultdict(list)
        balancers = (Balancer, self.balancers)
        self._kept: dict[str, tuple[Any, dict[str, Any]]] = {
            "compute": (Machine, self.machines),
            "network_interface": (Interface, self.interfaces),
            "public_ip": (PublicIP, self.public_ips),
            "load_balancer": balancers,
            "backend_service": balancers,
            "backend_pool": balancers,
            "firewall": (Firewall, self.firewalls),
            "subnet": (Subnet, self.subnets),
            "network": (Network, self.networks),
            "scope": (Scope, self.scopes),
        }

    def add(self, com: Com) -> None:
        """Remember what is needed of a record's ``com``."""
        record_type = com.get("record_type")
        if record_type == "firewall_rule":
            self._add_rule(com)
        elif record_type == "backend":
            self.pools[key(com.get("machine")) or key(com.get("address"))].append(key(com.get("backend_pool")))
        elif record_type == "coverage":
            if com.get("state") not in ("ok", "disabled") and "firewall" in str(com.get("resource_type")):
                self.unread.add(key(com.get("scope")))
        elif isinstance(record_type, str) and record_type in self._kept:
            shape, found = self._kept[record_type]
            found[key(com.get("reference"))] = _read(shape, com)

    def _add_rule(self, com: Com) -> None:
        network, firewall = key(com.get("network")), key(com.get("firewall"))
        if network:  # where rules belong to a network, the firewall is but the rule once more
            self.firewalls.pop(firewall, None)
        rule = None if com.get("target_type") == "load_balancer" else Rule.of(com)
        if rule is not None:
            aim = Aim.of(com)
            if aim is None:
                self.rules[network or firewall].append(rule)
            else:
                self.aimed[network or firewall].setdefault(aim, []).append(rule)

    def has_rules(self, place: str) -> bool:
        """Return whether there are rules for the firewall or network with this key."""
        return place in self.rules or place in self.aimed


def key(reference: object) -> str:
    """Return a reference for comparing: providers vary its letter case."""
    return _folded(reference) if isinstance(reference, str) else ""


@lru_cache(maxsize=65536)
def _folded(reference: str) -> str:
    folded = reference.casefold()
    return reference if folded == reference else folded


@lru_cache(maxsize=65536)
def _shared(value: Any) -> Any:
    """Return an equal value that others have as well: many machines are in one network."""
    return value


_FLAGS = frozenset({"closed_by_default", "policies_first"})


def _read(shape: Any, com: Com) -> Any:
    return shape(*[_value(name, com.get(name), default) for name, default in shape._field_defaults.items()])


def _value(name: str, value: object, default: object) -> object:
    """Return a field's value as the shape has it, whatever a record has there; *default* if it is of another type."""
    if name in _FLAGS:
        return value if isinstance(value, bool) else None
    if default == "":
        return _shared(value) if isinstance(value, str) else ""
    if isinstance(value, list):
        return _shared(tuple(item for item in value if isinstance(item, str) and item))
    return default
