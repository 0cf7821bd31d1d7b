"""Suppressions: what they match, how long they hold, and what is counted."""

from __future__ import annotations

from datetime import date, timedelta
from fnmatch import fnmatchcase
from typing import Any

import pytest
from cloudmarker.report import Report
from cloudmarker.suppressions import Suppression, Suppressor, configured, day_of, last_day, uses
from hypothesis import given
from hypothesis import strategies as st

TODAY = date(2026, 3, 31)


def suppression(position: int = 0, **fields: Any) -> Suppression:
    known = {"check": "", "fingerprint": "", "reference": "", "reason": "r", "owner": "o", "expires": None}
    return Suppression(position, **{**known, **fields})


def event(check_id: Any = "open_port", reference: Any = "/subs/A/vm1", fingerprint: Any = "f1", **com: Any) -> Any:
    return {"com": {"check_id": check_id, "reference": reference, "fingerprint": fingerprint, **com}}


def counted(*entries: Suppression, events: list[Any]) -> tuple[list[bool], dict[int, int], dict[int, int]]:
    report = Report("event", "event", "a_event")
    suppressor = Suppressor(entries, TODAY, report)
    return [suppressor.suppresses(item) for item in events], dict(report.suppressed), dict(report.matched)


@pytest.mark.parametrize(
    ("fields", "suppresses"),
    [
        ({"check": "open_port", "reference": "*"}, True),
        ({"check": "open_port", "reference": "/subs/a/VM1"}, True),
        ({"check": "open_port", "reference": "/SUBS/*/vm?"}, True),
        ({"check": "open_port", "reference": "/subs/A/vm"}, False),
        ({"check": "open_port", "reference": "subs/A/*"}, False),
        ({"check": "open_ports", "reference": "*"}, False),
        ({"check": "Open_port", "reference": "*"}, False),
        ({"fingerprint": "F1"}, True),
        ({"fingerprint": "f"}, False),
    ],
)
def test_a_finding_is_known_by_check_and_reference_or_by_its_fingerprint(fields, suppresses):
    assert counted(suppression(**fields), events=[event()])[0] == [suppresses]


@pytest.mark.parametrize("expires", [TODAY, TODAY + timedelta(1), None])
def test_it_holds_to_the_end_of_its_last_day(expires):
    entry = suppression(check="open_port", reference="*", expires=expires)
    assert counted(entry, events=[event()]) == ([True], {0: 1}, {0: 1})


def test_once_it_has_expired_it_suppresses_nothing_but_what_it_is_for_is_counted():
    entry = suppression(check="open_port", reference="*", expires=TODAY - timedelta(1))
    assert counted(entry, events=[event(), event()]) == ([False, False], {}, {0: 2})


def test_a_finding_counts_for_the_first_suppression_that_holds_and_matches_all():
    entries = [
        suppression(0, check="open_port", reference="*", expires=TODAY - timedelta(1)),
        suppression(1, check="open_port", reference="/subs/*"),
        suppression(2, fingerprint="f1"),
        suppression(3, check="other", reference="*"),
    ]
    assert counted(*entries, events=[event()]) == ([True], {1: 1}, {0: 1, 1: 1, 2: 1})


def test_what_is_fixed_is_not_told_nor_counted():
    entry = suppression(check="open_port", reference="*")
    assert counted(entry, events=[event(status="fixed")]) == ([True], {}, {})


@pytest.mark.parametrize("odd", [None, [], {}, {"com": None}, {"com": []}, {"com": {}}, event(None, None, None)])
def test_events_of_any_shape_are_let_through(odd):
    entries = [suppression(0, check="x", reference="*"), suppression(1, fingerprint="y")]
    assert counted(*entries, events=[odd]) == ([False], {}, {})


def test_the_day_of_a_run_is_that_of_its_version():
    assert day_of("20260331_235959") == TODAY
    assert day_of("my own") >= date(2026, 1, 1)


@pytest.mark.parametrize("value", ["2026-03-31", TODAY])
def test_the_last_day_is_a_date_or_its_text(value):
    assert last_day(value) == TODAY


@pytest.mark.parametrize("value", ["soon", "", "2026-02-30", 20260331, None, True, ["never"]])
def test_anything_else_is_no_last_day(value):
    with pytest.raises(ValueError):  # noqa: PT011  the one it says it raises
        last_day(value)


def test_an_audit_has_the_suppressions_that_name_it_or_none():
    def entry(**more: Any) -> dict[str, Any]:
        return {"check": "c", "reference": "*", "reason": "a\n b", "owner": "o", "expires": "never", **more}

    config = {"suppressions": [entry(), entry(audits=["b"]), entry(audits=["a", "b"]), entry(audits=None)]}
    assert [found.position for found in configured(config, "a")] == [0, 2, 3]
    assert configured(config, "a")[0].reason == "a b"
    assert configured({"suppressions": None}, "a") == configured({}, "a") == ()


def test_what_matched_nothing_is_known_only_if_everything_was_looked_at():
    entries = [suppression(0, fingerprint="a"), suppression(1, fingerprint="b"), suppression(2, fingerprint="c")]
    entries.append(suppression(3, check="x", reference="y*", expires=date(2026, 1, 1)))
    for complete, nothing in ((True, "unmatched"), (False, "unknown")):
        found = uses(entries, TODAY, {0: 2}, {0: 2, 1: 1, 3: 4}, complete=complete)
        assert [use.state for use in found] == ["used", "used", nothing, "expired"]
        assert [(use.suppressed, use.matched) for use in found] == [(2, 2), (0, 1), (0, 0), (0, 4)]
    assert [use.what for use in found] == ["finding a", "finding b", "finding c", "x on y*"]
    assert [use.expires for use in found] == ["never", "never", "never", "2026-01-01"]


CHECKS = st.sampled_from(["c1", "c2"])
REFERENCES = st.text("aA/*?[]!.-", max_size=6)
ENTRIES = st.builds(
    suppression, check=CHECKS, reference=REFERENCES.filter(bool), expires=st.sampled_from([None, date(2026, 3, 30)])
) | st.builds(suppression, fingerprint=st.sampled_from(["f", "G"]), expires=st.sampled_from([None, TODAY]))
EVENTS = st.builds(event, CHECKS, REFERENCES, st.sampled_from(["f", "g", None]))


@given(st.lists(ENTRIES, max_size=8), st.lists(EVENTS, max_size=8))
def test_the_index_finds_what_a_look_at_each_suppression_would(entries, events):
    entries = [Suppression(number, *list(vars(entry).values())[1:]) for number, entry in enumerate(entries)]

    def matches(entry: Suppression, com: Any) -> bool:
        if entry.fingerprint:
            return (com["fingerprint"] or "").lower() == entry.fingerprint.lower()
        return entry.check == com["check_id"] and fnmatchcase(com["reference"].lower(), entry.reference.lower())

    told, suppressed, matched = counted(*entries, events=events)
    expected: list[bool] = []
    for item in events:
        found = [entry for entry in entries if matches(entry, item["com"])]
        expected.append(any(not entry.expired(TODAY) for entry in found))
        for entry in found:
            matched[entry.position] -= 1
    assert told == expected
    assert sum(suppressed.values()) == sum(expected)
    assert not any(matched.values())
