from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
from cloudmarker._oldnames import TABLE

PAGE = (Path(__file__).parent.parent / "moving-from-0.1.md").read_text(encoding="utf-8")


def is_there(row) -> bool:
    try:
        import_module(row.new)
    except ModuleNotFoundError:
        return False
    return True


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.short_name)
def test_the_page_says_where_each_plugin_of_0_1_is_now_or_that_it_is_not(row):
    new = f"| `{row.old}.{row.plugin}` | `{row.short_name}` | `{row.new}.{row.plugin}` | `{row.distribution}` |"
    missing = PAGE.partition("are not there yet:")[2].partition("\n\n")[0]
    assert (new in PAGE) == is_there(row)
    assert (f"`{row.plugin}`" in missing) == (not is_there(row))
