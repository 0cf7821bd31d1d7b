"""``cloudmarker query``: what can be asked, how it is answered, and what is refused."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cloudmarker.cli import main
from cloudmarker.records import Stamper, decode
from cloudmarker.testing import MemoryRun, records
from cloudmarker_stores.querystore import QueryStore

pytest.importorskip("duckdb")


def keep(path: Path, version: str, *made: Any) -> None:
    run = MemoryRun()
    run.audit_version = version
    stamper = Stamper(run.audit_key, version, "cloud", "ExampleCloud", "cloud")
    run.serve(QueryStore(str(path)), [decode(stamper.line(record)) for record in made])


def disk(name: str, **fields: Any) -> Any:
    return records.disk(**{"reference": f"disks/{name}", "name": name, **fields})


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("query")
    keep(folder, "20260101_000000", disk("a"), disk("b"), disk("c"))
    rule = {"enabled": True, "direction": "in", "access": "allow", "protocol": "tcp"}
    rule |= {"source_addresses": ["0.0.0.0/0"], "destination_ports": ["22", "80"], "cloud_type": "azure"}
    keep(
        folder,
        "20260102_000000",
        disk("a", encryption="none"),
        disk("b"),
        disk("d|é", encryption="customer_key"),
        records.firewall_rule(**rule),
    )
    return folder


@pytest.fixture
def query(path):
    def ask(*arguments: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(main, ["query", "--path", str(path), *arguments], input=stdin)

    return ask


def test_a_table_is_aligned_and_numbers_are_on_the_right(query):
    answer = query("SELECT name, 10 AS n, NULL AS x FROM disk ORDER BY name LIMIT 1")
    assert answer.output.splitlines() == ["name   n  x", "----  --  -", "a     10"]


def test_sql_is_read_from_standard_input(query):
    assert "3" in query("-", stdin="SELECT count(*) AS n\nFROM disk;\n").output


def test_json_has_the_json_of_a_record_in_it(query):
    answer = query("-f", "json", "SELECT name, created, ext, raw, tags FROM disk ORDER BY name LIMIT 2")
    first, second = json.loads(answer.output)
    assert (first["name"], second["name"]) == ("a", "b")
    assert isinstance(first["ext"], dict)
    assert json.loads(query("-f", "json", "SELECT 1 WHERE false").output) == []


def test_csv_is_quoted_and_markdown_escaped(query):
    sql = "SELECT name, tags FROM disk WHERE name LIKE 'd%'"
    header, row = csv.reader(io.StringIO(query("-f", "csv", sql).output))
    assert (header, row[0]) == (["name", "tags"], "d|é")
    assert "| d\\|é |" in query("-f", "markdown", sql).output


def test_the_list_has_the_tables_and_the_named_queries(query):
    answer = query("--list").output
    assert ["disk", "3", "6"] in [line.split() for line in answer.splitlines()]
    assert "exposed_ports" in answer


def test_describe_shows_columns_with_their_meaning(query):
    rows = json.loads(query("--describe", "disk", "-f", "json").output)
    assert {
        "column": "size_gib",
        "type": "BIGINT",
        "meaning": rows[[r["column"] for r in rows].index("size_gib")]["meaning"],
    } in rows
    assert [row["column"] for row in rows[-3:]] == ["com", "ext", "raw"]


def test_exposed_ports_are_counted_by_cloud(query):
    found = json.loads(query("--named", "exposed_ports", "-f", "json").output)
    assert found == [
        {"cloud_type": "azure", "protocol": "tcp", "port": port, "rules": 1, "firewalls": 1} for port in ("22", "80")
    ]


def test_unencrypted_disks_are_found(query):
    found = json.loads(query("--named", "unencrypted_disks", "-f", "json").output)
    assert ("disks/a", "none") in [(row["reference"], row["encryption"]) for row in found]
    assert "disks/d|é" not in [row["reference"] for row in found]


@pytest.mark.parametrize("since", [(), ("--set", "since=20260101")])
def test_changes_are_those_since_the_complete_audit_before(query, since):
    found = json.loads(query("--named", "changes", *since, "-f", "json").output)
    assert [(row["change"], row["reference"]) for row in found if row["record_type"] == "disk"] == [
        ("different", "disks/a"),
        ("gone", "disks/c"),
        ("new", "disks/d|é"),
    ]


def test_the_history_of_a_finding_is_no_change_and_one_that_is_fixed_is_gone(tmp_path):
    def keep(version: str, *found: tuple[str, str]) -> None:
        store, run = QueryStore(str(tmp_path)), MemoryRun()
        run.audit_version = version
        store.begin(run)
        for name, status in found:
            event = records.mock_event(reference=name, fingerprint=name, status=status, last_seen=f"{version}Z")
            (record,) = records.stamped(event)
            record["com"]["audit_version"] = version
            store.write(record)
        store.done()

    keep("20260101_000000", ("mock/a", "new"), ("mock/b", "new"))
    keep("20260102_000000", ("mock/a", "open"), ("mock/b", "fixed"), ("mock/c", "new"))
    answer = CliRunner().invoke(main, ["query", "--path", str(tmp_path), "--named", "changes", "-f", "json"])
    assert [(row["change"], row["reference"]) for row in json.loads(answer.output)] == [
        ("gone", "mock/b"),
        ("new", "mock/c"),
    ]


def test_there_are_no_changes_since_a_time_before_all_audits(query):
    assert json.loads(query("--named", "changes", "--set", "since=2025", "-f", "json").output) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["SELEC 1"], "syntax error"),
        (["SELECT * FROM disc"], 'Did you mean "disk"'),
        (["SELECT nam FROM disk"], "nam"),
        (["SELECT 1; SELECT 2"], "only one SELECT"),
        ([" "], "only one SELECT"),
        (["--named", "x"], "there is no query 'x'; there are changes"),
        (["--describe", "disc"], "did you mean 'disk'?"),
        (["--path", "/nowhere", "SELECT 1"], "/nowhere: there is no query store"),
        (["--set", "x", "SELECT 1"], "NAME=VALUE"),
        ([], "give one of"),
        (["--list", "SELECT 1"], "give one of"),
    ],
)
def test_what_cannot_be_asked_is_said_in_one_line_with_exit_code_2(query, arguments, message):
    answer = query(*arguments)
    assert answer.exit_code == 2
    assert message in answer.output.splitlines()[-1]


@pytest.mark.parametrize(
    "sql",
    [
        "COPY (SELECT 1) TO '{path}/runs/x.csv'",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{path}/runs/x.csv'",
        "CREATE TABLE x AS SELECT 1",
        "DROP VIEW latest.disk",
        "SET enable_external_access = true",
        "ATTACH '{path}/x.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM read_text('{path}/runs/../lock')",
        "SELECT * FROM read_csv('http://localhost:1/x.csv')",
        "SELECT * FROM records_of_python",
    ],
)
def test_nothing_can_be_changed_nor_anything_else_be_read(query, path, sql):
    records_of_python = [1]  # noqa: F841  a name that DuckDB would look up here by default
    before = sorted(path.rglob("*"))
    assert query(sql.format(path=path)).exit_code == 2
    assert sorted(path.rglob("*")) == before


def test_the_store_is_the_one_that_the_configuration_has(path, tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps({"plugins": {"mine": {"plugin": "querystore", "params": {"path": str(path)}}}}))
    config.chmod(0o600)
    sql = "SELECT 'disks: ' || count(*) FROM disk"
    assert "disks: 3" in CliRunner().invoke(main, ["-c", str(config), "query", sql]).output
    assert "disks: 3" in CliRunner().invoke(main, ["-c", str(config), "query", "--store", "mine", sql]).output
    refused = CliRunner().invoke(main, ["-c", str(config), "query", "--store", "yours", sql])
    assert refused.exit_code == 2
    assert "no querystore has the key 'yours'" in refused.output


def test_help_needs_no_database():
    code = "import sys, cloudmarker_stores.querycli, cloudmarker_stores.querystore; sys.exit('duckdb' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
