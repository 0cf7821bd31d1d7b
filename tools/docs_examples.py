"""Find the examples in Markdown pages, and run them as a reader would.

What a page may hold, and what becomes of it (``CONTRIBUTING.md`` tells authors the same):

``{code-block} LANGUAGE`` with ``:caption: NAME``
    The file NAME, written to the reader's working directory.
``console``
    A terminal. Lines after ``$ `` are commands, run in bash; a line after ``> ``, or after one that ends in a
    backslash, goes on with the command. Each has to exit with 0. Output shown under a command has to be the output of
    that command: ``...`` stands for any text, alone on a line for any lines.
``python``
    With ``>>>`` a doctest, otherwise statements; the blocks of a page share their names.
``yaml``
    Without a caption: a piece of a configuration. It has to be valid with the base config.
``json``, ``toml``
    Have to parse.
``text``, or no language
    Not an example.

A comment just before a block says what is special about it: ``<!-- exit code N -->``, its last command exits with N;
``<!-- not run: REASON -->``, it is shown only.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

TIMEOUT_S = 100
SHOWN_OUTPUT = "/tmp/cloudmarker"  # the documented default, which the examples show

_NOT_RUN = re.compile(r"<!--\s*not run:\s*(.+?)\s*-->", re.DOTALL)
_EXIT_CODE = re.compile(r"<!--\s*exit code (\d+)\s*-->")
_OPTION = re.compile(r":(\w[\w-]*):\s*(.*)")
_CHANGES_MACHINE = re.compile(r"^\s*(sudo|apt|apt-get|az|gcloud|docker|(python3? -m )?pip3?)\b", re.MULTILINE)
_RUNS = re.compile(r"\bcloudmarker\b[^|;&]*?(?:\s-n\b|\s--now\b|\srun\b)[^|;&]*")


@dataclass(frozen=True)
class Example:
    """A fenced block of a page.

    Attributes:
        page: the file.
        line: the line of its fence, from 1.
        section: the headings it is under, from the second level on, as in ``get-started`` or ``clouds/azcloud``.
        language: the fence's language, empty if it has none.
        name: its caption, for a file to be written.
        text: what is between the fences, without options.
        not_run: why it is not run, or None.
        exit_code: of its last command.
    """

    page: Path
    line: int
    section: str
    language: str
    name: str | None
    text: str
    not_run: str | None
    exit_code: int

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def examples(page: Path) -> list[Example]:
    """Return the fenced blocks of *page* in their order, those inside of admonitions included."""
    return list(_examples(page, page.read_text(encoding="utf-8"), 0, []))


def _examples(page: Path, text: str, line_offset: int, headings: list[str]) -> Iterator[Example]:
    tokens = MarkdownIt("commonmark").parse(text)
    comment = ""
    for index, token in enumerate(tokens):
        if token.type == "heading_open" and token.tag != "h1":
            level = int(token.tag[1:]) - 2
            headings[level:] = [_slug(tokens[index + 1].content)]
        elif token.type == "html_block":
            comment = token.content
        elif token.type == "paragraph_open":
            comment = ""
        elif token.type == "fence":
            line = line_offset + (token.map or [0])[0] + 1
            directive = re.match(r"\{([\w-]+)\}\s*(.*)", token.info)
            if directive and directive[1] not in ("code-block", "code"):
                yield from _examples(page, token.content, line, list(headings))
                continue
            language = directive[2] if directive else token.info.partition(" ")[0]
            options, content = _split_options(token.content) if directive else ({}, token.content)
            not_run, exit_code = _NOT_RUN.search(comment), _EXIT_CODE.search(comment)
            yield Example(
                page,
                line,
                section="/".join(headings),
                language=language.strip(),
                name=options.get("caption"),
                text=content,
                not_run=not_run[1] if not_run else None,
                exit_code=int(exit_code[1]) if exit_code else 0,
            )
            comment = ""


def _slug(heading: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-")


def _split_options(content: str) -> tuple[dict[str, str], str]:
    options: dict[str, str] = {}
    lines = content.splitlines(keepends=True)
    while lines and (match := _OPTION.match(lines[0])):
        options[match[1]] = match[2].strip()
        del lines[0]
    while options and lines and not lines[0].strip():
        del lines[0]
    return options, "".join(lines)


def commands(text: str) -> list[tuple[str, str]]:
    """Return the commands of a ``console`` block, each with the output shown under it, empty if none is."""
    found: list[tuple[str, str]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], ""))
            continue
        if not found:
            raise ValueError(f"output without a command: {line!r}")
        command, output = found[-1]
        if not output and (line.startswith("> ") or command.endswith("\\")):
            found[-1] = (f"{command}\n{line.removeprefix('> ')}", "")
        else:
            found[-1] = (command, f"{output}{line}\n")
    return found


def matches(expected: str, actual: str) -> bool:
    """Return whether *actual* is the output that *expected* describes; ``...`` stands for any text."""
    lines = []
    for line in expected.rstrip().splitlines():
        if line.strip() == "...":
            lines.append(r"(?:[^\n]*\n)*?")
        else:
            lines.append(".*?".join(re.escape(part) for part in line.rstrip().split("...")) + r"[ \t]*\n")
    return re.fullmatch("".join(lines), actual.rstrip() + "\n") is not None


class Terminal:
    """A reader's terminal: a home and a working directory of its own, and commands that run one after the other.

    The examples show the default output folder and log file as they are. Here a config file in the home directory, and
    before the files of ``-c``, sends both into *folder*; commands and outputs are translated on their way.

    Args:
        folder: an empty folder for everything that the commands leave behind.
    """

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.cwd = folder / "work"
        self.output = folder / "output" / "cloudmarker"
        self._state = folder / "state"
        for path in (self.home, self.cwd, self.output.parent):
            path.mkdir(parents=True)
        self._overlay = self.home / ".cloudmarker.yaml"
        self._overlay.write_text(
            f"plugins:\n  filestore:\n    params:\n      path: {self.output}\n"
            f"logger:\n  handlers:\n    file:\n      filename: {self.output}.log\n",
            encoding="utf-8",
        )
        self._overlay.chmod(0o600)
        self.env = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("CLOUDMARKER_", "AZURE_", "GOOGLE_", "XDG_", "COLUMNS", "FORCE_COLOR"))
        }
        self.env |= {
            "HOME": str(self.home),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "LC_ALL": "C.UTF-8",
        }
        self._state.write_text(f"cd {shlex.quote(str(self.cwd))}\n", encoding="utf-8")

    def write(self, name: str, text: str) -> None:
        """Write the file *name*, relative to the working directory, as with an editor."""
        path = self.cwd / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)

    def translate(self, command: str) -> str:
        """Return *command* with this terminal's output folder in place of the default one."""
        command = command.replace(SHOWN_OUTPUT, str(self.output))
        return _RUNS.sub(
            lambda run: re.sub(r"\s(-c|--config)\s", rf" \1 {shlex.quote(str(self._overlay))} ", run[0]), command
        )

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run *command* in bash and return its exit code and output.

        Environment and directory carry over to the next command.
        """
        state = shlex.quote(str(self._state))
        script = (
            f". {state}\n"
            f'trap \'export -p >{state}; printf "cd %q\\n" "$PWD" >>{state}\' EXIT\n'
            f"{self.translate(command)}\n"
        )
        process = subprocess.Popen(
            ["bash", "-c", script],
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # and not only bash: what it started would keep the pipe open
            raise
        return subprocess.CompletedProcess(command, process.returncode, output.replace(str(self.output), SHOWN_OUTPUT))

    def run_console(self, example: Example) -> None:
        """Run the commands of a ``console`` block.

        Raises:
            AssertionError: a command did not exit as it should, or its output is not the one shown.
        """
        found = commands(example.text)
        for number, (command, expected) in enumerate(found, start=1):
            assert not _CHANGES_MACHINE.search(command), f"{example}: mark it as not run: {command}"
            result = self.run(command)
            if result.returncode != (example.exit_code if number == len(found) else 0):
                raise AssertionError(f"{example}: exit code {result.returncode}\n$ {command}\n{result.stdout}")
            if expected.strip() and not matches(expected, result.stdout):
                raise AssertionError(f"{example}\n$ {command}\n--- shown:\n{expected}--- is:\n{result.stdout}")
