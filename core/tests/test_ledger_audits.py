"""The memory of findings in whole audits: processes that die, ledgers that cannot be used, and `cloudmarker diff`."""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

SUPPORT = Path(__file__).parent / "support"
CLI = [sys.executable, "-m", "cloudmarker"]


class Audit:
    """The audit `a` over mock records, of which every third one is a finding; run again and again as a command."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.plugins: dict[str, Any] = {
            "cloud": {"plugin": "mockcloud", "params": {"record_count": 30}},
            "out": {"plugin": "filestore", "params": {"path": str(directory / "out")}},
        }
        self.audit = {"clouds": ["cloud"], "events": ["mockevent"], "stores": ["out"], "alerts": ["out"]}
        self.ledger = directory / "state" / "findings" / "a" / "mockevent.sqlite"
        self._ran = False

    def start(self, *args: str, file_size: int | None = None) -> subprocess.Popen[str]:
        """Start it; no file that it writes may get larger than *file_size* bytes."""

        def limit() -> None:
            if file_size is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))

        config = {
            "plugins": self.plugins,
            "audits": {"a": self.audit},
            "run": ["a"],
            "state": {"path": str(self.directory / "state")},
            "logger": {"handlers": {"file": {"filename": str(self.directory / "log")}}},
        }
        (self.directory / "c.yaml").write_text(yaml.safe_dump(config))
        (self.directory / "log").unlink(missing_ok=True)
        now = time.strftime("%S")
        while self._ran and time.strftime("%S") == now:
            time.sleep(0.02)  # the run before may have begun in this second, and a version has no more
        self._ran = True
        return subprocess.Popen(
            [*CLI, "-c", "c.yaml", *(args or ("run", "--json"))],
            cwd=self.directory,
            env={**os.environ, "PYTHONPATH": f"{SUPPORT}{os.pathsep}{self.directory}", "HOME": str(self.directory)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=limit,  # noqa: PLW1509  # there are no threads here
        )

    def run(self, file_size: int | None = None) -> tuple[int, Any]:
        """Run it; return the exit code and the result."""
        process = self.start(file_size=file_size)
        out, err = process.communicate(timeout=60)
        assert out, err
        return process.returncode, json.loads(out)[0]

    def command(self, *args: str) -> tuple[int, str, str]:
        process = self.start(*args)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def alerted(self, name: str = "a_mockevent.json") -> Counter[str]:
        """Return the statuses of the events that the alert was sent in the latest run."""
        path = self.directory / "out" / name
        return Counter(record["com"].get("status") for record in json.loads(path.read_bytes()))

    def logged(self, pattern: str) -> re.Match[str]:
        end = time.monotonic() + 30
        while time.monotonic() < end:
            log = self.directory / "log"
            if found := re.search(pattern, log.read_text() if log.exists() else ""):
                return found
            time.sleep(0.02)
        raise AssertionError(f"no log line like {pattern!r}")

    def remembers_a_run(self) -> None:
        """Wait until a run is in the ledger."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(self.ledger)) as conn:
                if conn.execute("SELECT count(*) FROM runs").fetchone()[0]:
                    return
            time.sleep(0.02)
        raise AssertionError("no run is remembered")


@pytest.fixture
def audit(tmp_path: Path) -> Audit:
    return Audit(tmp_path)


def test_the_result_and_the_audit_record_count_findings_by_status(audit):
    assert audit.run()[1]["statuses"] == {"new": 10}
    audit.plugins["cloud"]["params"]["record_count"] = 27
    _, result = audit.run()
    assert result["statuses"] == {"open": 9, "fixed": 1}
    assert result["severities"] == {"info": 9}
    assert audit.alerted() == {"open": 9, "fixed": 1}
    (own,) = (
        record["com"]
        for record in json.loads((audit.directory / "out" / "a_audit.json").read_bytes())
        if record["com"]["record_type"] == "audit"
    )
    assert own["findings"] == {"open": 9, "fixed": 1}


def test_an_event_worker_that_is_killed_has_found_nothing_yet(audit):
    audit.plugins["cloud"] = {"plugin": "faulty_plugins.Cloud", "params": {"count": 600, "delay_s": 0.01}}
    process = audit.start()
    pid = int(audit.logged(r"a_mockevent: started, process (\d+)")[1])
    told, end = audit.directory / "out" / "a_mockevent.tmp", time.monotonic() + 30
    while not (told.exists() and b"mock_event" in told.read_bytes()):
        assert time.monotonic() < end, "the alert was told of nothing"
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=30)
    assert json.loads(out)[0]["statuses"] == {}
    audit.plugins["cloud"]["params"] = {"count": 30}
    assert audit.run()[1]["statuses"] == {"new": 10}


