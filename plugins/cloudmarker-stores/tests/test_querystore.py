"""The query store: what it keeps, what a query sees of it, and what is left when a run breaks off."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from cloudmarker.contracts import Incomplete
from cloudmarker.errors import ConfigError
from cloudmarker.fields import RECORD_TYPES
from cloudmarker.records import encode
from cloudmarker.testing import MemoryRun, check_plugin, records
from cloudmarker_stores import _queryruns as runs
from cloudmarker_stores.querystore import QueryStore

duckdb = pytest.importorskip("duckdb")
tables = pytest.importorskip("cloudmarker_stores._querytables")

BROKEN = Incomplete({"audit_cloud": "it broke off"})


class QueryRun(MemoryRun):
    def __init__(self, version: str) -> None:
        super().__init__()
        self.audit_version = version


def keep(path: Path, version: str, *made: Any, abort: bool = False, **params: Any) -> QueryStore:
    """Do one run, of which the store gets *made*."""
    store = QueryStore(str(path), **params)
    QueryRun(version).serve(store, records.stamped(*made), BROKEN if abort else None, in_batches=True)
    return store


def ask(path: Path, sql: str) -> list[Any]:
    with tables.connect(runs.read(path), sql) as database:
        tables.lock_down(database, path)
        return database.execute(sql).fetchall()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "query"


def test_it_keeps_the_contract_of_stores(path):
    check_plugin(QueryStore, {"path": str(path)})


def test_every_record_type_has_a_table_with_a_column_for_each_field(path):
    made = records.every_type()
    keep(path, "20260101_000000", *made)
    with tables.connect(runs.read(path)) as database:
        for record in made:
            name = record["com"]["record_type"]
            values = ", ".join(f'"{field}"' for field in record["com"])
            assert database.execute(f"SELECT {values} FROM {name}").fetchall(), name
    assert ask(path, "SELECT count(*) FROM records") == [(len(made),)]


def test_columns_have_the_types_of_the_fields(path):
    record = records.disk(size_gib=7, created="2026-01-01T02:00:00+02:00", tags={"a": "b"})
    keep(path, "20260101_000000", record)
    ((size, created, tag),) = ask(path, "SELECT size_gib + 1, created::VARCHAR, tags['a'] FROM disk")
    assert (size, created, tag) == (8, "2026-01-01 00:00:00", "b")


def test_a_value_that_does_not_fit_its_column_is_null_there_and_stays_in_com(path):
    keep(path, "20260101_000000", records.disk(size_gib="large"))
    assert ask(path, "SELECT size_gib, com->>'size_gib' FROM disk") == [(None, "large")]


def test_raw_and_ext_are_kept_as_they_are(path):
    made = records.stamped(*records.awkward())
    store = QueryStore(str(path))
    store.begin(QueryRun("20260101_000000"))
    for record in made:
        store.write(record)
    store.done()
    expected = {record["com"]["record_id"]: json.loads(encode(record)) for record in made}
    found = ask(path, "SELECT record_id, raw, ext, com FROM records")
    assert len(found) == len(expected)
    for record_id, raw, ext, com in found:
        record = expected[record_id]
        assert json.loads(raw or "null") == record.get("raw"), record_id
        assert (json.loads(ext or "{}"), json.loads(com)) == (record.get("ext", {}), record["com"])


def test_a_type_without_records_and_one_of_somebody_else_have_tables(path):
    keep(path, "20260101_000000", records.record("acme 'thing'", colour="red"))
    assert ask(path, "SELECT com->>'colour' FROM \"acme 'thing'\"") == [("red",)]
    assert ask(path, " UNION ALL ".join(f"SELECT reference FROM {name}" for name in RECORD_TYPES)) == []
    assert ("acme 'thing'",) in ask(path, "SHOW TABLES")


def test_a_column_that_an_older_version_did_not_write_is_null(path):
    keep(path, "20260101_000000", records.disk(name="old"))
    keep(path, "20260102_000000", records.disk(name="new", size_gib=7))
    (old, _) = runs.read(path)
    (table,) = old.tables.values()
    file = old.folder / table.file
    with duckdb.connect() as database:
        database.execute(f"CREATE TABLE d AS SELECT * EXCLUDE (size_gib) FROM '{file}'")
        database.execute(f"COPY d TO '{file}'")
    columns = tuple(name for name in table.columns if name != "size_gib")
    runs.ended(old, "complete", "", {"disk": runs.Table(table.file, 1, columns)})
    assert ask(path, "SELECT name, size_gib FROM history.disk ORDER BY ALL") == [("new", 7), ("old", None)]
    assert ask(path, "SELECT count(*) FROM history.records") == [(2,)]


def test_plain_names_are_the_newest_complete_audit_and_history_is_all(path):
    keep(path, "20260101_000000", records.mock(1))
    keep(path, "20260102_000000", records.mock(2), records.mock(3))
    assert ask(path, "SELECT count(*) FROM mock") == [(2,)]
    assert ask(path, "SELECT count(*) FROM history.mock") == [(3,)]


def test_an_incomplete_run_is_in_the_history_only(path):
    keep(path, "20260101_000000", records.mock(1))
    keep(path, "20260102_000000", records.mock(2), records.mock(3), abort=True)
    assert ask(path, "SELECT reference FROM mock") == [("mock/1",)]
    assert ask(path, "SELECT count(*) FROM history.mock") == [(3,)]
    assert ask(path, "SELECT status, latest FROM history.runs ORDER BY ALL") == [
        ("complete", True),
        ("incomplete", False),
    ]


def test_an_audit_whose_store_is_complete_but_whose_alert_is_not_is_not_the_newest(path):
    keep(path, "20260101_000000", records.mock(1))
    keep(path, "20260102_000000", records.mock(2))
    keep(path, "20260102_000000", records.mock_event(), abort=True)
    assert ask(path, "SELECT reference FROM mock") == [("mock/1",)]


def test_the_newest_complete_run_of_each_audit_shows(path):
    other = QueryStore(str(path))
    run = QueryRun("20250101_000000")
    run.audit_key = "another"
    other.begin(run)
    other.write(records.stamped(records.mock(9))[0])
    other.done()
    keep(path, "20260101_000000", records.mock(1))
    assert ask(path, "SELECT reference FROM mock ORDER BY ALL") == [("mock/1",), ("mock/9",)]


def test_history_is_deleted_after_retention_days_but_never_the_newest_complete_run(path):
    keep(path, "20260101_000000", records.mock(1))
    keep(path, "20260102_000000", records.mock(2))
    keep(path, "20260301_000000", records.mock(3), abort=True, retention_days=1)
    assert len(runs.read(path)) == 3
    keep(path, "20260401_000000", records.mock(4), retention_days=40)
    assert [run.audit_version for run in runs.read(path)] == ["20260301_000000", "20260401_000000"]
    assert len(list((path / "runs").iterdir())) == 2


def test_nothing_is_deleted_while_it_is_read(path):
    keep(path, "20260101_000000", records.mock(1))
    with runs.reading(path):
        keep(path, "20260401_000000", records.mock(2), retention_days=1)
        assert ask(path, "SELECT count(*) FROM history.mock") == [(2,)]
    keep(path, "20260402_000000", records.mock(3), retention_days=1)
    assert ask(path, "SELECT count(*) FROM history.mock") == [(2,)]


def test_a_run_under_way_is_no_part_of_what_is_read(path):
    keep(path, "20260101_000000", records.mock(1))
    store = QueryStore(str(path))
    store.begin(QueryRun("20260102_000000"))
    store.write(records.stamped(records.mock(2))[0])
    assert ask(path, "SELECT reference FROM history.mock") == [("mock/1",)]
    keep(path, "20260103_000000", records.mock(3))  # leaves the one at work alone
    store.done()
    assert ask(path, "SELECT reference FROM history.mock ORDER BY ALL") == [("mock/1",), ("mock/2",), ("mock/3",)]


def test_a_killed_run_leaves_readable_lines_that_the_next_run_adds_to_the_history(path):
    code = textwrap.dedent(
        """
        import os, signal, sys
        from cloudmarker.testing import MemoryRun, records
        from cloudmarker_stores.querystore import QueryStore
        store = QueryStore(sys.argv[1])
        run = MemoryRun(); run.audit_version = "20260102_000000"
        store.begin(run)
        for record in records.stamped(records.mock(1), records.mock(2)):
            store.write(record)
        os.write(store._fd, b'{"com": {"record_ty')
        os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == -9
    (lines,) = path.glob("runs/*/records.jsonl")
    assert [json.loads(line)["raw"]["data"] for line in lines.read_bytes().splitlines()[:2]] == [1, 2]
    keep(path, "20260103_000000", records.mock(3))
    assert not lines.exists()
    assert ask(path, "SELECT reference FROM mock") == [("mock/3",)]
    assert ask(path, "SELECT count(*) FROM history.mock") == [(3,)]


