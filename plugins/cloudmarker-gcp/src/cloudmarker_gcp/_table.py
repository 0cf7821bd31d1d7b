"""The resource types that are read: one row each. docs/gcp.md has the same table, with what each needs.

Paths are those of Google's REST APIs; the tests compare them with the APIs' discovery documents.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from cloudmarker_gcp import (
    _com_compute as machines,
)
from cloudmarker_gcp import (
    _com_data as data,
)
from cloudmarker_gcp import (
    _com_firewall as firewalls,
)
from cloudmarker_gcp import (
    _com_identity as identity,
)
from cloudmarker_gcp import (
    _com_network as networks,
)
from cloudmarker_gcp import (
    _com_services as services,
)
from cloudmarker_gcp import (
    _com_storage as storage,
)
from cloudmarker_gcp._json import Item
from cloudmarker_gcp._record import Basics, Kind, Where, compute, in_scope, named
from cloudmarker_gcp._row import CLOUD_PLATFORM, READ_ONLY, Api, Part, Row, part
from cloudmarker_gcp._scopes import Level

Fields = Callable[[Item, Where], dict[str, Any]]
Find = Callable[[Item, Where], Basics]

COMPUTE = Api(
    "compute",
    "https://www.googleapis.com/auth/compute.readonly",
    enabled_by=("compute.googleapis.com",),
    calls_per_minute=1500,
)
RESOURCE_MANAGER = Api("cloudresourcemanager", READ_ONLY)
SERVICE_USAGE = Api("serviceusage", READ_ONLY)
ASSETS = Api("cloudasset", calls_per_minute=100)
STORAGE = Api("storage", READ_ONLY)
STORAGE_POLICIES = Api("storage")
SQL = Api("sqladmin", enabled_by=("sqladmin.googleapis.com", "sql-component.googleapis.com"))
IAM = Api("iam")
KMS = Api("cloudkms", "https://www.googleapis.com/auth/cloudkms", ("cloudkms.googleapis.com",), calls_per_minute=300)
DNS = Api("dns", READ_ONLY, ("dns.googleapis.com",))
GKE = Api("container", "https://www.googleapis.com/auth/container.read-only", ("container.googleapis.com",))
BIGQUERY = Api("bigquery", READ_ONLY, ("bigquery.googleapis.com",))
LOGGING = Api("logging", READ_ONLY)
MONITORING = Api("monitoring", "https://www.googleapis.com/auth/monitoring.read")
FUNCTIONS = Api("cloudfunctions", enabled_by=("cloudfunctions.googleapis.com",))
RUN = Api("run", "https://www.googleapis.com/auth/run.readonly", ("run.googleapis.com",))
SECRETS = Api("secretmanager", enabled_by=("secretmanager.googleapis.com",))
PUBSUB = Api("pubsub", "https://www.googleapis.com/auth/pubsub", ("pubsub.googleapis.com",))
API_KEYS = Api("apikeys", READ_ONLY)
CONTACTS = Api("essentialcontacts", enabled_by=("essentialcontacts.googleapis.com",))

POLICY_VERSION = "3"
"""The version of policies with conditions: in an older one, bindings that have some are left out."""

_BODY: Mapping[str, Any] = {"options": {"requestedPolicyVersion": int(POLICY_VERSION)}}


def _compute(
    record_type: str,
    collection: str,
    com: str,
    fields: Fields | None = None,
    *,
    spread: bool = False,
    zonal: bool = False,
    asset: str = "",
    parts: tuple[Part, ...] = (),
) -> Row:
    """Return the row of a type of Compute Engine.

    Args:
        record_type: of ``ext``.
        collection: its name in the API.
        com: the record type of ``com``.
        fields: what only it has in ``com``.
        spread: whether it lives in zones or regions, and the list of all of them is read.
        zonal: whether it lives in zones.
        asset: its name in Cloud Asset Inventory, or an expression for several.
        parts: the types that come inside it.
    """
    place = "aggregated" if spread or zonal else "global"
    permission = "firewallPolicies" if collection == "firewallPolicies" else collection
    return Row(
        COMPUTE,
        f"compute/v1/projects/{{project}}/{place}/{collection}",
        f"compute.{permission}.list",
        Kind(record_type, com, compute, fields),
        query={"maxResults": "500"},
        aggregated=collection if spread or zonal else "",
        zone_path=f"compute/v1/projects/{{project}}/zones/{{zone}}/{collection}" if zonal else "",
        assets=f"compute.googleapis.com/{asset}" if asset else "",
        parts=parts,
    )


def _policy(
    owner: str, api: Api, path: str, permission: str, *, posts: bool = False, asset: str = "", version: str = ""
) -> Row:
    """Return the row of the policies of a type that says who may do what with it.

    Args:
        owner: the record type of what has the policy.
        api: that answers it.
        path: of the policy.
        permission: what reading it needs.
        posts: whether the API has only POST for it.
        asset: name of the owner in Cloud Asset Inventory, if that has its policies.
        version: name of the parameter for the version of the policy, in a GET.
    """
    return Row(
        api,
        path,
        permission,
        Kind(f"{owner}_iam_policy", "iam_policy", identity.policy_basics, identity.policy),
        items=None,
        query={} if posts else {version or "options.requestedPolicyVersion": POLICY_VERSION},
        posts=_BODY if posts else None,
        assets=asset,
        parts=(identity.binding(f"{owner}_iam_binding"),),
    )


def _row(
    record_type: str,
    api: Api,
    path: str,
    permission: str,
    com: str,
    find: Find,
    fields: Fields | None = None,
    **more: Any,
) -> Row:
    return Row(api, path, permission, Kind(record_type, com or record_type, find, fields), **more)


EVERYWHERE: tuple[Level, ...] = ("organization", "folder", "project")

PROJECT = _row(
    "project",
    RESOURCE_MANAGER,
    "v3/projects/{parent}",
    "resourcemanager.projects.get",
    "scope",
    identity.scope_basics,
    identity.scope,
    items=None,
)
FOLDER = _row(
    "folder",
    RESOURCE_MANAGER,
    "v3/folders/{parent}",
    "resourcemanager.folders.get",
    "scope",
    identity.scope_basics,
    identity.scope,
    items=None,
)
ORGANIZATION = _row(
    "organization",
    RESOURCE_MANAGER,
    "v3/organizations/{parent}",
    "resourcemanager.organizations.get",
    "scope",
    identity.scope_basics,
    identity.scope,
    items=None,
)

_ROWS_OF: tuple[tuple[Level, Row], ...] = (("organization", ORGANIZATION), ("folder", FOLDER), ("project", PROJECT))

SEARCHED: Mapping[Level, Row] = {
    level: replace(
        row,
        path=f"v3/{level}s:search",
        items=f"{level}s",
        query={"pageSize": "500"},
    )
    for level, row in _ROWS_OF
}
"""Lists of all that can be seen. They leave out what cannot, without a word."""

LISTED: Mapping[Level, Row] = {
    level: replace(
        row,
        path=f"v3/{level}s",
        items=f"{level}s",
        permission=f"resourcemanager.{level}s.list",
        query={"pageSize": "500", "parent": "{parent}"},
    )
    for level, row in _ROWS_OF
    if level != "organization"
}
"""Lists of what is directly in a folder or organization."""

SERVICES = _row(
    "service",
    SERVICE_USAGE,
    "v1/{scope}/services",
    "serviceusage.services.list",
    "",
    named("serviceusage.googleapis.com"),
    machines.is_service_enabled,
    items="services",
    query={"filter": "state:ENABLED", "pageSize": "200"},
    assets="serviceusage.googleapis.com/Service",
)
"""The services that are enabled in a project. They are read first, as nothing can be there of the others."""

_SCOPE_POLICY = Row(
    RESOURCE_MANAGER,
    "v3/{scope}:getIamPolicy",
    "resourcemanager.{level}s.getIamPolicy",
    Kind("iam_policy", "iam_policy", identity.policy_basics, identity.policy),
    levels=EVERYWHERE,
    items=None,
    posts=_BODY,
    assets="cloudresourcemanager.googleapis.com/(Organization|Folder|Project)",
    parts=(
        identity.binding("iam_binding"),
        part(
            Kind("audit_config", "audit_config", identity.audit_config_basics, identity.audit_config),
            identity.part_of_policy("auditConfigs"),
        ),
    ),
)

_FIREWALLS = (
    _compute(
        "firewall",
        "firewalls",
        "firewall",
        firewalls.firewall,
        asset="Firewall",
        parts=(Part("firewall_rule", firewalls.firewall_entries, firewalls.firewall_rule),),
    ),
    _compute(
        "network_firewall_policy",
        "firewallPolicies",
        "firewall",
        firewalls.firewall_policy,
        spread=True,
        parts=(
            Part(
                "network_firewall_policy_rule",
                firewalls.policy_rules,
                firewalls.policy_rule("network_firewall_policy_rule"),
            ),
        ),
    ),
    Row(
        COMPUTE,
        "compute/v1/locations/global/firewallPolicies",
        "compute.firewallPolicies.list",
        Kind("firewall_policy", "firewall", compute, firewalls.firewall_policy),
        levels=("organization", "folder"),
        query={"maxResults": "500", "parentId": "{scope}"},
        parts=(Part("firewall_policy_rule", firewalls.policy_rules, firewalls.policy_rule("firewall_policy_rule")),),
    ),
)

_COMPUTE = (
    _row(
        "compute_project",
        COMPUTE,
        "compute/v1/projects/{project}",
        "compute.projects.get",
        "",
        compute,
        items=None,
        assets="compute.googleapis.com/Project",
    ),
    _compute("instance", "instances", "compute", machines.instance, zonal=True, asset="Instance"),
    _compute("disk", "disks", "disk", machines.disk, zonal=True, asset="(Region)?Disk"),
    _compute("snapshot", "snapshots", "snapshot", machines.snapshot, asset="Snapshot"),
    _compute("image", "images", "image", machines.image, asset="Image"),
    _compute("network", "networks", "network", networks.network, asset="Network"),
    _compute("subnetwork", "subnetworks", "subnet", networks.subnetwork, spread=True, asset="Subnetwork"),
    _compute("router", "routers", "router", networks.router, spread=True, asset="Router"),
    _compute("address", "addresses", "public_ip", networks.address, spread=True, asset="(Global)?Address"),
    _compute(
        "forwarding_rule",
        "forwardingRules",
        "load_balancer",
        networks.forwarding_rule,
        spread=True,
        asset="(Global)?ForwardingRule",
    ),
    _compute(
        "backend_service",
        "backendServices",
        "backend_service",
        networks.backend_service,
        spread=True,
        asset="(Region)?BackendService",
    ),
    _compute("target_http_proxy", "targetHttpProxies", "target_proxy", spread=True, asset="(Region)?TargetHttpProxy"),
    _compute(
        "target_https_proxy", "targetHttpsProxies", "target_proxy", spread=True, asset="(Region)?TargetHttpsProxy"
    ),
    _compute("target_ssl_proxy", "targetSslProxies", "target_proxy", asset="TargetSslProxy"),
    _compute("target_tcp_proxy", "targetTcpProxies", "target_proxy", spread=True, asset="(Region)?TargetTcpProxy"),
    _compute("ssl_policy", "sslPolicies", "ssl_policy", machines.ssl_policy, spread=True, asset="(Region)?SslPolicy"),
)

_DATA = (
    _row(
        "bucket",
        STORAGE,
        "storage/v1/b",
        "storage.buckets.list",
        "storage",
        storage.bucket_basics,
        storage.bucket,
        query={"project": "{project}", "maxResults": "1000"},
        assets="storage.googleapis.com/Bucket",
        children=(
            _policy(
                "bucket",
                STORAGE_POLICIES,
                "storage/v1/b/{parent}/iam",
                "storage.buckets.getIamPolicy",
                asset="storage.googleapis.com/Bucket",
                version="optionsRequestedPolicyVersion",
            ),
        ),
    ),
    _row(
        "sql_instance",
        SQL,
        "sql/v1beta4/projects/{project}/instances",
        "cloudsql.instances.list",
        "database_server",
        data.instance_basics,
        data.sql_instance,
        query={"maxResults": "500"},
        assets="sqladmin.googleapis.com/Instance",
        parts=(
            part(
                Kind("sql_authorized_network", "network_rule", data.authorized_network_basics, data.authorized_network),
                data.authorized_networks,
            ),
        ),
        children=(
            _row(
                "sql_database",
                SQL,
                "sql/v1beta4/projects/{project}/instances/{parent}/databases",
                "cloudsql.databases.list",
                "database",
                data.database_basics,
                data.sql_database,
            ),
        ),
    ),
    Row(
        BIGQUERY,
        "bigquery/v2/projects/{project}/datasets",
        "bigquery.datasets.get",
        items="datasets",
        query={"all": "true", "maxResults": "1000"},
        leads_to=data.dataset_id,
        children=(
            _row(
                "dataset",
                BIGQUERY,
                "bigquery/v2/projects/{project}/datasets/{parent}",
                "bigquery.datasets.get",
                "database",
                data.dataset_basics,
                data.dataset,
                items=None,
                query={"accessPolicyVersion": POLICY_VERSION},
                parts=(identity.dataset_access("dataset_iam_binding"),),
            ),
        ),
    ),
    _row(
        "topic",
        PUBSUB,
        "v1/projects/{project}/topics",
        "pubsub.topics.list",
        "messaging",
        named("pubsub.googleapis.com"),
        storage.topic,
        items="topics",
        query={"pageSize": "1000"},
        assets="pubsub.googleapis.com/Topic",
        children=(
            _policy(
                "topic",
                PUBSUB,
                "v1/{parent}:getIamPolicy",
                "pubsub.topics.getIamPolicy",
                asset="pubsub.googleapis.com/Topic",
            ),
        ),
    ),
)

_KEYS_AND_SECRETS = (
    Row(
        KMS,
        "v1/projects/{project}/locations",
        "cloudkms.locations.list",
        items="locations",
        query={"pageSize": "500"},
        children=(
            _row(
                "key_ring",
                KMS,
                "v1/{parent}/keyRings",
                "cloudkms.keyRings.list",
                "key_vault",
                named("cloudkms.googleapis.com"),
                storage.key_ring,
                items="keyRings",
                query={"pageSize": "1000"},
                assets="cloudkms.googleapis.com/KeyRing",
                children=(
                    _policy(
                        "key_ring",
                        KMS,
                        "v1/{parent}:getIamPolicy",
                        "cloudkms.keyRings.getIamPolicy",
                        asset="cloudkms.googleapis.com/KeyRing",
                    ),
                    _row(
                        "crypto_key",
                        KMS,
                        "v1/{parent}/cryptoKeys",
                        "cloudkms.cryptoKeys.list",
                        "key",
                        named("cloudkms.googleapis.com"),
                        storage.crypto_key,
                        items="cryptoKeys",
                        query={"pageSize": "1000"},
                        assets="cloudkms.googleapis.com/CryptoKey",
                        children=(
                            _policy(
                                "crypto_key",
                                KMS,
                                "v1/{parent}:getIamPolicy",
                                "cloudkms.cryptoKeys.getIamPolicy",
                                asset="cloudkms.googleapis.com/CryptoKey",
                            ),
                        ),
                    ),
                ),
            ),
        ),
    ),
    _row(
        "secret",
        SECRETS,
        "v1/projects/{project}/secrets",
        "secretmanager.secrets.list",
        "secret",
        named("secretmanager.googleapis.com"),
        storage.secret,
        items="secrets",
        query={"pageSize": "1000"},
        assets="secretmanager.googleapis.com/Secret",
        children=(
            _policy(
                "secret",
                SECRETS,
                "v1/{parent}:getIamPolicy",
                "secretmanager.secrets.getIamPolicy",
                asset="secretmanager.googleapis.com/Secret",
            ),
        ),
    ),
    _row(
        "api_key",
        API_KEYS,
        "v2/projects/{project}/locations/global/keys",
        "apikeys.keys.list",
        "",
        named("apikeys.googleapis.com", label_key="annotations", shown="displayName"),
        items="keys",
        query={"pageSize": "300"},
    ),
)

_IDENTITIES = (
    _SCOPE_POLICY,
    _row(
        "service_account",
        IAM,
        "v1/projects/{project}/serviceAccounts",
        "iam.serviceAccounts.list",
        "identity",
        named("iam.googleapis.com"),
        identity.service_account,
        items="accounts",
        query={"pageSize": "100"},
        assets="iam.googleapis.com/ServiceAccount",
        children=(
            _row(
                "service_account_key",
                IAM,
                "v1/{parent}/keys",
                "iam.serviceAccountKeys.list",
                "",
                named("iam.googleapis.com", created="validAfterTime"),
                identity.service_account_key,
                items="keys",
            ),
            _policy(
                "service_account",
                IAM,
                "v1/{parent}:getIamPolicy",
                "iam.serviceAccounts.getIamPolicy",
                posts=True,
            ),
        ),
    ),
    _row(
        "custom_role",
        IAM,
        "v1/{scope}/roles",
        "iam.roles.list",
        "role",
        named("iam.googleapis.com", shown="title"),
        identity.custom_role,
        levels=("organization", "project"),
        items="roles",
        query={"view": "FULL", "pageSize": "300"},
        assets="iam.googleapis.com/Role",
    ),
    _row(
        "contact",
        CONTACTS,
        "v1/{scope}/contacts",
        "essentialcontacts.contacts.list",
        "security_contact",
        named("essentialcontacts.googleapis.com", shown="email"),
        identity.contact,
        levels=EVERYWHERE,
        items="contacts",
        query={"pageSize": "100"},
    ),
)

_OPERATIONS = (
    _row(
        "managed_zone",
        DNS,
        "dns/v1/projects/{project}/managedZones",
        "dns.managedZones.list",
        "dns_zone",
        in_scope("dns.googleapis.com", "managedZones", created="creationTime"),
        networks.managed_zone,
        items="managedZones",
        assets="dns.googleapis.com/ManagedZone",
    ),
    _row(
        "dns_policy",
        DNS,
        "dns/v1/projects/{project}/policies",
        "dns.policies.list",
        "",
        in_scope("dns.googleapis.com", "policies"),
        networks.dns_policy,
        items="policies",
        assets="dns.googleapis.com/Policy",
    ),
    _row(
        "log_sink",
        LOGGING,
        "v2/{scope}/sinks",
        "logging.sinks.list",
        "",
        in_scope("logging.googleapis.com", "sinks"),
        machines.is_enabled,
        levels=EVERYWHERE,
        items="sinks",
        query={"pageSize": "1000"},
        assets="logging.googleapis.com/LogSink",
    ),
    _row(
        "log_metric",
        LOGGING,
        "v2/projects/{project}/metrics",
        "logging.logMetrics.list",
        "",
        in_scope("logging.googleapis.com", "metrics"),
        machines.is_enabled,
        items="metrics",
        query={"pageSize": "1000"},
        assets="logging.googleapis.com/LogMetric",
    ),
    _row(
        "alert_policy",
        MONITORING,
        "v3/projects/{project}/alertPolicies",
        "monitoring.alertPolicies.list",
        "",
        named("monitoring.googleapis.com", label_key="userLabels", shown="displayName"),
        machines.is_on,
        items="alertPolicies",
        query={"pageSize": "1000"},
        assets="monitoring.googleapis.com/AlertPolicy",
    ),
)

_SERVICES = (
    _row(
        "gke_cluster",
        GKE,
        "v1/projects/{project}/locations/-/clusters",
        "container.clusters.list",
        "kubernetes_cluster",
        services.cluster_basics,
        services.cluster,
        items="clusters",
        parts=(
            part(
                Kind("gke_node_pool", "node_pool", services.node_pool_basics, services.node_pool), services.node_pools
            ),
        ),
    ),
    _row(
        "function",
        FUNCTIONS,
        "v2/projects/{project}/locations/-/functions",
        "cloudfunctions.functions.list",
        "web_app",
        named("cloudfunctions.googleapis.com"),
        services.function,
        items="functions",
        query={"pageSize": "1000"},
        assets="cloudfunctions.googleapis.com/Function",
        children=(
            _policy(
                "function",
                FUNCTIONS,
                "v2/{parent}:getIamPolicy",
                "cloudfunctions.functions.getIamPolicy",
                asset="cloudfunctions.googleapis.com/Function",
            ),
        ),
    ),
    _row(
        "run_service",
        RUN,
        "v1/projects/{project}/locations/-/services",
        "run.services.list",
        "web_app",
        services.run_service_basics,
        services.run_service,
        leads_to=services.run_service_path,
        assets="run.googleapis.com/Service",
        children=(
            _policy(
                "run_service",
                RUN,
                "v1/projects/{project}/{parent}:getIamPolicy",
                "run.services.getIamPolicy",
                asset="run.googleapis.com/Service",
            ),
        ),
    ),
)

TABLE: tuple[Row, ...] = (
    *_FIREWALLS,
    *_COMPUTE,
    *_DATA,
    *_IDENTITIES,
    *_KEYS_AND_SECRETS,
    *_OPERATIONS,
    *_SERVICES,
)
"""What a project, a folder or an organization has. :data:`SERVICES` is apart, as it is read before the others."""

SCOPES: tuple[Row, ...] = (ORGANIZATION, FOLDER, PROJECT)


def record_types() -> list[str]:
    """Return the ``ext.record_type`` of everything that can be read."""
    return [name for row in (*SCOPES, SERVICES, *TABLE) for name in row.record_types]


def rows_for(wanted: Iterable[str] | None) -> tuple[Row, ...]:
    """Return the rows of :data:`TABLE` as far as they are needed for the *wanted* record types; None for all."""
    if wanted is None:
        return TABLE
    names = frozenset(wanted)
    return tuple(kept for row in TABLE if (kept := row.only(names)))


def token_scopes(rows: Iterable[Row]) -> list[str]:
    """Return what a token must be for to read *rows*, and the scopes that contain them: as little as possible."""
    needed = {RESOURCE_MANAGER.oauth_scope} | {step.api.oauth_scope for row in rows for step in row.walk()}
    return [CLOUD_PLATFORM] if CLOUD_PLATFORM in needed else sorted(needed)


ASSET_LIST = Row(
    ASSETS,
    "v1/{scope}/assets",
    "cloudasset.assets.listResource",
    levels=EVERYWHERE,
    items="assets",
    query={"pageSize": "1000"},
)
"""The assets of a project, or of everything in a folder or organization."""

API_NAMES = frozenset(
    {"iamcredentials", ASSETS.name} | {step.api.name for row in (*SCOPES, SERVICES, *TABLE) for step in row.walk()}
)
"""The first parts of the host names of all APIs that may be asked."""
