"""Scheduled mode: when the next run is, and the command that waits for it."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from datetime import datetime, timedelta

import pytest
from cloudmarker.scheduler import next_run
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("schedule", "after", "expected"),
    [
        ("12:00", "2026-03-10 11:59:59", "2026-03-10 12:00"),
        ("12:00", "2026-03-10 12:00:00", "2026-03-11 12:00"),
        ("12:00", "2026-03-10 12:00:00.000001", "2026-03-11 12:00"),
        ("00:00", "2026-03-10 00:00:00", "2026-03-11 00:00"),
        ("00:00", "2026-03-09 23:59:59.999999", "2026-03-10 00:00"),
        ("23:59", "2026-03-10 00:00:00", "2026-03-10 23:59"),
        ("09:05", "2026-04-30 10:00:00", "2026-05-01 09:05"),
        ("09:05", "2026-12-31 10:00:00", "2027-01-01 09:05"),
        ("09:05", "2024-02-28 10:00:00", "2024-02-29 09:05"),
        ("09:05", "2026-02-28 10:00:00", "2026-03-01 09:05"),
    ],
)
def test_the_next_run_is_the_next_time_a_clock_shows_the_schedule(schedule, after, expected):
    assert next_run(schedule, datetime.fromisoformat(after)) == datetime.fromisoformat(expected)


@given(st.times(), st.datetimes(max_value=datetime(9999, 1, 1)))
def test_the_next_run_is_within_a_day_and_shows_the_schedule(at, after):
    schedule = at.strftime("%H:%M")
    found = next_run(schedule, after)
    assert after < found <= after + timedelta(days=1)
    assert found.strftime("%H:%M:%S.%f") == f"{schedule}:00.000000"


def zone_in_which_noon_is_near(seconds: float) -> str:
    """Return a value for TZ in which a clock shows 12:00:00 in so many seconds."""
    noon = time.gmtime(time.time() + seconds)
    west = noon.tm_hour * 3600 + noon.tm_min * 60 + noon.tm_sec - 12 * 3600  # of Greenwich, as POSIX counts
    return f"XXX{'-' if west < 0 else '+'}{abs(west) // 3600:02d}:{abs(west) // 60 % 60:02d}:{abs(west) % 60:02d}"


def start_before_noon(command) -> tuple[subprocess.Popen[str], str]:
    """Start scheduled mode shortly before its time; return the process and the date on its clock.

    Where the machine is so busy that the time has come before the command has started, more time is given.
    """
    command.configure(**command.more, schedule="12:00")
    for seconds in (2, 5, 12, 40):
        process = command.start(env={"TZ": zone_in_which_noon_is_near(seconds)})
        begun = command.logged(r"(\S+) (\d\d):\S+ .*next run: (\S+) 12:00 local time", 60)
        if begun[2] == "11":
            assert begun[1] == begun[3]
            return process, begun[1]
        process.kill()
        process.wait()
        command.log.unlink()
    raise AssertionError("the command takes more than 40 s to start")


def stop(process: subprocess.Popen[str], signum: int) -> tuple[str, str]:
    process.send_signal(signum)
    return process.communicate(timeout=30)


@pytest.fixture
def scheduled(command):
    command.more = {}
    return command


def test_an_audit_runs_at_the_configured_local_time_and_the_next_one_is_a_day_later(scheduled):
    process, today = start_before_noon(scheduled)
    assert not scheduled.out.exists()
    scheduled.logged(r"Audit a begins", 60)
    following = scheduled.logged(r"next run: .*\n(?:.*\n)*.*next run: (\S+) 12:00 local time", 30)
    assert datetime.fromisoformat(following[1]) == datetime.fromisoformat(today) + timedelta(days=1)
    out, err = stop(process, signal.SIGTERM)
    assert (process.returncode, "Traceback" in err) == (0, False)
    assert len(re.findall(r"^Audit a, version \S+: COMPLETE", out, re.MULTILINE)) == 1
    assert sorted(path.name for path in scheduled.out.iterdir()) == ["a_audit.json", "a_cloud.json", "a_mockevent.json"]
    scheduled.logged("scheduler.* stopped")


def test_an_interrupt_while_waiting_ends_cleanly(command):
    command.configure(schedule="12:00")
    process = command.start(env={"TZ": zone_in_which_noon_is_near(3600)})
    command.logged("next run", 60)
    _, err = stop(process, signal.SIGINT)
    assert (process.returncode, "Traceback" in err) == (0, False)
    assert not command.out.exists()


def test_a_signal_during_a_scheduled_run_drains_it_and_ends_the_schedule(scheduled):
    hanging = {"plugin": "faulty_plugins.Cloud", "params": {"count": 10, "hang_at": 7}}
    scheduled.more = {"plugins": {"cloud": hanging}}
    process, _ = start_before_noon(scheduled)
    scheduled.logged("Audit a begins", 60)
    out, err = stop(process, signal.SIGTERM)
    assert (process.returncode, "Traceback" in err) == (0, False)
    assert "INCOMPLETE" in out
    assert scheduled.log.read_text().count("next run") == 1
    assert (scheduled.out / "a_cloud.partial.json").exists()
