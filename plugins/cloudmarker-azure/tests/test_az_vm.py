"""AzVM: machines with what is known of them at run time, and how their disks are encrypted."""

import json
from collections import Counter
from pathlib import Path

import pytest
from cloudmarker.fields import validate
from cloudmarker.testing import check_plugin
from cloudmarker_azure._disks import Volume, disk_encryption, in_all
from cloudmarker_azure.azvm import AzVM
from cloudmarker_simulators import AzureSimulator, Fault

RECORDINGS = Path(__file__).parents[4] / "shared" / "recordings" / "azure.jsonl"
VM_LIST = r"/subscriptions/[^/]+/providers/Microsoft.Compute/virtualMachines\?api"
STATUS = "virtualMachines.statusOnly=true"
DISKS = "/providers/Microsoft.Compute/disks"


def read(simulator, **parameters):
    return list(AzVM(**simulator.settings, **parameters).read())


def machines(records):
    return {record["com"]["reference"]: record for record in records if "raw" in record}


def coverage(records):
    found = [record["com"] for record in records if "raw" not in record]
    return {(com["scope"], com["resource_type"]): (com["state"], com["error"]) for com in found}


def served(simulator):
    """Return the ids of all machines that the simulator has."""
    return {
        row["id"] for row in simulator.source.rows(["microsoft.compute/virtualmachines"], "resources", ("id",), None)
    }


def single_calls(simulator):
    return [path for _, path in simulator.requests if "instanceView" in path]


@pytest.fixture
def tenant():
    with AzureSimulator(subscriptions=3, scale=4, seed=5, page_size=3) as simulator:
        yield simulator


def test_the_plugin_keeps_the_contract_of_clouds(tenant):
    check_plugin(AzVM, tenant.settings)


def test_every_machine_comes_out_once_with_its_status_from_the_list(tenant):
    records = read(tenant)
    found = machines(records)
    assert set(found) == served(tenant)
    assert len(found) == sum("raw" in record for record in records)
    assert {state for state, _ in coverage(records).values()} == {"ok"}
    assert single_calls(tenant) == []
    for record in found.values():
        assert record["ext"]["record_type"] == "vm_instance_view"
        assert record["com"]["record_type"] == "compute"
        assert record["ext"]["power_state"] in {"running", "stopped", "deallocated"}
        assert record["com"]["state"] in {"running", "stopped"}
        assert validate(record["com"]) == []


def test_only_reading_requests_are_sent_and_only_to_the_endpoint(tenant):
    read(tenant)
    assert tenant.refused == 0
    assert [path for method, path in tenant.requests if method != "GET" and "/oauth2/" not in path] == []
    assert len(tenant.hosts) == 1


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 400, "body": '{"error": {"code": "BadRequest", "message": "statusOnly is not supported"}}'},
        {"status": 200, "body": '{"value": []}'},
    ],
)
def test_without_a_list_of_status_every_machine_is_asked_for_with_the_same_result(tenant, fault):
    from_list = machines(read(tenant))
    tenant.faults.append(Fault(STATUS, **fault))
    records = read(tenant)
    assert len(single_calls(tenant)) == len(from_list)
    assert {state for state, _ in coverage(records).values()} == {"ok"}
    one_by_one = machines(records)
    assert {key: value["com"] for key, value in one_by_one.items()} == {
        key: value["com"] for key, value in from_list.items()
    }
    assert {key: value["ext"] for key, value in one_by_one.items()} == {
        key: value["ext"] for key, value in from_list.items()
    }


def test_a_list_that_ignores_what_is_asked_of_it_is_no_list_of_status(tenant):
    (subscription, *_) = sorted({reference.split("/")[2] for reference in served(tenant)})
    mine = sorted(reference for reference in served(tenant) if f"/{subscription}/" in reference)
    body = json.dumps({"value": [{"id": reference, "properties": {}} for reference in mine]})
    tenant.faults.append(Fault(f"{subscription}/.*statusOnly=true", status=200, body=body))
    records = read(tenant)
    assert set(machines(records)) == served(tenant)
    assert len(single_calls(tenant)) == len(mine)


def test_machines_that_the_list_of_status_leaves_out_are_asked_for(tenant):
    tenant.faults.append(Fault(rf"{STATUS}.*skiptoken", status=404))
    records = read(tenant)
    assert set(machines(records)) == served(tenant)
    assert 0 < len(single_calls(tenant)) < len(served(tenant))
    assert {record["ext"]["power_state"] is None for record in machines(records).values()} == {False}