def test_what_is_new_is_new_again_if_the_main_process_died_before_the_alerts_had_delivered(audit):
    marks = str(audit.directory / "marks")
    audit.plugins["slow"] = {"plugin": "faulty_plugins.Store", "params": {"path": marks, "delay_s": 1}}
    audit.audit["alerts"] = ["slow"]
    process = audit.start()
    audit.remembers_a_run()
    process.kill()
    process.communicate()
    audit.audit["alerts"] = ["out"]
    assert audit.run()[1]["statuses"] == {"new": 10}
    assert audit.run()[1]["statuses"] == {"open": 10}


def test_what_is_new_is_new_again_if_an_alert_lost_it(audit):
    audit.plugins["lossy"] = {"plugin": "unspooled.Alert"}
    audit.audit["alerts"] = ["lossy"]
    module = (
        "class Alert:\n    spool = False\n    def write(self, record): raise SystemExit\n    def done(self): pass\n"
    )
    (audit.directory / "unspooled.py").write_text(module)
    code, result = audit.run()
    assert (code, result["workers"][-1]["delivery"]["lost"]) == (1, 10)
    audit.audit["alerts"] = ["out"]
    assert audit.run()[1]["statuses"] == {"new": 10}


def test_a_ledger_that_cannot_grow_costs_the_statuses_of_the_run_and_no_event(audit):
    audit.audit["stores"] = []
    audit.run()
    audit.plugins["cloud"]["params"]["record_count"] = 150
    size = audit.ledger.stat().st_size
    code, result = audit.run(file_size=size)
    event = next(worker for worker in result["workers"] if worker["kind"] == "event")
    assert (code, event["outcome"], event["records_out"]) == (1, "failed", 50)
    assert event["message"].startswith(f"remembering findings: {audit.ledger}: ")
    assert audit.alerted("a_mockevent.partial.json") == {"open": 10, "new": 40}
    assert (audit.ledger.stat().st_size, audit.run()[1]["statuses"]) == (size, {"open": 10, "new": 40})


def test_what_is_spooled_for_an_alert_is_not_new_again(audit):
    audit.plugins["gone"] = {"plugin": "faulty_plugins.Store", "params": {"path": "/x", "fail_at": 1}}
    audit.audit["alerts"] = ["gone"]
    _, result = audit.run()
    assert result["workers"][-1]["delivery"]["spooled"] == 10
    audit.audit["alerts"] = ["out"]
    assert audit.run()[1]["statuses"] == {"open": 10}


def test_nothing_is_fixed_by_a_run_that_is_stopped(audit):
    audit.run()
    audit.plugins["cloud"] = {"plugin": "faulty_plugins.Cloud", "params": {"count": 9, "delay_s": 1}}
    process = audit.start()
    audit.logged("a_cloud: started")
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=30)
    statuses = json.loads(out)[0]["statuses"]
    assert "fixed" not in statuses
    assert statuses["unknown"] + statuses.get("open", 0) == 10


def test_nothing_is_fixed_if_the_plugin_failed_on_a_record(audit):
    audit.plugins["cloud"] = {"plugin": "faulty_plugins.Cloud", "params": {"count": 30}}
    audit.plugins["event"] = {"plugin": "selective.Event", "params": {"finds": [3, 6], "fails": []}}
    audit.audit["events"] = ["event"]
    (audit.directory / "selective.py").write_text(
        "from cloudmarker.findings import finding\n"
        "class Event:\n"
        "    def __init__(self, finds, fails): self.finds, self.fails = finds, fails\n"
        "    def eval(self, record):\n"
        "        if record['raw']['data'] in self.fails: raise ValueError\n"
        "        if record['raw']['data'] in self.finds:\n"
        "            yield finding(record, check_id='c', record_type='e', severity='low', description='d',"
        " recommendation='r')\n"
        "    def done(self): pass\n"
    )
    assert audit.run()[1]["statuses"] == {"new": 2}
    audit.plugins["event"]["params"] = {"finds": [3], "fails": [7]}
    assert audit.run()[1]["statuses"] == {"open": 1, "unknown": 1}
    audit.plugins["event"]["params"] = {"finds": [3], "fails": []}
    assert audit.run()[1]["statuses"] == {"open": 1, "fixed": 1}


