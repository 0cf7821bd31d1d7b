"""Suppressions in real audits: who is told, what the summary says, and what is told once they have ended."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest

YESTERDAY = str((datetime.now(timezone.utc) - timedelta(1)).date())
TOMORROW = str((datetime.now(timezone.utc) + timedelta(1)).date())


def suppression(**fields):
    return {"reason": "Known", "owner": "Jo", "expires": "never", **fields}


@pytest.fixture
def audit(command):
    """Runs an audit of three accounts with 2 things each, one high and one low finding a thing."""

    def run(*suppressions, args=("run",), cloud=None, events=None, told=None):
        command.configure(
            {
                "cloud": {"plugin": "selective_plugins.Cloud", "params": cloud or {}},
                "event": {"plugin": "selective_plugins.Event", "params": {"severities": ["high", "low"]}},
                "other": {"plugin": "selective_plugins.Event", "params": {"severities": ["info"], **(events or {})}},
                "told": {"plugin": "filestore", "params": {"path": str(command.directory / "told")}, **(told or {})},
            },
            audits={
                "a": {"clouds": ["cloud"], "stores": ["filestore"], "events": ["event", "other"], "alerts": ["told"]},
                "b": {"clouds": ["cloud"]},
            },
            suppressions=list(suppressions),
        )
        return command.run(*args)

    return run


def findings(command):
    """(check, reference, status) of what the alert was given in the last run."""
    coms = [
        record["com"] for path in (command.directory / "told").iterdir() for record in json.loads(path.read_bytes())
    ]
    return sorted((com["check_id"], com["reference"], com["status"]) for com in coms)


def test_suppressed_findings_are_counted_and_told_to_nobody(command, audit):
    done = audit(
        suppression(check="too_high", reference="PROD-*/compute", expires=TOMORROW),
        suppression(check="too_low", reference="*"),
        args=("run", "--json"),
    )
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(done.stdout)
    assert result["severities"] == {"high": 4, "info": 6}
    assert result["suppressed"] == 8
    assert [(use["what"], use["state"], use["suppressed"]) for use in result["suppressions"]] == [
        ("too_high on PROD-*/compute", "used", 2),
        ("too_low on *", "used", 6),
    ]
    assert len(findings(command)) == 10
    (record,) = (
        found["com"]
        for path in command.out.iterdir()
        for found in json.loads(path.read_bytes())
        if found["com"]["record_type"] == "audit"
    )
    assert record["suppressed"] == 8
    assert (record["suppressions_expired"], record["suppressions_unmatched"]) == ([], [])


def test_the_summary_and_the_check_name_those_that_expired_or_match_nothing(audit):
    entries = (
        suppression(check="too_low", reference="*", expires=TOMORROW),
        suppression(check="too_high", reference="*", expires=YESTERDAY),
        suppression(check="too_high", reference="gone/*", owner="Sam"),
    )
    done = audit(*entries)
    assert "Suppressed findings: 6\n" in done.stdout
    lines = " ".join(done.stdout.split())
    assert f"- 6: too_low on * (until {TOMORROW}, Jo): Known" in lines
    assert f"- too_high on *: expired on {YESTERDAY}, ask Jo; findings that it is for: 6" in lines
    assert "- too_high on gone/*: matches no finding; Sam may remove it" in lines
    warning = f"c.yaml: suppressions[1]: it expired on {YESTERDAY} and suppresses nothing; renew or remove it; ask Jo"
    assert warning in done.stderr
    assert warning in audit(*entries, args=("config", "check")).stderr


@pytest.mark.parametrize("broken", [{"cloud": {"hole": "prod-1"}}, {"events": {"fail_on": "prod-1/compute"}}])
def test_one_that_matches_nothing_is_not_called_so_if_not_everything_was_looked_at(audit, broken):
    done = audit(suppression(check="too_high", reference="gone/*"), args=("run", "--json"), **broken)
    (result,) = json.loads(done.stdout)
    assert result["status"] in ("incomplete", "failed")
    assert [use["state"] for use in result["suppressions"]] == ["unknown"]


def test_suppressions_of_other_audits_play_no_part(audit):
    entry = suppression(check="too_high", reference="*", audits=["b"])
    done = audit(entry, args=("run", "--json"))
    (result,) = json.loads(done.stdout)
    assert (result["severities"]["high"], result["suppressions"]) == (6, [])


def test_a_suppressed_finding_is_never_fixed_for_being_suppressed(command, audit):
    audit()
    audit(suppression(check="too_high", reference="*"))
    assert {(check, status) for check, _, status in findings(command)} == {("too_low", "open"), ("too_info", "open")}


def test_what_was_told_before_is_reopened_and_what_was_not_is_new_when_a_suppression_has_ended(command, audit):
    everything = suppression(check="too_high", reference="*")
    audit(suppression(check="too_high", reference="test-*"))
    for _ in range(2):
        audit(everything)
        assert "too_high" not in {check for check, _, _ in findings(command)}
    changes = {"when": {"status": ["new", "reopened", "fixed"]}}
    done = audit({**everything, "expires": YESTERDAY}, args=("run", "--fail-on-new", "high"), told=changes)
    assert done.returncode == 3, done.stdout
    assert findings(command) == sorted(
        ("too_high", f"{account}/{kind}", "new" if account == "test-1" else "reopened")
        for account in ("prod-1", "prod-2", "test-1")
        for kind in ("compute", "firewall")
    )
    assert audit(told=changes).returncode == 0
    assert findings(command) == []


def test_a_suppressed_finding_that_is_fixed_is_told_to_nobody(command, audit):
    entry = suppression(check="too_high", reference="*")
    audit(entry)
    audit(entry, cloud={"gone": ["prod-1/compute"]})
    assert [finding for finding in findings(command) if finding[2] != "open"] == [
        ("too_info", "prod-1/compute", "fixed"),
        ("too_low", "prod-1/compute", "fixed"),
    ]
