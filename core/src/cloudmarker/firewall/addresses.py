"""Addresses of firewall rules: CIDRs in one spelling, and what counts as anywhere."""

from __future__ import annotations

from bisect import bisect_right
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

Span = tuple[int, int, int]
"""IP version, first and last address as integers."""


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
    spans: dict[int, list[tuple[int, int]]] = {4: [], 6: []}
    for word in normalise_addresses(addresses):
        if word in (_IPV4, _IPV6) or word.lower() == _INTERNET_TAG:
            return True
        if len(word) <= MAX_WORD and (span := _span(word)):
            spans[span[0]].append(span[1:])
    return any(found and _covers(found, _public(version)) for version, found in spans.items())


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


@lru_cache(maxsize=8192)
def _span(word: str) -> Span | None:
    """Return what a canonical CIDR holds, or None if it is none."""
    if "/" not in word or "%" in word:
        return None
    try:
        network = ip_network(word)
    except ValueError:
        return None
    return network.version, int(network.network_address), int(network.broadcast_address)


@cache
def _public(version: int) -> tuple[tuple[int, int], ...]:
    """Return the ranges, ascending, that hold the public addresses of a family."""
    if version == 6:
        network = IPv6Network(_PUBLIC_IPV6)
        return ((int(network[0]), int(network[-1])),)
    public, start = [], 0
    for block in map(IPv4Network, _SPECIAL_IPV4):
        first, last = int(block[0]), int(block[-1])
        if start < first:
            public.append((start, first - 1))
        start = last + 1
    return tuple(public)


def _covers(spans: list[tuple[int, int]], required: tuple[tuple[int, int], ...]) -> bool:
    """Tell whether *spans* (not empty) together hold every range of *required*."""
    spans.sort()
    merged = [spans[0]]
    for first, last in spans[1:]:
        start, end = merged[-1]
        if first <= end + 1:
            merged[-1] = (start, max(end, last))
        else:
            merged.append((first, last))
    starts = [start for start, _ in merged]
    for first, last in required:
        index = bisect_right(starts, first) - 1
        if index < 0 or merged[index][1] < last:
            return False
    return True
