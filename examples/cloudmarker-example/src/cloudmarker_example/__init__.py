"""What this distribution adds to cloudmarker. Imported at every start, so it imports nothing heavy."""

from __future__ import annotations

from cloudmarker.hookspecs import PluginSpec, hookimpl


@hookimpl
def cloudmarker_plugins() -> list[PluginSpec]:
    """Return the plugins of this distribution."""
    module = "cloudmarker_example.plugins"
    return [
        PluginSpec("cloud", "csvcloud", f"{module}:CSVCloud", "Reads machines from a CSV file."),
        PluginSpec("event", "missingtagevent", f"{module}:MissingTagEvent", "Finds resources without a required tag."),
        PluginSpec("store", "csvstore", f"{module}:CSVStore", "Writes one line per record to a CSV file."),
    ]
