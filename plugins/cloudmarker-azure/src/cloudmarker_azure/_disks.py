"""How the disks of virtual machines are encrypted: what the machine, its instance view and its disks say, put together.

Azure encrypts every disk where it is stored, with its own key, the customer's, or both. Whoever may read the disk
through Azure does not notice, so that does not count as encrypted here. What does is encryption by the guest (Azure
Disk Encryption: BitLocker, DM-Crypt), by the host before the data leave it (encryption at host), or bound to the
virtual TPM of a confidential machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cloudmarker_azure._json import Item, at, flag, is_word, objects, text, word

_AT_REST = {
    "encryptionatrestwithplatformkey": "provider_key",
    "encryptionatrestwithcustomerkey": "customer_key",
    "encryptionatrestwithplatformandcustomerkeys": "provider_and_customer_key",
}
_CONFIDENTIAL = "diskwithvmgueststate"


@dataclass(frozen=True)
class Volume:
    """What a managed disk says of its encryption; far less than its JSON, as all of a subscription are kept.

    Attributes:
        at_rest: with whose key, in the words of the common model; None if it does not say.
        guest: whether the guest encrypts it.
        confidential: whether it is bound to the virtual TPM of a confidential machine.
    """

    at_rest: str | None
    guest: bool
    confidential: bool

    @classmethod
    def of(cls, disk: Item) -> Volume:
        """Return what a *disk* says: https://learn.microsoft.com/rest/api/compute/disks/list."""
        properties = at(disk, "properties")
        bound = text(properties, "securityProfile", "securityType") or ""
        return cls(
            at_rest=word(text(properties, "encryption", "type"), _AT_REST),
            guest=bool(
                flag(properties, "encryptionSettingsCollection", "enabled")
                or flag(properties, "encryptionSettings", "enabled")
            ),
            confidential=bound.lower().startswith("confidentialvm_diskencryptedwith"),
        )


def disk_encryption(machine: Item, volumes: Mapping[str, Volume] | None) -> list[dict[str, Any]]:
    """Return the ``disk_encryption`` of a compute record.

    Args:
        machine: a virtual machine, with its instance view if it is known.
        volumes: the managed disks by id, lower case; None if they could not be read.
    """
    properties = at(machine, "properties")
    on_host = flag(properties, "securityProfile", "encryptionAtHost") or False
    in_guest = _guest_encrypted(at(properties, "instanceView"))
    if not flag(properties, "storageProfile", "osDisk", "encryptionSettings", "enabled"):
        # Of disks that are not managed, the machine says that its guest has encrypted some, but not which.
        for disk, _ in _disks(properties):
            if not at(disk, "managedDisk"):
                in_guest.setdefault(_key(disk), False)
    return [_entry(disk, kind, volumes, in_guest, on_host=on_host) for disk, kind in _disks(properties)]


def _disks(properties: Any) -> Iterator[tuple[Item, Literal["os", "data"]]]:
    storage = at(properties, "storageProfile")
    system = at(storage, "osDisk")
    if isinstance(system, Mapping):
        yield system, "os"
    for disk in objects(storage, "dataDisks"):
        yield disk, "data"


def _entry(
    disk: Item,
    kind: Literal["os", "data"],
    volumes: Mapping[str, Volume] | None,
    in_guest: Mapping[str, bool],
    *,
    on_host: bool,
) -> dict[str, Any]:
    managed = text(disk, "managedDisk", "id")
    volume = volumes.get(managed.lower()) if managed and volumes is not None else None
    key = _key(disk)
    bound = is_word(disk, _CONFIDENTIAL, "managedDisk", "securityProfile", "securityEncryptionType")
    applies = {
        "guest_encryption": bool(
            flag(disk, "encryptionSettings", "enabled") or in_guest.get(key) or (volume and volume.guest)
        ),
        "host_encryption": on_host,
        "confidential_encryption": bound or bool(volume and volume.confidential),
    }
    # Only a managed disk itself says that no guest has encrypted it.
    known = any(applies.values()) or volume is not None or (not managed and key in in_guest)
    return {
        "name": text(disk, "name"),
        "reference": managed or text(disk, "vhd", "uri"),
        "kind": kind,
        "encrypted": any(applies.values()) if known else None,
        "how": [*([volume.at_rest] if volume and volume.at_rest else []), *(how for how in applies if applies[how])],
    }


def _guest_encrypted(view: Any) -> dict[str, bool]:
    """Return whether the guest encrypts a disk, by name in lower case, as far as the instance *view* says."""
    found = {}
    for disk in objects(view, "disks"):
        settings = any(flag(entry, "enabled") for entry in objects(disk, "encryptionSettings"))
        found[_key(disk)] = settings or any(
            is_word(status, "encryptionstate/encrypted", "code") for status in objects(disk, "statuses")
        )
    return found


def _key(disk: Item) -> str:
    return (text(disk, "name") or "").lower()


def in_all(disks: list[dict[str, Any]], kind: Literal["os", "data"]) -> bool | None:
    """Return whether all *disks* of that *kind* are encrypted; None if that is not known. None at all are."""
    states = [disk["encrypted"] for disk in disks if disk["kind"] == kind]
    return False if False in states else None if None in states else True
