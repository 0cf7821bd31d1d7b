"""The command line of cloudmarker.

:data:`main` is the ``cloudmarker`` command. Its subcommands are registered by hook; each is a small module that is
imported when it runs. Nothing here imports a plugin, an SDK or the YAML library.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from cloudmarker.cli._failon import fail_on_options, given
from cloudmarker.cli._group import CONFIG_FILES, MainGroup

if TYPE_CHECKING:
    from argparse import Namespace

    from cloudmarker.contracts import Severity

__all__ = ["Context", "main", "parse_cli"]

HELP_OPTIONS = {"help_option_names": ["-h", "--help"]}

HELP = """Audit clouds as the configuration says.

Without a command: run the audits on their schedules, or once and right now with -n.

The configuration is the built-in base config (see -p), overlaid with the files given after -c, later files winning.
With -c and no file the base config stands alone. Without -c the files /etc/cloudmarker.yaml, ~/.cloudmarker.yaml,
~/cloudmarker.yaml and cloudmarker.yaml are used, as far as they exist.
"""


@dataclass(frozen=True)
class Context:
    """What every subcommand gets with :func:`click.pass_obj`.

    Attributes:
        config_paths: the files given after ``-c``, perhaps none; None if ``-c`` was not given.
    """

    config_paths: list[str] | None


def _print_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from cloudmarker import __version__

        click.echo(f"cloudmarker {__version__}")
        ctx.exit()


@click.group(cls=MainGroup, invoke_without_command=True, help=HELP, context_settings=HELP_OPTIONS)
@click.option(
    "-c",
    "--config",
    metavar="[FILE]...",
    multiple=True,
    expose_value=False,  # MainGroup takes it out of the arguments; this is its entry in the help
    help="Files to overlay on the base config, up to the next option or command.",
)
@click.option("-n", "--now", is_flag=True, help="Run the audits once, right now, whatever the schedule.")
@fail_on_options
@click.option("-p", "--print-base-config", is_flag=True, help="Print the base config and exit.")
@click.option(
    "-v",
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version and exit.",
)
@click.pass_context
def main(
    ctx: click.Context,
    now: bool,
    print_base_config: bool,
    fail_on: Severity | None,
    fail_on_new: Severity | None,
) -> int | None:
    """Run the audits, or the subcommand."""
    ctx.obj = Context(ctx.meta[CONFIG_FILES])
    if ctx.invoked_subcommand is not None:
        if now or print_base_config:
            ctx.fail(f"{'--now' if now else '--print-base-config'} cannot be combined with a command.")
        if option := given(fail_on, fail_on_new):
            ctx.fail(f"{option} goes after the command: 'cloudmarker run {option} SEVERITY'.")
        return None
    if print_base_config:
        from cloudmarker.baseconfig import config_yaml

        click.echo(config_yaml.rstrip("\n"))
        return None
    if (option := given(fail_on, fail_on_new)) and not now:
        ctx.fail(f"{option} is for a single run: add --now. On schedule, audits go on whatever they find.")
    from cloudmarker.cli.run import execute

    return execute(ctx.obj.config_paths, now=now, fail_on=fail_on, fail_on_new=fail_on_new)


def parse_cli(args: Sequence[str] | None = None) -> Namespace:
    """Parse the options of ``cloudmarker`` alone, without a subcommand.

    Args:
        args: the arguments; None means those of this process.

    Returns:
        A namespace with ``config``, the list of configuration files (the default ones if ``-c`` is not given, an empty
        list if it has no files), and the flags ``now`` and ``print_base_config``.

    Raises:
        SystemExit: the arguments are wrong (code 2, with a message on standard error), or ask for the help or the
            version (code 0, printed on standard output).

    >>> parse_cli(["-n", "-c", "foo.yaml", "bar.yaml"])
    Namespace(config=['foo.yaml', 'bar.yaml'], now=True, print_base_config=False)
    """
    from cloudmarker.cli._legacy import parse

    return parse(args)
