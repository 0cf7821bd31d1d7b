"""Addresses of firewall rules: CIDRs in one spelling, and what counts as anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
    summarize_address_range,
)
from operator import eq

from cloudmarker.firewall._spans import Spans, difference, intersection, merged
from cloudmarker.firewall._words import MAX_WORD, words

_IPV4 = "0.0.0.0/0"
_IPV6 = "::/0"

_ANYWHERE = dict.fromkeys(("*", "any", "all", "anywhere", "/0"), (_IPV4, _IPV6))
"""Words, in lower case, for every address of both families."""

_INTERNET_TAG = "internet"
"""The service tag for all public addresses, in lower case."""

_SPECIAL_IPV4 = (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
    "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
    "224.0.0.0/3",
)  # fmt: skip
"""IPv4 blocks with no public host in them, ascending (IANA special-purpose registry, multicast and reserved space)."""

_PUBLIC_IPV6 = "2000::/3"
"""All IPv6 space that is assigned for public hosts."""

Internet = tuple[Spans, Spans]
"""Public addresses as integers: those of IPv4, and those of IPv6."""


def normalise_addresses(values: Iterable[str | None] | None) -> list[str]:
    """Return addresses in canonical spelling: order kept, duplicates gone, nothing merged.

    Args:
        values: addresses, CIDRs, ranges ``first-last``, words for anywhere, service tags; None and empty ones are left
            out. A bare string counts as a list of one, None as an empty list.

    Returns:
        CIDRs without host bits (``10.0.0.0/8``, ``2001:db8::1/128``), and whatever is no address as it was written. A
        range becomes the CIDRs that make it up; IPv4-mapped IPv6 becomes IPv4; words for anywhere and ``/0`` become
        ``0.0.0.0/0`` and ``::/0``; the bare addresses ``0.0.0.0`` and ``::`` become all of their family.

    >>> normalise_addresses(["10.1.2.3", "10.1.2.3/8", "Internet", "::ffff:0.0.0.0/96", "192.0.2.0-192.0.2.4"])
    ['10.1.2.3/32', '10.0.0.0/8', 'Internet', '0.0.0.0/0', '192.0.2.0/30', '192.0.2.4/32']
    >>> normalise_addresses(["*"])
    ['0.0.0.0/0', '::/0']
    """
    seen: dict[str, None] = {}
    for word in words(values):
        if len(word) > MAX_WORD:  # neither an address nor worth a place in the cache
            seen[word] = None
        else:
            seen.update(dict.fromkeys(_canonical(word)))
    return list(seen)


def is_anywhere(addresses: Iterable[str | None] | None) -> bool:
    """Tell whether *addresses* together hold every public address of IPv4, or every one of IPv6.

    Any spelling that :func:`normalise_addresses` takes will do. The service tag ``Internet`` counts as anywhere. An
    empty list does not: what it means is for the caller to say.

    >>> is_anywhere(["0.0.0.0/1", "128.0.0.0/1"]), is_anywhere(["2000::/3"]), is_anywhere(["0.0.0.0/1", "::1"])
    (True, True, False)
    """
    return any(map(eq, internet_part(normalise_addresses(addresses)), the_internet()))


def internet_part(addresses: Iterable[str]) -> Internet:
    """Return which public addresses *addresses* hold: nothing for private addresses and for tags but ``Internet``.

    Args:
        addresses: as :func:`normalise_addresses` returns them.
    """
    return _internet_part(tuple(addresses))


@cache
def the_internet() -> Internet:
    """Return all public addresses."""
    special = merged(_numbers(IPv4Network(block)) for block in _SPECIAL_IPV4)
    return difference((_numbers(IPv4Network(_IPV4)),), special), (_numbers(IPv6Network(_PUBLIC_IPV6)),)


@lru_cache(maxsize=4096)
def _internet_part(addresses: tuple[str, ...]) -> Internet:
    found: dict[int, set[tuple[int, int]]] = {4: set(), 6: set()}
    for word in addresses:
        if word.lower() == _INTERNET_TAG:
            return the_internet()
        if network := _network(word):
            found[network.version].add(_numbers(network))
    four, six = the_internet()
    return intersection(four, merged(found[4])), intersection(six, merged(found[6]))


@lru_cache(maxsize=8192)
def _canonical(word: str) -> tuple[str, ...]:
    """Return the canonical spellings that *word* stands for; itself if it is no address."""
    anywhere = _ANYWHERE.get(word.lower())
    if anywhere:
        return anywhere
    try:
        return tuple(str(network) for network in _networks(word))
    except (ValueError, TypeError):  # TypeError: the ends of a range are of two families
        return (word,)


def _networks(word: str) -> Iterator[IPv4Network | IPv6Network]:
    """Yield the networks that *word* stands for, or raise ValueError or TypeError."""
    head, slash, prefix = word.partition("/")
    first, dash, last = word.partition("-")
    if slash:
        yield _unmapped(ip_network(f"{_plain(head, fill=True)}/{prefix}", strict=False))
    elif dash:
        for network in summarize_address_range(_address(first.strip()), _address(last.strip())):
            yield _unmapped(network)
    else:
        address = _address(word)
        network = _unmapped(ip_network(address))
        # Nothing can send from 0.0.0.0 or ::, so a rule that names one without a prefix means all of the family.
        yield network if int(network.network_address) else network.supernet(new_prefix=0)


def _address(text: str) -> IPv4Address | IPv6Address:
    return ip_address(_plain(text))


def _plain(address: str, *, fill: bool = False) -> str:
    """Return an IPv4 address without leading zeros, and with *fill* also with its missing octets (``10`` in ``10/8``).

    Raises:
        ValueError: an octet reads differently as decimal and as octal (``010``), or a zone is named (``fe80::1%eth0``).
    """
    if "%" in address:
        raise ValueError("an address with a zone means something on one host only")
    if ":" in address:
        return address
    octets = address.split(".")
    for index, octet in enumerate(octets):
        if octet[:1] == "0":
            octets[index] = octet.lstrip("0") or "0"
            if octets[index] not in set("01234567"):
                raise ValueError("octal or decimal")
    return ".".join(octets + ["0"] * (4 - len(octets)) if fill else octets)


def _unmapped(network: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    """Return the IPv4 network if *network* lies in ``::ffff:0.0.0.0/96``."""
    if isinstance(network, IPv6Network) and network.prefixlen >= 96:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return IPv4Network((mapped, network.prefixlen - 96))
    return network


def _network(word: str) -> IPv4Network | IPv6Network | None:
    """Return the network that a canonical CIDR is, or None if it is none."""
    if "/" not in word or "%" in word or len(word) > MAX_WORD:
        return None
    try:
        return ip_network(word)
    except ValueError:
        return None


def _numbers(network: IPv4Network | IPv6Network) -> tuple[int, int]:
    return int(network.network_address), int(network.broadcast_address)
