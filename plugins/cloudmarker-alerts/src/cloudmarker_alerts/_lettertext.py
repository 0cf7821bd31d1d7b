"""A letter as plain text, at most 76 columns wide, but for what must not be broken."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from cloudmarker.text import shortened

from cloudmarker_alerts._digest import Finding, Group
from cloudmarker_alerts._letter import Letter, number

_WIDTH = 76
_NAME = 60


def as_text(letter: Letter) -> str:
    """Return the letter as plain text."""
    return "\n".join(_lines(letter)) + "\n"


def _lines(letter: Letter) -> Iterator[str]:
    yield letter.title
    yield "=" * min(len(letter.title), _WIDTH)
    if letter.facts:
        yield from _wrapped(letter.facts)
    if letter.warnings:
        yield ""
        yield from _wrapped(letter.warnings[0], "! ", "! ")
        for warning in letter.warnings[1:]:
            yield from _wrapped(warning, "!   ", "!     ")
    for table in letter.tables:
        yield ""
        yield table.title
        for name, count in table.rows:
            yield f"  {shortened(name, _NAME):<{_NAME}} {count:>12,}"
    severity = ""
    for group in letter.groups:
        if group.severity != severity:
            severity = group.severity
            yield from ("", "", severity.upper(), "-" * len(severity))
        yield from _group(group)
    if letter.fixed_count:
        yield from ("", "", "FIXED", "-----")
        for finding in letter.fixed:
            yield ""
            yield from _finding(finding)
        yield from _more(letter.fixed_count - len(letter.fixed))
    if letter.notes:
        yield from ("", "", "ATTACHED", "--------")
        for note in letter.notes:
            yield from _wrapped(note)
    yield from ("", "-- ", "Sent by cloudmarker.")


def _group(group: Group) -> Iterator[str]:
    yield ""
    where = f"In {group.account}" if group.account else "In no account"
    yield from _wrapped(f"{where}: {number(group.count, 'finding')}")
    for finding in group.findings:
        yield ""
        yield from _finding(finding)
    yield from _more(group.count - len(group.findings) if group.findings else 0)


def _finding(finding: Finding) -> Iterator[str]:
    yield from _wrapped(finding.description or finding.check_id or "(no description)", "  * ", "    ")
    if finding.reference:
        yield f"    {finding.reference}"
    if finding.recommendation:
        yield from _wrapped(finding.recommendation, "    -> ", "       ")
    yield from _wrapped(details(finding), "    ", "    ")


def details(finding: Finding) -> str:
    """Return status, age, check and cloud in one line, as far as they are known."""
    seen = f"first seen {finding.first_seen}" if finding.first_seen else ""
    check = finding.check_id if finding.description else ""
    return " · ".join(filter(None, (finding.status, seen, check, finding.cloud_type)))


def _more(count: int) -> Iterator[str]:
    if count > 0:
        yield ""
        yield f"  and {count:,} more"


def _wrapped(text: str, first: str = "", following: str = "") -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=first,
        subsequent_indent=following,
        break_long_words=False,
        break_on_hyphens=False,
    )
