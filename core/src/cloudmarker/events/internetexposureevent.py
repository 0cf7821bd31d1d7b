"""Machines that the whole Internet can reach: rules, addresses, load balancers and networks taken together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

from cloudmarker.contracts import Record, Severity
from cloudmarker.events.firewallruleevent import DEFAULT_PORTS
from cloudmarker.findings import finding
from cloudmarker.firewall import MAX_PORT, expand_port_ranges, is_anywhere, port_intervals
from cloudmarker.firewall.evaluation import Chain, Opening, Policy, Rule, open_ports
from cloudmarker.text import friendly_list, friendly_string, pluralize

Com = Mapping[str, Any]

_WEB_PORTS = frozenset({80, 443})
_LISTED = 8
"""How many ports, rules and addresses a sentence names."""


@dataclass
class _Target:
    """One way in to a machine: the machine itself, or one of its interfaces."""

    com: Com
    interface: Com | None = None
    balancers: dict[str, Com] = field(default_factory=dict)

    @property
    def own(self) -> Com:
        return self.interface or self.com

    def references(self) -> set[str]:
        """Return what load balancers may know it by."""
        found = {str(com.get("reference") or "") for com in (self.com, self.own)}
        found.update(_texts(self.own, "private_addresses"))
        found.add(str(self.com.get("compute_group") or ""))
        return {_key(reference) for reference in found if reference}


class InternetExposureEvent:
    """Find machines that the whole Internet can reach, and say on which ports, and which rule opens the way.

    It needs the whole picture, so it yields its events when all records have been seen: one for each machine that has
    a public address, or stands behind a load balancer that has one, and whose firewall rules let in the whole Internet.
    Rules are weighed as the clouds do it: by priority, denies included, those of a subnet and of an interface both, for
    the machines that network tags, identities, groups and addresses select. A machine with interfaces that no firewall
    guards counts as open on every port. ``docs/firewall.md`` has the whole account.

    Severity is ``critical`` if every TCP port is open, ``high`` if one of *ports* is, ``low`` if nothing but ports 80
    and 443 is, otherwise ``medium``.

    Args:
        ports: sensitive TCP ports: numbers (22 or ``"22"``) and ranges (``"8000-8080"``). None means 22, 3389, 1433,
            1521, 3306 and 5432.
    """

    record_types = ("compute", "network_interface", "public_ip", "load_balancer", "firewall", "firewall_rule",
                    "subnet", "scope")  # fmt: skip
    buckets = ("com",)

    def __init__(self, ports: Sequence[int | str] | None = None) -> None:
        self._ports = frozenset(expand_port_ranges(DEFAULT_PORTS if ports is None else ports))
        if not self._ports:
            raise ValueError(f"ports: expected a list of ports and ranges such as [22, '8000-8080'], got {ports!r}")
        self._seen: dict[str, dict[str, Com]] = defaultdict(dict)
        self._rules: dict[str, list[tuple[Rule, Com]]] = defaultdict(list)

    def eval(self, record: Record) -> tuple[()]:
        """Remember *record*; nothing is known before all have been seen."""
        com = record.get("com") or {}
        record_type = com.get("record_type")
        if record_type == "firewall_rule":
            rule = Rule.of(com)
            if rule is not None:
                self._rules[_key(com.get("network") or com.get("firewall"))].append((rule, com))
        elif record_type in self.record_types:
            self._seen[record_type][_key(com.get("reference"))] = com
        return ()

    def finish(self) -> Iterator[Record]:
        """Yield an event for each machine that the whole Internet can reach."""
        guards = _Guards(self._seen, self._rules)
        balancers = _Balancers(self._seen["load_balancer"].values())
        public = _attached_addresses(self._seen["public_ip"].values())
        for com in self._seen["compute"].values():
            exposure = _Exposure(com)
            for target in self._targets(com):
                addresses = _addresses(target, public)
                target.balancers = balancers.before(target)
                if not addresses and not target.balancers:
                    continue
                exposure.add(target, addresses, guards.chains(target))
            if exposure.openings:
                yield exposure.event(self._ports)

    def done(self) -> None:
        """Let go of what was remembered."""
        self._seen.clear()
        self._rules.clear()

    def _targets(self, com: Com) -> list[_Target]:
        interfaces = [self._seen["network_interface"].get(_key(ref)) for ref in _texts(com, "interfaces")]
        found = [_Target(com, interface) for interface in interfaces if interface is not None]
        return found or [_Target(com)]


class _Guards:
    """The firewalls, and which of them a connection to a machine has to pass."""

    def __init__(self, seen: Mapping[str, Mapping[str, Com]], rules: Mapping[str, list[tuple[Rule, Com]]]) -> None:
        self._rules = rules
        self._subnets = seen["subnet"]
        self._parents = {key: _key(com.get("parent")) for key, com in seen["scope"].items()}
        self._attached: dict[str, list[str]] = defaultdict(list)
        for key, com in seen["firewall"].items():
            for place in (*_texts(com, "interfaces"), *_texts(com, "networks")):
                self._attached[_key(place)].append(key)

    def chains(self, target: _Target) -> list[Chain]:
        """Return what a connection to *target* has to pass."""
        if target.interface is not None:
            places = [_key(subnet) for subnet in _texts(target.interface, "subnets")]
            levels = [self._at(places, self._subnets), self._at([_key(target.interface.get("reference"))], None)]
            levels[1].update(dict.fromkeys(_key(name) for name in _texts(target.interface, "firewalls")))
            return [[self._policy(name, target)] for level in levels for name in level]
        chain = [self._policy(name, target) for scope in self._scopes(target) for name in self._attached[scope]]
        for network in _texts(target.com, "networks"):
            chain.append(self._policy(_key(network), target))
            chain += [
                self._policy(name, target)
                for name in self._attached[_key(network)]
                if name in self._rules and name != _key(network)
            ]
        return [chain]

    def _at(self, places: Sequence[str], described: Mapping[str, Com] | None) -> dict[str, None]:
        """Return the firewalls attached at *places*, as the firewalls say and as the places themselves say."""
        names = [name for place in places for name in self._attached[place]]
        if described is not None:
            for place in places:
                names += [_key(name) for name in _texts(described.get(place) or {}, "firewalls")]
        return dict.fromkeys(names)

    def _scopes(self, target: _Target) -> list[str]:
        """Return the scopes that contain the machine's own, the outermost first."""
        found: list[str] = []
        scope = _key(target.com.get("parent"))
        while scope and scope not in found:
            found.append(scope)
            scope = self._parents.get(scope, "")
        return found[::-1]

    def _policy(self, name: str, target: _Target) -> Policy:
        return [rule for rule, com in self._rules.get(name, ()) if _is_for(com, target)]


