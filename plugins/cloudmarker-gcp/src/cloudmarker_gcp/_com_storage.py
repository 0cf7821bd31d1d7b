"""Common fields of buckets, keys, secrets and topics."""

from __future__ import annotations

from typing import Any

from cloudmarker.firewall import normalise_addresses

from cloudmarker_gcp._com_compute import links
from cloudmarker_gcp._json import (
    Item,
    at,
    each,
    flag,
    is_word,
    labels,
    lower,
    objects,
    on,
    seconds_days,
    text,
    texts,
    timestamp,
    unique,
)
from cloudmarker_gcp._record import Basics, Where, encrypted, reachable, required


def bucket_basics(item: Item, where: Where) -> Basics:
    """Return the basics of a bucket, whose name is unique in the world."""
    name = required(item, "name")
    return Basics(
        f"//storage.googleapis.com/{name}",
        name,
        lower(item, "location") or "",
        labels(item, "labels"),
        item.get("timeCreated"),
    )


def bucket(item: Item, where: Where) -> dict[str, Any]:
    """Return ``storage`` fields: https://cloud.google.com/storage/docs/json_api/v1/buckets."""
    iam = at(item, "iamConfiguration")
    uniform = flag(iam, "uniformBucketLevelAccess", "enabled")
    if uniform is None:
        uniform = flag(iam, "bucketPolicyOnly", "enabled")  # its former name
    filtered = is_word(item, "enabled", "ipFilter", "mode")
    networks = objects(item, "ipFilter", "vpcNetworkSources")
    retention = at(item, "retentionPolicy")
    return {
        **encrypted(text(item, "encryption", "defaultKmsKeyName")),
        **reachable(
            "selected" if filtered else "public",
            normalise_addresses(texts(item, "ipFilter", "publicNetworkSource", "allowedIpCidrRanges")),
            links(each(networks, "network"), where),
        ),
        "storage_class": lower(item, "storageClass"),
        "hosts": [f"{required(item, 'name')}.storage.googleapis.com"],
        "https_only": None,
        "minimum_tls": None,
        "anonymous_access_allowed": not is_word(iam, "enforced", "publicAccessPrevention"),
        "uniform_access": uniform or False,
        "local_auth": None,
        "trusted_services": None,
        "versioning": on(item, "versioning", "enabled"),
        "soft_delete_days": seconds_days(at(item, "softDeletePolicy", "retentionDurationSeconds")) or 0,
        "retention_days": seconds_days(at(retention, "retentionPeriod")),
        "retention_locked": on(retention, "isLocked") if retention else None,
    }


def key_ring(item: Item, where: Where) -> dict[str, Any]:
    """Return ``key_vault`` fields. Key rings cannot be deleted, and roles alone decide who uses their keys."""
    return {
        **reachable("public"),
        "hosts": [],
        "hsm": True,
        "role_based": True,
        "trusted_services": None,
        "soft_delete_days": None,
        "purge_protection": None,
    }


def crypto_key(item: Item, where: Where) -> dict[str, Any]:
    """Return ``key`` fields. Only keys to encrypt with have a version that is in use by itself, the primary."""
    level = lower(item, "versionTemplate", "protectionLevel") or lower(item, "primary", "protectionLevel")
    state = lower(item, "primary", "state")
    return {
        "key_vault": where.owner.get("reference"),
        "algorithm": text(item, "versionTemplate", "algorithm") or text(item, "primary", "algorithm"),
        "purpose": lower(item, "purpose"),
        "hsm": None if level is None else level.startswith("hsm"),
        "enabled": None if state is None else state == "enabled",
        "expires": None,
        "rotation_days": seconds_days(at(item, "rotationPeriod")),
        "next_rotation": timestamp(at(item, "nextRotationTime")),
    }


def secret(item: Item, where: Where) -> dict[str, Any]:
    """Return ``secret`` fields. Whether it can be read is a matter of its versions."""
    replicas = objects(item, "replication", "userManaged", "replicas")
    keys = unique(
        [
            text(item, "replication", "automatic", "customerManagedEncryption", "kmsKeyName"),
            *each(replicas, "customerManagedEncryption", "kmsKeyName"),
            text(item, "customerManagedEncryption", "kmsKeyName"),
        ]
    )
    return {
        **encrypted(keys[0] if keys else None),
        "key_vault": None,
        "enabled": None,
        "expires": timestamp(at(item, "expireTime")),
        "rotation_days": seconds_days(at(item, "rotation", "rotationPeriod")),
        "next_rotation": timestamp(at(item, "rotation", "nextRotationTime")),
    }


def topic(item: Item, where: Where) -> dict[str, Any]:
    """Return ``messaging`` fields."""
    return {
        **encrypted(text(item, "kmsKeyName")),
        **reachable("public"),
        "engine": "pubsub",
        "minimum_tls": None,
        "local_auth": False,
    }
