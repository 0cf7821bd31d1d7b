"""Common fields of Kubernetes clusters, functions and Cloud Run services."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from cloudmarker.firewall import is_anywhere, normalise_addresses

from cloudmarker_gcp._com_compute import links
from cloudmarker_gcp._json import (
    Item,
    at,
    each,
    flag,
    is_word,
    items,
    labels,
    lower,
    objects,
    on,
    text,
    unique,
    whole,
    word,
)
from cloudmarker_gcp._record import Basics, Where, encrypted, reachable, required

GKE = "//container.googleapis.com"

_STATUS = {"running": "running", "running_with_error": "running", "degraded": "running", "stopping": "other"}


def cluster_basics(item: Item, where: Where) -> Basics:
    """Return the basics of a cluster: its name is unique in its location, which is a zone or a region."""
    name, location = required(item, "name"), text(item, "location") or text(item, "zone") or ""
    return Basics(
        f"{GKE}/{where.scope.path}/locations/{location}/clusters/{name}",
        name,
        location,
        labels(item, "resourceLabels"),
        item.get("createTime"),
    )


def cluster(item: Item, where: Where) -> dict[str, Any]:
    """Return ``kubernetes_cluster`` fields.

    https://cloud.google.com/kubernetes-engine/docs/reference/rest/v1/projects.locations.clusters
    """
    pools = objects(item, "nodePools")
    config = at(item, "networkConfig")
    secrets = is_word(item, "encrypted", "databaseEncryption", "state")
    return {
        "state": word(text(item, "status"), _STATUS, "other"),
        "version": text(item, "currentMasterVersion"),
        "host": text(item, "endpoint"),
        **encrypted(text(item, "databaseEncryption", "keyName") if secrets else None),
        **_api_reach(item),
        "networks": links(_first(text(config, "network"), _global(text(item, "network"))), where),
        "subnets": links(_first(text(config, "subnetwork"), _regional(item, text(item, "subnetwork"))), where),
        "node_count": whole(item, "currentNodeCount"),
        "private_nodes": on(item, "privateClusterConfig", "enablePrivateNodes")
        or on(config, "defaultEnablePrivateNodes"),
        "role_based": not on(item, "legacyAbac", "enabled"),
        "local_auth": on(item, "masterAuth", "clientCertificateConfig", "issueClientCertificate")
        or bool(text(item, "masterAuth", "username")),
        "network_policy": on(item, "networkPolicy", "enabled")
        or is_word(config, "advanced_datapath", "datapathProvider"),
        "workload_identity": bool(text(item, "workloadIdentityConfig", "workloadPool")),
        "auto_upgrade": True,  # Google upgrades every control plane
        "identities": each(pools, "config", "serviceAccount"),
    }


def _api_reach(item: Item) -> dict[str, Any]:
    """Return who can reach the API of a cluster."""
    authorized = at(item, "masterAuthorizedNetworksConfig")
    allowed = normalise_addresses(each(objects(authorized, "cidrBlocks"), "cidrBlock"))
    if on(item, "privateClusterConfig", "enablePrivateEndpoint"):
        access = "private"
    else:
        access = "selected" if on(authorized, "enabled") and not is_anywhere(allowed) else "public"
    return reachable(access, allowed)


def _first(*values: str | None) -> list[str]:
    return [value for value in values if value][:1]


def _global(network: str | None) -> str | None:
    return f"global/networks/{network}" if network and "/" not in network else network


def _regional(item: Item, subnetwork: str | None) -> str | None:
    if not subnetwork or "/" in subnetwork:
        return subnetwork
    location = text(item, "location") or ""
    region = location if location.count("-") == 1 else location.rpartition("-")[0]
    return f"regions/{region}/subnetworks/{subnetwork}" if region else None


def node_pools(item: Item) -> list[Any]:
    """Return the node pools in the JSON of a cluster."""
    return list(objects(item, "nodePools"))


def node_pool_basics(item: Item, where: Where) -> Basics:
    """Return the basics of a node pool."""
    name = required(item, "name")
    location = where.owner.get("location") or ""
    return Basics(f"{where.reference}/nodePools/{name}", name, location, labels(item, "config", "resourceLabels"), None)


def node_pool(item: Item, where: Where) -> dict[str, Any]:
    """Return ``node_pool`` fields. The number of nodes is what it has in each zone at first."""
    config = at(item, "config")
    nodes = whole(item, "initialNodeCount")
    subnet = text(item, "networkConfig", "subnetwork")
    image = lower(config, "imageType")
    return {
        "cluster": where.reference,
        "version": text(item, "version"),
        "size": text(config, "machineType"),
        "os": None if image is None else "windows" if image.startswith("windows") else "linux",
        "node_count": None if nodes is None else nodes * max(len(items(item, "locations")), 1),
        "subnets": links([subnet] if subnet else [], where),
        "private_nodes": flag(item, "networkConfig", "enablePrivateNodes"),
        "auto_upgrade": on(item, "management", "autoUpgrade"),
        "secure_boot": on(config, "shieldedInstanceConfig", "enableSecureBoot"),
        "host_encryption": True,
        "identities": each([config] if isinstance(config, dict) else [], "serviceAccount"),
    }


def function(item: Item, where: Where) -> dict[str, Any]:
    """Return ``web_app`` fields: https://cloud.google.com/functions/docs/reference/rest/v2/projects.locations.functions."""
    service = at(item, "serviceConfig")
    security = {"secure_always": True, "secure_optional": False}
    return _web_app(
        "function",
        state=word(text(item, "state"), {"active": "running"}, "other"),
        runtime=text(item, "buildConfig", "runtime"),
        hosts=unique([_host(text(item, "url")), _host(text(service, "uri"))]),
        https_only=word(text(service, "securityLevel"), security),
        identity=text(service, "serviceAccountEmail"),
        ingress=lower(service, "ingressSettings"),
    )


