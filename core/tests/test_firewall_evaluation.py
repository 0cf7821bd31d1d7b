from __future__ import annotations

import doctest
from ipaddress import ip_network
from itertools import pairwise

import pytest
from cloudmarker.firewall import MAX_PORT, _spans, is_anywhere, normalise_addresses, port_intervals
from cloudmarker.firewall._spans import difference, intersection, merged
from cloudmarker.firewall.evaluation import Opening, Rule, open_ports
from hypothesis import given
from hypothesis import strategies as st

ALL4, ALL6 = ["0.0.0.0/0"], ["::/0"]
EVERYWHERE = [*ALL4, *ALL6]
LOW, HIGH = ["0.0.0.0/1"], ["128.0.0.0/1"]


def rule(reference="r", access="allow", priority=100, **com):
    """The com bucket of an inbound rule for TCP port 22 from everywhere, but for *com*."""
    return {
        "reference": reference,
        "enabled": True,
        "direction": "in",
        "access": access,
        "priority": priority,
        "protocol": "tcp",
        "source_addresses": EVERYWHERE,
        "source_ports": ["*"],
        "destination_ports": ["22"],
        **com,
    }


def policy(*coms):
    return [found for com in coms if (found := Rule.of(com)) is not None]


def opened(*chains, protocol="tcp", version=4):
    """Openings by chains of policies of com buckets."""
    return open_ports([[policy(*coms) for coms in chain] for chain in chains], protocol, version)


SSH = [Opening(22, 22, ("r",))]


def test_the_documented_examples_hold():
    assert doctest.testmod(_spans).failed == 0


def test_without_anything_that_guards_them_all_ports_are_open():
    assert opened() == [Opening(1, MAX_PORT, ())]


def test_what_no_rule_allows_is_refused():
    assert opened([[]]) == [] == opened([])


def test_a_rule_opens_its_ports():
    assert opened([[rule()]]) == SSH
    assert opened([[rule(destination_ports=["22", "20-21", "443"])]]) == [
        Opening(20, 22, ("r",)),
        Opening(443, 443, ("r",)),
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"enabled": False}, {"direction": "out"}, {"direction": "Egress"}, {"access": "deny"}, {"access": "next"},
        {"protocol": "icmp"}, {"protocol": "quux"}, {"source_addresses": ["10.0.0.0/8", "VirtualNetwork"]},
        {"source_addresses": ["203.0.113.0/24", "8.8.8.8/32"]}, {"source_addresses": LOW},
        {"destination_ports": ["ssh"]}, {"destination_ports": ["0"]}, {"source_addresses": [], "source_tags": ["x"]},
    ],
)  # fmt: skip
def test_rules_that_do_not_let_in_the_internet_open_nothing(change):
    assert opened([[rule(**change)]]) == []


@pytest.mark.parametrize("field", ["enabled", "direction", "access", "priority", "source_ports"])
def test_a_missing_field_opens_the_rule(field):
    com = rule()
    del com[field]
    assert opened([[com]]) == SSH


def test_a_missing_protocol_port_or_source_means_all():
    assert opened([[rule(protocol=None)]], protocol="udp") == SSH
    assert opened([[rule(destination_ports=None)]]) == [Opening(1, MAX_PORT, ("r",))]
    assert opened([[rule(source_addresses=None)]]) == SSH


@pytest.mark.parametrize(
    ("priority", "expected"), [(99, []), (100, []), (101, SSH), (-1, []), (None, SSH), ("99", SSH), ([], SSH)]
)
def test_a_deny_counts_before_what_comes_later_and_before_its_equals(priority, expected):
    assert opened([[rule(), rule("d", "deny", priority)]]) == expected
    assert opened([[rule("d", "deny", priority), rule()]]) == expected


@pytest.mark.parametrize(
    "change",
    [
        {"protocol": None}, {"protocol": "udp"}, {"protocol": "quux"}, {"destination_ports": None},
        {"destination_ports": []}, {"destination_ports": ["ssh"]}, {"destination_ports": ["23"]},
        {"source_addresses": None}, {"source_addresses": [], "source_groups": ["g"]},
        {"source_addresses": ["AzureCloud"]}, {"source_addresses": ["10.0.0.0/8"]},
        {"source_addresses": ["0.0.0.0/32"]}, {"source_addresses": ALL6}, {"source_addresses": LOW},
        {"source_ports": ["53"]}, {"enabled": False}, {"direction": "out"},
    ],
)  # fmt: skip
def test_a_deny_that_does_not_surely_close_the_port_closes_nothing(change):
    assert opened([[rule(), rule("d", "deny", 1, **change)]]) == SSH


