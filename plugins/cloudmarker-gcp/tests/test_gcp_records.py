"""What records say: JSON in, record out."""

from __future__ import annotations

import copy

import pytest
from cloudmarker.errors import RecordError
from cloudmarker.fields import validate
from cloudmarker_gcp import _names, _records
from cloudmarker_gcp._records import Scope

SCOPE = Scope("shop", "1234", "The shop", "ACTIVE")
LINK = "https://www.googleapis.com/compute/v1/projects/shop"
NAME = "//compute.googleapis.com/projects/shop"

PROJECT = {
    "name": "projects/1234",
    "parent": "folders/77",
    "projectId": "shop",
    "state": "ACTIVE",
    "displayName": "The shop",
    "createTime": "2024-01-02T03:04:05.678Z",
    "labels": {"env": "prod"},
}
FIREWALL = {
    "creationTimestamp": "2024-01-02T03:04:05.678-08:00",
    "name": "web",
    "network": f"{LINK}/global/networks/default",
    "allowed": [{"IPProtocol": "TCP", "ports": ["443", "8000-8080"]}, {"IPProtocol": "icmp"}],
    "denied": [{"IPProtocol": "all"}],
    "selfLink": f"{LINK}/global/firewalls/web",
}
INSTANCE = {
    "name": "web-1",
    "creationTimestamp": "2024-01-02T03:04:05.678-08:00",
    "status": "TERMINATED",
    "machineType": f"{LINK}/zones/us-east1-b/machineTypes/e2-small",
    "zone": f"{LINK}/zones/us-east1-b",
    "labels": {"env": "prod"},
    "tags": {"items": ["web"], "fingerprint": "x"},
    "serviceAccounts": [{"email": "web@shop.iam.gserviceaccount.com", "scopes": []}],
    "networkInterfaces": [
        {
            "network": f"{LINK}/global/networks/default",
            "subnetwork": f"{LINK}/regions/us-east1/subnetworks/default",
            "networkIP": "10.1.2.3",
            "accessConfigs": [{"name": "External NAT", "natIP": "203.0.113.5"}, {"name": "not assigned"}],
        },
        {
            "network": "https://compute.googleapis.com/compute/v1/projects/hub/global/networks/shared",
            "networkIP": "10.9.9.9",
            "ipv6Address": "fd20::1",
            "ipv6AccessConfigs": [{"externalIpv6": "2001:db8::1"}],
        },
    ],
    "selfLink": f"{LINK}/zones/us-east1-b/instances/web-1",
}


def rules(**fields):
    item = {**FIREWALL, **fields}
    return [_records.firewall_rule(SCOPE, item, member)["com"] for member in _records.firewall_entries(item)]


def rule(**fields):
    return rules(denied=[], allowed=[{"IPProtocol": "tcp", "ports": ["22"]}], **fields)[0]


@pytest.mark.parametrize(
    ("transform", "item", "member"),
    [
        (_records.project, PROJECT, None),
        (_records.firewall, FIREWALL, None),
        (_records.firewall_rule, FIREWALL, ("allowed", FIREWALL["allowed"][0])),
        (_records.instance, INSTANCE, None),
    ],
)
def test_raw_is_the_very_answer_unchanged_and_com_is_in_the_common_model(transform, item, member):
    before = copy.deepcopy(item)
    record = transform(SCOPE, item, member)
    assert record["raw"] is item
    assert item == before
    assert validate(record["com"]) == []
    assert record["com"]["cloud_type"] == record["ext"]["cloud_type"] == "gcp"
    assert (record["ext"]["project_id"], record["ext"]["project_number"]) == ("shop", "1234")


def test_a_project_is_a_scope_with_its_parent():
    com = _records.project(Scope(), PROJECT, None)["com"]
    assert (com["record_type"], com["scope_type"], com["state"], com["name"]) == (
        "scope",
        "project",
        "active",
        "The shop",
    )
    assert com["reference"] == "//cloudresourcemanager.googleapis.com/projects/shop"
    assert com["parent"] == "//cloudresourcemanager.googleapis.com/folders/77"
    assert com["tags"] == {"env": "prod"}


@pytest.mark.parametrize("asked", ["shop", "1234"])
def test_a_project_may_be_asked_for_by_id_and_by_number(asked):
    assert _records.project(Scope(asked), PROJECT, None)["com"]["name"] == "The shop"


