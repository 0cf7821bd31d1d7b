"""``cloudmarker`` without ``-n``, as a process: it waits, runs, and does what signals ask for."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import time
import urllib.request
from datetime import datetime, timedelta

import pytest
import yaml

HANGING = {"cloud": {"plugin": "faulty_plugins.Cloud", "params": {"count": 10, "hang_at": 7}}}

PICKY = {"cloud": {"plugin": "faulty_plugins.BadParams", "params": {"level": 4}}}
"""Its constructor does not take this, which its type allows."""


def zone_in_which_noon_is_near(seconds: float) -> str:
    """Return a value for TZ in which a clock shows 12:00:00 in so many seconds."""
    noon = time.gmtime(time.time() + seconds)
    west = noon.tm_hour * 3600 + noon.tm_min * 60 + noon.tm_sec - 12 * 3600  # of Greenwich, as POSIX counts
    return f"XXX{'-' if west < 0 else '+'}{abs(west) // 3600:02d}:{abs(west) // 60 % 60:02d}:{abs(west) % 60:02d}"


def start_before_noon(command, **more) -> tuple[subprocess.Popen[str], str]:
    """Start scheduled mode shortly before its time; return the process and the date on its clock.

    Where the machine is so busy that the time has come before the command has started, more time is given.
    """
    command.configure(**more, schedule="12:00")
    for seconds in (2, 5, 12, 40):
        process = command.start(env={"TZ": zone_in_which_noon_is_near(seconds)})
        begun = command.logged(r"(\S+) (\d\d):\S+ .*next run of a: (\S+) 12:00 local time", 60)
        if begun[2] == "11":
            assert begun[1] == begun[3]
            return process, begun[1]
        process.kill()
        process.wait()
        command.log.unlink()
    raise AssertionError("the command takes more than 40 s to start")


def start_long_before_noon(command, **more) -> subprocess.Popen[str]:
    command.configure(**{"schedule": "12:00", **more})
    process = command.start(env={"TZ": zone_in_which_noon_is_near(3600)})
    command.logged("next run", 60)
    return process


def stop(process: subprocess.Popen[str], signum: int) -> tuple[str, str]:
    process.send_signal(signum)
    return process.communicate(timeout=30)


def change(command, **keys) -> None:
    path = command.directory / "c.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **keys}))


# Running


def test_an_audit_runs_at_the_configured_local_time_and_the_next_one_is_a_day_later(command):
    process, today = start_before_noon(command)
    assert not command.out.exists()
    command.logged(r"Audit a begins", 60)
    following = command.logged(r"next run of a: .*\n(?:.*\n)*.*next run of a: (\S+) 12:00 local time", 30)
    assert datetime.fromisoformat(following[1]) == datetime.fromisoformat(today) + timedelta(days=1)
    out, err = stop(process, signal.SIGTERM)
    assert (process.returncode, "Traceback" in err) == (0, False)
    assert len(re.findall(r"^Audit a, version \S+: COMPLETE", out, re.MULTILINE)) == 1
    assert sorted(path.name for path in command.out.iterdir()) == ["a_audit.json", "a_cloud.json", "a_mockevent.json"]
    command.logged("scheduler.* stopped by SIGTERM")


def test_an_interrupt_while_waiting_ends_cleanly(command):
    process = start_long_before_noon(command)
    _, err = stop(process, signal.SIGINT)
    assert (process.returncode, "Traceback" in err) == (0, False)
    assert not command.out.exists()


def test_what_is_next_is_printed_where_the_log_is_not(command):
    process = start_long_before_noon(command, logger={"root": {"handlers": ["file"]}})
    out, _ = stop(process, signal.SIGTERM)
    assert re.fullmatch(r"next run of a: \S+ 12:00 local time\n", out)


def test_where_the_log_on_the_console_is_json_there_is_nothing_else(command):
    console = {"handlers": {"console": {"formatter": "json"}}}
    formatters = {"formatters": {"json": {"class": "cloudmarker.logs.JSONFormatter"}}}
    with socket.create_server(("127.0.0.1", 0)) as closed:
        away = {"host": "127.0.0.1", "port": closed.getsockname()[1], "ssl_mode": "disable"}
    people = {"from_addr": "a@example.com", "to_addrs": ["b@example.com"], "subject": "Audit"}
    process, _ = start_before_noon(command, logger={**formatters, **console}, email={**people, **away})
    command.logged(r"next run of a: .*\n(?:.*\n)*.*next run of a: ", 60)
    out, err = stop(process, signal.SIGTERM)
    messages = [json.loads(line)["message"] for line in out.splitlines()]
    (summary,) = [message for message in messages if re.match(r"Audit a, version \S+: COMPLETE", message)]
    assert "\nStores and alerts" in summary
    assert any(message.startswith("email: 4 of 4 mails could not be sent: ") for message in messages)
    assert err == ""


def test_the_first_signal_lets_the_running_audit_finish_the_second_stops_its_reading(command):
    process, _ = start_before_noon(command, plugins=HANGING)
    command.logged("a_cloud: started", 60)
    process.send_signal(signal.SIGTERM)
    command.logged("SIGTERM: no audit begins any more, and those that run are finished")
    assert process.poll() is None
    out, err = stop(process, signal.SIGTERM)
    assert (process.returncode, "Traceback" in err) == (0, False)
    assert "INCOMPLETE" in out
    assert command.log.read_text().count("next run") == 1
    assert (command.out / "a_cloud.partial.json").exists()


def test_an_audit_that_runs_when_the_signal_comes_is_complete(command):
    slow = {"cloud": {"plugin": "faulty_plugins.Cloud", "params": {"count": 20, "delay_s": 0.1}}}
    process, _ = start_before_noon(command, plugins=slow)
    command.logged("a_cloud: started", 60)
    out, _ = stop(process, signal.SIGTERM)
    assert process.returncode == 0
    assert "COMPLETE in" in out
    assert len(json.loads((command.out / "a_cloud.json").read_text())) == 20


# The configuration


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"schedule": "0 3 * *"}, "schedule: '0 3 * *' is no cron expression"),
        ({"schedule": {"cron": "0 3 * * *", "timezone": "Mars"}}, "schedule: no time zone named 'Mars'"),
        ({"audits": {"a": {"schedule": ["06:00", "x"]}}}, r"audits.a.schedule[1]: 'x' is no cron expression"),
        (
            {"plugins": {"cloud": {"plugin": "mockcloud", "params": {"record_count": "x"}}}},
            "plugins.cloud.params.record_count",
        ),
        ({"plugins": PICKY}, "plugins.cloud.params: ValueError: level: at most 3"),
        ({"health": {"file": "/no/such/place/health.json"}}, "health.file: [Errno 2]"),
        ({"health": {"file": "."}}, "health.file: "),
        ({"metrics": {"address": "nowhere"}}, "metrics.address: 'nowhere' is no address"),
        ({"metrics": {"address": "192.0.2.1:9464"}}, "metrics.address: 192.0.2.1, port 9464: [Errno"),
        ({"logger": {"root": {"level": "LOUD"}}}, "logger: Unable to configure root logger"),
    ],
)
def test_what_is_wrong_is_found_at_the_start(more, message, command):
    command.configure(**more)
    done = command.run()
    assert (done.returncode, message in done.stderr) == (2, True), done.stderr
    assert "Traceback" not in done.stderr


def test_an_audit_with_a_schedule_that_is_not_run_gets_a_warning(command):
    command.configure(audits={"b": {"clouds": ["cloud"], "schedule": "06:00"}})
    assert "audits.b.schedule: this audit is never run by its schedule" in command.run("config", "check").stderr


def test_a_hangup_reloads_the_configuration(command):
    process = start_long_before_noon(command)
    change(command, schedule={"cron": "5 4 * * *", "timezone": "UTC"}, logger={"root": {"level": "DEBUG"}})
    change(command, logger={"handlers": {"file": {"filename": str(command.directory / "other")}}})
    process.send_signal(signal.SIGHUP)
    command.log = command.directory / "other"
    command.logged("the configuration is reloaded")
    command.logged("next run of a: .* 04:05 UTC")
    stop(process, signal.SIGTERM)
    assert process.returncode == 0


def test_a_configuration_that_cannot_be_used_is_not_taken_over(command):
    health = command.directory / "health.json"
    process = start_long_before_noon(command, health={"file": str(health)})
    change(command, schedule="25:00", zzz=1)
    process.send_signal(signal.SIGHUP)
    command.logged("the one before stays in use")
    log = command.log.read_text()
    assert "ERROR" in log
    assert "not reloaded: c.yaml: schedule: '25:00' is not a time of day" in log
    assert "not reloaded: c.yaml: zzz: unknown key" in log
    assert len(json.loads(health.read_text())["configuration"]["problems"]) == 2
    change(command, schedule="12:00", plugins=PICKY)
    (command.directory / "c.yaml").write_text((command.directory / "c.yaml").read_text().replace("zzz: 1\n", ""))
    process.send_signal(signal.SIGHUP)
    command.logged("not reloaded: plugins.cloud.params: ValueError: level: at most 3")
    stop(process, signal.SIGTERM)
    assert process.returncode == 0


# Watching over it


def test_health_file_and_metrics_say_how_it_goes(command):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    health = command.directory / "health.json"
    process, _ = start_before_noon(
        command, plugins=HANGING, health={"file": str(health)}, metrics={"address": f"127.0.0.1:{port}"}
    )
    assert json.loads(health.read_text())["state"] == "waiting"
    command.logged("a_cloud: started", 60)
    found = json.loads(health.read_text())
    assert (found["state"], found["running"], found["pid"]) == ("running", ["a"], process.pid)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        numbers = answer.read().decode()
    assert 'cloudmarker_running{audit="a"} 1.0' in numbers
    spooled = re.search(r"^cloudmarker_spool_bytes (\S+)$", numbers, re.MULTILINE)
    assert spooled is not None
    process.send_signal(signal.SIGTERM)
    command.logged("SIGTERM: no audit begins any more")
    stop(process, signal.SIGTERM)
    found = json.loads(health.read_text())
    assert (found["state"], found["audits"]["a"]["last_run"]["status"]) == ("stopped", "incomplete")
