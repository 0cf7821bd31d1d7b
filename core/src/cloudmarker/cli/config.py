"""``cloudmarker config``: check and show the configuration, and print its schema."""

from __future__ import annotations

import json

import click

from cloudmarker import config as configuration
from cloudmarker.cli import Context
from cloudmarker.config.show import show_yaml
from cloudmarker.errors import ConfigError


@click.group()
def config() -> None:
    """Check and show the configuration that the other commands use."""


@config.command()
@click.pass_obj
def check(context: Context) -> None:
    """Say whether the configuration can be used, or everything that is wrong with it.

    Exits with 2 if anything is.
    """
    from cloudmarker._rehearsal import rehearse

    report = configuration.check(context.config_paths)
    for warning in report.config.warnings:
        click.echo(f"Warning: {warning}", err=True)
    if report.problems:
        raise ConfigError(report.problems)
    rehearse(report.config.data, report.config.data["run"])
    click.echo(f"ok: {', '.join(('base config', *report.config.files))}")


@config.command()
@click.pass_obj
def show(context: Context) -> None:
    """Print the base config with all files merged over it, as YAML.

    References such as ${NAME} are shown as they are written; secrets that are written out are masked.
    """
    click.echo(show_yaml(context.config_paths), nl=False)


@config.command()
def schema() -> None:
    """Print the JSON Schema of configuration files, for editors.

    It knows the plugins that are installed here, with their parameters.
    """
    from cloudmarker.config.schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2))
