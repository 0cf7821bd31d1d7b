"""Logging: workers' log records reach the configured handlers through the main process."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from cloudmarker import logs
from cloudmarker.errors import ConfigError
from cloudmarker.text import visible


@pytest.fixture
def logging_state() -> Iterator[None]:
    """Put logging back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    known = [logger for logger in logging.root.manager.loggerDict.values() if isinstance(logger, logging.Logger)]
    before = [(logger, logger.level, logger.disabled) for logger in known]
    yield
    for logger, set_level, disabled in before:
        logger.setLevel(set_level)
        logger.disabled = disabled
    for handler in root.handlers:
        if handler not in handlers:
            handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


def file_config(path: object, **more: Any) -> dict[str, Any]:
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"file": {"class": "logging.FileHandler", "filename": str(path), **more}},
        "root": {"level": "INFO", "handlers": ["file"]},
    }


# From worker to file


@pytest.fixture(scope="module")
def audit(tmp_path_factory, command_in) -> tuple[str, subprocess.CompletedProcess[str]]:
    """Run an audit whose cloud logs all sorts of things; return the log file's text and the finished process."""
    command = command_in(tmp_path_factory.mktemp("logs"))
    line = "%(process)d|%(processName)s|%(name)s|%(levelname)s|%(module)s:%(lineno)d|%(message)s"
    command.configure(
        {"cloud": {"plugin": "hostile_plugins.LoggingCloud"}},
        logger={
            "formatters": {"line": {"format": line}},
            "handlers": {"file": {"formatter": "line"}},
            "loggers": {"acme.loud": {"level": "DEBUG"}, "acme.quiet": {"level": "ERROR"}},
        },
    )
    done = command.run("-n")
    return command.log.read_text(), done


def test_each_loggers_level_holds_in_the_workers(audit):
    text, done = audit
    assert done.returncode == 0, done.stderr
    assert re.findall(r"acme\.loud says (\w+)", text) == ["debug", "info", "warning", "error"]
    assert re.findall(r"acme\.quiet says (\w+)", text) == ["error"]


def test_a_line_names_the_logger_the_level_the_place_and_the_workers_process(audit):
    text, _ = audit
    (process,) = re.findall(r"a_cloud: started, process (\d+)", text)
    (line,) = re.findall(r"^.*acme\.loud says warning$", text, re.MULTILINE)
    fields = line.split("|")
    assert fields[0] == process
    assert fields[2:4] == ["acme.loud", "WARNING"]
    assert re.fullmatch(r"hostile_plugins:\d+", fields[4])


def test_a_traceback_and_a_stack_cross_with_their_record(audit):
    text, _ = audit
    assert re.search(r"with a traceback\nTraceback .*\n(  .*\n)+KeyError: 'the cause'\n", text)
    assert re.search(r"with a stack\nStack \(most recent call last\):\n(  .*\n)+", text)


def test_a_wrong_logging_call_does_not_end_its_plugin(audit):
    text, done = audit
    assert "reading ended" not in text
    assert "too few for" not in text
    assert "--- Logging error ---" in done.stderr


def test_a_plugins_warnings_are_logged(audit):
    text, _ = audit
    assert re.search(r"\|py\.warnings\|WARNING\|.*this is deprecated", text)


def test_console_and_file_get_the_same_records(audit):
    text, done = audit
    assert "acme.loud says info" in done.stdout
    assert text.count("acme.loud says info") == 1


# JSON


@pytest.fixture(scope="module")
def json_audit(tmp_path_factory, command_in) -> list[dict[str, Any]]:
    """Run the same audit with the JSON formatter; return what the lines of the log file hold."""
    command = command_in(tmp_path_factory.mktemp("logs"))
    command.configure(
        {"cloud": {"plugin": "hostile_plugins.LoggingCloud"}},
        logger={
            "formatters": {"json": {"class": "cloudmarker.logs.JSONFormatter"}},
            "handlers": {"file": {"formatter": "json"}},
        },
    )
    done = command.run("-n")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in command.log.read_text().splitlines()]


