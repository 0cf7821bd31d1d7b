"""What stands behind load balancers: groups and their entries, and the machines that the Internet reaches by them."""

from __future__ import annotations

import json

import pytest
from cloudmarker.errors import RecordError
from cloudmarker.events.internetexposureevent import InternetExposureEvent
from cloudmarker.reading import UnreadError
from cloudmarker_gcp import _table
from cloudmarker_gcp._client import Call
from cloudmarker_gcp._com_backends import place_of_endpoints, place_of_group
from cloudmarker_gcp._record import Where, record
from cloudmarker_gcp._scopes import Scope
from cloudmarker_simulators import Fault

SCOPE = Scope("project", "shop", "1234", "The shop", "ACTIVE")
LINK = "https://www.googleapis.com/compute/v1/projects/shop"
NAME = "//compute.googleapis.com/projects/shop"
ZONE, REGION = "zones/us-east1-b", "regions/us-east1"
KINDS = {row.record_type: row.kind for top in _table.TABLE for row in top.walk() if row.kind}


def of(path, name, **fields):
    """A resource of Compute Engine."""
    return {"name": name, "selfLink": f"{LINK}/{path}/{name}", **fields}


def entry(record_type, group, **item):
    """The com bucket of an entry of a group of the zone."""
    owner = {"reference": f"{NAME}/{group}", "location": "us-east1-b" if group.startswith("zones/") else None}
    return record(KINDS[record_type], Where(SCOPE, owner), item)["com"]


def test_a_member_of_a_group_is_a_machine_and_has_the_reference_of_the_group():
    group = f"{ZONE}/instanceGroups/g"
    com = entry("instance_group_member", group, instance=f"{LINK}/{ZONE}/instances/vm", status="RUNNING")
    assert (com["reference"], com["name"], com["parent"]) == (f"{NAME}/{group}", "vm", f"{NAME}/{group}")
    assert (com["backend_pool"], com["machine"]) == (f"{NAME}/{group}", f"{NAME}/{ZONE}/instances/vm")
    assert (com["location"], com["ports"], com["account"]) == ("us-east1-b", [], "shop")


@pytest.mark.parametrize("instance", [f"{LINK}/{ZONE}/instances/vm", f"projects/shop/{ZONE}/instances/vm", "vm"])
def test_the_machine_of_an_endpoint_may_be_a_link_or_a_name_in_the_zone(instance):
    point = {"instance": instance, "ipAddress": "10.0.0.4", "port": 80}
    com = entry("network_endpoint", f"{ZONE}/networkEndpointGroups/g", networkEndpoint=point)
    assert com["machine"] == f"{NAME}/{ZONE}/instances/vm"
    assert (com["name"], com["address"], com["ports"], com["host"]) == ("10.0.0.4:80", "10.0.0.4", ["80"], None)


def test_an_endpoint_may_be_a_name_somewhere_else():
    point = {"fqdn": "partner.example.com", "port": 443}
    com = entry("network_endpoint", "global/networkEndpointGroups/g", networkEndpoint=point)
    assert (com["name"], com["host"]) == ("partner.example.com:443", "partner.example.com")
    assert (com["machine"], com["address"], com["location"]) == (None, None, None)


@pytest.mark.parametrize("item", [{}, {"networkEndpoint": {}}, {"networkEndpoint": {"port": 80}}, {"instance": 5}])
def test_an_entry_that_names_nothing_is_refused(item):
    with pytest.raises(RecordError, match="has no"):
        entry("network_endpoint", f"{ZONE}/networkEndpointGroups/g", **item)
    with pytest.raises(RecordError, match="has no instance"):
        entry("instance_group_member", f"{ZONE}/instanceGroups/g", **item)


def test_groups_that_are_empty_or_of_a_kind_without_endpoints_are_not_asked():
    assert place_of_group(of(f"{ZONE}/instanceGroups", "g", size=1)) == f"{ZONE}/instanceGroups/g"
    assert place_of_group(of(f"{ZONE}/instanceGroups", "g")) == f"{ZONE}/instanceGroups/g"
    assert place_of_group(of(f"{ZONE}/instanceGroups", "g", size=0)) is None
    path = "global/networkEndpointGroups"
    assert place_of_endpoints(of(path, "g", size=2, networkEndpointType="INTERNET_IP_PORT")) == f"{path}/g"
    assert place_of_endpoints(of(path, "g", networkEndpointType="SERVERLESS")) is None
    assert place_of_endpoints(of(path, "g", networkEndpointType="PRIVATE_SERVICE_CONNECT")) is None


