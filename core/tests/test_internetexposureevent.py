"""Every shape in which a machine can be open to the Internet, and what only looks like one."""

from __future__ import annotations

import pytest
from cloudmarker.contracts import Event
from cloudmarker.events.internetexposureevent import InternetExposureEvent
from cloudmarker.fields import validate
from cloudmarker.findings import fingerprint
from cloudmarker.testing import records
from hypothesis import given
from hypothesis import strategies as st

EVERYWHERE = ["0.0.0.0/0", "::/0"]
PROJECT, FOLDER, ORGANIZATION = "//example/projects/p", "//example/folders/f", "//example/organizations/o"
MISSING = object()


def com(record_type, reference, **changes):
    """The com bucket of a valid record with nothing in its lists, but for *changes*; MISSING takes a field away."""
    full = getattr(records, record_type)(reference=reference, parent=PROJECT)["com"]
    empty = {name: [] if isinstance(value, list) else value for name, value in full.items()}
    return {name: value for name, value in {**empty, **changes}.items() if value is not MISSING}


def machine(reference="vm", **changes):
    return com("compute", reference, **changes)


def rule(reference="r", **changes):
    """A rule for TCP 22 from everywhere of the firewall fw."""
    own = {"firewall": "fw", "source_addresses": EVERYWHERE, "destination_ports": ["22"], "source_ports": ["*"]}
    return com("firewall_rule", reference, **{**own, **changes})


def firewall(reference="fw", **changes):
    return com("firewall", reference, **changes)


def nic(reference="nic", **changes):
    own = {"attached_to": ["vm"], "subnets": ["subnet"], "private_addresses": ["10.0.0.4"]}
    return com("network_interface", reference, **{**own, **changes})


def public_ip(reference="ip", **changes):
    return com("public_ip", reference, **{"address": "192.0.2.9", "attached_to": ["nic"], **changes})


def subnet(reference="subnet", **changes):
    return com("subnet", reference, **changes)


def balancer(reference="lb", **changes):
    own = {"layer": "network", "protocols": ["tcp"], "ports": ["*"], "backend_ports": ["*"]}
    return com("load_balancer", reference, **{**own, "public_addresses": ["192.0.2.80"], **changes})


def found(coms, ports=None):
    """The com buckets of the events, by the machine's reference; the same in whatever order records come."""
    events = []
    for order in (coms, list(reversed(coms))):
        event = InternetExposureEvent(ports)
        assert [list(event.eval({"com": one})) for one in order] == [[]] * len(order)
        events.append({one["com"]["reference"]: one["com"] for one in event.finish()})
        event.done()
        assert list(event.finish()) == []
    for one in events[0].values():
        assert validate(one, event=True) == []
    assert [exposed(one) for one in events[0].values()] == [exposed(events[1][name]) for name in events[0]]
    return events[0]


def exposed(one):
    return one["exposed_tcp_ports"], sorted(one["opened_by"]), one["severity"], sorted(one["uncertain"])


def only(coms, ports=None):
    """The one event, or None."""
    events = found(coms, ports)
    assert len(events) <= 1
    return next(iter(events.values()), None)


def tcp(coms):
    one = only(coms)
    return one["exposed_tcp_ports"] if one else None


def on_interface(*more, vm=None, card=None, address=None, guard=None):
    """A machine with an interface with a public address, in a subnet, guarded by fw."""
    return [
        machine(**{"interfaces": ["nic"], **(vm or {})}),
        nic(**(card or {})),
        public_ip(**(address or {})),
        subnet(),
        firewall(**{"interfaces": ["nic"], **(guard or {})}),
        *more,
    ]


def in_network(*more, vm=None):
    """A machine in a network with rules of its own."""
    own = {"networks": ["net"], "private_addresses": ["10.0.0.4"], "public_addresses": ["192.0.2.9"]}
    return [
        machine(**{**own, "address_groups": MISSING, **(vm or {})}),
        com("network", "net"),
        com("scope", PROJECT, parent=FOLDER),
        com("scope", FOLDER, parent=ORGANIZATION),
        com("scope", ORGANIZATION, parent=None),
        *more,
    ]


def net_rule(reference="r", **changes):
    return rule(reference, **{"firewall": reference, "network": "net", **changes})


