"""``cloudmarker plugins``: what is installed, what one plugin takes, whether they keep their contracts, a new one."""

from __future__ import annotations

import json
import shlex
import shutil
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from cloudmarker._registry import KINDS, Plugin
from cloudmarker.errors import PluginError
from cloudmarker.plugins import load_class, registry


@click.group()
def plugins() -> None:
    """List, describe, check and start plugins."""


@plugins.command("list")
@click.option("--kind", type=click.Choice(KINDS), help="Only this kind.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, problems included.")
def list_command(kind: str | None, as_json: bool) -> None:
    """List the plugins that are installed.

    What is wrong with an installed distribution is on standard error.
    """
    found = {name: plugin for name, plugin in registry().plugins.items() if kind in (None, plugin.spec.kind)}
    if as_json:
        click.echo(json.dumps({"plugins": [*map(_row, found.values())], "problems": registry().problems}, indent=2))
    else:
        click.echo("\n".join(_table(found, _width())))
    _show_problems()


@plugins.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def info(name: str, as_json: bool) -> None:
    """Show a plugin's class, its parameters, and an example.

    NAME is a short name (filestore) or a class path (package.module.Class).
    """
    from cloudmarker.cli._describe import as_text, describe

    found = describe(name)
    click.echo(json.dumps(found, indent=2) if as_json else "\n".join(as_text(found, _width())))


@plugins.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
def check(names: tuple[str, ...]) -> int:
    """Import plugins and check that their classes keep the contracts.

    Without NAME, check every registered plugin, and report what is wrong with the installed distributions. Exits with 1
    if anything is wrong.
    """
    faults = [line for name in names or registry().plugins for line in _check(name)]
    for line in faults:
        click.echo(line, err=True)
    problems = () if names else _show_problems()
    return 1 if faults or problems else 0


@plugins.command()
@click.argument("name")
@click.option("--kind", type=click.Choice(KINDS), required=True, help="What the plugin is.")
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="Where to put it. [default: here]",
)
def new(name: str, kind: str, directory: Path) -> None:
    """Write a distribution with a new plugin, ready to be installed.

    NAME is the name of its class, such as AcmeCloud. The distribution has a plugin that works, and a test that checks
    it.
    """
    from cloudmarker.cli._scaffold import write

    root = write(name, kind, directory)
    click.echo(f"Wrote {root}. Install and test it with\n")
    click.echo(f"  pip install -e {shlex.quote(f'{root}[test]')}\n  pytest {shlex.quote(str(root))}")


def _check(name: str) -> Iterator[str]:
    """Check one plugin, print a line if it is right, and yield a line for each fault."""
    from cloudmarker._contractcheck import contract_faults, kind_of

    plugin = registry().plugins.get(name)
    where = f"{plugin.distribution} {plugin.version}: {name}" if plugin else name
    try:
        cls = load_class(name)
    except PluginError as exc:
        yield f"{where}: {exc}"
        return
    kind = plugin.spec.kind if plugin else kind_of(cls)
    if kind is None:
        yield f"{where}: {cls.__name__} has the methods of no kind of plugin: {', '.join(KINDS)}"
        return
    faults = [f"{where}: {cls.__name__} {fault}" for fault in contract_faults(cls, kind)]
    if not faults:
        click.echo(f"ok  {kind:<5}  {name}  {cls.__module__}.{cls.__qualname__}")
    yield from faults


def _row(plugin: Plugin) -> dict[str, str]:
    return {
        "kind": plugin.spec.kind,
        "name": plugin.spec.name,
        "class": plugin.spec.target.replace(":", "."),
        "distribution": plugin.distribution,
        "version": plugin.version,
        "summary": plugin.spec.summary,
    }


def _table(found: Mapping[str, Plugin], width: int) -> Iterator[str]:
    """Yield two or more lines a plugin, by kind: its names and where it is from, and the summary."""
    if not found:
        yield "No plugin is installed."
        return
    name_width = max(len(name) for name in found)
    indent = " " * 7
    for kind in KINDS:
        for name, plugin in found.items():
            if plugin.spec.kind == kind:
                yield f"{kind:<5}  {name:<{name_width}}  {plugin.distribution} {plugin.version}"
                yield from textwrap.wrap(plugin.spec.summary, width, initial_indent=indent, subsequent_indent=indent)


def _show_problems() -> tuple[str, ...]:
    for problem in registry().problems:
        click.echo(f"Problem: {problem}", err=True)
    return registry().problems


def _width() -> int:
    """Return the terminal's width, 80 where there is none: a file is read in any window."""
    return shutil.get_terminal_size((80, 24)).columns
