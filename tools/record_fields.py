"""Write the tables of record fields into their page, between its two marks.

    python tools/record_fields.py docs/records.md

The tables are made from :mod:`cloudmarker.fields`. A test compares the page with the code.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from cloudmarker.fields import (
    RECORD_TYPES,
    AuditCom,
    AuditWorker,
    Com,
    ComputeCom,
    DiskEncryption,
    EventCom,
    Field,
    InventoryCom,
    Stamps,
    fields,
)

BEGIN = "<!-- what follows is made from the code: make reference -->\n"
END = "<!-- end of what is made from the code -->\n"
GROUPS = {"Inventory": InventoryCom, "Event": EventCom}


def render(page: str) -> str:
    """Return the text of the page with the tables as they are in the code."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{chr(10).join(tables())}\n{END}{after}"


def tables() -> Iterator[str]:
    """Yield the sections: what all records have, then each group with its record types, then the framework's own."""
    yield from _section("### All records", "What a plugin sets:", _own(Com, Stamps))
    yield "What the framework adds, the stamps:\n"
    yield _table(fields(Stamps).values())
    listed = set()
    for title, group in GROUPS.items():
        yield from _section(f"### {title} records", _summary(group, Com), _own(group, Com))
        for name, shape in RECORD_TYPES.items():
            if fields(group).keys() <= fields(shape).keys():
                listed.add(name)
                yield from _section(f"#### `{name}`", _summary(shape, group), _own(shape, group))
                if shape is ComputeCom:
                    yield from _entries("disk_encryption", DiskEncryption)
    yield "### Other records\n"
    for name, shape in RECORD_TYPES.items():
        if name not in listed:
            yield from _section(f"#### `{name}`", _summary(shape, Com), _own(shape, Com))
        if shape is AuditCom:
            yield from _entries("workers", AuditWorker)


def _entries(name: str, shape: type) -> Iterator[str]:
    return _section(f"##### `{name}`", _summary(shape, Stamps), fields(shape).values())


def _own(shape: type, base: type) -> list[Field]:
    inherited = fields(base)
    return [field for name, field in fields(shape).items() if name not in inherited]


def _summary(shape: type, base: type) -> str:
    text = " ".join((shape.__doc__ or "").split())
    return text if _own(shape, base) else f"{text} It has no further fields."


def _section(title: str, text: str, own: Iterable[Field]) -> Iterator[str]:
    yield f"{title}\n"
    yield f"{text}\n"
    if own:
        yield _table(own)


def _table(rows: Iterable[Field]) -> str:
    return "\n".join(["| field | type | meaning |", "|---|---|---|", *map(_row, rows), ""])


def _row(field: Field) -> str:
    kind = f"{field.type}: {', '.join(f'`{choice}`' for choice in field.choices)}" if field.choices else field.type
    kind += " or null" if field.nullable else ""
    return f"| `{field.name}` | {kind} | {field.meaning}{f', in {field.unit}' if field.unit else ''} |"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(render(path.read_text(encoding="utf-8")), encoding="utf-8")
