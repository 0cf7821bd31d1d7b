"""``--fail-on`` and ``--fail-on-new``: findings that end a run with exit code 3."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cloudmarker.contracts import SEVERITIES, Severity
from cloudmarker.text import pluralize

if TYPE_CHECKING:
    from cloudmarker.results import AuditResult

_Command = TypeVar("_Command", bound=Callable[..., Any])
_SEVERITY = click.Choice(SEVERITIES, case_sensitive=False)


def fail_on_options(command: _Command) -> _Command:
    """Add both options to a command; it gets ``fail_on`` and ``fail_on_new``, each a severity or None."""
    new = "Likewise, but only for findings that are new or reopened."
    every = "Exit with 3 if there are findings of this severity or worse, suppressed ones aside."
    command = click.option("--fail-on-new", type=_SEVERITY, metavar="SEVERITY", help=new)(command)
    return click.option("--fail-on", type=_SEVERITY, metavar="SEVERITY", help=every)(command)


def given(fail_on: Severity | None, fail_on_new: Severity | None) -> str:
    """Return the name of an option that was given, empty if none was."""
    return "--fail-on" if fail_on else "--fail-on-new" if fail_on_new else ""


def judge(results: Sequence[AuditResult], fail_on: Severity | None, fail_on_new: Severity | None) -> int:
    """Return the exit code, and say on standard error which findings it is about."""
    from cloudmarker import manager

    code = manager.exit_code(results, fail_on, fail_on_new)
    for severity, fresh in ((fail_on, False), (fail_on_new, True)):
        if severity and (count := manager.alarming(results, severity, fresh=fresh)):
            kind = f"{'new or reopened ' * fresh}{pluralize(count, 'finding')}"
            worse = "" if severity == SEVERITIES[0] else " or worse"
            option = f"--fail-on{'-new' * fresh} {severity}"
            outcome = "" if code == 3 else f", but exit code {code}: a part failed"
            click.echo(f"{option}: {count:,} {kind} of severity {severity}{worse}{outcome}", err=True)
    return code
