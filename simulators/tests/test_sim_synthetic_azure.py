import json
import re

import pytest
from cloudmarker_simulators import AzureSimulator

ARM_ID = re.compile(r'"(/subscriptions/[^"]+/providers/[^"]+)"')
ABSENT_TYPES = {
    "actiongroups", "diskencryptionsets", "diskaccesses", "workspaces", "policysetdefinitions",
}  # fmt: skip
"""What resources point at, but no inventory lists."""

GONE = "/storageAccounts/activitylogs"
"""What a log profile points at: such profiles outlive their accounts in real subscriptions too."""


@pytest.fixture(scope="module")
def azure(azure_client_class):
    with AzureSimulator(subscriptions=3, scale=5, seed=7, page_size=4) as simulator:
        client = azure_client_class(simulator)
        client.log_in()
        yield client


def source_of(**size):
    return AzureSimulator(**size).source


def text_of(source):
    return json.dumps([source.collection(path).items[:] for path in source.lists()])


def test_equal_seeds_give_equal_tenants_and_others_do_not():
    size = {"subscriptions": 2, "scale": 2}
    assert text_of(source_of(**size, seed=1)) == text_of(source_of(**size, seed=1))
    assert text_of(source_of(**size, seed=1)) != text_of(source_of(**size, seed=2))


def test_everything_is_listed_and_served_alone_and_counted():
    source = source_of(subscriptions=2, scale=3, seed=1)
    seen = {}
    for path in source.lists():
        items = source.collection(path).items
        assert source.count(path) == len(items) == len(items[:])
        for item in items:
            if not path.startswith("/subscriptions/") or path.endswith("/resources"):
                continue
            assert source.resource(item["id"]) == item, path
            assert source.knows(item["id"])
            seen.setdefault(item["type"].lower(), set()).add(item["id"])
    counts = source.counts()
    for type_, ids in seen.items():
        assert counts[type_] == len(ids), type_
    assert counts["microsoft.resources/subscriptions"] == 2
    assert counts["microsoft.network/networksecuritygroups/securityrules"] == 2 * 3 * 4


def test_what_a_resource_points_at_is_there():
    source = source_of(subscriptions=1, scale=2, seed=1)
    text = text_of(source)
    for id_ in set(ARM_ID.findall(text)):
        type_ = id_.rpartition("/providers/")[2].split("/")[1].lower()
        if type_ not in ABSENT_TYPES and not id_.endswith(GONE):
            inside = '"id": "' + id_ + '"'
            assert source.resource(id_) is not None or inside in text, id_


def test_links_between_resources_go_both_ways():
    source = source_of(subscriptions=1, scale=4, seed=1)
    root = source.collection("/subscriptions").items[0]["id"] + "/providers"
    nics = {item["id"]: item for item in source.collection(f"{root}/Microsoft.Network/networkInterfaces").items}
    for machine in source.collection(f"{root}/Microsoft.Compute/virtualMachines").items:
        nic = nics[machine["properties"]["networkProfile"]["networkInterfaces"][0]["id"]]
        assert nic["properties"]["virtualMachine"]["id"] == machine["id"]
        address = nic["properties"]["ipConfigurations"][0]["properties"]["publicIPAddress"]["id"]
        attached = source.resource(address)["properties"]["ipConfiguration"]["id"]
        assert attached == nic["properties"]["ipConfigurations"][0]["id"]
        group = source.resource(nic["properties"]["networkSecurityGroup"]["id"])
        assert group["properties"]["networkInterfaces"] == [{"id": nic["id"]}]
        disk = source.resource(machine["properties"]["storageProfile"]["osDisk"]["managedDisk"]["id"])
        assert disk["managedBy"] == machine["id"]


def test_settings_differ_between_units():
    source = source_of(subscriptions=1, scale=40, seed=1)
    path = source.collection("/subscriptions").items[0]["id"] + "/providers/Microsoft.Storage/storageAccounts"
    found = {item["properties"]["supportsHttpsTrafficOnly"] for item in source.collection(path).items}
    assert found == {True, False}


def test_a_large_tenant_costs_nothing_until_it_is_read():
    source = source_of(subscriptions=500, scale=2000)
    assert sum(source.counts().values()) > 100_000_000
    last = source.collection("/subscriptions").items[-1]["id"]
    disks = source.collection(f"{last}/providers/Microsoft.Compute/disks").items
    assert len(disks) == 4000
    assert source.resource(disks[-1]["id"]) == disks[-1]