@pytest.mark.parametrize("path", [f"{ZONE}/../../../../v3/projects/other", "./x", f"{ZONE}/..", f"{ZONE}/disks/d"])
def test_a_link_that_leads_out_of_its_place_is_not_followed(path):
    (row,) = _table.rows_for(["instance_group_member"])
    place = place_of_group({"selfLink": f"{LINK}/{path}", "name": "g"})
    with pytest.raises(UnreadError, match="is no name of a resource"):
        Call.of(row.children[0], SCOPE, place)


def test_a_pool_names_its_machines_and_the_pool_that_stands_in():
    instances = [f"{LINK}/{ZONE}/instances/a", f"{LINK}/{ZONE}/instances/b"]
    item = of(f"{REGION}/targetPools", "p", instances=instances, backupPool=f"{LINK}/{REGION}/targetPools/spare")
    com = record(KINDS["target_pool"], Where(SCOPE, {}), item)["com"]
    assert com["backends"] == [f"{NAME}/{ZONE}/instances/a", f"{NAME}/{ZONE}/instances/b"]
    assert (com["backend_pools"], com["backend_count"]) == ([f"{NAME}/{REGION}/targetPools/spare"], 2)


VM = f"{LINK}/{ZONE}/instances/vm"
SERVICE = f"{LINK}/{REGION}/backendServices/service"
GROUP, ENDPOINTS = f"{ZONE}/instanceGroups/group", f"{ZONE}/networkEndpointGroups/endpoints"

ESTATE = {
    "zones": [{"name": "us-east1-b", "status": "UP", "region": f"{LINK}/{REGION}"}],
    f"{ZONE}/instances": [
        of(
            f"{ZONE}/instances",
            "vm",
            status="RUNNING",
            networkInterfaces=[{"network": f"{LINK}/global/networks/net", "networkIP": "10.0.0.4"}],
        )
    ],
    "global/networks": [of("global/networks", "net")],
    "global/firewalls": [
        of(
            "global/firewalls",
            "open",
            network=f"{LINK}/global/networks/net",
            sourceRanges=["0.0.0.0/0"],
            allowed=[{"IPProtocol": "tcp", "ports": ["22"]}],
        )
    ],
}
"""A machine without a public address, and a rule that lets in everybody."""

BEHIND = {
    "instance_group": {
        f"{ZONE}/instanceGroups": [of(f"{ZONE}/instanceGroups", "group", size=1)],
        f"{GROUP}/listInstances": [{"instance": VM, "status": "RUNNING"}],
        f"{REGION}/backendServices": [
            of(
                f"{REGION}/backendServices",
                "service",
                loadBalancingScheme="EXTERNAL",
                backends=[{"group": f"{LINK}/{GROUP}"}],
            )
        ],
    },
    "network_endpoint_group": {
        f"{ZONE}/networkEndpointGroups": [
            of(f"{ZONE}/networkEndpointGroups", "endpoints", size=1, networkEndpointType="GCE_VM_IP")
        ],
        f"{ENDPOINTS}/listNetworkEndpoints": [{"networkEndpoint": {"instance": "vm", "ipAddress": "10.0.0.4"}}],
        f"{REGION}/backendServices": [
            of(
                f"{REGION}/backendServices",
                "service",
                loadBalancingScheme="EXTERNAL",
                backends=[{"group": f"{LINK}/{ENDPOINTS}"}],
            )
        ],
    },
    "target_pool": {f"{REGION}/targetPools": [of(f"{REGION}/targetPools", "pool", instances=[VM])]},
    "target_instance": {f"{ZONE}/targetInstances": [of(f"{ZONE}/targetInstances", "direct", instance=VM)]},
}
LEADS = {
    "instance_group": {"backendService": SERVICE},
    "network_endpoint_group": {"backendService": SERVICE},
    "target_pool": {"target": f"{LINK}/{REGION}/targetPools/pool"},
    "target_instance": {"target": f"{LINK}/{ZONE}/targetInstances/direct"},
}


