"""Which machines a firewall rule is for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, NamedTuple

from cloudmarker.firewall import is_anywhere, normalise_addresses

Texts = tuple[str, ...]

_INSIDE = "virtualnetwork"
"""The service tag for all private addresses, in lower case."""


class Seen(NamedTuple):
    """What rules may select a machine by. None is what nothing is known of.

    Attributes:
        tags: the network tags of the machine.
        identities: what it runs as.
        groups: references, in lower case, of the groups that it, or its interface, belongs to.
        network: reference, in lower case, of the network that it is reached in; empty if not known.
        private: its addresses inside networks.
        public: the addresses that the Internet knows it by.
    """

    tags: Texts | None
    identities: Texts | None
    groups: Texts | None
    network: str
    private: Texts
    public: Texts


class Aim(NamedTuple):
    """What a rule that is not for everything behind its firewall is for. Empty is everything."""

    tags: Texts
    identities: Texts
    groups: Texts
    networks: Texts
    places: Texts

    @classmethod
    def of(cls, com: Mapping[str, Any]) -> Aim | None:
        """Return what the rule with this *com* is for; None if for everything."""
        places = tuple(normalise_addresses(com.get("destination_addresses")))
        groups, networks = _texts(com.get("destination_groups")), _texts(com.get("target_networks"))
        found = _shared(
            cls(
                _texts(com.get("target_tags")),
                _texts(com.get("target_identities")),
                tuple(group.casefold() for group in groups),
                tuple(network.casefold() for network in networks),
                () if is_anywhere([place for place in places if "/" in place]) else places,
            )
        )
        return found if any(found) else None

    def takes_in(self, seen: Seen, *, whole: bool) -> bool | None:
        """Return whether the rule is for a machine; None if that cannot be told.

        Args:
            seen: of the machine.
            whole: whether it must be for all addresses of the machine, and not only for some.
        """
        answers = (
            _any_of((self.tags, seen.tags), (self.identities, seen.identities), (self.groups, seen.groups)),
            _any_of((self.networks, (seen.network,) if seen.network else None)),
            _holds(self.places, seen.private, seen.public, whole=whole),
        )
        return False if False in answers else None if None in answers else True


@lru_cache(maxsize=65536)
def _holds(places: Texts, private: Texts, public: Texts, *, whole: bool) -> bool | None:
    """Return whether a machine with the addresses *private* and *public* is in *places*; None if that is not known."""
    if not places:
        return True
    if not private:
        return None
    networks, tags = _networks(places)
    if _INSIDE in tags:
        return True
    inside = [_is_in(address, networks) for address in private]
    if all(inside):
        return True
    if any(inside):
        return None if whole else True
    return None if tags or any(_is_in(address, networks) for address in public) else False


def _any_of(*pairs: tuple[Texts, Texts | None]) -> bool | None:
    """Return whether something that is wanted is there; of each pair the first is wanted, the second is there."""
    wanted = [(want, have) for want, have in pairs if want]
    if not wanted or any(have and not set(want).isdisjoint(have) for want, have in wanted):
        return True
    return None if any(have is None for _, have in wanted) else False


@lru_cache(maxsize=4096)
def _networks(places: Texts) -> tuple[tuple[IPv4Network | IPv6Network, ...], Texts]:
    """Return the networks among *places*, and the tags, in lower case."""
    networks, tags = [], []
    for place in places:
        try:
            networks.append(ip_network(place))
        except ValueError:
            tags.append(place.lower())
    return tuple(networks), tuple(tags)


def _is_in(address: str, networks: Iterable[IPv4Network | IPv6Network]) -> bool:
    try:
        found = ip_address(address.partition("/")[0])
    except ValueError:
        return False
    return any(found in network for network in networks)


def _texts(value: object) -> Texts:
    return tuple(item for item in value if isinstance(item, str) and item) if isinstance(value, list) else ()


@lru_cache(maxsize=65536)
def _shared(aim: Aim) -> Aim:
    return aim
