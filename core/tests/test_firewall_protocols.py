from __future__ import annotations

import doctest

import pytest
from cloudmarker.firewall import normalise_protocol, protocols
from hypothesis import example, given
from hypothesis import strategies as st


def test_the_documented_examples_hold():
    assert doctest.testmod(protocols).failed == 0


@pytest.mark.parametrize(
    ("spelling", "canonical"),
    [
        ("tcp", "tcp"),
        ("TCP", "tcp"),
        ("Tcp", "tcp"),
        (" tcp ", "tcp"),
        ("6", "tcp"),
        (6, "tcp"),
        ("006", "tcp"),
        (17, "udp"),
        ("Icmp", "icmp"),
        (1, "icmp"),
        ("icmpv6", "icmpv6"),
        ("ICMPv6", "icmpv6"),
        ("ipv6-icmp", "icmpv6"),
        (58, "icmpv6"),
        ("50", "esp"),
        ("51", "ah"),
        (132, "sctp"),
        ("ipip", "ipip"),
        ("*", "all"),
        ("Any", "all"),
        ("ALL", "all"),
        ("", "all"),
        (None, "all"),
        (-1, "all"),
        ("-1", "all"),
        (0, "0"),
        ("000", "0"),
        (47, "47"),
        ("GRE", "47"),
        (253, "253"),
        ("Quux", "quux"),
    ],
)
def test_a_spelling_has_one_canonical_form(spelling, canonical):
    assert normalise_protocol(spelling) == canonical


@given(st.one_of(st.none(), st.integers(), st.text(), st.text(alphabet="0123456789- ", max_size=6)))
@example("\ud800")
@example("İ")
@example("0\u0662")
def test_a_canonical_form_is_its_own_canonical_form(value):
    once = normalise_protocol(value)
    assert normalise_protocol(once) == once
