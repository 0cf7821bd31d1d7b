"""``--fail-on`` and ``--fail-on-new``: findings as an exit code."""

from __future__ import annotations

import json

import pytest
from cloudmarker.contracts import SEVERITIES
from cloudmarker.manager import exit_code
from cloudmarker.results import AuditInfo, AuditResult


def configure(command, *severities, cloud=None, alert=None, bare=False, **more):
    """An audit whose event finds the severities in each of two things."""
    plugins = {
        "cloud": {"plugin": "selective_plugins.Cloud", "params": {"accounts": ["prod-1"], **(cloud or {})}},
        "event": {"plugin": "selective_plugins.Event", "params": {"severities": list(severities), "bare": bare}},
        "told": alert or {"plugin": "filestore", "params": {"path": str(command.directory / "told")}},
    }
    audits = {"a": {"clouds": ["cloud"], "stores": ["filestore"], "events": ["event"], "alerts": ["told"]}}
    command.configure(plugins, audits={**audits, **more.pop("audits", {})}, **more)


def result(status="complete", severities=None, fresh=None):
    return AuditResult(
        audit=AuditInfo("a", "20260331_120000", {}),
        status=status,
        workers=(),
        coverage={},
        holes=(),
        severities=severities or {},
        findings=(),
        started=0.0,
        duration_s=0.0,
        fresh=fresh or {},
    )


@pytest.mark.parametrize("found", SEVERITIES)
@pytest.mark.parametrize("least", SEVERITIES)
def test_findings_of_that_severity_or_worse_are_exit_code_3(least, found):
    code = 3 if SEVERITIES.index(found) <= SEVERITIES.index(least) else 0
    old, new = result(severities={found: 2}), result(severities={found: 2}, fresh={found: 1})
    assert exit_code([result(), old], least) == exit_code([new, result()], None, least) == code
    assert exit_code([old], None, least) == exit_code([old, new]) == 0


@pytest.mark.parametrize(
    ("statuses", "found", "code"),
    [
        (["complete", "incomplete", "failed"], True, 1),
        (["failed"], False, 1),
        (["incomplete", "complete"], True, 3),
        (["incomplete", "complete"], False, 4),
        (["complete"], False, 0),
    ],
)
def test_a_failure_goes_before_findings_and_findings_before_what_was_not_read(statuses, found, code):
    results = [result(status) for status in statuses] + [result(severities={"high": 1} if found else {})]
    assert exit_code(results, "high") == code


def test_the_option_says_why(command):
    configure(command, "critical", "medium", "low")
    done = command.run("run", "--fail-on", "medium", "--fail-on-new", "critical")
    assert done.returncode == 3
    assert "--fail-on medium: 4 findings of severity medium or worse\n" in done.stderr
    assert "--fail-on-new critical: 2 new or reopened findings of severity critical\n" in done.stderr


def test_findings_that_were_there_before_are_old_news_but_still_findings(command):
    configure(command, "high")
    assert command.run("-n", "--fail-on-new", "high").returncode == 3
    assert command.run("-n", "--fail-on", "HIGH").returncode == 3
    configure(command, "high", "low")
    assert command.run("-n", "--fail-on-new", "high").returncode == 0
    configure(command, "high", "low", "critical")
    assert command.run("-n", "--fail-on-new", "high").returncode == 3


def test_what_is_fixed_is_no_finding(command):
    configure(command, "high")
    command.run("run")
    configure(command)
    done = command.run("run", "--fail-on", "info", "--fail-on-new", "info")
    assert done.returncode == 0, done.stderr


def test_findings_of_which_nothing_is_remembered_are_new_every_time(command):
    configure(command, "high", bare=True)
    for _ in range(2):
        assert command.run("run", "--fail-on-new", "high").returncode == 3


def test_suppressed_findings_count_for_nothing(command):
    entry = {"check": "too_high", "reference": "*", "reason": "r", "owner": "o", "expires": "never"}
    configure(command, "high", "low", suppressions=[entry])
    assert command.run("run", "--fail-on", "medium").returncode == 0
    assert command.run("run", "--fail-on", "low").returncode == 3


def test_what_an_alert_is_not_given_counts_all_the_same(command):
    alert = {
        "plugin": "filestore",
        "params": {"path": str(command.directory / "told")},
        "when": {"severity": ["critical"]},
    }
    configure(command, "high", alert=alert)
    assert command.run("run", "--fail-on", "high").returncode == 3


def test_findings_are_named_even_if_something_worse_decides_the_exit_code(command):
    store = {"plugin": "faulty_plugins.Store", "params": {"path": str(command.directory / "it"), "fail_at": 1}}
    configure(command, "high", cloud={"hole": "prod-1"}, alert=store)
    done = command.run("run", "--fail-on", "high")
    assert done.returncode == 1, done.stderr
    assert "--fail-on high: 2 findings of severity high or worse, but exit code 1: a part failed\n" in done.stderr


def test_findings_of_all_audits_are_taken_together(command):
    quiet = {"clouds": ["cloud"], "stores": ["filestore"], "events": [], "alerts": []}
    configure(command, "critical", audits={"quiet": quiet}, run=["quiet", "a"])
    done = command.run("run", "--fail-on", "critical")
    assert done.returncode == 3
    assert "--fail-on critical: 2 findings of severity critical\n" in done.stderr
    assert command.run("run", "quiet", "--fail-on", "critical").returncode == 0


def test_the_json_stays_alone_on_standard_output(command):
    configure(command, "high")
    done = command.run("run", "--json", "--fail-on", "high")
    assert done.returncode == 3
    (result,) = json.loads(done.stdout)
    assert (result["severities"], result["fresh"]) == ({"high": 2}, {"high": 2})


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--fail-on", "high"], "--fail-on is for a single run: add --now."),
        (["--fail-on-new", "high"], "--fail-on-new is for a single run: add --now."),
        (["--fail-on", "high", "run"], "--fail-on goes after the command: 'cloudmarker run --fail-on SEVERITY'."),
        (["-n", "--fail-on", "hgih"], "'hgih' is not one of"),
        (["run", "--fail-on-new"], "Option '--fail-on-new' requires an argument."),
    ],
)
def test_what_makes_no_sense_is_bad_usage_and_nothing_starts(command, args, message):
    done = command.run(*args)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())
    assert not command.out.exists()
