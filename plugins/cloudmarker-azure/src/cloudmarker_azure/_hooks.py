"""What this distribution adds to cloudmarker."""

from __future__ import annotations

from collections.abc import Iterable

from cloudmarker.hookspecs import PluginSpec, hookimpl

_BASE_CONFIG = """\
plugins:
  azvmosdiskencryptionevent:
    plugin: azvmosdiskencryptionevent
  azvmdatadiskencryptionevent:
    plugin: azvmdatadiskencryptionevent
"""


@hookimpl
def cloudmarker_plugins() -> Iterable[PluginSpec]:
    """Register the plugins of this distribution."""
    return (
        PluginSpec(
            kind="cloud",
            name="azcloud",
            target="cloudmarker_azure.azcloud:AzCloud",
            summary="Inventory of Microsoft Azure, read through Azure Resource Manager or Azure Resource Graph",
        ),
        PluginSpec(
            kind="cloud",
            name="azvm",
            target="cloudmarker_azure.azvm:AzVM",
            summary="Virtual machines of Microsoft Azure with their power state and how their disks are encrypted",
        ),
        PluginSpec(
            kind="event",
            name="azvmosdiskencryptionevent",
            target="cloudmarker_azure.azvmosdiskencryptionevent:AzVMOSDiskEncryptionEvent",
            summary="Finds OS disks of Azure virtual machines that neither the guest nor the host encrypts",
        ),
        PluginSpec(
            kind="event",
            name="azvmdatadiskencryptionevent",
            target="cloudmarker_azure.azvmdatadiskencryptionevent:AzVMDataDiskEncryptionEvent",
            summary="Finds data disks of Azure virtual machines that neither the guest nor the host encrypts",
        ),
    )


@hookimpl
def cloudmarker_base_config() -> str:
    """Return the keys under which 0.1 had the events."""
    return _BASE_CONFIG
