"""What guards a machine: which firewalls a connection to it has to pass, and which of their rules are for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from cloudmarker._exposure.aim import Aim, Seen
from cloudmarker._exposure.inventory import Firewall, Interface, Inventory, Machine, key
from cloudmarker.firewall import MAX_PORT
from cloudmarker.firewall._spans import Spans, merged
from cloudmarker.firewall.addresses import the_internet
from cloudmarker.firewall.evaluation import IPVersion, Opening, Policy, Rule, open_ports


class Target(NamedTuple):
    """A machine, at one of its interfaces or in one of its networks.

    Attributes:
        interface: None where interfaces are no things of their own.
        network: key of the network; empty if there is an interface, or none is known.
    """

    machine: Machine
    interface: Interface | None = None
    network: str = ""

    @property
    def own(self) -> Machine | Interface:
        """What has the addresses and belongs to groups."""
        return self.interface or self.machine

    def seen(self) -> Seen:
        """Return what rules may select it by."""
        groups = self.own.address_groups
        networks = self.own.networks
        return Seen(
            self.machine.network_tags,
            self.machine.identities,
            None if groups is None else tuple(map(key, groups)),
            self.network or (key(networks[0]) if len(networks) == 1 else ""),
            self.own.private_addresses,
            self.own.public_addresses,
        )


class Guard(NamedTuple):
    """The rules of one firewall that are for a machine.

    Attributes:
        surely: with all that may close something, and nothing that only may open it.
        possibly: the other way round.
        uncertain: references of the rules of which it is not known whether they are for the machine; of the firewall
            if its rules are not known.
    """

    surely: Policy
    possibly: Policy
    uncertain: tuple[str, ...] = ()


_MAX_REMEMBERED = 4096
"""Firewalls whose rules for a machine are remembered for the next machine; like machines come one after the other."""

Chains = list[list[Guard]]


class Opened(NamedTuple):
    """What some chains open: each opening, and all of them together."""

    openings: list[Opening]
    ports: Spans
    rules: tuple[str, ...]


def targets(machine: Machine, inventory: Inventory, attached: dict[str, list[str]]) -> list[Target]:
    """Return where a machine may be reached: at each interface, in each network, or else just as it is.

    Args:
        machine: the machine.
        inventory: what has been seen.
        attached: the keys of interfaces that say themselves which machine has them, by its key.
    """
    references = (*machine.interfaces, *attached.get(key(machine.reference), ()))
    names = {key(reference): reference for reference in references}
    if names:
        return [Target(machine, inventory.interfaces.get(name, Interface(names[name]))) for name in names]
    return [Target(machine, None, key(network)) for network in machine.networks] or [Target(machine)]


class Guards:
    """All firewalls."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._attached: dict[str, list[str]] = defaultdict(list)
        for name, firewall in inventory.firewalls.items():
            for place in (*firewall.interfaces, *firewall.networks):
                self._attached[key(place)].append(name)
        self._selected: dict[tuple[str, Seen | bool | None], Guard] = {}
        """By key of the firewall, and what it selects by: False for nothing; None if it was not read."""
        self._policies: dict[tuple[int, ...], Policy] = {}
        self._opened: dict[object, Opened] = {}

    def chains(self, target: Target) -> Chains:
        """Return what a connection to *target* has to pass: every chain, and in a chain one guard after the other.

        The chains of one target may be forgotten when those of another are asked for.
        """
        if len(self._selected) > _MAX_REMEMBERED:  # all at once: what is known of policies goes by their ids
            for remembered in (self._selected, self._policies, self._opened):
                remembered.clear()
        seen = target.seen()
        inventory = self._inventory
        own = self._attached[key(target.machine.reference)]
        if target.interface is None:
            rows = [own] if own else []
            if target.network:
                return [*self._each(rows, seen), self._network(target, seen)]
            return self._each(rows, seen)
        interface = target.interface
        subnets = [key(subnet) for subnet in interface.subnets]
        rows = [
            *([*self._attached[name], *map(key, _firewalls(inventory.subnets.get(name)))] for name in subnets),
            [*self._attached[key(interface.reference)], *map(key, interface.firewalls), *own],
            [name for name in map(key, interface.networks) if inventory.has_rules(name)],
        ]
        found = self._each(rows, seen)
        if not found and not (
            key(interface.reference) in inventory.interfaces and inventory.subnets.keys() >= {*subnets}
        ):
            return [[self._unread(interface.reference)]]
        return found

    def _each(self, rows: Iterable[Iterable[str]], seen: Seen) -> Chains:
        names = dict.fromkeys(name for row in rows for name in row)
        return [[self._guard(name, seen)] for name in names]

    def _network(self, target: Target, seen: Seen) -> list[Guard]:
        """Return the chain of a network: policies of the scopes above it, its own rules, policies attached to it."""
        inventory = self._inventory
        network = inventory.networks.get(target.network)
        scope = key(network.parent if network and network.parent else target.machine.parent)
        above = [self._guard(name, seen) for place in self._scopes(scope) for name in self._attached[place]]
        rules = self._guard(target.network, seen)
        if scope in inventory.unread:
            unread = self._unread(scope)
            rules = Guard(rules.surely, unread.possibly, (*rules.uncertain, *unread.uncertain))
        here = [(name, inventory.firewalls[name]) for name in self._attached[target.network]]
        here = [(name, firewall) for name, firewall in here if _is_near(firewall, target.machine)]
        here.sort(key=lambda item: bool(item[1].location))  # those of the whole network count before those of a region
        policies = [self._guard(name, seen) for name, _ in here]
        return [*above, *policies, rules] if network and network.policies_first else [*above, rules, *policies]

    def _scopes(self, scope: str) -> list[str]:
        """Return a scope and those that contain it, the outermost first."""
        found: list[str] = []
        while scope and scope not in found:
            found.append(scope)
            above = self._inventory.scopes.get(scope)
            scope = key(above.parent) if above else ""
        return found[::-1]

    def _guard(self, name: str, seen: Seen) -> Guard:
        inventory = self._inventory
        aimed = inventory.aimed.get(name, {})
        if not any(aim.places for aim in aimed):
            seen = seen._replace(private=(), public=())  # so that like machines are one
        selector: Seen | bool = seen if aimed else False
        found = self._selected.get((name, selector))
        if found is None:
            if name in inventory.firewalls or name in inventory.networks or inventory.has_rules(name):
                found = self._select(inventory.rules.get(name, []), aimed, seen)
            else:
                found = self._unread(name)
            self._selected[name, selector] = found
        return found

    def _select(self, general: list[Rule], aimed: Mapping[Aim, list[Rule]], seen: Seen) -> Guard:
        surely, possibly, uncertain = list(general), list(general), []
        for aim, rules in aimed.items():
            some, whole = (aim.takes_in(seen, whole=whole) for whole in (False, True))
            for rule in rules:
                allows = rule.access == "allow"
                verdict = some if allows else whole
                if verdict is False:
                    continue
                if verdict or not allows:
                    surely.append(rule)
                if verdict or allows:
                    possibly.append(rule)
                if verdict is None:
                    uncertain.append(rule.reference)
        return Guard(self._one(surely), self._one(possibly), tuple(uncertain))

    def _one(self, policy: Policy) -> Policy:
        """Return the policy with the same rules that was seen before: like machines are weighed once."""
        return self._policies.setdefault(tuple(map(id, policy)), policy)

    def _unread(self, reference: str) -> Guard:
        """Return the guard that nothing is known of: for all that is known, it may let in everything."""
        found = self._selected.get((reference, None))
        if found is None:
            everything = Rule(reference, "allow", 0, "all", ((1, MAX_PORT),), the_internet())
            found = self._selected[reference, None] = Guard((), (everything,), (reference,))
        return found

    def opened(self, chains: Chains, protocol: str, version: IPVersion, *, surely: bool) -> Opened:
        """Return what *chains* open, see :func:`cloudmarker.firewall.evaluation.open_ports`."""
        policies = [[guard.surely if surely else guard.possibly for guard in chain] for chain in chains]
        known = (protocol, version, *(tuple(map(id, chain)) for chain in policies))
        found = self._opened.get(known)
        if found is None:  # an id stays that of one policy for as long as that is remembered
            openings = open_ports(policies, protocol, version)
            rules = dict.fromkeys(rule for opening in openings for rule in opening.rules)
            found = Opened(openings, merged((opening.first, opening.last) for opening in openings), tuple(rules))
            self._opened[known] = found
        return found


def _firewalls(subnet: object) -> tuple[str, ...]:
    return getattr(subnet, "firewalls", ())


def _is_near(firewall: Firewall, machine: Machine) -> bool:
    """Return whether a firewall of a region, or of all the world, is for a machine in a region, or a zone of one."""
    places = (firewall.location, machine.location)
    return not all(places) or f"{places[1]}-".startswith(f"{places[0]}-")