def test_it_is_an_event_plugin_that_reads_com_only():
    assert isinstance(InternetExposureEvent(), Event)
    assert InternetExposureEvent.buckets == ("com",)


def test_an_event_says_where_and_on_which_ports_and_what_opens_them():
    one = only(on_interface(rule(destination_ports=["20-25"])))
    assert one == {
        "cloud_type": "example",
        "record_type": "internet_exposure_event",
        "reference": "vm",
        "account": "sample",
        "check_id": "machine_reachable_from_the_internet",
        "severity": "high",
        "fingerprint": fingerprint("machine_reachable_from_the_internet", "vm"),
        "description": "example machine vm is open to the entire Internet on TCP 20-25, at 192.0.2.9, opened by r.",
        "recommendation": (
            "Limit the sources of the rules that open the way to the addresses that need the ports, "
            "or take the machine off the Internet."
        ),
        "exposed_tcp_ports": ["20-25"],
        "exposed_udp_ports": [],
        "opened_by": ["r"],
        "public_addresses": ["192.0.2.9"],
        "load_balancers": [],
        "uncertain": [],
    }


@pytest.mark.parametrize(
    ("rules", "severity"),
    [
        ([{"destination_ports": ["*"]}], "critical"),
        ([{"destination_ports": ["1-3000"]}, {"destination_ports": ["3000-65535"]}], "critical"),
        ([{"destination_ports": ["3389"]}], "high"),
        ([{"destination_ports": ["22"]}, {"destination_ports": ["443"]}], "high"),
        ([{"destination_ports": ["8080"]}], "medium"),
        ([{"destination_ports": ["80-81"]}], "medium"),
        ([{"destination_ports": ["53"], "protocol": "udp"}], "medium"),
        ([{"destination_ports": ["443"]}, {"destination_ports": ["443"], "protocol": "udp"}], "medium"),
        ([{"destination_ports": ["*"], "protocol": "udp"}], "medium"),
        ([{"destination_ports": ["80", "443"]}], "low"),
    ],
)
def test_severity_follows_the_ports(rules, severity):
    rules = [rule(f"r{number}", **changes) for number, changes in enumerate(rules)]
    assert only(on_interface(*rules))["severity"] == severity


def test_the_parameter_says_which_ports_are_sensitive():
    coms = on_interface(rule(destination_ports=["8000-8080"]))
    assert only(coms)["severity"] == "medium"
    assert only(coms, ["8080"])["severity"] == "high"


@pytest.mark.parametrize("ports", [[], "22", 22, ["ssh"], ["22,80"], [70000], [None]])
def test_ports_that_are_none_are_refused_at_once(ports):
    with pytest.raises(ValueError, match=r"^ports: "):
        InternetExposureEvent(ports)


# Interfaces, as in Azure.


def test_rules_of_interface_and_subnet_both_count():
    guards = [firewall("subnet-fw", networks=["subnet"])]
    both = [rule("s", firewall="subnet-fw", destination_ports=["20-22"]), rule("n", destination_ports=["22-30"])]
    one = only(on_interface(*guards, *both))
    assert (one["exposed_tcp_ports"], one["opened_by"]) == (["22"], ["s", "n"])
    assert tcp(on_interface(*guards, both[0])) is None
    assert tcp(on_interface(*guards, both[1])) is None


@pytest.mark.parametrize("change", [{"priority": 50}, {"priority": 100}])
def test_a_deny_that_counts_first_closes(change):
    assert tcp(on_interface(rule(), rule("d", access="deny", **change))) is None
    assert tcp(on_interface(rule(), rule("d", access="deny", priority=101))) == ["22"]


@pytest.mark.parametrize(
    "says",
    [
        {"guard": {"interfaces": []}, "card": {"firewalls": ["FW"]}},
        {"guard": {"interfaces": ["NIC"]}},
        {"guard": {"interfaces": [], "networks": ["SUBNET"]}},
        {"guard": {"interfaces": ["VM"]}},
    ],
)
def test_either_side_may_say_that_a_firewall_is_attached_in_any_letter_case(says):
    assert tcp(on_interface(rule(firewall="Fw", destination_ports=["443"]), **says)) == ["443"]


