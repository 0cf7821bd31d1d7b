"""What a query gives, as text: for people, and for other programs."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click
import msgspec
from cloudmarker.text import shortened

_WIDEST = 60
_CONTROL = re.compile(r"[^\S ]|[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""What moves the cursor, breaks the line or turns the direction of text: a cloud may have put it into a name."""


@dataclass(frozen=True)
class Rows:
    """The answer to a query.

    Attributes:
        columns: their names.
        rows: the values of each row.
        json: positions of the columns whose values are JSON text.
        whole: no cell of a table is to be cut off.
    """

    columns: Sequence[str]
    rows: Iterator[Sequence[Any]]
    json: frozenset[int] = frozenset()
    whole: bool = False


def write(rows: Rows, form: str) -> None:
    """Print *rows*, in one of :data:`FORMATS`."""
    for line in FORMATS[form](rows):
        click.echo(line)


def _text(value: object) -> str:
    """Return a value as it stands in a cell: text as it is, null as nothing, the rest as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    text = msgspec.json.encode(value).decode()
    return text[1:-1] if text.startswith('"') else text


def _table(rows: Rows) -> Iterator[str]:
    """Yield a table for a terminal; what is longer than 60 characters is cut off."""
    found = list(rows.rows)
    cells = [[_line(_text(value), None if rows.whole else _WIDEST) for value in row] for row in found]
    widths = [max([len(name), *(len(row[index]) for row in cells)]) for index, name in enumerate(rows.columns)]
    right = [
        any(row[index] is not None for row in found)
        and all(row[index] is None or isinstance(row[index], (int, float)) for row in found)
        for index in range(len(rows.columns))
    ]
    for row in ([*rows.columns], ["-" * width for width in widths], *cells):
        line = (c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True))
        yield "  ".join(line).rstrip()


def _line(text: str, widest: int | None) -> str:
    text = _CONTROL.sub(" ", text)
    return text if widest is None else shortened(text, widest)


def _csv(rows: Rows) -> Iterator[str]:
    yield _csv_line(rows.columns)
    for row in rows.rows:
        yield _csv_line([_text(value) for value in row])


def _csv_line(row: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(row)
    return line.getvalue()


def _markdown(rows: Rows) -> Iterator[str]:
    yield _markdown_line(rows.columns)
    yield "|" + "---|" * len(rows.columns)
    for row in rows.rows:
        yield _markdown_line([_text(value) for value in row])


def _markdown_line(row: Sequence[str]) -> str:
    cells = (_CONTROL.sub(" ", cell).replace("\\", "\\\\").replace("|", "\\|") for cell in row)
    return f"| {' | '.join(cells)} |"


def _json(rows: Rows) -> Iterator[str]:
    """Yield an array of objects, one a line; columns of JSON are part of it, not text in it."""
    before = "[\n"
    for row in rows.rows:
        values = {
            name: msgspec.Raw(value.encode()) if index in rows.json and isinstance(value, str) else value
            for index, (name, value) in enumerate(zip(rows.columns, row, strict=True))
        }
        yield before + msgspec.json.encode(values).decode()
        before = ","
    yield "[]" if before == "[\n" else "]"


FORMATS: Mapping[str, Callable[[Rows], Iterator[str]]] = {
    "table": _table,
    "json": _json,
    "csv": _csv,
    "markdown": _markdown,
}
"""What prints the lines of each format."""
