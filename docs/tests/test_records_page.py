from __future__ import annotations

from pathlib import Path

from record_fields import BEGIN, END, render

PAGE = Path(__file__).parent.parent / "records.md"


def test_the_page_lists_the_fields_of_the_code():
    text = PAGE.read_text(encoding="utf-8")
    assert text.count(BEGIN) == text.count(END) == 1
    assert text == render(text), "run: make reference"