def test_a_subnet_may_say_which_firewall_it_has():
    coms = [*on_interface(rule(), guard={"interfaces": []})[:3], subnet(firewalls=["FW"]), firewall(), rule()]
    assert tcp(coms) == ["22"]


@pytest.mark.parametrize(
    "has",
    [
        {},
        {"address": {"attached_to": []}, "card": {"public_ips": ["IP"]}},
        {"address": {"attached_to": ["NIC"]}},
        {"address": {"attached_to": ["VM"]}},
        {"address": {"address": None}},
        {"vm": {"public_addresses": ["192.0.2.9"]}, "address": {"attached_to": []}},
        {"card": {"public_addresses": ["192.0.2.9"]}, "address": {"attached_to": []}},
        {"vm": {"interfaces": []}},
        {"address": {"scheme": None}},
    ],
)
def test_the_public_address_may_be_said_to_be_there_by_any_of_them(has):
    one = only(on_interface(rule(), **has))
    assert one["exposed_tcp_ports"] == ["22"]
    assert one["public_addresses"] == (["ip"] if has == {"address": {"address": None}} else ["192.0.2.9"])


def test_an_address_that_was_not_read_is_one_all_the_same():
    coms = on_interface(rule(), card={"public_ips": ["elsewhere/IP"]}, address={"attached_to": []})
    assert only(coms)["public_addresses"] == ["elsewhere/IP"]


@pytest.mark.parametrize("nowhere", [{"attached_to": []}, {"attached_to": ["other"]}, {"scheme": "internal"}])
def test_a_machine_without_a_public_address_is_silent(nowhere):
    assert tcp(on_interface(rule(), address=nowhere)) is None


def test_one_interface_that_is_open_is_enough():
    coms = on_interface(rule(), vm={"interfaces": ["nic", "two"]})
    assert tcp([*coms, nic("two", subnets=["subnet"], firewalls=["fw2"]), firewall("fw2")]) == ["22"]
    assert tcp([*coms[:-1], nic("two", firewalls=["fw2"]), firewall("fw2"), rule(firewall="fw2")]) is None


def test_without_a_firewall_everything_is_open():
    unguarded = on_interface(guard={"interfaces": []}, address={"closed_by_default": False})
    one = only(unguarded)
    assert (one["exposed_tcp_ports"], one["exposed_udp_ports"], one["opened_by"]) == (["*"], ["*"], [])
    assert one["severity"] == "critical"
    assert "every TCP port and every UDP port, at 192.0.2.9, with no firewall to guard it" in one["description"]
    assert tcp(on_interface(guard={"interfaces": []}, address={"closed_by_default": None})) == ["*"]
    assert tcp(on_interface(guard={"interfaces": []}, address={"closed_by_default": MISSING})) == ["*"]


def test_without_a_firewall_nothing_gets_in_at_an_address_that_wants_one():
    assert tcp(on_interface(guard={"interfaces": []}, address={"closed_by_default": True})) is None
    assert tcp(on_interface(rule(), address={"closed_by_default": True})) == ["22"]
    second = public_ip("basic", closed_by_default=False, address="192.0.2.10")
    assert tcp(on_interface(second, guard={"interfaces": []}, address={"closed_by_default": True})) == ["*"]


@pytest.mark.parametrize(
    ("change", "card", "ports"),
    [
        ({"destination_groups": ["Web"]}, {"address_groups": ["wEB"]}, ["22"]),
        ({"destination_groups": ["web"]}, {"address_groups": ["db"]}, None),
        ({"destination_groups": ["web"]}, {}, None),
        ({"destination_addresses": ["10.0.0.0/24"]}, {}, ["22"]),
        ({"destination_addresses": ["10.0.0.4/32", "10.9.0.0/16"]}, {}, ["22"]),
        ({"destination_addresses": ["10.0.1.0/24"]}, {}, None),
        ({"destination_addresses": ["10.0.0.4/32"]}, {"private_addresses": ["10.0.0.4", "10.0.0.5"]}, ["22"]),
        ({"destination_addresses": ["VirtualNetwork"]}, {}, ["22"]),
        ({"destination_addresses": EVERYWHERE}, {"private_addresses": []}, ["22"]),
        ({"destination_addresses": []}, {"private_addresses": []}, ["22"]),
    ],
)
def test_a_rule_may_be_for_some_machines_only(change, card, ports):
    assert tcp(on_interface(rule(**change), card=card)) == ports


