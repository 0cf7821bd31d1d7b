"""The memory of findings, run by run, without processes: an event plugin finds what it is given."""

from __future__ import annotations

import contextlib
import json
import os
import random
import sqlite3
import stat
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from cloudmarker import ledger
from cloudmarker._findingpages import renew
from cloudmarker._findingproducer import FindingProducer
from cloudmarker._ledgerfiles import AuditLock, ledger_path
from cloudmarker._tracking import Tracker
from cloudmarker.comparison import NothingToCompareError, compare, known_runs
from cloudmarker.errors import ConfigError, LedgerError
from cloudmarker.findings import finding
from cloudmarker.records import Stamper
from cloudmarker.report import Report
from cloudmarker.testing import records
from hypothesis import given
from hypothesis import strategies as st


class Collected:
    """An output that keeps the records."""

    def __init__(self) -> None:
        self.coms: list[dict[str, Any]] = []
        self.rejected = 0

    def put(self, line: bytes, record_type: str, origin: Stamper) -> None:
        record = json.loads(origin.take(1).put_into(line))
        assert record["com"]["record_type"] == record_type
        self.coms.append(record["com"])

    def put_all(self, lines: Sequence[bytes], record_type: str, origin: Stamper) -> None:
        for line in lines:
            self.put(line, record_type, origin)

    def end(self, incomplete: Any) -> None: ...


