"""The tables of a query store in DuckDB: written to Parquet from JSON Lines, and read back as views."""

from __future__ import annotations

import atexit
import gc
import json
import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
from cloudmarker.errors import PluginError
from cloudmarker.fields import RECORD_TYPES, Com, EventCom, FieldType, InventoryCom, Stamps, fields

from cloudmarker_stores import _queryruns as runs

if TYPE_CHECKING:
    from cloudmarker.fields import Field

MEMORY = "1GB"
"""What DuckDB may use while a run is written to Parquet, however large the run is."""

_ROW_GROUP = "32MB"
"""What is gathered before it is written; by default it is 122,880 records, however large."""

# DuckDB's bindings complain about every object that is still there when the interpreter has ended.
atexit.register(gc.unfreeze)

_TYPES: Mapping[FieldType, str] = {
    "string": "VARCHAR",
    "text": "VARCHAR",
    "timestamp": "TIMESTAMPTZ",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "list of string": "VARCHAR[]",
    "list of integer": "BIGINT[]",
    "list of object": "JSON",
    "map of string": "MAP(VARCHAR, VARCHAR)",
    "map of integer": "MAP(VARCHAR, BIGINT)",
}
BUCKETS = ("com", "ext", "raw")
EVERYTHING = "records"
RUNS = "runs"
_SMALLEST_OBJECT_BYTES = 16 * 1024 * 1024
_NO_FILES: Mapping[str, Any] = {  # of what is not part of the store
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "python_enable_replacements": False,
}


def column_type(field: Field) -> str:
    """Return the type of a column. A timestamp is UTC, without a zone: its zone has been taken into account."""
    return "TIMESTAMP" if field.type == "timestamp" else _TYPES[field.type]


def columns(record_type: str) -> Mapping[str, Field]:
    """Return the fields of ``com`` that have a column in the table of a record type.

    Stamps are the last. A type that cloudmarker does not know has those that things and findings have.
    """
    if record_type == EVERYTHING:
        found = fields(Com)
    elif shape := RECORD_TYPES.get(record_type):
        found = fields(shape)
    else:
        found = {**fields(Com), **fields(InventoryCom), **fields(EventCom)}
    stamps = fields(Stamps)
    return {**{name: field for name, field in found.items() if name not in stamps}, **stamps}


def write(folder: Path, longest: int, *, whole: bool) -> dict[str, runs.Table]:
    """Write the JSON Lines in *folder* to Parquet files in it, one for each record type.

    A value that does not fit its column is null there; ``com`` has it.

    Args:
        folder: of the run.
        longest: bytes that no line has more of.
        whole: fail if a line is not a record, instead of leaving it out.

    Raises:
        PluginError: DuckDB cannot do it.
        OSError: the files cannot be brought to the disk.
    """
    try:
        with duckdb.connect(config={"threads": min(2, os.cpu_count() or 1)}) as database:
            database.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = false")
            database.execute(f"SET memory_limit = '{MEMORY}'; SET enable_progress_bar = false")
            database.execute(f"SET temp_directory = {_text(str(folder / 'tmp'))}")
            database.execute(
                "CREATE TEMP TABLE lines AS SELECT"  # noqa: S608  names and values are quoted, here and below
                " coalesce(nullif(com->>'$.record_type', ''), 'untyped') AS record_type, com, ext, raw"
                f" FROM read_json({_files([folder / runs.LINES])}, format = 'newline_delimited',"
                f" maximum_object_size = {max(longest + 1, _SMALLEST_OBJECT_BYTES)}, ignore_errors = {not whole},"
                " columns = {com: 'JSON', ext: 'JSON', raw: 'JSON'})"
            )
            counts = database.execute("SELECT record_type, count(*) FROM lines GROUP BY ALL ORDER BY ALL").fetchall()
            tables = {
                record_type: _write_type(database, folder / f"{number:04}.parquet", record_type, count)
                for number, (record_type, count) in enumerate(counts)
            }
    except duckdb.Error as exc:
        raise PluginError(f"{folder}: {message(exc)}; the records are in {runs.LINES}") from exc
    return tables


def _write_type(database: duckdb.DuckDBPyConnection, file: Path, record_type: str, count: int) -> runs.Table:
    names = columns(record_type)
    shape = json.dumps({name: _TYPES[field.type] for name, field in names.items()})
    selected = ", ".join(
        f"CAST(f.{_name(name)} AS {column_type(field)}) AS {_name(name)}" for name, field in names.items()
    )
    database.execute(
        f"COPY (SELECT {selected}, com, ext, raw FROM"  # noqa: S608
        f" (SELECT json_transform(com, {_text(shape)}) AS f, com, ext, raw"
        f" FROM lines WHERE record_type = {_text(record_type)}))"
        f" TO {_text(str(file))} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE_BYTES '{_ROW_GROUP}')"
    )
    file.chmod(0o600)
    with file.open("rb") as written:
        os.fsync(written.fileno())
    return runs.Table(file.name, count, tuple(names))


