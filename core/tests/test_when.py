"""Filters: which records come through, what that costs, and that every line stays what it was."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from typing import Any

import pytest
from cloudmarker.batches import RecordBatch
from cloudmarker.contracts import SEVERITIES
from cloudmarker.coverage import coverage
from cloudmarker.records import encode
from cloudmarker.when import Wanted, When
from hypothesis import given
from hypothesis import strategies as st


def batch(coms: list[dict[str, Any]]) -> RecordBatch:
    runs: list[tuple[str, int]] = []
    for com in coms:
        if runs and runs[-1][0] == com["record_type"]:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((com["record_type"], 1))
    return RecordBatch("a_cloud", runs, b"\n".join(encode({"raw": [1], "com": com}) for com in coms))


def through(when: dict[str, Any], *coms: dict[str, Any]) -> list[dict[str, Any]]:
    part = Wanted(None, When(when)).part(batch(list(coms)))
    return [] if part is None else [json.loads(line)["com"] for line in part.data.split(b"\n")]


def com(record_type: str = "thing_event", **more: Any) -> dict[str, Any]:
    return {"record_type": record_type, **more}


def test_conditions_are_anded_and_the_values_of_one_are_ored():
    when = {"severity": ["critical", "high"], "clouds": ["azure"]}
    a, b, c, d = (
        com(severity=severity, cloud_type=cloud_type) for severity in ("high", "low") for cloud_type in ("azure", "gcp")
    )
    e = com(severity="critical", cloud_type="Azure")
    assert through(when, a, b, c, d, e) == [a, e]


@pytest.mark.parametrize("least", SEVERITIES)
def test_a_least_severity_lets_it_and_what_is_worse_through(least):
    coms = [com(severity=severity) for severity in SEVERITIES]
    assert through({"min_severity": least}, *coms) == coms[: SEVERITIES.index(least) + 1]


@pytest.mark.parametrize("event", [com(), com(severity="urgent"), com(severity=None), com(severity=["high"])])
def test_a_finding_of_no_known_severity_counts_as_the_least_severe(event):
    assert through({"min_severity": "low"}, event) == []
    assert through({"severity": ["info"]}, event) == [event]


@pytest.mark.parametrize("event", [com(), com(status=None)])
def test_a_finding_of_which_nothing_is_remembered_counts_as_new(event):
    assert through({"status": ["new"]}, event) == [event]
    assert through({"status": ["open", "reopened", "fixed"]}, event) == []


def test_accounts_are_ids_or_patterns_in_any_letter_case():
    when = {"accounts": ["prod-*", "0A1B-?", "[x]y"]}
    good = [com(account=account) for account in ("prod-1", "PROD-", "0a1b-c", "XY")]
    bad = [com(account=account) for account in ("my-prod-1", "0a1b-cd", "[x]y", "", None)]
    assert through(when, *good, *bad, com()) == good


@pytest.mark.parametrize("when", [{"accounts": ["a"]}, {"clouds": ["azure"]}])
def test_what_is_in_no_account_or_cloud_is_not_in_the_one_asked_for(when):
    assert through(when, com(account=None, cloud_type=None), com(account="", cloud_type="")) == []


def test_the_audit_record_comes_through_whatever_the_filter():
    audit = com("audit", cloud_type="", status="complete")
    when = {"record_types": ["x"], "clouds": ["y"], "accounts": ["z"], "severity": ["high"], "status": ["fixed"]}
    assert through(when, com(), audit, com()) == [audit]


def test_coverage_comes_through_but_that_of_what_is_kept_out():
    mine = coverage("azure", "s", "*", "ok", account="a")["com"]
    general = coverage("", "s", "*", "failed", error="x")["com"]
    others = coverage("azure", "s", "*", "ok", account="b")["com"], coverage("gcp", "s", "*", "ok", account="a")["com"]
    when = {"record_types": ["x"], "accounts": ["a"], "clouds": ["azure"], "severity": ["high"], "status": ["new"]}
    assert through(when, mine, general, *others) == [mine, general]


def test_null_takes_a_condition_back():
    assert through({"record_types": None, "accounts": None, "min_severity": None}, com()) == [com()]


def test_a_plugin_is_given_no_type_that_it_does_not_take_because_its_filter_does():
    coms = [com(name) for name in ("one", "two", "three", "coverage", "audit")]
    part = Wanted(["one", "two", "audit"], When({"record_types": ["two", "three"]})).part(batch(coms))
    assert part is not None
    assert [record_type for record_type, _ in part.runs] == ["two", "audit"]


def test_a_batch_that_comes_through_whole_is_passed_on_as_it_is():
    whole = batch([com(severity="high"), com(severity="low")])
    for when in ({}, {"record_types": ["thing_event"]}, {"min_severity": "low"}):
        assert Wanted(None, When(when)).part(whole) is whole
    assert Wanted(None).part(whole) is whole


def test_a_batch_is_not_decoded_for_its_types():
    broken = RecordBatch("a_cloud", [("one", 1), ("two", 1)], b"{no json\n{nor this")
    part = Wanted(None, When({"record_types": ["two"]})).part(broken)
    assert part is not None
    assert (part.runs, part.data) == ([("two", 1)], b"{nor this")


NAMES = st.sampled_from(["azure", "gcp", "prod", "Test-1", "p*", ""])
COMS = st.fixed_dictionaries(
    {"record_type": st.sampled_from(["one", "two", "coverage", "audit"])},
    optional={
        "cloud_type": NAMES,
        "account": st.none() | NAMES,
        "severity": st.sampled_from([*SEVERITIES, "odd"]),
        "status": st.sampled_from(["new", "open", "reopened", "fixed"]),
        "text": st.text(),
    },
)
WHENS = st.fixed_dictionaries(
    {},
    optional={
        "record_types": st.lists(st.sampled_from(["one", "three"]), min_size=1),
        "clouds": st.lists(NAMES.filter(bool), min_size=1),
        "accounts": st.lists(NAMES.filter(bool) | st.sampled_from(["*", "*t*", "?est-1"]), min_size=1),
        "severity": st.lists(st.sampled_from(SEVERITIES), min_size=1),
        "status": st.lists(st.sampled_from(["new", "open", "fixed"]), min_size=1),
    },
)


def by_the_book(when: dict[str, Any], com: dict[str, Any]) -> bool:
    """What docs/configuration.md says, put plainly."""
    framework = com["record_type"] in ("coverage", "audit")
    if com["record_type"] == "audit":
        return True
    tests = {
        "clouds": lambda values: (
            (com.get("cloud_type") or "").lower() in [value.lower() for value in values]
            or (framework and not com.get("cloud_type"))
        ),
        "accounts": lambda values: (
            any(fnmatchcase((com.get("account") or "").lower(), value.lower()) for value in values)
            if com.get("account")
            else framework
        ),
        "record_types": lambda values: framework or com["record_type"] in values,
        "severity": lambda values: (
            framework or (com.get("severity") if com.get("severity") in SEVERITIES else "info") in values
        ),
        "status": lambda values: framework or com.get("status", "new") in values,
    }
    return all(tests[name](values) for name, values in when.items())


@given(st.lists(COMS, min_size=1, max_size=20), WHENS)
def test_exactly_what_fulfils_the_filter_comes_through_in_order_and_byte_for_byte(coms, when):
    whole = batch(coms)
    wanted = Wanted(None, When(when))
    part = wanted.part(whole)
    lines = whole.data.split(b"\n")
    expected = [line for line, com in zip(lines, coms, strict=True) if by_the_book(when, com)]
    assert (part.data.split(b"\n") if part else []) == expected
    assert [wanted.wants(com["record_type"], line) for com, line in zip(coms, lines, strict=True)] == [
        by_the_book(when, com) for com in coms
    ]
    if part:
        assert part.count == len(expected)
        types = [record_type for record_type, count in part.runs for _ in range(count)]
        assert types == [json.loads(line)["com"]["record_type"] for line in expected]
