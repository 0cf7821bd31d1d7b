"""Common fields of database servers, databases, caches and message brokers."""

from __future__ import annotations

from typing import Any

from cloudmarker.firewall import normalise_addresses

from cloudmarker_azure._com_shared import encrypted, private_endpoints, public_access
from cloudmarker_azure._com_storage import hosts
from cloudmarker_azure._json import (
    Item,
    at,
    flag,
    ids,
    is_word,
    objects,
    text,
    tls,
    unique,
    whole,
    word,
)

_STATES = {
    "ready": "running",
    "online": "running",
    "stopped": "stopped",
    "paused": "stopped",
    "disabled": "stopped",
}

_CONTINUOUS_DAYS = {"continuous7days": 7, "continuous30days": 30}


def _server(item: Item, engine: str) -> dict[str, Any]:
    """Return what the servers of all engines have: to be added to, or replaced."""
    properties = at(item, "properties")
    return {
        "engine": engine,
        "version": text(properties, "version"),
        "state": word(text(properties, "state") or text(properties, "userVisibleState"), _STATES, "other"),
        "size": text(item, "sku", "name"),
        "host": text(properties, "fullyQualifiedDomainName"),
        "private_addresses": [],
        "public_addresses": [],
        "require_tls": None,
        "minimum_tls": tls(text(properties, "minimalTlsVersion")),
        "local_auth": None,
        "directory_auth": None,
        "backups": True,
        "backup_retention_days": None,
        "high_availability": None,
        "replica_of": None,
        **encrypted(None, customer=False),
        # These servers let in nobody whom no rule names, and the rules are resources of their own.
        "network_access": public_access(properties, "selected"),
        "allowed_addresses": [],
        "allowed_networks": [],
        "private_endpoints": private_endpoints(properties),
    }


def sql_server(item: Item, parent: str | None) -> dict[str, Any]:
    """Return ``database_server`` fields. It is listed with its administrators; it always asks for TLS."""
    properties = at(item, "properties")
    admins = at(properties, "administrators")
    key = text(properties, "keyId")
    return {
        **_server(item, "sqlserver"),
        **encrypted(key, customer=key is not None),
        "require_tls": True,
        "local_auth": not flag(admins, "azureADOnlyAuthentication"),
        "directory_auth": is_word(admins, "activedirectory", "administratorType"),
    }


def sql_database(item: Item, parent: str | None) -> dict[str, Any]:
    """Return ``database`` fields. Whether it is encrypted is in a resource of its own."""
    properties = at(item, "properties")
    key = text(properties, "encryptionProtector")
    return {
        "server": parent,
        "engine": "sqlserver",
        "state": word(text(properties, "status"), _STATES, "other"),
        "size": text(item, "sku", "name") or text(properties, "currentServiceObjectiveName"),
        **(encrypted(key, customer=True) if key else {"encryption": None, "encryption_key": None}),
    }


def mysql_server(item: Item, parent: str | None) -> dict[str, Any]:
    """Return ``database_server`` fields of a single server."""
    return _single(item, "mysql")


def postgresql_server(item: Item, parent: str | None) -> dict[str, Any]:
    """Return ``database_server`` fields of a single server."""
    return _single(item, "postgresql")


def _single(item: Item, engine: str) -> dict[str, Any]:
    properties = at(item, "properties")
    return {
        **_server(item, engine),
        **encrypted(None, customer=flag(properties, "byokEnforcement") or False),
        "require_tls": flag(properties, "sslEnforcement"),
        "local_auth": True,
        "backup_retention_days": whole(properties, "storageProfile", "backupRetentionDays"),
        "replica_of": text(properties, "masterServerId"),
    }


def mysql_flexible_server(item: Item, parent: str | None) -> dict[str, Any]:
    """Return ``database_server`` fields. Whether it asks for TLS is among its configurations."""
    return {**_flexible(item, "mysql"), "local_auth": True}


def postgresql_flexible_server(item: Item, parent: str | None) -> dict[str, Any]:
    """Return ``database_server`` fields. Whether it asks for TLS is among its configurations."""
    auth = at(item, "properties", "authConfig")
    return {
        **_flexible(item, "postgresql"),
        "local_auth": flag(auth, "passwordAuth") is not False,
        "directory_auth": flag(auth, "activeDirectoryAuth") or False,
    }