def test_a_size_that_cannot_be_is_refused():
    for size in ({"subscriptions": 0}, {"subscriptions": 1, "scale": -1}, {"subscriptions": 100_000}):
        with pytest.raises(ValueError, match="synthetic tenant"):
            AzureSimulator(**size)


def test_the_served_lists_are_the_sources(azure):
    source = azure.simulator.source
    subscriptions = azure.items("/subscriptions")
    assert subscriptions == source.collection("/subscriptions").items[:]
    for path in ("/resourceGroups", "/resources", "/providers/Microsoft.Network/networkSecurityGroups"):
        for subscription in subscriptions:
            whole = subscription["id"] + path
            assert azure.items(whole.upper()) == source.collection(whole).items[:]


def test_flow_logs_are_those_of_the_watchers_region(azure):
    subscription = azure.items("/subscriptions")[0]["id"]
    found = []
    for watcher in azure.items(f"{subscription}/providers/Microsoft.Network/networkWatchers"):
        logs = azure.items(f"{watcher['id']}/flowLogs")
        assert {log["location"] for log in logs} <= {watcher["location"]}
        found += [log["properties"]["targetResourceId"] for log in logs]
    networks = azure.items(f"{subscription}/providers/Microsoft.Network/virtualNetworks")
    assert sorted(found) == sorted(network["id"] for network in networks)


def test_the_status_of_machines_is_listed_in_bulk_and_served_with_each(azure):
    path = azure.items("/subscriptions")[1]["id"] + "/providers/Microsoft.Compute/virtualMachines"
    plain = azure.items(path)
    assert all("instanceView" not in machine["properties"] for machine in plain)
    listed = [item for page in azure.pages(path, statusOnly="true") for item in page["value"]]
    assert [machine["id"] for machine in listed] == [machine["id"] for machine in plain]
    for machine, status in zip(plain, listed, strict=True):
        view = status["properties"]["instanceView"]
        expanded = azure.get(f"{machine['id']}?api-version=2024-07-01&$expand=instanceView")
        assert expanded["properties"].pop("instanceView") == view
        assert expanded == machine
        assert azure.get(f"{machine['id']}/instanceView?api-version=2024-07-01") == view


def test_what_is_in_a_management_group_can_be_asked(azure):
    tenant = azure.simulator.settings["tenant"]
    groups = azure.items("/providers/Microsoft.Management/managementGroups")
    assert [group["name"] for group in groups] == [tenant, "group-001"]
    below = azure.items(f"/providers/Microsoft.Management/managementGroups/{tenant}/descendants")
    assert [item["type"].rpartition("/")[2] for item in below] == ["managementGroups", *["subscriptions"] * 3]
    direct = azure.items("/providers/Microsoft.Management/managementGroups/group-001/descendants")
    assert [item["name"] for item in direct] == [item["subscriptionId"] for item in azure.items("/subscriptions")]
    group = azure.get("/providers/Microsoft.Management/managementGroups/group-001?api-version=2021-04-01")
    assert group["properties"]["details"]["parent"]["name"] == tenant


def test_custom_roles_can_be_asked_for_alone(azure):
    path = azure.items("/subscriptions")[0]["id"] + "/providers/Microsoft.Authorization/roleDefinitions"
    custom = [item for page in azure.pages(path, **{"$filter": "type eq 'CustomRole'"}) for item in page["value"]]
    assert [role["properties"]["type"] for role in custom] == ["CustomRole"]
    assert len(azure.items(path)) == 4


@pytest.mark.parametrize(
    "path",
    [
        "/resourceGroups/rg-u0000000009/providers/Microsoft.Compute/disks",
        "/resourceGroups/rg-u0001000001/providers/Microsoft.Compute/disks",
        "/resourceGroups/rg-u0000000001/providers/Microsoft.Compute/disks/os-u0000000002",
        "/providers/Microsoft.Authorization/roleAssignments/00000000-0000-4000-a000-000000000001",
    ],
)
def test_what_a_synthetic_tenant_does_not_have_is_not_found(azure, path):
    assert azure.read(azure.items("/subscriptions")[0]["id"] + path)[0] == 404


def test_an_unknown_type_is_an_empty_list(azure):
    assert azure.items(azure.items("/subscriptions")[0]["id"] + "/providers/Microsoft.Batch/batchAccounts") == []
