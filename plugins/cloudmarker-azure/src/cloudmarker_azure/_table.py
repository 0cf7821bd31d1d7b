"""The resource types that are read: one row each. docs/azure.md has the same table, and why which API version."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cloudmarker_azure import (
    _com_compute as compute,
)
from cloudmarker_azure import (
    _com_data as data,
)
from cloudmarker_azure import (
    _com_firewall as firewall,
)
from cloudmarker_azure import (
    _com_identity as identity,
)
from cloudmarker_azure import (
    _com_network as network,
)
from cloudmarker_azure import (
    _com_storage as storage,
)
from cloudmarker_azure import (
    _com_web as web,
)
from cloudmarker_azure._json import Item, is_word
from cloudmarker_azure._records import Fields, Kind
from cloudmarker_azure._row import Part, Row

COMPUTE = "/providers/Microsoft.Compute"
NETWORK = "/providers/Microsoft.Network"
STORAGE = "/providers/Microsoft.Storage"
KEY_VAULT = "/providers/Microsoft.KeyVault"
SQL = "/providers/Microsoft.Sql"
MYSQL = "/providers/Microsoft.DBforMySQL"
POSTGRESQL = "/providers/Microsoft.DBforPostgreSQL"
WEB = "/providers/Microsoft.Web"
AUTHORIZATION = "/providers/Microsoft.Authorization"
INSIGHTS = "/providers/Microsoft.Insights"
SECURITY = "/providers/Microsoft.Security"

COMPUTE_VERSION = "2024-07-01"
DISK_VERSION = "2024-03-02"
NETWORK_VERSION = "2024-05-01"
STORAGE_VERSION = "2023-05-01"
KEY_VAULT_VERSION = "2023-07-01"
SQL_VERSION = "2023-08-01"
SINGLE_SERVER_VERSION = "2017-12-01"
MYSQL_VERSION = "2023-12-30"
POSTGRESQL_VERSION = "2024-08-01"
WEB_VERSION = "2023-12-01"
DIAGNOSTICS_VERSION = "2021-05-01-preview"


def _row(
    record_type: str, path: str, api_version: str, com: str = "", fields: Fields | None = None, **more: Any
) -> Row:
    """Return the row of a type whose ``com.record_type`` is *com*, or its own if that is not in the common model."""
    return Row(Kind(record_type, com or record_type, fields), path, api_version, **more)


def _part(record_type: str, member: str, com: str, fields: Fields, collection: str = "") -> Part:
    return Part(Kind(record_type, com, fields), ("properties", member), collection)


def _databases(name: str, root: str, version: str, fields: Fields) -> tuple[Row, ...]:
    """Return the rows of a kind of MySQL or PostgreSQL servers."""
    child: dict[str, Any] = {"parent": name}
    return (
        _row(name, root, version, "database_server", fields),
        _row(f"{name}_firewall_rule", "/firewallRules", version, "network_rule", network.network_rule, **child),
        _row(f"{name}_configuration", "/configurations", version, **child),
    )


def _not(test: Callable[[Item], bool]) -> Callable[[Item], bool]:
    return lambda item: not test(item)


def _is_master(item: Item) -> bool:
    """Return whether a database of a SQL server is the one that every server has for itself; it is not encrypted."""
    return is_word(item, "master", "name")


SUBSCRIPTIONS = _row(
    "subscription",
    "/subscriptions",
    "2022-12-01",
    "scope",
    identity.subscription,
    scope="tenant",
    if_empty="no subscription is visible: give the identity the Reader role on a subscription or a management group",
)

TABLE: tuple[Row, ...] = (
    SUBSCRIPTIONS,
    _row(
        "management_group",
        "/providers/Microsoft.Management/managementGroups",
        "2021-04-01",
        "scope",
        identity.management_group,
        scope="tenant",
    ),
    _row("resource_group", "/resourcegroups", "2021-04-01", "scope", identity.resource_group),
    _row("resource", "/resources", "2021-04-01", query=(("$expand", "createdTime,changedTime,provisioningState"),)),
    # Machines and disks.
    _row("virtual_machine", f"{COMPUTE}/virtualMachines", COMPUTE_VERSION, "compute", compute.virtual_machine),
    _row("vm_scale_set", f"{COMPUTE}/virtualMachineScaleSets", COMPUTE_VERSION, "compute_group", compute.vm_scale_set),
    _row("disk", f"{COMPUTE}/disks", DISK_VERSION, "disk", compute.disk),
    _row("snapshot", f"{COMPUTE}/snapshots", DISK_VERSION, "snapshot", compute.snapshot),
    _row("image", f"{COMPUTE}/images", COMPUTE_VERSION, "image", compute.image),
    # Networks.
    _row("nic", f"{NETWORK}/networkInterfaces", NETWORK_VERSION, "network_interface", network.nic),
    _row(
        "nsg",
        f"{NETWORK}/networkSecurityGroups",
        NETWORK_VERSION,
        "firewall",
        firewall.nsg,
        # properties.defaultSecurityRules are not read: nobody made them, and nobody can remove them.
        parts=(_part("security_rule", "securityRules", "firewall_rule", firewall.security_rule),),
    ),
    _row("public_ip", f"{NETWORK}/publicIPAddresses", NETWORK_VERSION, "public_ip", network.public_ip),
    _row("lb", f"{NETWORK}/loadBalancers", NETWORK_VERSION, "load_balancer", network.lb),
    _row("app_gateway", f"{NETWORK}/applicationGateways", NETWORK_VERSION, "load_balancer", network.app_gateway),
    _row(
        "virtual_network",
        f"{NETWORK}/virtualNetworks",
        NETWORK_VERSION,
        "network",
        network.virtual_network,
        parts=(_part("subnet", "subnets", "subnet", network.subnet),),
    ),
    _row("route_table", f"{NETWORK}/routeTables", NETWORK_VERSION, "route_table", network.route_table),
    _row("network_watcher", f"{NETWORK}/networkWatchers", NETWORK_VERSION),
    _row("flow_log", "/flowLogs", NETWORK_VERSION, parent="network_watcher"),
    _row("azure_firewall", f"{NETWORK}/azureFirewalls", NETWORK_VERSION),
    _row("bastion", f"{NETWORK}/bastionHosts", NETWORK_VERSION),
    _row("dns_zone", f"{NETWORK}/dnsZones", "2018-05-01", "dns_zone", network.dns_zone),
    _row("private_dns_zone", f"{NETWORK}/privateDnsZones", "2020-06-01", "dns_zone", network.private_dns_zone),
    # Storage, keys and secrets.
    _row("storage_account", f"{STORAGE}/storageAccounts", STORAGE_VERSION, "storage", storage.storage_account),
    _row(
        "blob_service",
        "/blobServices",
        STORAGE_VERSION,
        "storage_service",
        storage.blob_service,
        parent="storage_account",
        had_by=storage.has_blobs,
    ),
    _row(
        "blob_container",
        "/blobServices/default/containers",
        STORAGE_VERSION,
        "storage_container",
        storage.blob_container,
        parent="storage_account",
        had_by=storage.has_blobs,
    ),
    _row("key_vault", f"{KEY_VAULT}/vaults", KEY_VAULT_VERSION, "key_vault", storage.key_vault),
    _row("key_vault_key", "/keys", KEY_VAULT_VERSION, "key", storage.key, parent="key_vault"),
    _row("key_vault_secret", "/secrets", KEY_VAULT_VERSION, "secret", storage.secret, parent="key_vault"),
    _row("key_vault_diagnostic_setting", f"{INSIGHTS}/diagnosticSettings", DIAGNOSTICS_VERSION, parent="key_vault"),
    # Databases.
    _row(
        "sql_server",
        f"{SQL}/servers",
        SQL_VERSION,
        "database_server",
        data.sql_server,
        query=(("$expand", "administrators/activedirectory"),),
    ),
    _row(
        "sql_server_firewall_rule",
        "/firewallRules",
        SQL_VERSION,
        "network_rule",
        network.network_rule,
        parent="sql_server",
    ),
    _row(
        "sql_server_network_rule",
        "/virtualNetworkRules",
        SQL_VERSION,
        "network_rule",
        network.network_rule,
        parent="sql_server",
    ),
    _row("sql_server_auditing", "/auditingSettings", SQL_VERSION, parent="sql_server"),
    _row("sql_server_administrator", "/administrators", SQL_VERSION, parent="sql_server"),
    _row(
        "sql_server_encryption_protector", "/encryptionProtector/current", SQL_VERSION, parent="sql_server", single=True
    ),
    _row("sql_database", "/databases", SQL_VERSION, "database", data.sql_database, parent="sql_server"),
    _row(
        "sql_database_encryption",
        "/transparentDataEncryption/current",
        SQL_VERSION,
        parent="sql_database",
        had_by=_not(_is_master),
        single=True,
    ),
    *_databases("mysql_server", f"{MYSQL}/servers", SINGLE_SERVER_VERSION, data.mysql_server),
    *_databases("mysql_flexible_server", f"{MYSQL}/flexibleServers", MYSQL_VERSION, data.mysql_flexible_server),
    *_databases("postgresql_server", f"{POSTGRESQL}/servers", SINGLE_SERVER_VERSION, data.postgresql_server),
    *_databases(
        "postgresql_flexible_server",
        f"{POSTGRESQL}/flexibleServers",
        POSTGRESQL_VERSION,
        data.postgresql_flexible_server,
    ),
    _row(
        "cosmos_db",
        "/providers/Microsoft.DocumentDB/databaseAccounts",
        "2024-05-15",
        "database_server",
        data.cosmos_db,
    ),
    _row("redis", "/providers/Microsoft.Cache/redis", "2024-03-01", "database_server", data.redis),
    _row("redis_firewall_rule", "/firewallRules", "2024-03-01", "network_rule", network.network_rule, parent="redis"),
    _row(
        "service_bus_namespace",
        "/providers/Microsoft.ServiceBus/namespaces",
        "2024-01-01",
        "messaging",
        data.service_bus,
    ),
    _row(
        "event_hub_namespace",
        "/providers/Microsoft.EventHub/namespaces",
        "2024-01-01",
        "messaging",
        data.event_hubs,
    ),
    # Applications, clusters and registries.
    _row(
        "web_app",
        f"{WEB}/sites",
        WEB_VERSION,
        "web_app",
        web.web_app,
        variants=((Kind("function_app", "web_app", web.web_app), web.is_function_app),),
    ),
    _row("web_app_config", "/config/web", WEB_VERSION, parent="web_app", single=True),
    _row("web_app_auth_settings", "/config/authsettingsV2", WEB_VERSION, parent="web_app", single=True),
    _row("app_service_plan", f"{WEB}/serverfarms", WEB_VERSION),
    _row(
        "aks_cluster",
        "/providers/Microsoft.ContainerService/managedClusters",
        "2024-09-01",
        "kubernetes_cluster",
        compute.aks_cluster,
        parts=(_part("aks_node_pool", "agentPoolProfiles", "node_pool", compute.aks_node_pool, "agentPools"),),
    ),
    _row(
        "container_registry",
        "/providers/Microsoft.ContainerRegistry/registries",
        "2023-07-01",
        "container_registry",
        compute.container_registry,
    ),
    # Who may do what, what is logged, and what is guarded.
    _row(
        "managed_identity",
        "/providers/Microsoft.ManagedIdentity/userAssignedIdentities",
        "2023-01-31",
        "identity",
        identity.managed_identity,
    ),
    _row(
        "role_assignment",
        f"{AUTHORIZATION}/roleAssignments",
        "2022-04-01",
        "identity_binding",
        identity.role_assignment,
    ),
    _row(
        "role_definition",
        f"{AUTHORIZATION}/roleDefinitions",
        "2022-04-01",
        "role",
        identity.role_definition,
        # The hundreds of roles that Azure brings are the same in every subscription.
        query=(("$filter", "type eq 'CustomRole'"),),
    ),
    _row(
        "policy_assignment",
        f"{AUTHORIZATION}/policyAssignments",
        "2023-04-01",
        "policy",
        identity.policy_assignment,
    ),
    _row("diagnostic_setting", f"{INSIGHTS}/diagnosticSettings", DIAGNOSTICS_VERSION),
    _row("activity_log_alert", f"{INSIGHTS}/activityLogAlerts", "2020-10-01"),
    _row("log_profile", f"{INSIGHTS}/logProfiles", "2016-03-01"),
    _row("defender_pricing", f"{SECURITY}/pricings", "2024-01-01"),
    _row(
        "security_contact",
        f"{SECURITY}/securityContacts",
        "2023-12-01-preview",
        "security_contact",
        identity.security_contact,
    ),
)

RECORD_TYPES = tuple(dict.fromkeys(record_type for row in TABLE for record_type in row.record_types))
"""Every ``ext.record_type`` that can be read, in the order of the table."""

COM_TYPES = {kind.record_type: kind.com_type for row in TABLE for kind in row.kinds}
"""The ``com.record_type`` of each of them."""


def children(row: Row) -> tuple[Row, ...]:
    """Return the rows of the lists that the resources of a *row* have."""
    return tuple(child for child in TABLE if child.parent == row.record_type)
