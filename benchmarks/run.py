"""Run the benchmarks, print their tables, and write those of full runs into docs/benchmarks.md.

python benchmarks/run.py [NAME ...] [--rounds N] [--strict] [--quick] [--list]

A benchmark is a module of this folder: its docstring says what it measures, and its function ``main(options)`` returns
:class:`_results.Results`. Modules that start with ``_`` are not benchmarks. What a slow machine does not confirm is
said, and is no failure unless ``--strict`` is given.
"""

from __future__ import annotations

import argparse
import importlib
import tempfile
from pathlib import Path
from types import ModuleType

import _machine
import _page
from _measuring import BenchmarkError, say
from _results import Options, Results

FOLDER = Path(__file__).resolve().parent
PAGE = FOLDER.parent / "docs" / "benchmarks.md"


def names() -> list[str]:
    """Return the names of the benchmarks."""
    return sorted(path.stem for path in FOLDER.glob("[!_]*.py") if path != Path(__file__).resolve())


def main() -> int:
    """Run what the arguments ask for and return the exit code."""
    parser = _parser()
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(names()):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    if arguments.list:
        print("\n".join(f"{name:12}  {_page.title(importlib.import_module(name))}" for name in names()))
        return 0
    broken: list[str] = []
    for name in arguments.names or names():
        module = importlib.import_module(name)
        say(f"{name}: {_page.title(module)}")
        load = _machine.Load()
        try:
            results = _run(module, arguments)
        except BenchmarkError as exc:
            say(f"{name}: {exc}")
            broken.append(name)
            continue
        text = f"{_machine.describe()} {load.describe()}\n\n{results.markdown()}"
        print(f"## {_page.title(module)}\n\n{text}")
        if not arguments.quick:
            PAGE.write_text(_page.with_section(PAGE.read_text(encoding="utf-8"), module, text), encoding="utf-8")
        if arguments.strict and any(claim.holds is not True for claim in results.claims):
            broken.append(name)
    return 1 if broken else 0


def _run(module: ModuleType, arguments: argparse.Namespace) -> Results:
    with tempfile.TemporaryDirectory(prefix="cloudmarker-benchmark-", dir=arguments.directory) as folder:
        options = Options(arguments.rounds, arguments.quick, Path(folder))
        results: Results = module.main(options)
        return results


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks/run.py", description="Run the benchmarks.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names())}; all if none is given")
    parser.add_argument("--rounds", type=int, metavar="N", help="how often to run what is compared")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a claim does not hold")
    parser.add_argument("--quick", action="store_true", help="a hundredth of the work; nothing is written to docs/")
    parser.add_argument("--directory", metavar="DIR", help="write records below DIR instead of the system's own folder")
    parser.add_argument("--list", action="store_true", help="list the benchmarks")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
