"""``cloudmarker replay``: deliver what earlier runs could not deliver."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from cloudmarker.cli import Context

if TYPE_CHECKING:
    from cloudmarker.replay import Replayed


@click.command()
@click.option("--store", metavar="KEY", help="Only what is for the store or alert with this key.")
@click.option("--dead-letters", is_flag=True, help="Deliver also what stores and alerts refused.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON, logs to standard error.")
@click.pass_obj
def replay(context: Context, store: str | None, dead_letters: bool, as_json: bool) -> int:
    """Deliver what earlier runs could not deliver.

    What is in the spool goes through the plugins that it was for, as they are configured now. It leaves the spool when
    its delivery has been confirmed. Exit code: 0 nothing is left; 1 something is, or was refused; 2 the configuration
    cannot be used.
    """
    os.umask(0o077)
    from cloudmarker import logs
    from cloudmarker.config import load
    from cloudmarker.replay import replay as deliver

    config = load(context.config_paths)
    for warning in config.warnings:
        click.echo(f"warning: {warning}", err=True)
    logs.configure(config.data["logger"], console="ext://sys.stderr" if as_json else None)
    if store is not None:
        _check(store, config.data)
    results = deliver(config.data, store=store, dead_letters=dead_letters)
    _print(results, as_json=as_json)
    return 1 if any(result.left or result.rejected for result in results) else 0


def _check(store: str, config: Mapping[str, Any]) -> None:
    """Refuse a key that no plugin has, nor anything in the spool."""
    from cloudmarker.plugins import registry, suggest
    from cloudmarker.spool import owners
    from cloudmarker.state import state_dir

    known = {*(config.get("plugins") or {}), *registry().plugins, *(owner.key for owner in owners(state_dir(config)))}
    if store not in known:
        near = suggest(store, known)
        hint = f"; did you mean '{near}'?" if near else ""
        raise click.BadParameter(f"there is no store or alert '{store}'{hint}", param_hint="--store")


def _print(results: Sequence[Replayed], *, as_json: bool) -> None:
    if as_json:
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(results)).decode())
        return
    from cloudmarker.text import visible

    if not results:
        click.echo("There is nothing to deliver.")
    for result in results:
        numbers = f"{result.delivered:,} delivered, {result.rejected:,} rejected, {result.left:,} left"
        reason = f": {result.problem}" if result.problem else ""
        click.echo(
            visible(
                f"{result.store} ({result.kind}), audit {result.audit}, version {result.version}: {numbers}{reason}"
            )
        )
