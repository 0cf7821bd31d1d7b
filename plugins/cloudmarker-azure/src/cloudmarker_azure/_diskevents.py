"""What the two events on the encryption of disks have in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from cloudmarker.contracts import Record
from cloudmarker.findings import finding

_RECORD_TYPE = "vm_instance_view"
_WORDS = {"os": "OS disk", "data": "data disk"}
_RECOMMENDATION = (
    "Turn on encryption at host for the virtual machine, or encrypt the disk in the guest with Azure Disk Encryption."
)


def unencrypted(record: Record, kind: Literal["os", "data"], check_id: str, record_type: str) -> Iterator[Record]:
    """Yield an event record for each disk of that *kind* that is known not to be encrypted.

    Args:
        record: any; only those of AzVM are looked at.
        kind: of the disks.
        check_id: of the events.
        record_type: ``com.record_type`` of the events.
    """
    if (record.get("ext") or {}).get("record_type") != _RECORD_TYPE:
        return
    com = record.get("com") or {}
    for disk in com.get("disk_encryption") or ():
        if disk.get("kind") == kind and disk.get("encrypted") is False:
            yield finding(
                record,
                check_id=check_id,
                record_type=record_type,
                severity="medium",
                description=_description(com, disk),
                recommendation=_RECOMMENDATION,
                discriminator=str(disk.get("name") or disk.get("reference") or ""),
                disk=disk.get("name"),
                disk_reference=disk.get("reference"),
            )


def _description(com: dict[str, Any], disk: dict[str, Any]) -> str:
    machine = com.get("name") or com.get("reference") or "without a name"
    name = disk.get("name") or disk.get("reference") or "without a name"
    key = "" if {"customer_key", "provider_and_customer_key"} & set(disk.get("how") or ()) else ", with Azure's key"
    return (
        f"The {_WORDS[disk['kind']]} {name} of the Azure virtual machine {machine} is encrypted where it is stored only"
        f"{key}: neither by the guest nor by the host."
    )
