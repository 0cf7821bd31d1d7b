from __future__ import annotations

from pathlib import Path

from commandline import render

PAGE = Path(__file__).parent.parent / "commandline.md"


def test_the_page_shows_the_help_of_every_command():
    assert PAGE.read_text(encoding="utf-8") == render(), "run: make reference"
