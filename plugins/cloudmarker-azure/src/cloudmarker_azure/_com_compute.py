"""Common fields of machines, disks, images, clusters and registries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudmarker.firewall import normalise_addresses

from cloudmarker_azure._com_shared import (
    OS,
    encrypted,
    identities,
    networks_of,
    private_endpoints,
    public_access,
    reachable,
)
from cloudmarker_azure._json import Item, at, flag, id_of, ids, is_word, objects, text, texts, unique, whole, word

_POWER = {"running": "running", "stopped": "stopped", "deallocated": "stopped", "hibernated": "suspended"}


def virtual_machine(item: Item, parent: str | None) -> dict[str, Any]:
    """Return ``compute`` fields. Its addresses and subnets are in the records of its interfaces."""
    properties = at(item, "properties")
    storage = at(properties, "storageProfile")
    disks = [at(storage, "osDisk"), *objects(storage, "dataDisks")]
    return {
        "state": power_state(at(properties, "instanceView")),
        "size": text(properties, "hardwareProfile", "vmSize"),
        **_machine(item, properties),
        "compute_group": text(properties, "virtualMachineScaleSet", "id"),
        "interfaces": ids(properties, "networkProfile", "networkInterfaces"),
        "networks": [],
        "subnets": [],
        "private_addresses": [],
        "public_addresses": [],
        "network_tags": [],
        "disks": unique(text(disk, "managedDisk", "id") or text(disk, "vhd", "uri") for disk in disks),
        "disk_encryption": [],  # the disks' own records say it
        "ip_forwarding": None,
    }


def power_state(view: Any) -> str | None:
    """Return the common word for the power state in an instance view; None if it has none.

    Args:
        view: the ``instanceView``: its ``statuses`` have codes such as ``PowerState/running``.
    """
    for status in objects(view, "statuses"):
        kind, _, state = (text(status, "code") or "").partition("/")
        if kind.lower() == "powerstate":
            return word(state, _POWER, "other")
    return None


def vm_scale_set(item: Item, parent: str | None) -> dict[str, Any]:
    """Return ``compute_group`` fields."""
    profile = at(item, "properties", "virtualMachineProfile")
    interfaces = objects(profile, "networkProfile", "networkInterfaceConfigurations")
    return {
        "size": text(item, "sku", "name"),
        **_machine(item, profile),
        "instance_count": whole(item, "sku", "capacity"),
        "subnets": unique(
            found
            for interface in interfaces
            for configuration in objects(interface, "properties", "ipConfigurations")
            for found in id_of(configuration, "properties", "subnet")
        ),
        "firewalls": unique(
            found for interface in interfaces for found in id_of(interface, "properties", "networkSecurityGroup")
        ),
    }


def _machine(item: Item, profile: Any) -> dict[str, Any]:
    """Return what a machine and the profile of a scale set have in common. Settings that are not there are off."""
    security = at(profile, "securityProfile")
    linux = at(profile, "osProfile", "linuxConfiguration")
    windows = at(profile, "osProfile", "windowsConfiguration")
    keys_only = flag(linux, "disablePasswordAuthentication")
    os = word(text(profile, "storageProfile", "osDisk", "osType"), OS)
    return {
        "os": os or ("linux" if isinstance(linux, Mapping) else "windows" if isinstance(windows, Mapping) else None),
        "image": _image(at(profile, "storageProfile", "imageReference")),
        "identities": identities(item),
        "host_encryption": flag(security, "encryptionAtHost") or False,
        "secure_boot": flag(security, "uefiSettings", "secureBootEnabled") or False,
        "vtpm": flag(security, "uefiSettings", "vTpmEnabled") or False,
        "confidential": is_word(security, "confidentialvm", "securityType"),
        "password_login": True if isinstance(windows, Mapping) else None if keys_only is None else not keys_only,
    }


def _image(reference: Any) -> str | None:
    names = [text(reference, key) for key in ("publisher", "offer", "sku", "version")]
    named = ":".join(name or "" for name in names) if any(names) else None
    return text(reference, "id") or text(reference, "communityGalleryImageId") or named


def disk(item: Item, parent: str | None) -> dict[str, Any]:
    """Return ``disk`` fields. A disk that is reserved belongs to a machine that is stopped."""
    properties = at(item, "properties")
    holders = unique([text(item, "managedBy"), *texts(item, "managedByExtended")])
    states = {"attached": "attached", "reserved": "attached", "unattached": "unattached"}
    state = word(text(properties, "diskState"), states, "other")
    return {
        "state": state or ("attached" if holders else "unattached"),
        "attached_to": holders,
        **_volume(properties),
    }


def snapshot(item: Item, parent: str | None) -> dict[str, Any]:
    """Return ``snapshot`` fields."""
    return _volume(at(item, "properties"))


def _volume(properties: Any) -> dict[str, Any]:
    """Return what disks and snapshots have in common."""
    creation = at(properties, "creationData")
    guest = flag(properties, "encryptionSettingsCollection", "enabled")
    if guest is None:  # the form of API versions before 2018-09-30
        guest = flag(properties, "encryptionSettings", "enabled")
    return {
        "size_gib": whole(properties, "diskSizeGB"),
        "os": word(text(properties, "osType"), OS),
        "source": text(creation, "sourceResourceId")
        or text(creation, "imageReference", "id")
        or text(creation, "galleryImageReference", "id")
        or text(creation, "sourceUri"),
        **disk_encryption(properties),
        "guest_encryption": guest or False,
        "network_access": _export(properties),
    }


def disk_encryption(properties: Any) -> dict[str, Any]:
    """Return how a disk is encrypted on the server's side, which is always the case, and the encryption set it uses."""
    kind = (text(properties, "encryption", "type") or "").lower()
    key = text(properties, "encryption", "diskEncryptionSetId")
    customer = "customerkey" in kind or (not kind and key is not None)
    return encrypted(key, customer=customer, double="platformand" in kind)


