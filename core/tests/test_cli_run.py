"""``cloudmarker run`` and what ``cloudmarker`` alone does: output, exit codes, files."""

from __future__ import annotations

import contextlib
import json
import re
import stat
import subprocess
from pathlib import Path

import pytest


def test_the_audits_under_run_are_run_and_summed_up(command):
    done = command.run("run")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^Audit a, version \d{8}_\d{6}: COMPLETE in [\d.]+ s$", done.stdout, re.MULTILINE)
    assert re.search(r"^  mock +10$", done.stdout, re.MULTILINE)
    assert str(command.out / "a_cloud.json") in done.stdout
    found = {path.name: len(json.loads(path.read_bytes())) for path in command.out.iterdir()}
    assert found == {"a_cloud.json": 10, "a_mockevent.json": 4, "a_audit.json": 2}


def test_now_does_the_same(command):
    done = command.run("-n")
    assert done.returncode == 0, done.stderr
    assert "COMPLETE" in done.stdout
    assert len(list(command.out.iterdir())) == 3


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc")
@pytest.mark.parametrize("args", [["run"], ["config", "check"]], ids=" ".join)
def test_no_process_is_left_when_the_command_has_ended(command, args):
    process = command.start(*args, stdout=subprocess.DEVNULL, start_new_session=True)
    assert process.wait(60) == 0
    for of_process in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # one of somebody else's, which has just ended
            session = of_process.read_text().rpartition(")")[2].split()[3]
            assert session != str(process.pid)  # not even a dead one that nobody has waited for


@pytest.fixture
def three(command):
    """Three audits, of which only `a` is run by default."""
    audits = {
        key: {"clouds": ["cloud"], "stores": ["filestore"], "events": [], "alerts": []} for key in ("beta", "gamma")
    }
    command.configure(audits=audits)
    return command


def test_named_audits_are_run_instead_in_their_order(three):
    done = three.run("run", "gamma", "beta")
    assert done.returncode == 0, done.stderr
    assert re.findall(r"^Audit (\w+), version (\S+):", done.stdout, re.MULTILINE)[0][0] == "gamma"
    assert {path.name for path in three.out.iterdir()} == {
        "gamma_cloud.json",
        "gamma_audit.json",
        "beta_cloud.json",
        "beta_audit.json",
    }


def test_an_audit_that_does_not_exist_is_named_and_nothing_starts(three):
    done = three.run("run", "a", "betta", "delta")
    assert done.returncode == 2
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 2
    assert "no audit named 'betta'" in lines[0]
    assert "beta" in lines[0]
    assert "no audit named 'delta'" in lines[1]
    assert not three.out.exists()


@pytest.mark.parametrize(
    ("cloud", "said"),
    [
        ({"plugin": "mockcloud", "params": {"recordcount": 5}}, "takes no parameter 'recordcount'"),
        ({"plugin": "faulty_plugins.Clowd"}, "Clowd"),
        ({"plugin": "faulty_plugins.Event"}, "is an event plugin"),
    ],
)
def test_a_named_audit_that_is_not_under_run_is_checked_before_anything_starts(command, cloud, said):
    other = {"clouds": ["other"], "stores": ["filestore"], "events": [], "alerts": []}
    command.configure({"other": cloud}, audits={"beta": other})
    done = command.run("run", "beta")
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert said in line
    assert "c.yaml: " in line
    assert not command.out.exists()
    assert command.run("run").returncode == 0


def test_an_audit_that_is_named_twice_is_run_once(three):
    done = three.run("run", "beta", "beta")
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"^Audit ", done.stdout, re.MULTILINE)) == 1


def test_json_stands_alone_on_standard_output(command):
    done = command.run("run", "--json")
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(done.stdout)
    assert (result["audit"]["key"], result["status"], result["interrupted"]) == ("a", "complete", False)
    assert result["severities"] == {"info": 4}
    cloud = next(worker for worker in result["workers"] if worker["kind"] == "cloud")
    assert (cloud["records_out"], cloud["record_types"]) == (10, {"mock": 10})
    store = next(worker for worker in result["workers"] if worker["kind"] == "store")
    assert store["delivery"]["emitted"] == store["delivery"]["delivered"] == 12
    assert "Audit a begins" in done.stderr


