from __future__ import annotations

from pathlib import Path

from azure_types import BEGIN, END, render

PAGE = Path(__file__).parent.parent / "azure.md"


def test_the_page_lists_the_resource_types_of_the_code():
    text = PAGE.read_text(encoding="utf-8")
    assert text.count(BEGIN) == text.count(END) == 1
    assert text == render(text), "run: make reference"
