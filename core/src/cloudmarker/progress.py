"""What running audits are doing: a table that is kept up to date on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import click

from cloudmarker.supervisor import AuditRun
from cloudmarker.text import visible

if TYPE_CHECKING:
    from rich.table import Table

_TABLE_S = 0.25
_LINE_S = 10.0

Watch = Callable[[Sequence[AuditRun]], Callable[[], None]]


@contextlib.contextmanager
def watching() -> Iterator[Watch]:
    """Show progress on standard error meanwhile; pass what it gives to :func:`cloudmarker.manager.run`."""
    if sys.stderr.isatty():
        with _table() as watch:
            yield watch
    else:
        yield _lines


def _lines(audits: Sequence[AuditRun]) -> Callable[[], None]:
    last = time.monotonic()

    def tick() -> None:
        nonlocal last
        if time.monotonic() - last >= _LINE_S:
            last = time.monotonic()
            for audit in audits:
                if audit.result is None:
                    click.echo(_line(audit), err=True)

    return tick


def _line(audit: AuditRun) -> str:
    read = sum(p.latest.records_out for p in audit.plugins.values() if p.kind == "cloud")
    found = sum(p.latest.records_out for p in audit.plugins.values() if p.kind == "event")
    taken = sum(p.latest.accepted for p in audit.plugins.values() if p.kind == "store")
    reading = next((p.latest.reading for p in audit.plugins.values() if p.kind == "cloud" and p.latest.reading), "")
    last = visible(reading) or "nothing yet"
    return f"{audit.info.key}: read {read:,} records, {found:,} events, {taken:,} taken by stores; last read: {last}"


@contextlib.contextmanager
def _table() -> Iterator[Watch]:
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True, markup=False, highlight=False, emoji=False)  # texts of records are no markup
    live = Live(console=console, transient=True, auto_refresh=False, redirect_stdout=sys.stdout.isatty())
    with live, _logging_above():
        rates = _Rates()

        def watch(audits: Sequence[AuditRun]) -> Callable[[], None]:
            last = 0.0

            def tick() -> None:
                nonlocal last
                if time.monotonic() - last >= _TABLE_S:
                    last = time.monotonic()
                    live.update(_render(audits, rates), refresh=True)

            return tick

        yield watch


@contextlib.contextmanager
def _logging_above() -> Iterator[None]:
    """Let console log handlers write where the table lets lines through above it."""
    moved = [
        handler
        for handler in logging.getLogger().handlers
        if isinstance(handler, logging.StreamHandler) and handler.stream in (sys.__stdout__, sys.__stderr__)
    ]
    saved = [(handler, handler.stream) for handler in moved]
    for handler, stream in saved:
        handler.setStream(sys.stdout if stream is sys.__stdout__ else sys.stderr)
    try:
        yield
    finally:
        for handler, stream in saved:
            handler.setStream(stream)


class _Rates:
    """Records per second of each worker, over the time since it was last asked."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[float, int, float]] = {}

    def rate(self, name: str, count: int) -> float:
        now = time.monotonic()
        then, before, rate = self._last.get(name, (now, count, 0.0))
        if now - then >= 1.0 or name not in self._last:
            rate = (count - before) / (now - then) if now > then else 0.0
            self._last[name] = (now, count, rate)
        return rate


def _render(audits: Sequence[AuditRun], rates: _Rates) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("worker", overflow="fold", max_width=32)
    for title in ("in", "out", "per s"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("last read", overflow="ellipsis", no_wrap=True)
    for audit in audits:
        for plugin in audit.plugins.values():
            latest = plugin.latest
            count = latest.records_out if plugin.kind == "cloud" else latest.records_in
            name = f"{audit.info.key}_{plugin.key} ({plugin.kind})"
            state = plugin.outcome or latest.outcome
            rate = rates.rate(name, count)
            table.add_row(
                name,
                f"{latest.records_in:,}" if plugin.kind != "cloud" else "",
                f"{latest.records_out:,}" if plugin.kind in ("cloud", "event") else "",
                (f"{rate:,.0f}" if rate else "") if state is None else state,
                visible(latest.reading) if plugin.kind == "cloud" else "",
            )
    return table
