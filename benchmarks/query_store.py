"""The query store: taking and compacting 200,000 records, and counting them by type, beside SQLite and plain files.

Each side gets the same records as the framework hands them over, in batches of encoded lines: one record of each type
there is, again and again, with references of their own. The query store appends the lines and writes Parquet when the
last has come. SQLite is the least that a table needs: one row a record with its type and its JSON. Plain files are
JSON Lines, as of `filestore`. Loading ends when everything is on the disk.

The count by type goes through what `cloudmarker query` does, from looking for the runs to the last row, in a process
that has loaded the libraries; SQLite reads its table, plain files are decoded as far as the type. Each is asked in
turn.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
from _measuring import BenchmarkError, say
from _results import Claim, Options, Results, Table
from cloudmarker.batches import RecordBatch
from cloudmarker.records import encode
from cloudmarker.stores.filestore import FileStore
from cloudmarker.testing import MemoryRun, records
from cloudmarker_stores import _queryruns, _querytables
from cloudmarker_stores.querystore import QueryStore

RECORDS = 200_000
BATCH = 500
ROUNDS = 3
LOAD_S = 5.0
COUNT_S = 0.1
ORIGIN = "audit_cloud"


class _Com(msgspec.Struct):
    record_type: str


class _Typed(msgspec.Struct):
    com: _Com


_typed = msgspec.json.Decoder(_Typed)


def main(options: Options) -> Results:
    """Measure, and return the table and claims."""
    count = options.size(RECORDS)
    batches = list(_batches(count))
    sides: dict[str, tuple[Callable[[list[RecordBatch], Path], None], Callable[[Path], dict[str, int]]]] = {
        "query store": (_load_store, _count_store),
        "SQLite": (_load_sqlite, _count_sqlite),
        "plain files": (_load_files, _count_files),
    }
    loads: dict[str, list[float]] = {name: [] for name in sides}
    counts: dict[str, list[float]] = {name: [] for name in sides}
    sizes: dict[str, int] = {}
    for number in range(options.rounds or (1 if options.quick else ROUNDS)):
        for name, (load, ask) in sides.items():
            folder = options.folder / f"{name}-{number}"
            folder.mkdir()
            os.sync()
            start = time.perf_counter()
            load(batches, folder)
            loads[name].append(time.perf_counter() - start)
            for _ in range(3):
                start = time.perf_counter()
                found = ask(folder)
                counts[name].append(time.perf_counter() - start)
            if sum(found.values()) != count:
                raise BenchmarkError(f"{name}: {sum(found.values()):,} of {count:,} records are there")
            sizes[name] = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            say(f"  {name}: {loads[name][-1]:.2f} s, {min(counts[name]) * 1000:.0f} ms")
    table = Table(
        ("", "loading, best, s", "records/s", "count by type, best, ms", "on the disk, MB"),
        [
            (
                name,
                f"{min(loads[name]):.2f}",
                f"{count / min(loads[name]):,.0f}",
                f"{min(counts[name]) * 1000:.0f}",
                f"{sizes[name] / 1e6:.1f}",
            )
            for name in sides
        ],
        f"{count:,} records, {sum(len(batch.data) + 1 for batch in batches) / 1e6:.0f} MB of JSON. They repeat, so that"
        " real ones are not compressed as much.",
    )
    load_s, count_s = min(loads["query store"]), min(counts["query store"])
    claims = [
        Claim(f"{RECORDS:,} records are loaded in under {LOAD_S:.0f} s", f"{load_s:.2f} s", load_s < LOAD_S),
        Claim(
            f"they are counted by type in under {COUNT_S * 1000:.0f} ms", f"{count_s * 1000:.0f} ms", count_s < COUNT_S
        ),
    ]
    return Results((table,), claims)


def _batches(count: int) -> Iterator[RecordBatch]:
    templates = [encode(record) for record in records.stamped(*records.every_type())]
    for first in range(0, count, BATCH):
        size = min(BATCH, count - first)
        lines = [
            templates[number % len(templates)].replace(b'"reference":"', b'"reference":"%d/' % number, 1)
            for number in range(first, first + size)
        ]
        yield RecordBatch(ORIGIN, [("mixed", size)], b"\n".join(lines))


def _load_store(batches: list[RecordBatch], folder: Path) -> None:
    store = QueryStore(str(folder))
    store.begin(MemoryRun((ORIGIN,)))
    for batch in batches:
        store.write_batch(batch)
    store.done()


def _count_store(folder: Path) -> dict[str, int]:
    sql = "SELECT record_type, count(*) FROM records GROUP BY ALL"
    with _queryruns.reading(folder), _querytables.connect(_queryruns.read(folder), sql) as database:
        _querytables.lock_down(database, folder)
        return dict(database.execute(sql).fetchall())


def _load_sqlite(batches: list[RecordBatch], folder: Path) -> None:
    database = sqlite3.connect(folder / "records.db")
    database.execute("CREATE TABLE records (record_type TEXT, record TEXT)")
    for batch in batches:
        lines = batch.data.split(b"\n")
        database.executemany(
            "INSERT INTO records VALUES (?, ?)",
            [(_typed.decode(line).com.record_type, line.decode()) for line in lines],
        )
    database.commit()
    database.close()


def _count_sqlite(folder: Path) -> dict[str, int]:
    database = sqlite3.connect(folder / "records.db")
    found = dict(database.execute("SELECT record_type, count(*) FROM records GROUP BY record_type").fetchall())
    database.close()
    return found


def _load_files(batches: list[RecordBatch], folder: Path) -> None:
    store = FileStore(str(folder), format="jsonl")
    for batch in batches:
        store.write_batch(batch)
    store.done()


def _count_files(folder: Path) -> dict[str, int]:
    with (folder / f"{ORIGIN}.jsonl").open("rb") as lines:
        return Counter(_typed.decode(line).com.record_type for line in lines)