@pytest.mark.parametrize(
    ("change", "closes"),
    [
        ({}, True),
        ({"destination_addresses": ["10.0.0.0/24"]}, True),
        ({"destination_addresses": ["VirtualNetwork"]}, True),
        ({"destination_addresses": ["10.0.0.4/32"]}, False),
        ({"destination_addresses": ["10.0.9.0/24"]}, False),
        ({"destination_groups": ["web"]}, True),
        ({"destination_groups": ["db"]}, False),
    ],
)
def test_a_deny_must_be_for_all_addresses_of_a_machine_to_close_it(change, closes):
    card = {"private_addresses": ["10.0.0.4", "10.0.0.5"], "address_groups": ["web"]}
    one = only(on_interface(rule(), rule("d", access="deny", priority=1, **change), card=card))
    if change.get("destination_addresses") == ["10.0.0.4/32"]:
        assert (one["exposed_tcp_ports"], one["uncertain"]) == ([], ["d"])
    else:
        assert (one is None) == closes


def test_ipv6_counts_where_the_machine_has_such_an_address():
    six = rule(source_addresses=["::/0"])
    assert tcp(on_interface(six)) is None
    assert tcp(on_interface(six, address={"address": "2001:db8::9"})) == ["22"]
    assert tcp(on_interface(six, address={"address": None})) == ["22"]
    denied = [rule(), rule("d", access="deny", priority=1, source_addresses=["0.0.0.0/0"])]
    assert tcp(on_interface(*denied)) is None
    assert tcp(on_interface(*denied, address={"address": "2001:db8::9"})) == ["22"]


# What was not read.


def test_a_firewall_that_was_not_read_may_let_in_everything():
    coms = [one for one in on_interface(card={"firewalls": ["FW"]}) if one["record_type"] != "firewall"]
    one = only(coms)
    assert one["severity"] == "medium"
    assert (one["exposed_tcp_ports"], one["exposed_udp_ports"], one["opened_by"]) == ([], [], [])
    assert one["uncertain"] == ["fw"]
    assert one["description"] == (
        "example machine vm may be open to the entire Internet on every TCP port and every UDP port, at 192.0.2.9: "
        "it is not known what fw let in."
    )
    assert one["recommendation"].startswith("Find out")


def test_a_firewall_that_was_read_and_refuses_makes_one_that_was_not_read_irrelevant():
    coms = on_interface(card={"firewalls": ["fw", "unread"]})
    assert tcp(coms) is None
    one = only([*coms, rule()])
    assert (one["exposed_tcp_ports"], one["opened_by"], one["uncertain"]) == ([], [], ["unread"])
    assert "on TCP 22, at" in one["description"]


def test_an_interface_that_was_not_read_may_be_open():
    coms = [one for one in on_interface(guard={"interfaces": []}) if one["record_type"] != "network_interface"]
    assert only(coms)["uncertain"] == ["nic"]
    guarded = [one for one in on_interface(rule()) if one["record_type"] != "network_interface"]
    assert tcp(guarded) == ["22"]


def test_a_subnet_that_was_not_read_may_have_a_firewall():
    coms = [one for one in on_interface(guard={"interfaces": []}) if one["record_type"] != "subnet"]
    assert (only(coms)["exposed_tcp_ports"], only(coms)["uncertain"]) == ([], ["nic"])


def test_a_network_that_was_not_read_may_let_in_everything():
    coms = [one for one in in_network() if one["record_type"] != "network"]
    assert only(coms)["uncertain"] == ["net"]
    assert tcp([*coms, net_rule()]) == ["22"]


