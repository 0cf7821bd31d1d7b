"""What this distribution adds to cloudmarker."""

from __future__ import annotations

from collections.abc import Iterable

from cloudmarker.hookspecs import PluginSpec, hookimpl


@hookimpl
def cloudmarker_plugins() -> Iterable[PluginSpec]:
    """Register the plugins of this distribution."""
    return (
        PluginSpec(
            kind="cloud",
            name="azcloud",
            target="cloudmarker_azure.azcloud:AzCloud",
            summary="Inventory of Microsoft Azure, read through Azure Resource Manager",
        ),
    )
