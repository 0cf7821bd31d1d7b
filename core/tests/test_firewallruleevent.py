from __future__ import annotations

import pytest
from cloudmarker.contracts import Event
from cloudmarker.events.firewallruleevent import FirewallRuleEvent
from cloudmarker.fields import validate
from cloudmarker.findings import fingerprint
from cloudmarker.firewall import DEFAULT_PORTS
from hypothesis import given
from hypothesis import strategies as st

RULE = {
    "cloud_type": "azure",
    "record_type": "firewall_rule",
    "reference": "/subscriptions/s/rules/r",
    "account": "s",
    "name": "r",
    "location": "westeurope",
    "tags": {},
    "parent": None,
    "created": None,
    "firewall": "/subscriptions/s/firewalls/f",
    "network": None,
    "entry": None,
    "enabled": True,
    "direction": "in",
    "access": "allow",
    "priority": 100,
    "protocol": "tcp",
    "source_addresses": ["0.0.0.0/0", "::/0"],
    "source_ports": ["*"],
    "source_tags": [],
    "source_identities": [],
    "source_groups": [],
    "destination_addresses": ["0.0.0.0/0", "::/0"],
    "destination_ports": ["22"],
    "destination_groups": [],
    "target_tags": [],
    "target_identities": [],
    "target_networks": [],
    "target_type": "machine",
}
MISSING = object()


def events(ports=None, **changes):
    """The com buckets of the events for RULE with *changes*; MISSING takes a field away."""
    com = {name: value for name, value in {**RULE, **changes}.items() if value is not MISSING}
    return [event["com"] for event in FirewallRuleEvent(ports).eval({"com": com})]


def exposed(ports=None, **changes):
    """The ports that the one event names, or None if there is no event."""
    found = events(ports, **changes)
    assert len(found) <= 1
    return found[0]["exposed_ports"] if found else None


def test_it_is_an_event_plugin_that_wants_the_com_of_firewall_rules_only():
    assert isinstance(FirewallRuleEvent(), Event)
    assert FirewallRuleEvent.record_types == ("firewall_rule",)
    assert FirewallRuleEvent.buckets == ("com",)


def test_the_model_rule_is_a_valid_record():
    assert validate(RULE) == []


def test_an_event_names_rule_ports_and_remedy():
    (com,) = events(destination_ports=["3389", "20-30", "80"])
    assert validate(com, event=True) == []
    assert com == {
        "cloud_type": "azure",
        "record_type": "firewall_rule_event",
        "reference": RULE["reference"],
        "account": "s",
        "check_id": "firewall_rule_exposes_ports",
        "severity": "high",
        "fingerprint": fingerprint("firewall_rule_exposes_ports", RULE["reference"]),
        "description": "Azure firewall rule r exposes TCP ports 22 and 3389 to the entire Internet.",
        "recommendation": (
            "Remove the rule, or limit its sources to the addresses that need TCP ports 22 and 3389; "
            "a VPN, a bastion host or a proxy with authentication can stand in for them."
        ),
        "exposed_ports": [22, 3389],
    }


def test_every_entry_of_a_rule_has_a_fingerprint_of_its_own():
    fingerprints = {events(entry=entry)[0]["fingerprint"] for entry in (None, "allowed/tcp/22", "allowed/all")}
    assert len(fingerprints) == 3


def test_without_a_name_the_reference_tells_which_rule():
    assert "rule /subscriptions/s/rules/r exposes" in events(name=MISSING)[0]["description"]


@pytest.mark.parametrize("other", ["firewall", "compute", "", None, MISSING])
def test_records_of_other_types_are_silent(other):
    assert events(record_type=other) == []


@pytest.mark.parametrize("record", [{}, {"com": {}}, {"com": None}, {"raw": {}, "ext": {}}])
def test_a_record_without_a_common_model_is_silent(record):
    assert list(FirewallRuleEvent().eval(record)) == []


@pytest.mark.parametrize(
    "sources",
    [
        ["0.0.0.0/0"], ["::/0"], ["*"], ["any"], ["Any"], ["Internet"], ["/0"], ["0.0.0.0"], ["::"], ["0/0"],
        ["0:0:0:0:0:0:0:0/0"], ["::ffff:0.0.0.0/96"], ["0.0.0.0/1", "128.0.0.0/1"], ["10.0.0.0/8", "*"],
        ["0.0.0.0-255.255.255.255"], "0.0.0.0/0", "10.0.0.0/8,0.0.0.0/0",
    ],
)  # fmt: skip
def test_the_internet_is_a_source_in_every_spelling(sources):
    assert exposed(source_addresses=sources) == [22]


@pytest.mark.parametrize("sources", [["10.0.0.0/8"], ["VirtualNetwork"], ["0.0.0.0/1"], ["2001:db8::/32"], ["quux"]])
def test_other_sources_are_silent(sources):
    assert exposed(source_addresses=sources) is None


@pytest.mark.parametrize("nothing", [[], None, MISSING, "", [None], ["", " "]])
def test_a_rule_that_names_no_source_at_all_is_for_every_source(nothing):
    assert exposed(source_addresses=nothing) == [22]


