"""What became of an audit, as text for a person."""

from __future__ import annotations

import dataclasses
import textwrap
from typing import Any

import pytest
from cloudmarker.contracts import SEVERITIES
from cloudmarker.results import AuditInfo, AuditResult, Delivery, Finding, Hole, WorkerResult
from cloudmarker.summary import render

EVIL = "\x1b[2J\x1b]0;owned\x07\x9b31m\r\n\u2028\u202e\ud800\0\x7f"


def finding(number: int, severity: Any = "high", **more: str) -> Finding:
    fields = {
        "check_id": "firewall_rule_event",
        "reference": f"//compute.googleapis.com/projects/p/global/firewalls/rule-{number}",
        "description": f"Port {number} is open to the Internet.",
        "fingerprint": f"{number:032x}",
    }
    return Finding(severity=severity, **{**fields, **more})


RESULT = AuditResult(
    audit=AuditInfo("daily", "20260102_030405", {}),
    status="incomplete",
    workers=(
        WorkerResult(
            "daily_mycloud",
            "mycloud",
            "cloud",
            "ok",
            records_out=1234,
            record_types={"firewall_rule": 1200, "scope": 34},
        ),
        WorkerResult("daily_rules", "rules", "event", "ok", records_in=1234, records_out=3, errors=2),
        WorkerResult(
            "daily_filestore",
            "filestore",
            "store",
            "ok",
            records_in=1240,
            delivery=Delivery(emitted=1240, delivered=1240),
            outputs=("/var/lib/audits/daily_audit.json", "/var/lib/audits/daily_mycloud.partial.json"),
        ),
    ),
    coverage={"ok": 5, "denied": 1},
    holes=(
        Hole(
            "mycloud",
            "//cloudresourcemanager.googleapis.com/projects/q",
            "compute",
            "denied",
            "403: no permission to list instances, ask the owner of the project",
        ),
    ),
    severities={"high": 2, "info": 1},
    findings=(finding(22), finding(3389), finding(80, "info")),
    started=0.0,
    duration_s=12.34,
    reason="daily_mycloud: coverage has holes: 1 denied",
)

GOLDEN = """\
Audit daily, version 20260102_030405: INCOMPLETE in 12.3 s
  daily_mycloud: coverage has holes: 1 denied

Records read: 1,234
  firewall_rule                                   1,200
  scope                                              34

Findings: 3
  high                                                2
    - Port 22 is open to the Internet.
      //compute.googleapis.com/projects/p/global/firewalls/rule-22
    - Port 3389 is open to the Internet.
      //compute.googleapis.com/projects/p/global/firewalls/rule-3389
  info                                                1
    - Port 80 is open to the Internet.
      //compute.googleapis.com/projects/p/global/firewalls/rule-80

Coverage (scopes x resource types): 6
  ok                                                  5
  denied                                              1
    - denied: compute in //cloudresourcemanager.googleapis.com/projects/q: 403:
      no permission to list instances, ask the owner of the project

Stores and alerts                emitted delivered  rejected   spooled      lost
  filestore (store)                1,240     1,240         0         0         0
    /var/lib/audits/daily_audit.json
    /var/lib/audits/daily_mycloud.partial.json

Problems
  - daily_rules (event) failed on 2 records; the log names the first ones"""


def test_a_summary_looks_like_this():
    assert render([RESULT]) == GOLDEN


def test_audits_are_separated_by_a_blank_line():
    assert render([RESULT, RESULT]) == f"{GOLDEN}\n\n{GOLDEN}"


def changed(**more: Any) -> str:
    return render([dataclasses.replace(RESULT, **more)])


def test_only_what_must_not_be_cut_is_longer_than_80_columns():
    words = "many words in one sentence " * 20
    long = "/" + "x" * 200
    worker = dataclasses.replace(RESULT.workers[2], outputs=(long,), outcome="failed", message=words)
    text = changed(
        workers=(worker,),
        findings=(finding(1, description=words, reference=long),),
        holes=(Hole("c", "scope", "type", "failed", words),),
        reason=words,
    )
    wide = [line.strip() for line in text.splitlines() if len(line) > 80]
    assert wide == [long, long]
    assert text.count(" ".join(words.split())[:40]) >= 1


def test_what_records_hold_reaches_the_terminal_as_visible_text_only():
    worker = dataclasses.replace(
        RESULT.workers[0], outcome="failed", message=f"message{EVIL}", record_types={f"type{EVIL}": 1}, rejected_out=1
    )
    stored = dataclasses.replace(RESULT.workers[2], outputs=(f"/path{EVIL}",))
    evil = dict.fromkeys(("check_id", "reference", "description", "fingerprint"), f"text{EVIL}")
    text = changed(
        workers=(worker, stored),
        findings=(finding(1, **evil), finding(2, **{**evil, "description": ""})),
        holes=(Hole("c", f"scope{EVIL}", f"type{EVIL}", "failed", f"error{EVIL}"),),
        reason=f"reason{EVIL}",
    )
    assert all(char.isprintable() for char in text.replace("\n", ""))
    assert len(text.splitlines()) == len(text.split("\n"))
    text.encode()
    for part in ("text", "scope", "error", "reason", "message", "/path"):
        assert f"{part}\\x1b[2J" in text


