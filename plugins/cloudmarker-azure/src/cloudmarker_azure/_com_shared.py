"""Groups of common fields that several resource types fill in the same way."""

from __future__ import annotations

from typing import Any

from cloudmarker.firewall import normalise_addresses

from cloudmarker_azure._json import Item, at, id_of, is_word, objects, text, unique, word

OS = {"linux": "linux", "windows": "windows"}


def identities(item: Item) -> list[str]:
    """Return the ids of the principals and references of the managed identities that a resource runs as."""
    assigned = at(item, "identity", "userAssignedIdentities")
    named = [key for key in assigned if isinstance(key, str)] if isinstance(assigned, dict) else []
    return unique([text(item, "identity", "principalId"), *named])


def private_endpoints(properties: Any) -> list[str]:
    """Return the references of the private endpoints whose connection is approved, or about which nothing is said."""
    return unique(
        found
        for connection in objects(properties, "privateEndpointConnections")
        if is_word(connection, "approved", "properties", "privateLinkServiceConnectionState", "status")
        or not text(connection, "properties", "privateLinkServiceConnectionState", "status")
        for found in id_of(connection, "properties", "privateEndpoint")
    )


def reachable(properties: Any, rules: str = "networkAcls") -> dict[str, Any]:
    """Return who can reach a service that has ``publicNetworkAccess`` and rules with a ``defaultAction``.

    Args:
        properties: of the resource.
        rules: the key that the rules stand under.
    """
    acls = at(properties, rules)
    allowed = [text(rule, "value") for rule in objects(acls, "ipRules")]
    networks = unique(text(rule, "id") or text(rule, "subnet", "id") for rule in objects(acls, "virtualNetworkRules"))
    access = public_access(properties)
    if access == "public" and is_word(acls, "deny", "defaultAction"):
        access = "selected" if allowed or networks else "private"
    return {
        "network_access": access,
        "allowed_addresses": normalise_addresses(allowed),
        "allowed_networks": networks,
        "private_endpoints": private_endpoints(properties),
    }


def public_access(properties: Any, default: str | None = "public") -> str | None:
    """Return what ``publicNetworkAccess`` means; *default* if it is Enabled, or absent, as it was in old accounts."""
    value = text(properties, "publicNetworkAccess")
    return word(value, {"disabled": "private", "securedbyperimeter": "selected"}, default) if value else default


def bypassed(properties: Any) -> bool:
    """Return whether Azure's own services pass the network rules: ``bypass`` is a list in text, of names or None."""
    bypass = text(properties, "networkAcls", "bypass") or ""
    return "azureservices" in [name.strip().lower() for name in bypass.split(",")]


def encrypted(key: str | None, *, customer: bool, double: bool = False) -> dict[str, Any]:
    """Return how a service whose encryption cannot be switched off encrypts.

    Args:
        key: what names the customer's key.
        customer: whether there is one.
        double: whether the provider encrypts with a key of its own besides.
    """
    with_customer = "provider_and_customer_key" if double else "customer_key"
    return {
        "encryption": with_customer if customer else "provider_key",
        "encryption_key": key if customer else None,
    }


def frontends(configurations: list[Item]) -> dict[str, Any]:
    """Return scheme and addresses of what receives connections at these frontend configurations."""
    parts = [at(configuration, "properties") for configuration in configurations]
    public = unique(
        found for part in parts for key in ("publicIPAddress", "publicIPPrefix") for found in id_of(part, key)
    )
    subnets = unique(found for part in parts for found in id_of(part, "subnet"))
    return {
        "scheme": "external" if public else "internal",
        "private_addresses": unique(text(part, "privateIPAddress") for part in parts),
        "public_addresses": unique(text(part, "publicIPAddress", "properties", "ipAddress") for part in parts),
        "public_ips": public,
        "networks": networks_of(subnets),
        "subnets": subnets,
    }


def networks_of(subnets: list[str]) -> list[str]:
    """Return the references of the networks that *subnets* are in."""
    return unique(subnet.rsplit("/", 2)[0] if subnet.count("/") > 2 else None for subnet in subnets)
