"""Audits as the documented API has them; :func:`run` runs some side by side."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cloudmarker._running import run_audits
from cloudmarker._versions import reserve
from cloudmarker.contracts import Severity
from cloudmarker.errors import ConfigError
from cloudmarker.findings import at_or_above
from cloudmarker.plugins import registry
from cloudmarker.results import AuditInfo, AuditResult
from cloudmarker.state import state_dir
from cloudmarker.supervisor import AuditRun

if TYPE_CHECKING:
    from cloudmarker.notifications import Notifier

log = logging.getLogger("cloudmarker.manager")


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
    signals: list[int] | None = None,
    mails: Notifier | None = None,
) -> list[AuditResult]:
    """Run audits side by side and return their results in the same order.

    Args:
        config: the entire configuration, checked.
        audit_keys: which of its audits to run.
        watch: called with the audits once they have started; what it returns is called some times a second.
        signals: as in :func:`cloudmarker._running.run_audits`.
        mails: told when audits begin and end.

    Raises:
        ConfigError: plugins did not accept their parameters; nothing was read.
    """
    hooks = registry()
    version = _reserved(config, audit_keys)
    audits = [AuditRun(key, version, config) for key in audit_keys]
    begun: list[AuditInfo] = []

    def begins(info: AuditInfo) -> None:
        if mails is not None:
            if not begun:
                mails.run_begins([audit.info for audit in audits])
            mails.audit_begins(info)
        begun.append(info)
        hooks.audit_begin(info)

    def ended(result: AuditResult) -> None:
        if mails is not None:
            mails.audit_ended(result)
        hooks.audit_end(result)

    try:
        for audit in audits:
            audit.on_begin = begins
            audit.start()
    except ConfigError:
        for audit in audits:
            audit.kill()
            audit.discard()
        raise
    results = run_audits(audits, on_tick=watch(audits) if watch else None, on_end=ended, signals=signals)
    if mails is not None:
        mails.run_ended(results)
    return results


def _reserved(config: Mapping[str, Any], audit_keys: Sequence[str]) -> str:
    """Return a version that the last runs of these audits do not have, as far as can be known."""
    try:
        return reserve(state_dir(config), audit_keys, new_version)
    except OSError as exc:
        log.warning("a run that began in the same second would have the same version: %s", exc)
        return new_version()


def exit_code(
    results: Sequence[AuditResult], fail_on: Severity | None = None, fail_on_new: Severity | None = None
) -> int:
    """Return what the command exits with: what is worst in any of the audits.

    Args:
        results: of the audits.
        fail_on: findings of this severity or worse, those that are suppressed aside, are worth exit code 3.
        fail_on_new: likewise, but only findings that are new or reopened.

    Returns:
        1 if a part failed or was not delivered; else 3 if there are such findings; else 4 if something was not read,
        so that there may be more; else 0.
    """
    statuses = {result.status for result in results}
    if "failed" in statuses:
        return 1
    if alarming(results, fail_on) or alarming(results, fail_on_new, fresh=True):
        return 3
    return 4 if "incomplete" in statuses else 0


def alarming(results: Sequence[AuditResult], severity: Severity | None, *, fresh: bool = False) -> int:
    """Return how many findings are of *severity* or worse, suppressed ones aside; None is worse than all of them.

    Args:
        results: of the audits.
        severity: the least severe one that counts.
        fresh: only findings that are new or reopened.
    """
    if severity is None:
        return 0
    counts = [result.fresh if fresh else result.severities for result in results]
    return sum(count.get(level, 0) for count in counts for level in at_or_above(severity))


def main() -> None:
    """Run the framework as the command ``cloudmarker`` does."""
    from cloudmarker.cli import main as cli

    cli()
