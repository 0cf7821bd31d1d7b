"""Replays: what is in the spool goes through its plugin, and leaves the spool when that has confirmed it."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest
from cloudmarker._journal import Journal
from cloudmarker.deadletters import DeadLetters
from cloudmarker.delivery import DELIVERED, Delivery, Rejected
from cloudmarker.errors import PluginError, RecordError
from cloudmarker.records import encode
from cloudmarker.replay import replay
from cloudmarker.spool import Owner, Spool, append, spools
from cloudmarker.testing import records

RECORDS = records.stamped(*(records.mock(n) for n in range(20)), records.scope(), records.scope())
LINES = [encode(record) for record in RECORDS]
IDS = [record["com"]["record_id"] for record in RECORDS]


class Kept:
    """What the plugins below have in common: they keep ids, and behave as `faults` says, in this process."""

    stored: ClassVar[list[str]] = []
    calls: ClassVar[list[str]] = []
    runs: ClassVar[list[Any]] = []
    faults: ClassVar[set[str]] = set()

    def __init__(self) -> None:
        if "init" in self.faults:
            raise PluginError("no driver")


class Plain(Kept):
    """A third party's store with the two documented methods."""

    def __init__(self) -> None:
        super().__init__()
        self.buffer: list[str] = []

    def write(self, record: Any) -> None:
        if "refuse" in self.faults and record["com"]["record_type"] == "scope":
            raise RecordError("no scopes here")
        self.buffer.append(record["com"]["record_id"])

    def done(self) -> None:
        self.calls.append("done")
        if "done" in self.faults:
            raise OSError("connection refused")
        self.stored.extend(self.buffer)


class Careful(Kept):
    """A store that answers for each record."""

    def __init__(self) -> None:
        super().__init__()
        self.delivery = Delivery(self._send, batch_records=3)

    def begin(self, run: Any) -> None:
        self.runs.append(run)
        self.delivery.begin(run)

    def write(self, record: Any) -> None:
        self.delivery.write(record)

    def write_batch(self, batch: Any) -> None:
        self.delivery.write_batch(batch)

    def done(self) -> None:
        self.calls.append("done")
        self.delivery.finish()

    def abort(self, reason: Any) -> None:
        self.calls.append(f"abort: {reason}")
        self.delivery.finish()

    def _send(self, items: Any) -> Any:
        if "stop" in self.faults and len(self.stored) >= 6:
            os.kill(os.getpid(), signal.SIGTERM)
            self.faults.discard("stop")
        if "half" in self.faults and len(self.stored) >= 9:
            raise PluginError("the server is gone")
        refused = {item.record_id for item in items if "refuse" in self.faults and item.com["record_type"] == "scope"}
        self.stored.extend(item.record_id for item in items if item.record_id not in refused)
        return [Rejected("no scopes here") if item.record_id in refused else DELIVERED for item in items]


class Choosy(Plain):
    record_types = ("scope",)


@pytest.fixture(autouse=True)
def plugins(monkeypatch):
    """Make the classes above loadable by the name replay_plugins, and forget what they did."""
    monkeypatch.setitem(sys.modules, "replay_plugins", sys.modules[__name__])
    for name in ("stored", "calls", "runs"):
        getattr(Kept, name).clear()
    Kept.faults.clear()
    return Kept


@pytest.fixture
def config(tmp_path):
    names = {"plain": "Plain", "careful": "Careful", "choosy": "Choosy"}
    return {
        "plugins": {key: {"plugin": f"replay_plugins.{name}"} for key, name in names.items()},
        "state": {"path": str(tmp_path)},
    }


def spool(state: Path, key: str, count: int = len(LINES), incomplete: Any = (), version: str = "1") -> Spool:
    """Put records into the spool as a run does that ended."""
    made = Spool.create(state, Owner("a", version, key, "store", ("audit_cloud",)))
    Journal(made.path).receive(b"\n".join(LINES[:count]), count)
    if incomplete is None:
        made.close()
    else:
        made.keep(dict(incomplete))
    return made