@pytest.mark.parametrize("severity", SEVERITIES)
def test_many_findings_are_cut_and_the_rest_is_counted(severity):
    text = changed(severities={severity: 5000}, findings=tuple(finding(n, severity) for n in range(100)))
    shown = text.count("is open to the Internet")
    assert 3 <= shown <= 20
    assert f"    - and {5000 - shown:,} more" in text


def test_findings_are_shown_worst_first_and_all_of_few():
    text = changed(
        severities={"info": 1, "critical": 2},
        findings=(finding(1, "info"), finding(2, "critical"), finding(3, "critical")),
    )
    assert text.index("Port 2 ") < text.index("Port 3 ") < text.index("Port 1 ")
    assert "more" not in text


def test_many_holes_are_cut_and_the_rest_is_counted():
    holes = tuple(Hole("c", f"scope-{n}", "vm", "denied", "no") for n in range(100))
    text = changed(coverage={"ok": 1, "denied": 150, "disabled": 3}, holes=holes)
    assert text.count("denied: vm in scope-") == 20
    assert "    - and 133 more" in text


def test_a_hole_without_an_error_ends_with_its_place():
    text = changed(holes=(Hole("c", "scope-1", "vm", "skipped", None),))
    assert "    - skipped: vm in scope-1\n" in text


def test_what_was_lost_or_refused_is_coloured_and_so_is_the_status():
    used: list[tuple[str, str]] = []

    def style(text: str, colour: str) -> str:
        used.append((text.strip(), colour))
        return text

    store = dataclasses.replace(
        RESULT.workers[2], delivery=Delivery(emitted=4, delivered=1, rejected=1, spooled=1, lost=1)
    )
    render([dataclasses.replace(RESULT, workers=(store,))], style)
    assert ("INCOMPLETE", "yellow") in used
    assert ("high", "red") in used
    assert any(colour == "red" and text.split() == ["1", "1", "1"] for text, colour in used)
    used.clear()
    render([dataclasses.replace(RESULT, status="complete")], style)
    assert ("COMPLETE", "green") in used
    assert not any(text.split() == ["0", "0", "0"] for text, _ in used)


@pytest.mark.parametrize(
    ("worker", "problem"),
    [
        ({"outcome": "killed", "message": "its process was killed by SIGKILL"}, "x_c (cloud) killed: its process was"),
        ({"outcome": "stopped", "message": "stopped by SIGTERM"}, "x_c (cloud) stopped: stopped by SIGTERM"),
        ({"rejected_out": 7, "errors": 7}, "x_c yielded 7 records that are not JSON; they are in the dead letters"),
        ({"errors": 1200}, "x_c (cloud) failed on 1,200 records; the log names the first ones"),
    ],
)
def test_every_kind_of_problem_is_said(worker, problem):
    text = changed(workers=(WorkerResult(**{"name": "x_c", "key": "c", "kind": "cloud", "outcome": "ok", **worker}),))
    problems = text[text.index("\nProblems\n") :]
    assert problem in " ".join(problems.split())
    assert problems.count("  - ") == 1


def test_nothing_at_all_is_said_plainly():
    text = changed(status="complete", reason="", workers=(), coverage={}, holes=(), severities={}, findings=())
    assert text == textwrap.dedent("""\
        Audit daily, version 20260102_030405: COMPLETE in 12.3 s

        Records read: 0

        Findings: 0

        Coverage (scopes x resource types): 0

        Stores and alerts                emitted delivered  rejected   spooled      lost""")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (59.94, "59.9 s"),
        (60, "1:00 min"),
        (61.4, "1:01 min"),
        (3599.4, "59:59 min"),
        (3661, "1:01:01 h"),
    ],
)
def test_durations_have_a_unit(seconds, text):
    assert f" in {text}\n" in changed(duration_s=seconds)


def test_what_an_alert_displays_is_in_place_of_the_listed_findings():
    display = "severity  finding\nhigh      Port 22\nhighly    odd\nand 1 more"
    worker = WorkerResult("daily_console", "console", "alert", "ok", delivery=Delivery(3, 3), display=display)
    result = dataclasses.replace(RESULT, workers=(*RESULT.workers, worker))
    plain = render([result])
    assert f"  info                                                1\n\n{display}\n\nCoverage" in plain
    assert "//compute.googleapis.com/projects/p/global/firewalls/rule-22" not in plain
    assert "[red]high[/]      Port 22\nhighly    odd" in render([result], lambda text, colour: f"[{colour}]{text}[/]")


def test_what_an_alert_displays_does_nothing_to_the_terminal():
    worker = WorkerResult("daily_console", "console", "alert", "ok", delivery=Delivery(), display=f"high {EVIL}")
    text = render([dataclasses.replace(RESULT, workers=(worker,))])
    assert all(char.isprintable() or char == "\n" for char in text)