class Memory:
    """The memory of one plugin, over some runs that begin a minute apart."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.path = ledger_path(state, "a", "event")
        self._now = 1_700_000_000
        self.versions: list[str] = []

    def run(
        self,
        found: Iterable[Any],
        *,
        complete: bool = True,
        confirmed: bool = True,
        coverage: Sequence[dict[str, Any]] | None = None,
        batch: int = 100,
        killed: bool = False,
        plugin: str = "E",
    ) -> dict[str, int]:
        """Find something: events, or names from which some are made. Return the findings by status."""
        version = time.strftime("%Y%m%d_%H%M%S", time.gmtime(self._now))
        self.jump(60)
        tracker = Tracker(self.path, version, None, together=False, origins=["a_cloud"], plugin=plugin)
        report = Report("event", "event", "a_event")
        output = Collected()
        producer = FindingProducer(Stamper("a", version, "event", "E", "event"), output, report, tracker=tracker)
        for number, each in enumerate(found, 1):
            producer.put(each if isinstance(each, dict) else event(each))
            if number % batch == 0:
                producer.release()
        producer.release()
        self.coms = output.coms
        self.fresh = dict(report.fresh)
        if killed:
            return {}
        for com in [records.coverage(account=None, record_types=None)["com"]] if coverage is None else coverage:
            producer.saw_coverage(com)
        producer.remember(complete=complete)
        assert report.outcome is None, report.message
        if confirmed:
            ledger.confirm(self.path, version)
        self.versions.append(version)
        return {status: number for status, number in report.statuses.items() if number}

    def jump(self, seconds: int) -> None:
        """Set the clock on, or back."""
        self._now += seconds

    def statuses(self) -> dict[str, str]:
        """Return the status of each finding in the latest run, by its name."""
        return {com["reference"]: com["status"] for com in self.coms}


def event(name: object, *, account: str | None = None, description: str = "It is bad.", **com: Any) -> dict[str, Any]:
    return finding(
        {"com": {"cloud_type": "example", "reference": str(name), "account": account}},
        check_id="check",
        record_type="example_event",
        severity="high",
        description=description,
        recommendation="Make it good.",
        **com,
    )


def covered(state: str = "ok", account: str | None = None, types: Sequence[str] | None = None) -> dict[str, Any]:
    return records.coverage(state=state, account=account, record_types=types)["com"]


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(tmp_path / "state")


def test_a_finding_is_new_then_open_then_fixed_once_then_reopened(memory):
    assert memory.run("abc") == {"new": 3}
    assert memory.run("abc") == {"open": 3}
    assert memory.run("ac") == {"open": 2, "fixed": 1}
    assert memory.statuses() == {"a": "open", "c": "open", "b": "fixed"}
    assert memory.run("ac") == {"open": 2}
    assert memory.run("abc") == {"open": 2, "reopened": 1}
    assert memory.run("abc") == {"open": 3}


def test_first_and_last_seen_are_the_starts_of_runs(memory):
    memory.run("a")
    memory.run("a")
    (com,) = memory.coms
    assert (com["first_seen"], com["last_seen"]) == ("2023-11-14T22:13:20Z", "2023-11-14T22:14:20Z")
    memory.run("")
    (com,) = memory.coms
    assert (com["first_seen"], com["last_seen"]) == ("2023-11-14T22:13:20Z", "2023-11-14T22:14:20Z")


def test_a_fixed_finding_has_the_fields_of_its_latest_event(memory):
    memory.run([event("a", description="It is bad.", extra=[1])])
    memory.run([event("a", description="It is worse.", extra=[2])])
    memory.run([])
    (com,) = memory.coms
    assert (com["status"], com["description"], com["extra"]) == ("fixed", "It is worse.", [2])
    assert com["audit_version"] == memory.versions[-1]


def test_what_cannot_have_been_seen_is_unknown_and_then_open_again(memory):
    memory.run("ab")
    assert memory.run("a", coverage=[covered("denied")]) == {"open": 1, "unknown": 1}
    assert memory.run("a", coverage=[]) == {"open": 1, "unknown": 1}
    assert memory.run("a", complete=False) == {"open": 1, "unknown": 1}
    assert memory.run("ab") == {"open": 2}
    assert memory.run("a", complete=False) == {"open": 1, "unknown": 1}
    assert memory.run("a") == {"open": 1, "fixed": 1}


def test_a_hole_in_one_account_keeps_its_findings_unknown_and_those_of_others_can_be_fixed(memory):
    memory.run([event("a", account="one"), event("b", account="two"), event("c", account="gone")])
    coverage = [covered("ok", "one"), covered("ok", "two"), covered("denied", "two")]
    assert memory.run([], coverage=coverage) == {"fixed": 1, "unknown": 2}
    assert memory.statuses() == {"a": "fixed"}


def test_events_of_one_fingerprint_are_one_finding_and_have_one_status(memory):
    assert memory.run("aab", batch=1) == {"new": 2}
    assert [com["status"] for com in memory.coms] == ["new"] * 3
    assert memory.run("aabb") == {"open": 2}
    memory.run("a")
    assert memory.run("abb", batch=1) == {"open": 1, "reopened": 1}
    assert memory.statuses() == {"a": "open", "b": "reopened"}


def test_what_an_unconfirmed_run_said_is_said_again_until_it_is_confirmed(memory):
    assert memory.run("abc", confirmed=False) == {"new": 3}
    assert memory.run("abc", confirmed=False) == {"new": 3}
    assert memory.run("ab", complete=False) == {"new": 2, "unknown": 1}
    assert memory.run("abc") == {"open": 2, "new": 1}
    assert memory.run("ab", confirmed=False) == {"open": 2, "fixed": 1}
    assert memory.run("ab") == {"open": 2, "fixed": 1}
    assert memory.run("ab") == {"open": 2}
    assert memory.run("abc", confirmed=False) == {"open": 2, "reopened": 1}
    assert memory.run("abc") == {"open": 2, "reopened": 1}
    assert memory.run("abc") == {"open": 3}


def test_a_run_that_dies_has_not_been(memory):
    memory.run("ab")
    memory.run("bc", killed=True)
    assert memory.run("bc") == {"open": 1, "new": 1, "fixed": 1}


def test_events_without_a_fingerprint_pass_as_they_are(memory):
    plain = event("a")
    del plain["com"]["fingerprint"]
    assert memory.run([plain, event("b")]) == {"new": 1}
    assert ["status" in com for com in memory.coms] == [False, True]


@pytest.mark.parametrize("fingerprint", ["short", "X" * 32, "\ud800", "ab " * 11, "é" * 32, "f" * 64])
def test_a_fingerprint_may_be_any_string(memory, fingerprint):
    odd = event("a")
    odd["com"]["fingerprint"] = fingerprint
    assert memory.run([odd, event("b")]) == {"new": 2}
    assert memory.run([odd, event("b")]) == {"open": 2}


@pytest.mark.parametrize("fingerprint", ["", None])
def test_an_event_with_an_empty_fingerprint_is_not_remembered(memory, fingerprint):
    odd = event("a")
    odd["com"]["fingerprint"] = fingerprint
    for expected in ({"new": 1}, {"open": 1}):
        assert memory.run([odd, event("b")]) == expected
        assert "status" not in memory.coms[0]


def test_what_another_plugin_found_under_the_same_key_is_not_fixed(memory):
    memory.run("ab", plugin="One")
    assert memory.run("b", plugin="Other") == {"open": 1, "unknown": 1}
    assert memory.run("", plugin="Other") == {"fixed": 1, "unknown": 1}
    assert memory.run("", plugin="One") == {"fixed": 1}


def test_what_runs_read_is_kept_once_for_all_that_read_the_same(memory):
    for plugin in ("One", "One", "Other", "One"):
        memory.run("a", plugin=plugin)
    with contextlib.closing(ledger.open_ledger(memory.path)) as conn:
        assert [run.sources for run in ledger.runs(conn)] == [1, 1, 2, 1]
        assert ledger.sources_of(conn, 2) == {"plugin Other", "worker a_cloud"}


def test_runs_are_compared_in_their_order_even_if_the_clock_was_set_back(memory):
    memory.run("a")
    memory.jump(-3600)
    memory.run("ab")
    memory.jump(+7200)
    memory.run("abc")
    assert [run.version for run in known_runs(memory.state, "a")] == memory.versions
    assert changes(memory) == {"c": "new"}
    assert changes(memory, 0, 1) == {"b": "new"}
    assert changes(memory, 0, 2) == {"b": "new", "c": "new"}
    with pytest.raises(NothingToCompareError, match="is later than"):
        changes(memory, 1, 0)


def test_an_event_of_any_shape_gets_its_status_in_com(memory):
    odd = [
        {"com": {**event("b")["com"], "status": "mine", "first_seen": 1}, "ext": {"x": 1}},
        {"com": {**event("c")["com"], "audit_key": "x"}},
    ]
    memory.run([event("a"), *odd])
    assert memory.statuses() == {"a": "new", "b": "new", "c": "new"}
    memory.run([event("a"), *odd])
    assert memory.statuses() == {"a": "open", "b": "open", "c": "open"}


def test_a_plugin_may_use_its_dicts_again(memory):
    def found() -> Iterator[dict[str, Any]]:
        used = event("a")
        for name, severity in [("a", "critical"), ("b", "low"), ("c", "low")]:
            used["com"] |= event(name)["com"] | {"severity": severity, "record_type": f"{severity}_event"}
            yield used
        used.clear()

    assert memory.run(found()) == {"new": 3}
    assert [(com["reference"], com["record_type"]) for com in memory.coms] == [
        ("a", "critical_event"),
        ("b", "low_event"),
        ("c", "low_event"),
    ]
    assert memory.fresh == {"critical": 1, "low": 2}
    assert memory.run(found()) == {"open": 3}
    assert memory.fresh == {}


def test_a_checksum_made_in_another_way_is_made_anew_once(memory):
    def digests() -> list[tuple[int]]:
        with contextlib.closing(sqlite3.connect(memory.path)) as conn:
            return conn.execute("SELECT digest FROM findings ORDER BY id").fetchall()

    memory.run(range(300))
    made = digests()
    with contextlib.closing(sqlite3.connect(memory.path)) as conn, conn:
        conn.execute("UPDATE findings SET digest = digest + 1")
        renew(conn, "SELECT id FROM findings", (), ledger.OPEN)
    for _ in range(2):
        assert memory.run(range(300)) == {"open": 300}
        assert digests() == made


RUNS = st.lists(
    st.tuples(
        st.sets(st.integers(0, 40), max_size=40),  # what is found
        st.booleans(),  # whether all of it was looked for
        st.sampled_from([True, True, False]),  # whether it was delivered
        st.sampled_from([1, 3, 100]),  # events evaluated at a time
        st.integers(),  # the order they come in: that of the run before, if even
    ),
    max_size=8,
)


@given(RUNS)
def test_statuses_are_those_of_a_model_whatever_is_found_in_whatever_order(tmp_path_factory, runs):
    memory = Memory(tmp_path_factory.mktemp("state"))
    state: dict[int, str] = {}
    untold: dict[int, str] = {}
    for found, complete, confirmed, batch, order in runs:
        names = sorted(found)
        if order % 2:
            random.Random(order).shuffle(names)
        expected: dict[int, str] = {}
        for name in names:
            if state.get(name) in (None, "fixed"):
                untold[name] = "new" if name not in state else "reopened"
            expected[name] = untold.get(name, "open")
            state[name] = "open"
        for name in state.keys() - found:
            if state[name] != "fixed":
                state[name] = "fixed" if complete else "unknown"
                if complete:
                    untold[name] = "fixed"
            if state[name] == "fixed" and name in untold:
                expected[name] = "fixed"
        unknown = sum(each == "unknown" for each in state.values())
        counts = Counter({**Counter(expected.values()), "unknown": unknown})
        assert memory.run(names, complete=complete, confirmed=confirmed, batch=batch) == {
            k: v for k, v in counts.items() if v
        }
        assert memory.statuses() == {str(name): status for name, status in expected.items()}
        if confirmed:
            untold = {name: status for name, status in untold.items() if name not in expected}


def test_many_findings_in_order_and_out_of_order(memory):
    names = list(range(5000))
    assert memory.run(names, batch=64) == {"new": 5000}
    assert memory.run(names, batch=1000) == {"open": 5000}
    changed = [name for name in names if name % 1000]
    assert memory.run([*changed[:2500], "x", *changed[2500:]], batch=64) == {"open": 4995, "fixed": 5, "new": 1}
    random.Random(1).shuffle(names)
    assert memory.run(names, batch=64) == {"open": 4995, "reopened": 5, "fixed": 1}


def test_an_unchanged_run_writes_nothing_for_its_findings(memory):
    memory.run(range(3000))
    size = memory.path.stat().st_size
    with sqlite3.connect(memory.path) as conn:
        before = [conn.execute(f"SELECT * FROM {table}").fetchall() for table in ("findings", "details", "changes")]
    for _ in range(3):
        memory.run(range(3000))
    assert memory.path.stat().st_size == size
    with sqlite3.connect(memory.path) as conn:
        assert before == [
            conn.execute(f"SELECT * FROM {table}").fetchall() for table in ("findings", "details", "changes")
        ]


def test_the_ledger_and_its_directories_are_private(memory):
    memory.run("a")
    assert stat.S_IMODE(memory.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(memory.path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "content", [b"no database at all, but longer than its header is: " * 40, b"SQLite format 3\0" * 99]
)
def test_a_ledger_that_is_none_is_named_with_the_remedy(memory, content):
    memory.path.parent.mkdir(parents=True)
    memory.path.write_bytes(content)
    with pytest.raises(LedgerError, match=rf"{memory.path}: .*; move it away"):
        memory.run("a")


def test_a_database_of_something_else_is_left_alone(memory):
    memory.path.parent.mkdir(parents=True)
    with sqlite3.connect(memory.path) as conn:
        conn.execute("CREATE TABLE things (id)")
    with pytest.raises(LedgerError, match="a database of something else; move it away"):
        memory.run("a")


def test_a_ledger_of_a_newer_version_is_left_alone(memory):
    memory.run("a")
    with sqlite3.connect(memory.path) as conn:
        conn.execute("PRAGMA user_version = 99")
    with pytest.raises(LedgerError, match="made by a newer version of cloudmarker"):
        memory.run("a")


def test_a_link_is_not_followed(memory, tmp_path):
    memory.path.parent.mkdir(parents=True)
    memory.path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LedgerError, match=str(memory.path)):
        memory.run("a")


def test_a_ledger_that_another_run_has_changed_meanwhile_is_not_written(memory):
    memory.run("a")
    slow = Tracker(memory.path, "20300101_000000", None, together=False, origins=["a_cloud"])
    memory.run("ab")
    with pytest.raises(LedgerError, match="another run has changed it"):
        slow.commit(complete=True)
    assert memory.run("ab") == {"open": 2}


def test_a_second_run_of_an_audit_is_refused_until_the_first_one_ends(tmp_path):
    lock = AuditLock(tmp_path, "a")
    with pytest.raises(ConfigError, match=r"audits\.a: another run of it is at work"):
        AuditLock(tmp_path, "a")
    AuditLock(tmp_path, "b").release()
    lock.release()
    AuditLock(tmp_path, "a").release()


def test_old_runs_and_findings_fixed_long_ago_are_forgotten_and_the_others_keep_their_state(memory, monkeypatch):
    memory.run("abc")
    memory.run("ab")
    memory.run("ac")
    later = 1_700_000_000 + (ledger.KEPT_DAYS + 1) * 24 * 3600
    memory.jump(later - memory._now)
    with sqlite3.connect(memory.path) as conn:
        ledger.prune(conn, 1_700_000_000)
    assert len(known_runs(memory.state, "a")) == 3
    with sqlite3.connect(memory.path) as conn:
        conn.execute("INSERT INTO runs VALUES (4, '20250101_000000', ?, ?, 1, '')", (later, later))
        ledger.prune(conn, later + 60)
    assert [run.version for run in known_runs(memory.state, "a")] == ["20250101_000000"]
    with sqlite3.connect(memory.path) as conn:
        left = conn.execute("SELECT count(*) FROM details").fetchone()[0]
    assert left == 2
    assert memory.run("acb", coverage=[]) == {"open": 2, "new": 1}


# Comparing runs


def changes(memory: Memory, earlier: int | None = None, later: int | None = None) -> dict[str, str]:
    versions = [None if at is None else memory.versions[at] for at in (earlier, later)]
    return {change.reference: change.status for change in compare(memory.state, "a", *versions).changes}


def test_any_two_runs_can_be_compared(memory):
    memory.run("ab")
    memory.run("abc")
    memory.run("a", complete=False)
    memory.run("ac")
    memory.run("abc")
    assert changes(memory) == {"b": "reopened"}
    assert changes(memory, 0, 1) == {"c": "new"}
    assert changes(memory, 1, 2) == {"b": "unknown", "c": "unknown"}
    assert changes(memory, 0, 2) == {"b": "unknown", "c": "unknown"}
    assert changes(memory, 2, 3) == {"b": "fixed"}
    assert changes(memory, 1, 3) == {"b": "fixed"}
    assert changes(memory, 1, 4) == {}
    assert changes(memory, 0, 4) == {"c": "new"}
    assert changes(memory, None, 0) == {"a": "new", "b": "new"}


def test_changes_say_what_the_finding_is(memory):
    memory.run([event("a", account="one")])
    (change,) = compare(memory.state, "a").changes
    assert (change.status, change.severity, change.check_id, change.account) == ("new", "high", "check", "one")
    assert (change.reference, change.description, change.cloud_type) == ("a", "It is bad.", "example")
    assert change.fingerprint == event("a")["com"]["fingerprint"]
    assert change.first_seen == "2023-11-14T22:13:20Z"


def test_runs_are_listed_with_what_changed_in_them(memory):
    memory.run("ab")
    memory.run("b")
    assert [(run.version, run.changes) for run in known_runs(memory.state, "a")] == [
        (memory.versions[0], {"new": 2}),
        (memory.versions[1], {"fixed": 1}),
    ]


def test_a_version_that_no_run_has_is_answered_with_those_there_are(memory):
    memory.run("a")
    with pytest.raises(NothingToCompareError, match=f"no run has the version 7; there are {memory.versions[0]}"):
        compare(memory.state, "a", "7")
    memory.run("a")
    with pytest.raises(NothingToCompareError, match="is later than"):
        compare(memory.state, "a", memory.versions[1], memory.versions[0])
    with pytest.raises(NothingToCompareError, match="there is no run yet"):
        compare(memory.state, "b")


def test_plugins_that_did_not_run_every_time_are_compared_with_their_latest_run_before(memory):
    other = Memory(memory.state)
    other.path = ledger_path(memory.state, "a", "other")
    memory.run("a")
    other.run("x")
    memory.run("b")
    other.jump(60)
    memory.run("b")
    other.run("xy")
    assert changes(memory) == {"y": "new"}
    assert changes(memory, 0, 1) == {"a": "fixed", "b": "new"}


def test_what_is_remembered_does_not_depend_on_the_umask(memory):
    previous = os.umask(0)
    try:
        memory.run("a")
    finally:
        os.umask(previous)
    assert stat.S_IMODE(memory.path.stat().st_mode) == 0o600