@pytest.mark.parametrize("key", ["plain", "careful"])
def test_what_is_spooled_is_delivered_and_leaves_the_spool(tmp_path, config, key):
    spool(tmp_path, key)
    (result,) = replay(config)
    assert (result.store, result.kind, result.audit, result.version) == (key, "store", "a", "1")
    assert (result.delivered, result.rejected, result.left, result.problem) == (22, 0, 0, "")
    assert Kept.stored == IDS
    assert Kept.calls == ["done"]
    assert list((tmp_path / "spool").iterdir()) == []
    assert replay(config) == []


def test_records_keep_their_stamps_and_the_plugin_knows_that_it_is_a_replay(tmp_path, config):
    seen: list[bytes] = []
    spool(tmp_path, "careful")
    original = Careful._send

    def send(self: Careful, items: Any) -> Any:
        seen.extend(item.line for item in items)
        return original(self, items)

    Careful._send = send
    try:
        replay(config)
    finally:
        Careful._send = original
    assert seen == LINES
    (run,) = Kept.runs
    assert (run.replay, run.worker, run.audit_version, run.origins) == (True, "a_careful", "1", ("audit_cloud",))


def test_a_failing_done_leaves_everything_and_a_later_replay_delivers_it(tmp_path, config):
    spool(tmp_path, "plain")
    Kept.faults.add("done")
    (result,) = replay(config)
    assert (result.delivered, result.left, result.problem) == (0, 22, "delivering: OSError: connection refused")
    Kept.faults.clear()
    (result,) = replay(config)
    assert (result.delivered, result.left) == (22, 0)


def test_a_replay_that_ends_half_way_leaves_exactly_what_was_not_confirmed(tmp_path, config):
    spool(tmp_path, "careful")
    Kept.faults.add("half")
    (result,) = replay(config)
    assert (result.delivered, result.left, result.problem) == (9, 13, "writing: the server is gone")
    Kept.faults.clear()
    (result,) = replay(config)
    assert (result.delivered, result.left) == (13, 0)
    assert Kept.stored == IDS


def test_a_signal_ends_a_replay_after_what_is_under_way(tmp_path, config):
    spool(tmp_path, "careful", version="1")
    spool(tmp_path, "plain", version="2")
    Kept.faults.add("stop")
    careful, plain = replay(config)
    assert careful.left == 0  # one batch of the spool was under way
    assert (plain.left, plain.problem) == (22, "replaying: InterruptedError: the replay was stopped before this")
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_run_whose_streams_were_incomplete_ends_in_abort(tmp_path, config):
    spool(tmp_path, "careful", incomplete={"audit_cloud": "denied"}.items())
    spool(tmp_path, "careful", incomplete=None, version="2")
    assert [result.left for result in replay(config)] == [0, 0]
    assert Kept.calls == ["abort: audit_cloud: denied", "abort: audit_cloud: the run was cut off"]


def test_only_the_store_that_is_named_is_replayed(tmp_path, config):
    spool(tmp_path, "plain")
    other = spool(tmp_path, "careful")
    (result,) = replay(config, store="plain")
    assert result.store == "plain"
    assert list(spools(tmp_path)) == [other.path]


def test_what_a_run_is_at_work_on_is_left_alone(tmp_path, config, caplog):
    busy = Spool.create(tmp_path, Owner("a", "1", "plain", "store", ()))
    Journal(busy.path).receive(LINES[0], 1)
    assert replay(config) == []
    assert "at work on it" in caplog.text
    assert busy.path.exists()


def test_types_that_the_plugin_does_not_want_leave_the_spool(tmp_path, config):
    made = Spool.create(tmp_path, Owner("a", "1", "choosy", "store", ("audit_cloud",)))
    append(made.part_from("a_cloud (cloud)"), b"\n".join(LINES))
    made.keep({})
    (result,) = replay(config)
    assert (result.delivered, result.left) == (2, 0)
    assert Kept.stored == IDS[-2:]


