"""OS disks of Azure virtual machines that neither the guest nor the host encrypts."""

from __future__ import annotations

from collections.abc import Iterator

from cloudmarker.contracts import Record

from cloudmarker_azure._diskevents import unencrypted


class AzVMOSDiskEncryptionEvent:
    """Find OS disks of Azure virtual machines that are not encrypted by the guest or the host.

    It reads the records of :class:`cloudmarker_azure.azvm.AzVM` and ignores all others. There is one event a disk;
    `com.disk` is its name, `com.disk_reference` its id, or the URL of one that is not managed. A disk whose encryption
    is not known gives no event: the coverage of `disk` says why it is not. A key of the customer's does not count, as
    the encryption where a disk is stored, which is always on, is no other with it. Severity is `medium`.
    """

    record_types = ("compute",)
    buckets = ("ext", "com")

    def eval(self, record: Record) -> Iterator[Record]:
        """Yield an event record for each such disk of the virtual machine that *record* is about."""
        yield from unencrypted(record, "os", "azure_vm_os_disk_unencrypted", "vm_os_disk_encryption_event")

    def done(self) -> None:
        """Do nothing: there is nothing to release."""
