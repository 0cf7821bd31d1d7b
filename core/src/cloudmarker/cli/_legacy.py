"""The documented :func:`cloudmarker.cli.parse_cli`, on top of the real options: there is one grammar."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence

import click

from cloudmarker.cli import HELP, HELP_OPTIONS, main
from cloudmarker.cli._group import split_config


def parse(args: Sequence[str] | None) -> Namespace:
    """Do what :func:`cloudmarker.cli.parse_cli` says."""
    from cloudmarker.config import default_paths

    files, rest = split_config(sys.argv[1:] if args is None else args, tuple)
    command = click.Command("cloudmarker", params=main.params, help=HELP, context_settings=HELP_OPTIONS)
    try:
        params = command.make_context("cloudmarker", rest).params
    except click.exceptions.Exit as exc:
        sys.exit(exc.exit_code)
    except click.ClickException as exc:
        exc.show()
        sys.exit(exc.exit_code)
    config = list(default_paths()) if files is None else files
    return Namespace(config=config, now=params["now"], print_base_config=params["print_base_config"])
