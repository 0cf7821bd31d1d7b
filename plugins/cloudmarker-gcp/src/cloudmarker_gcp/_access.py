"""The parameters of the plugin and the key file, checked. Needs no SDK, so a bad value is found at once."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cloudmarker.errors import ConfigError, PluginError

_ZONE = re.compile(r"[a-z]+(-[a-z0-9]+)+")
_KEY_FIELDS = ("client_email", "private_key", "token_uri")


@dataclass(frozen=True)
class Access:
    """Where to read, as whom, and what.

    Attributes:
        key_file: key file of a service account; None: google-auth's default credentials.
        endpoint: root of all APIs, no slash at its end; None: Google's own hosts.
        zones: the zones that zonal resources are read from; None: all.
        projects: ids of projects, or patterns for them; None: all that can be seen.
    """

    key_file: Path | None
    endpoint: str | None
    zones: tuple[str, ...] | None
    projects: tuple[str, ...] | None


def access(
    key_file_path: str | None,
    zone: str | Sequence[str] | None,
    *,
    endpoint: str | None,
    projects: Sequence[str] | None,
) -> Access:
    """Return the checked parameters; see :class:`cloudmarker_gcp.gcpcloud.GCPCloud` for what they mean.

    Raises:
        ConfigError: naming every parameter that cannot be used, and why.
    """
    problems = []
    if endpoint and (problem := problem_with_url(endpoint)):
        problems.append(f"endpoint: {problem}")
    zones = _words(zone)
    if zone is not None and not zones:
        problems.append("zone: a name or a list of names is needed; leave it out, or give null, for all zones")
    for name in zones or ():
        if not _ZONE.fullmatch(name):
            problems.append(f"zone: {name!r} is not the name of a zone, such as us-east1-b")
    wanted = _words(projects)
    if projects is not None and (not wanted or isinstance(projects, str)):
        problems.append("projects: a list of ids is needed; leave it out, or give null, for all projects")
    if problems:
        raise ConfigError(problems)
    return Access(
        key_file=Path(key_file_path).expanduser() if key_file_path else None,
        endpoint=endpoint.rstrip("/") if endpoint else None,
        zones=zones,
        projects=wanted,
    )


def load_key(path: Path) -> dict[str, Any]:
    """Return the content of a service account's key file.

    Raises:
        PluginError: it cannot be used; the message never quotes it.
    """
    try:
        key = json.loads(path.read_bytes())
    except OSError as exc:
        raise PluginError(f"key_file_path: {path}: {exc.strerror or exc}") from None
    except (ValueError, RecursionError):
        raise PluginError(f"key_file_path: {path}: it is not JSON; give the key file as Google made it") from None
    if not isinstance(key, dict):
        raise PluginError(f"key_file_path: {path}: it is JSON but no object; give the key file as Google made it")
    if key.get("type") != "service_account":
        kind = f"of type {key['type']!r}" if isinstance(key.get("type"), str) else "without a type"
        raise PluginError(
            f"key_file_path: {path}: it is {kind}, not the key file of a service account; for other credentials leave "
            "key_file_path out and set GOOGLE_APPLICATION_CREDENTIALS"
        )
    if missing := [field for field in _KEY_FIELDS if not isinstance(key.get(field), str) or not key[field]]:
        raise PluginError(f"key_file_path: {path}: it has no {', '.join(missing)}")
    if problem := problem_with_url(key["token_uri"]):
        raise PluginError(f"key_file_path: {path}: token_uri: {problem}")
    return key


def problem_with_url(url: str) -> str | None:
    """Return why *url* cannot be used, or None. A token or a signed assertion goes there, so it must be encrypted.

    To a loopback address nothing leaves the machine: there plain HTTP will do.
    """
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  # raises ValueError for a port that is no number
    except ValueError as exc:
        return f"{url!r} is not a URL: {exc}"
    if parts.username or parts.password:
        return "a user name or password in the URL is not supported"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return f"{url!r} is not an https:// URL"
    if parts.query or parts.fragment:
        return f"{url!r} has a query or a fragment, which is not supported"
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        return f"{url!r} is not encrypted, and credentials would be sent to it: use https://"
    return None


def is_loopback(host: str) -> bool:
    """Say whether *host*, a name or an address, is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _words(value: object) -> tuple[str, ...] | None:
    """Return the words of a parameter that is one or a list of them; None if it is neither."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, (list, tuple)) and all(isinstance(word, str) for word in value):
        return tuple(dict.fromkeys(value))
    return None
