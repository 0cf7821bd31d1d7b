"""How the Internet gets to a machine before any firewall is asked: by its own addresses, or by load balancers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from ipaddress import ip_address
from typing import NamedTuple

from cloudmarker._exposure.guards import Target
from cloudmarker._exposure.inventory import Balancer, Inventory, PublicIP, key
from cloudmarker.firewall import normalise_protocol, port_intervals
from cloudmarker.firewall._spans import Spans
from cloudmarker.firewall.evaluation import EVERY_PORT, IPVersion

_BOTH: tuple[IPVersion, ...] = (4, 6)
_NOTHING = Balancer()
"""What is known of a pool that only its entries name."""


class Way(NamedTuple):
    """A way to a machine.

    Attributes:
        addresses: of the machine itself; empty for a way by a load balancer. The reference of one that is not known.
        balancer: reference of the load balancer; empty for the machine's own addresses.
        versions: of IP, that these addresses may be of.
        protocols: that get through, ``all`` for all.
        ports: of the machine that can be reached.
        closed: it lets nothing in where no firewall guards the machine.
    """

    addresses: tuple[str, ...]
    balancer: str
    versions: tuple[IPVersion, ...]
    protocols: frozenset[str]
    ports: Spans
    closed: bool


class Ways:
    """All addresses and load balancers."""

    def __init__(self, inventory: Inventory) -> None:
        self._public_ips = inventory.public_ips
        self._held: dict[str, list[PublicIP]] = defaultdict(list)
        for public_ip in inventory.public_ips.values():
            if public_ip.scheme != "internal":
                for holder in public_ip.attached_to:
                    self._held[key(holder)].append(public_ip)
        self._balancers = inventory.balancers
        self._pools = inventory.pools
        self._leading: dict[str, list[str]] = defaultdict(list)
        for name, balancer in inventory.balancers.items():
            for reference in (*balancer.backends, *balancer.backend_pools):
                self._leading[key(reference)].append(name)
        self._fronts: dict[str, dict[str, Balancer]] = {}
        self._ways: dict[str, Way] = {}

    def to(self, target: Target) -> list[Way]:
        """Return the ways to *target*."""
        holders = dict.fromkeys([target.own.reference, target.machine.reference])
        named = target.interface.public_ips if target.interface else ()
        given = (*target.own.public_addresses, *target.machine.public_addresses)
        addresses, closed = self._addresses(holders, named, given)
        found = [Way(addresses, "", _versions(addresses), frozenset({"all"}), EVERY_PORT, closed)] if addresses else []
        found += [self._by(name, balancer) for name, balancer in self._in_front(target).items()]
        return found

    def _by(self, name: str, balancer: Balancer) -> Way:
        """Return the way by a load balancer, the same for all that it leads to."""
        way = self._ways.get(name)
        if way is None:
            addresses, closed = self._addresses([balancer.reference], balancer.public_ips, balancer.public_addresses)
            protocols = frozenset(map(normalise_protocol, balancer.protocols)) or frozenset({"all"})
            ports = port_intervals(balancer.backend_ports)
            way = self._ways[name] = Way((), balancer.reference, _versions(addresses), protocols, ports, closed)
        return way

    def _in_front(self, target: Target) -> dict[str, Balancer]:
        machine, own = target.machine, target.own
        pools = target.interface.backend_pools if target.interface else ()
        found: dict[str, Balancer] = {}
        for place in {key(place) for place in (machine.reference, own.reference, machine.compute_group, *pools)} - {""}:
            found.update(self._before(place))
        for address in own.private_addresses:  # others may have it too, in networks of their own
            for name, one in self._before(key(address)).items():
                if (one.cloud_type, one.location) == (machine.cloud_type, machine.location):
                    found[name] = one
        return dict(sorted(found.items()))

    def _before(self, place: str) -> dict[str, Balancer]:
        """Return the load balancers with external addresses that pass packets on to *place*, by way of others too."""
        steps = [self._front(step) for step in (*self._leading.get(place, ()), *self._pools.get(place, ()))]
        return steps[0] if len(steps) == 1 else {name: one for step in steps for name, one in step.items()}

    def _front(self, step: str) -> dict[str, Balancer]:
        """Return those that pass packets on to, or are, a load balancer or a pool.

        One that ends connections (layer ``application``) makes its own to what stands behind it, from addresses of its
        own: what it passes on is not the Internet's to choose.

        A pool is asked once, whatever is in it: of a large one, each machine has the same in front of it.
        """
        found = self._fronts.get(step)
        if found is not None:
            return found
        found = self._fronts[step] = {}
        waiting, reached = [step], {step}
        while waiting:
            name = waiting.pop()
            own = self._balancers.get(name, _NOTHING)
            if own.layer == "application":
                continue
            if own.record_type == "load_balancer" and own.scheme != "internal":
                found[name] = own
            for above in (*self._leading.get(name, ()), *self._pools.get(name, ())):
                if above not in reached:
                    reached.add(above)
                    waiting.append(above)
        return found

    def _addresses(
        self, holders: Iterable[str], named: Iterable[str], given: Iterable[str]
    ) -> tuple[tuple[str, ...], bool]:
        """Return addresses, and whether all are known to let nothing in by themselves.

        Args:
            holders: references of what may have addresses that are things of their own.
            named: references of such addresses.
            given: addresses.
        """
        records = {one.reference: one for holder in holders for one in self._held.get(key(holder), ())}
        unknown = []
        for reference in named:
            record = self._public_ips.get(key(reference))
            if record is None:
                unknown.append(reference)
            elif record.scheme != "internal":
                records[record.reference] = record
        addresses = [record.address or record.reference for record in records.values()]
        found = tuple(dict.fromkeys([*addresses, *given]))
        if unknown and not found:
            found = tuple(unknown)
        known = set(addresses)
        closed = all(record.closed_by_default for record in records.values()) and known.issuperset(found)
        return found, closed and bool(found)


def _versions(addresses: Iterable[str]) -> tuple[IPVersion, ...]:
    """Return the versions of IP that *addresses* are of; both if none is known, or one cannot be told."""
    found: set[IPVersion] = set()
    for address in addresses:
        try:
            found.add(ip_address(address.partition("/")[0]).version)
        except ValueError:
            return _BOTH
    return tuple(sorted(found)) or _BOTH
