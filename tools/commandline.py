"""Write the page of the command line: what ``--help`` says, for every command.

    python tools/commandline.py docs/commandline.md

The page's introduction is here, the rest comes from the commands themselves. A test compares the page with the code.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click
from cloudmarker.cli import main as cloudmarker
from cloudmarker_simulators.cli import main as simulate

INTRODUCTION = """\
# Command line

All of this page but the table is what `--help` says; `make reference` writes it.

| exit code | of a run |
|---|---|
| 0 | everything was read, evaluated and delivered |
| 1 | a part of an audit failed, or something was not delivered |
| 2 | the command line or the configuration is wrong; nothing was started |
| 3 | there are findings as bad as `--fail-on` or `--fail-on-new` says |
| 4 | something was not read: the audit is incomplete |

If several hold, 1 goes before 3, as a failed audit may have missed findings or kept them from those who were to hear of
them, and 3 before 4, as what was found is there whatever else there may be. Several audits count as one. Findings that
are [suppressed](configuration.md#suppressions) or fixed are worth no exit code; findings that an alert is not given
[by its filter](configuration.md#when) are. For `--fail-on-new` a finding is new if its [status](findings.md) is `new`
or `reopened`, and if it has no status.
"""
WIDTH = 100


def render() -> str:
    """Return the page."""
    parts = [INTRODUCTION]
    for name, command in [("cloudmarker", cloudmarker), ("cloudmarker-simulate", simulate)]:
        for path, text in help_pages(command, name):
            level = "#" * min(path.count(" ") + 2, 4)
            parts.append(f"{level} `{path}`\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


def help_pages(command: click.Command, name: str, parent: click.Context | None = None) -> Iterator[tuple[str, str]]:
    """Yield the path and the help of *command* and of each of its subcommands, in the order of their listing."""
    settings = {**command.context_settings, "terminal_width": WIDTH, "max_content_width": WIDTH}
    context = command.context_class(command, info_name=name, parent=parent, **settings)
    yield context.command_path, "\n".join(line.rstrip() for line in context.get_help().splitlines())
    if isinstance(command, click.Group):
        for subname in command.list_commands(context):
            subcommand = command.get_command(context, subname)
            if subcommand is not None and not subcommand.hidden:
                yield from help_pages(subcommand, subname, context)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(render(), encoding="utf-8")