def faulty(name, **params):
    return {"plugin": f"faulty_plugins.{name}", "params": params}


@pytest.mark.parametrize(
    ("plugin", "code", "status"),
    [
        (faulty("Cloud", holes="disabled"), 0, "COMPLETE"),
        (faulty("Cloud", fail_at=5), 4, "INCOMPLETE"),
        (faulty("Cloud", holes="denied"), 4, "INCOMPLETE"),
        (faulty("PoisonCloud"), 1, "FAILED"),
    ],
)
def test_the_exit_code_tells_complete_from_failed_and_incomplete(command, plugin, code, status):
    command.configure({"cloud": plugin}, audits={"a": {"events": [], "alerts": []}})
    done = command.run("run")
    assert f": {status} in" in done.stdout, done.stderr
    assert done.returncode == code


def test_a_configuration_that_cannot_be_used_is_exit_code_2(command):
    command.configure({"cloud": {"plugin": "mockclod"}})
    done = command.run("run")
    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean 'mockcloud'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("args", [("run",), ("-n",), ("run", "--json")])
def test_a_log_directory_that_is_not_there_is_one_clear_line(command, args):
    command.configure(logger={"handlers": {"file": {"filename": str(command.directory / "missing" / "log")}}})
    done = command.run(*args)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("logger: Unable to configure handler 'file': ")
    assert f"No such file or directory: '{command.directory}/missing/log'" in line
    assert not command.out.exists()


def test_everything_that_is_written_is_private(command):
    command.configure({"cloud": faulty("PoisonCloud")})
    command.directory.chmod(0o755)
    command.run("run")
    made = [path for top in (command.out, command.directory / "state") for path in (top, *top.rglob("*"))]
    assert len(made) > 5
    assert {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in (*made, command.log)} == {0}


def test_warnings_go_to_standard_error(command):
    command.configure({"secret": {"plugin": "mockcloud", "params": {"password": "hunter2"}}})
    (command.directory / "c.yaml").chmod(0o644)
    done = command.run("run")
    warnings = [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
    assert any("c.yaml" in line for line in warnings)
    assert "hunter2" not in done.stdout + done.stderr
    assert "warning: " not in done.stdout


def test_what_plugins_print_or_say_does_no_harm_to_the_json(command):
    command.configure(
        {
            "cloud": {"plugin": "hostile_plugins.HostileCloud", "params": {"fail": True}},
            "evil": {"plugin": "hostile_plugins.HostileEvent"},
        },
        audits={"a": {"events": ["evil"]}},
    )
    done = command.run("run", "--json")
    (result,) = json.loads(done.stdout)
    assert done.returncode == 1
    outcomes = {(worker["key"], worker["kind"]): worker["outcome"] for worker in result["workers"]}
    assert outcomes == {
        ("cloud", "cloud"): "failed",
        ("evil", "event"): "ok",
        ("filestore", "store"): "ok",
        ("filestore", "alert"): "ok",
    }
    assert result["severities"] == {"high": 2}
    assert result["findings"][0]["reference"].startswith("text\x1b[2J")
    assert result["coverage"] == {"denied": 1, "failed": 1}
    assert len(json.loads((command.out / "a_cloud.partial.json").read_bytes())) == 3
    for line in done.stderr.splitlines():
        assert line.replace("\t", "").isprintable()


@pytest.mark.parametrize("args", [("run", "--json"), ("run",), ("-n",)])
def test_what_a_plugin_prints_is_no_part_of_the_results(command, args):
    command.configure({"cloud": {"plugin": "printing_plugins.PrintingCloud"}})
    done = command.run(*args)
    assert done.returncode == 0, done.stderr
    if "--json" in args:
        json.loads(done.stdout)
    for said in ("at import", "by the constructor", "by read", "by a command", "by done"):
        assert f"printed {said}" not in done.stdout
        assert f"printed {said}" in done.stderr
    assert "written to the descriptor" in done.stderr
