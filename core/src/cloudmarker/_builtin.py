"""What core itself registers, by the hooks that every other distribution uses."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from cloudmarker.hookspecs import CommandSpec, PluginSpec, hookimpl

if TYPE_CHECKING:
    from cloudmarker.results import AuditInfo, AuditResult

_log = logging.getLogger("cloudmarker.manager")


@hookimpl
def cloudmarker_plugins() -> Iterable[PluginSpec]:
    """Return the plugins that come with core."""
    return (
        PluginSpec(
            "cloud", "mockcloud", "cloudmarker.clouds.mockcloud:MockCloud", "Makes up records, to try things out with."
        ),
        PluginSpec(
            "event",
            "mockevent",
            "cloudmarker.events.mockevent:MockEvent",
            "Finds mock records whose number is a multiple of another.",
        ),
        PluginSpec(
            "event",
            "firewallruleevent",
            "cloudmarker.events.firewallruleevent:FirewallRuleEvent",
            "Finds firewall rules that open sensitive ports to the whole Internet.",
        ),
        PluginSpec(
            "event",
            "internetexposureevent",
            "cloudmarker.events.internetexposureevent:InternetExposureEvent",
            "Finds machines that the whole Internet can reach, rules taken together.",
        ),
        PluginSpec(
            "store",
            "filestore",
            "cloudmarker.stores.filestore:FileStore",
            "Writes records to JSON files, one file per audit and plugin.",
        ),
    )


@hookimpl
def cloudmarker_base_config() -> str:
    """Return core's part of the base config."""
    from cloudmarker.config.base import core_yaml

    return core_yaml()


@hookimpl
def cloudmarker_commands() -> Iterable[CommandSpec]:
    """Return core's subcommands."""
    return (
        CommandSpec("run", "cloudmarker.cli.run:run", "Run audits now and show a summary."),
        CommandSpec("diff", "cloudmarker.cli.diff:diff", "Show what changed between two runs of an audit."),
        CommandSpec("replay", "cloudmarker.cli.replay:replay", "Deliver what an earlier run could not deliver."),
        CommandSpec("plugins", "cloudmarker.cli.plugins:plugins", "List, describe, check and start plugins."),
        CommandSpec("config", "cloudmarker.cli.config:config", "Check and show the configuration."),
    )


@hookimpl
def cloudmarker_audit_begin(audit: AuditInfo) -> None:
    """Log the start of an audit."""
    plugins = sum(len(keys) for keys in audit.plugins.values())
    _log.info("Audit %s begins: version %s, %d plugins", audit.key, audit.version, plugins)


@hookimpl
def cloudmarker_audit_end(result: AuditResult) -> None:
    """Log the end of an audit."""
    reason = f" ({result.reason})" if result.reason else ""
    _log.info("Audit %s ends: %s%s after %.1f s", result.audit.key, result.status, reason, result.duration_s)
