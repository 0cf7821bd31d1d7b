"""The command ``cloudmarker`` itself; most tests run it in a process of its own."""

from __future__ import annotations

import json
import sys
from argparse import Namespace

import cloudmarker
import pytest
import yaml
from cloudmarker.cli import main, parse_cli
from cloudmarker.cli._group import split_config

RECORDER = """
    import json
    import click
    from cloudmarker import errors

    @click.command()
    @click.argument("words", nargs=-1)
    @click.option("--fail")
    @click.pass_obj
    def show(context, words, fail):
        if fail == "interrupt":
            raise KeyboardInterrupt
        if fail == "config":
            raise errors.ConfigError(["a.yaml: one", "a.yaml: two"])
        if fail and fail.isdigit():
            return int(fail)
        if fail:
            raise getattr(errors, fail)("it went wrong")
        click.echo(json.dumps([context.config_paths, words]))
"""


@pytest.fixture
def recorder(site):
    """A site with a command ``recorder`` that shows what it gets, or fails as it is told."""
    site.install(
        "acme-recorder",
        """
        @hookimpl
        def cloudmarker_commands():
            return [
                CommandSpec("recorder", "acme_recorder.cli:show", "Shows what it gets."),
                CommandSpec("lost", "acme_recorder.nowhere:show", "Is not there."),
                CommandSpec("wrong", "json:dumps", "Is not a command."),
            ]
        """,
    )
    site.module("acme_recorder.cli", RECORDER)
    return site


# Arguments


@pytest.mark.parametrize(
    ("args", "files", "rest"),
    [
        ([], None, []),
        (["-n"], None, ["-n"]),
        (["-c"], [], []),
        (["-n", "-c", "foo.yaml", "bar.yaml"], ["foo.yaml", "bar.yaml"], ["-n"]),
        (["-c", "foo.yaml", "bar.yaml", "-n"], ["foo.yaml", "bar.yaml"], ["-n"]),
        (["--config", "foo.yaml", "run", "daily"], ["foo.yaml"], ["run", "daily"]),
        (["-c", "run", "-c", "x"], [], ["run", "-c", "x"]),
        (["-c", "./run"], ["./run"], []),
        (["-c", "foo.yaml", "-c", "bar.yaml"], ["foo.yaml", "bar.yaml"], []),
        (["-cfoo.yaml", "run"], ["foo.yaml"], ["run"]),
        (["--config=foo.yaml", "-n"], ["foo.yaml"], ["-n"]),
        (["-nc", "foo.yaml"], ["foo.yaml"], ["-n"]),
        (["-c", "foo.yaml", "--", "run"], ["foo.yaml"], ["--", "run"]),
        (["run", "-c", "foo.yaml"], None, ["run", "-c", "foo.yaml"]),
    ],
)
def test_config_takes_files_up_to_an_option_or_a_command(args, files, rest):
    assert split_config(args, lambda: ["run", "plugins"]) == (files, rest)


@pytest.mark.parametrize(
    ("args", "config"),
    [
        ([], None),
        (["-c"], []),
        (["--config", "foo.yaml", "bar.yaml"], ["foo.yaml", "bar.yaml"]),
    ],
)
def test_a_command_gets_the_configuration_files(recorder, args, config):
    result = recorder.invoke(*args, "recorder", "a", "b")
    assert json.loads(result.stdout) == [config, ["a", "b"]]


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["-c"], Namespace(config=[], now=False, print_base_config=False)),
        (["-n", "-c", "a", "b"], Namespace(config=["a", "b"], now=True, print_base_config=False)),
        (["-c", "a", "--now", "-p"], Namespace(config=["a"], now=True, print_base_config=True)),
    ],
)
def test_parse_cli_returns_the_documented_namespace(args, expected):
    assert parse_cli(args) == expected


def test_parse_cli_defaults_to_the_documented_files_and_arguments(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["cloudmarker", "-n"])
    files = ["/etc/cloudmarker.yaml", "~/.cloudmarker.yaml", "~/cloudmarker.yaml", "cloudmarker.yaml"]
    assert parse_cli() == Namespace(config=files, now=True, print_base_config=False)


@pytest.mark.parametrize(("args", "code"), [(["--nwo"], 2), (["run"], 2), (["-h"], 0), (["-v"], 0)])
def test_parse_cli_exits_for_bad_usage_help_and_version(args, code, capsys):
    with pytest.raises(SystemExit) as exit_:
        parse_cli(args)
    assert exit_.value.code == code
    assert bool(capsys.readouterr().err) == (code == 2)