def test_nothing_is_fixed_if_a_record_could_not_be_shown_to_the_plugin(audit):
    audit.run()
    audit.plugins["cloud"] = {"plugin": "poison.Cloud"}
    (audit.directory / "poison.py").write_text(
        "from cloudmarker.clouds.mockcloud import MockCloud\n"
        "class Cloud(MockCloud):\n"
        "    def read(self):\n"
        "        for record in super().read():\n"
        "            if record['raw']['data'] == 3: record['raw']['odd'] = object()\n"
        "            yield record\n"
    )
    audit.plugins["cloud"]["params"] = {"record_count": 30}
    assert audit.run()[1]["statuses"] == {"open": 9, "unknown": 1}


def test_nothing_is_fixed_if_a_cloud_is_not_read_any_more(audit):
    audit.plugins["other"] = {"plugin": "mockcloud", "params": {"record_count": 60}}
    audit.audit["clouds"] = ["cloud", "other"]
    assert audit.run()[1]["statuses"] == {"new": 20}
    audit.audit["clouds"] = ["cloud"]
    assert audit.run()[1]["statuses"] == {"open": 10, "unknown": 10}


def test_a_ledger_that_cannot_be_used_costs_the_status_only_and_is_said(audit):
    audit.run()
    audit.ledger.write_bytes(b"scribbled over" * 999)
    code, result = audit.run()
    assert (code, result["status"]) == (1, "failed")
    assert re.search(r"remembering findings: .*mockevent\.sqlite: .*; move it away", result["reason"])
    assert result["statuses"] == {}
    assert [w["delivery"]["lost"] for w in result["workers"] if w["delivery"]] == [0, 0]
    partial = audit.directory / "out" / "a_mockevent.partial.json"
    assert [record["com"].get("status") for record in json.loads(partial.read_bytes())] == [None] * 10
    audit.ledger.unlink()
    assert audit.run()[1]["statuses"] == {"new": 10}


def test_a_second_run_of_the_same_audit_at_the_same_time_is_refused(audit):
    audit.plugins["cloud"] = {"plugin": "faulty_plugins.Cloud", "params": {"count": 60, "delay_s": 0.1}}
    first = audit.start()
    audit.logged("a_mockevent: started")
    code, _, err = audit.command("run", "--json")
    assert (code, "audits.a: another run of it is at work" in err) == (2, True)
    first.send_signal(signal.SIGTERM)
    first.communicate(timeout=30)
    assert first.returncode == 4
    audit.plugins["cloud"]["params"] = {"count": 3}
    assert audit.run()[0] == 0


def test_diff_shows_what_changed_between_two_runs(audit):
    audit.run()
    audit.plugins["cloud"]["params"]["record_count"] = 33
    audit.run()
    code, out, _ = audit.command("diff")
    assert code == 0
    assert out.splitlines()[1:] == ["", "New: 1", "  info      30 is a multiple of 3.", "            mock/30"]
    code, out, _ = audit.command("diff", "a", "--json")
    (change,) = json.loads(out)["changes"]
    assert (change["status"], change["reference"], change["severity"]) == ("new", "mock/30", "info")
    code, out, _ = audit.command("diff", "--list", "--json")
    first, second = json.loads(out)
    assert (first["changes"], second["changes"]) == ({"new": 10}, {"new": 1})
    code, out, _ = audit.command("diff", "--to", first["version"])
    assert (code, "New: 10" in out) == (0, True)
    code, out, _ = audit.command("diff", "--list")
    assert re.search(r"^\d{8}_\d{6}  .*  1 new$", out, re.MULTILINE)
    audit.run()
    assert audit.command("diff")[1].splitlines()[1:] == ["No finding has changed."]


def test_diff_names_what_there_is_if_asked_for_what_there_is_not(audit):
    code, _, err = audit.command("diff")
    assert (code, "audit a: there is no run yet" in err) == (2, True)
    assert audit.command("diff", "--list")[:2] == (0, "There is no run yet whose findings are remembered.\n")
    audit.run()
    code, _, err = audit.command("diff", "--from", "20200101_000000")
    assert (code, "no run has the version 20200101_000000; there are 2" in err) == (2, True)
    code, _, err = audit.command("diff", "b")
    assert (code, "no audit named 'b'; there are a" in err) == (2, True)
    audit.ledger.write_bytes(b"scribbled over" * 999)
    code, _, err = audit.command("diff")
    assert (code, "move it away" in err) == (1, True)