@pytest.mark.parametrize("fault", ["missing", "init"])
def test_a_plugin_that_cannot_be_loaded_costs_nothing_and_holds_up_nobody(tmp_path, config, fault):
    spool(tmp_path, "plain", 5, version="1")
    spool(tmp_path, "careful", 5, version="1")
    if fault == "missing":
        del config["plugins"]["careful"]
    else:
        config["plugins"]["careful"]["params"] = {"no_such": 1}
    careful, plain = sorted(replay(config), key=lambda result: result.store)
    assert (careful.left, careful.delivered) == (5, 0)
    assert careful.problem.startswith("loading: ")
    assert (plain.left, plain.delivered) == (0, 5)


def test_what_is_refused_in_a_replay_goes_to_the_dead_letters_and_comes_back_with_them(tmp_path, config, plugins):
    spool(tmp_path, "careful")
    plugins.faults.add("refuse")
    (result,) = replay(config)
    assert (result.delivered, result.rejected, result.left) == (20, 2, 0)
    letters = tmp_path / "dead-letters" / "a_careful.jsonl"
    first = json.loads(letters.read_text().splitlines()[0])
    assert (first["store"], first["reason"], first["audit_version"]) == ("careful", "no scopes here", "1")
    assert first["record"] == RECORDS[-2]
    plugins.faults.clear()
    assert replay(config) == []
    (result,) = replay(config, dead_letters=True)
    assert (result.delivered, result.rejected, result.left) == (2, 0, 0)
    assert sorted(plugins.stored) == sorted(IDS)
    assert plugins.calls[-1] == "abort: audit_cloud: only what was rejected comes again"
    assert not letters.exists()


def test_dead_letters_of_others_stay_where_they_are(tmp_path, config):
    for kind, key in (("cloud", "cloud"), ("store", "plain"), ("store", "careful")):
        letters = DeadLetters(tmp_path, kind, key, "a", "1")
        letters.add(RECORDS[0] if kind == "store" else {"com": {1: object()}}, "refused")
        letters.close()
    held = DeadLetters(tmp_path, "store", "plain", "b", "1")
    held.add(RECORDS[1], "refused")  # a run that has the file open
    (result,) = replay(config, store="plain", dead_letters=True)
    assert (result.audit, result.delivered) == ("a", 1)
    assert {path.name for path in (tmp_path / "dead-letters").iterdir()} == {
        "a_cloud.jsonl",
        "a_careful.jsonl",
        "b_plain.jsonl",
    }


def test_letters_of_different_stores_and_runs_in_one_file_are_told_apart(tmp_path, config):
    for kind, version in (("store", "1"), ("alert", "1"), ("store", "2")):
        letters = DeadLetters(tmp_path, kind, "plain", "a", version)
        letters.add(RECORDS[0], "refused")
        letters.close()
    with (tmp_path / "dead-letters" / "a_plain.jsonl").open("a") as file:
        file.write("not a letter\n")
    results = replay(config, dead_letters=True)
    assert {(result.kind, result.version, result.delivered) for result in results} == {
        ("store", "1", 1),
        ("alert", "1", 1),
        ("store", "2", 1),
    }
    assert (tmp_path / "dead-letters" / "a_plain.jsonl").read_text() == "not a letter\n"


# The command


def test_the_command_says_what_was_delivered_and_what_is_left(command):
    state = command.directory / "state"
    lines = command.directory / "lines"
    command.configure({"lines": {"plugin": "faulty_plugins.Store", "params": {"path": str(lines), "fail_done": True}}})
    spool(state, "lines")
    done = command.run("replay")
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == (
        "lines (store), audit a, version 1: 0 delivered, 0 rejected, 22 left: delivering: OSError: could not flush"
    )
    command.configure({"lines": {"plugin": "faulty_plugins.Store", "params": {"path": str(lines)}}})
    done = command.run("replay", "--json")
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(done.stdout)
    assert result == {
        "store": "lines",
        "kind": "store",
        "audit": "a",
        "version": "1",
        "delivered": 22,
        "rejected": 0,
        "left": 0,
        "problem": "",
    }
    done = command.run("replay")
    assert (done.returncode, done.stdout) == (0, "There is nothing to deliver.\n")


def test_a_store_that_nobody_knows_is_bad_usage(command):
    done = command.run("replay", "--store", "fielstore")
    assert done.returncode == 2
    assert "did you mean 'filestore'?" in done.stderr
