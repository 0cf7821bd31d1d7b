"""Every example in the documentation is run; ``tools/docs_examples.py`` says how."""

from __future__ import annotations

import doctest
import json
import re
from pathlib import Path

import pytest
import yaml
from cloudmarker.config import load
from docs_examples import Example, Terminal, commands, examples, matches

try:
    import tomllib
except ImportError:  # Python 3.10
    tomllib = None

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted(
    page
    for pattern in ("*.md", "docs/*.md", "core/*.md", "simulators/*.md", "plugins/*/*.md", "examples/*/*.md")
    for page in ROOT.glob(pattern)
    if page.name != "tutorial.md"  # test_tutorial.py follows that one, section by section
)
KNOWN = {"", "text", "console", "python", "yaml", "json", "toml", "ini", "make"}
VARIABLE = re.compile(r"(?<!\$)\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def check_config(example: Example, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """A piece of configuration is valid together with the base config; variables it names have a value."""
    assert isinstance(yaml.safe_load(example.text), dict)
    for name in VARIABLE.findall(example.text):
        monkeypatch.setenv(name, "value")
    path = folder / "example.yaml"
    path.write_text(example.text, encoding="utf-8")
    path.chmod(0o600)
    load([str(path)])


def run_python(example: Example, names: dict[str, object]) -> None:
    """A block with prompts is a doctest, one without is run as it is."""
    if ">>>" not in example.text:
        exec(compile(example.text, str(example), "exec"), names)
        return
    test = doctest.DocTestParser().get_doctest(example.text, names, str(example), str(example.page), example.line)
    test.globs = names  # the parser made a copy, but the blocks of a page share their names
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    report: list[str] = []
    runner.run(test, out=report.append, clear_globs=False)
    assert runner.failures == 0, "".join(report)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_example_of_a_page_works(page, tmp_path, monkeypatch):
    terminal = Terminal(tmp_path)
    monkeypatch.chdir(terminal.cwd)
    names: dict[str, object] = {"__name__": "__example__"}
    for example in examples(page):
        if example.not_run or (not example.name and example.language in ("", "text")):
            continue
        if example.name:
            terminal.write(example.name, example.text)
        elif example.language == "console":
            terminal.run_console(example)
        elif example.language == "python":
            run_python(example, names)
        elif example.language == "yaml":
            check_config(example, monkeypatch, tmp_path)
        elif example.language == "json":
            json.loads(example.text)
        elif example.language == "toml" and tomllib is not None:
            tomllib.loads(example.text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_is_in_a_language_that_is_run_or_says_why_not(page):
    assert [str(e) for e in examples(page) if e.language not in KNOWN and not e.name and not e.not_run] == []


def test_a_comment_is_about_the_block_right_after_it_and_no_other(tmp_path):
    page = tmp_path / "page.md"
    fence = "```console\n$ true\n```\n"
    page.write_text(
        f"## One\n<!-- not run: why -->\n{fence}\n{fence}\n"
        "1. Two\n\n   <!-- exit code 3 -->\n   ```console\n   $ no\n   ```\n"
        f"<!-- not run: why -->\n\nText.\n\n{fence}"
    )
    found = [(e.section, e.not_run, e.exit_code, e.text) for e in examples(page)]
    assert found == [
        ("one", "why", 0, "$ true\n"),
        ("one", None, 0, "$ true\n"),
        ("one", None, 3, "$ no\n"),
        ("one", None, 0, "$ true\n"),
    ]


def test_a_command_has_to_end_as_the_page_says(tmp_path):
    terminal = Terminal(tmp_path)
    page = tmp_path / "page.md"
    page.write_text("<!-- exit code 3 -->\n```console\n$ exit 3\n```\n\n```console\n$ exit 3\n```\n")
    as_said, not_as_said = examples(page)
    terminal.run_console(as_said)
    with pytest.raises(AssertionError, match="exit code 3"):
        terminal.run_console(not_as_said)


def test_a_command_goes_on_after_a_prompt_or_a_backslash():
    assert commands("$ one \\\ntwo\n$ three '\n> four'\nshown\n\n$ five\n") == [
        ("one \\\ntwo", ""),
        ("three '\nfour'", "shown\n\n"),
        ("five", ""),
    ]


def test_three_dots_stand_for_any_text():
    assert matches("a ... c\n...\nlast\n", "a b c\nmore\nand more\nlast\n")
    assert matches("...\nlast\n", "last\n")
    assert not matches("a ... c\n", "a b d\n")
    assert not matches("first\n", "first\nsecond\n")


def test_the_readme_shows_how_the_audit_of_the_sample_tenants_ends(tmp_path):
    terminal = Terminal(tmp_path)
    terminal.run("mkdir audit-output")
    result = terminal.run(f"cloudmarker-simulate exec -- cloudmarker -n -c '{ROOT}/examples/audit.yaml'")
    assert result.returncode == 0, result.stdout
    shown = next(example.text for example in examples(ROOT / "README.md") if example.text.startswith("Audit sample"))
    start = result.stdout.rindex("Audit sample, version")
    assert matches(without_times(shown), without_times(result.stdout[start:])), result.stdout[start:]


def without_times(text: str) -> str:
    return re.sub(r"in [0-9.]+ s\b", "in N s", re.sub(r"\b[0-9]{8}_[0-9]{6}\b", "VERSION", text))
