from __future__ import annotations

import doctest
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    collapse_addresses,
    ip_network,
    summarize_address_range,
)
from itertools import pairwise

import pytest
from cloudmarker.firewall import addresses, is_anywhere, normalise_addresses
from hypothesis import example, given
from hypothesis import strategies as st

BOTH = ["0.0.0.0/0", "::/0"]

NO_PUBLIC_HOSTS = [
    IPv4Network(block)
    for block in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4", "240.0.0.0/4",
    )
]  # fmt: skip

ipv4 = st.ip_addresses(v=4)
ipv6 = st.ip_addresses(v=6)
networks4 = st.builds(
    lambda address, prefix: IPv4Network((address, prefix), strict=False), ipv4, st.integers(min_value=0, max_value=32)
)
networks6 = st.builds(
    lambda address, prefix: IPv6Network((address, prefix), strict=False), ipv6, st.integers(min_value=0, max_value=128)
)
spellings = st.one_of(
    st.none(),
    st.text(max_size=60),
    st.text(alphabet="0123456789abcdef.:/-*%, ", max_size=45),
    st.sampled_from(["*", "Any", "Internet", "VirtualNetwork", "0/0", "/0", "::", "0.0.0.0", "fe80::1%eth0"]),
    ipv4.map(str),
    ipv6.map(str),
    networks4.map(str),
    networks6.map(str),
    st.builds("{}-{}".format, ipv4, ipv4),
    st.builds("{}-{}".format, ipv6, ipv6),
)


def test_the_documented_examples_hold():
    assert doctest.testmod(addresses).failed == 0


@pytest.mark.parametrize(
    ("spelling", "canonical"),
    [
        ("10.1.2.3", ["10.1.2.3/32"]),
        (" 10.0.0.0/8 ", ["10.0.0.0/8"]),
        ("10.1.2.3/8", ["10.0.0.0/8"]),
        ("10.0.0.0/255.0.0.0", ["10.0.0.0/8"]),
        ("10/8", ["10.0.0.0/8"]),
        ("192.168/16", ["192.168.0.0/16"]),
        ("010.0.0.0/8", ["010.0.0.0/8"]),
        ("001.002.000.007/032", ["1.2.0.7/32"]),
        ("2001:DB8:0:0::1", ["2001:db8::1/128"]),
        ("2001:db8::1/32", ["2001:db8::/32"]),
        ("::ffff:10.1.2.3", ["10.1.2.3/32"]),
        ("::ffff:10.0.0.0/104", ["10.0.0.0/8"]),
        ("::ffff:0.0.0.0/96", ["0.0.0.0/0"]),
        ("::ffff:0.0.0.0", ["0.0.0.0/0"]),
        ("192.0.2.1-192.0.2.4", ["192.0.2.1/32", "192.0.2.2/31", "192.0.2.4/32"]),
        ("192.0.2.1 - 192.0.2.1", ["192.0.2.1/32"]),
        ("0.0.0.0-255.255.255.255", ["0.0.0.0/0"]),
        ("0.0.0.0-0.0.0.0", ["0.0.0.0/32"]),
        ("2001:db8::-2001:db8::ff", ["2001:db8::/120"]),
        ("10.0.0.0/8,Internet , 10.0.0.0/8", ["10.0.0.0/8", "Internet"]),
        ("*", BOTH),
        ("any", BOTH),
        ("Any", BOTH),
        ("ALL", BOTH),
        ("/0", BOTH),
        ("0.0.0.0/0", ["0.0.0.0/0"]),
        ("0.0.0.0/00", ["0.0.0.0/0"]),
        ("000.000.000.000/0", ["0.0.0.0/0"]),
        ("0.0.0.0/0.0.0.0", ["0.0.0.0/0"]),
        ("0.0.0.0", ["0.0.0.0/0"]),
        ("0.0.0.0/32", ["0.0.0.0/32"]),
        ("8.8.8.8/0", ["0.0.0.0/0"]),
        ("0/0", ["0.0.0.0/0"]),
        ("::/0", ["::/0"]),
        ("::", ["::/0"]),
        ("::/128", ["::/128"]),
        ("0:0:0:0:0:0:0:0/0", ["::/0"]),
        ("0:0:0:0:0:0:0:0", ["::/0"]),
    ],
)
def test_a_spelling_has_one_canonical_form(spelling, canonical):
    assert normalise_addresses([spelling]) == canonical


@pytest.mark.parametrize(
    "word",
    [
        "Internet", "AzureLoadBalancer", "Storage.WestEurope", "my-tag", "10.0.0.9-10.0.0.1", "10.0.0.1-::1",
        "10.0.0.256", "10.0.0.0/33", "10.0.0.0/8/8", "10.0", "fe80::1%eth0", "fe80::%eth0/64", "::%eth0/0",
        "012.0.0.1", "008.0.0.0/8", "\ud800", "x" * 5000,
    ],
)  # fmt: skip
def test_what_is_no_address_is_kept_as_it_was_written(word):
    assert normalise_addresses([word]) == [word]
    assert is_anywhere([word]) == (word == "Internet")


