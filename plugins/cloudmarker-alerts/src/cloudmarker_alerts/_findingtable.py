"""Findings as a table of plain text. Importing this imports rich."""

from __future__ import annotations

import io
from collections.abc import Sequence

from cloudmarker.text import shortened
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cloudmarker_alerts._digest import Finding

_MAX_DESCRIPTION = 300


def render(findings: Sequence[Finding], width: int) -> str:
    """Return the findings as lines of at most *width* columns."""
    with_status = any(finding.status for finding in findings)
    table = Table(box=None, pad_edge=False, show_header=True, expand=True)
    table.add_column("severity", no_wrap=True, width=8)
    if with_status:
        table.add_column("status", no_wrap=True, width=8)
    table.add_column("finding", overflow="fold", ratio=1)
    room = width - 10 - (10 if with_status else 0)
    for finding in findings:
        about = Text(shortened(finding.description or finding.check_id or "no description", _MAX_DESCRIPTION))
        if finding.reference:
            about.append("\n" + end_of(finding.reference, room))
        table.add_row(Text(finding.severity), *([Text(finding.status)] if with_status else []), about)
    out = io.StringIO()
    # Texts of records are no markup, and the result is plain text.
    console = Console(file=out, width=width, color_system=None, force_terminal=False, legacy_windows=False, emoji=False)
    console.print(table)
    return out.getvalue()


def end_of(reference: str, room: int) -> str:
    """Return *reference*, or as much of its end as fits into *room* columns: the end names the resource.

    >>> end_of("//example.com/projects/one/firewalls/web", 24)
    '…jects/one/firewalls/web'
    """
    if cell_len(reference) <= room:
        return reference
    end = reference[-room:]
    while cell_len(end) >= room:
        end = end[1:]
    return f"…{end}"
