"""The machinery of the command line: lazy subcommands, ``-c`` with any number of files, errors as exit codes."""

from __future__ import annotations

import gc
import re
import sys
from collections.abc import Callable, Collection, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

import click

from cloudmarker import _oldnames
from cloudmarker.errors import CloudmarkerError, ConfigError, PluginError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudmarker.hookspecs import CommandSpec

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
"""128 + SIGINT, as shells report it."""

CONFIG_FILES = "cloudmarker.config_files"
"""Where the context keeps the files of ``-c``: a list, or None if the option was not given."""

_CONFIG_FLAG = re.compile(r"-(?P<flags>[hnpv]*)c(?P<file>.*)", re.DOTALL)
_COMMAND_NAME = re.compile(r"[A-Za-z0-9_-]+")


def split_config(args: Sequence[str], commands: Callable[[], Collection[str]]) -> tuple[list[str] | None, list[str]]:
    """Take ``-c``/``--config`` and its files out of *args*.

    The option takes files up to the next option or the name of a subcommand; given twice, it adds to its files.

    Args:
        args: the arguments of the main command, with those of a subcommand behind them.
        commands: returns the names of the subcommands; called if a word behind ``-c`` may be one. Finding them takes
            longer than all the rest here, and most files have a dot in their names.

    Returns:
        The files, None if the option is not there, and the other arguments.
    """
    files: list[str] | None = None
    rest: list[str] = []
    left = list(args)
    while left and left[0].startswith("-") and left[0] != "--":
        arg = left.pop(0)
        if arg.startswith("--config="):
            files = [*(files or ()), arg.removeprefix("--config=")]
            continue
        short = None if arg.startswith("--") else _CONFIG_FLAG.fullmatch(arg)
        if arg != "--config" and short is None:
            rest.append(arg)
            continue
        files = files or []
        if short and short["flags"]:
            rest.append(f"-{short['flags']}")
        if short and short["file"]:
            files.append(short["file"])
            continue
        while left and not left[0].startswith("-") and not (_COMMAND_NAME.fullmatch(left[0]) and left[0] in commands()):
            files.append(left.pop(0))
    return files, rest + left


class MainGroup(click.Group):
    """The group behind ``cloudmarker``: its subcommands come from the registry and are imported when they run."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command line and, in standalone mode, exit: the one place where exceptions become exit codes.

        A command returns its exit code, or None for 0. Configuration errors and bad usage exit with 2, other expected
        errors with 1, an interrupt with 130; each is a message on standard error. Anything else is a bug and keeps its
        traceback.
        """
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        gc.set_threshold(50_000, 20, 50)  # starting makes much that stays: the default looks through it again and again
        try:
            code = super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        except ConfigError as exc:
            _exit(EXIT_USAGE, exc.problems)
        except CloudmarkerError as exc:
            _exit(EXIT_FAILED, [f"Error: {exc}"])
        except click.ClickException as exc:
            if isinstance(exc, click.NoSuchOption) and exc.option_name in ("-c", "--config"):
                hint = f"No option {exc.option_name} here: it goes before the command, as in 'cloudmarker -c FILE run'."
                exc = click.UsageError(hint, exc.ctx)
            exc.show()
            _exit(exc.exit_code)
        except click.Abort:
            _exit(EXIT_INTERRUPTED)
        return _exit(code if isinstance(code, int) else 0)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the main command's own arguments."""
        files, rest = split_config(args, lambda: _specs().keys())
        ctx.meta[CONFIG_FILES] = files
        return super().parse_args(ctx, rest)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all subcommands, core's first."""
        return list(_specs())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a subcommand, or None if there is none of that name."""
        spec = _specs().get(cmd_name)
        return None if spec is None else _load(spec)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the subcommand that *args* begins with; suggest one if there is none."""
        if args[0] not in _specs() and not ctx.resilient_parsing:
            from importlib.util import find_spec

            from cloudmarker.plugins import registry, suggest

            row = _oldnames.BY_COMMAND.get(args[0])
            if row and find_spec(row.package) is None:
                ctx.fail(row.not_installed(f"The command '{args[0]}'"))
            near = suggest(args[0], _specs())
            hint = f" Did you mean '{near}'?" if near else ""
            if args[0].endswith((".yaml", ".yml")):
                hint = f" A configuration file goes after -c: 'cloudmarker -c {args[0]}'."
            if not hint and registry().problems:
                hint = " Some installed distributions have problems: see 'cloudmarker plugins list'."
            ctx.fail(f"There is no command '{args[0]}'.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the subcommands' summaries, from the registry: nothing is imported."""
        with formatter.section("Commands"):
            formatter.write_dl([(spec.name, spec.summary) for spec in _specs().values()])


def _specs() -> Mapping[str, CommandSpec]:
    from cloudmarker.plugins import registry

    return registry().commands


def _load(spec: CommandSpec) -> click.Command:
    module_name, _, name = spec.target.partition(":")
    try:
        command = getattr(import_module(module_name), name)
    except (ImportError, AttributeError) as exc:
        raise PluginError(f"the command '{spec.name}' cannot be loaded from {spec.target}: {exc}") from exc
    if not isinstance(command, click.Command):
        raise PluginError(f"the command '{spec.name}' cannot be loaded: {spec.target} is not a click command")
    return command


def _exit(code: int, lines: Sequence[str] = ()) -> NoReturn:
    for line in lines:
        click.echo(line, err=True)
    gc.freeze()  # all memory goes at once: looking through it for garbage takes a sixth of the time of a short command
    sys.exit(code)