def test_another_project_than_the_one_asked_for_is_no_answer():
    with pytest.raises(RecordError, match="not of this project, but of project shop"):
        _records.project(Scope("other"), PROJECT, None)


def test_a_firewall_counts_its_entries_and_names_its_network():
    record = _records.firewall(SCOPE, FIREWALL, None)
    assert record["ext"]["record_type"] == record["com"]["record_type"] == "firewall"
    assert (record["com"]["rule_count"], record["com"]["networks"]) == (3, [f"{NAME}/global/networks/default"])
    assert record["com"]["reference"] == f"{NAME}/global/firewalls/web"
    assert record["com"]["location"] is None


def test_each_entry_is_a_rule_of_its_own():
    assert [(com["entry"], com["access"], com["protocol"], com["destination_ports"]) for com in rules()] == [
        ("allowed/tcp/443,8000-8080", "allow", "tcp", ["443", "8000-8080"]),
        ("allowed/icmp", "allow", "icmp", ["*"]),
        ("denied/all", "deny", "all", ["*"]),
    ]


def test_a_protocol_number_becomes_its_name_and_the_entry_keeps_the_spelling():
    com = rules(denied=[], allowed=[{"IPProtocol": "6", "ports": ["22"]}])[0]
    assert (com["protocol"], com["entry"]) == ("tcp", "allowed/6/22")


def test_the_defaults_of_the_api_are_filled_in():
    com = rule()
    assert (com["direction"], com["priority"], com["enabled"]) == ("in", 1000, True)
    assert (com["source_addresses"], com["destination_addresses"]) == (["0.0.0.0/0"], [])


def test_priority_direction_and_disabled_are_taken_over():
    com = rule(priority=0, direction="EGRESS", disabled=True)
    assert (com["priority"], com["direction"], com["enabled"]) == (0, "out", False)


@pytest.mark.parametrize(
    ("fields", "sources"),
    [
        ({"sourceRanges": ["10.0.0.0/8", "::/0"]}, ["10.0.0.0/8", "::/0"]),
        ({"sourceRanges": []}, ["0.0.0.0/0"]),
        ({"sourceTags": ["web"]}, []),
        ({"sourceServiceAccounts": ["a@b"]}, []),
        ({"sourceTags": ["web"], "sourceRanges": ["0.0.0.0/0"]}, ["0.0.0.0/0"]),
    ],
)
def test_sources_are_anywhere_only_if_nothing_names_one(fields, sources):
    assert rule(**fields)["source_addresses"] == sources


def test_destinations_of_egress_are_anywhere_unless_ranges_name_some():
    assert rule(direction="EGRESS")["destination_addresses"] == ["0.0.0.0/0"]
    assert rule(direction="EGRESS")["source_addresses"] == []
    assert rule(direction="EGRESS", destinationRanges=["192.0.2.0/24"])["destination_addresses"] == ["192.0.2.0/24"]


def test_targets_and_sources_by_tag_and_account_are_kept():
    com = rule(sourceTags=["a"], sourceServiceAccounts=["b@c"], targetTags=["d"], targetServiceAccounts=["e@f"])
    assert (com["source_tags"], com["source_identities"]) == (["a"], ["b@c"])
    assert (com["target_tags"], com["target_identities"]) == (["d"], ["e@f"])


def test_an_instance_lists_what_it_is_reachable_by():
    record = _records.instance(SCOPE, INSTANCE, None)
    com = record["com"]
    assert (record["ext"]["record_type"], com["record_type"]) == ("instance", "compute")
    assert (record["ext"]["zone"], record["ext"]["region"], com["location"]) == ("us-east1-b", "us-east1", "us-east1-b")
    assert (com["state"], com["size"]) == ("stopped", "e2-small")
    assert com["networks"] == [
        f"{NAME}/global/networks/default",
        "//compute.googleapis.com/projects/hub/global/networks/shared",
    ]
    assert com["subnets"] == [f"{NAME}/regions/us-east1/subnetworks/default"]
    assert com["private_addresses"] == ["10.1.2.3", "10.9.9.9", "fd20::1"]
    assert com["public_addresses"] == ["203.0.113.5", "2001:db8::1"]
    assert (com["network_tags"], com["identities"]) == (["web"], ["web@shop.iam.gserviceaccount.com"])
    assert com["parent"] == "//cloudresourcemanager.googleapis.com/projects/shop"