def connect(found: Sequence[runs.Run], sql: str = "") -> duckdb.DuckDBPyConnection:
    """Return a connection with the tables of a store.

    Args:
        found: the runs of the store.
        sql: what will be asked; only views that it mentions are made, because each costs a look at its files.
            Without any, or if it mentions none, all are made.

    Raises:
        duckdb.Error: a file of the store cannot be read.
    """
    ended = [run for run in found if run.status != runs.UNFINISHED]
    newest = runs.latest(found)
    types = dict.fromkeys([EVERYTHING, *RECORD_TYPES, *(name for run in ended for name in run.tables)])
    mentioned = [name for name in types if name.lower() in sql.lower()] or list(types)
    database = duckdb.connect(config=dict(_NO_FILES))
    database.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")  # it would be in the answer
    database.execute("CREATE SCHEMA latest; CREATE SCHEMA history")
    _make_runs(database, found, newest)
    for schema, visible in (("latest", newest), ("history", ended)):
        if schema == "latest" or schema in sql.lower() or not sql:
            made = {RUNS} if schema == "history" else set()
            for name in mentioned:
                if name.lower() not in made:  # names of tables are the same in upper and lower case
                    made.add(name.lower())
                    database.execute(f"CREATE VIEW {schema}.{_name(name)} AS {_select(name, visible)}")
    database.execute("SET search_path = 'latest'")
    return database


def lock_down(database: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Forbid everything but reading the store, for good."""
    folder = path / "runs"
    allowed = f"[{_text(str(folder))}, {_text(_no_pattern(folder))}]"  # the path is compared as it is spelt in a query
    database.execute(f"SET allowed_directories = {allowed}; SET temp_directory = ''")
    database.execute("SET enable_external_access = false; SET lock_configuration = true")


def _make_runs(database: duckdb.DuckDBPyConnection, found: Sequence[runs.Run], newest: Collection[runs.Run]) -> None:
    database.execute(
        "CREATE TABLE history.runs (audit_key VARCHAR, audit_version VARCHAR, worker VARCHAR, status VARCHAR,"
        " reason VARCHAR, records BIGINT, audit_complete BOOLEAN, latest BOOLEAN)"
    )
    complete, current = runs.whole(found), {run.folder for run in newest}
    rows: list[object] = []
    for run in found:
        audit = (run.audit_key, run.audit_version)
        rows += [*audit, run.worker, run.status, run.reason, run.records, audit in complete, run.folder in current]
    if rows:
        values = ", ".join(["(?, ?, ?, ?, ?, ?, ?, ?)"] * len(found))
        database.execute(f"INSERT INTO history.runs VALUES {values}", rows)  # noqa: S608


def _select(name: str, visible: Iterable[runs.Run]) -> str:
    """Return the query that gives the records of a type, or those of all."""
    tables = [
        (run.folder / table.file, table)
        for run in visible
        for record_type, table in run.tables.items()
        if name == EVERYTHING or record_type.lower() == name.lower()
    ]
    there = {column for _, table in tables for column in table.columns}
    wanted = columns(name)
    selected = [
        f"{_name(column) if column in there else 'NULL'}::{column_type(field)} AS {_name(column)}"
        for column, field in wanted.items()
    ]
    if not tables:
        return f"SELECT {', '.join([*selected, *(f'NULL::JSON AS {bucket}' for bucket in BUCKETS)])} WHERE false"
    files = _files([file for file, _ in tables])
    # Looking at every file before the first row is only needed if one lacks a column that a newer version has.
    union = any(not wanted.keys() <= set(table.columns) for _, table in tables)
    return f"SELECT {', '.join([*selected, *BUCKETS])} FROM read_parquet({files}, union_by_name = {union})"  # noqa: S608


def message(error: duckdb.Error) -> str:
    """Return what DuckDB says, in one line."""
    text = re.sub(r"\n+LINE \d+:.*", "", str(error), flags=re.DOTALL)
    return " ".join(text.split())


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _files(paths: Iterable[Path]) -> str:
    """Return a list of files, in whose names nothing is a pattern."""
    return f"[{', '.join(_text(_no_pattern(path)) for path in paths)}]"


def _no_pattern(path: Path) -> str:
    return re.sub(r"([*?[])", r"[\1]", str(path))