def _is_for(com: Com, target: _Target) -> bool:
    """Return whether a rule selects the machine."""
    tags, identities = _texts(com, "target_tags"), _texts(com, "target_identities")
    if tags or identities:
        chosen = not set(tags).isdisjoint(_texts(target.com, "network_tags"))
        if not chosen and set(identities).isdisjoint(_texts(target.com, "identities")):
            return False
    groups = {_key(group) for group in _texts(com, "destination_groups")}
    if groups:
        return not groups.isdisjoint(_key(group) for group in _texts(target.own, "address_groups"))
    destinations = _texts(com, "destination_addresses")
    if not destinations or is_anywhere(destinations):
        return True
    return any(_contains(place, target) for place in destinations)


def _contains(place: str, target: _Target) -> bool:
    try:
        network = ip_network(place, strict=False)
    except ValueError:
        return place.lower() == "virtualnetwork"  # a service tag that stands for all addresses inside
    for address in _texts(target.own, "private_addresses"):
        try:
            inside = ip_address(address) in network
        except ValueError:
            continue
        if inside:
            return True
    return False


class _Balancers:
    """The load balancers that the Internet can reach, and what stands behind each."""

    def __init__(self, coms: Any) -> None:
        known = {_key(com.get("reference")): com for com in coms}
        self._behind: dict[str, dict[str, Com]] = defaultdict(dict)
        for key, com in known.items():
            if com.get("scheme") != "external":
                continue
            waiting, reached = [com], set()
            while waiting:
                stage = waiting.pop()
                for name in (*_texts(stage, "backends"), *_texts(stage, "backend_pools")):
                    place = _key(name)
                    if place not in reached:
                        reached.add(place)
                        self._behind[place][key] = com
                        if place in known:
                            waiting.append(known[place])

    def before(self, target: _Target) -> dict[str, Com]:
        """Return the load balancers that pass connections on to *target*, by reference."""
        places = target.references() | {_key(pool) for pool in _texts(target.own, "backend_pools")}
        return {key: com for place in places for key, com in self._behind.get(place, {}).items()}