def test_an_instance_names_its_disks_boot_disk_first_and_who_made_it():
    disks = [
        {"source": f"{LINK}/zones/us-east1-b/disks/data", "boot": False},
        {"source": f"{LINK}/zones/us-east1-b/disks/boot", "boot": True, "licenses": [f"{LINK}/licenses/debian-12"]},
    ]
    made_by = {"key": "created-by", "value": "projects/1234/zones/us-east1-b/instanceGroupManagers/web"}
    item = {
        **INSTANCE,
        "disks": disks,
        "metadata": {"items": [{}, {"key": "x", "value": "y"}, made_by]},
        "canIpForward": False,
        "shieldedInstanceConfig": {"enableSecureBoot": True, "enableVtpm": False},
        "confidentialInstanceConfig": {"confidentialInstanceType": "SEV"},
    }
    com = _records.instance(SCOPE, item, None)["com"]
    assert com["disks"] == [f"{NAME}/zones/us-east1-b/disks/boot", f"{NAME}/zones/us-east1-b/disks/data"]
    assert com["compute_group"] == f"{NAME}/zones/us-east1-b/instanceGroups/web"
    assert (com["os"], com["secure_boot"], com["vtpm"], com["confidential"]) == ("linux", True, False, True)
    assert com["ip_forwarding"] is False


@pytest.mark.parametrize(
    ("disk", "system"),
    [
        ({"guestOsFeatures": [{"type": "UEFI_COMPATIBLE"}, {"type": "WINDOWS"}]}, "windows"),
        ({"licenses": ["https://x/projects/windows-cloud/global/licenses/windows-server-2022-dc"]}, "windows"),
        ({"licenses": ["https://x/projects/ubuntu-os-cloud/global/licenses/ubuntu-2204-lts"]}, "linux"),
        ({"licenses": ["https://x/projects/freebsd-org-cloud-dev/global/licenses/freebsd"]}, None),
        ({}, None),
    ],
)
def test_the_operating_system_is_what_the_boot_disk_tells(disk, system):
    assert _records.instance(SCOPE, {**INSTANCE, "disks": [{"boot": True, **disk}]}, None)["com"]["os"] == system


@pytest.mark.parametrize(
    ("status", "state"),
    [("RUNNING", "running"), ("STOPPED", "stopped"), ("SUSPENDED", "suspended"), ("REPAIRING", "other"), (None, None)],
)
def test_life_cycle_states_become_common_ones(status, state):
    assert _records.instance(SCOPE, {**INSTANCE, "status": status}, None)["com"]["state"] == state


def test_a_bare_instance_has_empty_lists_not_missing_fields():
    com = _records.instance(SCOPE, {"name": "i", "selfLink": f"{LINK}/zones/z-1/instances/i"}, None)["com"]
    assert validate(com) == []
    assert com["networks"] == com["public_addresses"] == com["identities"] == []


@pytest.mark.parametrize(
    ("transform", "item", "member"),
    [
        (_records.project, {"name": "projects/1"}, None),
        (_records.firewall, {"name": "x"}, None),
        (_records.firewall, {**FIREWALL, "allowed": "all"}, None),
        (_records.firewall_rule, {**FIREWALL, "priority": "high"}, ("allowed", {"IPProtocol": "tcp"})),
        (_records.firewall_rule, {**FIREWALL, "sourceRanges": [None]}, ("allowed", {"IPProtocol": "tcp"})),
        (_records.firewall_rule, FIREWALL, ("allowed", "tcp")),
        (_records.firewall_rule, FIREWALL, ("allowed", {"ports": ["22"]})),
        (_records.instance, {**INSTANCE, "networkInterfaces": ["nic0"]}, None),
        (_records.instance, {**INSTANCE, "tags": ["web"]}, None),
    ],
)
def test_what_cannot_be_understood_is_refused_not_guessed(transform, item, member):
    with pytest.raises(RecordError):
        transform(SCOPE, item, member)


@pytest.mark.parametrize(
    "link",
    [
        "https://www.googleapis.com/compute/v1/projects/example.com:p/global/networks/n",
        "http://127.0.0.1:8080/compute/v1/projects/example.com%3Ap/global/networks/n",
        "projects/example.com:p/global/networks/n",
        "global/networks/n",
    ],
)
def test_full_names_do_not_depend_on_how_a_link_is_spelled(link):
    assert _names.compute_name(link, "example.com:p") == (
        "//compute.googleapis.com/projects/example.com:p/global/networks/n"
    )