def run_service_basics(item: Item, where: Where) -> Basics:
    """Return the basics of a Cloud Run service, which has the form of a Knative one."""
    metadata = at(item, "metadata") or {}
    name = required(metadata, "name")
    own_labels = labels(metadata, "labels")
    location = own_labels.get("cloud.googleapis.com/location", "")
    return Basics(
        f"//run.googleapis.com/{run_service_path(item, where.scope.path)}",
        name,
        location,
        own_labels,
        at(metadata, "creationTimestamp"),
    )


def run_service_path(item: Item, scope: str = "") -> str | None:
    """Return the path of a service in a scope; what follows the scope if none is given. None if it has no name."""
    name, location = text(item, "metadata", "name"), text(item, "metadata", "labels", "cloud.googleapis.com/location")
    path = f"locations/{location or '-'}/services/{name}"
    return None if name is None else f"{scope}/{path}" if scope else path


def run_service(item: Item, where: Where) -> dict[str, Any]:
    """Return ``web_app`` fields: https://cloud.google.com/run/docs/reference/rest/v1/namespaces.services."""
    template = at(item, "spec", "template", "spec")
    conditions = {text(entry, "type"): entry for entry in objects(item, "status", "conditions")}
    ready = is_word(conditions.get("Ready"), "true", "status")
    return _web_app(
        "container",
        state=("running" if ready else "other") if "Ready" in conditions else None,
        runtime=next(iter(each(objects(template, "containers"), "image")), None),
        hosts=unique([_host(text(item, "status", "url"))]),
        https_only=True,
        identity=text(template, "serviceAccountName"),
        ingress=lower(item, "metadata", "annotations", "run.googleapis.com/ingress"),
    )


_INGRESS = {
    "all": "public",
    "allow_all": "public",
    "internal": "private",
    "allow_internal_only": "private",
    "internal-and-cloud-load-balancing": "selected",
    "allow_internal_and_gclb": "selected",
}


def _web_app(
    app_type: str,
    *,
    state: str | None,
    runtime: str | None,
    hosts: list[str],
    https_only: bool | None,
    identity: str | None,
    ingress: str | None,
) -> dict[str, Any]:
    return {
        "app_type": app_type,
        "state": state,
        "runtime": runtime,
        "hosts": hosts,
        "https_only": https_only,
        "minimum_tls": None,
        "client_certificates": False,
        "subnets": [],
        "identities": [identity] if identity else [],
        **reachable(word(ingress, _INGRESS)),
    }


def _host(url: str | None) -> str | None:
    try:
        return urlsplit(url).hostname if url else None
    except ValueError:
        return None
