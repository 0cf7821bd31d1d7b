"""A letter as HTML that mail programs show: tables, styles on each element, nothing loaded from anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from cloudmarker_alerts._digest import FIXED, Finding, Group
from cloudmarker_alerts._letter import Letter, Table, number
from cloudmarker_alerts._lettertext import details

_COLOURS = {
    "critical": "#8e1b1b",
    "high": "#b9480f",
    "medium": "#8a6400",
    "low": "#2c6a8f",
    "info": "#4d5b6b",
    FIXED: "#1f7a3f",
}
"""White on each of these is readable."""
_OTHER_COLOUR = "#4d5b6b"

_FONT = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
_PAGE = "margin:0;padding:16px;background:#f3f5f7;color:#1c2329;font-size:14px;line-height:1.45"
_SHEET = "width:100%;max-width:720px;background:#ffffff;border:1px solid #e3e7eb"
_GREY = "color:#5b6670"
_LINE = "border-bottom:1px solid #e3e7eb"


def as_html(letter: Letter) -> str:
    """Return the letter as an HTML document."""
    return "\n".join(_parts(letter)) + "\n"


def _parts(letter: Letter) -> Iterator[str]:
    yield '<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width">'
    yield '<meta name="color-scheme" content="light">'
    yield f"<title>{escape(letter.title)}</title></head>"
    yield f'<body style="{_PAGE};{_FONT}">'
    yield '<table role="presentation" cellpadding="0" cellspacing="0" style="width:100%"><tr><td align="center">'
    yield f'<table role="presentation" cellpadding="0" cellspacing="0" style="{_SHEET}">'
    yield '<tr><td style="padding:24px;text-align:left">'
    yield f'<h1 style="margin:0 0 4px;font-size:20px;line-height:1.3">{escape(letter.title)}</h1>'
    if letter.facts:
        yield f'<p style="margin:0;{_GREY}">{escape(letter.facts)}</p>'
    if letter.warnings:
        yield from _warnings(letter.warnings)
    for table in letter.tables:
        yield from _table(table)
    severity = ""
    for group in letter.groups:
        if group.severity != severity:
            severity = group.severity
            yield _heading(severity)
        yield from _group(group)
    if letter.fixed_count:
        yield _heading(FIXED)
        yield from map(_finding, letter.fixed)
        yield from _more(letter.fixed_count - len(letter.fixed))
    if letter.notes:
        yield '<p style="margin:28px 0 0;font-weight:600">Attached</p><p style="margin:2px 0 0">'
        yield "<br>".join(escape(note) for note in letter.notes) + "</p>"
    yield f'<p style="margin:28px 0 0;font-size:12px;{_GREY}">Sent by cloudmarker.</p>'
    yield "</td></tr></table>\n</td></tr></table>\n</body>\n</html>"


def _warnings(warnings: tuple[str, ...]) -> Iterator[str]:
    yield (
        '<div style="margin:16px 0 0;padding:10px 14px;background:#fff4d6;border-left:4px solid #c98a00">'
        f"<strong>{escape(warnings[0])}</strong>"
    )
    for warning in warnings[1:]:
        yield f"<br>{escape(warning)}"
    yield "</div>"


def _table(table: Table) -> Iterator[str]:
    head = f"padding:4px 0;{_LINE};{_GREY};font-size:12px"
    yield '<table cellpadding="0" cellspacing="0" style="margin:20px 0 0;border-collapse:collapse;width:100%">'
    yield (
        f'<tr><th style="{head};text-align:left">{escape(table.title)}</th>'
        f'<th style="{head};text-align:right">Findings</th></tr>'
    )
    for name, count in table.rows:
        shown = _badge(name) if table.title == "Severity" else escape(name)
        yield (
            f'<tr><td style="padding:4px 8px 4px 0;{_LINE};overflow-wrap:anywhere;word-break:break-word">{shown}</td>'
            f'<td style="padding:4px 0;{_LINE};text-align:right;vertical-align:top">{count:,}</td></tr>'
        )
    yield "</table>"


def _badge(name: str) -> str:
    colour = _COLOURS.get(name, _OTHER_COLOUR)
    return (
        f'<span style="display:inline-block;padding:0 8px;background:{colour};color:#ffffff;font-size:12px;'
        f'line-height:20px;font-weight:600">{escape(name)}</span>'
    )


def _heading(name: str) -> str:
    colour = _COLOURS.get(name, _OTHER_COLOUR)
    return (
        f'<h2 style="margin:32px 0 0;padding:0 0 4px;font-size:16px;color:{colour};border-bottom:2px solid {colour}">'
        f"{escape(name.capitalize())}</h2>"
    )


def _group(group: Group) -> Iterator[str]:
    where = f"In {group.account}" if group.account else "In no account"
    yield (
        f'<p style="margin:14px 0 0;{_GREY};overflow-wrap:anywhere">{escape(where)}: '
        f"{number(group.count, 'finding')}</p>"
    )
    yield from map(_finding, group.findings)
    yield from _more(group.count - len(group.findings) if group.findings else 0)


def _finding(finding: Finding) -> str:
    colour = _COLOURS.get(FIXED if finding.status == FIXED else finding.severity, _OTHER_COLOUR)
    description = finding.description or finding.check_id or "(no description)"
    lines = [f'<div style="font-weight:600;overflow-wrap:anywhere">{escape(description)}</div>']
    if finding.reference:
        lines.append(
            '<div style="font-family:Consolas,Menlo,monospace;font-size:12px;overflow-wrap:anywhere;'
            f'word-break:break-all">{escape(finding.reference)}</div>'
        )
    if finding.recommendation:
        lines.append(f'<div style="overflow-wrap:anywhere">{escape(finding.recommendation)}</div>')
    if more := escape(details(finding)):
        if finding.status in ("new", "reopened"):
            more = more.replace(finding.status, f'<strong style="color:#1c2329">{finding.status}</strong>', 1)
        lines.append(f'<div style="font-size:12px;{_GREY};overflow-wrap:anywhere">{more}</div>')
    return f'<div style="margin:10px 0 0;padding:2px 0 2px 10px;border-left:3px solid {colour}">{"".join(lines)}</div>'


def _more(count: int) -> Iterator[str]:
    if count > 0:
        yield f'<p style="margin:8px 0 0;{_GREY}">and {count:,} more</p>'