@pytest.mark.parametrize(
    ("coverage", "unknown"),
    [
        ({"state": "denied"}, True),
        ({"state": "throttled"}, True),
        ({"state": "skipped"}, True),
        ({"state": "denied", "resource_type": "network_firewall_policy"}, True),
        ({"state": "ok"}, False),
        ({"state": "disabled"}, False),
        ({"state": "denied", "scope": "//example/projects/other"}, False),
        ({"state": "denied", "resource_type": "disk"}, False),
    ],
)
def test_coverage_says_whether_the_rules_of_a_network_are_known(coverage, unknown):
    hole = records.coverage(**{"scope": PROJECT.upper(), "resource_type": "firewall", **coverage})["com"]
    one = only([*in_network(net_rule(destination_ports=["443"])), hole])
    assert one["exposed_tcp_ports"] == ["443"]
    assert one["uncertain"] == ([PROJECT] if unknown else [])
    assert one["severity"] == ("medium" if unknown else "low")
    assert (only([*in_network(), hole]) is not None) == unknown
    if unknown:
        assert "on TCP 443, at 192.0.2.9, opened by r. It may be on TCP 1-442 and 444-65535 and" in one["description"]


# Networks with rules of their own, as in Google Cloud.


def test_what_no_rule_of_the_network_allows_is_refused():
    assert tcp(in_network()) is None
    assert tcp(in_network(net_rule(network="other"))) is None
    assert tcp(in_network(net_rule(network="NET"))) == ["22"]


def test_the_firewall_of_a_rule_of_a_network_is_no_policy():
    assert tcp(in_network(firewall("r", networks=["net"]), net_rule())) == ["22"]
    denied = [net_rule(), net_rule("d", access="deny", priority=1), firewall("d", networks=["net"])]
    assert tcp(in_network(*denied, firewall("r", networks=["net"]))) is None


@pytest.mark.parametrize(
    ("aim", "vm", "ports"),
    [
        ({"target_tags": ["web"]}, {"network_tags": ["db", "web"]}, ["22"]),
        ({"target_tags": ["web"]}, {"network_tags": ["db"]}, None),
        ({"target_tags": ["web"]}, {"network_tags": []}, None),
        ({"target_tags": ["web"]}, {"network_tags": ["WEB"]}, None),
        ({"target_identities": ["robot@p"]}, {"identities": ["robot@p"]}, ["22"]),
        ({"target_identities": ["robot@p"]}, {"identities": []}, None),
        ({"target_tags": ["web"], "target_identities": ["robot@p"]}, {"identities": ["robot@p"]}, ["22"]),
        ({"target_networks": ["NET"]}, {}, ["22"]),
        ({"target_networks": ["other"]}, {}, None),
        ({"destination_addresses": ["10.0.0.0/24"]}, {}, ["22"]),
        ({"destination_addresses": ["10.0.1.0/24"]}, {}, None),
        ({"target_tags": ["web"], "destination_addresses": ["10.0.1.0/24"]}, {"network_tags": ["web"]}, None),
    ],
)
def test_a_rule_of_a_network_may_be_for_some_machines_only(aim, vm, ports):
    assert tcp(in_network(net_rule(**aim), vm=vm)) == ports
    denied = [net_rule(), net_rule("d", access="deny", priority=1, **aim)]
    assert tcp(in_network(*denied, vm=vm)) == (["22"] if ports is None else None)


def test_rules_for_load_balancers_are_not_those_of_machines():
    policy = firewall("policy", networks=["net"])
    rules = {"firewall": "policy", "network": None, "target_type": "load_balancer", "priority": 1}
    assert tcp(in_network(policy, rule(**rules))) is None
    assert tcp(in_network(policy, rule(**rules, access="deny"), net_rule("open"))) == ["22"]
    assert tcp(in_network(policy, rule(**{**rules, "target_type": "machine"}))) == ["22"]
    assert tcp(in_network(policy, rule(**{**rules, "target_type": MISSING}))) == ["22"]


@pytest.mark.parametrize(
    ("aim", "vm"),
    [
        ({"destination_groups": ["tagValues/1"]}, {}),
        ({"target_tags": ["web"]}, {"network_tags": MISSING}),
        ({"target_identities": ["robot@p"]}, {"identities": None}),
        ({"destination_addresses": ["SomeTag"]}, {}),
        ({"destination_addresses": ["Internet"]}, {}),
        ({"destination_addresses": ["192.0.2.9/32"]}, {}),
        ({"destination_addresses": ["10.0.0.4/32"]}, {"private_addresses": []}),
    ],
)
def test_a_rule_of_which_is_not_known_whether_it_is_for_a_machine_may_open_it_and_does_not_close_it(aim, vm):
    one = only(in_network(net_rule(**aim), vm=vm))
    assert (one["exposed_tcp_ports"], one["opened_by"], one["uncertain"]) == ([], [], ["r"])
    assert one["severity"] == "medium"
    one = only(in_network(net_rule(), net_rule("d", access="deny", priority=1, **aim), vm=vm))
    assert (one["exposed_tcp_ports"], one["opened_by"], one["uncertain"]) == ([], [], ["d"])


