"""The events on disks that are not encrypted."""

import pytest
from cloudmarker.contracts import Event
from cloudmarker.fields import validate
from cloudmarker.testing import check_plugin
from cloudmarker_azure.azcloud import AzCloud
from cloudmarker_azure.azvm import AzVM
from cloudmarker_azure.azvmdatadiskencryptionevent import AzVMDataDiskEncryptionEvent
from cloudmarker_azure.azvmosdiskencryptionevent import AzVMOSDiskEncryptionEvent
from cloudmarker_simulators import AzureSimulator

EVENTS = [AzVMOSDiskEncryptionEvent, AzVMDataDiskEncryptionEvent]
MACHINE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/vm"


def disk(kind, name, encrypted, how=("provider_key",)):
    return {"name": name, "reference": f"/disks/{name}", "kind": kind, "encrypted": encrypted, "how": list(how)}


def record(*disks, record_type="vm_instance_view"):
    com = {"cloud_type": "azure", "record_type": "compute", "reference": MACHINE, "name": "vm"}
    return {
        "raw": {},
        "ext": {"cloud_type": "azure", "record_type": record_type},
        "com": {**com, "disk_encryption": list(disks)},
    }


def found(event, *disks, **parameters):
    return list(event().eval(record(*disks, **parameters)))


@pytest.mark.parametrize("event", EVENTS)
def test_the_plugin_keeps_the_contract_of_events(event):
    assert isinstance(event(), Event)
    check_plugin(event)


@pytest.mark.parametrize(("event", "kind", "other"), [(EVENTS[0], "os", "data"), (EVENTS[1], "data", "os")])
def test_there_is_one_event_for_each_disk_of_the_kind_that_is_not_encrypted(event, kind, other):
    events = found(
        event, disk(kind, "a", False), disk(kind, "b", True), disk(other, "c", False), disk(kind, "d", False)
    )
    assert [each["com"]["disk"] for each in events] == ["a", "d"]
    assert {each["com"]["reference"] for each in events} == {MACHINE}
    assert {each["com"]["record_type"] for each in events} == {f"vm_{kind}_disk_encryption_event"}
    assert len({each["com"]["fingerprint"] for each in events}) == 2
    assert [problem for each in events for problem in validate(each["com"], event=True)] == []


@pytest.mark.parametrize("event", EVENTS)
def test_a_fingerprint_is_of_machine_and_disk_and_stays(event):
    kind = "os" if event is EVENTS[0] else "data"
    (one,) = found(event, disk(kind, "a", False))
    (again,) = found(event, disk(kind, "a", False, how=["customer_key"]))
    assert one["com"]["fingerprint"] == again["com"]["fingerprint"]


@pytest.mark.parametrize("event", EVENTS)
def test_a_disk_of_which_it_is_not_known_gives_no_event(event):
    assert found(event, disk("os", "a", None), disk("data", "b", None)) == []


@pytest.mark.parametrize("event", EVENTS)
def test_records_of_other_plugins_are_ignored(event):
    assert found(event, disk("os", "a", False), disk("data", "b", False), record_type="virtual_machine") == []
    for odd in ({}, {"com": None, "ext": None}, {"ext": {"record_type": "vm_instance_view"}}):
        assert list(event().eval(odd)) == []


def test_the_description_says_whose_key_it_is_and_the_recommendation_what_to_do():
    (one,) = found(EVENTS[0], disk("os", "system", False))
    assert one["com"]["description"] == (
        "The OS disk system of the Azure virtual machine vm is encrypted where it is stored only, with Azure's key: "
        "neither by the guest nor by the host."
    )
    assert "encryption at host" in one["com"]["recommendation"]
    (one,) = found(EVENTS[0], disk("os", "system", False, how=["customer_key"]))
    assert "Azure's key" not in one["com"]["description"]


def test_events_fit_what_is_read_from_a_tenant():
    with AzureSimulator(subscriptions=3, scale=6, seed=2) as simulator:
        records = [each for each in AzVM(**simulator.settings).read() if "raw" in each]
        others = list(AzCloud(**simulator.settings, record_types=["virtual_machine"]).read())
    for event, kind in zip(EVENTS, ("os", "data"), strict=True):
        expected = sum(
            each["kind"] == kind and each["encrypted"] is False for r in records for each in r["com"]["disk_encryption"]
        )
        assert expected > 0
        assert sum(1 for each in records for _ in event().eval(each)) == expected
        assert [made for each in others for made in event().eval(each)] == []