class _Exposure:
    """What is open at one machine."""

    def __init__(self, com: Com) -> None:
        self._com = com
        self.openings: dict[str, list[Opening]] = {}
        self._addresses: dict[str, None] = {}
        self._balancers: dict[str, None] = {}
        self._unguarded = False

    def add(self, target: _Target, addresses: Sequence[str], chains: Sequence[Chain]) -> None:
        """Add what is open by one way in."""
        found = False
        for protocol in ("tcp", "udp"):
            openings = open_ports(chains, protocol)
            if not addresses:
                openings = [part for opening in openings for part in _passed_on(opening, target, protocol)]
            if openings:
                self.openings.setdefault(protocol, []).extend(openings)
                found = True
        if found:
            self._addresses.update(dict.fromkeys(addresses))
            self._balancers.update(dict.fromkeys(str(com.get("reference") or "") for com in target.balancers.values()))
            self._unguarded = self._unguarded or not chains

    def event(self, sensitive: frozenset[int]) -> Record:
        """Return the event record."""
        ports = {protocol: self._ports(protocol) for protocol in ("tcp", "udp")}
        rules = list(dict.fromkeys(rule for found in self.openings.values() for one in found for rule in one.rules))
        cloud = friendly_string(str(self._com.get("cloud_type") or ""))
        name = self._com.get("name") or self._com.get("reference") or "without a name"
        what = friendly_list([f"{protocol.upper()} {_port_list(some)}" for protocol, some in ports.items() if some])
        way = "no firewall guards it" if self._unguarded else f"opened by {friendly_list(_some(rules))}"
        places = [*self._addresses, *self._balancers]
        return finding(
            {"com": dict(self._com)},
            check_id="machine_reachable_from_the_internet",
            record_type="internet_exposure_event",
            severity=self._severity(sensitive),
            description=(
                f"{cloud} machine {name} can be reached by the whole Internet on {what}, "
                f"at {friendly_list(_some(places))}; {way}."
            ).strip(),
            recommendation=(
                "Limit the sources of the rules that open the way to the addresses that need the ports, "
                "or take the public address away."
            ),
            exposed_tcp_ports=ports["tcp"],
            exposed_udp_ports=ports["udp"],
            opened_by=rules,
            public_addresses=list(self._addresses),
            load_balancers=list(self._balancers),
        )

    def _ports(self, protocol: str) -> list[str]:
        intervals = [f"{opening.first}-{opening.last}" for opening in self.openings.get(protocol, ())]
        return [_interval_text(first, last) for first, last in port_intervals(intervals)] if intervals else []

    def _severity(self, sensitive: frozenset[int]) -> Severity:
        tcp = [(opening.first, opening.last) for opening in self.openings.get("tcp", ())]
        if any(first <= 1 and last == MAX_PORT for first, last in port_intervals(self._ports("tcp") or ["0"])):
            return "critical"
        if any(first <= port <= last for first, last in tcp for port in sensitive):
            return "high"
        web_only = all(first == last and first in _WEB_PORTS for first, last in tcp)
        return "low" if web_only and "udp" not in self.openings else "medium"


def _passed_on(opening: Opening, target: _Target, protocol: str) -> Iterator[Opening]:
    """Yield the part of an opening that some load balancer passes connections on to.

    One that ends connections itself (layer ``application``) has its own ports, and reaches the machine's from its own
    addresses: what it passes on is not the Internet's to choose, so nothing of the machine is open by it.
    """
    for com in target.balancers.values():
        protocols = {str(name) for name in _texts(com, "protocols")} or {"all"}
        if com.get("layer") == "application" or protocols.isdisjoint({protocol, "all"}):
            continue
        for first, last in port_intervals(com.get("ports")):
            low, high = max(first, opening.first), min(last, opening.last)
            if low <= high:
                yield Opening(low, high, opening.rules)


def _attached_addresses(coms: Any) -> dict[str, dict[str, str]]:
    """Return, for what has public addresses of their own records, those addresses by the records' references."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for com in coms:
        if com.get("scheme") != "external":
            continue
        reference = str(com.get("reference") or "")
        address = str(com.get("address") or reference)
        found[_key(reference)][reference] = address
        for holder in _texts(com, "attached_to"):
            found[_key(holder)][reference] = address
    return found


def _addresses(target: _Target, public: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return the public addresses of a way in; the reference of one that is not known."""
    found = dict.fromkeys(_texts(target.own, "public_addresses"))
    for name in (str(target.own.get("reference") or ""), *_texts(target.own, "public_ips")):
        known = public.get(_key(name), {})
        found.update(dict.fromkeys(known.values()))
    if not found:
        found.update(dict.fromkeys(_texts(target.own, "public_ips")))
    return list(found)


def _texts(com: Com, name: str) -> list[str]:
    value = com.get(name)
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _key(reference: Any) -> str:
    """Return a reference for comparing: providers vary its letter case."""
    return str(reference or "").casefold()


def _interval_text(first: int, last: int) -> str:
    if first <= 1 and last == MAX_PORT:
        return "*"
    return str(first) if first == last else f"{first}-{last}"


def _port_list(ports: Sequence[str]) -> str:
    if list(ports) == ["*"]:
        return "every port"
    single = len(ports) == 1 and "-" not in ports[0]
    return f"{pluralize(1 if single else 2, 'port')} {friendly_list(_some(ports))}"


def _some(items: Sequence[str]) -> list[str]:
    shown = list(items)
    if len(shown) > _LISTED:
        shown[_LISTED:] = [f"{len(items) - _LISTED} more"]
    return shown
