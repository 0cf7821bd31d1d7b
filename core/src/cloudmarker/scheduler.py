"""Scheduled mode: run the audits every day at a local time, in the foreground, until told to stop."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from types import FrameType

from cloudmarker.results import AuditResult

log = logging.getLogger("cloudmarker.scheduler")

_LOOK_S = 30.0
"""The clock is looked at this often, so that a clock that is set, or a machine that sleeps, costs no more than this."""


def next_run(schedule: str, after: datetime) -> datetime:
    """Return the first time after *after* at which a clock on the wall shows *schedule*.

    Args:
        schedule: ``HH:MM``, 24 hours.
        after: local time without a time zone.
    """
    hour, minute = (int(part) for part in schedule.split(":"))
    at = after.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return at if at > after else at + timedelta(days=1)


def run_daily(schedule: str, run: Callable[[], Sequence[AuditResult]]) -> None:
    """Call *run* every day at *schedule* until SIGTERM or SIGINT.

    Args:
        schedule: ``HH:MM``, local time.
        run: runs the audits, and ends them itself when it is interrupted; what it raises ends the schedule.
    """
    stopped = threading.Event()

    def stop(signum: int, frame: FrameType | None) -> None:
        stopped.set()

    previous = {signum: signal.signal(signum, stop) for signum in (signal.SIGTERM, signal.SIGINT)}
    try:
        while not stopped.is_set():
            at = next_run(schedule, datetime.now())
            log.info("next run: %s local time", at.strftime("%Y-%m-%d %H:%M"))
            while (left := (at - datetime.now()).total_seconds()) > 0:
                if stopped.wait(min(left, _LOOK_S)):
                    log.info("stopped")
                    return
            if any(result.interrupted for result in run()):
                return
    finally:
        for signum, handler in previous.items():
            signal.signal(signum, handler)