def test_a_machine_whose_view_cannot_be_had_keeps_its_record_and_is_a_hole(tenant):
    tenant.faults += [Fault(STATUS, status=404), Fault("expand=instanceView", status=403)]
    records = read(tenant)
    assert set(machines(records)) == served(tenant)
    assert {record["ext"]["power_state"] for record in machines(records).values()} == {None}
    states = {state for (_, kind), (state, _) in coverage(records).items() if kind == "vm_instance_view"}
    assert states == {"denied"}
    assert all("without instance view" in error for _, error in coverage(records).values() if error)


def test_a_machine_that_has_gone_since_it_was_listed_is_no_hole(tenant):
    gone = sorted(served(tenant))[0]
    body = json.dumps({"error": {"code": "ResourceNotFound", "message": "gone"}})
    tenant.faults += [Fault(STATUS, status=404), Fault(f"{gone}[?]", status=404, body=body)]
    records = read(tenant)
    assert set(machines(records)) == served(tenant) - {gone}
    assert {state for state, _ in coverage(records).values()} == {"ok"}


def test_without_the_disks_it_is_not_known_whether_guests_encrypt_them(tenant):
    tenant.faults.append(Fault(DISKS, status=403))
    records = read(tenant)
    assert set(machines(records)) == served(tenant)
    states = {kind: state for (_, kind), (state, _) in coverage(records).items()}
    assert states == {"subscription": "ok", "disk": "denied", "vm_instance_view": "ok"}
    for record in machines(records).values():
        on_host = record["com"]["host_encryption"]
        assert record["ext"]["os_disk_encrypted"] in ({True} if on_host else {None, True})


def test_a_list_of_machines_that_breaks_off_is_a_hole_and_what_came_is_kept(tenant):
    tenant.faults.append(Fault(r"virtualMachines\?api-version=.*skiptoken", status=500, times=None))
    records = read(tenant, retry_deadline_s=0.1)
    states = [state for (_, kind), (state, _) in coverage(records).items() if kind == "vm_instance_view"]
    assert set(states) == {"failed"}
    assert len(machines(records)) == 3 * 3


def test_max_recs_and_subscriptions_limit_and_say_so(tenant):
    records = read(tenant, _max_recs=2, _max_subs=2)
    found = Counter(record["ext"]["subscription_id"] for record in machines(records).values())
    assert sorted(found.values()) == [2, 2]
    states = Counter(state for (_, kind), (state, _) in coverage(records).items() if kind == "vm_instance_view")
    assert states == {"skipped": 3}


def test_a_provider_that_is_not_registered_is_disabled(tenant):
    body = json.dumps({"error": {"code": "MissingSubscriptionRegistration", "message": "not registered"}})
    tenant.faults.append(Fault("/providers/Microsoft.Compute/", status=409, body=body))
    records = read(tenant)
    assert machines(records) == {}
    assert {state for (_, kind), (state, _) in coverage(records).items() if kind != "subscription"} == {"disabled"}


@pytest.mark.skipif(not RECORDINGS.is_file(), reason="the recorded answers are not here")
def test_recorded_machines_come_out_with_what_was_recorded_of_them():
    with AzureSimulator(recordings=RECORDINGS) as simulator:
        records = read(simulator)
    found = machines(records)
    assert {state for state, _ in coverage(records).values()} == {"ok"}
    assert len(found) == 3
    assert [problem for record in found.values() for problem in validate(record["com"])] == []
    names = {record["com"]["name"]: record for record in found.values()}
    assert names["cctestvm"]["ext"]["power_state"] == "running"
    assert names["cctestvm"]["ext"]["os_disk_encrypted"] in (False, None)
    assert names["c7n-test-vm"]["com"]["disk_encryption"][0]["how"] == ["provider_key"]


OS_DISK = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/disks/os"
DATA_DISK = "/subscriptions/s/resourceGroups/G/providers/Microsoft.Compute/disks/data"


def machine(os=None, data=None, host=None, view=None):
    system = {"name": "os", "managedDisk": {"id": OS_DISK}, **(os or {})}
    extra = {"name": "data", "managedDisk": {"id": DATA_DISK}, **(data or {})}
    properties = {"storageProfile": {"osDisk": system, "dataDisks": [extra]}}
    if host is not None:
        properties["securityProfile"] = {"encryptionAtHost": host}
    if view is not None:
        properties["instanceView"] = view
    return {"properties": properties}


PLAIN = Volume("provider_key", guest=False, confidential=False)


def volumes(os=PLAIN, data=PLAIN):
    return {OS_DISK.lower(): os, DATA_DISK.lower(): data}


