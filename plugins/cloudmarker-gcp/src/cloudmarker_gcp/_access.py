"""Where to read and as whom, and the key file, checked. Needs no SDK, so a bad value is found at once."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cloudmarker.errors import ConfigError, PluginError
from cloudmarker.servers import is_loopback

_KEY_FIELDS = ("client_email", "private_key", "token_uri")
_UNIVERSE = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
_ACCOUNT = re.compile(r"[^@\s/]+@[^@\s/]+\.[^@\s/]+")


@dataclass(frozen=True)
class Access:
    """Where to read, and as whom.

    Attributes:
        key_file: key file of a service account; None: google-auth's default credentials.
        impersonate: e-mail address of the service account that is read as, if it is another one.
        endpoint: root of all APIs, no slash at its end; None: Google's own hosts.
        endpoints: roots of single APIs, by the first part of their host names.
    """

    key_file: Path | None = None
    impersonate: str | None = None
    endpoint: str | None = None
    endpoints: Mapping[str, str] = field(default_factory=dict)

    def root(self, api: str, universe_domain: str) -> str:
        """Return the root of an API, no slash at its end.

        Args:
            api: the first part of its host name.
            universe_domain: the rest of it, if nothing else is configured.
        """
        return self.endpoints.get(api) or self.endpoint or f"https://{api}.{universe_domain}"


def access(
    key_file_path: str | None,
    *,
    impersonate: str | None = None,
    endpoint: str | None = None,
    endpoints: Mapping[str, str] | None = None,
    known_apis: Collection[str] = (),
) -> Access:
    """Return the checked parameters; see :class:`cloudmarker_gcp.gcpcloud.GCPCloud` for what they mean.

    Raises:
        ConfigError: naming every parameter that cannot be used, and why.
    """
    problems = []
    if endpoint and (problem := problem_with_url(endpoint)):
        problems.append(f"endpoint: {problem}")
    for api, url in (endpoints or {}).items():
        if api not in known_apis:
            problems.append(f"endpoints: {api!r} is none of {', '.join(sorted(known_apis))}")
        elif problem := problem_with_url(url):
            problems.append(f"endpoints.{api}: {problem}")
    if impersonate and not _ACCOUNT.fullmatch(impersonate):
        problems.append(f"impersonate: {impersonate!r} is not the e-mail address of a service account")
    if problems:
        raise ConfigError(problems)
    return Access(
        key_file=Path(key_file_path).expanduser() if key_file_path else None,
        impersonate=impersonate or None,
        endpoint=endpoint.rstrip("/") if endpoint else None,
        endpoints={api: url.rstrip("/") for api, url in (endpoints or {}).items()},
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
    universe = key.get("universe_domain")  # tokens are sent to hosts in it
    if universe is not None and not (isinstance(universe, str) and _UNIVERSE.fullmatch(universe)):
        raise PluginError(f"key_file_path: {path}: universe_domain is not the name of a domain")
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