@pytest.fixture
def behind(start, tmp_path):
    """Starts a project in which the machine can only be reached by what stands behind a forwarding rule."""

    def make(kind, scheme="EXTERNAL"):
        rule = {"IPAddress": "198.51.100.7", "IPProtocol": "TCP", "portRange": "22-22", "loadBalancingScheme": scheme}
        lists = {**ESTATE, **BEHIND[kind]}
        lists[f"{REGION}/forwardingRules"] = [of(f"{REGION}/forwardingRules", "front", **rule, **LEADS[kind])]
        bodies = {f"/compute/v1/projects/shop/{path}": {"items": items} for path, items in lists.items()}
        project = {"projectId": "shop", "projectNumber": "1234", "name": "shop", "lifecycleState": "ACTIVE"}
        bodies["/v1/projects"] = {"projects": [project]}
        path = tmp_path / "answers.jsonl"
        path.write_text("\n".join(json.dumps({"host": "", "path": key, "body": body}) for key, body in bodies.items()))
        return start(recordings=path)

    return make


def exposed(result):
    event = InternetExposureEvent()
    for each in result.records:
        assert list(event.eval(each)) == []
    return [found["com"] for found in event.finish()]


@pytest.mark.parametrize("zone", [None, "us-east1-b"])
@pytest.mark.parametrize("kind", BEHIND)
def test_a_machine_that_is_reached_only_by_a_load_balancer_is_found(behind, read, kind, zone):
    simulator = behind(kind)
    result = read(simulator, record_types=None, zone=zone)
    assert simulator.refused == 0
    in_zones = kind != "target_pool"
    assert result.coverage["shop", kind] == ("skipped" if zone and in_zones else "ok", 1)
    (com,) = exposed(result)
    assert com["reference"] == f"{NAME}/{ZONE}/instances/vm"
    assert (com["exposed_tcp_ports"], com["public_addresses"]) == (["22"], [])
    assert com["load_balancers"] == [f"{NAME}/{REGION}/forwardingRules/front"]
    assert [name.rpartition("/")[2] for name in com["opened_by"]] == ["open"]


@pytest.mark.parametrize("kind", BEHIND)
def test_by_one_that_is_internal_it_is_not(behind, read, kind):
    assert exposed(read(behind(kind, "INTERNAL"), record_types=None)) == []


@pytest.mark.parametrize(
    ("kind", "entries", "method"),
    [
        ("instance_group", "instance_group_member", "listInstances"),
        ("network_endpoint_group", "network_endpoint", "listNetworkEndpoints"),
    ],
)
def test_entries_that_may_not_be_read_are_a_hole_that_names_the_group(behind, read, kind, entries, method):
    simulator = behind(kind)
    simulator.faults.append(Fault(f"/{method}", status=403))
    result = read(simulator, record_types=[kind, entries])
    assert result.coverage["shop", kind] == ("ok", 1)
    assert result.coverage["shop", entries] == ("denied", 0)
    assert "compute." in result.error("shop", entries)
    assert result.error("shop", entries).startswith(f"{ZONE}/")


def test_entries_come_in_pages(start, read, tmp_path):
    group = of(f"{ZONE}/instanceGroups", "group", size=5)
    entries = [{"instance": f"{LINK}/{ZONE}/instances/vm-{n}"} for n in range(5)]
    root = "/compute/v1/projects/shop"
    bodies = {
        "/v1/projects": {"projects": [{"projectId": "shop", "projectNumber": "1", "lifecycleState": "ACTIVE"}]},
        f"{root}/{ZONE}/instanceGroups": {"items": [group]},
        f"{root}/{GROUP}/listInstances": {"items": entries},
    }
    path = tmp_path / "answers.jsonl"
    path.write_text("\n".join(json.dumps({"host": "", "path": key, "body": body}) for key, body in bodies.items()))
    simulator = start(recordings=path, page_size=2)
    result = read(simulator, record_types=["instance_group_member"])
    assert [each["com"]["name"] for each in result.of("instance_group_member")] == [f"vm-{n}" for n in range(5)]
    assert [method for method, target in simulator.requests if "/listInstances?" in target] == ["POST"] * 3
