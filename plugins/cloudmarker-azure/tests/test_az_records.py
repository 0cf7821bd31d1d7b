"""Transforms: the provider's JSON in, a record out."""

import copy

import pytest
from cloudmarker.errors import RecordError
from cloudmarker.fields import validate
from cloudmarker_azure import _records
from cloudmarker_azure._records import Scope

SUBSCRIPTION = {
    "id": "/subscriptions/5d1f0000-0000-4000-8000-000000000001",
    "subscriptionId": "5d1f0000-0000-4000-8000-000000000001",
    "tenantId": "7e000000-0000-4000-8000-000000000001",
    "displayName": "Payments production",
    "state": "Warned",
    "tags": {"team": "payments"},
}
NSG_ID = f"{SUBSCRIPTION['id']}/resourceGroups/Net-RG/providers/Microsoft.Network/networkSecurityGroups/edge"
NSG = {
    "id": NSG_ID,
    "name": "edge",
    "location": "northeurope",
    "tags": {"owner": "net"},
    "etag": 'W/"1"',
    "properties": {
        "securityRules": [{"id": "a"}, {"id": "b"}],
        "defaultSecurityRules": [{"id": "c"}],
        "subnets": [{"id": f"{SUBSCRIPTION['id']}/subnets/front"}],
        "networkInterfaces": [{"id": f"{SUBSCRIPTION['id']}/networkInterfaces/nic1"}],
    },
}
TENANT = Scope("7e000000-0000-4000-8000-000000000001")
SCOPE = TENANT.subscription(SUBSCRIPTION)


def rule(**properties):
    return {
        "id": f"{NSG_ID}/securityRules/r1",
        "name": "r1",
        "properties": {
            "access": "Allow",
            "direction": "Inbound",
            "priority": 100,
            "protocol": "Tcp",
            "sourceAddressPrefix": "*",
            "sourceAddressPrefixes": [],
            "sourcePortRange": "*",
            "sourcePortRanges": [],
            "destinationAddressPrefix": "*",
            "destinationAddressPrefixes": [],
            "destinationPortRange": "22",
            "destinationPortRanges": [],
            **properties,
        },
    }


def rule_com(**properties):
    return _records.security_rule(SCOPE, rule(**properties), NSG)["com"]


@pytest.mark.parametrize(
    ("transform", "item", "owner"),
    [
        (_records.subscription, SUBSCRIPTION, None),
        (_records.resource_group, {"id": f"{SUBSCRIPTION['id']}/resourceGroups/Net-RG", "name": "Net-RG"}, None),
        (_records.nsg, NSG, None),
        (_records.security_rule, rule(), NSG),
    ],
)
def test_every_record_fits_the_common_model_and_keeps_raw(transform, item, owner):
    before = copy.deepcopy(item)
    record = transform(SCOPE if transform is not _records.subscription else TENANT, item, owner)
    assert validate(record["com"]) == []
    assert record["raw"] is item
    assert item == before
    assert record["com"]["reference"] == item["id"]
    assert record["ext"]["subscription_id"] == SUBSCRIPTION["subscriptionId"]
    assert record["ext"]["subscription_name"] == "Payments production"
    assert record["ext"]["subscription_state"] == "Warned"
    assert record["ext"]["tenant"] == TENANT.tenant


def test_subscription_is_a_scope_with_its_display_name_under_its_tenant():
    record = _records.subscription(Scope(None), SUBSCRIPTION, None)
    assert record["ext"]["record_type"] == "subscription"
    assert record["com"]["record_type"] == "scope"
    assert record["com"]["scope_type"] == "subscription"
    assert record["com"]["state"] == "warned"
    assert record["com"]["name"] == "Payments production"
    assert record["com"]["tags"] == {"team": "payments"}
    assert record["com"]["parent"] == "/tenants/7e000000-0000-4000-8000-000000000001"
    assert record["com"]["location"] is None