def test_order_is_kept_and_duplicates_go():
    assert normalise_addresses(["b", "10.0.0.1", "a", "10.0.0.1/32", "*", "b"]) == ["b", "10.0.0.1/32", "a", *BOTH]


@pytest.mark.parametrize("nothing", [None, [], [None], [""], [" , "], ""])
def test_nothing_gives_nothing_and_is_not_anywhere(nothing):
    assert normalise_addresses(nothing) == []
    assert not is_anywhere(nothing)


def test_a_bare_string_is_a_list_of_one():
    assert normalise_addresses("10.0.0.1") == ["10.0.0.1/32"]


@given(st.lists(spellings, max_size=8))
@example(["\ud800", "\uff11\uff10.0.0.1", "0" * 199 + "/0"])
def test_a_canonical_form_is_its_own_canonical_form(values):
    once = normalise_addresses(values)
    assert normalise_addresses(once) == once
    assert is_anywhere(once) == is_anywhere(values)


@given(st.one_of(networks4, networks6), st.integers(min_value=0))
def test_a_network_means_the_same_with_host_bits_set(network, offset):
    host = network[offset % network.num_addresses]
    (canonical,) = normalise_addresses([f"{host}/{network.prefixlen}"])
    mapped = network.version == 6 and network.prefixlen >= 96 and network.network_address.ipv4_mapped
    if mapped:
        assert ip_network(canonical) == IPv4Network((mapped, network.prefixlen - 96))
    else:
        assert ip_network(canonical) == network


@given(ipv4, ipv4, st.lists(ipv4, max_size=5))
def test_a_range_holds_the_addresses_from_its_first_to_its_last(one, other, probes):
    first, last = sorted((one, other))
    found = [IPv4Network(word) for word in normalise_addresses([f"{first}-{last}"])]
    assert sum(network.num_addresses for network in found) == int(last) - int(first) + 1
    for probe in (first, last, *probes):
        assert any(probe in network for network in found) == (first <= probe <= last)


@given(st.integers(min_value=0, max_value=2**32 - 1), st.integers(min_value=0, max_value=32))
def test_a_mapped_network_is_the_ipv4_network(number, prefix):
    network = IPv4Network((number, prefix), strict=False)
    mapped = IPv6Address((0xFFFF << 32) | int(network.network_address))
    assert normalise_addresses([f"{mapped}/{prefix + 96}"]) == [str(network)]


@pytest.mark.parametrize(
    "spelling",
    [
        "*", "any", "Any", "Internet", "INTERNET", "internet", "0.0.0.0/0", "0.0.0.0", "/0", "::/0", "::", "0/0",
        "0:0:0:0:0:0:0:0/0", "::ffff:0.0.0.0/96", "0.0.0.0-255.255.255.255", "1.0.0.0-223.255.255.255",
        "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2000::/3", "10.0.0.0/8,*", "1.2.3.4/0", "000.0.0.0/0",
    ],
)  # fmt: skip
def test_anywhere_is_seen_in_every_spelling(spelling):
    assert is_anywhere([spelling])
    assert is_anywhere(["VirtualNetwork", spelling])


@pytest.mark.parametrize(
    "values",
    [
        ["10.0.0.0/8"], ["0.0.0.0/1"], ["0.0.0.0/32"], ["::1"], ["VirtualNetwork"], ["AzureCloud"], ["2000::/4"],
        ["0.0.0.0/1", "8000::/1"], ["0.0.0.0-223.255.255.254"], ["224.0.0.0/3", "10.0.0.0/8"],
    ],
)  # fmt: skip
def test_less_than_all_public_addresses_is_not_anywhere(values):
    assert not is_anywhere(values)


def test_parts_that_make_up_everything_are_anywhere():
    assert is_anywhere(["128.0.0.0/1", "10.0.0.0/8", "0.0.0.0/1"])
    assert is_anywhere(["::/1", "8000::/1"])
    assert is_anywhere(["2000::/4", "3000::-3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"])


def test_everything_but_the_private_ranges_is_anywhere():
    everything = [IPv4Network("0.0.0.0/0")]
    for private in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"):
        everything = [
            part
            for network in everything
            for part in (
                network.address_exclude(IPv4Network(private)) if IPv4Network(private).subnet_of(network) else [network]
            )
        ]
    assert is_anywhere(map(str, everything))


@given(st.data())
def test_anywhere_is_all_public_space_and_nothing_less(data):
    cuts = data.draw(st.lists(ipv4, max_size=4, unique=True).map(sorted))
    ends = [IPv4Address(0), *cuts, IPv4Address(2**32 - 1)]
    parts = [network for first, last in pairwise(ends) for network in summarize_address_range(first, last)]
    parts = data.draw(st.permutations(parts))
    dropped = data.draw(st.integers(min_value=0, max_value=2))
    kept = parts[dropped:]
    whole = list(collapse_addresses([*kept, *NO_PUBLIC_HOSTS])) == [IPv4Network("0.0.0.0/0")]
    assert is_anywhere(map(str, kept)) == whole
