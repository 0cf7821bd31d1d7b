"""The benchmarks: that each has its section on the page, and that what they measure is what happened."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
FOLDER = ROOT / "benchmarks"
NAMES = sorted(path.stem for path in FOLDER.glob("[!_]*.py") if path.stem != "run")


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(arguments, capture_output=True, text=True, check=False, cwd=FOLDER)


def measured(command: str) -> list[float]:
    """Measure ``sh -c command`` in a process that has no other children; return wall, processor time, memory."""
    script = """
        import sys
        from _measuring import Command, measure
        run = measure(Command(("sh", "-c", sys.argv[1])))
        print(run.wall_s, run.cpu_s, run.peak_mb)
    """
    done = run(sys.executable, "-c", textwrap.dedent(script), command)
    assert done.returncode == 0, done.stderr
    return [float(word) for word in done.stdout.split()]


@pytest.mark.parametrize("name", NAMES)
def test_every_benchmark_has_its_section_on_the_page(name):
    page_of = import_module("_page")
    page = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    begin, end = page_of.marks(name)
    section = page.partition(begin)[2].partition(end)[0]
    module = import_module(name)
    assert f"## {page_of.title(module)}\n" in section, f"run: make bench ARGS={name}"
    assert page_of.explanation(module) in section, f"run: make bench ARGS={name}"


def test_a_section_is_replaced_where_it_stands():
    page_of = import_module("_page")
    first, second = import_module("mock_audit"), import_module("startup")
    page = f"# Benchmarks\n\n{page_of.END_OF_PAGE}"
    for module, text in ((first, "one"), (second, "two"), (first, "three")):
        page = page_of.with_section(page, module, text)
    assert "one" not in page.splitlines()
    assert page.index("\nthree\n") < page.index("\ntwo\n") < page.index(page_of.END_OF_PAGE)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only what the command waited for is measured")
def test_processes_that_outlive_their_parent_are_measured():
    work = (
        f"{sys.executable} -c 'import os; data = bytearray(64_000_000); [os.stat(os.curdir) for _ in range(300_000)]'"
    )
    _, cpu_s, peak_mb = measured(f"{work} & exit 0")
    assert cpu_s > 0.05
    assert peak_mb > 64


def test_the_time_is_that_of_the_command():
    wall_s, _, peak_mb = measured("sleep 0.3")
    assert 0.3 <= wall_s < 3
    assert peak_mb < 64


def test_a_command_that_fails_is_no_measurement():
    script = "from _measuring import Command, measure; measure(Command(('sh', '-c', 'echo oh; exit 3')))"
    done = run(sys.executable, "-c", script)
    assert done.returncode != 0
    assert "ended with 3" in done.stderr
    assert "oh" in done.stderr


@pytest.mark.parametrize(("strict", "code"), [((), 0), (("--strict",), 1)])
def test_a_claim_that_does_not_hold_fails_only_what_is_strict(strict, code, tmp_path):
    (tmp_path / "docs").mkdir()
    for path in FOLDER.glob("*.py"):
        if path.stem in ("run", "_machine", "_measuring", "_page", "_results"):
            (tmp_path / "benchmarks").mkdir(exist_ok=True)
            (tmp_path / "benchmarks" / path.name).write_bytes(path.read_bytes())
    (tmp_path / "benchmarks" / "slow.py").write_text(
        '"""Slow.\n\nIt is."""\nfrom _results import Claim, Results, Table\n'
        "def main(options):\n"
        '    return Results((Table(("", "s"), [("it", "9.00")]),), (Claim("fast", "9 s", False),))\n'
    )
    page = tmp_path / "docs" / "benchmarks.md"
    page.write_text(import_module("_page").END_OF_PAGE)
    done = run(sys.executable, str(tmp_path / "benchmarks" / "run.py"), *strict)
    assert done.returncode == code, done.stderr
    assert "| fast | 9 s | does not hold |" in done.stdout
    assert "| it | 9.00 |" in page.read_text()