@pytest.mark.parametrize(
    "change",
    [
        {"protocol": "all"}, {"protocol": 6}, {"destination_ports": ["*"]}, {"destination_ports": ["1-30000"]},
        {"source_addresses": ["Internet"]}, {"source_addresses": LOW + HIGH}, {"source_addresses": []},
        {"source_ports": []}, {"source_ports": ["0-65535"]}, {"source_addresses": ["*"]},
    ],
)  # fmt: skip
def test_a_deny_for_the_whole_internet_closes_the_port(change):
    assert opened([[rule(), rule("d", "deny", 1, **change)]]) == []


def test_denies_may_close_a_port_together():
    low, high = rule("d", "deny", 1, source_addresses=LOW), rule("e", "deny", 2, source_addresses=HIGH)
    assert opened([[low, high, rule()]]) == []
    assert opened([[low, rule(priority=2), {**high, "priority": 3}]]) == SSH


def test_a_deny_cuts_a_hole_into_a_range():
    assert opened([[rule(destination_ports=["*"]), rule("d", "deny", 1, destination_ports=["22", "3389"])]]) == [
        Opening(1, 21, ("r",)),
        Opening(23, 3388, ("r",)),
        Opening(3390, MAX_PORT, ("r",)),
    ]


def test_rules_may_open_a_port_together_and_are_all_named():
    low, high = rule("low", priority=1, source_addresses=LOW), rule("high", priority=2, source_addresses=HIGH)
    assert opened([[high, low]]) == [Opening(22, 22, ("low", "high"))]
    assert opened([[low, rule("d", "deny", 2), {**high, "priority": 3}]]) == []


def test_a_rule_that_a_deny_leaves_nothing_opens_nothing():
    one = rule("one", priority=1, source_addresses=["8.8.8.8/32"])
    assert opened([[one, rule("d", "deny", 2), rule("all", priority=3)]]) == []


def test_a_rule_that_allows_takes_nothing_away_from_others():
    deny, part = rule("d", "deny", 1, source_addresses=HIGH), rule("part", priority=2, source_addresses=LOW)
    assert opened([[deny, rule(priority=3)]]) == SSH
    assert opened([[deny, part, rule(priority=3)]]) == SSH


def test_a_rule_for_the_whole_internet_is_named_alone():
    one = rule("one", priority=1, source_addresses=["8.8.8.8/32"])
    assert opened([[one, rule(priority=3)]]) == SSH


def test_the_two_versions_of_ip_are_apart():
    com = rule(source_addresses=ALL6)
    assert opened([[com]], version=4) == []
    assert opened([[com]], version=6) == SSH
    guarded = [rule(), rule("d", "deny", 1, source_addresses=ALL4)]
    assert opened([guarded], version=4) == []
    assert opened([guarded], version=6) == SSH


def test_a_connection_has_to_pass_every_chain():
    subnet, interface = rule("s", destination_ports=["20-30"]), rule("i", destination_ports=["25-40"])
    assert opened([[subnet]], [[interface]]) == [Opening(25, 30, ("s", "i"))]
    assert opened([[subnet]], [[]]) == []


def test_policies_are_asked_in_a_row():
    later = [rule("later", destination_ports=["*"])]
    deny = rule("d", "deny", destination_ports=["22"])
    skip = rule("n", "next", 1, destination_ports=["22"])
    assert opened([[rule("first")], [deny]]) == [Opening(22, 22, ("first",))]
    assert opened([[deny], [rule()]]) == []
    assert opened([[], [rule()]]) == SSH
    assert opened([[deny, skip], [rule()]]) == SSH
    assert opened([[rule("first", priority=2), skip], [deny]]) == []
    assert opened([[skip, {**deny, "destination_ports": ["*"]}], later]) == [Opening(22, 22, ("later",))]


def test_a_part_may_be_left_to_the_next_policy():
    parts = [rule("n", "next", 1, source_addresses=LOW), rule("m", "next", 2, source_addresses=HIGH)]
    deny = rule("d", "deny", 3)
    assert opened([[*parts, deny], [rule()]]) == SSH
    assert opened([[parts[0], deny], [rule()]]) == SSH  # as a deny for a part does not close a port
    assert opened([[parts[0], deny], [rule(source_addresses=HIGH), rule("x", source_addresses=LOW)]]) == []


# Against an evaluation that knows no spans: address by address, port by port.

numbers = st.integers(min_value=1, max_value=9)
port_lists = st.lists(
    st.one_of(numbers.map(str), st.tuples(numbers, numbers).map(lambda pair: f"{min(pair)}-{max(pair)}"), st.just("*")),
    min_size=1,
    max_size=3,
)
networks = st.sampled_from(
    ["0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "0.0.0.0/2", "64.0.0.0/2", "128.0.0.0/2", "192.0.0.0/2", "8.8.8.8/32",
     "10.0.0.0/8", "::/0", "2000::/3", "2000::/4", "3000::/4", "fc00::/7", "Internet", "SomeTag"]
)  # fmt: skip
rules = st.builds(
    rule,
    reference=st.uuids().map(str),
    access=st.sampled_from(["allow", "allow", "deny", "next"]),
    priority=st.integers(min_value=0, max_value=4),
    protocol=st.sampled_from(["tcp", "tcp", "udp", "all"]),
    source_addresses=st.lists(networks, min_size=1, max_size=4),
    destination_ports=port_lists,
    source_ports=st.sampled_from([["*"], ["*"], ["*"], ["53"]]),
)
chain_lists = st.lists(st.lists(st.lists(rules, max_size=5), min_size=1, max_size=3), max_size=2)

