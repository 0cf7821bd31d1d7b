"""What every record has, and the rules of firewalls: the provider's JSON in, a record out."""

import copy

import pytest
from cloudmarker.errors import RecordError
from cloudmarker.fields import validate
from cloudmarker_azure._records import Owner, Scope
from cloudmarker_azure._records import record as make
from cloudmarker_azure._table import TABLE

KINDS = {kind.record_type: kind for row in TABLE for kind in row.kinds}

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


def record(record_type, item, scope=SCOPE, owner=None):
    return make(scope, KINDS[record_type], item, Owner.of(owner) if owner else None)


def rule_com(**properties):
    return record("security_rule", rule(**properties), owner=NSG)["com"]


@pytest.mark.parametrize(
    ("record_type", "item", "owner"),
    [
        ("subscription", SUBSCRIPTION, None),
        ("resource_group", {"id": f"{SUBSCRIPTION['id']}/resourceGroups/Net-RG", "name": "Net-RG"}, None),
        ("nsg", NSG, None),
        ("security_rule", rule(), NSG),
    ],
)
def test_every_record_fits_the_common_model_and_keeps_raw(record_type, item, owner):
    before = copy.deepcopy(item)
    made = record(record_type, item, SCOPE if record_type != "subscription" else TENANT, owner)
    assert validate(made["com"]) == []
    assert made["raw"] is item
    assert item == before
    assert made["com"]["reference"] == item["id"]
    assert made["ext"]["subscription_id"] == SUBSCRIPTION["subscriptionId"]
    assert made["ext"]["subscription_name"] == "Payments production"
    assert made["ext"]["subscription_state"] == "Warned"
    assert made["ext"]["tenant"] == TENANT.tenant


def test_subscription_is_a_scope_with_its_display_name_under_its_tenant():
    made = record("subscription", SUBSCRIPTION, Scope(None))
    assert made["ext"]["record_type"] == "subscription"
    assert made["com"]["record_type"] == "scope"
    assert made["com"]["scope_type"] == "subscription"
    assert made["com"]["state"] == "warned"
    assert made["com"]["name"] == "Payments production"
    assert made["com"]["tags"] == {"team": "payments"}
    assert made["com"]["parent"] == "/tenants/7e000000-0000-4000-8000-000000000001"
    assert made["com"]["location"] is None


def test_nsg_is_a_firewall_with_what_it_protects():
    made = record("nsg", NSG)
    assert made["com"]["rule_count"] == 2
    assert made["com"]["networks"] == [f"{SUBSCRIPTION['id']}/subnets/front"]
    assert made["com"]["interfaces"] == [f"{SUBSCRIPTION['id']}/networkInterfaces/nic1"]
    assert made["com"]["parent"] == f"{SUBSCRIPTION['id']}/resourceGroups/Net-RG"
    assert made["ext"]["resource_group"] == "Net-RG"
    assert made["ext"]["tags"] == {"owner": "net"}


def test_rule_has_its_group_as_parent_and_location():
    made = record("security_rule", rule(), owner=NSG)
    assert made["com"]["parent"] == made["com"]["firewall"] == NSG_ID
    assert made["com"]["location"] == "northeurope"
    assert made["com"]["tags"] == {}
    assert made["ext"]["resource_group"] == "Net-RG"
    assert made["ext"]["record_type"] == "security_rule"


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
    assert record("security_rule", item, owner=NSG)["com"]["source_addresses"] == ["10.0.0.0/8"]


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
    com = record("nsg", item)["com"]
    assert (com["tags"], com["rule_count"], com["networks"], com["interfaces"]) == ({}, 0, [], [])


def test_scope_of_coverage_is_an_id_of_the_provider():
    assert TENANT.reference == "/tenants/7e000000-0000-4000-8000-000000000001"
    assert Scope(None).reference == "/"
    assert SCOPE.reference == SUBSCRIPTION["id"]


def test_global_is_no_location_and_a_display_name_is_its_region():
    item = {"id": f"{NSG_ID}", "location": "Global"}
    made = record("azure_firewall", item)
    assert (made["ext"]["location"], made["com"]["location"]) == ("Global", None)
    assert record("azure_firewall", {**item, "location": "East US 2"})["com"]["location"] == "eastus2"


@pytest.mark.parametrize(
    ("where", "value", "created"),
    [
        (("systemData", "createdAt"), "2024-05-06T07:08:09.1234567Z", "2024-05-06T07:08:09.1234567Z"),
        (("properties", "timeCreated"), "2024-05-06T07:08:09+00:00", "2024-05-06T07:08:09+00:00"),
        (("properties", "creationTime"), "2024-05-06T07:08:09", "2024-05-06T07:08:09Z"),
        (("properties", "attributes", "created"), 1714979289, "2024-05-06T07:08:09Z"),
        (("properties", "createdOn"), "yesterday", None),
        (("properties", "attributes", "created"), 10**30, None),
        (("properties", "attributes", "created"), True, None),
    ],
)
def test_created_is_found_wherever_a_service_puts_it_and_is_always_a_moment(where, value, created):
    for key in reversed(where):
        value = {key: value}
    made = record("resource", {"id": NSG_ID, **value})
    assert made["com"]["created"] == created
    assert validate(made["com"]) == []


@pytest.mark.parametrize(
    ("reference", "parent"),
    [
        ("/subscriptions/S", None),
        ("/subscriptions/S/resourceGroups/G", "/subscriptions/S"),
        ("/subscriptions/S/resourceGroups/G/providers/Microsoft.Web/sites/a", "/subscriptions/S/resourceGroups/G"),
        ("/subscriptions/S/resourcegroups/G/Providers/N/t/a/u/b", "/subscriptions/S/resourcegroups/G/Providers/N/t/a"),
        ("/subscriptions/S/providers/Microsoft.Security/pricings/Arm", "/subscriptions/S"),
        ("/providers/Microsoft.Authorization/roleAssignments/r", None),
        (
            "/providers/Microsoft.Management/managementGroups/m/providers/Microsoft.Authorization/roleAssignments/r",
            "/providers/Microsoft.Management/managementGroups/m",
        ),
        ("/s/v/providers/microsoft.insights/diagnosticSettings/d", "/s/v"),
    ],
)
def test_the_parent_is_what_the_id_is_under(reference, parent):
    made = record("resource", {"id": reference})
    assert made["com"]["parent"] == made["ext"]["parent"] == parent


def test_what_stands_above_the_subscription_belongs_to_none():
    reference = "/providers/Microsoft.Authorization/roleAssignments/r"
    made = record("role_assignment", {"id": reference, "properties": {"roleDefinitionId": "/r", "principalId": "p"}})
    assert made["ext"]["subscription_id"] is None
    assert made["ext"]["tenant"] == TENANT.tenant


def test_an_item_without_an_id_is_a_record_error():
    with pytest.raises(RecordError, match="one has no id"):
        record("disk", {"name": "one"})


@pytest.mark.parametrize("missing", ["roleDefinitionId", "principalId"])
def test_a_role_assignment_says_who_and_what_or_is_a_record_error(missing):
    properties = {"roleDefinitionId": "/r", "principalId": "p", missing: None}
    with pytest.raises(RecordError, match=missing):
        record("role_assignment", {"id": "/x", "properties": properties})
