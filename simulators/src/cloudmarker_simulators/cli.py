"""The command ``cloudmarker-simulate``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from cloudmarker_simulators._files import DataError, load_faults, tenants
from cloudmarker_simulators._quotas import Quota
from cloudmarker_simulators._running import Running, run_with, serve_until_stopped
from cloudmarker_simulators.azure import AzureSimulator
from cloudmarker_simulators.faults import Fault
from cloudmarker_simulators.gcp import GCPSimulator
from cloudmarker_simulators.slack import SlackSimulator
from cloudmarker_simulators.smtp import SMTPSimulator, fault_from_json

F = TypeVar("F", bound=Callable[..., Any])

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_TENANT = click.option(
    "--tenant", type=click.Choice(tenants()), default="sample", show_default=True, help="Tenant to serve."
)


def _parse_quota(_context: click.Context, _option: click.Parameter, text: str | None) -> Quota | None:
    try:
        return None if text is None else Quota.parse(text)
    except ValueError as exc:
        raise click.BadParameter(str(exc)) from exc


def _size(name: str, what: str) -> Callable[[F], F]:
    return click.option(
        f"--{name}", type=click.IntRange(1, 65535), metavar="N", help=f"Serve a synthetic tenant with so many {what}."
    )


_SUBSCRIPTIONS, _PROJECTS = _size("subscriptions", "subscriptions"), _size("projects", "projects")
_SYNTHETIC = (
    click.option("--scale", type=click.IntRange(0), default=1, show_default=True, metavar="N",
                 help="Synthetic: units of resources in each of them."),
    click.option("--seed", type=int, default=0, show_default=True, metavar="N",
                 help="Synthetic: which of all such tenants; equal seeds give equal ones."),
)  # fmt: skip
_LATENCY = click.option(
    "--latency", "latency_ms", type=click.FloatRange(0), default=0, metavar="MS", help="Let every answer come later."
)
_PORT = click.option(
    "--port", type=click.IntRange(0, 65535), default=0, metavar="N", help="Port; default: any free one."
)
_FAULTS = click.option("--faults", type=_FILE, metavar="FILE", help="Misbehave by these rules, a JSON list.")
_FOLDER = click.Path(file_okay=False, path_type=Path)
_SERVING = (
    click.option("--recordings", type=_FILE, metavar="FILE", help="Serve recorded answers in place of a tenant."),
    _TENANT,
    _PORT,
    click.option("--page-size", type=click.IntRange(1), metavar="N", help="Most items a page; default: the tenant's."),
    _LATENCY,
    _FAULTS,
    click.option("--token-lifetime", "token_lifetime_s", type=click.IntRange(1), default=3600, show_default=True,
                 metavar="SECONDS", help="How long an access token is good for."),
)  # fmt: skip


def _quota(name: str, help_text: str) -> Callable[[F], F]:
    return click.option(f"--{name}", callback=_parse_quota, metavar="CALLS/PER_SECOND", help=help_text)


_AZURE = (
    _SUBSCRIPTIONS,
    *_SYNTHETIC,
    _quota("quota", "Reads that each subscription answers, such as 250/25."),
    _quota("provider-quota", "Reads that each provider of each subscription answers."),
    _quota("graph-quota", "Queries that Resource Graph answers, such as 15/3."),
)
_GCP = (
    _PROJECTS,
    *_SYNTHETIC,
    _quota("quota", "Reads that each API answers for each project, such as 1500/25."),
)


def _options(*options: Callable[[F], F]) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cloudmarker-simulators", message="%(prog)s %(version)s")
def main() -> None:
    """Stand in for the Azure and Google Cloud APIs, for Slack's, and for a mail server, on this machine only.

    The simulators check credentials and serve lists page by page; those of the clouds refuse every call that is not a
    read. Keys and secrets are made up at the start and gone at the end.
    """


@main.command()
@_options(*_SERVING, *_AZURE)
def azure(**options: Any) -> None:
    """Serve Azure until stopped.

    When ready, one line of JSON on standard output says how to reach it: endpoint, authority, ca_cert, tenant, client
    and secret.
    """
    _serve(AzureSimulator, **options)


@main.command()
@_options(*_SERVING, *_GCP)
def gcp(**options: Any) -> None:
    """Serve Google Cloud until stopped.

    When ready, one line of JSON on standard output says how to reach it: endpoint and key_file_path.
    """
    _serve(GCPSimulator, **options)


@main.command()
@_options(_PORT, _LATENCY, _FAULTS)
@click.option("--keep", type=_FOLDER, metavar="FOLDER", help="Write messages and files to this folder.")
@click.option("--tls", is_flag=True, help="Serve over TLS, with a throw-away certificate.")
def slack(**options: Any) -> None:
    """Serve what a bot needs of Slack until stopped.

    When ready, one line of JSON on standard output says how to reach it: base_url, bot_user_token and, with --tls,
    ca_cert. The users are user1@example.com and user2@example.com; the channels #general, #random and #security.
    """
    _serve(SlackSimulator, **options)


@main.command()
@_options(_PORT, _FAULTS)
@click.option("--keep", type=_FOLDER, metavar="FOLDER", help="Write messages to this folder, 0001.eml and so on.")
@click.option(
    "--ssl-mode",
    type=click.Choice(["ssl", "starttls", "disable"]),
    default="disable",
    show_default=True,
    help="TLS from the first byte, by STARTTLS, or none.",
)
@click.option("--login", is_flag=True, help="Take mail only from who has logged in.")
@click.option("--max-bytes", type=click.IntRange(1), metavar="N", help="Size of the largest message.")
def smtp(**options: Any) -> None:
    """Serve SMTP until stopped: take mail and keep it.

    When ready, one line of JSON on standard output says how to reach it: host, port, ssl_mode, with TLS ca_cert, and
    with --login username and password.
    """
    _serve(SMTPSimulator, rule=fault_from_json, **options)


@main.command(
    "exec",
    short_help="Run a command while both answer.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@_options(_TENANT, _SUBSCRIPTIONS, _PROJECTS, *_SYNTHETIC, _LATENCY)
@click.option("--azure-recordings", type=_FILE, metavar="FILE", help="Serve these recorded Azure answers.")
@click.option("--gcp-recordings", type=_FILE, metavar="FILE", help="Serve these recorded Google Cloud answers.")
@click.option("--slack", "inbox", type=_FOLDER, metavar="FOLDER", help="Serve Slack too; messages go to this folder.")
@click.option("--smtp", "mailbox", type=_FOLDER, metavar="FOLDER", help="Serve SMTP too; mail goes to this folder.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def exec_(
    subscriptions: int | None,
    projects: int | None,
    azure_recordings: Path | None,
    gcp_recordings: Path | None,
    inbox: Path | None,
    mailbox: Path | None,
    latency_ms: float,
    command: tuple[str, ...],
    **common: Any,
) -> None:
    """Run COMMAND while both simulators answer, and end with its exit code.

    COMMAND finds in its environment CLOUDMARKER_AZURE_ENDPOINT, _AUTHORITY, _CA_CERT, _TENANT, _CLIENT and _SECRET,
    CLOUDMARKER_GCP_ENDPOINT and CLOUDMARKER_GCP_KEY_FILE; with --slack CLOUDMARKER_SLACK_BASE_URL and
    CLOUDMARKER_SLACK_BOT_USER_TOKEN; with --smtp CLOUDMARKER_SMTP_HOST, _PORT and _SSL_MODE. Write -- before it, as in
    "cloudmarker-simulate exec -- cloudmarker -n".
    """
    common["latency_s"] = latency_ms / 1000
    simulators = [
        _make(AzureSimulator, recordings=azure_recordings, subscriptions=subscriptions, **common),
        _make(GCPSimulator, recordings=gcp_recordings, projects=projects, **common),
    ]
    if inbox is not None:
        simulators.append(_make(SlackSimulator, keep=inbox, latency_s=latency_ms / 1000))
    if mailbox is not None:
        simulators.append(_make(SMTPSimulator, keep=mailbox))
    sys.exit(run_with(simulators, command))


def _serve(
    simulator: Callable[..., Running],
    *,
    faults: Path | None,
    rule: Callable[[Any], object] = Fault.from_json,
    latency_ms: float | None = None,
    **options: Any,
) -> None:
    if latency_ms is not None:
        options["latency_s"] = latency_ms / 1000
    made = _make(lambda: simulator(faults=load_faults(faults, rule) if faults else (), **options))
    try:
        serve_until_stopped(made, sys.stdout)
    except OSError as exc:
        raise click.ClickException(f"cannot listen on port {options['port']}: {exc.strerror}") from exc


def _make(simulator: Callable[..., Running], **options: Any) -> Running:
    try:
        return simulator(**options)
    except (DataError, OSError) as exc:
        raise click.UsageError(str(exc)) from exc
