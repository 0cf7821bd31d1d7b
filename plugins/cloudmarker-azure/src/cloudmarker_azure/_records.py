"""Resources of Azure Resource Manager to records: JSON in, record out, no I/O.

``raw`` of a record is the very object it was given, unchanged. The fields that only one type has come from the
functions in the modules ``_com_…``, which a row of the table names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cloudmarker.contracts import Record
from cloudmarker.errors import RecordError

from cloudmarker_azure._json import Item, at, parent_of, text, timestamp

CLOUD_TYPE = "azure"

Fields = Callable[[Item, "str | None"], dict[str, Any]]
"""Returns the fields of the common model that only one record type has, given a resource and its parent's reference.

It may raise RecordError: the resource lacks what it must have. What is merely absent is null.
"""

_CREATED: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("systemData",), ("createdAt",)),
    (("properties",), ("timeCreated", "creationTime", "creationDate", "createdAt", "createdOn", "createdTime")),
    (("properties", "metadata"), ("createdOn",)),
    (("properties", "attributes"), ("created",)),
    ((), ("createdTime",)),
)
"""Where Azure's services say when a resource was made, object and keys in it; each has one of these, or none."""


@dataclass(frozen=True)
class Scope:
    """What is read from: the tenant, or a subscription of it.

    Attributes:
        tenant: id or domain of the tenant; None if not known.
        id: what the paths of its lists begin with: empty for the tenant, ``/subscriptions/<id>``.
        subscription_id: None for the tenant.
        subscription_name: likewise.
        subscription_state: as answered: Enabled, Warned, PastDue, Disabled, Deleted.
    """

    tenant: str | None
    id: str = ""
    subscription_id: str | None = None
    subscription_name: str | None = None
    subscription_state: str | None = None

    @property
    def account(self) -> str | None:
        """Its ``com.account``: the id of the subscription, lower case; None for the tenant."""
        return self.subscription_id.lower() if self.subscription_id else None

    @property
    def reference(self) -> str:
        """Its id in coverage records: its own, or ``/tenants/<tenant>``; ``/`` if the tenant is not known."""
        return self.id or (f"/tenants/{self.tenant}" if self.tenant else "/")

    def subscription(self, item: Mapping[str, Any]) -> Scope:
        """Return the scope that a subscription *item* of the tenant is.

        Raises:
            RecordError: it has no id.
        """
        subscription_id = text(item, "subscriptionId")
        if not subscription_id:
            raise RecordError(f"{text(item, 'id') or 'a subscription'} has no subscriptionId")
        return Scope(
            tenant=self.tenant or text(item, "tenantId"),
            id=f"/subscriptions/{subscription_id}",
            subscription_id=subscription_id,
            subscription_name=text(item, "displayName"),
            subscription_state=text(item, "state"),
        )


@dataclass(frozen=True)
class Owner:
    """The resource that another one belongs to: what is needed of it for the other's record.

    Attributes:
        id: its reference.
        location: where it is.
    """

    id: str
    location: str | None

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> Owner:
        """Return the owner that *item* is for what is in it, or listed under it."""
        return cls(text(item, "id") or "", text(item, "location"))


@dataclass(frozen=True)
class Kind:
    """A type of records.

    Attributes:
        record_type: of ``ext``.
        com_type: of ``com``; a type that is not in the common model has that of ``ext``.
        fields: returns what only that type has in ``com``; None if it has nothing but what all inventory has.
    """

    record_type: str
    com_type: str
    fields: Fields | None = None


def record(
    scope: Scope, kind: Kind, item: dict[str, Any], owner: Owner | None = None, reference: str | None = None
) -> Record:
    """Return the record of a resource.

    Args:
        scope: where it was read.
        kind: what it is.
        item: the resource. It is not changed, and becomes ``raw``.
        owner: the resource in whose JSON it stands, or under which it was listed.
        reference: its id, should it not say so itself.

    Raises:
        RecordError: it lacks what a resource of its kind must have.
    """
    reference = reference or text(item, "id")
    if not reference:
        raise RecordError(f"{text(item, 'name') or 'an item'} has no id")
    if kind.record_type == "subscription":
        scope = scope.subscription(item)
        parent = f"/tenants/{scope.tenant}" if scope.tenant else None
    else:
        parent = owner.id if owner else parent_of(reference)
    if scope.subscription_id and not reference.lower().startswith("/subscriptions/"):
        scope = Scope(scope.tenant)  # a role, say, that was given above the subscription, and is listed in all below
    try:
        own = kind.fields(item, parent) if kind.fields else {}
    except RecordError as exc:
        raise RecordError(f"{reference}: {exc}") from None
    location = text(item, "location") or (owner.location if owner else None)
    tags = _tags(item)
    return {
        "raw": item,
        "ext": {
            "cloud_type": CLOUD_TYPE,
            "record_type": kind.record_type,
            "tenant": scope.tenant,
            "subscription_id": scope.subscription_id,
            "subscription_name": scope.subscription_name,
            "subscription_state": scope.subscription_state,
            "resource_group": _group_name(reference),
            "location": location,
            "tags": tags,
            "parent": parent,
        },
        "com": {
            "cloud_type": CLOUD_TYPE,
            "record_type": kind.com_type,
            "reference": reference,
            "account": scope.account,
            "name": _name(item, reference),
            "location": _region(location),
            "tags": tags,
            "parent": parent,
            "created": _created(item),
            **own,
        },
    }


def _name(item: Mapping[str, Any], reference: str) -> str:
    """Return what people call it: subscriptions and management groups have ids for names, and roles too."""
    shown = text(item, "displayName") or text(item, "properties", "roleName")
    if not shown and "/managementgroups/" in reference.lower():
        shown = text(item, "properties", "displayName")
    return shown or text(item, "name") or reference.rpartition("/")[2]


def _region(location: str | None) -> str | None:
    """Return the name of a region, from that or from its display name, ``East US``; None for all of the world."""
    name = (location or "").lower().replace(" ", "")
    return None if name in ("", "global") else name


def _tags(item: Mapping[str, Any]) -> dict[str, str]:
    tags = item.get("tags")
    return {key: value for key, value in tags.items() if isinstance(value, str)} if isinstance(tags, dict) else {}


def _created(item: Mapping[str, Any]) -> str | None:
    for path, keys in _CREATED:
        inside = at(item, *path)
        if isinstance(inside, dict):
            for key in keys:
                if key in inside and (moment := timestamp(inside[key])):
                    return moment
    return None


def _group_name(reference: str) -> str | None:
    """Return the name of the resource group in an id, in the id's own spelling; None if it is in none."""
    parts = reference.split("/")
    return parts[4] if len(parts) > 4 and parts[3].lower() == "resourcegroups" else None
