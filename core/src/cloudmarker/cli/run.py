"""``cloudmarker run``, and what ``cloudmarker`` alone does: run audits now, or on schedule."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from cloudmarker.cli._failon import fail_on_options, judge

if TYPE_CHECKING:
    from cloudmarker.config import Config
    from cloudmarker.contracts import Severity
    from cloudmarker.notifications import Notifier
    from cloudmarker.results import AuditResult
    from cloudmarker.supervisor import AuditRun


def execute(
    config_paths: list[str] | None,
    *,
    now: bool,
    audits: Sequence[str] = (),
    as_json: bool = False,
    fail_on: Severity | None = None,
    fail_on_new: Severity | None = None,
) -> int:
    """Run audits and return the exit code.

    Args:
        config_paths: configuration files, None for the default ones.
        now: once, at once; else by their schedules until stopped.
        audits: keys of audits to run instead of those under ``run``.
        as_json: print the results as JSON instead of the summary.
        fail_on: findings of this severity or worse make the exit code 3; not on schedule.
        fail_on_new: likewise, but only those that are new or reopened.

    Raises:
        ConfigError: the configuration cannot be used; nothing has started.
    """
    os.umask(0o077)  # what is written is about the insides of someone's cloud
    from cloudmarker import _forkserver

    _forkserver.start()  # before the other imports: it takes about as long as they and the configuration together
    if not now:
        from cloudmarker.service import serve

        serve(config_paths, _run_scheduled)
        return 0
    from cloudmarker import logs
    from cloudmarker.config import load

    with contextlib.redirect_stdout(sys.stderr):  # what modules of plugins print when they are imported is no result
        config = load(config_paths, audits=audits)
    for warning in config.warnings:
        click.echo(f"warning: {warning}", err=True)
    keys = _choose(config, audits)
    logs.configure(config.data["logger"], console="ext://sys.stderr" if as_json else None)
    return judge(_run(config.data, keys, as_json=as_json), fail_on, fail_on_new)


def _choose(config: Config, audits: Sequence[str]) -> list[str]:
    from cloudmarker.errors import ConfigError

    known = config.data["audits"]
    unknown = [key for key in audits if key not in known]
    if unknown:
        raise ConfigError([f"no audit named {key!r}; there are {', '.join(sorted(known))}" for key in unknown])
    return list(dict.fromkeys(audits)) or list(config.data["run"])


def _run_scheduled(
    config: Mapping[str, Any], keys: Sequence[str], tick: Callable[[], None], signals: list[int]
) -> list[AuditResult]:
    from cloudmarker import logs

    return _run(config, keys, as_json=False, logged=logs.console_is_json(), tick=tick, signals=signals)


def _run(
    config: Mapping[str, Any],
    keys: Sequence[str],
    *,
    as_json: bool,
    logged: bool = False,
    tick: Callable[[], None] = lambda: None,
    signals: list[int] | None = None,
) -> list[AuditResult]:
    """Run audits, show how it goes meanwhile and what became of them.

    Args:
        config: the whole configuration, checked.
        keys: which audits.
        as_json: print the results as JSON instead of the summary.
        logged: log the summary, and nothing else, instead of printing it.
        tick: called some times a second.
        signals: as in :func:`cloudmarker.manager.run`.
    """
    from cloudmarker import manager
    from cloudmarker.progress import watching

    with watching() if not logged else contextlib.nullcontext(_unwatched) as show:

        def watch(audits: Sequence[AuditRun]) -> Callable[[], None]:
            shown = show(audits)

            def both() -> None:
                shown()
                tick()

            return both

        mails = _notifier(config)
        results = manager.run(config, keys, watch, signals, mails)
    _print(results, as_json=as_json, logged=logged)
    for problem in mails.close() if mails is not None else ():
        _warn(problem, logged=logged)
    return results


def _warn(problem: str, *, logged: bool) -> None:
    if logged:
        logging.getLogger("cloudmarker.manager").warning("%s", problem)
    else:
        click.echo(f"warning: {problem}", err=True)


def _notifier(config: Mapping[str, Any]) -> Notifier | None:
    """Return what sends mail about the run; None if nobody is to get any, for it takes time to import."""
    if not config.get("email"):
        return None
    from cloudmarker.notifications import Notifier

    return Notifier(config["email"])


def _unwatched(audits: Sequence[AuditRun]) -> Callable[[], None]:
    return lambda: None


def _print(results: Sequence[AuditResult], *, as_json: bool, logged: bool) -> None:
    if as_json:
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(results)).decode())
        return
    from cloudmarker.summary import render

    if logged:
        for result in results:
            logging.getLogger("cloudmarker.manager").info("%s", render([result]))
        return
    colour = sys.stdout.isatty()
    click.echo(render(results, lambda text, name: click.style(text, fg=name, bold=True) if colour else text))


@click.command()
@click.argument("audits", nargs=-1, metavar="[AUDIT]...")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON, logs to standard error.")
@fail_on_options
@click.pass_context
def run(
    ctx: click.Context,
    audits: tuple[str, ...],
    as_json: bool,
    fail_on: Severity | None,
    fail_on_new: Severity | None,
) -> int:
    """Run audits now: those named, or those under 'run' in the configuration.

    Exit code: 0 all was read and delivered; 1 a part failed or something was not delivered; 2 the configuration
    cannot be used; 3 there are findings as bad as --fail-on or --fail-on-new says; 4 something that may exist was not
    read. If several hold, 1 goes before 3, and 3 before 4.
    """
    return execute(
        ctx.obj.config_paths, now=True, audits=audits, as_json=as_json, fail_on=fail_on, fail_on_new=fail_on_new
    )
