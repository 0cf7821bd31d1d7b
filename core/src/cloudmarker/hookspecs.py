"""The hooks of cloudmarker: every place where an installed distribution can add to it. No logic here.

A distribution registers a module of hook implementations under the entry point group ``cloudmarker``::

    [project.entry-points.cloudmarker]
    acme = "cloudmarker_acme._hooks"

That module is imported whenever cloudmarker starts, so it imports nothing heavy: no SDK, no plugin class. All hooks are
called in the main process. An exception in an implementation is reported with the distribution's name; the rest goes
on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pluggy

from cloudmarker.contracts import Kind

if TYPE_CHECKING:
    from cloudmarker.results import AuditInfo, AuditResult

PROJECT = "cloudmarker"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@dataclass(frozen=True)
class PluginSpec:
    """A plugin that can be named in a configuration.

    Attributes:
        kind: what it is.
        name: its short name, by convention the class name in lower case.
        target: ``"package.module:Class"``, imported only where the class is needed.
        summary: one line for ``cloudmarker plugins list``.
    """

    kind: Kind
    name: str
    target: str
    summary: str


@dataclass(frozen=True)
class CommandSpec:
    """A subcommand of ``cloudmarker``.

    Attributes:
        name: the word on the command line.
        target: ``"package.module:function"`` of a :class:`click.Command`, imported when the command runs or shows its
            help.
        summary: one line for ``cloudmarker --help``.
    """

    name: str
    target: str
    summary: str


@hookspec
def cloudmarker_plugins() -> Iterable[PluginSpec]:  # type: ignore[empty-body]
    """Return the plugins that this distribution provides.

    Called once in every process that resolves a short name. A short name that two distributions claim is reported
    with both, and belongs to neither.
    """


@hookspec
def cloudmarker_base_config() -> str:  # type: ignore[empty-body]
    """Return YAML that is merged into the base config, core's first, then by distribution name.

    Called once when a configuration is loaded or printed. It should only add keys under ``plugins``.
    """


@hookspec
def cloudmarker_commands() -> Iterable[CommandSpec]:  # type: ignore[empty-body]
    """Return the subcommands that this distribution adds to ``cloudmarker``.

    Called once at the start of the command line, before anything is parsed. A name that two distributions claim is
    reported with both; it is core's if core is one of them, and else nobody's.
    """


@hookspec
def cloudmarker_audit_begin(audit: AuditInfo) -> None:
    """Act on the start of an audit.

    Called once per audit, in the main process, after every worker is ready and before the first record is read. An
    exception is logged and changes nothing.
    """


@hookspec
def cloudmarker_audit_end(result: AuditResult) -> None:
    """Act on the end of an audit.

    Called once per audit that began, in the main process, when its last worker has ended. *result* holds the
    status, all counts and the coverage. An exception is logged and changes nothing.
    """