def _flexible(item: Item, engine: str) -> dict[str, Any]:
    """Return the fields of a flexible server, also in the form that its first API versions had."""
    properties = at(item, "properties")
    network = at(properties, "network")
    access = public_access(network if text(network, "publicNetworkAccess") else properties, "selected")
    subnet = text(network, "delegatedSubnetResourceId")
    keys = at(properties, "dataEncryption")
    key = text(keys, "primaryKeyURI") or text(keys, "primaryKeyUri")
    days = whole(properties, "backup", "backupRetentionDays")
    if days is None:
        days = whole(properties, "storageProfile", "backupRetentionDays")
    available = text(properties, "highAvailability", "mode") or text(properties, "haEnabled") or "disabled"
    return {
        **_server(item, engine),
        **encrypted(key, customer=key is not None or is_word(keys, "azurekeyvault", "type")),
        "network_access": "private" if subnet else access,
        "allowed_networks": [subnet] if subnet else [],
        "backup_retention_days": days,
        "high_availability": available.lower() != "disabled",
        "replica_of": text(properties, "sourceServerResourceId") or text(properties, "sourceServerId"),
    }


def cosmos_db(item: Item, parent: str | None) -> dict[str, Any]:
    """Return ``database_server`` fields. Azure lets in all addresses unless some, or some networks, are named."""
    properties = at(item, "properties")
    rules = [text(rule, "ipAddressOrRange") for rule in objects(properties, "ipRules")]
    addresses = normalise_addresses([*rules, text(properties, "ipRangeFilter")])  # the latter in older API versions
    networks = ids(properties, "virtualNetworkRules")
    access = public_access(properties)
    if access == "public" and (addresses or flag(properties, "isVirtualNetworkFilterEnabled")):
        access = "selected"
    key = text(properties, "keyVaultKeyUri")
    backup = at(properties, "backupPolicy")
    hours = whole(backup, "periodicModeProperties", "backupRetentionIntervalInHours")
    days = word(text(backup, "continuousModeProperties", "tier"), _CONTINUOUS_DAYS)
    return {
        **_server(item, "mongodb" if is_word(item, "mongodb", "kind") else "cosmosdb"),
        **encrypted(key, customer=key is not None),
        "version": text(properties, "apiProperties", "serverVersion"),
        "state": None,
        "host": next(iter(hosts({"document": text(properties, "documentEndpoint")})), None),
        "require_tls": True,
        "local_auth": flag(properties, "disableLocalAuth") is not True,
        "directory_auth": True,
        "backup_retention_days": hours // 24 if hours is not None else days,
        "high_availability": flag(properties, "enableAutomaticFailover"),
        "network_access": access,
        "allowed_addresses": addresses,
        "allowed_networks": networks,
    }


def redis(item: Item, parent: str | None) -> dict[str, Any]:
    """Return ``database_server`` fields. Whether rules restrict a public one is not known from its own JSON."""
    properties = at(item, "properties")
    configuration = at(properties, "redisConfiguration")
    subnet = text(properties, "subnetId")
    plain = flag(properties, "enableNonSslPort")
    sku = at(properties, "sku")
    size = " ".join(filter(None, [text(sku, "name"), f"{text(sku, 'family') or ''}{_number(whole(sku, 'capacity'))}"]))
    return {
        **_server(item, "redis"),
        "version": text(properties, "redisVersion"),
        "state": None,
        "size": size or None,
        "host": text(properties, "hostName"),
        "private_addresses": unique([text(properties, "staticIP")]),
        "require_tls": None if plain is None else not plain,
        "minimum_tls": tls(text(properties, "minimumTlsVersion")),
        "local_auth": flag(properties, "disableAccessKeyAuthentication") is not True,
        "directory_auth": flag(configuration, "aad-enabled") or False,
        "backups": bool(flag(configuration, "rdb-backup-enabled") or flag(configuration, "aof-backup-enabled")),
        "network_access": "private" if subnet else public_access(properties, None),
        "allowed_networks": [subnet] if subnet else [],
    }


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def service_bus(item: Item, parent: str | None) -> dict[str, Any]:
    """Return ``messaging`` fields of a Service Bus namespace."""
    return _messaging(item, "service_bus")


def event_hubs(item: Item, parent: str | None) -> dict[str, Any]:
    """Return ``messaging`` fields of an Event Hubs namespace."""
    return _messaging(item, "event_hubs")


def _messaging(item: Item, engine: str) -> dict[str, Any]:
    """Return the fields of a namespace. Whether rules restrict a public one is not known from its own JSON."""
    properties = at(item, "properties")
    encryption = at(properties, "encryption")
    keys = objects(encryption, "keyVaultProperties")
    vault, name = (text(keys[0], key) if keys else None for key in ("keyVaultUri", "keyName"))
    return {
        "engine": engine,
        **encrypted(
            f"{vault.rstrip('/')}/keys/{name}" if vault and name else None,
            customer=is_word(encryption, "microsoft.keyvault", "keySource"),
            double=flag(encryption, "requireInfrastructureEncryption") or False,
        ),
        "minimum_tls": tls(text(properties, "minimumTlsVersion")),
        "local_auth": flag(properties, "disableLocalAuth") is not True,
        "network_access": public_access(properties, None),
        "allowed_addresses": [],
        "allowed_networks": [],
        "private_endpoints": private_endpoints(properties),
    }
