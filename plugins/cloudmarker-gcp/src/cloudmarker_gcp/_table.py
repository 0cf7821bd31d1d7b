"""The resource types that are read: one row each. docs/gcp.md has the same table, with what each needs.

Paths are those of Google's REST APIs; the tests compare them with the APIs' discovery documents.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from cloudmarker_gcp import _com_compute as machines
from cloudmarker_gcp import _com_identity as identity
from cloudmarker_gcp._apis import ASSETS, RESOURCE_MANAGER, SERVICE_USAGE
from cloudmarker_gcp._record import named
from cloudmarker_gcp._row import CLOUD_PLATFORM, Row
from cloudmarker_gcp._rowmakers import EVERYWHERE, row
from cloudmarker_gcp._scopes import Level
from cloudmarker_gcp._table_compute import FIREWALLS, MACHINES_AND_NETWORKS
from cloudmarker_gcp._table_data import DATA, KEYS_AND_SECRETS
from cloudmarker_gcp._table_services import IDENTITIES, OPERATIONS
from cloudmarker_gcp._table_services import SERVICES as MANAGED

PROJECT = row(
    "project",
    RESOURCE_MANAGER,
    "v3/projects/{parent}",
    "resourcemanager.projects.get",
    "scope",
    identity.scope_basics,
    identity.scope,
    items=None,
)
FOLDER = row(
    "folder",
    RESOURCE_MANAGER,
    "v3/folders/{parent}",
    "resourcemanager.folders.get",
    "scope",
    identity.scope_basics,
    identity.scope,
    items=None,
)
ORGANIZATION = row(
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

SERVICES = row(
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