def test_what_is_certain_is_told_from_what_is_not():
    maybe = net_rule("maybe", destination_ports=["22"], destination_groups=["tagValues/1"], priority=1)
    one = only(in_network(net_rule(destination_ports=["443"]), maybe))
    assert (one["exposed_tcp_ports"], one["opened_by"], one["uncertain"]) == (["443"], ["r"], ["maybe"])
    assert one["severity"] == "medium"
    one = only(in_network(net_rule(), maybe))
    assert (one["exposed_tcp_ports"], one["opened_by"], one["uncertain"]) == (["22"], ["r"], [])


@pytest.mark.parametrize("place", [FOLDER, ORGANIZATION])
@pytest.mark.parametrize(
    ("access", "expected"),
    [("allow", (["22"], ["p"])), ("deny", None), ("next", (["22"], ["r"])), (None, (["22"], ["r"]))],
)
def test_policies_of_the_scopes_above_come_first(place, access, expected):
    above = [firewall("policy", networks=[place.upper()], location=None)]
    if access:
        above.append(rule("p", firewall="policy", access=access, priority=2_000_000_000))
    one = only(in_network(net_rule(priority=0), *above))
    assert (one and (one["exposed_tcp_ports"], one["opened_by"])) == expected


def test_the_outermost_scope_comes_first():
    inner = [firewall("f", networks=[FOLDER], location=None), rule("inner", firewall="f", priority=1)]
    outer = [firewall("o", networks=[ORGANIZATION], location=None), rule("outer", firewall="o", access="deny")]
    assert tcp(in_network(*inner, *outer)) is None


def test_the_scopes_are_those_of_the_network():
    host = [
        com("network", "net", parent="//example/projects/host"),
        com("scope", "//example/projects/host", parent="h"),
    ]
    deny = [firewall("f", networks=["h"], location=None), rule("d", firewall="f", access="deny", priority=1)]
    machine_only = in_network(net_rule(), *deny)
    assert tcp(machine_only) == ["22"]
    assert tcp([one for one in machine_only if one["record_type"] != "network"] + host) is None


def test_scopes_in_a_circle_end():
    coms = [one for one in in_network(net_rule()) if one["reference"] != ORGANIZATION]
    assert tcp([*coms, com("scope", ORGANIZATION, parent=FOLDER)]) == ["22"]


@pytest.mark.parametrize(
    ("first", "own", "expected"), [(False, "allow", ["22"]), (True, "allow", None), (None, "deny", None)]
)
def test_policies_of_a_network_come_after_its_rules_unless_it_says_otherwise(first, own, expected):
    coms = [one for one in in_network(net_rule(access=own)) if one["record_type"] != "network"]
    other = "deny" if own == "allow" else "allow"
    policy = [firewall("policy", networks=["NET"], location=None), rule("p", firewall="policy", access=other)]
    assert tcp([*coms, com("network", "net", policies_first=first), *policy]) == expected


def test_policies_of_a_network_may_open_what_its_rules_are_silent_about():
    policy = [firewall("policy", networks=["net"], location=None), rule("p", firewall="policy")]
    assert tcp(in_network(*policy)) == ["22"]


@pytest.mark.parametrize(
    ("region", "place", "ports"),
    [("east1", "east1-b", ["22"]), ("east1", "east1", ["22"]), ("east1", "east10-b", None), ("east1", None, ["22"])],
)
def test_the_policy_of_a_region_is_for_machines_in_it(region, place, ports):
    policy = [firewall("policy", networks=["net"], location=region), rule("p", firewall="policy")]
    assert tcp(in_network(*policy, vm={"location": place})) == ports


def test_a_policy_of_the_whole_network_comes_before_one_of_a_region():
    regional = [firewall("a", networks=["net"], location="north"), rule("near", firewall="a")]
    everywhere = [firewall("b", networks=["net"], location=None), rule("far", firewall="b", access="deny")]
    assert tcp(in_network(*regional, *everywhere)) is None


