"""Write the tables of resource types into the page about Azure, between its two marks.

    python tools/azure_types.py docs/azure.md

They are made from the table that the plugin reads by. A test compares the page with the code.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from cloudmarker_azure._row import Row
from cloudmarker_azure._table import TABLE

BEGIN = "<!-- what follows is made from the code: make reference -->\n"
END = "<!-- end of what is made from the code -->\n"

ACTIONS = {
    "subscription": "Microsoft.Resources/subscriptions/read",
    "resource_group": "Microsoft.Resources/subscriptions/resourceGroups/read",
    "resource": "Microsoft.Resources/subscriptions/resources/read",
}
"""What reading the types needs that no resource provider answers for."""

_ROWS = {row.record_type: row for row in TABLE}


def render(page: str) -> str:
    """Return the text of the page with the tables as they are in the code."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{chr(10).join(sections())}\n{END}{after}"


def sections() -> Iterator[str]:
    """Yield the lines of the tables."""
    yield "| `ext.record_type` | `com.record_type` | list | API version |"
    yield "|---|---|---|---|"
    for row in TABLE:
        for kind in row.own_kinds:
            yield f"| `{kind.record_type}` | `{kind.com_type}` | `{_path(row)}` | {row.api_version} |"
        for part in row.parts:
            inside = f"in `{row.record_type}`: `{'.'.join(part.member)}`"
            yield f"| `{part.kind.record_type}` | `{part.kind.com_type}` | {inside} | {row.api_version} |"
    yield ""
    yield "A custom role with these actions is enough for all of it:"
    yield ""
    yield "```text"
    yield from sorted({action(row) for row in TABLE}, key=str.lower)
    yield "```"


def _path(row: Row) -> str:
    query = "&".join(f"{name}={value}" for name, value in row.query)
    path = f"{row.path}?{query}" if query else row.path
    if row.parent:
        return f"{{{row.parent}}}{path}"
    return path if row.scope == "tenant" else f"/subscriptions/{{id}}{path}"


def action(row: Row) -> str:
    """Return the action of Azure's access control that reading the row needs."""
    return ACTIONS.get(row.record_type) or f"{_type(row)}/read"


def _type(row: Row) -> str:
    own = re.sub("/(current|default|web|authsettingsV2)(?=/|$)", "", row.path)
    if "/providers/" in own:
        return own.partition("/providers/")[2]
    return _type(_ROWS[row.parent or ""]) + own


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(render(path.read_text(encoding="utf-8")), encoding="utf-8")
