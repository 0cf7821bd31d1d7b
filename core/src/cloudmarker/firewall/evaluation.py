"""Which ports a set of firewall rules opens to the whole Internet, given priorities, denies and policies in a row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from cloudmarker.firewall.addresses import is_anywhere, normalise_addresses
from cloudmarker.firewall.ports import MAX_PORT, Interval, port_intervals
from cloudmarker.firewall.protocols import normalise_protocol

Access = Literal["allow", "deny", "next"]
_ORDER: Mapping[str, int] = {"deny": 0, "next": 1, "allow": 2}
"""Of rules with one priority the most restrictive counts first."""


@dataclass(frozen=True)
class Rule:
    """One inbound rule that is in force, as far as the Internet is concerned.

    Attributes:
        reference: the provider's id of the rule.
        access: allow; deny; next: leave it to the next policy.
        priority: the rule with the lower number counts first.
        protocol: as of :func:`cloudmarker.firewall.normalise_protocol`.
        sources: addresses in canonical form; empty if only tags, identities or groups are let in.
        anywhere: the sources are the whole Internet.
        intervals: ports, ascending and disjoint.
    """

    reference: str
    access: Access
    priority: int
    protocol: str
    sources: tuple[str, ...]
    anywhere: bool
    intervals: tuple[Interval, ...]

    @classmethod
    def of(cls, com: Mapping[str, Any]) -> Rule | None:
        """Return the rule of a ``firewall_rule`` record's *com*, or None if it is outbound or not in force."""
        if com.get("enabled") is False or com.get("direction") == "out":
            return None
        sources = tuple(normalise_addresses(com.get("source_addresses")))
        if not sources and not any(com.get(f"source_{other}") for other in ("tags", "identities", "groups")):
            sources = ("0.0.0.0/0", "::/0")
        access = com.get("access")
        return cls(
            reference=str(com.get("reference") or ""),
            access=access if access in _ORDER else "allow",  # type: ignore[arg-type]  # one of its keys
            priority=int(com.get("priority") or 0),
            protocol=normalise_protocol(com.get("protocol")),
            sources=sources,
            anywhere=is_anywhere(sources),
            intervals=port_intervals(com.get("destination_ports")),
        )

    def covers(self, port: int) -> bool:
        """Return whether the rule is about *port*."""
        return any(first <= port <= last for first, last in self.intervals)


Policy = Sequence[Rule]
"""Rules that are weighed against each other by priority."""
Chain = Sequence[Policy]
"""Policies that are asked one after the other until one decides; if none does, the connection is refused."""


class Opening(NamedTuple):
    """Ports that the whole Internet can reach, and the rules that open them: one of each chain."""

    first: int
    last: int
    rules: tuple[str, ...]


def open_ports(chains: Sequence[Chain], protocol: str) -> list[Opening]:
    """Return the ports that every one of *chains* opens to the whole Internet, ascending; neighbours are merged.

    A source counts as the Internet if it is, or if several allowing rules together let all of it in. A deny for a part
    of the Internet does not close a port, as the rest still gets in; a deny for all of it does.

    Args:
        chains: what a connection has to pass, e.g. the rules of a subnet and those of an interface. Without any,
            nothing guards the ports, and all are open.
        protocol: ``tcp`` or ``udp``.
    """
    relevant = [
        [
            sorted(
                (rule for rule in policy if rule.protocol in (protocol, "all")),
                key=lambda rule: (rule.priority, _ORDER[rule.access]),
            )
            for policy in chain
        ]
        for chain in chains
    ]
    found: list[Opening] = []
    for first, last in _segments(relevant):
        rules: list[str] = []
        for chain in relevant:
            rule = _decides(chain, first)
            if rule is None:
                break
            rules.append(rule.reference)
        else:
            _append(found, Opening(first, last, tuple(rules)))
    return found


def _decides(chain: Chain, port: int) -> Rule | None:
    """Return the rule with which *chain* has let in the whole Internet at *port*, or None."""
    let_in: list[str] = []
    for policy in chain:
        for rule in policy:
            if not rule.covers(port):
                continue
            if rule.access == "allow":
                let_in += rule.sources
                if rule.anywhere or is_anywhere(let_in):
                    return rule
            elif rule.anywhere and rule.access == "deny":
                return None
            elif rule.anywhere:
                break
    return None


def _segments(chains: Iterable[Chain]) -> Iterator[Interval]:
    """Yield intervals of ports, ascending, within which no rule makes a difference."""
    starts = {1}
    for chain in chains:
        for policy in chain:
            for rule in policy:
                for first, last in rule.intervals:
                    starts.update((max(1, first), last + 1))
    ordered = sorted(start for start in starts if start <= MAX_PORT)
    for start, following in zip(ordered, [*ordered[1:], MAX_PORT + 1], strict=True):
        yield start, following - 1


def _append(found: list[Opening], opening: Opening) -> None:
    if found and found[-1].last + 1 == opening.first and found[-1].rules == opening.rules:
        opening = Opening(found.pop().first, opening.last, opening.rules)
    found.append(opening)