def states_of(*arguments):
    return {disk["kind"]: (disk["encrypted"], disk["how"]) for disk in disk_encryption(*arguments)}


@pytest.mark.parametrize(
    ("encryption", "word"),
    [
        ("EncryptionAtRestWithPlatformKey", "provider_key"),
        ("EncryptionAtRestWithCustomerKey", "customer_key"),
        ("EncryptionAtRestWithPlatformAndCustomerKeys", "provider_and_customer_key"),
        ("SomethingNew", None),
    ],
)
def test_encryption_where_the_disk_is_stored_is_said_and_does_not_count(encryption, word):
    volume = Volume.of({"properties": {"encryption": {"type": encryption}}})
    assert states_of(machine(), volumes(os=volume))["os"] == (False, [word] if word else [])


@pytest.mark.parametrize("field", ["encryptionSettingsCollection", "encryptionSettings"])
def test_a_disk_that_the_guest_encrypts_is_encrypted(field):
    volume = Volume.of({"properties": {field: {"enabled": True}}})
    assert states_of(machine(), volumes(data=volume)) == {
        "os": (False, ["provider_key"]),
        "data": (True, ["guest_encryption"]),
    }


def test_the_machine_itself_may_say_that_its_guest_encrypts_the_os_disk():
    assert states_of(machine(os={"encryptionSettings": {"enabled": True}}), None)["os"] == (True, ["guest_encryption"])


@pytest.mark.parametrize(
    "disk",
    [
        {"name": "DATA", "statuses": [{"code": "EncryptionState/encrypted"}]},
        {"name": "data", "encryptionSettings": [{"enabled": True}]},
    ],
)
def test_the_instance_view_may_say_that_the_guest_encrypts_a_disk(disk):
    found = states_of(machine(view={"disks": [disk]}), volumes())
    assert found == {"os": (False, ["provider_key"]), "data": (True, ["provider_key", "guest_encryption"])}


def test_encryption_at_host_holds_for_every_disk_and_needs_no_disks_to_be_read():
    assert states_of(machine(host=True), None) == {
        "os": (True, ["host_encryption"]),
        "data": (True, ["host_encryption"]),
    }
    assert states_of(machine(host=False), volumes())["os"] == (False, ["provider_key"])


def test_a_disk_bound_to_the_machine_is_encrypted():
    profile = {"managedDisk": {"id": OS_DISK, "securityProfile": {"securityEncryptionType": "DiskWithVMGuestState"}}}
    assert states_of(machine(os=profile), None)["os"] == (True, ["confidential_encryption"])
    volume = Volume.of(
        {"properties": {"securityProfile": {"securityType": "ConfidentialVM_DiskEncryptedWithPlatformKey"}}}
    )
    assert states_of(machine(), volumes(os=volume))["os"] == (True, ["confidential_encryption"])
    state_only = {"securityProfile": {"securityType": "ConfidentialVM_VMGuestStateOnlyEncryptedWithPlatformKey"}}
    assert states_of(machine(), volumes(os=Volume.of({"properties": state_only})))["os"] == (False, [])


def test_a_managed_disk_that_was_not_read_is_not_known():
    assert states_of(machine(), None) == {"os": (None, []), "data": (None, [])}
    assert states_of(machine(), {})["os"] == (None, [])


def test_a_disk_that_is_not_managed_is_told_by_the_machine():
    os = {"managedDisk": None, "vhd": {"uri": "https://a.blob.core.windows.net/vhds/os.vhd"}}
    data = {"managedDisk": None, "vhd": {"uri": "https://a.blob.core.windows.net/vhds/data.vhd"}}
    found = disk_encryption(machine(os, data), {})
    assert [disk["reference"] for disk in found] == [os["vhd"]["uri"], data["vhd"]["uri"]]
    assert [disk["encrypted"] for disk in found] == [False, False]
    os["encryptionSettings"] = {"enabled": True}
    assert [disk["encrypted"] for disk in disk_encryption(machine(os, data), {})] == [True, None]


@pytest.mark.parametrize(
    ("states", "expected"),
    [([], True), ([True], True), ([True, False], False), ([None, False], False), ([True, None], None)],
)
def test_all_data_disks_are_encrypted_if_none_is_known_not_to_be_and_all_are_known(states, expected):
    assert in_all([{"kind": "data", "encrypted": state} for state in states], "data") is expected


@pytest.mark.parametrize("odd", [None, [], "text", {"storageProfile": 7}, {"storageProfile": {"dataDisks": [7, None]}}])
def test_a_machine_of_any_shape_is_survived(odd):
    assert disk_encryption({"properties": odd}, {}) == []
