"""What this distribution adds to cloudmarker."""

from __future__ import annotations

from collections.abc import Iterable

from cloudmarker.hookspecs import CommandSpec, PluginSpec, hookimpl


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
        PluginSpec(
            "store", "querystore", "cloudmarker_stores.querystore:QueryStore", "Keeps records here, for SQL queries."
        ),
    )


@hookimpl
def cloudmarker_commands() -> Iterable[CommandSpec]:
    """Register the command that looks into a query store."""
    return (CommandSpec("query", "cloudmarker_stores.querycli:query", "Query the records of a query store with SQL."),)


@hookimpl
def cloudmarker_base_config() -> str:
    """Return the stores that need no parameters."""
    return """\
plugins:
  esstore:
    plugin: cloudmarker.stores.esstore.EsStore

  mongodbstore:
    plugin: cloudmarker.stores.mongodbstore.MongoDBStore

  querystore:
    plugin: querystore
"""
