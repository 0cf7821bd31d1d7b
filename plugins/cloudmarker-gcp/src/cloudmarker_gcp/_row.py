"""What a row of the table of resource types says, and how its types hang together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cloudmarker.contracts import Record

from cloudmarker_gcp._json import Item, text
from cloudmarker_gcp._record import Kind, Where, record
from cloudmarker_gcp._scopes import Level, Scope

CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"
READ_ONLY = "https://www.googleapis.com/auth/cloud-platform.read-only"


@dataclass(frozen=True)
class Api:
    """One of Google's APIs.

    Attributes:
        name: the first part of its host name, and the name of its discovery document.
        version: of that.
        oauth_scope: the least that a token must be for.
        enabled_by: the services one of which must be enabled in a project, or nothing of the API can be there. Empty if
            that says nothing: the API counts as used by the project of the caller, or its resources do not need it.
        calls_per_minute: what Google allows a project by default, for the reads that are made here; 0 if not known.
    """

    name: str
    version: str
    oauth_scope: str = CLOUD_PLATFORM
    enabled_by: tuple[str, ...] = ()
    calls_per_minute: int = 0

    @property
    def host(self) -> str:
        """Its host name in Google's own universe."""
        return f"{self.name}.googleapis.com"


@dataclass(frozen=True)
class Part:
    """A resource type that comes inside the JSON of another.

    Attributes:
        record_type: the ``ext.record_type`` of its records.
        com_type: their ``com.record_type``.
        members: finds them in the owner's JSON; raises RecordError if they are not what they should be.
        make: makes the record of one, given where the owner is (and its ``com``), the owner's JSON, and the member.
    """

    record_type: str
    com_type: str
    members: Callable[[Item], list[Any]]
    make: Callable[[Where, Item, Any], Record]


def part(kind: Kind, members: Callable[[Item], list[Any]]) -> Part:
    """Return the part whose members are objects that make records of a *kind* by themselves."""
    return Part(kind.record_type, kind.com_type, members, lambda where, owner, member: record(kind, where, member))


def own_name(item: Item) -> str | None:
    """Return the ``name`` of a resource, which leads to what is below it."""
    return text(item, "name")


@dataclass(frozen=True)
class Row:
    """A resource type that has a list of its own, or what leads to such lists.

    Attributes:
        api: where the list is.
        method: id of the method that lists it, as in the API's discovery document. ``{level}`` is what is read from,
            and ``{collection}`` one of the *collections*.
        permission: what reading it needs.
        kind: of its records; None if it only leads to others.
        levels: what has such a list.
        items: the field of a page that holds the items; None: the answer is itself the item.
        arguments: of the method. ``{project}`` is the id of the project, ``{scope}`` the path of the project, folder or
            organization, ``{parent}`` what leads to a parent's list. A dot in a name is an underscore.
        posts: what is posted, where the API has only POST for reading it and takes a body: ``getIamPolicy`` of some
            APIs, and what is in groups.
        aggregated: the field that holds the items of one zone or region, in a list of all zones and regions.
        zone_method: id of the method that lists one zone, for what lives in zones.
        collections: those that a parent may be in, if the method depends on that. What leads to the parent then is its
            path below the project, which gives the arguments, too.
        leads_to: finds what ``{parent}`` is in the arguments of the children; None for an item that has none.
        children: what each of its resources has lists of.
        parts: the types that come inside its resources.
        assets: what Cloud Asset Inventory calls it, a regular expression; empty if it does not have the same JSON.
        if_empty: why an empty list means that something is not seen; None if it simply means there is none.
    """

    api: Api
    method: str
    permission: str
    kind: Kind | None = None
    levels: tuple[Level, ...] = ("project",)
    items: str | None = "items"
    arguments: Mapping[str, str] = field(default_factory=dict)
    posts: Mapping[str, Any] | None = None
    aggregated: str = ""
    zone_method: str = ""
    collections: tuple[str, ...] = ()
    leads_to: Callable[[Item], str | None] = own_name
    children: tuple[Row, ...] = ()
    parts: tuple[Part, ...] = ()
    assets: str = ""
    if_empty: str | None = None
    silent: bool = False

    @property
    def record_type(self) -> str:
        """The ``ext.record_type`` of its records; empty if it gives none."""
        return self.kind.record_type if self.kind and not self.silent else ""

    @property
    def own_types(self) -> tuple[str, ...]:
        """The ``ext.record_type`` of all records that reading the list gives."""
        own = [self.record_type] if self.record_type else []
        return (*own, *(part.record_type for part in self.parts))

    @property
    def record_types(self) -> tuple[str, ...]:
        """The same, with those of all lists below it."""
        return (*self.own_types, *(name for child in self.children for name in child.record_types))

    @property
    def com_types(self) -> dict[str, str]:
        """The ``com.record_type`` of each of these."""
        own = {self.record_type: self.kind.com_type} if self.kind and self.record_type else {}
        found = {**own, **{part.record_type: part.com_type for part in self.parts}}
        for child in self.children:
            found.update(child.com_types)
        return found

    @property
    def methods(self) -> set[str]:
        """The ids of all methods that reading the list may take."""
        return {
            template.format(level=level, collection=collection)
            for template in (self.method, self.zone_method)
            for level in self.levels
            for collection in self.collections or ("",)
            if template
        }

    def permission_in(self, scope: Scope) -> str:
        """Return what reading the row from a *scope* needs."""
        return self.permission.replace("{level}", scope.level)

    def walk(self) -> Iterator[Row]:
        """Yield the row and all below it."""
        yield self
        for child in self.children:
            yield from child.walk()

    def only(self, wanted: Collection[str]) -> Row | None:
        """Return the row as far as it is needed for records of the *wanted* types; None if it is not."""
        children = tuple(kept for child in self.children if (kept := child.only(wanted)))
        parts = tuple(part for part in self.parts if part.record_type in wanted)
        listed = self.record_type in wanted
        if not (listed or children or parts):
            return None
        return replace(self, children=children, parts=parts, silent=not listed)