def test_one_network_that_is_open_is_enough():
    coms = in_network(net_rule(), vm={"networks": ["closed", "net"]})
    deny = net_rule("d", network="closed", access="deny")
    assert tcp([*coms, com("network", "closed"), deny]) == ["22"]


def test_a_machine_of_a_cloud_that_says_nothing_of_networks_counts_as_unguarded():
    bare = {"record_type": "compute", "reference": "vm", "public_addresses": ["192.0.2.9"]}
    one = only([{**bare, "cloud_type": "other"}])
    assert (one["exposed_tcp_ports"], one["opened_by"], one["severity"]) == (["*"], [], "critical")
    attached = [firewall(interfaces=["vm"]), rule()]
    assert tcp([{**bare, "cloud_type": "other"}, *attached]) == ["22"]


# Load balancers.


@pytest.mark.parametrize(
    ("lb", "card"),
    [
        ({"backends": ["NIC"]}, {}),
        ({"backends": ["VM"]}, {}),
        ({"backend_pools": ["Pool"]}, {"backend_pools": ["pOOL"]}),
        ({"backends": ["10.0.0.4"]}, {}),
    ],
)
def test_a_load_balancer_leads_to_the_machines_behind_it(lb, card):
    coms = on_interface(rule(), balancer(**lb), card=card, address={"attached_to": []})
    one = only(coms)
    assert (one["exposed_tcp_ports"], one["load_balancers"], one["public_addresses"]) == (["22"], ["lb"], [])
    assert ", at lb, opened by r." in one["description"]
    assert tcp([*coms[:-1], balancer(**lb, scheme="internal")]) is None
    assert tcp([*coms[:-1], balancer(**lb, layer="application")]) is None


def test_a_private_address_elsewhere_is_another_machines():
    coms = on_interface(rule(), address={"attached_to": []})
    assert tcp([*coms, balancer(backends=["10.0.0.4"], location="south")]) is None
    assert tcp([*coms, balancer(backends=["10.0.0.4"], cloud_type="other")]) is None


@pytest.mark.parametrize(
    ("lb", "ports"),
    [
        ({"ports": ["50001"], "backend_ports": ["22"]}, ["22"]),
        ({"ports": ["22"], "backend_ports": ["443"]}, None),
        ({"ports": ["50001"], "backend_ports": []}, ["22"]),
        ({"ports": ["50001"], "backend_ports": MISSING}, ["22"]),
        ({"protocols": ["udp"]}, None),
        ({"protocols": ["udp", "TCP"]}, ["22"]),
        ({"protocols": ["all"]}, ["22"]),
        ({"protocols": []}, ["22"]),
        ({"scheme": None}, ["22"]),
        ({"layer": None}, ["22"]),
        ({"public_addresses": ["2001:db8::80"]}, None),
    ],
)
def test_a_load_balancer_passes_on_to_some_ports_only(lb, ports):
    lb = balancer(backends=["nic"], **lb)
    assert tcp(on_interface(rule(source_addresses=["0.0.0.0/0"]), lb, address={"attached_to": []})) == ports


def test_a_load_balancer_does_not_close_what_an_address_opens():
    one = only(on_interface(rule(destination_ports=["22", "80"]), balancer(backends=["nic"], backend_ports=["80"])))
    assert (one["exposed_tcp_ports"], one["load_balancers"]) == (["22", "80"], ["lb"])


def test_the_address_of_a_load_balancer_may_want_a_firewall():
    lb = balancer(backends=["nic"], public_addresses=[], public_ips=["lbip"])
    coms = on_interface(lb, address={"attached_to": []}, guard={"interfaces": []})
    address = public_ip("lbip", attached_to=[], closed_by_default=True)
    assert tcp([*coms, address]) is None
    assert tcp([*coms, {**address, "closed_by_default": False}]) == ["*"]
    assert tcp(coms) == ["*"]


