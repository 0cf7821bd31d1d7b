import re
import subprocess
import sys
from pathlib import Path

import pytest
from cloudmarker_simulators import AzureSimulator, Fault

HERE = Path(__file__).parents[1]
PAGES = [page for page in (HERE / "README.md", HERE.parent / "docs" / "simulators.md") if page.is_file()]
MANUAL = HERE.parent / "docs" / "simulators.md"


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_example_runs(page):
    for code in blocks(page, "python"):
        done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr
        assert done.stdout
    for session in blocks(page, "console"):
        for line in re.findall(r"^\$ (.*)$", session, re.MULTILINE):
            command = line.replace("cloudmarker-simulate", f"{sys.executable} -m cloudmarker_simulators", 1)
            done = subprocess.run(command, shell=True, check=False, capture_output=True, text=True, timeout=30)
            assert done.returncode == 0, done.stderr
            assert done.stdout.count("http") == 2


@pytest.mark.skipif(not MANUAL.is_file(), reason="the manual is in the repository only")
def test_the_manual_lists_every_attribute_and_field():
    text = MANUAL.read_text()
    fields = set(Fault.__dataclass_fields__) - {"hits"}
    holding = [vars(AzureSimulator()), *map(vars, AzureSimulator.__mro__[1:3])]
    public = {name for names in holding for name in names if not name.startswith("_")}
    for name in fields | public - {"cloud", "error", "relinked", "revoke", "source", "start", "stop"}:
        assert f"| `{name}` |" in text, name
    assert "`start()` and `stop()`" in text