SAMPLES = {
    4: ["1.2.3.4", "8.8.8.8", "8.8.8.9", "77.0.0.1", "129.0.0.1", "200.0.0.1"],
    6: ["2001:db8::1", "3000::1"],
}
"""One address of every public part that the networks above divide the Internet into."""


def holds(com, address):
    if "Internet" in com["source_addresses"]:
        return True
    nets = [ip_network(net) for net in com["source_addresses"] if "/" in net]
    return any(ip_network(address)[0] in net for net in nets)


def counts(com, port, protocol):
    in_ports = any(first <= port <= last for first, last in port_intervals(com["destination_ports"]))
    definite = com["access"] == "allow" or com["source_ports"] == ["*"]
    return in_ports and definite and com["protocol"] in (protocol, "all")


def allowing(chain, address, port, protocol):
    """The rules that let the address in, or would if others did not before."""
    found = []
    for coms in chain:
        order = sorted(coms, key=lambda com: (com["priority"], ["deny", "next", "allow"].index(com["access"])))
        for com in order:
            if not (counts(com, port, protocol) and holds(com, address)):
                continue
            if com["access"] == "allow":
                found.append(com)
            elif com["access"] == "deny":
                return found
            else:
                break
    return found


def is_open(chain, port, protocol, version):
    helping = [com for address in SAMPLES[version] for com in allowing(chain, address, port, protocol)]
    return all(any(holds(com, address) for com in helping) for address in SAMPLES[version])


@given(chain_lists, st.sampled_from(["tcp", "udp"]), st.sampled_from([4, 6]))
def test_it_agrees_with_going_through_the_rules_address_by_address(chains, protocol, version):
    found = opened(*chains, protocol=protocol, version=version)
    for port in (*range(1, 12), MAX_PORT):
        expected = all(is_open(chain, port, protocol, version) for chain in chains)
        naming = [opening for opening in found if opening.first <= port <= opening.last]
        assert len(naming) == expected
        for opening in naming:  # every chain has its opener among those named, and no rule is named that does not allow
            for chain in chains:
                named = [com for coms in chain for com in coms if com["reference"] in opening.rules]
                assert is_anywhere([word for com in named for word in com["source_addresses"]])
                assert all(com["access"] == "allow" and counts(com, port, protocol) for com in named)


@given(chain_lists, st.sampled_from(["tcp", "udp"]))
def test_openings_are_ascending_and_merged(chains, protocol):
    found = opened(*chains, protocol=protocol)
    for one, following in pairwise(found):
        assert one.last < following.first
        assert one.last + 1 < following.first or one.rules != following.rules


@given(chain_lists, st.data())
def test_the_order_in_which_rules_come_is_all_the_same(chains, data):
    shuffled = [[data.draw(st.permutations(coms)) for coms in chain] for chain in chains]
    one, other = opened(*chains), opened(*shuffled)
    assert merged(opening[:2] for opening in one) == merged(opening[:2] for opening in other)


@given(chain_lists, rules)
def test_one_more_rule_that_allows_closes_nothing_and_one_that_denies_opens_nothing(chains, com):
    if not chains:
        return
    more = [[[*chains[0][0], com], *chains[0][1:]], *chains[1:]]
    before = merged(opening[:2] for opening in opened(*chains))
    after = merged(opening[:2] for opening in opened(*more))
    if com["access"] == "allow":
        assert difference(before, after) == ()
    elif com["access"] == "deny" and is_anywhere(com["source_addresses"]):
        assert difference(after, before) == ()


@given(
    st.dictionaries(
        st.sampled_from(sorted(rule())),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
            max_leaves=5,
        ),
    )
)
def test_no_value_in_a_rule_makes_it_fail(changes):
    opened([[{**rule(), **changes}]])


spans = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)).map(lambda pair: (min(pair), max(pair)))).map(merged)


def members(found):
    return {number for first, last in found for number in range(first, last + 1)}


@given(spans, spans)
def test_sets_of_spans_are_sets(one, other):
    assert members(intersection(one, other)) == members(one) & members(other)
    assert members(difference(one, other)) == members(one) - members(other)
    assert members(merged((*one, *other))) == members(one) | members(other)
    for found in (intersection(one, other), difference(one, other)):
        assert found == merged(found)


def test_addresses_of_the_samples_are_public():
    for addresses in SAMPLES.values():
        assert all(any(part) for part in [Rule.of(rule(source_addresses=normalise_addresses(addresses))).sources])
