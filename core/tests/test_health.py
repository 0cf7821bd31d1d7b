"""The health file: what it says, that it is always whole, and that nothing depends on it."""

from __future__ import annotations

import json
import logging
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from cloudmarker.errors import ConfigError
from cloudmarker.health import HealthFile
from cloudmarker.results import AuditInfo, AuditResult
from cloudmarker.scheduler import Plan, Scheduler
from cloudmarker.signals import Signals

NOON = 1_800_014_400.0  # 2027-01-15 12:00:00 UTC


class Clock:
    def __init__(self) -> None:
        self.time = NOON

    def now(self) -> float:
        return self.time

    def wait(self, seconds: float) -> None:
        raise AssertionError("nobody waits here")


@pytest.fixture
def waiting() -> Scheduler:
    """A scheduler that waits for the audits `a` and `b`."""
    config: dict[str, Any] = {
        "schedule": {"cron": "0 6 * * *", "timezone": "UTC"},
        "audits": {"a": {}, "b": {}},
        "run": ["a", "b"],
    }
    made = Scheduler(Plan.of(config), lambda *_: [], lambda: Plan.of(config), Signals(), Clock())
    made.due = {key: schedule.next_after(NOON) for key, schedule in made.plan.schedules.items()}
    return made


def result(key: str, status: Any, started: float = NOON, reason: str = "") -> AuditResult:
    return AuditResult(AuditInfo(key, "20270115_120000", {}), status, (), {}, (), {}, (), started, 90.5, reason)


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "health.json"


@pytest.fixture
def health(file) -> HealthFile:
    made = HealthFile()
    made.use(str(file))
    return made


def read(file: Path) -> dict[str, Any]:
    return dict(json.loads(file.read_text()))


def test_it_says_what_is_done_and_what_is_next(health, file, waiting):
    health.looked(waiting)
    found = read(file)
    assert (found["state"], found["written"], found["running"]) == ("waiting", "2027-01-15T12:00:00Z", [])
    assert found["pid"] == os.getpid()
    assert found["audits"]["a"] == {
        "next_run": "2027-01-16T06:00:00Z",
        "last_run": None,
        "last_complete_run": None,
    }


def test_it_says_what_became_of_the_last_run_and_when_the_last_complete_one_was(health, file, waiting):
    health.ended(["a", "b"], [result("a", "complete"), result("b", "complete")], "")
    health.ended(["a"], [result("a", "failed", NOON + 60, "a_store failed: no")], "")
    health.ended(["b"], [], "plugins.x.params: no")
    health.looked(waiting)
    audits = read(file)["audits"]
    assert audits["a"]["last_run"] == {
        "version": "20270115_120000",
        "status": "failed",
        "reason": "a_store failed: no",
        "started": "2027-01-15T12:01:00Z",
        "ended": "2027-01-15T12:02:30Z",
        "duration_s": 90.5,
    }
    assert audits["a"]["last_complete_run"] == "2027-01-15T12:00:00Z"
    assert (audits["b"]["last_run"]["status"], audits["b"]["last_run"]["reason"]) == ("failed", "plugins.x.params: no")


def test_it_says_that_audits_run_and_that_the_end_has_been_asked_for(health, file, waiting):
    waiting.running = ("a",)
    health.looked(waiting)
    assert (read(file)["state"], read(file)["running"]) == ("running", ["a"])
    waiting.signals.note(signal.SIGTERM)
    health.looked(waiting)
    assert read(file)["state"] == "stopping"
    waiting.running = ()
    health.looked(waiting)
    assert read(file)["state"] == "stopped"


def test_it_says_why_a_configuration_was_not_taken_over(health, file, waiting):
    waiting.problems = ("c.yaml: zzz: unknown key",)
    health.looked(waiting)
    assert read(file)["configuration"]["problems"] == ["c.yaml: zzz: unknown key"]


def test_it_is_replaced_as_a_whole_and_nothing_is_left_beside_it(health, file, waiting):
    health.looked(waiting)
    with file.open() as held:
        before = file.read_text()
        waiting.clock.time += 30
        health.looked(waiting)
        assert held.read() == before
    assert read(file)["written"] == "2027-01-15T12:00:30Z"
    assert [path.name for path in file.parent.iterdir()] == ["health.json"]


def test_only_its_owner_can_read_it(health, file, waiting):
    health.looked(waiting)
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_link_that_someone_put_there_is_not_followed(health, file, waiting, tmp_path):
    (tmp_path / ".health.json.tmp").symlink_to(tmp_path / "victim")
    health.looked(waiting)
    assert read(file)["state"] == "waiting"
    assert not (tmp_path / "victim").exists()


def test_a_file_that_cannot_be_written_is_said_once_and_stops_nothing(health, file, waiting, caplog):
    file.parent.rename(file.parent.with_name("gone"))
    with caplog.at_level(logging.ERROR):
        health.looked(waiting)
        health.looked(waiting)
        assert [record.getMessage() for record in caplog.records] == [caplog.records[0].getMessage()]
        assert "the health file cannot be written: " in caplog.text
        file.parent.with_name("gone").rename(file.parent)
        health.looked(waiting)
    assert read(file)["state"] == "waiting"


@pytest.mark.parametrize("place", ["nowhere/health.json", "."])
def test_a_place_where_no_file_can_be_is_refused(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"^health.file: "):
        HealthFile().use(place)


def test_without_a_place_nothing_is_written(waiting, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    health = HealthFile()
    health.use(None)
    health.looked(waiting)
    assert list(tmp_path.iterdir()) == []
