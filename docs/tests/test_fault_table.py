"""Every test that the table of faults names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMED = re.findall(r"`([\w./-]+\.py)::(test_\w+)`", (ROOT / "docs/delivery.md").read_text())


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_the_test_of_a_fault_is_there(file: str, name: str) -> None:
    assert f"def {name}(" in (ROOT / file).read_text()


def test_every_fault_names_a_test() -> None:
    assert len(NAMED) > 30
