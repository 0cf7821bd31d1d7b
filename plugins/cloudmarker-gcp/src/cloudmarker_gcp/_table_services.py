"""Rows of the table: who may do what, what is logged and watched, and what Google runs for its customers."""

from __future__ import annotations

from cloudmarker_gcp import (
    _com_compute as machines,
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
from cloudmarker_gcp._apis import CONTACTS, DNS, FUNCTIONS, GKE, IAM, LOGGING, MONITORING, RESOURCE_MANAGER, RUN
from cloudmarker_gcp._record import Kind, in_scope, named
from cloudmarker_gcp._row import Row, part
from cloudmarker_gcp._rowmakers import EVERYWHERE, POLICY_BODY, policy, row

_SCOPE_POLICY = Row(
    RESOURCE_MANAGER,
    "v3/{scope}:getIamPolicy",
    "resourcemanager.{level}s.getIamPolicy",
    Kind("iam_policy", "iam_policy", identity.policy_basics, identity.policy),
    levels=EVERYWHERE,
    items=None,
    posts=POLICY_BODY,
    assets="cloudresourcemanager.googleapis.com/(Organization|Folder|Project)",
    parts=(
        identity.binding("iam_binding"),
        part(
            Kind("audit_config", "audit_config", identity.audit_config_basics, identity.audit_config),
            identity.part_of_policy("auditConfigs"),
        ),
    ),
)

IDENTITIES = (
    _SCOPE_POLICY,
    row(
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
            row(
                "service_account_key",
                IAM,
                "v1/{parent}/keys",
                "iam.serviceAccountKeys.list",
                "",
                named("iam.googleapis.com", created="validAfterTime"),
                identity.service_account_key,
                items="keys",
            ),
            policy(
                "service_account",
                IAM,
                "v1/{parent}:getIamPolicy",
                "iam.serviceAccounts.getIamPolicy",
                posts=True,
            ),
        ),
    ),
    row(
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
    row(
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

OPERATIONS = (
    row(
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
    row(
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
    row(
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
    row(
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
    row(
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

SERVICES = (
    row(
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
    row(
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
            policy(
                "function",
                FUNCTIONS,
                "v2/{parent}:getIamPolicy",
                "cloudfunctions.functions.getIamPolicy",
                asset="cloudfunctions.googleapis.com/Function",
            ),
        ),
    ),
    row(
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
            policy(
                "run_service",
                RUN,
                "v1/projects/{project}/{parent}:getIamPolicy",
                "run.services.getIamPolicy",
                asset="run.googleapis.com/Service",
            ),
        ),
    ),
)
