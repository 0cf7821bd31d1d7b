"""Machines that the whole Internet can reach: rules, addresses, load balancers and networks taken together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from cloudmarker._exposure.guards import Chains, Guards, targets
from cloudmarker._exposure.inventory import Inventory, Machine, key
from cloudmarker._exposure.ways import Way, Ways
from cloudmarker.contracts import Record, Severity
from cloudmarker.findings import finding
from cloudmarker.firewall import checked_ports, ports_within
from cloudmarker.firewall._spans import Span, Spans, difference, intersection, merged
from cloudmarker.firewall.evaluation import EVERY_PORT, IPVersion
from cloudmarker.text import friendly_list, friendly_string

_CHECK_ID = "machine_reachable_from_the_internet"
_PROTOCOLS = ("tcp", "udp")
_WEB_PORTS: Spans = ((80, 80), (443, 443))
_MAX_LISTED = 8
"""How many ports and ranges, rules, addresses a sentence names."""


class InternetExposureEvent:
    """Find machines that the whole Internet can reach, and say on which ports, and which rules open the way.

    It needs the whole picture, so it yields its events when all records have been seen: one for each machine that has
    a public address, or stands behind a load balancer that has one and passes packets on, and whose firewall rules let
    in the whole Internet. Rules are weighed as the clouds do it: by priority, denies included, those of a subnet and of
    an interface both, policies in a row, for the machines that tags, identities, groups, networks and addresses select.
    What is not known is taken for open, and said to be uncertain. ``docs/firewall.md`` has the whole account.

    Severity is ``critical`` if every TCP port is open, ``high`` if one of *ports* is, ``low`` if nothing but TCP ports
    80 and 443 is, otherwise ``medium``, also if it is not certain that anything is.

    Args:
        ports: sensitive TCP ports: numbers (22 or ``"22"``) and ranges (``"8000-8080"``). None means 22, 3389, 1433,
            1521, 3306 and 5432.

    Raises:
        ValueError: *ports* is no list, lists no port, or holds something that is no port and no range.
    """

    record_types = (
        "compute",
        "network_interface",
        "public_ip",
        "load_balancer",
        "backend_service",
        "backend_pool",
        "backend",
        "firewall",
        "firewall_rule",
        "subnet",
        "network",
        "scope",
        "coverage",
    )
    buckets = ("com",)

    def __init__(self, ports: Sequence[int | str] | None = None) -> None:
        self._ports = checked_ports(ports)
        self._inventory = Inventory()

    def eval(self, record: Record) -> tuple[()]:
        """Remember what is needed of *record*; nothing is known before all have been seen."""
        self._inventory.add(record.get("com") or {})
        return ()

    def finish(self) -> Iterator[Record]:
        """Yield an event for each machine that the whole Internet can reach."""
        inventory = self._inventory
        guards, ways = Guards(inventory), Ways(inventory)
        attached: dict[str, list[str]] = defaultdict(list)
        for interface in inventory.interfaces.values():
            for holder in interface.attached_to:
                attached[key(holder)].append(interface.reference)
        for machine in inventory.machines.values():
            exposure = _Exposure(machine)
            for target in targets(machine, inventory, attached):
                found = ways.to(target)
                chains = guards.chains(target) if found else []
                for way in found:
                    exposure.add(way, chains, guards)
            if exposure.addresses or exposure.balancers:
                yield exposure.event(self._ports)

    def done(self) -> None:
        """Let go of what was remembered."""
        self._inventory = Inventory()


class _Exposure:
    """What is open at one machine, by all ways together.

    Attributes:
        addresses: by which something is open, or may be.
        balancers: references of the load balancers by which something is open, or may be.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.addresses: dict[str, None] = {}
        self.balancers: dict[str, None] = {}
        self._open: dict[str, list[Span]] = {protocol: [] for protocol in _PROTOCOLS}
        self._perhaps: dict[str, list[Span]] = {protocol: [] for protocol in _PROTOCOLS}
        self._rules: dict[str, None] = {}
        self._uncertain: dict[str, None] = {}
        self._unguarded = False

    def add(self, way: Way, chains: Chains, guards: Guards) -> None:
        """Add what is open by one way in."""
        if way.closed and not chains:
            return
        uncertain = [reference for chain in chains for guard in chain for reference in guard.uncertain]
        found = False
        for protocol in _PROTOCOLS:
            if way.protocols.isdisjoint({protocol, "all"}):
                continue
            for version in way.versions:
                surely = self._through(way, chains, guards, protocol, version)
                self._open[protocol] += surely
                found = found or bool(surely)
                if uncertain:
                    perhaps = guards.opened(chains, protocol, version, surely=False).ports
                    more = difference(intersection(perhaps, way.ports), merged(surely))
                    if more:
                        self._perhaps[protocol] += more
                        self._uncertain.update(dict.fromkeys(uncertain))
                        found = True
        if found:
            self._unguarded = self._unguarded or not chains
            self.addresses.update(dict.fromkeys(way.addresses))
            if way.balancer:
                self.balancers[way.balancer] = None

    def _through(self, way: Way, chains: Chains, guards: Guards, protocol: str, version: IPVersion) -> Sequence[Span]:
        """Return what is certainly open by *way*, and note which rules open it."""
        opened = guards.opened(chains, protocol, version, surely=True)
        if way.ports == EVERY_PORT:
            self._rules.update(dict.fromkeys(opened.rules))
            return opened.ports
        found: list[Span] = []
        for opening in opened.openings:
            if part := intersection(((opening.first, opening.last),), way.ports):
                found += part
                self._rules.update(dict.fromkeys(opening.rules))
        return found

    def event(self, sensitive: Sequence[int]) -> Record:
        """Return the event record."""
        machine = self._machine
        certain = {protocol: merged(spans) for protocol, spans in self._open.items()}
        perhaps = {protocol: difference(merged(spans), certain[protocol]) for protocol, spans in self._perhaps.items()}
        uncertain = list(self._uncertain) if any(perhaps.values()) else []
        named = {"cloud_type": machine.cloud_type, "reference": machine.reference, "account": machine.account or None}
        return finding(
            {"com": named},
            check_id=_CHECK_ID,
            record_type="internet_exposure_event",
            severity=_severity(certain, sensitive, uncertain=bool(uncertain)),
            description=self._description(certain, perhaps),
            recommendation=(
                "Limit the sources of the rules that open the way to the addresses that need the ports"
                if self._rules
                else "Attach a firewall that lets in the addresses that need the machine"
                if self._unguarded
                else "Find out what the firewalls let in"
            )
            + ", or take the machine off the Internet.",
            exposed_tcp_ports=_words(certain["tcp"]),
            exposed_udp_ports=_words(certain["udp"]),
            opened_by=list(self._rules),
            public_addresses=list(self.addresses),
            load_balancers=list(self.balancers),
            uncertain=uncertain,
        )

    def _description(self, certain: dict[str, Spans], perhaps: dict[str, Spans]) -> str:
        cloud = friendly_string(self._machine.cloud_type or "unknown cloud")
        machine = f"{cloud} machine {self._machine.name or self._machine.reference or 'without a name'}"
        places = _named([*self.addresses, *self.balancers])
        unknown = f"it is not known what {_named(self._uncertain)} let in"
        if not any(certain.values()):
            return f"{machine} may be open to the entire Internet on {_what(perhaps)}, at {places}: {unknown}."
        how = f"opened by {_named(self._rules)}" if self._rules else "with no firewall to guard it"
        more = f" It may be on {_what(perhaps)} as well: {unknown}." if any(perhaps.values()) else ""
        return f"{machine} is open to the entire Internet on {_what(certain)}, at {places}, {how}.{more}"


