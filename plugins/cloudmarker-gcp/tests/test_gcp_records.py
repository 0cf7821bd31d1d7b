"""What records say: JSON in, record out."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path

import pytest
from cloudmarker.errors import RecordError
from cloudmarker.fields import validate
from cloudmarker_gcp import _names, _table
from cloudmarker_gcp._record import Where, record
from cloudmarker_gcp._scopes import Scope
from googledocuments import path_of

ESTATE = json.loads((Path(__file__).parent / "data" / "estate.json").read_text())
SCOPE = Scope("project", "shop", "1234", "The shop", "ACTIVE")
LINK = "https://www.googleapis.com/compute/v1/projects/shop"
NAME = "//compute.googleapis.com/projects/shop"
MANAGER = "//cloudresourcemanager.googleapis.com"
PROJECT_NAME = f"{MANAGER}/projects/shop"
KEY = "//cloudkms.googleapis.com/projects/shop/locations/us-east1/keyRings/main/cryptoKeys/disks"

ROWS = {
    row.record_type: row for top in (*_table.SCOPES, _table.SERVICES, *_table.TABLE) for row in top.walk() if row.kind
}
PARENTS = {
    "sql_database": {"reference": "//cloudsql.googleapis.com/projects/shop/instances/orders", "engine": "postgresql"},
    "crypto_key": {"reference": "//cloudkms.googleapis.com/projects/shop/locations/us-east1/keyRings/main"},
    "instance_group_member": {"reference": f"{NAME}/zones/us-east1-b/instanceGroups/by-hand", "location": "us-east1-b"},
    "network_endpoint": {"reference": f"{NAME}/zones/us-east1-b/networkEndpointGroups/pods", "location": "us-east1-b"},
}


def where(record_type, scope=SCOPE):
    return Where(scope, PARENTS.get(record_type, {}))


def made(record_type, item, scope=SCOPE):
    """All records of an item of a row: its own, and those of its parts."""
    row = ROWS[record_type]
    own = record(row.kind, where(record_type, scope), item)
    inner = Where(scope, own["com"])
    return [own, *(part.make(inner, item, member) for part in row.parts for member in part.members(item))]


def com(record_type, item, **changes):
    return made(record_type, {**item, **changes})[0]["com"]


def samples():
    """An item of each row, from the estate."""
    found = {}
    for record_type, row in ROWS.items():
        if record_type in ("project", "folder", "organization"):
            continue
        parent = f"zones/PARENT/{row.collections[0]}/PARENT" if row.collections else "PARENT"
        pattern = re.escape(path_of(row, SCOPE, parent)).replace("/aggregated/", "/PLACE/").replace("PARENT", ".+")
        pattern = pattern.replace("PLACE", "(global|regions/[^/]+|zones/[^/]+)")
        bodies = [body for key, body in ESTATE.items() if re.fullmatch(pattern, key)]
        items = [item for body in bodies for item in (body[row.items] if row.items else [body])]
        assert items, f"the estate has no {record_type}: {pattern}"
        found[record_type] = max(items, key=lambda item: len(json.dumps(item)))
    return found


SAMPLES = samples()


def of(path, name):
    (item,) = [item for item in ESTATE[path]["items"] if item["name"] == name]
    return item


@pytest.mark.parametrize("record_type", SAMPLES)
def test_raw_is_the_very_answer_unchanged_and_com_is_in_the_common_model(record_type):
    item = copy.deepcopy(SAMPLES[record_type])
    records = made(record_type, item)
    assert item == SAMPLES[record_type]
    assert records[0]["raw"] is item
    for each in records:
        assert validate(each["com"]) == []
        assert each["com"]["cloud_type"] == each["ext"]["cloud_type"] == "gcp"
        assert (each["ext"]["project_id"], each["ext"]["project_number"]) == ("shop", "1234")
        assert re.match(r"//[a-z]+\.googleapis\.com/[^/]", each["com"]["reference"])
        assert each["com"]["parent"].startswith("//")


ODD = (None, 5, -1.5, "", "x", "\ud800", True, [], ["x"], [5, None], {}, {"x": 1}, [[]], [{}], 10**30, float("nan"))


def places(value, path=()):
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from places(inner, (*path, index))


def changed(value, path, new):
    if not path:
        return new
    copied = copy.copy(value)
    copied[path[0]] = changed(value[path[0]], path[1:], new)
    return copied


@pytest.mark.parametrize("record_type", SAMPLES)
def test_odd_json_gives_a_record_in_the_common_model_or_is_refused(record_type):
    item = SAMPLES[record_type]
    for path in places(item):
        for odd in ODD:
            if not path:
                continue
            try:
                records = made(record_type, changed(item, path, odd))
            except RecordError as exc:
                assert str(exc)  # noqa: PT017
                continue
            for each in records:
                assert validate(each["com"]) == [], (path, odd)


@pytest.mark.parametrize("record_type", SAMPLES)
def test_what_names_itself_needs_nothing_else(record_type):
    kept = {"name", "selfLink", "datasetReference", "metadata", "instance", "networkEndpoint"}
    item = {key: value for key, value in SAMPLES[record_type].items() if key in kept}
    assert validate(made(record_type, item)[0]["com"]) == []


@pytest.mark.parametrize(
    ("level", "item", "expected"),
    [
        (
            "project",
            {"name": "projects/1234", "parent": "folders/77", "projectId": "shop", "state": "ACTIVE",
             "displayName": "The shop", "createTime": "2024-01-02T03:04:05.678Z", "labels": {"env": "prod"}},
            ("project", "The shop", "active", f"{PROJECT_NAME}", "folders/77", {"env": "prod"}),
        ),
        (
            "folder",
            {"name": "folders/77", "parent": "organizations/9", "displayName": "Retail", "state": "ACTIVE"},
            ("folder", "Retail", "active", f"{MANAGER}/folders/77", "organizations/9", {}),
        ),
        (
            "organization",
            {"name": "organizations/9", "displayName": "example.com", "state": "ACTIVE"},
            ("organization", "example.com", "active", f"{MANAGER}/organizations/9", None, {}),
        ),
    ],
)  # fmt: skip
def test_a_scope_has_its_parent(level, item, expected):
    found = record(ROWS[level].kind, Where(Scope.of(level, item), {}), item)["com"]
    assert validate(found) == []
    parent = f"//cloudresourcemanager.googleapis.com/{expected[4]}" if expected[4] else None
    assert (found["scope_type"], found["name"], found["state"], found["reference"], found["tags"]) == (
        *expected[:4],
        expected[5],
    )
    assert found["parent"] == parent


FIREWALL = {
    "creationTimestamp": "2024-01-02T03:04:05.678-08:00",
    "name": "web",
    "network": f"{LINK}/global/networks/default",
    "allowed": [{"IPProtocol": "TCP", "ports": ["443", "8000-8080"]}, {"IPProtocol": "icmp"}],
    "denied": [{"IPProtocol": "all"}],
    "selfLink": f"{LINK}/global/firewalls/web",
}


def rules(**fields):
    return [each["com"] for each in made("firewall", {**FIREWALL, **fields})[1:]]


def rule(**fields):
    return rules(denied=[], allowed=[{"IPProtocol": "tcp", "ports": ["22"]}], **fields)[0]


def test_a_firewall_counts_its_entries_and_names_its_network():
    found = com("firewall", FIREWALL)
    assert (found["rule_count"], found["networks"]) == (3, [f"{NAME}/global/networks/default"])
    assert found["reference"] == f"{NAME}/global/firewalls/web"
    assert found["location"] is None


def test_each_entry_is_a_rule_of_its_own_with_the_whole_firewall_as_raw():
    assert [(each["entry"], each["access"], each["protocol"], each["destination_ports"]) for each in rules()] == [
        ("allowed/tcp/443,8000-8080", "allow", "tcp", ["443", "8000-8080"]),
        ("allowed/icmp", "allow", "icmp", ["*"]),
        ("denied/all", "deny", "all", ["*"]),
    ]
    assert made("firewall", FIREWALL)[1]["raw"] is FIREWALL


def test_a_protocol_number_becomes_its_name_and_the_entry_keeps_the_spelling():
    found = rules(denied=[], allowed=[{"IPProtocol": "6", "ports": ["22"]}])[0]
    assert (found["protocol"], found["entry"]) == ("tcp", "allowed/6/22")


def test_the_defaults_of_the_api_are_filled_in():
    found = rule()
    assert (found["direction"], found["priority"], found["enabled"]) == ("in", 1000, True)
    assert (found["source_addresses"], found["destination_addresses"]) == (["0.0.0.0/0"], ["0.0.0.0/0", "::/0"])


def test_priority_direction_and_disabled_are_taken_over():
    found = rule(priority=0, direction="EGRESS", disabled=True)
    assert (found["priority"], found["direction"], found["enabled"]) == (0, "out", False)


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
    assert rule(direction="EGRESS")["source_addresses"] == ["0.0.0.0/0", "::/0"]
    assert rule(direction="EGRESS", destinationRanges=["192.0.2.0/24"])["destination_addresses"] == ["192.0.2.0/24"]


def test_targets_and_sources_by_tag_and_account_are_kept():
    found = rule(sourceTags=["a"], sourceServiceAccounts=["b@c"], targetTags=["d"], targetServiceAccounts=["e@f"])
    assert (found["source_tags"], found["source_identities"]) == (["a"], ["b@c"])
    assert (found["target_tags"], found["target_identities"]) == (["d"], ["e@f"])


@pytest.mark.parametrize(
    "fields",
    [
        {"selfLink": None},
        {"allowed": "all"},
        {"priority": "high"},
        {"sourceRanges": [None]},
        {"allowed": ["tcp"]},
        {"allowed": [{"ports": ["22"]}]},
    ],
)
def test_a_rule_that_cannot_be_understood_is_refused_not_guessed(fields):
    with pytest.raises(RecordError):
        made("firewall", {**FIREWALL, **fields})


def test_each_protocol_of_a_policys_rule_is_a_rule_and_the_order_is_that_of_its_priority():
    policy, *found = made("network_firewall_policy", SAMPLES["network_firewall_policy"])
    assert policy["com"]["networks"] == [f"{NAME}/global/networks/main"]
    assert policy["com"]["rule_count"] == len(found) == 3
    assert [(each["com"]["entry"], each["com"]["access"], each["com"]["priority"]) for each in found] == [
        ("100/tcp/23", "deny", 100),
        ("100/udp", "deny", 100),
        ("2147483647/all", "next", 2147483647),
    ]
    assert found[0]["raw"] is SAMPLES["network_firewall_policy"]["rules"][0]
    assert found[0]["com"]["target_identities"] == ["web@shop.iam.gserviceaccount.com"]
    assert (found[0]["com"]["name"], found[2]["com"]["name"]) == ("no-telnet", "net-policy")


def test_a_hierarchical_policy_protects_scopes_and_has_no_project():
    found = made("firewall_policy", SAMPLES["firewall_policy"], Scope("organization", "9000"))
    assert found[0]["com"]["reference"] == "//compute.googleapis.com/locations/global/firewallPolicies/5000"
    assert found[0]["com"]["networks"] == ["//cloudresourcemanager.googleapis.com/organizations/9000"]
    assert found[0]["com"]["name"] == "org-policy"
    assert found[0]["ext"]["project_id"] is None
    assert found[1]["com"]["destination_addresses"] == ["10.0.0.0/8"]


@pytest.mark.parametrize(
    ("match", "sources"),
    [
        ({}, ["0.0.0.0/0"]),
        ({"srcSecureTags": [{"name": "tagValues/1"}]}, []),
        ({"srcIpRanges": ["0.0.0.0/0"], "srcRegionCodes": ["DE"]}, ["0.0.0.0/0", "DE"]),
        ({"srcRegionCodes": ["DE"]}, ["DE"]),
        ({"srcNetworkScope": "INTERNET"}, ["Internet"]),
        ({"srcNetworkScope": "NON_INTERNET", "srcIpRanges": ["0.0.0.0/0"]}, ["NON_INTERNET"]),
        ({"srcNetworkScope": "NON_INTERNET", "srcIpRanges": ["10.0.0.0/8"]}, ["10.0.0.0/8"]),
        ({"srcNetworkType": "INTERNET", "srcIpRanges": ["198.51.100.0/24"]}, ["198.51.100.0/24"]),
        ({"srcThreatIntelligences": ["iplist-tor-exit-nodes"]}, ["iplist-tor-exit-nodes"]),
    ],
)
def test_sources_of_a_policys_rule_are_anywhere_only_if_nothing_narrows_them(match, sources):
    item = {
        "name": "p",
        "selfLink": f"{LINK}/global/firewallPolicies/p",
        "rules": [{"priority": 1, "action": "allow", "match": match}],
    }
    assert made("network_firewall_policy", item)[1]["com"]["source_addresses"] == sources


def test_secure_tags_are_groups_and_a_policys_rule_may_be_for_some_networks():
    rule = {
        "priority": 1,
        "action": "allow",
        "match": {"srcSecureTags": [{"name": "tagValues/1"}]},
        "targetSecureTags": [{"name": "tagValues/2"}],
        "targetResources": [f"{LINK}/global/networks/main"],
    }
    own = made(
        "network_firewall_policy", {"name": "p", "selfLink": f"{LINK}/global/firewallPolicies/p", "rules": [rule]}
    )
    found = own[1]["com"]
    assert found["target_type"] == "machine"
    assert (found["source_groups"], found["destination_groups"]) == (["tagValues/1"], ["tagValues/2"])
    assert (found["source_tags"], found["target_tags"]) == ([], [])
    assert found["target_networks"] == [f"{NAME}/global/networks/main"]


@pytest.mark.parametrize(
    ("target", "kind"), [(None, "machine"), ("INSTANCES", "machine"), ("INTERNAL_MANAGED_LB", "load_balancer")]
)
def test_a_policys_rule_is_for_machines_or_for_load_balancers(target, kind):
    rule = {"priority": 1, "action": "allow", "match": {}, "targetType": target}
    item = {"name": "p", "selfLink": f"{LINK}/global/firewallPolicies/p", "rules": [rule]}
    assert made("network_firewall_policy", item)[1]["com"]["target_type"] == kind


@pytest.mark.parametrize(
    ("order", "first"), [("BEFORE_CLASSIC_FIREWALL", True), ("AFTER_CLASSIC_FIREWALL", False), (None, False)]
)
def test_a_network_says_whether_policies_come_before_its_rules(order, first):
    item = {"name": "n", "selfLink": f"{LINK}/global/networks/n", "networkFirewallPolicyEnforcementOrder": order}
    assert com("network", item)["policies_first"] is first


@pytest.mark.parametrize(
    "fields",
    [{"action": "maybe"}, {"priority": None}, {"match": []}, {"match": {"srcIpRanges": 5}}, {"targetType": "MARS"}],
)
def test_a_policys_rule_that_cannot_be_understood_is_refused_not_guessed(fields):
    item = {
        "name": "p",
        "selfLink": f"{LINK}/global/firewallPolicies/p",
        "rules": [{"priority": 1, "action": "allow", **fields}],
    }
    with pytest.raises(RecordError):
        made("network_firewall_policy", item)


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


def test_an_instance_lists_what_it_is_reachable_by():
    found = made("instance", INSTANCE)[0]
    own = found["com"]
    assert (found["ext"]["zone"], found["ext"]["region"], own["location"]) == ("us-east1-b", "us-east1", "us-east1-b")
    assert (own["state"], own["size"]) == ("stopped", "e2-small")
    assert own["networks"] == [
        f"{NAME}/global/networks/default",
        "//compute.googleapis.com/projects/hub/global/networks/shared",
    ]
    assert own["subnets"] == [f"{NAME}/regions/us-east1/subnetworks/default"]
    assert own["private_addresses"] == ["10.1.2.3", "10.9.9.9", "fd20::1"]
    assert own["public_addresses"] == ["203.0.113.5", "2001:db8::1"]
    assert (own["network_tags"], own["identities"]) == (["web"], ["web@shop.iam.gserviceaccount.com"])
    assert own["parent"] == PROJECT_NAME


def test_an_instance_names_its_disks_boot_disk_first_and_who_made_it():
    disks = [
        {"source": f"{LINK}/zones/us-east1-b/disks/data", "boot": False},
        {"source": f"{LINK}/zones/us-east1-b/disks/boot", "boot": True, "licenses": [f"{LINK}/licenses/debian-12"]},
    ]
    made_by = {"key": "created-by", "value": "projects/1234/zones/us-east1-b/instanceGroupManagers/web"}
    own = com(
        "instance",
        INSTANCE,
        disks=disks,
        metadata={"items": [{}, {"key": "x", "value": "y"}, made_by]},
        canIpForward=False,
        shieldedInstanceConfig={"enableSecureBoot": True, "enableVtpm": False},
        confidentialInstanceConfig={"confidentialInstanceType": "SEV"},
    )
    assert own["disks"] == [f"{NAME}/zones/us-east1-b/disks/boot", f"{NAME}/zones/us-east1-b/disks/data"]
    assert own["compute_group"] == f"{NAME}/zones/us-east1-b/instanceGroups/web"
    assert (own["os"], own["secure_boot"], own["vtpm"], own["confidential"]) == ("linux", True, False, True)
    assert own["ip_forwarding"] is False


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
    assert com("instance", INSTANCE, disks=[{"boot": True, **disk}])["os"] == system


@pytest.mark.parametrize(
    ("status", "state"),
    [("RUNNING", "running"), ("STOPPED", "stopped"), ("SUSPENDED", "suspended"), ("REPAIRING", "other"), (None, None)],
)
def test_life_cycle_states_become_common_ones(status, state):
    assert com("instance", INSTANCE, status=status)["state"] == state


@pytest.mark.parametrize(
    ("key", "encryption", "name"),
    [
        (None, "provider_key", None),
        ({"kmsKeyName": f"{KEY[len('//cloudkms.googleapis.com/') :]}/cryptoKeyVersions/3"}, "customer_key", KEY),
        ({"sha256": "x"}, "supplied_key", None),
    ],
)
def test_a_disk_is_encrypted_always_and_says_with_whose_key(key, encryption, name):
    own = com("disk", SAMPLES["disk"], diskEncryptionKey=key)
    assert (own["encryption"], own["encryption_key"]) == (encryption, name)


def test_a_disk_is_attached_if_somebody_uses_it():
    zone = "/compute/v1/projects/shop/zones/us-east1-b/disks"
    used, spare = com("disk", of(zone, "web-0")), com("disk", of(zone, "spare"))
    assert (used["state"], used["attached_to"], used["size_gib"]) == (
        "attached",
        [f"{NAME}/zones/us-east1-b/instances/web-0"],
        10,
    )
    assert (spare["state"], spare["attached_to"]) == ("unattached", [])


def test_a_network_names_its_subnets_and_those_it_is_joined_with():
    own = com("network", of("/compute/v1/projects/shop/global/networks", "main"))
    assert own["subnets"] == [f"{NAME}/regions/us-east1/subnetworks/main"]
    assert own["peers"] == ["//compute.googleapis.com/projects/hub/global/networks/hub"]


def test_a_subnet_has_all_its_ranges_and_its_purpose():
    path = "/compute/v1/projects/shop/regions/us-east1/subnetworks"
    own, proxies = com("subnetwork", of(path, "main")), com("subnetwork", of(path, "proxies"))
    assert own["address_ranges"] == ["10.0.0.0/20", "10.4.0.0/14"]
    assert (own["purpose"], own["flow_logs"], own["private_access"]) == (None, True, True)
    assert (proxies["purpose"], proxies["flow_logs"]) == ("regional_managed_proxy", False)


def test_a_forwarding_rule_is_a_load_balancer():
    root = "/compute/v1/projects/shop"
    front = com("forwarding_rule", of(f"{root}/global/forwardingRules", "front"))
    inner = com("forwarding_rule", of(f"{root}/regions/us-east1/forwardingRules", "inner"))
    assert (front["scheme"], front["layer"], front["protocols"]) == ("external", "application", ["https"])
    assert (front["public_addresses"], front["private_addresses"], front["ports"]) == (["203.0.113.80"], [], ["443"])
    assert (inner["scheme"], inner["layer"], inner["protocols"]) == ("internal", "network", ["udp"])
    assert (inner["private_addresses"], inner["ports"]) == (["10.0.0.9"], ["53"])
    assert (front["backend_ports"], inner["backend_ports"]) == ([], ["53"])
    assert inner["backend_pools"] == [f"{NAME}/regions/us-east1/backendServices/inner"]


def test_a_reserved_range_is_a_cidr():
    own = com("address", of("/compute/v1/projects/shop/global/addresses", "peering"))
    assert (own["address"], own["scheme"], own["ip_version"]) == ("10.20.0.0/16", "internal", "ipv4")


def test_a_bucket_says_what_it_lets_in_and_keeps():
    photos, logs = (com("bucket", of("/storage/v1/b", name)) for name in ("shop-photos", "shop-logs"))
    assert photos["reference"] == "//storage.googleapis.com/shop-photos"
    assert (photos["anonymous_access_allowed"], photos["uniform_access"]) == (True, True)
    assert (photos["soft_delete_days"], photos["versioning"], photos["retention_days"]) == (7, True, None)
    assert (photos["encryption"], photos["encryption_key"]) == ("customer_key", KEY)
    assert (logs["anonymous_access_allowed"], logs["uniform_access"]) == (False, False)
    assert (logs["retention_days"], logs["retention_locked"], logs["soft_delete_days"]) == (30, True, 0)
    assert (logs["location"], logs["tags"]) == ("us-east1", {"env": "prod"})


def test_a_database_server_says_who_reaches_it():
    path = "/sql/v1beta4/projects/shop/instances"
    main, office, anyone = (each["com"] for each in made("sql_instance", of(path, "orders")))
    assert (main["engine"], main["state"], main["network_access"]) == ("postgresql", "running", "public")
    assert (main["public_addresses"], main["private_addresses"]) == (["203.0.113.90"], ["10.20.0.3"])
    assert (main["require_tls"], main["directory_auth"], main["high_availability"]) == (True, True, True)
    assert (main["backups"], main["backup_retention_days"]) == (True, 7)
    assert main["allowed_networks"] == [f"{NAME}/global/networks/main"]
    assert (office["source_addresses"], office["target"]) == (["198.51.100.0/24"], main["reference"])
    assert (office["name"], anyone["source_addresses"]) == ("office", ["0.0.0.0/0"])
    replica = com("sql_instance", of(path, "orders-replica"))
    assert (replica["network_access"], replica["replica_of"]) == ("private", main["reference"])
    assert (replica["state"], replica["require_tls"], replica["backups"]) == ("suspended", True, False)


def test_a_policy_gives_a_binding_for_each_role_and_member():
    found = made("iam_policy", SAMPLES["iam_policy"])
    bindings = [each["com"] for each in found if each["com"]["record_type"] == "identity_binding"]
    assert [(each["role"], each["principal"], each["principal_type"]) for each in bindings] == [
        ("roles/owner", "user:ann@example.com", "user"),
        ("roles/editor", "serviceAccount:1234-compute@developer.gserviceaccount.com", "service_account"),
        ("roles/editor", "deleted:user:bob@example.com?uid=1", "user"),
    ]
    assert {each["scope"] for each in bindings} == {PROJECT_NAME}
    (audit,) = [each["com"] for each in found if each["com"]["record_type"] == "audit_config"]
    assert (audit["name"], audit["categories"]) == ("allServices", ["admin_read", "data_read"])


@pytest.mark.parametrize(
    ("member", "kind"),
    [
        ("allUsers", "anyone"),
        ("allAuthenticatedUsers", "authenticated"),
        ("group:a@example.com", "group"),
        ("domain:example.com", "domain"),
        ("projectOwner:shop", "other"),
        ("principalSet://iam.googleapis.com/x", "other"),
    ],
)
def test_members_of_policies_are_of_a_common_kind(member, kind):
    policy = {"bindings": [{"role": "roles/viewer", "members": [member]}]}
    assert made("iam_policy", policy)[1]["com"]["principal_type"] == kind


def test_a_condition_is_kept():
    path = "/storage/v1/b/shop-logs/iam"
    assert [each["com"]["condition"] for each in made("bucket_iam_policy", ESTATE[path])[1:]] == [
        "request.time < timestamp('2030-01-01T00:00:00Z')"
    ] * 2


def test_the_access_of_a_dataset_is_bindings():
    path = "/bigquery/v2/projects/shop/datasets/sales"
    own, *found = (each["com"] for each in made("dataset", ESTATE[path]))
    assert (own["engine"], own["encryption"], own["location"]) == ("bigquery", "customer_key", "us")
    assert own["created"] == "2024-01-02T03:04:05Z"
    assert [(each["role"], each["principal"], each["principal_type"]) for each in found] == [
        ("OWNER", "projectOwners", "other"),
        ("READER", "allUsers", "anyone"),
        ("WRITER", "user:ann@example.com", "user"),
    ]
    assert {each["scope"] for each in found} == {own["reference"]}


def test_keys_say_how_they_rotate_and_where_they_are_kept():
    path = "/v1/projects/shop/locations/us-east1/keyRings/main/cryptoKeys"
    disks, signing = (com("crypto_key", item) for item in ESTATE[path]["cryptoKeys"])
    assert disks["reference"] == KEY
    assert (disks["rotation_days"], disks["next_rotation"], disks["hsm"], disks["enabled"]) == (
        90,
        "2024-04-01T00:00:00Z",
        True,
        True,
    )
    assert disks["key_vault"] == KEY.rpartition("/cryptoKeys/")[0]
    assert (signing["purpose"], signing["rotation_days"], signing["hsm"], signing["enabled"]) == (
        "asymmetric_sign",
        None,
        False,
        None,
    )


def test_a_cluster_and_its_pools():
    own, pool = (each["com"] for each in made("gke_cluster", SAMPLES["gke_cluster"]))
    assert own["reference"] == "//container.googleapis.com/projects/shop/locations/us-east1/clusters/main"
    assert own["networks"] == [f"{NAME}/global/networks/main"]
    assert own["subnets"] == [f"{NAME}/regions/us-east1/subnetworks/main"]
    assert (own["network_access"], own["allowed_addresses"]) == ("selected", ["198.51.100.0/24"])
    assert (own["private_nodes"], own["network_policy"], own["workload_identity"]) == (True, True, True)
    assert (own["role_based"], own["local_auth"], own["encryption"]) == (True, False, "customer_key")
    assert (pool["cluster"], pool["node_count"], pool["os"]) == (own["reference"], 4, "linux")
    assert pool["reference"] == f"{own['reference']}/nodePools/default"


@pytest.mark.parametrize(("location", "region"), [("us-east1-b", "us-east1"), ("us-east1", "us-east1")])
def test_short_names_in_a_cluster_are_completed(location, region):
    own = com("gke_cluster", SAMPLES["gke_cluster"], networkConfig={}, location=location)
    assert own["networks"] == [f"{NAME}/global/networks/main"]
    assert own["subnets"] == [f"{NAME}/regions/{region}/subnetworks/main"]


def test_functions_and_services_are_web_apps():
    function, service = com("function", SAMPLES["function"]), com("run_service", SAMPLES["run_service"])
    assert (function["app_type"], function["network_access"], function["https_only"]) == ("function", "public", True)
    assert function["hosts"] == ["us-east1-shop.cloudfunctions.net", "resize-abc-ue.a.run.app"]
    assert (service["app_type"], service["network_access"], service["state"]) == ("container", "selected", "running")
    assert service["reference"] == "//run.googleapis.com/projects/shop/locations/us-east1/services/api"
    assert service["location"] == "us-east1"


def test_service_accounts_and_their_keys():
    accounts = [com("service_account", item) for item in ESTATE["/v1/projects/shop/serviceAccounts"]["accounts"]]
    assert [(each["principal"], each["enabled"]) for each in accounts] == [
        ("serviceAccount:web@shop.iam.gserviceaccount.com", True),
        ("serviceAccount:old@shop.iam.gserviceaccount.com", False),
    ]
    key = com("service_account_key", SAMPLES["service_account_key"])
    assert (key["created"], key["expires"]) == ("2024-01-02T03:04:05Z", "9999-12-31T23:59:59Z")


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


@pytest.mark.parametrize(
    ("link", "project"),
    [
        ("https://x/compute/v1/projects/example.com%3Ap/zones/z/instances/i", "example.com:p"),
        ("projects/p:getIamPolicy", "p"),
        ("projects/12", "12"),
        ("organizations/1", None),
        ("https://www.googleapis.com/storage/v1/b/projects", None),
    ],
)
def test_the_project_in_a_link_is_found(link, project):
    assert _names.project_in(link) == project
