"""The resource types that are read: one row each. docs/gcp.md has the same table, with what each needs.

Methods and their arguments are those of Google's discovery documents: https://developers.google.com/discovery.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from cloudmarker_gcp import _com_compute as machines
from cloudmarker_gcp import _com_identity as identity
from cloudmarker_gcp._apis import ASSETS, RESOURCE_MANAGER, SERVICE_USAGE
from cloudmarker_gcp._record import named
from cloudmarker_gcp._row import CLOUD_PLATFORM, Api, Row
from cloudmarker_gcp._rowmakers import EVERYWHERE, row
from cloudmarker_gcp._scopes import Level
from cloudmarker_gcp._table_compute import FIREWALLS, MACHINES_AND_NETWORKS
from cloudmarker_gcp._table_data import DATA, KEYS_AND_SECRETS
from cloudmarker_gcp._table_services import IDENTITIES, OPERATIONS
from cloudmarker_gcp._table_services import SERVICES as MANAGED

PROJECT = row(
    "project",
    RESOURCE_MANAGER,
    "cloudresourcemanager.projects.get",
    "resourcemanager.projects.get",
    "scope",
    identity.scope_basics,
    identity.scope,
    arguments={"name": "projects/{parent}"},
    items=None,
)
FOLDER = row(
    "folder",
    RESOURCE_MANAGER,
    "cloudresourcemanager.folders.get",
    "resourcemanager.folders.get",
    "scope",
    identity.scope_basics,
    identity.scope,
    arguments={"name": "folders/{parent}"},
    items=None,
)
ORGANIZATION = row(
    "organization",
    RESOURCE_MANAGER,
    "cloudresourcemanager.organizations.get",
    "resourcemanager.organizations.get",
    "scope",
    identity.scope_basics,
    identity.scope,
    arguments={"name": "organizations/{parent}"},
    items=None,
)

_ROWS_OF: tuple[tuple[Level, Row], ...] = (("organization", ORGANIZATION), ("folder", FOLDER), ("project", PROJECT))

SEARCHED: Mapping[Level, Row] = {
    level: replace(
        row,
        method=f"cloudresourcemanager.{level}s.search",
        items=f"{level}s",
        arguments={"pageSize": "500"},
    )
    for level, row in _ROWS_OF
}
"""Lists of all that can be seen. They leave out what cannot, without a word."""

LISTED: Mapping[Level, Row] = {
    level: replace(
        row,
        method=f"cloudresourcemanager.{level}s.list",
        items=f"{level}s",
        permission=f"resourcemanager.{level}s.list",
        arguments={"pageSize": "500", "parent": "{parent}"},
    )
    for level, row in _ROWS_OF
    if level != "organization"
}
"""Lists of what is directly in a folder or organization."""

SERVICES = row(
    "service",
    SERVICE_USAGE,
    "serviceusage.services.list",
    "serviceusage.services.list",
    "",
    named("serviceusage.googleapis.com"),
    machines.is_service_enabled,
    items="services",
    arguments={"parent": "{scope}", "filter": "state:ENABLED", "pageSize": "200"},
    assets="serviceusage.googleapis.com/Service",
)
"""The services that are enabled in a project. They are read first, as nothing can be there of the others."""

TABLE: tuple[Row, ...] = (
    *FIREWALLS,
    *MACHINES_AND_NETWORKS,
    *DATA,
    *IDENTITIES,
    *KEYS_AND_SECRETS,
    *OPERATIONS,
    *MANAGED,
)
"""What a project, a folder or an organization has. :data:`SERVICES` is apart, as it is read before the others."""

SCOPES: tuple[Row, ...] = (ORGANIZATION, FOLDER, PROJECT)


def record_types() -> list[str]:
    """Return the ``ext.record_type`` of everything that can be read."""
    return [name for row in (*SCOPES, SERVICES, *TABLE) for name in row.record_types]


def com_types() -> dict[str, str]:
    """Return the ``com.record_type`` of each of them."""
    return {name: kind for row in (*SCOPES, SERVICES, *TABLE) for name, kind in row.com_types.items()}


def rows_for(wanted: Iterable[str] | None) -> tuple[Row, ...]:
    """Return the rows of :data:`TABLE` as far as they are needed for the *wanted* record types; None for all."""
    if wanted is None:
        return TABLE
    names = frozenset(wanted)
    return tuple(kept for row in TABLE if (kept := row.only(names)))


def methods(rows: Iterable[Row]) -> Mapping[Api, set[str]]:
    """Return the ids of the methods that *rows* are read with, and those that find the scopes, by API."""
    found: dict[Api, set[str]] = {}
    for top in (*SCOPES, *SEARCHED.values(), *LISTED.values(), *rows):
        for step in top.walk():
            found.setdefault(step.api, set()).update(step.methods)
    return found


def token_scopes(rows: Iterable[Row]) -> list[str]:
    """Return what a token must be for to read *rows*, and the scopes that contain them: as little as possible."""
    needed = {RESOURCE_MANAGER.oauth_scope} | {step.api.oauth_scope for row in rows for step in row.walk()}
    return [CLOUD_PLATFORM] if CLOUD_PLATFORM in needed else sorted(needed)


ASSET_LIST = Row(
    ASSETS,
    "cloudasset.assets.list",
    "cloudasset.assets.listResource",
    levels=EVERYWHERE,
    items="assets",
    arguments={"parent": "{scope}", "pageSize": "1000"},
)
"""The assets of a project, or of everything in a folder or organization."""

API_NAMES = frozenset(
    {"iamcredentials", ASSETS.name} | {step.api.name for row in (*SCOPES, SERVICES, *TABLE) for step in row.walk()}
)
"""The first parts of the host names of all APIs that may be asked."""