def _severity(certain: dict[str, Spans], sensitive: Sequence[int], *, uncertain: bool) -> Severity:
    tcp, udp = certain["tcp"], certain["udp"]
    if tcp == EVERY_PORT:
        return "critical"
    if ports_within(tcp, sensitive):
        return "high"
    return "medium" if uncertain or udp or difference(tcp, _WEB_PORTS) else "low"


def _words(spans: Spans) -> list[str]:
    if spans == EVERY_PORT:
        return ["*"]
    return [str(first) if first == last else f"{first}-{last}" for first, last in spans]


def _what(ports: dict[str, Spans]) -> str:
    """Return e.g. ``TCP 22 and 8000-8080 and every UDP port``."""
    return " and ".join(
        f"every {protocol.upper()} port" if spans == EVERY_PORT else f"{protocol.upper()} {_listed(_words(spans))}"
        for protocol, spans in ports.items()
        if spans
    )


def _named(references: Iterable[str]) -> str:
    """Return the names in *references*, as a person would list them; the event has them in full as well."""
    return _listed(reference.rstrip("/").rpartition("/")[2] or reference for reference in references)


def _listed(items: Iterable[str]) -> str:
    shown = list(items)
    if len(shown) > _MAX_LISTED:
        shown[_MAX_LISTED:] = [f"{len(shown) - _MAX_LISTED} more"]
    return friendly_list(shown)
