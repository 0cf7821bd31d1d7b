"""The health file: how scheduled mode is doing, as JSON, for whoever watches over it."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from cloudmarker import __version__
from cloudmarker._times import timestamp
from cloudmarker.errors import ConfigError
from cloudmarker.files import replace_file
from cloudmarker.results import AuditResult
from cloudmarker.scheduler import LOOK_S, Scheduler

STALE_S = 4 * LOOK_S
"""A file that is older than this is of a process that hangs or is gone."""

log = logging.getLogger("cloudmarker.scheduler")


class HealthFile:
    """Keeps the file up to date: an observer of the scheduler.

    It is replaced as a whole, so that a reader sees an old one or a new one. A file that cannot be written is logged,
    once until it can be again.
    """

    def __init__(self) -> None:
        self._path: Path | None = None
        self._failed = False
        self._started = time.time()
        self._last: dict[str, dict[str, Any]] = {}
        self._complete: dict[str, str] = {}

    def use(self, path: str | None) -> None:
        """Write there from now on, or nowhere.

        Raises:
            ConfigError: no file can be made there.
        """
        file = Path(path).expanduser() if path else None
        if file is not None:
            try:
                if file.is_dir():
                    raise IsADirectoryError(f"{file} is a directory")
                probe = file.with_name(f".{file.name}.probe")
                replace_file(probe, b"", durable=False)
                probe.unlink()
            except OSError as exc:
                raise ConfigError(f"health.file: {exc}") from exc
        self._path = file

    def looked(self, scheduler: Scheduler) -> None:
        """Write how things are."""
        if self._path is None:
            return
        try:
            content = msgspec.json.format(msgspec.json.encode(self._content(scheduler))) + b"\n"
            replace_file(self._path, content, durable=False)
        except OSError as exc:
            if not self._failed:
                log.error("the health file cannot be written: %s", exc)
            self._failed = True
        else:
            self._failed = False

    def ended(self, keys: Sequence[str], results: Sequence[AuditResult], problem: str) -> None:
        """Remember the last run of each audit."""
        now = time.time()
        for key in keys:
            self._last[key] = {"status": "failed", "reason": problem, "ended": timestamp(now)}
        for result in results:
            self._last[result.audit.key] = {
                "version": result.audit.version,
                "status": result.status,
                "reason": result.reason,
                "started": timestamp(result.started),
                "ended": timestamp(result.started + result.duration_s),
                "duration_s": round(result.duration_s, 3),
            }
            if result.status == "complete":
                self._complete[result.audit.key] = timestamp(result.started)

    def _content(self, scheduler: Scheduler) -> dict[str, Any]:
        return {
            "state": scheduler.state,
            "written": timestamp(scheduler.clock.now()),
            "started": timestamp(self._started),
            "pid": os.getpid(),
            "version": __version__,
            "configuration": {"loaded": timestamp(scheduler.loaded), "problems": scheduler.problems},
            "running": scheduler.running,
            "audits": {
                key: {
                    "next_run": timestamp(due.at),
                    "last_run": self._last.get(key),
                    "last_complete_run": self._complete.get(key),
                }
                for key, due in scheduler.due.items()
            },
        }