def test_every_line_is_one_object_with_the_same_keys_first(json_audit):
    assert len(json_audit) > 10
    for line in json_audit:
        assert list(line)[:6] == ["time", "level", "logger", "message", "process", "source"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])


def test_what_a_worker_logs_says_of_which_audit_and_plugin_it_is(json_audit):
    (line,) = [line for line in json_audit if line["message"] == "acme.loud says warning"]
    assert (line["level"], line["logger"], line["audit"], line["worker"]) == ("WARNING", "acme.loud", "a", "a_cloud")
    (start,) = [line for line in json_audit if line["message"].startswith("a_cloud: started")]
    assert line["process"] == start["process"]
    own = [line for line in json_audit if line["logger"] == "cloudmarker.manager"]
    assert own
    assert not any("worker" in line for line in own)


def test_a_traceback_stays_in_the_line_of_its_record(json_audit):
    (line,) = [line for line in json_audit if line["message"] == "with a traceback"]
    assert line["exception"].startswith("Traceback (most recent call last):\n")
    assert line["exception"].endswith("KeyError: 'the cause'")
    (line,) = [line for line in json_audit if line["message"] == "with a stack"]
    assert line["stack"].startswith("Stack (most recent call last):")


@pytest.mark.parametrize("how", [{"class": "cloudmarker.logs.JSONFormatter"}, {"()": "cloudmarker.logs.JSONFormatter"}])
def test_the_formatter_is_named_as_any_other(how, logging_state, capsys):
    logs.configure(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"json": how},
            "handlers": {
                "console": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stdout"}
            },
            "root": {"level": "INFO", "handlers": ["console"]},
        }
    )
    logging.getLogger("acme.json").info("with %s", "words")
    line = json.loads(capsys.readouterr().out)
    assert (line["logger"], line["level"], line["message"], line["process"]) == (
        "acme.json",
        "INFO",
        "with words",
        os.getpid(),
    )


@pytest.mark.parametrize("message", ["", "one\ntwo", "\x1b[2J", "\u202e", "\ud800", '"quoted"', "\u2028"])
def test_any_message_is_one_line_that_a_terminal_does_not_act_on(message):
    record = logging.LogRecord("acme", logging.INFO, __file__, 1, message, None, None)
    line = logs.JSONFormatter().format(record)
    assert line.isprintable()
    assert json.loads(line)["message"] == visible(message, keep="\n")


def test_an_exception_of_this_process_is_in_the_line_too(caplog):
    try:
        raise ValueError("bad")  # noqa: TRY301
    except ValueError:
        logging.getLogger("acme.json").exception("oh")
    line = json.loads(logs.JSONFormatter().format(caplog.records[-1]))
    assert line["exception"].endswith("ValueError: bad")


# Crossing


def test_a_record_is_the_same_after_crossing(caplog):
    sent: list[dict[str, Any]] = []
    logger = logging.Logger("acme.sender", logging.DEBUG)
    logger.addHandler(logs.ForwardHandler(sent.append))
    try:
        raise ValueError("bad")  # noqa: TRY301
    except ValueError:
        logger.exception("with %s", {"a": 1})
    with caplog.at_level(logging.DEBUG, "acme.sender"):
        logs.handle(sent[0])
    (record,) = caplog.records
    assert (record.name, record.levelname, record.getMessage()) == ("acme.sender", "ERROR", "with {'a': 1}")
    assert (record.process, record.funcName) == (os.getpid(), "test_a_record_is_the_same_after_crossing")
    assert record.exc_text is not None
    assert record.exc_text.endswith("ValueError: bad")


def test_a_record_below_the_level_of_its_logger_is_dropped_where_it_arrives(caplog):
    sent: list[dict[str, Any]] = []
    logger = logging.Logger("acme.sender", logging.DEBUG)
    logger.addHandler(logs.ForwardHandler(sent.append))
    logger.info("quiet")
    with caplog.at_level(logging.ERROR, "acme.sender"):
        logs.handle(sent[0])
    assert caplog.records == []


