"""Versions of runs: none is given twice to an audit."""

from __future__ import annotations

import stat
import time

import pytest
from cloudmarker import manager
from cloudmarker._versions import reserve


class Clock:
    """Gives versions that change as often as told."""

    def __init__(self, *versions: str) -> None:
        self.versions = list(versions)

    def __call__(self) -> str:
        return self.versions.pop(0)


@pytest.fixture
def naps(monkeypatch):
    found: list[float] = []
    monkeypatch.setattr(time, "sleep", found.append)
    return found


def test_a_run_in_the_second_of_the_last_one_waits_for_the_next(tmp_path, naps):
    assert reserve(tmp_path, ["a"], Clock("1")) == "1"
    assert reserve(tmp_path, ["a"], Clock("1", "1", "2")) == "2"
    assert len(naps) == 2
    assert all(0 < nap <= 1 for nap in naps)
    assert reserve(tmp_path, ["a"], Clock("2", "3")) == "3"


def test_other_audits_wait_for_nothing(tmp_path, naps):
    assert reserve(tmp_path, ["a", "b"], Clock("1")) == "1"
    assert reserve(tmp_path, ["c/d"], Clock("1")) == "1"
    assert naps == []
    assert reserve(tmp_path, ["b", "e"], Clock("1", "2")) == "2"


def test_a_clock_that_was_set_back_holds_up_nothing(tmp_path, naps):
    reserve(tmp_path, ["a"], Clock("20260102_030405"))
    assert reserve(tmp_path, ["a"], Clock("20260102_020405")) == "20260102_020405"
    assert naps == []


def test_what_is_noted_is_private(tmp_path):
    reserve(tmp_path / "state", ["a"], Clock("1"))
    noted = [*(tmp_path / "state").rglob("*")]
    assert noted
    for path in noted:
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077


def test_two_runs_at_once_have_two_versions(tmp_path):
    config = {
        "plugins": {
            "cloud": {"plugin": "mockcloud"},
            "files": {"plugin": "filestore", "params": {"path": str(tmp_path)}},
        },
        "audits": {"one": {"clouds": ["cloud"], "stores": ["files"]}},
        "state": {"path": str(tmp_path / "state")},
    }
    versions = {manager.run(config, ["one"])[0].audit.version for _ in range(2)}
    assert len(versions) == 2


def test_where_nothing_can_be_noted_there_is_a_version_nevertheless(tmp_path, caplog):
    (tmp_path / "file").touch()
    config = {"state": {"path": str(tmp_path / "file")}}
    assert len(manager._reserved(config, ["a"])) == len("20260102_030405")
    assert "same version" in caplog.text
