"""The command ``cloudmarker-simulate``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from cloudmarker_simulators._files import DataError, load_faults, tenants
from cloudmarker_simulators._running import run_with, serve_until_stopped
from cloudmarker_simulators._simulator import Simulator
from cloudmarker_simulators.azure import AzureSimulator
from cloudmarker_simulators.gcp import GCPSimulator

F = TypeVar("F", bound=Callable[..., Any])

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_TENANT = click.option(
    "--tenant", type=click.Choice(tenants()), default="sample", show_default=True, help="Tenant to serve."
)
_SERVING = (
    click.option("--recordings", type=_FILE, metavar="FILE", help="Serve recorded answers in place of a tenant."),
    _TENANT,
    click.option("--port", type=click.IntRange(0, 65535), default=0, metavar="N", help="Port; default: any free one."),
    click.option("--page-size", type=click.IntRange(1), metavar="N", help="Most items a page; default: the tenant's."),
    click.option("--faults", type=_FILE, metavar="FILE", help="Misbehave by these rules, a JSON list."),
    click.option("--token-lifetime", "token_lifetime_s", type=click.IntRange(1), default=3600, show_default=True,
                 metavar="SECONDS", help="How long an access token is good for."),
)  # fmt: skip


def _serving_options(function: F) -> F:
    for option in reversed(_SERVING):
        function = option(function)
    return function


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cloudmarker-simulators", message="%(prog)s %(version)s")
def main() -> None:
    """Stand in for the Azure and Google Cloud APIs, on this machine only.

    The simulators check credentials, serve lists page by page and refuse every call that is not a read. Keys and
    secrets are made up at the start and gone at the end.
    """


@main.command()
@_serving_options
def azure(**options: Any) -> None:
    """Serve Azure until stopped.

    When ready, one line of JSON on standard output says how to reach it: endpoint, authority, ca_cert, tenant, client
    and secret.
    """
    _serve(AzureSimulator, **options)


@main.command()
@_serving_options
def gcp(**options: Any) -> None:
    """Serve Google Cloud until stopped.

    When ready, one line of JSON on standard output says how to reach it: endpoint and key_file_path.
    """
    _serve(GCPSimulator, **options)


@main.command(
    "exec",
    short_help="Run a command while both answer.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@_TENANT
@click.option("--azure-recordings", type=_FILE, metavar="FILE", help="Serve these recorded Azure answers.")
@click.option("--gcp-recordings", type=_FILE, metavar="FILE", help="Serve these recorded Google Cloud answers.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def exec_(tenant: str, azure_recordings: Path | None, gcp_recordings: Path | None, command: tuple[str, ...]) -> None:
    """Run COMMAND while both simulators answer, and end with its exit code.

    COMMAND finds in its environment CLOUDMARKER_AZURE_ENDPOINT, _AUTHORITY, _CA_CERT, _TENANT, _CLIENT and _SECRET,
    CLOUDMARKER_GCP_ENDPOINT and CLOUDMARKER_GCP_KEY_FILE. Write -- before it, as in "cloudmarker-simulate exec --
    cloudmarker -n".
    """
    simulators = [
        _make(AzureSimulator, tenant=tenant, recordings=azure_recordings),
        _make(GCPSimulator, tenant=tenant, recordings=gcp_recordings),
    ]
    sys.exit(run_with(simulators, command))


def _serve(simulator: Callable[..., Simulator], *, faults: Path | None, **options: Any) -> None:
    made = _make(lambda: simulator(faults=load_faults(faults) if faults else (), **options))
    try:
        serve_until_stopped(made, sys.stdout)
    except OSError as exc:
        raise click.ClickException(f"cannot listen on port {options['port']}: {exc.strerror}") from exc


def _make(simulator: Callable[..., Simulator], **options: Any) -> Simulator:
    try:
        return simulator(**options)
    except DataError as exc:
        raise click.UsageError(str(exc)) from exc
