"""The console alert: findings as a table in the summary of the audit."""

from __future__ import annotations

import shutil

import msgspec
from cloudmarker.contracts import Batch, Record
from cloudmarker.errors import ConfigError

from cloudmarker_alerts._digest import Digest

_MAX_ROWS = 500
_NARROW, _WIDE = 60, 160
"""Columns of the table: what does not fit into the first is wrapped by the terminal; wider than the second it is hard
to read."""


class _Line(msgspec.Struct):
    com: dict[str, object] = {}


_decode = msgspec.json.Decoder(_Line).decode


class ConsoleAlert:
    """Show the findings of an audit as a table, in the summary that is printed at its end; the worst come first.

    The table is as wide as the terminal. Of references that do not fit the end is shown, which names the resource; the
    whole ones are in what the other alerts send or write.

    Args:
        rows: Number of findings in the table at most, up to 500.

    Raises:
        ConfigError: a parameter cannot be used.
    """

    spool = False  # what is missing on a terminal is of no use later

    def __init__(self, rows: int = 20) -> None:
        if not 1 <= rows <= _MAX_ROWS:
            raise ConfigError(f"rows: must be between 1 and {_MAX_ROWS}")
        self._rows = rows
        self._digest = Digest(per_group=rows, per_severity=rows)

    def write(self, record: Record) -> None:
        """Add an event."""
        self._digest.add(None, record.get("com") or {})

    def write_batch(self, batch: Batch) -> None:
        """Add the events of a batch."""
        for line in batch.data.split(b"\n"):
            self._digest.add(None, _decode(line).com)

    def done(self) -> None:
        """Do nothing: the framework asks for what is to be shown."""

    def display(self) -> str:
        """Return the table; nothing if there is no finding."""
        findings = self._digest.worst(self._rows)
        if not findings:
            return ""
        from cloudmarker_alerts._findingtable import render  # and with it rich, which takes a while

        width = min(max(shutil.get_terminal_size((80, 24)).columns, _NARROW), _WIDE)
        lines = [line.rstrip() for line in render(findings, width).splitlines()]
        if more := self._digest.open - len(findings):
            lines.append(f"and {more:,} more, none of them worse")
        return "\n".join(lines)
