from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
EXAMPLE = ROOT / "examples" / "cloudmarker-example"
PAGE = ROOT / "docs" / "writing-plugins.md"


def test_the_example_has_fewer_than_150_lines_with_its_tests():
    lines = [line for path in EXAMPLE.rglob("*.py") for line in path.read_text(encoding="utf-8").splitlines()]
    assert len([line for line in lines if line.strip()]) < 150


def test_the_page_shows_the_whole_example():
    shown = re.findall(r"```\{literalinclude\} (\S+)\n(?::.*\n)*", PAGE.read_text(encoding="utf-8"))
    files = {*EXAMPLE.rglob("*.py"), EXAMPLE / "pyproject.toml"}
    assert {(PAGE.parent / path).resolve() for path in shown} == files
    objects = re.findall(r"^(?:class|def) (\w+)", (EXAMPLE / "src/cloudmarker_example/plugins.py").read_text(), re.M)
    assert set(objects) == set(re.findall(r":pyobject: (\w+)", PAGE.read_text(encoding="utf-8")))