@pytest.mark.parametrize("kind", ["source_tags", "source_identities", "source_groups"])
def test_sources_of_another_kind_limit_a_rule_without_addresses(kind):
    assert exposed(source_addresses=[], **{kind: ["x"]}) is None
    assert exposed(source_addresses=MISSING, **{kind: ["x"]}) is None
    assert exposed(source_addresses=[None, ""], **{kind: ["x"]}) is None


@pytest.mark.parametrize("kind", ["source_tags", "source_identities", "source_groups"])
def test_sources_of_another_kind_add_to_addresses(kind):
    assert exposed(source_addresses=["0.0.0.0/0"], **{kind: ["x"]}) == [22]
    assert exposed(source_addresses=["10.0.0.0/8"], **{kind: ["x"]}) is None


@pytest.mark.parametrize("protocol", ["tcp", "TCP", "Tcp", "6", 6, "all", "*", "Any", -1, "-1", None, MISSING, ""])
def test_rules_for_tcp_and_for_every_protocol_count(protocol):
    assert exposed(protocol=protocol) == [22]


@pytest.mark.parametrize("protocol", ["udp", "17", 17, "icmp", 1, "Icmp", "icmpv6", "esp", "ah", "sctp", 47, "0"])
def test_rules_for_other_protocols_are_silent(protocol):
    assert exposed(protocol=protocol) is None


@pytest.mark.parametrize(
    ("destination", "found"),
    [
        (["22"], [22]),
        ([22], [22]),
        ([" 22 "], [22]),
        (["20-25"], [22]),
        (["20 - 25"], [22]),
        (["20-25", "3389", "5000-6000"], [22, 3389, 5432]),
        (["3389,22"], [22, 3389]),
        ("22", [22]),
        (["80", "443"], None),
        (["23-1432"], None),
        (["25-20"], None),
        (["ssh"], None),
        (["ssh", "22"], [22]),
    ],
)
def test_the_exposed_ports_are_those_in_any_of_the_ranges(destination, found):
    assert exposed(destination_ports=destination) == found


@pytest.mark.parametrize(
    "every", [["*"], ["0-65535"], ["1-65535"], ["1-30000", "30001-65535"], ["any"], [], None, MISSING]
)
def test_a_rule_for_every_port_is_critical(every):
    (com,) = events(destination_ports=every)
    assert com["severity"] == "critical"
    assert com["exposed_ports"] == sorted(DEFAULT_PORTS)
    assert "every TCP port, ports 22, 1433, 1521, 3306, 3389, and 5432 included, to" in com["description"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("enabled", False), ("enabled", "false"), ("enabled", 0), ("direction", "out"), ("direction", "Outbound"),
        ("direction", "EGRESS"), ("access", "deny"), ("access", "Deny"), ("access", "block"), ("access", "next"),
        ("access", "goto_next"),
    ],
)  # fmt: skip
def test_disabled_outbound_and_deny_rules_are_silent(field, value):
    assert exposed(**{field: value}) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("enabled", MISSING), ("enabled", None), ("enabled", "true"), ("direction", MISSING), ("direction", None),
        ("direction", "Inbound"), ("direction", "INGRESS"), ("access", MISSING), ("access", None), ("access", "Allow"),
    ],
)  # fmt: skip
def test_a_missing_field_is_taken_for_what_opens_the_rule(field, value):
    assert exposed(**{field: value}) == [22]


def test_the_source_port_does_not_protect():
    assert exposed(source_ports=["53"]) == [22]


@pytest.mark.parametrize(
    ("ports", "found"),
    [
        ([22, 3389], [22, 3389]),
        (["3389", "22"], [22, 3389]),
        (["3388-3390"], [3388, 3389, 3390]),
        ((80, "443"), [80, 443]),
        (["0-65535"], list(range(65536))),
    ],
)
def test_ports_may_be_numbers_strings_and_ranges(ports, found):
    assert exposed(ports, destination_ports=["*"]) == found


def test_only_the_given_ports_are_looked_for():
    assert exposed([443], destination_ports=["22"]) is None
    assert exposed([443], destination_ports=["22", "443"]) == [443]


@pytest.mark.parametrize(
    "ports",
    [
        [], "22", 22, {}, ["ssh"], ["22,80"], [70000], ["60000-70000"], ["25-22"], [-1], ["*"], [None], [""], [True],
        [22.0], [22, "x"], [[22]],
    ],
)  # fmt: skip
def test_ports_that_are_none_are_refused_at_once(ports):
    with pytest.raises(ValueError, match=r"^ports: "):
        FirewallRuleEvent(ports)


def test_a_long_list_of_ports_is_cut_in_sentences_only():
    (com,) = events(list(range(1, 100, 3)), destination_ports=["*"])
    assert len(com["exposed_ports"]) == 33
    assert "ports 1, 4, 7, 10, 13, 16, 19, 22, 25, 28, and 23 more included" in com["description"]


@given(
    st.fixed_dictionaries(
        {},
        optional={
            name: st.recursive(
                st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
                lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
                max_leaves=5,
            )
            for name in RULE
            if name != "record_type"
        },
    )
)
def test_no_value_in_a_rule_makes_it_fail(changes):
    for event in FirewallRuleEvent().eval({"com": {**RULE, **changes}}):
        assert event["com"]["exposed_ports"]