def test_what_cannot_be_compacted_stays_as_lines(path):
    store = QueryStore(str(path))
    store.begin(QueryRun("20260101_000000"))
    store.write(records.stamped(records.mock(1))[0])
    (lines,) = path.glob("runs/*/records.jsonl")
    (lines.parent / "0000.parquet").mkdir()
    with pytest.raises(Exception, match=r"records\.jsonl"):
        store.done()
    assert json.loads(lines.read_bytes())["raw"] == {"data": 1}
    assert ask(path, "SELECT count(*) FROM mock") == [(0,)]


def test_compacting_takes_bounded_memory_however_large_the_run_is(path):
    code = textwrap.dedent(
        """
        import resource, sys
        from cloudmarker.testing import MemoryRun, records
        from cloudmarker_stores import _querytables
        from cloudmarker_stores.querystore import QueryStore
        _querytables.MEMORY = "320MB"
        (record,) = records.stamped(records.disk())
        store = QueryStore(sys.argv[1])
        store.begin(MemoryRun())
        for number in range(40_000):
            record["raw"] = {"n": number, "text": hex(hash((number, "a")))[2:] * 600}
            store.write(record)
        store.done()
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
        """
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 320 + 300  # the limit, and the interpreter with what the limit does not count
    assert ask(path, "SELECT count(*), sum(length(raw)) > 350_000_000 FROM disk") == [(40_000, True)]


def test_everything_is_private(path):
    previous = os.umask(0)
    try:
        keep(path, "20260101_000000", records.mock(1))
    finally:
        os.umask(previous)
    modes = {(entry.is_dir(), stat.S_IMODE(entry.stat().st_mode)) for entry in path.rglob("*")}
    assert modes == {(True, 0o700), (False, 0o600)}


def test_names_of_files_are_not_patterns(tmp_path):
    odd = tmp_path / "it's [a] *?"
    keep(odd, "20260101_000000", records.mock(1))
    assert ask(odd, "SELECT reference FROM mock") == [("mock/1",)]


def test_the_default_is_in_the_data_directory_of_the_user(monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert runs.default_path() == Path("/data/cloudmarker/query")


def test_a_retention_that_is_no_time_is_refused():
    with pytest.raises(ConfigError, match="retention_days"):
        QueryStore(retention_days=0)
