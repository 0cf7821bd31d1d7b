"""Whole audits, in processes of their own, with one of the three stores."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml
from targets import Target, dead, spooled


class Audits:
    """The command, with an audit of a mock cloud, a file store, and the store under test."""

    def __init__(self, folder: Path, target: Target) -> None:
        self.folder, self.target, self.state = folder, target, folder / "state"

    def configure(
        self,
        count: int = 10,
        stores: Sequence[str] = ("filestore", "server"),
        alerts: Sequence[str] = (),
        **params: Any,
    ) -> None:
        name = f"{self.target.plugin.__module__}.{self.target.plugin.__qualname__}"
        audit = {"clouds": ["cloud"], "stores": list(stores)}
        if alerts:
            audit |= {"events": ["mockevent"], "alerts": list(alerts)}
        config = {
            "plugins": {
                "cloud": {"plugin": "mockcloud", "params": {"record_count": count}},
                "server": {"plugin": name, "params": {**self.target.params, **params}},
                "filestore": {"params": {"path": str(self.folder / "out")}},
            },
            "audits": {"a": audit},
            "run": ["a"],
            "state": {"path": str(self.state)},
            "logger": {"handlers": {"file": {"filename": str(self.folder / "log")}}},
        }
        (self.folder / "c.yaml").write_text(yaml.safe_dump(config))

    def start(
        self, *args: str, before: Sequence[object] = (), limit: Callable[[], None] | None = None
    ) -> subprocess.Popen[str]:
        """Start the command, with *before* in front of it, in a process that has called *limit*."""
        return subprocess.Popen(
            [*map(str, before), sys.executable, "-m", "cloudmarker", "-c", "c.yaml", *args],
            cwd=self.folder,
            env={**os.environ, "HOME": str(self.folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=limit,  # noqa: PLW1509  it sets one limit, and no thread of ours holds a lock by then
        )

    def ended(self, process: subprocess.Popen[str]) -> tuple[int, Any]:
        try:
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
        assert out, err
        return process.returncode, json.loads(out)

    def run(self, **how: Any) -> tuple[int, dict[str, Any], dict[str, Any]]:
        """Run the audit; return the exit code, the result, and of it what the store under test did."""
        code, (result,) = self.ended(self.start("run", "--json", **how))
        return code, result, next(worker for worker in result["workers"] if worker["key"] == "server")

    def emitted(self) -> set[str]:
        """The ids of all records, from the files of the healthy store."""
        rows = [json.loads(path.read_text()) for path in (self.folder / "out").glob("a_*.json")]
        return {record["com"]["record_id"] for records in rows for record in records}

    def logged(self, pattern: str) -> re.Match[str]:
        end, log = time.monotonic() + 20, self.folder / "log"
        while time.monotonic() < end:
            if found := re.search(pattern, log.read_text() if log.exists() else ""):
                return found
            time.sleep(0.02)
        raise AssertionError(f"no log line like {pattern!r}")

    def replay_delivers_the_rest(self) -> None:
        code, results = self.ended(self.start("replay", "--json"))
        assert (code, [result["left"] for result in results]) == (0, [0]), results
        assert spooled(self.state) == []
        assert set(self.target.ids()) == self.emitted() - set(dead(self.state))
        if not self.target.twice:
            assert len(self.target.ids()) == len(set(self.target.ids()))
        assert self.ended(self.start("replay", "--json")) == (0, [])