def test_what_a_terminal_would_act_on_is_visible_and_lines_stay():
    sent: list[dict[str, Any]] = []
    logger = logging.Logger("acme.sender")
    logger.addHandler(logs.ForwardHandler(sent.append))
    try:
        raise ValueError("\x1b[2J")  # noqa: TRY301
    except ValueError:
        logger.exception("one\x1b[31m\n\ttwo\r\u202e")
    assert sent[0]["msg"] == "one\\x1b[31m\n\ttwo\\r\\u202e"
    assert "ValueError: \\x1b[2J" in sent[0]["exc_text"]
    assert "\n" in sent[0]["exc_text"]


def test_a_record_that_cannot_be_sent_does_not_end_its_caller(capsys):
    def broken(fields: dict[str, Any]) -> None:
        raise ConnectionError("gone")

    logger = logging.Logger("acme.sender")
    logger.addHandler(logs.ForwardHandler(broken))
    logger.error("to nobody")
    assert "ConnectionError: gone" in capsys.readouterr().err


# Setting up


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({**file_config("x"), "root": {"level": "LOUD"}}, r"Unable to configure root logger: Unknown level: 'LOUD'"),
        (file_config("x", level="LOUD"), r"Unable to configure handler 'file': Unknown level: 'LOUD'"),
        (file_config("x", **{"class": "logging.NoHandler"}), r"Unable to configure handler 'file': Cannot resolve"),
        (
            file_config("x", **{"class": "no_such_module.Handler"}),
            r"Unable to configure handler 'file': Cannot resolve",
        ),
        (file_config("x", colour="red"), r"Unable to configure handler 'file': .*unexpected keyword argument 'colour'"),
        ({**file_config("x"), "version": 2}, r"Unsupported version: 2"),
        ({**file_config("x"), "root": {"handlers": ["nowhere"]}}, r"Unable to configure root logger: .*nowhere"),
        ({"root": {}}, r"version"),
        (file_config("/no/such/directory/log"), r"handler 'file': \[Errno 2\] No such file or directory: '/no/such"),
        (file_config("/"), r"handler 'file': \[Errno 21\] Is a directory: '/'"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_one_clear_line(config, message, logging_state, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=message) as refused:
        logs.configure(config)
    (problem,) = refused.value.problems
    assert problem.startswith("logger: ")
    assert "\n" not in problem


def test_a_configuration_is_not_changed_when_the_console_moves(logging_state, capsys):
    stream = {"class": "logging.StreamHandler", "stream": "ext://sys.stdout"}
    config = {"version": 1, "handlers": {"console": stream}, "root": {"level": "INFO", "handlers": ["console"]}}
    logs.configure(config, console="ext://sys.stderr")
    logging.getLogger("acme").info("hello")
    assert capsys.readouterr() == ("", "hello\n")
    assert stream["stream"] == "ext://sys.stdout"


def test_a_handler_of_an_earlier_file_is_taken_back_with_null(logging_state, tmp_path):
    config = file_config(tmp_path / "log")
    config["handlers"] = {"file": None, "other": {"class": "logging.FileHandler", "filename": str(tmp_path / "other")}}
    config["root"]["handlers"] = ["other"]
    logs.configure({**config, "formatters": {"simple": None}, "loggers": {"acme.none": None}})
    logging.getLogger("acme.null").info("hello")
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


def test_the_workers_get_the_levels_that_are_set():
    config = {
        "root": {"level": "INFO"},
        "loggers": {"a": {"level": 10}, "b": {"level": "ERROR"}, "c": {}, "d": None, "e": {"level": 0}},
    }
    assert logs.levels(config) == {"": "INFO", "a": "10", "b": "ERROR", "e": "0"}
    assert logs.levels({}) == {"": "WARNING"}


def test_levels_are_applied_as_names_and_as_numbers(logging_state):
    logs.apply_levels({"": "ERROR", "acme.one": "10", "acme.two": "CRITICAL"})
    assert logging.getLogger().level == logging.ERROR
    assert logging.getLogger("acme.one").level == 10
    assert logging.getLogger("acme.two").level == logging.CRITICAL
