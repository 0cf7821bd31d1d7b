"""What this distribution adds to cloudmarker."""

from __future__ import annotations

from collections.abc import Iterable

from cloudmarker.hookspecs import PluginSpec, hookimpl


@hookimpl
def cloudmarker_plugins() -> Iterable[PluginSpec]:
    """Register the plugins of this distribution."""
    return (
        PluginSpec("store", "esstore", "cloudmarker_stores.esstore:EsStore", "Writes records to Elasticsearch."),
        PluginSpec(
            "store", "mongodbstore", "cloudmarker_stores.mongodbstore:MongoDBStore", "Writes records to MongoDB."
        ),
        PluginSpec(
            "store",
            "splunkhecstore",
            "cloudmarker_stores.splunkhecstore:SplunkHECStore",
            "Sends records to a Splunk HTTP Event Collector.",
        ),
    )


@hookimpl
def cloudmarker_base_config() -> str:
    """Return the stores that need no parameters."""
    return """\
plugins:
  esstore:
    plugin: cloudmarker.stores.esstore.EsStore

  mongodbstore:
    plugin: cloudmarker.stores.mongodbstore.MongoDBStore
"""
