"""``cloudmarker run``, and what ``cloudmarker`` alone does: run audits now, or on schedule."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from cloudmarker.config import Config
    from cloudmarker.results import AuditResult


def execute(config_paths: list[str] | None, *, now: bool, audits: Sequence[str] = (), as_json: bool = False) -> int:
    """Run audits and return the exit code.

    Args:
        config_paths: configuration files, None for the default ones.
        now: once, at once; else every day at the configured time until stopped.
        audits: keys of audits to run instead of those under ``run``.
        as_json: print the results as JSON instead of the summary.

    Raises:
        ConfigError: the configuration cannot be used; nothing has started.
    """
    os.umask(0o077)  # what is written is about the insides of someone's cloud
    from cloudmarker import _forkserver

    _forkserver.start()  # before the other imports: it takes about as long as they and the configuration together
    from cloudmarker import logs, manager
    from cloudmarker.config import load

    config = load(config_paths)
    for warning in config.warnings:
        click.echo(f"warning: {warning}", err=True)
    keys = _choose(config, audits)
    logs.configure(config.data["logger"], console="ext://sys.stderr" if as_json else None)
    if now:
        return manager.exit_code(_run_once(config, keys, as_json=as_json))
    from cloudmarker.scheduler import run_daily

    run_daily(config.data["schedule"], lambda: _run_once(config, keys, as_json=as_json))
    return 0


def _choose(config: Config, audits: Sequence[str]) -> list[str]:
    from cloudmarker.errors import ConfigError

    known = config.data["audits"]
    unknown = [key for key in audits if key not in known]
    if unknown:
        raise ConfigError([f"no audit named {key!r}; there are {', '.join(sorted(known))}" for key in unknown])
    return list(audits) or list(config.data["run"])


def _run_once(config: Config, keys: Sequence[str], *, as_json: bool) -> list[AuditResult]:
    from cloudmarker import manager
    from cloudmarker.progress import watching

    with watching() as watch:
        results = manager.run(config.data, keys, watch)
    _print(results, as_json=as_json)
    return results


def _print(results: Sequence[AuditResult], *, as_json: bool) -> None:
    if as_json:
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(results)).decode())
        return
    from cloudmarker.summary import render

    colour = sys.stdout.isatty()
    click.echo(render(results, lambda text, name: click.style(text, fg=name, bold=True) if colour else text))


@click.command()
@click.argument("audits", nargs=-1, metavar="[AUDIT]...")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON, logs to standard error.")
@click.pass_context
def run(ctx: click.Context, audits: tuple[str, ...], as_json: bool) -> int:
    """Run audits now: those named, or those under 'run' in the configuration.

    Exit code: 0 all was read and delivered; 1 a part failed or something was not delivered; 2 the configuration
    cannot be used; 4 something that may exist was not read.
    """
    return execute(ctx.obj.config_paths, now=True, audits=audits, as_json=as_json)
