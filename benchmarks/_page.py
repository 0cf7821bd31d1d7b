"""The sections of docs/benchmarks.md that are written by the benchmarks."""

from __future__ import annotations

import inspect
import re
from types import ModuleType

END_OF_PAGE = "<!-- the benchmarks add their sections above this line -->\n"


def title(module: ModuleType) -> str:
    """Return the title of a benchmark: the first line of its docstring without the full stop."""
    return _docstring(module).partition("\n")[0].removesuffix(".")


def explanation(module: ModuleType) -> str:
    """Return what a benchmark measures: the rest of its docstring."""
    return _docstring(module).partition("\n")[2].strip()


def with_section(page: str, module: ModuleType, text: str) -> str:
    """Return the page with *text* as the section of a benchmark, in the place of the one before or as a new one."""
    begin, end = marks(module.__name__)
    section = f"{begin}## {title(module)}\n\n{explanation(module)}\n\n{text.strip()}\n{end}"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if pattern.search(page):
        return pattern.sub(lambda _: section, page)
    return page.replace(END_OF_PAGE, f"{section}\n{END_OF_PAGE}")


def marks(name: str) -> tuple[str, str]:
    """Return the lines before and after the section of a benchmark."""
    return f"<!-- make bench ARGS={name} writes this -->\n", f"<!-- end of {name} -->\n"


def _docstring(module: ModuleType) -> str:
    return inspect.cleandoc(module.__doc__ or module.__name__)
