"""``cloudmarker config``: what it prints, where, and how it exits."""

import json
import os

import pytest
import yaml
from click.testing import CliRunner
from cloudmarker.cli import main


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return lambda *args: CliRunner().invoke(main, args)


def write(name, text, mode=0o600):
    with open(name, "w") as file:
        file.write(text)
    os.chmod(name, mode)


def test_check_says_ok_and_the_files(run):
    write("a.yaml", "schedule: '01:00'\n")
    write("b.yaml", "schedule: '02:00'\n")
    result = run("-c", "a.yaml", "b.yaml", "config", "check")
    assert (result.exit_code, result.stdout) == (0, "ok: base config, a.yaml, b.yaml\n")


def test_check_of_the_base_config_alone(run):
    result = run("-c", "config", "check")
    assert (result.exit_code, result.stdout) == (0, "ok: base config\n")


def test_check_lists_every_problem_and_exits_with_2_warnings_first(run):
    write("a.yaml", "zzz: 1\ntoken: hunter2\nschedule: 12:30\n", mode=0o644)
    result = run("-c", "a.yaml", "config", "check")
    assert result.exit_code == 2
    assert result.stdout == ""
    lines = [line for line in result.stderr.splitlines() if "a.yaml" in line]
    assert [line.split(": ")[:3] for line in lines] == [
        ["Warning", "a.yaml", "token"],
        [
            "a.yaml",
            "zzz",
            "unknown key 'zzz'; the keys here are plugins, audits, run, logger, schedule, email, suppressions, "
            "state, metrics, health",
        ],
        [
            "a.yaml",
            "token",
            "unknown key 'token'; the keys here are plugins, audits, run, logger, schedule, email, suppressions, "
            "state, metrics, health",
        ],
        [
            "a.yaml",
            "schedule",
            'expected a time of day in quotes, from "00:00" to "23:59", a cron expression, or a list of '
            "them, got a number",
        ],
    ]
    assert "hunter2" not in result.output


def test_check_finds_what_the_constructors_of_the_plugins_refuse(run):
    ports = "plugins: {event: {plugin: firewallruleevent, params: {ports: [ssh]}}}\n"
    write("a.yaml", ports + "audits: {mockaudit: {events: [event]}}\nrun: [mockaudit]\n")
    result = run("-c", "a.yaml", "config", "check")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "plugins.event.params: ValueError: ports: " in result.stderr


def test_check_of_a_missing_file(run):
    result = run("-c", "gone.yaml", "config", "check")
    assert result.exit_code == 2
    assert "gone.yaml: no such file; check the name given with --config" in result.stderr.splitlines()


def test_show_prints_the_merged_yaml_with_secrets_masked_and_references_as_written(run, monkeypatch):
    monkeypatch.setenv("CLOUDMARKER_TOKEN", "hunter2")
    write(
        "a.yaml",
        "plugins: {x: {plugin: mockcloud, params: {secret: hunter2, token: '${CLOUDMARKER_TOKEN}',"
        " other: 'a ${CLOUDMARKER_TOKEN}', none: '${CLOUDMARKER_NONE}'}}}\nschedule: '01:00'\n",
    )
    result = run("-c", "a.yaml", "config", "show")
    assert result.exit_code == 0
    shown = yaml.safe_load(result.stdout)
    assert shown["plugins"]["x"]["params"] == {
        "secret": "********",
        "token": "${CLOUDMARKER_TOKEN}",
        "other": "a ${CLOUDMARKER_TOKEN}",
        "none": "${CLOUDMARKER_NONE}",
    }
    assert shown["schedule"] == "01:00"
    assert shown["audits"]["mockaudit"]["clouds"] == ["mockcloud"]
    assert "hunter2" not in result.output


def test_show_needs_files_that_can_be_read_but_not_that_they_are_right(run):
    write("a.yaml", "zzz: 1\n")
    write("b.yaml", "a: [1\n")
    assert yaml.safe_load(run("-c", "a.yaml", "config", "show").stdout)["zzz"] == 1
    result = run("-c", "b.yaml", "config", "show")
    assert result.exit_code == 2
    assert result.stderr.startswith("b.yaml: line ")


def test_what_show_prints_is_a_config_again(run):
    shown = run("-c", "config", "show").stdout
    write("again.yaml", shown)
    assert run("-c", "again.yaml", "config", "show").stdout == shown
    assert run("-c", "again.yaml", "config", "check").exit_code == 0


def test_schema_prints_json(run):
    result = run("config", "schema")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["title"] == "Configuration of cloudmarker"
