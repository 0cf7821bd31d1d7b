"""What a message of a chat says besides the events, and what they come to in a line."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cloudmarker.contracts import StoreRun
from cloudmarker.text import pluralize

from cloudmarker_alerts._digest import RATINGS, Digest

MAX_FINDINGS = 20
"""Findings in one message: with what is around them less than what services take."""


@dataclass(frozen=True)
class About:
    """What a message says besides the events.

    Attributes:
        title: the user's own words.
        audit_key: of the audit, empty if it is not known.
        audit_version: of the run.
        incomplete: why the events are not all, empty if they are.
        late: whether the audit ended some time ago, and the message could not be sent then.
        report_url: where a report is, empty for nowhere.
        file: what the file that comes with it is, for instance "All 5 events: findings.jsonl".
        findings: how many findings to show at most.
    """

    title: str
    audit_key: str = ""
    audit_version: str = ""
    incomplete: str = ""
    late: bool = False
    report_url: str = ""
    file: str = ""
    findings: int = 10

    @classmethod
    def of(
        cls, run: StoreRun | None, *, title: str, incomplete: str, report_url: str | None, findings: int, file: str = ""
    ) -> About:
        """Return what a message about *run* says; ``{audit}`` and ``{version}`` in *report_url* become those of it."""
        key, version = ("", "") if run is None else (run.audit_key, run.audit_version)
        url = (report_url or "").replace("{audit}", key).replace("{version}", version)
        late = run is not None and run.replay
        return cls(title, key, version, incomplete, late, url, file, findings)


def parameter_problems(report_url: str | None, findings: int) -> list[str]:
    """Return what is wrong with the parameters of a message."""
    problems = []
    if report_url is not None and not re.fullmatch(r"https?://[^\s<>|]+", report_url):
        problems.append("report_url: it is not like https://example.com/report")
    if not 0 <= findings <= MAX_FINDINGS:
        problems.append(f"findings: must be between 0 and {MAX_FINDINGS}")
    return problems


LATE = "This comes late: it could not be sent when the audit had ended."


def headline(digest: Digest) -> str:
    """Return what the events come to in a line, for instance ``25 findings (4 critical, 21 high)``; plain text."""
    found = f"{digest.open:,} {pluralize(digest.open, 'finding')}"
    severities = [f"{count:,} {rating}" for rating in RATINGS if (count := digest.severities[rating])]
    if severities:
        found += f" ({', '.join(severities)})"
    if digest.fixed:
        found += f", {digest.fixed:,} fixed"
    return found
