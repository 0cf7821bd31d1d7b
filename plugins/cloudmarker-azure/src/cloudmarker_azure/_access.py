"""How Azure is reached and logged in to: the parameters, checked. Needs no SDK, so a bad value is found at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from cloudmarker.errors import ConfigError

CloudName = Literal["public", "usgov", "china"]


class Cloud(NamedTuple):
    """The addresses of one Azure cloud.

    Attributes:
        endpoint: root of Azure Resource Manager, which is also the audience of its tokens.
        authority: root of Microsoft Entra ID.
    """

    endpoint: str
    authority: str


CLOUDS: dict[str, Cloud] = {
    "public": Cloud("https://management.azure.com", "https://login.microsoftonline.com"),
    "usgov": Cloud("https://management.usgovcloudapi.net", "https://login.microsoftonline.us"),
    "china": Cloud("https://management.chinacloudapi.cn", "https://login.chinacloudapi.cn"),
}


@dataclass(frozen=True)
class Access:
    """Where to read, and as whom.

    Attributes:
        tenant: id or domain of the tenant; None: whatever the ambient credential belongs to.
        client: id of the application; None with a secret is an error.
        secret: the application's secret; None: azure-identity's DefaultAzureCredential.
        endpoint: root of Azure Resource Manager, no slash at its end.
        authority: root of Microsoft Entra ID, no slash at its end.
        scope: what the token is asked for.
        discover: whether azure-identity may ask Microsoft's public directory if the authority is genuine.
        ca_cert: PEM file with the only authorities that are trusted; None: the usual ones.
    """

    tenant: str | None
    client: str | None
    secret: str | None = field(repr=False)
    endpoint: str
    authority: str
    scope: str
    discover: bool
    ca_cert: str | None

    def without_secret(self, text: str) -> str:
        """Return *text* with the secret, should it be in there, replaced."""
        return text.replace(self.secret, "***") if self.secret else text


def access(
    tenant: str | None,
    client: str | None,
    secret: str | None,
    *,
    cloud: str,
    endpoint: str | None,
    authority: str | None,
    ca_cert: str | None,
) -> Access:
    """Return the checked parameters; see :class:`cloudmarker_azure.azcloud.AzCloud` for what they mean.

    Raises:
        ConfigError: naming every parameter that cannot be used, and why.
    """
    problems = []
    if secret:
        missing = " and ".join(name for name, value in (("tenant", tenant), ("client", client)) if not value)
        if missing:
            problems.append(f"secret: it needs {missing} beside it; leave it out to use the ambient credential")
    if cloud not in CLOUDS:
        problems.append(f"cloud: {cloud!r} is not one of {', '.join(CLOUDS)}")
    for name, url in (("endpoint", endpoint), ("authority", authority)):
        if url and (problem := _problem_with_url(url)):
            problems.append(f"{name}: {problem}")
    path = None
    if ca_cert:
        path = Path(ca_cert).expanduser()
        if not path.is_file():
            problems.append(f"ca_cert: there is no file {path}")
    if problems:
        raise ConfigError(problems)
    addresses = CLOUDS[cloud]
    return Access(
        tenant=tenant or None,
        client=client or None,
        secret=secret or None,
        endpoint=(endpoint or addresses.endpoint).rstrip("/"),
        authority=(authority or addresses.authority).rstrip("/"),
        scope=f"{addresses.endpoint}/.default",
        discover=not authority,
        ca_cert=str(path) if path else None,
    )


def _problem_with_url(url: str) -> str | None:
    """Return why *url* cannot be used, or None: a token or a secret goes there, so it must be https."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  # raises ValueError for a port that is no number
    except ValueError as exc:
        return f"{url!r} is not a URL: {exc}"
    if parts.username or parts.password:
        return "a user name or password in the URL is not supported"
    if parts.scheme == "http":
        return f"{url!r} is not encrypted, and credentials would be sent to it: use https://"
    if parts.scheme != "https" or not parts.hostname:
        return f"{url!r} is not an https:// URL"
    if parts.query or parts.fragment:
        return f"{url!r} has a query or a fragment; give the root only"
    return None
