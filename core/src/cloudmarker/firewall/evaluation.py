"""Which ports a set of firewall rules opens to the whole Internet, given priorities, denies and policies in a row."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from cloudmarker.firewall._spans import Span, Spans, difference, intersection, merged
from cloudmarker.firewall._words import words
from cloudmarker.firewall.addresses import Internet, internet_part, the_internet
from cloudmarker.firewall.ports import MAX_PORT, port_intervals
from cloudmarker.firewall.protocols import normalise_protocol
from cloudmarker.firewall.rules import Access, access_of, is_in_force, sources_of

IPVersion = Literal[4, 6]

_ORDER: Mapping[Access, int] = {"deny": 0, "next": 1, "allow": 2}
"""Of rules with one priority the most restrictive counts first."""

EVERY_PORT = ((1, MAX_PORT),)
"""Nothing can connect to port 0."""


@dataclass(frozen=True, eq=False)
class Rule:
    """One inbound rule that makes a difference to what the Internet can reach by TCP or UDP.

    Attributes:
        reference: the provider's id of the rule.
        access: allow; deny; next: leave it to the next policy.
        priority: the rule with the lower number counts first.
        protocol: ``tcp``, ``udp`` or ``all``.
        ports: those that it is about, without port 0.
        sources: the public addresses that it is about.
    """

    __slots__ = ("access", "ports", "priority", "protocol", "reference", "sources")

    reference: str
    access: Access
    priority: int
    protocol: str
    ports: Spans
    sources: Internet

    @classmethod
    def of(cls, com: Mapping[str, Any]) -> Rule | None:
        """Return the rule of a ``firewall_rule`` record's *com*; None if it makes no difference.

        A rule that allows is read with :mod:`cloudmarker.firewall.rules`: what is missing opens it. One that does not
        allow is only believed as far as its record says so: one without protocol, ports, sources or a priority, or for
        some source ports only, which whoever connects can choose, makes no difference.
        """
        if not is_in_force(com):
            return None
        access = access_of(com)
        priority = com.get("priority")
        if not isinstance(priority, int):
            priority = 0
            if access != "allow":
                return None
        if access != "allow" and not _is_definite(com):
            return None
        protocol = normalise_protocol(com.get("protocol"))
        sources = internet_part(sources_of(com))
        ports = _ports(tuple(words(com.get("destination_ports"))))
        if protocol not in ("tcp", "udp", "all") or not ports or not any(sources):
            return None
        return cls(str(com.get("reference") or ""), access, priority, protocol, ports, sources)


def _is_definite(com: Mapping[str, Any]) -> bool:
    if not com.get("protocol") or not com.get("destination_ports") or com.get("source_addresses") is None:
        return False
    return not com.get("source_ports") or _ports(tuple(words(com["source_ports"]))) == EVERY_PORT


@lru_cache(maxsize=4096)
def _ports(spellings: tuple[str, ...]) -> Spans:
    return intersection(port_intervals(spellings), EVERY_PORT)


Policy = Sequence[Rule]
"""Rules that are weighed against each other by priority."""
Chain = Sequence[Policy]
"""Policies that are asked one after the other until one decides; if none does, the connection is refused."""


class Opening(NamedTuple):
    """Ports that the whole Internet can reach, and the references of the rules that open them."""

    first: int
    last: int
    rules: tuple[str, ...]


def open_ports(chains: Sequence[Chain], protocol: str, version: IPVersion = 4) -> list[Opening]:
    """Return the ports that every one of *chains* opens to the whole Internet, ascending; neighbours are merged.

    A port is open if those allowing rules to which denies before them have left any public address are together for
    the whole Internet. So a deny for a part of the Internet does not close a port, as the rest still gets in; a deny
    for all of it does, and so do several that leave nothing. A rule that is for the whole Internet opens the way
    alone; otherwise all that it takes are named.

    Args:
        chains: what a connection has to pass, e.g. the rules of a subnet and those of an interface. Without any,
            nothing guards the ports, and all are open.
        protocol: ``tcp`` or ``udp``.
        version: the Internet of IPv4, or that of IPv6.
    """
    relevant = [_relevant(chain, protocol, version) for chain in chains]
    if not all(any(rule.access == "allow" for policy in chain for rule in policy) for chain in relevant):
        return []
    guards = [[_Weighed(policy) for policy in chain] for chain in relevant]
    starts = {1, *(start for chain in guards for policy in chain for start in policy.starts)}
    found: list[Opening] = []
    for first, last in _segments(starts):
        rules: dict[str, None] = {}
        for chain in guards:
            openers = _openers((policy.at(first) for policy in chain), version)
            if openers is None:
                break
            rules.update(dict.fromkeys(openers))
        else:
            _append(found, Opening(first, last, tuple(rules)))
    return found


def _relevant(chain: Chain, protocol: str, version: IPVersion) -> Chain:
    """Return *chain* with the rules that can decide anything.

    Rules for a part of the Internet only decide if together they make up all of it, or leave a part to the next policy.
    That is rare, and to leave them out saves nearly all of the time.
    """
    found = [
        [rule for rule in policy if rule.protocol in (protocol, "all") and _sources(rule, version)] for policy in chain
    ]
    everywhere = the_internet()[version == 6]
    parts: dict[Access, set[Spans]] = {access: set() for access in _ORDER}
    for policy in found:
        for rule in policy:
            if (sources := _sources(rule, version)) != everywhere:
                parts[rule.access].add(sources)
    for access in ("allow", "deny"):  # in this order: part denies may take away from part allows
        if parts["next"] or merged(span for sources in parts[access] for span in sources) == everywhere:
            break
        found = [
            [rule for rule in rules if rule.access != access or _sources(rule, version) == everywhere]
            for rules in found
        ]
    return found


class _Weighed:
    """The rules of a policy, port by port, in the order in which they count."""

    def __init__(self, policy: Policy) -> None:
        rules = sorted(policy, key=lambda rule: (rule.priority, _ORDER[rule.access]))
        changes: dict[int, list[tuple[bool, int]]] = {1: []}
        for number, rule in enumerate(rules):
            for first, last in rule.ports:
                changes.setdefault(first, []).append((True, number))
                changes.setdefault(last + 1, []).append((False, number))
        self.starts = sorted(changes)
        self._active: list[tuple[Rule, ...]] = []
        active: list[int] = []
        for start in self.starts:
            for begins, number in changes[start]:
                if begins:
                    insort(active, number)
                else:
                    active.remove(number)
            self._active.append(tuple(rules[number] for number in active))

    def at(self, port: int) -> tuple[Rule, ...]:
        """Return the rules about *port*."""
        return self._active[bisect_right(self.starts, port) - 1]


def _openers(policies: Iterable[Policy], version: IPVersion) -> tuple[str, ...] | None:
    """Return the references of the rules with which *policies* let in the whole Internet; None if they do not."""
    everywhere = the_internet()[version == 6]
    admissible = everywhere  # what no rule has denied yet
    let_in: Spans = ()
    openers: list[str] = []
    for policy in policies:
        passed: list[Span] = []
        for rule in policy:
            sources = _sources(rule, version)
            about = intersection(admissible, sources)
            if not about:
                continue
            if rule.access == "allow":
                if sources == everywhere:
                    return (rule.reference,)
                openers.append(rule.reference)
                let_in = merged((*let_in, *sources))
                if let_in == everywhere:
                    return tuple(openers)
                continue
            admissible = difference(admissible, sources)
            if rule.access == "next":
                passed += about
        admissible = merged((*admissible, *passed))
    return None


def _sources(rule: Rule, version: IPVersion) -> Spans:
    return rule.sources[version == 6]


def _segments(starts: set[int]) -> Iterator[Span]:
    """Yield the spans of ports, ascending, that begin at *starts*."""
    ordered = sorted(start for start in starts if start <= MAX_PORT)
    for start, following in zip(ordered, [*ordered[1:], MAX_PORT + 1], strict=True):
        yield start, following - 1


def _append(found: list[Opening], opening: Opening) -> None:
    if found and found[-1].last + 1 == opening.first and found[-1].rules == opening.rules:
        opening = Opening(found.pop().first, opening.last, opening.rules)
    found.append(opening)
