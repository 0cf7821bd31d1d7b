"""Common fields of web applications and functions, from the JSON of Microsoft.Web."""

from __future__ import annotations

from typing import Any

from cloudmarker_azure._com_shared import identities, private_endpoints, public_access
from cloudmarker_azure._json import Item, at, flag, is_word, text, texts, tls, unique, word


def web_app(item: Item, parent: str | None) -> dict[str, Any]:
    """Return ``web_app`` fields.

    The list of apps leaves out most of their configuration, which is in a resource of its own: ``web_app_config``.
    """
    properties = at(item, "properties")
    config = at(properties, "siteConfig")
    kinds = (text(item, "kind") or "").lower().split(",")
    subnet = text(properties, "virtualNetworkSubnetId")
    required = text(properties, "clientCertMode") is None or is_word(properties, "required", "clientCertMode")
    certificates = flag(properties, "clientCertEnabled")
    return {
        "app_type": _app_type(kinds),
        "state": word(text(properties, "state"), {"running": "running", "stopped": "stopped"}, "other"),
        "runtime": text(config, "linuxFxVersion") or text(config, "windowsFxVersion"),
        "hosts": unique([text(properties, "defaultHostName"), *texts(properties, "hostNames")]),
        "https_only": flag(properties, "httpsOnly"),
        "minimum_tls": tls(text(config, "minTlsVersion")),
        "client_certificates": None if certificates is None else certificates and required,
        "subnets": [subnet] if subnet else [],
        "identities": identities(item),
        "network_access": public_access(properties, None),
        "allowed_addresses": [],
        "allowed_networks": [],
        "private_endpoints": private_endpoints(properties),
    }


def _app_type(kinds: list[str]) -> str:
    for kind, app_type in (("workflowapp", "workflow"), ("functionapp", "function"), ("container", "container")):
        if kind in kinds:
            return app_type
    return "web_app"


def is_function_app(item: Item) -> bool:
    """Return whether an app is one of functions: ``kind`` is a list in text, such as ``functionapp,linux``."""
    return "functionapp" in (text(item, "kind") or "").lower().split(",")
