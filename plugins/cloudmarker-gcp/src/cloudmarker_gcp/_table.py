"""The resource types that are read: one row each. A further type is a further row, and its transform."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cloudmarker_gcp import _records
from cloudmarker_gcp._records import Transform

READ_ONLY = "https://www.googleapis.com/auth/cloud-platform.read-only"
COMPUTE_READ_ONLY = "https://www.googleapis.com/auth/compute.readonly"

PAGE_SIZE = 500
"""Items of a page that Compute Engine is asked for; more it never gives."""


@dataclass(frozen=True)
class Api:
    """One of Google's APIs.

    Attributes:
        name: in discovery documents.
        version: likewise.
        path: where its paths begin under an endpoint that serves all APIs.
        scope: what the token must be for.
        used_where_read: whether it counts as used by the project that is read. If so, "not enabled" says that nothing
            of it exists there; if not, it is the caller's own project that lacks it, and nothing is known.
    """

    name: str
    version: str
    path: str
    scope: str
    used_where_read: bool


@dataclass(frozen=True)
class Part:
    """A resource type that comes inside the JSON of another.

    Attributes:
        record_type: the ``ext.record_type`` of its records.
        members: finds them in the owner's JSON; raises RecordError if they are not what they should be.
        transform: makes the record of one.
    """

    record_type: str
    members: Callable[[dict[str, Any]], list[Any]]
    transform: Transform


@dataclass(frozen=True)
class Row:
    """A resource type that has a list of its own.

    Attributes:
        record_type: the ``ext.record_type`` of its records.
        api: where the list is.
        collection: of that API, as in its discovery document; dots between nested ones.
        permission: what reading it needs.
        transform: makes the record of one.
        method: of the collection. Zonal types are read with ``list`` in given zones, with ``aggregatedList`` in all.
        arguments: of the method; ``{project_id}`` in them is replaced.
        items: the field of a page that holds the items; None: the answer is itself the item.
        zonal: whether its resources live in zones.
        parts: the types that come inside it.
        if_empty: why an empty list means that something is not seen; None if it simply means there is none.
    """

    record_type: str
    api: Api
    collection: str
    permission: str
    transform: Transform
    method: str = "list"
    arguments: Mapping[str, str | int] = field(default_factory=dict)
    items: str | None = "items"
    zonal: bool = False
    parts: tuple[Part, ...] = ()
    if_empty: str | None = None

    @property
    def record_types(self) -> tuple[str, ...]:
        """The ``ext.record_type`` of all records that reading the list gives."""
        return (self.record_type, *(part.record_type for part in self.parts))


COMPUTE = Api("compute", "v1", "compute/v1/", COMPUTE_READ_ONLY, used_where_read=True)
RESOURCE_MANAGER = Api("cloudresourcemanager", "v3", "", READ_ONLY, used_where_read=False)

_IN_PROJECT: Mapping[str, str | int] = {"project": "{project_id}", "maxResults": PAGE_SIZE}

PROJECTS = Row(
    record_type="project",
    api=RESOURCE_MANAGER,
    collection="projects",
    method="search",
    items="projects",
    permission="resourcemanager.projects.get",
    transform=_records.project,
    if_empty="no project is visible: give the account the role Viewer on a project, a folder or the organization",
)
"""The projects that can be seen. The search leaves out those that cannot, without a word."""

PROJECT = Row(
    record_type="project",
    api=RESOURCE_MANAGER,
    collection="projects",
    method="get",
    arguments={"name": "projects/{project_id}"},
    items=None,
    permission="resourcemanager.projects.get",
    transform=_records.project,
)
"""A project that was asked for and is not among those: new ones appear in the search after a while only."""

TABLE: tuple[Row, ...] = (
    Row(
        record_type="firewall",
        api=COMPUTE,
        collection="firewalls",
        arguments=_IN_PROJECT,
        permission="compute.firewalls.list",
        transform=_records.firewall,
        parts=(
            Part(
                record_type="firewall_rule",
                members=_records.firewall_entries,
                transform=_records.firewall_rule,
            ),
        ),
    ),
    Row(
        record_type="instance",
        api=COMPUTE,
        collection="instances",
        arguments=_IN_PROJECT,
        permission="compute.instances.list",
        transform=_records.instance,
        zonal=True,
    ),
)
"""The resource types of a project."""
