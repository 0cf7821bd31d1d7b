"""What a ``firewall_rule`` record says, in whatever words, and however little.

A field that is missing is taken for what opens the rule most, and so is a word that is not known: a false alarm is seen
and put right, a silent hole is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from cloudmarker.firewall.addresses import normalise_addresses

Access = Literal["allow", "deny", "next"]

_OFF = frozenset({"false", "no", "off", "0", "disabled"})
_OUT = frozenset({"out", "outbound", "egress"})
_ACCESS: Mapping[str, Access] = {
    **dict.fromkeys(("deny", "denied", "block", "drop", "reject"), "deny"),
    **dict.fromkeys(("next", "goto_next"), "next"),
}

_OTHER_SOURCES = ("source_tags", "source_identities", "source_groups")


def is_in_force(com: Mapping[str, Any]) -> bool:
    """Return whether the rule has an effect on inbound connections."""
    return _word(com, "enabled") not in _OFF and _word(com, "direction") not in _OUT


def access_of(com: Mapping[str, Any]) -> Access:
    """Return what the rule does with a connection; ``next`` leaves it to the next policy."""
    return _ACCESS.get(_word(com, "access"), "allow")


def sources_of(com: Mapping[str, Any]) -> list[str]:
    """Return the addresses that the rule is about: all if it names no source; none if only sources of another kind."""
    addresses = normalise_addresses(com.get("source_addresses"))
    if addresses or any(com.get(field) for field in _OTHER_SOURCES):
        return addresses
    return ["0.0.0.0/0", "::/0"]


def _word(com: Mapping[str, Any], field: str) -> str:
    return str(com.get(field)).strip().lower()