def _export(properties: Any) -> str | None:
    if is_word(properties, "disabled", "publicNetworkAccess"):
        return "private"
    policies = {"allowall": "public", "allowprivate": "private", "denyall": "private"}
    return word(text(properties, "networkAccessPolicy"), policies)


def image(item: Item, parent: str | None) -> dict[str, Any]:
    """Return ``image`` fields."""
    properties = at(item, "properties")
    os_disk = at(properties, "storageProfile", "osDisk")
    key = text(os_disk, "diskEncryptionSet", "id")
    sources = [text(os_disk, "managedDisk", "id"), text(os_disk, "snapshot", "id"), text(os_disk, "blobUri")]
    return {
        "size_gib": whole(os_disk, "diskSizeGB"),
        "os": word(text(os_disk, "osType"), OS),
        "source": next(filter(None, [text(properties, "sourceVirtualMachine", "id"), *sources]), None),
        **encrypted(key, customer=key is not None),
    }


def aks_cluster(item: Item, parent: str | None) -> dict[str, Any]:
    """Return ``kubernetes_cluster`` fields."""
    properties = at(item, "properties")
    api = at(properties, "apiServerAccessProfile")
    allowed = normalise_addresses(texts(api, "authorizedIPRanges"))
    access = public_access(properties)
    if flag(api, "enablePrivateCluster"):
        access = "private"
    elif access == "public" and allowed:
        access = "selected"
    pools = objects(properties, "agentPoolProfiles")
    counts = [whole(pool, "count") for pool in pools]
    subnets = unique(text(pool, "vnetSubnetID") for pool in pools)
    kms = at(properties, "securityProfile", "azureKeyVaultKms")
    local = flag(properties, "disableLocalAccounts")
    return {
        "state": word(text(properties, "powerState", "code"), {"running": "running", "stopped": "stopped"}, "other"),
        "version": text(properties, "currentKubernetesVersion") or text(properties, "kubernetesVersion"),
        "host": text(properties, "fqdn") or text(properties, "privateFQDN"),
        **encrypted(text(kms, "keyId"), customer=flag(kms, "enabled") or False),
        "network_access": access,
        "allowed_addresses": allowed,
        "allowed_networks": [],
        "private_endpoints": private_endpoints(properties),
        "networks": networks_of(subnets),
        "subnets": subnets,
        "node_count": sum(count or 0 for count in counts) if pools else None,
        "private_nodes": not any(flag(pool, "enableNodePublicIP") for pool in pools) if pools else None,
        "role_based": flag(properties, "enableRBAC"),
        "local_auth": not local,
        "network_policy": (text(properties, "networkProfile", "networkPolicy") or "none").lower() != "none",
        "workload_identity": flag(properties, "securityProfile", "workloadIdentity", "enabled") or False,
        "auto_upgrade": (text(properties, "autoUpgradeProfile", "upgradeChannel") or "none").lower() != "none",
        "identities": identities(item),
    }


def aks_node_pool(item: Item, parent: str | None) -> dict[str, Any]:
    """Return ``node_pool`` fields, from an entry of a cluster's ``agentPoolProfiles``."""
    subnet = text(item, "vnetSubnetID")
    return {
        "cluster": parent or "",
        "version": text(item, "currentOrchestratorVersion") or text(item, "orchestratorVersion"),
        "size": text(item, "vmSize"),
        "os": word(text(item, "osType"), OS),
        "node_count": whole(item, "count"),
        "subnets": [subnet] if subnet else [],
        "private_nodes": not flag(item, "enableNodePublicIP"),
        "auto_upgrade": None,
        "secure_boot": flag(item, "securityProfile", "enableSecureBoot") or False,
        "host_encryption": flag(item, "enableEncryptionAtHost") or False,
        "identities": [],
    }


def container_registry(item: Item, parent: str | None) -> dict[str, Any]:
    """Return ``container_registry`` fields."""
    properties = at(item, "properties")
    encryption = at(properties, "encryption")
    return {
        **encrypted(
            text(encryption, "keyVaultProperties", "keyIdentifier"), customer=flag(encryption, "status") or False
        ),
        **reachable(properties, "networkRuleSet"),
        "host": text(properties, "loginServer"),
        "anonymous_access_allowed": flag(properties, "anonymousPullEnabled") or False,
        "local_auth": flag(properties, "adminUserEnabled"),
    }
