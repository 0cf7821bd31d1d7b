"""``cloudmarker diff``: what changed between two runs of an audit."""

from __future__ import annotations

import textwrap
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from cloudmarker.cli import Context

if TYPE_CHECKING:
    from cloudmarker.comparison import Comparison, KnownRun
    from cloudmarker.config import Config


@click.command()
@click.argument("audit", required=False)
@click.option("--from", "earlier", metavar="VERSION", help="The earlier run; by default the one before the later.")
@click.option("--to", "later", metavar="VERSION", help="The later run; by default the latest.")
@click.option("--list", "list_runs", is_flag=True, help="List the runs that can be compared instead.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def diff(
    context: Context, audit: str | None, earlier: str | None, later: str | None, list_runs: bool, as_json: bool
) -> int:
    """Show which findings changed between two runs of an audit.

    AUDIT may be left out if there is only one under 'run'. Findings are new, reopened, fixed, or unknown: not seen any
    more, though it was not seen either that they are fixed. Exit code: 0 the runs were compared, whatever there is;
    1 what is remembered cannot be read; 2 there is no such audit or run.
    """
    from cloudmarker.comparison import NothingToCompareError, compare, known_runs
    from cloudmarker.config import load
    from cloudmarker.state import state_dir

    config = load(context.config_paths)
    key, state = _chosen(config, audit), state_dir(config.data)
    if list_runs:
        _print_runs(known_runs(state, key), as_json=as_json)
        return 0
    try:
        comparison = compare(state, key, earlier, later)
    except NothingToCompareError as exc:
        raise click.UsageError(str(exc)) from None
    _print(comparison, as_json=as_json)
    return 0


def _chosen(config: Config, audit: str | None) -> str:
    known = config.data["audits"]
    if audit is None:
        keys = list(dict.fromkeys(config.data["run"]))
        if len(keys) != 1:
            raise click.UsageError(f"name one of the audits: {', '.join(sorted(known))}")
        return str(keys[0])
    if audit not in known:
        raise click.BadParameter(f"no audit named {audit!r}; there are {', '.join(sorted(known))}", param_hint="AUDIT")
    return audit


def _print_runs(runs: Sequence[KnownRun], *, as_json: bool) -> None:
    if as_json:
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(runs)).decode())
        return
    for run in runs:
        started = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(run.started))
        changes = ", ".join(f"{count:,} {status}" for status, count in run.changes.items())
        click.echo(f"{run.version}  {started}  {changes or 'no change'}")
    if not runs:
        click.echo("There is no run yet whose findings are remembered.")


def _print(comparison: Comparison, *, as_json: bool) -> None:
    if as_json:
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(comparison)).decode())
        return
    click.echo("\n".join(_lines(comparison)))


def _lines(comparison: Comparison) -> Iterator[str]:
    from cloudmarker.comparison import STATUSES
    from cloudmarker.text import visible, visible_line

    since = f"since version {comparison.earlier}" if comparison.earlier else "the first run"
    yield visible(f"Audit {comparison.audit}, version {comparison.later}, {since}")
    counts = Counter(change.status for change in comparison.changes)
    if not counts:
        yield "No finding has changed."
    for status in STATUSES:
        if not counts[status]:
            continue
        yield ""
        yield f"{status.capitalize()}: {counts[status]:,}"
        for change in comparison.changes:
            if change.status == status:
                text = visible_line(change.description or change.check_id)
                yield from textwrap.wrap(
                    f"{visible(change.severity):<8}  {text}",
                    80,
                    initial_indent="  ",
                    subsequent_indent=" " * 12,
                    break_long_words=False,
                    break_on_hyphens=False,
                )
                place = f"{change.reference}  ({change.account})" if change.account else change.reference
                yield f"            {visible(place)}"
