"""Common fields of storage accounts and key vaults, and of what is in them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from cloudmarker_azure._com_shared import bypassed, encrypted, reachable
from cloudmarker_azure._json import (
    Item,
    at,
    flag,
    is_word,
    objects,
    period_days,
    text,
    texts,
    timestamp,
    tls,
    unique,
    whole,
    word,
)


def storage_account(item: Item, parent: str | None) -> dict[str, Any]:
    """Return ``storage`` fields. What deleted blobs come to is in the record of the blob service.

    Absent settings mean what they meant when they did not exist: keys work, anonymous access may be given.
    """
    properties = at(item, "properties")
    encryption = at(properties, "encryption")
    vault = at(encryption, "keyvaultproperties")
    uri, name = text(vault, "keyvaulturi"), text(vault, "keyname")
    immutable = at(properties, "immutableStorageWithVersioning")
    policy = at(immutable, "immutabilityPolicy") if flag(immutable, "enabled") else None
    return {
        **encrypted(
            f"{uri.rstrip('/')}/keys/{name}" if uri and name else None,
            customer=is_word(encryption, "microsoft.keyvault", "keySource"),
            double=flag(encryption, "requireInfrastructureEncryption") or False,
        ),
        **reachable(properties),
        "storage_class": (text(properties, "accessTier") or "").lower() or None,
        "hosts": hosts(at(properties, "primaryEndpoints")),
        "https_only": flag(properties, "supportsHttpsTrafficOnly"),
        "minimum_tls": tls(text(properties, "minimumTlsVersion")),
        "anonymous_access_allowed": flag(properties, "allowBlobPublicAccess") is not False,
        "uniform_access": None,
        "local_auth": flag(properties, "allowSharedKeyAccess") is not False,
        "trusted_services": bypassed(properties),
        "versioning": None,
        "soft_delete_days": None,
        "retention_days": whole(policy, "immutabilityPeriodSinceCreationInDays")
        if flag(immutable, "enabled")
        else None,
        "retention_locked": is_word(policy, "locked", "state") if policy else None,
    }


def has_blobs(item: Item) -> bool:
    """Return whether a storage account has a blob service: those for files only do not."""
    return not is_word(item, "filestorage", "kind")


def hosts(endpoints: Any) -> list[str]:
    """Return the host names of the URLs in an object such as ``primaryEndpoints``."""
    values = endpoints.values() if isinstance(endpoints, dict) else ()
    return unique(_host(value) for value in values if isinstance(value, str))


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def blob_service(item: Item, parent: str | None) -> dict[str, Any]:
    """Return ``storage_service`` fields."""
    properties = at(item, "properties")
    return {
        "storage": parent or "",
        "versioning": flag(properties, "isVersioningEnabled") or False,
        "soft_delete_days": _kept_days(at(properties, "deleteRetentionPolicy")),
        "container_soft_delete_days": _kept_days(at(properties, "containerDeleteRetentionPolicy")),
    }


def _kept_days(policy: Any) -> int | None:
    return whole(policy, "days") if flag(policy, "enabled") else 0


def blob_container(item: Item, parent: str | None) -> dict[str, Any]:
    """Return ``storage_container`` fields."""
    properties = at(item, "properties")
    policy = at(properties, "immutabilityPolicy")
    days = whole(policy, "properties", "immutabilityPeriodSinceCreationInDays")
    levels = {"none": "none", "blob": "read", "container": "list_and_read"}
    return {
        "storage": parent or "",
        "anonymous_access": word(text(properties, "publicAccess") or "none", levels),
        "retention_days": days or None,
        "retention_locked": is_word(policy, "locked", "properties", "state") if days else None,
    }


def key_vault(item: Item, parent: str | None) -> dict[str, Any]:
    """Return ``key_vault`` fields. Soft delete is on unless it was switched off when that was still possible."""
    properties = at(item, "properties")
    uri = text(properties, "vaultUri")
    days = whole(properties, "softDeleteRetentionInDays")
    return {
        **reachable(properties),
        "hosts": hosts({"vault": uri}),
        "hsm": is_word(properties, "premium", "sku", "name"),
        "role_based": flag(properties, "enableRbacAuthorization") or False,
        "trusted_services": bypassed(properties),
        "soft_delete_days": 0 if flag(properties, "enableSoftDelete") is False else days,
        "purge_protection": flag(properties, "enablePurgeProtection") or False,
    }


def key(item: Item, parent: str | None) -> dict[str, Any]:
    """Return ``key`` fields. Azure Resource Manager knows no key material."""
    properties = at(item, "properties")
    kind = text(properties, "kty") or ""
    detail = text(properties, "curveName") or whole(properties, "keySize")
    family = kind.upper().removesuffix("-HSM")
    uses = texts(properties, "keyOps")
    actions = objects(properties, "rotationPolicy", "lifetimeActions")
    rotations = [
        period_days(text(action, "trigger", "timeAfterCreate"))
        for action in actions
        if is_word(action, "rotate", "action", "type")
    ]
    return {
        **_guarded(properties, parent),
        "algorithm": f"{family}-{detail}" if family and detail else family or None,
        "purpose": uses[0].lower() if len(uses) == 1 else None,
        "hsm": kind.upper().endswith("-HSM") if kind else None,
        "rotation_days": next(filter(None, rotations), None),
        "next_rotation": None,
    }


def secret(item: Item, parent: str | None) -> dict[str, Any]:
    """Return ``secret`` fields. Azure Resource Manager does not answer the value of a secret."""
    return {
        **_guarded(at(item, "properties"), parent),
        **encrypted(None, customer=False),
        "rotation_days": None,
        "next_rotation": None,
    }


def _guarded(properties: Any, parent: str | None) -> dict[str, Any]:
    attributes = at(properties, "attributes")
    return {
        "key_vault": parent,
        "enabled": flag(attributes, "enabled"),
        "expires": timestamp(at(attributes, "exp")),
    }