def test_nsg_is_a_firewall_with_what_it_protects():
    record = _records.nsg(SCOPE, NSG, None)
    assert record["com"]["rule_count"] == 2
    assert record["com"]["networks"] == [f"{SUBSCRIPTION['id']}/subnets/front"]
    assert record["com"]["interfaces"] == [f"{SUBSCRIPTION['id']}/networkInterfaces/nic1"]
    assert record["com"]["parent"] == f"{SUBSCRIPTION['id']}/resourceGroups/Net-RG"
    assert record["ext"]["resource_group"] == "Net-RG"
    assert record["ext"]["tags"] == {"owner": "net"}


def test_rule_has_its_group_as_parent_and_location():
    record = _records.security_rule(SCOPE, rule(), NSG)
    assert record["com"]["parent"] == record["com"]["firewall"] == NSG_ID
    assert record["com"]["location"] == "northeurope"
    assert record["com"]["tags"] == {}
    assert record["ext"]["resource_group"] == "Net-RG"
    assert record["ext"]["record_type"] == "security_rule"


def test_star_as_source_is_both_families():
    assert rule_com()["source_addresses"] == ["0.0.0.0/0", "::/0"]


def test_plural_fields_count_when_the_singular_is_empty():
    com = rule_com(
        sourceAddressPrefix="",
        sourceAddressPrefixes=["198.51.100.7", "2001:db8::/32"],
        destinationPortRange="",
        destinationPortRanges=["22", "3389", "8000-8080"],
    )
    assert com["source_addresses"] == ["198.51.100.7/32", "2001:db8::/32"]
    assert com["destination_ports"] == ["22", "3389", "8000-8080"]


def test_plural_fields_count_when_the_singular_is_absent():
    item = rule(sourceAddressPrefixes=["10.0.0.0/8"])
    del item["properties"]["sourceAddressPrefix"]
    assert _records.security_rule(SCOPE, item, NSG)["com"]["source_addresses"] == ["10.0.0.0/8"]


def test_service_tags_are_kept_as_spelt():
    assert rule_com(sourceAddressPrefix="Internet")["source_addresses"] == ["Internet"]
    assert rule_com(sourceAddressPrefix="Storage.WestEurope")["source_addresses"] == ["Storage.WestEurope"]


def test_application_security_groups_are_groups():
    com = rule_com(sourceAddressPrefix="", sourceApplicationSecurityGroups=[{"id": "/asg/web"}])
    assert com["source_groups"] == ["/asg/web"]
    assert com["source_addresses"] == []


@pytest.mark.parametrize(
    ("spelling", "protocol"), [("Tcp", "tcp"), ("TCP", "tcp"), ("*", "all"), ("Icmp", "icmp"), ("Esp", "esp")]
)
def test_protocol_is_lower_case_and_star_is_all(spelling, protocol):
    assert rule_com(protocol=spelling)["protocol"] == protocol


def test_direction_and_access_in_any_case():
    com = rule_com(direction="outbound", access="DENY", priority=4096)
    assert (com["direction"], com["access"], com["priority"]) == ("out", "deny", 4096)


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        ({"direction": "Sideways"}, "Sideways"),
        ({"access": None}, "access"),
        ({"priority": "100"}, "priority"),
        ({"sourceAddressPrefixes": "10.0.0.0/8"}, "sourceAddressPrefixes"),
        ({"sourceAddressPrefix": {"cidr": "10.0.0.0/8"}}, "sourceAddressPrefix"),
    ],
)
def test_a_rule_that_cannot_be_understood_is_a_record_error_naming_the_field(properties, words):
    with pytest.raises(RecordError, match=words):
        rule_com(**properties)


def test_null_in_place_of_lists_and_maps_is_none_of_them():
    item = {**NSG, "tags": None, "properties": {"securityRules": None, "subnets": None}}
    com = _records.nsg(SCOPE, item, None)["com"]
    assert (com["tags"], com["rule_count"], com["networks"], com["interfaces"]) == ({}, 0, [], [])


def test_scope_of_coverage_is_an_id_of_the_provider():
    assert TENANT.reference == "/tenants/7e000000-0000-4000-8000-000000000001"
    assert Scope(None).reference == "/"
    assert SCOPE.reference == SUBSCRIPTION["id"]
