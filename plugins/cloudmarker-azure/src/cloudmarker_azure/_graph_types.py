"""What Azure Resource Graph holds, how it is asked for it, and how its rows become what lists would answer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cloudmarker_azure._json import texts
from cloudmarker_azure._row import Row

GROUPS: tuple[frozenset[str], ...] = (
    frozenset({"resource_group"}),
    frozenset({"virtual_machine", "vm_scale_set", "disk", "snapshot", "image"}),
    frozenset(
        {
            "nic",
            "nsg",
            "public_ip",
            "lb",
            "app_gateway",
            "virtual_network",
            "route_table",
            "network_watcher",
            "azure_firewall",
            "bastion",
            "dns_zone",
            "private_dns_zone",
        }
    ),
    frozenset(
        {
            "storage_account",
            "key_vault",
            "mysql_server",
            "mysql_flexible_server",
            "postgresql_server",
            "postgresql_flexible_server",
            "cosmos_db",
            "redis",
            "service_bus_namespace",
            "event_hub_namespace",
            "web_app",
            "app_service_plan",
            "aks_cluster",
            "container_registry",
            "managed_identity",
            "activity_log_alert",
        }
    ),
)
"""The rows of the table, by record type, that are read through it, a query for each group of them.

They are top-level resources whose list needs no expansion. The rest is not in its tables ``resources`` and
``resourcecontainers``, or is there without what is needed of it. Every query counts, and few are allowed in a moment,
so there are few; and not one for all, as a query that fails costs all that it asks for a list each.
"""

HELD = frozenset.union(*GROUPS)
"""All of these."""

LACKING = ("etag", "systemData")
"""Top-level keys that Azure Resource Manager has and Azure Resource Graph does not."""

KNOWN_SUBSCRIPTIONS = (
    "resourcecontainers | where type =~ 'microsoft.resources/subscriptions' | project id, subscriptionId"
    " | order by id asc"
)

_COLUMNS = (
    "id", "name", "type", "kind", "location", "managedBy", "sku", "plan", "tags", "identity", "zones",
    "extendedLocation", "properties", "subscriptionId",
)  # fmt: skip


def resource_type(row: Row) -> str:
    """Return the type of a *row*'s resources, as Azure Resource Manager spells it."""
    return "Microsoft.Resources/resourceGroups" if _is_group(row) else row.path.removeprefix("/providers/")


def graph_type(row: Row) -> str:
    """Return the type of a *row*'s resources, as Azure Resource Graph spells it."""
    return "microsoft.resources/subscriptions/resourcegroups" if _is_group(row) else resource_type(row).lower()


def query(rows: Sequence[Row]) -> str:
    """Return the query that gives the resources of all *rows*, which are of one group."""
    table = "resourcecontainers" if _is_group(rows[0]) else "resources"
    types = ", ".join(f"'{graph_type(row)}'" for row in rows)
    return f"{table} | where type in~ ({types}) | project {', '.join(_COLUMNS)} | order by id asc"


def as_listed(row: Row, found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the resource that a row of the Graph is about as Azure Resource Manager would list it.

    Every row has every column, empty where the resource has no such key; and its type is in lower case.
    """
    listed = {
        key: found[key]
        for key in _COLUMNS
        if key != "subscriptionId" and found.get(key) is not None and found.get(key) != ""
    }
    if "type" in listed:
        listed["type"] = resource_type(row)
    return listed


def may_read(permissions: Iterable[Any], row: Row) -> bool:
    """Return whether *permissions* allow to read the resources of a *row*.

    Args:
        permissions: of the caller: https://learn.microsoft.com/rest/api/authorization/permissions.
        row: of the table.
    """
    action = f"{graph_type(row)}/read"
    return any(
        _matches(texts(entry, "actions"), action) and not _matches(texts(entry, "notActions"), action)
        for entry in permissions
    )


def _is_group(row: Row) -> bool:
    return row.record_type == "resource_group"


def _matches(patterns: Sequence[str], action: str) -> bool:
    return any(
        re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), action, re.IGNORECASE) is not None for pattern in patterns
    )
