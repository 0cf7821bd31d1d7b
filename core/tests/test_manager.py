"""Audits from Python: the documented class, audits side by side, exit codes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from cloudmarker import manager
from cloudmarker.results import AuditInfo, AuditResult


def result(status: Any) -> AuditResult:
    return AuditResult(AuditInfo("a", "v", {}), status, (), {}, (), {}, (), 0.0, 0.0)


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        ([], 0),
        (["complete"], 0),
        (["incomplete"], 4),
        (["failed"], 1),
        (["complete", "incomplete", "complete"], 4),
        (["incomplete", "failed", "complete"], 1),
    ],
)
def test_the_worst_audit_decides_the_exit_code(statuses, code):
    assert manager.exit_code([result(status) for status in statuses]) == code


def test_a_version_is_the_time_in_utc(monkeypatch):
    monkeypatch.setenv("TZ", "XXX-13:45")
    time.tzset()
    try:
        before = datetime.now(timezone.utc)
        version = manager.new_version()
    finally:
        monkeypatch.undo()
        time.tzset()
    assert re.fullmatch(r"\d{8}_\d{6}", version)
    made = datetime.strptime(version, "%Y%m%d_%H%M%S").replace(tzinfo=timezone.utc)
    assert abs((made - before).total_seconds()) < 2


def script(directory: Path, text: str, *args: str) -> subprocess.CompletedProcess[str]:
    """Run *text* as a program of its own; it has no ``__main__`` guard, and says so if it runs twice."""
    path = directory / "program.py"
    path.write_text("print('the program begins')\n" + textwrap.dedent(text))
    return subprocess.run(
        [sys.executable, *(args or [str(path)])],
        cwd=directory,
        env={**os.environ, "HOME": str(directory)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


PROGRAM = """
    from cloudmarker.manager import Audit

    config = {
        "plugins": {
            "numbers": {"plugin": "cloudmarker.clouds.mockcloud.MockCloud", "params": {"record_count": 25}},
            "files": {"plugin": "filestore", "params": {"path": "out"}},
        },
        "audits": {
            "one": {"clouds": ["numbers"], "stores": ["files"], "events": ["mockevent"], "alerts": ["files"]},
            "two": {"clouds": ["mockcloud"], "stores": ["files"]},
        },
    }
    audits = [Audit(key, "20260102_030405", config) for key in ("one", "two")]
    for audit in audits:
        audit.start()
    for audit in audits:
        result = audit.join()
        print(result.audit.key, result.audit.version, result.status, [w.records_out for w in result.workers])
"""


@pytest.mark.parametrize("args", [(), ("-m", "program"), ("-c", "import program")], ids=["script", "module", "import"])
def test_audits_run_from_a_program_without_a_main_guard(tmp_path, args):
    done = script(tmp_path, PROGRAM, *args)
    assert done.stdout.splitlines() == [
        "the program begins",
        "one 20260102_030405 complete [25, 9, 0, 0]",
        "two 20260102_030405 complete [10, 0]",
    ], done.stderr
    assert "Traceback" not in done.stderr
    found = {path.name: len(json.loads(path.read_bytes())) for path in (tmp_path / "out").iterdir()}
    assert found == {
        "one_numbers.json": 25,
        "one_mockevent.json": 9,
        "one_audit.json": 2,
        "two_mockcloud.json": 10,
        "two_audit.json": 2,
    }


def test_parameters_that_a_plugin_refuses_are_raised_from_join_and_leave_no_process(tmp_path):
    done = script(
        tmp_path,
        """
        import multiprocessing
        from cloudmarker.errors import ConfigError
        from cloudmarker.manager import Audit

        config = {
            "plugins": {"cloud": {"plugin": "mockcloud", "params": {"record_types": []}}},
            "audits": {"a": {"clouds": ["cloud"], "stores": ["filestore"]}},
        }
        audit = Audit("a", "20260102_030405", config)
        audit.start()
        try:
            audit.join()
        except ConfigError as exc:
            print(*exc.problems)
        for child in multiprocessing.active_children():
            child.join(5)
        print(multiprocessing.active_children())
        """,
    )
    assert done.stdout.splitlines() == [
        "the program begins",
        "plugins.cloud.params: ValueError: record_types: expected a list of at least one string, got []",
        "[]",
    ], done.stderr


def test_run_runs_audits_side_by_side_under_one_version(tmp_path):
    watched: list[list[str]] = []

    def watch(audits: Any) -> Any:
        return lambda: watched.append([audit.info.key for audit in audits if audit.result is None])

    sleeper = {"plugin": "faulty_plugins.Cloud", "params": {"count": 5, "delay_s": 0.2}}
    config = {
        "plugins": {"slow": sleeper, "filestore": {"params": {"path": str(tmp_path / "out")}}},
        "audits": {key: {"clouds": ["slow"], "stores": ["filestore"]} for key in ("x", "y", "z")},
        "state": {"path": str(tmp_path / "state")},
    }
    support = str(Path(__file__).parent / "support")
    sys.path.insert(0, support)
    try:
        results = manager.run(config, ["z", "x"], watch)
    finally:
        sys.path.remove(support)
    assert [(r.audit.key, r.status) for r in results] == [("z", "complete"), ("x", "complete")]
    assert len({r.audit.version for r in results}) == 1
    assert watched[0] == ["z", "x"]
    assert watched[-1] == []
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "x_audit.json",
        "x_slow.json",
        "z_audit.json",
        "z_slow.json",
    ]


def test_main_is_the_command():
    shown = subprocess.run(
        [sys.executable, "-c", "from cloudmarker import manager; manager.main()", "--version"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert shown.stdout.startswith("cloudmarker ")
