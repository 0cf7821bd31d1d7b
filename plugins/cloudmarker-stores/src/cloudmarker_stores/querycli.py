"""``cloudmarker query``: look into a query store with SQL."""

from __future__ import annotations

import contextlib
import difflib
import re
import sys
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click

from cloudmarker_stores import _queryruns as runs
from cloudmarker_stores._queryoutput import FORMATS, Rows, write

if TYPE_CHECKING:
    import duckdb

_NAMES = frozenset({"querystore", "QueryStore"})
_STORE_LINE = re.compile(r"[.:]")


class Context(Protocol):
    """What ``cloudmarker`` hands to a command."""

    @property
    def config_paths(self) -> list[str] | None:
        """The files given after ``-c``; None if it was not given."""


class QueryError(click.ClickException):
    """A question that cannot be answered; one line."""

    exit_code = 2


@click.command()
@click.argument("sql", required=False)
@click.option("--named", metavar="NAME", help="Ask one of the queries that come with it; --list shows them.")
@click.option("--set", "settings", metavar="NAME=VALUE", multiple=True, help="Set what getvariable('NAME') gives.")
@click.option("--list", "as_list", is_flag=True, help="List the tables and the named queries.")
@click.option("--describe", metavar="TYPE", help="Show the columns of the table of a record type.")
@click.option("-f", "--format", "form", type=click.Choice(sorted(FORMATS)), default="table", help="How to print.")
@click.option("--path", metavar="DIR", help="The store's directory; else as configured.")
@click.option("--store", metavar="KEY", help="The key of the store, if several are configured.")
@click.pass_obj
def query(
    context: Context,
    sql: str | None,
    named: str | None,
    settings: tuple[str, ...],
    as_list: bool,
    describe: str | None,
    form: str,
    path: str | None,
    store: str | None,
) -> None:
    """Query the records that a querystore has kept.

    SQL is one SELECT, in DuckDB's dialect; - reads it from standard input. Each record type is a table with the newest
    complete audit; history.TYPE has all audits, and history.runs says which there are. Nothing can be changed, nor any
    other file be read.
    """
    if [bool(sql), bool(named), as_list, bool(describe)].count(True) != 1:
        raise click.UsageError("give one of: SQL, --named, --list, --describe")
    runs.need_duckdb()
    if sql == "-":
        sql = sys.stdin.read()
    elif named:
        sql = _named(named)
    if describe:
        write(_describe(describe), form)
        return
    folder = Path(path).expanduser().absolute() if path else _configured(context, store)
    with _reading(folder):
        found = runs.read(folder)
        if as_list:
            _list(found, form)
        else:
            _answer(folder, found, sql or "", settings, form)


def _answer(folder: Path, found: list[runs.Run], sql: str, settings: tuple[str, ...], form: str) -> None:
    """Print what one SELECT gives."""
    import duckdb

    from cloudmarker_stores import _querytables as tables

    try:
        database = tables.connect(found, sql)
        for setting in settings:
            name, equals, value = setting.partition("=")
            if not equals or not name.isidentifier():
                raise click.UsageError(f"--set takes NAME=VALUE, not {setting}")
            database.execute(f"SET VARIABLE {name} = ?", [value])
        tables.lock_down(database, folder.resolve())
        statements = database.extract_statements(sql)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise QueryError("only one SELECT can be asked")
        write(_rows(database.execute(statements[0])), form)
    except duckdb.Error as exc:
        raise QueryError(tables.message(exc)) from exc


def _rows(answer: duckdb.DuckDBPyConnection) -> Rows:
    described = answer.description or []
    return Rows(
        [str(column[0]) for column in described],
        iter(answer.fetchone, None),
        frozenset(index for index, column in enumerate(described) if str(column[1]) == "JSON"),
    )


def _list(found: list[runs.Run], form: str) -> None:
    newest = runs.latest(found)
    types = sorted({record_type for run in found for record_type in run.tables})
    rows = [(name, _count(newest, name), _count(found, name)) for name in types]
    write(Rows(["table", "latest", "history"], iter(rows)), form)
    if form == "table":
        click.echo("\nnamed queries")
        for name, text in sorted(_queries().items()):
            click.echo(f"  {name:20}  {text.partition(chr(10))[0].lstrip('- ')}")


def _count(found: list[runs.Run], record_type: str) -> int:
    return sum(run.tables[record_type].records for run in found if record_type in run.tables)


def _describe(record_type: str) -> Rows:
    from cloudmarker.fields import RECORD_TYPES

    from cloudmarker_stores import _querytables as tables

    if record_type not in (*RECORD_TYPES, tables.EVERYTHING):
        near = difflib.get_close_matches(record_type, RECORD_TYPES, 1)
        raise QueryError(f"there is no record type '{record_type}'" + (f"; did you mean '{near[0]}'?" if near else ""))
    rows = [(name, tables.column_type(field), field.meaning) for name, field in tables.columns(record_type).items()]
    buckets = zip(tables.BUCKETS, ("all of com", "in the cloud's own words", "what the cloud answered"), strict=True)
    rows += [(name, "JSON", text) for name, text in buckets]
    return Rows(["column", "type", "meaning"], iter(rows), whole=True)


def _queries() -> Mapping[str, str]:
    folder = resources.files("cloudmarker_stores") / "queries"
    return {
        file.name.removesuffix(".sql"): file.read_text(encoding="utf-8")
        for file in folder.iterdir()
        if file.name.endswith(".sql")
    }


def _named(name: str) -> str:
    known = _queries()
    if name not in known:
        raise QueryError(f"there is no query '{name}'; there are {', '.join(sorted(known))}")
    return known[name]


@contextlib.contextmanager
def _reading(folder: Path) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(runs.reading(folder))
        except FileNotFoundError:
            raise QueryError(f"{folder}: there is no query store") from None
        except OSError as exc:
            raise QueryError(f"{folder}: {exc.strerror or exc}") from exc
        yield


def _configured(context: Context, store: str | None) -> Path:
    """Return the folder of the store that the configuration has."""
    from cloudmarker.config import load

    plugins: Mapping[str, Any] = load(context.config_paths).data.get("plugins") or {}
    stores = {key: plugin for key, plugin in plugins.items() if _is_query_store(plugin)}
    if store is not None and store not in stores:
        raise QueryError(f"--store: no querystore has the key '{store}'; there are {', '.join(stores)}")
    # The one of the base config is there in any case, so another one that has a path is meant.
    meant = [store] if store else [key for key in stores if (stores[key].get("params") or {}).get("path")]
    if len(meant) > 1:
        raise QueryError(f"there are several query stores; choose one with --store: {', '.join(meant)}")
    path = (stores[meant[0]].get("params") or {}).get("path") if meant else None
    return Path(path).expanduser().absolute() if path else runs.default_path()


def _is_query_store(plugin: Mapping[str, Any]) -> bool:
    return _STORE_LINE.split(str(plugin.get("plugin")))[-1] in _NAMES
