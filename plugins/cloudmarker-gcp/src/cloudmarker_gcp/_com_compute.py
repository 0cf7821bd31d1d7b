"""Common fields of machines, disks and images, from the JSON of Compute Engine."""

from __future__ import annotations

from typing import Any

from cloudmarker_gcp._json import Item, at, each, flag, is_word, objects, on, text, texts, unique, whole, word
from cloudmarker_gcp._names import compute_name, last_part
from cloudmarker_gcp._record import Where, encrypted

_STATES = {"running": "running", "terminated": "stopped", "stopped": "stopped", "suspended": "suspended"}
"""Life cycle states that say how a machine is; in the others it is on its way, or being repaired."""


def instance(item: Item, where: Where) -> dict[str, Any]:
    """Return ``compute`` fields: https://cloud.google.com/compute/docs/reference/rest/v1/instances."""
    interfaces = objects(item, "networkInterfaces")
    ways_out = [config for nic in interfaces for config in objects(nic, "accessConfigs")]
    ways_out_6 = [config for nic in interfaces for config in objects(nic, "ipv6AccessConfigs")]
    disks = sorted(objects(item, "disks"), key=lambda disk: not on(disk, "boot"))
    return {
        "state": word(text(item, "status"), _STATES, "other"),
        "size": last_part(text(item, "machineType") or "") or None,
        "os": operating_system(disks[0]) if disks else None,
        "image": link(item, where, "sourceMachineImage"),
        "compute_group": _group(item, where),
        "interfaces": [],  # they have no names of their own
        "networks": links(each(interfaces, "network"), where),
        "subnets": links(each(interfaces, "subnetwork"), where),
        "private_addresses": [*each(interfaces, "networkIP"), *each(interfaces, "ipv6Address")],
        "public_addresses": [*each(ways_out, "natIP"), *each(ways_out_6, "externalIpv6")],
        "network_tags": texts(item, "tags", "items"),
        "identities": each(objects(item, "serviceAccounts"), "email"),
        "disks": links(each(disks, "source"), where),
        "disk_encryption": [],  # the disks' own records say it
        "host_encryption": True,  # Google encrypts local disks always
        "secure_boot": on(item, "shieldedInstanceConfig", "enableSecureBoot"),
        "vtpm": on(item, "shieldedInstanceConfig", "enableVtpm"),
        "confidential": _is_confidential(at(item, "confidentialInstanceConfig")),
        "password_login": None,
        "ip_forwarding": on(item, "canIpForward"),
    }


def link(item: Item, where: Where, *keys: str) -> str | None:
    """Return the full name of what the link under *keys* leads to."""
    found = text(item, *keys)
    return compute_name(found, where.scope.project) if found else None


def links(found: list[str], where: Where) -> list[str]:
    """Return the full names of what links lead to."""
    return unique(compute_name(each_link, where.scope.project) for each_link in found)


def operating_system(disk: Item) -> str | None:
    """Return ``windows`` or ``linux`` as licenses and features of a disk tell; None if they do not."""
    features = each(objects(disk, "guestOsFeatures"), "type")
    licenses = " ".join(texts(disk, "licenses"))
    if "WINDOWS" in features or "/windows-" in licenses:
        return "windows"
    return "linux" if licenses and "bsd" not in licenses else None


def _group(item: Item, where: Where) -> str | None:
    """Return the group of machines that made this one, which names it in the metadata, by the project's number.

    The maker is the group's manager; load balancers know the group itself, which has the same name.
    """
    entries = objects(item, "metadata", "items")
    maker = next((text(entry, "value") for entry in entries if entry.get("key") == "created-by"), None)
    if not maker or "/instanceGroupManagers/" not in maker:
        return None
    name = compute_name(maker, where.scope.project)
    name = name.replace("/instanceGroupManagers/", "/instanceGroups/")
    return name.replace(f"/projects/{where.scope.number}/", f"/projects/{where.scope.project}/", 1)


def _is_confidential(config: Any) -> bool:
    kind = text(config, "confidentialInstanceType") or "CONFIDENTIAL_INSTANCE_TYPE_UNSPECIFIED"
    return on(config, "enableConfidentialCompute") or not kind.endswith("_UNSPECIFIED")


def disk(item: Item, where: Where) -> dict[str, Any]:
    """Return ``disk`` fields. Its content is fetched through snapshots and images only, which have their own rules."""
    holders = links(texts(item, "users"), where)
    return {
        "state": "attached" if holders else "unattached",
        "attached_to": holders,
        **_volume(item, where, "diskEncryptionKey", ("sourceImage", "sourceSnapshot", "sourceDisk")),
        "size_gib": whole(item, "sizeGb"),
        "guest_encryption": None,
        "network_access": None,
    }


def snapshot(item: Item, where: Where) -> dict[str, Any]:
    """Return ``snapshot`` fields."""
    return {
        **_volume(item, where, "snapshotEncryptionKey", ("sourceDisk",)),
        "guest_encryption": None,
        "network_access": None,
    }


def image(item: Item, where: Where) -> dict[str, Any]:
    """Return ``image`` fields."""
    return _volume(item, where, "imageEncryptionKey", ("sourceDisk", "sourceSnapshot", "sourceImage"))


def _volume(item: Item, where: Where, key: str, sources: tuple[str, ...]) -> dict[str, Any]:
    """Return what disks, snapshots and images have in common.

    Args:
        item: one of them.
        where: where it is.
        key: under which it says what it is encrypted with.
        sources: under which it may say what it was made from.
    """
    supplied = text(item, key, "sha256") or text(item, key, "rawKey") or text(item, key, "rsaEncryptedKey")
    return {
        "size_gib": whole(item, "diskSizeGb"),
        "os": operating_system(item),
        "source": next(filter(None, (link(item, where, source) for source in sources)), None),
        **encrypted(text(item, key, "kmsKeyName"), supplied=bool(supplied)),
    }


def tls(value: Any) -> str | None:
    """Return a version of TLS as ``1.2``, from ``TLS_1_2``."""
    return word(value, {f"tls_1_{minor}": f"1.{minor}" for minor in range(4)})


def ssl_policy(item: Item, where: Where) -> dict[str, Any]:
    """Return the common fields that say something of a policy for TLS."""
    return {"minimum_tls": tls(text(item, "minTlsVersion"))}


def is_enabled(item: Item, where: Where) -> dict[str, Any]:
    """Return whether something that can be switched off with ``disabled`` is not."""
    return {"enabled": not on(item, "disabled")}


def is_on(item: Item, where: Where) -> dict[str, Any]:
    """Return whether something that has ``enabled``, true by default, is."""
    return {"enabled": flag(item, "enabled") is not False}


def is_service_enabled(item: Item, where: Where) -> dict[str, Any]:
    """Return whether a service is enabled: only those are asked for."""
    return {"enabled": is_word(item, "enabled", "state")}
