"""Common fields of Cloud SQL and BigQuery."""

from __future__ import annotations

from typing import Any

from cloudmarker.firewall import is_anywhere, normalise_addresses

from cloudmarker_gcp._com_compute import links
from cloudmarker_gcp._json import Item, at, each, flag, is_word, labels, lower, objects, on, text, whole, word
from cloudmarker_gcp._record import Basics, Where, encrypted, reachable, required

SQL = "//cloudsql.googleapis.com"

_ENGINES = {"mysql": "mysql", "postgres": "postgresql", "sqlserver": "sqlserver"}


def instance_basics(item: Item, where: Where) -> Basics:
    """Return the basics of a Cloud SQL instance. It is in a zone, and can move to another one of its region."""
    name = required(item, "name")
    return Basics(
        f"{SQL}/{where.scope.path}/instances/{name}",
        name,
        text(item, "region") or "",
        labels(item, "settings", "userLabels"),
        item.get("createTime"),
    )


def sql_instance(item: Item, where: Where) -> dict[str, Any]:
    """Return ``database_server`` fields: https://cloud.google.com/sql/docs/mysql/admin-api/rest/v1beta4/instances."""
    settings = at(item, "settings")
    ip = at(settings, "ipConfiguration")
    entrances = objects(item, "ipAddresses")
    backup = at(settings, "backupConfiguration")
    flags = {text(entry, "name"): entry for entry in objects(settings, "databaseFlags")}
    mode = lower(ip, "sslMode")
    return {
        "engine": word((text(item, "databaseVersion") or "").partition("_")[0], _ENGINES),
        "version": text(item, "databaseVersion"),
        "state": _state(item),
        "size": text(settings, "tier"),
        "host": text(item, "dnsName"),
        "private_addresses": _addresses(entrances, "private"),
        "public_addresses": _addresses(entrances, "primary"),
        "require_tls": on(ip, "requireSsl") if mode is None else mode != "allow_unencrypted_and_encrypted",
        "minimum_tls": None,
        "local_auth": True,
        "directory_auth": any(on(flags.get(name), "value") for name in _IAM_FLAGS)
        or bool(text(settings, "activeDirectoryConfig", "domain")),
        "backups": on(backup, "enabled"),
        "backup_retention_days": whole(backup, "backupRetentionSettings", "retainedBackups"),
        "high_availability": is_word(settings, "regional", "availabilityType"),
        "replica_of": _master(text(item, "masterInstanceName"), where),
        **encrypted(text(item, "diskEncryptionConfiguration", "kmsKeyName")),
        **_reach(ip, where),
    }


_IAM_FLAGS = ("cloudsql.iam_authentication", "cloudsql_iam_authentication")


def _state(item: Item) -> str | None:
    if is_word(item, "never", "settings", "activationPolicy"):
        return "stopped"
    return word(text(item, "state"), {"runnable": "running", "suspended": "suspended"}, "other")


def _addresses(entrances: list[Item], kind: str) -> list[str]:
    return each([entrance for entrance in entrances if is_word(entrance, kind, "type")], "ipAddress")


def _master(name: str | None, where: Where) -> str | None:
    """Return the reference of the instance that ``<project>:<instance>``, or a name in the same project, means."""
    if not name:
        return None
    project, _, instance = name.rpartition(":")
    return f"{SQL}/projects/{project or where.scope.id}/instances/{instance}"


def _reach(ip: Any, where: Where) -> dict[str, Any]:
    """Return who can reach an instance: with a public address, the networks named, and whoever proves who they are."""
    allowed = normalise_addresses(each(authorized_networks({"settings": {"ipConfiguration": ip}}), "value"))
    if flag(ip, "ipv4Enabled") is False or ip is None:
        access = "private"
    else:
        access = "public" if is_anywhere(allowed) else "selected"
    private = text(ip, "privateNetwork")
    return reachable(access, allowed, links([private] if private else [], where))


def authorized_networks(item: Item) -> list[Any]:
    """Return the networks that an instance lets in at its public address."""
    return list(objects(item, "settings", "ipConfiguration", "authorizedNetworks"))


def authorized_network_basics(item: Item, where: Where) -> Basics:
    """Return the basics of such a network, which has no name of its own but what people call it."""
    value = required(item, "value")
    return Basics(
        f"{where.reference}/authorizedNetworks/{value}", text(item, "name") or value, _location(where), {}, None
    )


def authorized_network(item: Item, where: Where) -> dict[str, Any]:
    """Return ``network_rule`` fields."""
    return {
        "target": where.reference,
        "source_addresses": normalise_addresses([text(item, "value")]),
        "networks": [],
    }


def database_basics(item: Item, where: Where) -> Basics:
    """Return the basics of a database of an instance."""
    name = required(item, "name")
    return Basics(f"{where.reference}/databases/{name}", name, _location(where), {}, None)


def sql_database(item: Item, where: Where) -> dict[str, Any]:
    """Return ``database`` fields. It is encrypted like its instance."""
    return {
        "server": where.reference,
        "engine": where.owner.get("engine"),
        "state": where.owner.get("state"),
        "size": None,
        "encryption": where.owner.get("encryption"),
        "encryption_key": where.owner.get("encryption_key"),
    }


def _location(where: Where) -> str:
    return where.owner.get("location") or ""


def dataset_basics(item: Item, where: Where) -> Basics:
    """Return the basics of a BigQuery dataset, from the list or from its own resource."""
    name = required(at(item, "datasetReference") or {}, "datasetId")
    project = text(item, "datasetReference", "projectId") or where.scope.id
    return Basics(
        f"//bigquery.googleapis.com/projects/{project}/datasets/{name}",
        text(item, "friendlyName") or name,
        lower(item, "location") or "",
        labels(item, "labels"),
        item.get("creationTime"),
    )


def dataset_id(item: Item) -> str | None:
    """Return the id of a dataset."""
    return text(item, "datasetReference", "datasetId")


def dataset(item: Item, where: Where) -> dict[str, Any]:
    """Return ``database`` fields: https://cloud.google.com/bigquery/docs/reference/rest/v2/datasets."""
    return {
        "server": None,
        "engine": "bigquery",
        "state": None,
        "size": None,
        **encrypted(text(item, "defaultEncryptionConfiguration", "kmsKeyName")),
    }