# What it prints


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_shows_options_and_the_commands_of_every_distribution(recorder, option):
    result = recorder.invoke(option)
    assert result.returncode == 0
    for text in (
        "-c, --config [FILE]...",
        "-n, --now",
        "-p, --print-base-config",
        "-v, --version",
        "Shows what it gets.",
    ):
        assert text in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


@pytest.mark.parametrize("option", ["-v", "--version"])
def test_version_prints_name_and_version(site, option):
    result = site.invoke(option)
    assert (result.returncode, result.stdout) == (0, f"cloudmarker {cloudmarker.__version__}\n")


@pytest.mark.parametrize("option", ["-p", "--print-base-config"])
def test_the_base_config_is_printed_as_yaml(site, option):
    result = site.run(option)
    assert result.returncode == 0
    config = yaml.safe_load(result.stdout)
    assert {"plugins", "audits", "run", "logger", "schedule"} <= set(config)


def test_python_m_cloudmarker_and_the_command_are_the_same(site):
    code = "import sys; sys.argv[1:] = ['-v']; from cloudmarker.cli import main; main()"
    assert site.python("-c", code).stdout == site.run("-v").stdout


# Errors


@pytest.mark.parametrize(
    ("fail", "code", "stderr"),
    [
        ("config", 2, "a.yaml: one\na.yaml: two\n"),
        ("PluginError", 1, "Error: it went wrong\n"),
        ("RecordError", 1, "Error: it went wrong\n"),
        ("interrupt", 130, "\n"),
        ("4", 4, ""),
        ("0", 0, ""),
    ],
)
def test_expected_errors_are_a_message_and_an_exit_code(recorder, fail, code, stderr):
    result = recorder.run("recorder", "--fail", fail)
    assert (result.returncode, result.stdout, result.stderr) == (code, "", stderr)


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["--nwo"], 2, "No such option"),
        (["recordr"], 2, "There is no command 'recordr'. Did you mean 'recorder'?"),
        (["qqqqqq"], 2, "There is no command 'qqqqqq'."),
        (["-n", "my.yaml"], 2, "A configuration file goes after -c: 'cloudmarker -c my.yaml'."),
        (["-n", "recorder"], 2, "--now cannot be combined with a command."),
        (["-p", "recorder"], 2, "--print-base-config cannot be combined with a command."),
        (["recorder", "-c", "foo.yaml"], 2, "it goes before the command, as in 'cloudmarker -c FILE run'"),
        (["lost"], 1, "the command 'lost' cannot be loaded from acme_recorder.nowhere:show: No module named"),
        (["wrong"], 1, "json:dumps is not a click command"),
    ],
)
def test_bad_usage_says_what_is_wrong(recorder, args, code, said):
    result = recorder.invoke(*args)
    assert result.returncode == code
    assert said in " ".join(result.stderr.split())


def test_a_bug_keeps_its_traceback(recorder):
    recorder.module("acme_recorder.cli", "import click\n@click.command()\ndef show(): 1 / 0\n")
    result = recorder.run("recorder")
    assert result.returncode == 1
    assert "ZeroDivisionError" in result.stderr


def test_the_group_can_be_run_inside_another_program(recorder):
    result = main.main(["-c", "recorder", "--fail", "3"], standalone_mode=False)
    assert result == 3


# Start-up


@pytest.mark.parametrize(
    ("args", "absent"),
    [
        (["--version"], {"rich", "yaml", "msgspec", "importlib_metadata", "pluggy"}),
        (["--help"], {"rich", "yaml", "msgspec", "multiprocessing", "asyncio"}),
        (["plugins", "list"], {"rich", "yaml", "msgspec", "multiprocessing", "asyncio"}),
    ],
)
def test_start_up_imports_nothing_it_does_not_need(site, args, absent):
    result = site.python("-X", "importtime", "-m", "cloudmarker", *args)
    assert result.returncode == 0
    imported = {line.rpartition("|")[2].strip() for line in result.stderr.splitlines() if "import time:" in line}
    assert "click" in imported
    assert imported & absent == set()


def test_importing_cloudmarker_imports_almost_nothing(site):
    code = "import sys; before = set(sys.modules); import cloudmarker; print(*sorted(set(sys.modules) - before))"
    ours = {"cloudmarker", "cloudmarker._oldnames"}
    loaded = set(site.python("-c", code).stdout.split())
    assert ours <= loaded
    costly = {"click", "pluggy", "importlib_metadata", "importlib.abc", "dataclasses", "inspect", "logging"}
    assert loaded & costly == set()
