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
from cloudmarker_gcp._rowmakers import EVERYWHERE, POLICY_BODY, POLICY_OPTIONS, policy, row

_SCOPE_POLICY = Row(
    RESOURCE_MANAGER,
    "cloudresourcemanager.{level}s.getIamPolicy",
    "resourcemanager.{level}s.getIamPolicy",
    Kind("iam_policy", "iam_policy", identity.policy_basics, identity.policy),
    arguments={"resource": "{scope}"},
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
        "iam.projects.serviceAccounts.list",
        "iam.serviceAccounts.list",
        "identity",
        named("iam.googleapis.com"),
        identity.service_account,
        items="accounts",
        arguments={"name": "projects/{project}", "pageSize": "100"},
        assets="iam.googleapis.com/ServiceAccount",
        children=(
            row(
                "service_account_key",
                IAM,
                "iam.projects.serviceAccounts.keys.list",
                "iam.serviceAccountKeys.list",
                "",
                named("iam.googleapis.com", created="validAfterTime"),
                identity.service_account_key,
                arguments={"name": "{parent}"},
                items="keys",
            ),
            policy(
                "service_account",
                IAM,
                "iam.projects.serviceAccounts.getIamPolicy",
                "iam.serviceAccounts.getIamPolicy",
            ),
        ),
    ),
    row(
        "custom_role",
        IAM,
        "iam.{level}s.roles.list",
        "iam.roles.list",
        "role",
        named("iam.googleapis.com", shown="title"),
        identity.custom_role,
        levels=("organization", "project"),
        items="roles",
        arguments={"parent": "{scope}", "view": "FULL", "pageSize": "300"},
        assets="iam.googleapis.com/Role",
    ),
    row(
        "contact",
        CONTACTS,
        "essentialcontacts.{level}s.contacts.list",
        "essentialcontacts.contacts.list",
        "security_contact",
        named("essentialcontacts.googleapis.com", shown="email"),
        identity.contact,
        levels=EVERYWHERE,
        items="contacts",
        arguments={"parent": "{scope}", "pageSize": "100"},
    ),
)

OPERATIONS = (
    row(
        "managed_zone",
        DNS,
        "dns.managedZones.list",
        "dns.managedZones.list",
        "dns_zone",
        in_scope("dns.googleapis.com", "managedZones", created="creationTime"),
        networks.managed_zone,
        arguments={"project": "{project}"},
        items="managedZones",
        assets="dns.googleapis.com/ManagedZone",
    ),
    row(
        "dns_policy",
        DNS,
        "dns.policies.list",
        "dns.policies.list",
        "",
        in_scope("dns.googleapis.com", "policies"),
        networks.dns_policy,
        arguments={"project": "{project}"},
        items="policies",
        assets="dns.googleapis.com/Policy",
    ),
    row(
        "log_sink",
        LOGGING,
        "logging.{level}s.sinks.list",
        "logging.sinks.list",
        "",
        in_scope("logging.googleapis.com", "sinks"),
        machines.is_enabled,
        levels=EVERYWHERE,
        items="sinks",
        arguments={"parent": "{scope}", "pageSize": "1000"},
        assets="logging.googleapis.com/LogSink",
    ),
    row(
        "log_metric",
        LOGGING,
        "logging.projects.metrics.list",
        "logging.logMetrics.list",
        "",
        in_scope("logging.googleapis.com", "metrics"),
        machines.is_enabled,
        items="metrics",
        arguments={"parent": "projects/{project}", "pageSize": "1000"},
        assets="logging.googleapis.com/LogMetric",
    ),
    row(
        "alert_policy",
        MONITORING,
        "monitoring.projects.alertPolicies.list",
        "monitoring.alertPolicies.list",
        "",
        named("monitoring.googleapis.com", label_key="userLabels", shown="displayName"),
        machines.is_on,
        items="alertPolicies",
        arguments={"name": "projects/{project}", "pageSize": "1000"},
        assets="monitoring.googleapis.com/AlertPolicy",
    ),
)

SERVICES = (
    row(
        "gke_cluster",
        GKE,
        "container.projects.locations.clusters.list",
        "container.clusters.list",
        "kubernetes_cluster",
        services.cluster_basics,
        services.cluster,
        arguments={"parent": "projects/{project}/locations/-"},
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
        "cloudfunctions.projects.locations.functions.list",
        "cloudfunctions.functions.list",
        "web_app",
        named("cloudfunctions.googleapis.com"),
        services.function,
        items="functions",
        arguments={"parent": "projects/{project}/locations/-", "pageSize": "1000"},
        assets="cloudfunctions.googleapis.com/Function",
        guarded=True,
    ),
    row(
        "run_service",
        RUN,
        "run.projects.locations.services.list",
        "run.services.list",
        "web_app",
        services.run_service_basics,
        services.run_service,
        arguments={"parent": "projects/{project}/locations/-"},
        leads_to=services.run_service_path,
        assets="run.googleapis.com/Service",
        children=(
            policy(
                "run_service",
                RUN,
                "run.projects.locations.services.getIamPolicy",
                "run.services.getIamPolicy",
                asset="run.googleapis.com/Service",
                arguments={"resource": "projects/{project}/{parent}", **POLICY_OPTIONS},
            ),
        ),
    ),
)
