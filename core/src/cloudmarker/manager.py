"""Audits as the documented API has them; :func:`run` runs some side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cloudmarker.errors import ConfigError
from cloudmarker.plugins import registry
from cloudmarker.results import AuditResult
from cloudmarker.supervisor import AuditRun, run_audits


class Audit:
    """One audit: a process for each of its plugins, joined by pipes.

    Args:
        audit_key: key of the audit in ``config["audits"]``.
        audit_version: version of the run; :func:`new_version` makes one.
        config: the entire configuration, with the top-level keys ``plugins``, ``audits``, ….
    """

    def __init__(self, audit_key: str, audit_version: str, config: Mapping[str, Any]) -> None:
        self._run = AuditRun(audit_key, audit_version, config)

    def start(self) -> None:
        """Start all workers."""
        self._run.start()

    def join(self) -> AuditResult:
        """Wait until all workers have ended, and return what became of the audit.

        Raises:
            ConfigError: a plugin did not accept its parameters; nothing was read.
        """
        (result,) = run_audits([self._run])
        return result


def new_version() -> str:
    """Return the version of an audit that starts now: the time, UTC, as ``%Y%m%d_%H%M%S``."""
    return time.strftime("%Y%m%d_%H%M%S", time.gmtime())


def run(
    config: Mapping[str, Any],
    audit_keys: Sequence[str],
    watch: Callable[[Sequence[AuditRun]], Callable[[], None]] | None = None,
) -> list[AuditResult]:
    """Run audits side by side and return their results in the same order.

    Args:
        config: the entire configuration, checked.
        audit_keys: which of its audits to run.
        watch: called with the audits once they have started; what it returns is called some times a second.

    Raises:
        ConfigError: plugins did not accept their parameters; nothing was read.
    """
    hooks = registry()
    version = new_version()
    audits = [AuditRun(key, version, config) for key in audit_keys]
    try:
        for audit in audits:
            audit.on_begin = hooks.audit_begin
            audit.start()
    except ConfigError:
        for audit in audits:
            audit.kill()
            audit.discard()
        raise
    return run_audits(audits, on_tick=watch(audits) if watch else None, on_end=hooks.audit_end)


def exit_code(results: Sequence[AuditResult]) -> int:
    """Return 1 if a part failed or was not delivered, else 4 if something was not read, else 0."""
    statuses = {result.status for result in results}
    return 1 if "failed" in statuses else 4 if "incomplete" in statuses else 0


def main() -> None:
    """Run the framework as the command ``cloudmarker`` does."""
    from cloudmarker.cli import main as cli

    cli()
