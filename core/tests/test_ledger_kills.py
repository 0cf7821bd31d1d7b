"""The memory of findings against a model of what somebody heard who reads the alert, while processes die at random."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest
import yaml

PLUGINS = '''
import json, os, time
from cloudmarker.coverage import coverage
from cloudmarker.findings import finding

class Cloud:
    def __init__(self, there, delay_s): self.there, self.delay_s = there, delay_s
    def read(self):
        for number in self.there:
            time.sleep(self.delay_s)
            yield {"raw": {}, "ext": {"cloud_type": "c", "record_type": "x"},
                   "com": {"cloud_type": "c", "record_type": "x", "account": "one", "reference": f"x/{number}"}}
        yield coverage("c", "one", "x", "ok", account="one")
    def done(self): pass

class Event:
    def eval(self, record):
        yield finding(record, check_id="c", record_type="e", severity="low", description="d", recommendation="r")
    def done(self): pass

class Alert:
    """Has heard what is in its file, and says so at once."""
    def __init__(self, path, delay_s): self.path, self.delay_s = path, delay_s
    def begin(self, run): self.run = run
    def write(self, record):
        time.sleep(self.delay_s)
        com = record["com"]
        if com["record_type"] == "e":
            with open(self.path, "a") as file:
                file.write(json.dumps([com["audit_version"], com["reference"], com["status"]]) + "\\n")
        self.run.delivered(self.run.position)
    def done(self): pass
'''
NEWS = ("new", "reopened", "fixed")


class World:
    """Findings that come and go, an audit that looks at them, and what its alert said of them last."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "world.py").write_text(PLUGINS)

    def start(self, there: list[int], *, slowly: float = 0) -> subprocess.Popen[str]:
        heard = str(self.directory / "heard")
        config: dict[str, Any] = {
            "plugins": {
                "cloud": {"plugin": "world.Cloud", "params": {"there": there, "delay_s": slowly}},
                "event": {"plugin": "world.Event"},
                "alert": {
                    "plugin": "world.Alert",
                    "params": {"path": heard, "delay_s": slowly},
                    "when": {"status": [*NEWS]},
                },
            },
            "audits": {"a": {"clouds": ["cloud"], "events": ["event"], "alerts": ["alert"]}},
            "run": ["a"],
            "state": {"path": str(self.directory / "state")},
            "logger": {"handlers": {"file": {"filename": str(self.directory / "log")}}},
        }
        (self.directory / "c.yaml").write_text(yaml.safe_dump(config))
        (self.directory / "log").unlink(missing_ok=True)
        return self.command("run", "--json")

    def command(self, *args: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "cloudmarker", "-c", "c.yaml", *args],
            cwd=self.directory,
            env={**os.environ, "PYTHONPATH": str(self.directory), "HOME": str(self.directory)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def pid(self, name: str) -> int:
        """Return the process of a worker; waits until it has started."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            log = self.directory / "log"
            if found := re.search(rf"{name}: started, process (\d+)", log.read_text() if log.exists() else ""):
                return int(found[1])
            time.sleep(0.01)
        raise AssertionError(f"{name} has not started: {log.read_text() if log.exists() else ''}")

    def believed(self) -> dict[str, tuple[str, str]]:
        """Return the last news of each finding that somebody has who read the alert, and of which run it was."""
        path = self.directory / "heard"
        lines = path.read_text().splitlines() if path.exists() else []
        news = sorted((json.loads(line) for line in lines), key=itemgetter(0))  # a replay tells late of an earlier run
        return {reference: (status, version) for version, reference, status in news}

    def remembered(self) -> set[str]:
        """Return the versions of the runs that have been, as the memory has it."""
        path = self.directory / "state" / "findings" / "a" / "event.sqlite"
        with contextlib.closing(sqlite3.connect(path)) as conn:
            return {version for (version,) in conn.execute("SELECT version FROM runs")}


@pytest.mark.parametrize("seed", range(3))
def test_whatever_dies_the_alert_has_said_what_is_there_and_what_is_not_after_the_next_whole_run(tmp_path, seed):
    chance = random.Random(seed)
    world = World(tmp_path)
    for _ in range(2):
        for victim in chance.sample(["a_event", "a_alert", "main"], 2):
            found = chance.sample(range(12), 8)
            process = world.start(found, slowly=0.02)
            pid = process.pid if victim == "main" else world.pid(victim)
            world.pid("a_event")
            time.sleep(chance.random() * 0.6)
            with contextlib.suppress(ProcessLookupError):  # it was quicker; that is a case, too
                os.kill(pid, signal.SIGKILL)
            out, _ = process.communicate(timeout=30)
            if out:
                for worker in json.loads(out)[0]["workers"]:
                    delivery = worker["delivery"]
                    assert not delivery or delivery["lost"] == 0
        there = chance.sample(range(12), 8)
        world.command("replay").communicate(timeout=30)
        process = world.start(there)
        out, err = process.communicate(timeout=30)
        assert process.returncode == 0, (out, err)
        believed = world.believed()
        names = {f"x/{number}" for number in there}
        thought_there = {name: version for name, (news, version) in believed.items() if news != "fixed"}
        assert thought_there.keys() >= names
        left = {version for name, version in thought_there.items() if name not in names}
        assert not left & world.remembered()  # a run that died has not been, but it was heard
