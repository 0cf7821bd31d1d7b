"""Firewall rules that expose sensitive ports to the Internet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cloudmarker.contracts import Record
from cloudmarker.findings import finding
from cloudmarker.firewall import (
    MAX_PORT,
    checked_ports,
    compress_ports,
    is_anywhere,
    normalise_protocol,
    port_intervals,
    ports_within,
)
from cloudmarker.firewall.rules import access_of, is_in_force, sources_of
from cloudmarker.text import friendly_list, friendly_string, pluralize

_CHECK_ID = "firewall_rule_exposes_ports"
_MAX_LISTED = 10
"""How many ports and ranges a sentence names."""


class FirewallRuleEvent:
    """Find firewall rules that let the whole Internet reach sensitive TCP ports.

    It reads the ``com`` bucket of ``firewall_rule`` records of any cloud, in any spelling that
    :mod:`cloudmarker.firewall` takes. There is one event a rule; ``com.exposed_ports`` holds those of *ports* that the
    rule exposes. A field that is missing is taken for what opens the rule most: enabled, inbound, allow, every
    protocol, every port, and any source if the rule names no sources of another kind. ``docs/firewall.md`` has the
    whole account.

    Severity is ``critical`` if the rule exposes every TCP port, otherwise ``high``.

    Args:
        ports: the ports to look for: numbers (22 or ``"22"``) and ranges (``"8000-8080"``). None means 22, 3389, 1433,
            1521, 3306 and 5432.

    Raises:
        ValueError: *ports* is no list, lists no port, or holds something that is no port and no range.
    """

    record_types = ("firewall_rule",)
    buckets = ("com",)

    def __init__(self, ports: Sequence[int | str] | None = None) -> None:
        self._ports = checked_ports(ports)

    def eval(self, record: Record) -> Iterator[Record]:
        """Yield an event record if *record* is a firewall rule that exposes any of the ports."""
        com = record.get("com") or {}
        if com.get("record_type") != "firewall_rule" or not _admits_the_internet(com):
            return
        intervals = port_intervals(com.get("destination_ports"))
        exposed = ports_within(intervals, self._ports)
        if not exposed:
            return
        every = any(first <= 1 and last == MAX_PORT for first, last in intervals)
        yield finding(
            record,
            check_id=_CHECK_ID,
            record_type="firewall_rule_event",
            severity="critical" if every else "high",
            description=_description(com, exposed, every=every),
            recommendation=(
                f"Remove the rule, or limit its sources to the addresses that need TCP {_port_list(exposed)}; "
                "a VPN, a bastion host or a proxy with authentication can stand in for them."
            ),
            discriminator=str(com.get("entry") or ""),
            exposed_ports=exposed,
        )

    def done(self) -> None:
        """Do nothing: there is nothing to release."""


def _admits_the_internet(com: Mapping[str, Any]) -> bool:
    """Tell whether the rule is in force and lets TCP in from anywhere, whatever the port."""
    if not is_in_force(com) or access_of(com) != "allow":
        return False
    return normalise_protocol(com.get("protocol")) in ("tcp", "all") and is_anywhere(sources_of(com))


def _description(com: Mapping[str, Any], exposed: Sequence[int], *, every: bool) -> str:
    cloud = friendly_string(str(com.get("cloud_type") or "unknown cloud"))
    name = com.get("name") or com.get("reference") or "without a name"
    ports = f"every TCP port, {_port_list(exposed)} included," if every else f"TCP {_port_list(exposed)}"
    return f"{cloud} firewall rule {name} exposes {ports} to the entire Internet."


def _port_list(ports: Sequence[int]) -> str:
    """Return e.g. ``port 22``, ``ports 22 and 8000-8080``; a long list ends with how many words more there are."""
    words = compress_ports(ports)
    if len(words) > _MAX_LISTED:
        words[_MAX_LISTED:] = [f"{len(words) - _MAX_LISTED} more"]
    return f"{pluralize(len(ports), 'port')} {friendly_list(words)}"