@pytest.mark.parametrize("between", ["backend_service", "backend_pool", "load_balancer"])
def test_from_a_forwarding_rule_by_a_service_to_a_group_to_its_machines(between):
    service = {**balancer("service", backends=["Group"]), "record_type": between, "scheme": "internal"}
    coms = in_network(net_rule(), service, vm={"public_addresses": [], "compute_group": "gROUP"})
    lb = balancer(backend_pools=["SERVICE"])
    one = only([*coms, lb])
    assert (one["exposed_tcp_ports"], one["load_balancers"]) == (["22"], ["lb"])
    assert tcp(coms) is None
    assert tcp([*coms, {**lb, "layer": "application"}]) is None


@pytest.mark.parametrize("listed", [True, False])
def test_a_machine_in_a_group_that_others_put_it_into_is_reached_by_the_group(listed):
    group = [com("backend_pool", "group")] if listed else []
    entry = com("backend", "group", backend_pool="GROUP", machine="VM")
    coms = in_network(net_rule(), *group, entry, vm={"public_addresses": []})
    service = {**balancer("service", backends=["group"]), "record_type": "backend_service", "scheme": "internal"}
    assert tcp(coms) is None
    for lb in ([balancer(backends=["group"])], [service, balancer(backend_pools=["service"])]):
        assert only([*coms, *lb])["load_balancers"] == ["lb"]
    assert tcp([*coms, balancer(backends=["group"], layer="application")]) is None
    assert tcp([*coms, balancer(backends=["group"], scheme="internal")]) is None


def test_a_pool_leads_to_the_pool_that_stands_in_for_it():
    pools = [com("backend_pool", "a", backend_pools=["b"]), com("backend_pool", "b", backends=["vm"])]
    coms = in_network(net_rule(), *pools, vm={"public_addresses": []})
    assert tcp([*coms, balancer(backend_pools=["a"])]) == ["22"]


@pytest.mark.parametrize("entry", [{"machine": None}, {"machine": None, "address": "10.0.0.5"}, {"machine": "other"}])
def test_entries_of_a_group_that_are_something_else_lead_nowhere(entry):
    own = {"backend_pool": "group", **entry}
    coms = in_network(net_rule(), com("backend", "group", **own), vm={"public_addresses": [], "location": "z"})
    assert tcp([*coms, balancer(backends=["group"], location="z")]) is None


def test_services_in_a_circle_end():
    services = [
        {**balancer("a", backend_pools=["b"]), "record_type": "backend_service"},
        {**balancer("b", backend_pools=["a"], backends=["vm"]), "record_type": "backend_service"},
    ]
    coms = in_network(net_rule(), *services, vm={"public_addresses": []})
    assert tcp([*coms, balancer(backend_pools=["a"])]) == ["22"]


def test_many_places_and_rules_are_cut_in_sentences_only():
    rules = [rule(f"r{number}", destination_ports=[str(number)]) for number in range(1000, 1040, 2)]
    one = only(on_interface(*rules))
    assert len(one["opened_by"]) == len(one["exposed_tcp_ports"]) == 20
    assert "TCP 1000, 1002, 1004, 1006, 1008, 1010, 1012, 1014, and 12 more, at" in one["description"]


def test_a_machine_that_two_clouds_of_an_audit_read_is_reported_once():
    assert len(found([*on_interface(rule()), *on_interface(rule())])) == 1


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FULL = [
    *on_interface(rule(), balancer(backends=["nic"], backend_pools=["pool"])),
    *in_network(net_rule(), vm={"reference": "vm2"}),
    com("backend_pool", "pool"),
    com("backend", "pool", backend_pool="pool", machine="vm2"),
]


@given(st.integers(0, len(FULL) - 1), st.sampled_from(sorted({name for one in FULL for name in one})), VALUES)
def test_no_value_in_a_record_makes_it_fail(place, name, value):
    event = InternetExposureEvent()
    for number, one in enumerate(FULL):
        changes = {name: value} if number == place and name in set(one) - {"record_type", "reference"} else {}
        list(event.eval({"com": {**one, **changes}}))
    for one in event.finish():
        assert not validate({**one["com"], "cloud_type": "example"}, event=True)


@pytest.mark.parametrize("record", [{}, {"com": {}}, {"com": None}, {"raw": {}}, {"com": {"record_type": ["x"]}}])
def test_a_record_without_a_common_model_is_silent(record):
    event = InternetExposureEvent()
    assert list(event.eval(record)) == []
    assert list(event.finish()) == []
