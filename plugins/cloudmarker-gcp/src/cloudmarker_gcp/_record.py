"""Resources of Google Cloud to records: JSON in, record out, no I/O.

``raw`` of a record is the very object it was given, unchanged. The fields that only one type has come from the
functions in the modules ``_com_…``, which a row of the table names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from cloudmarker.contracts import Record
from cloudmarker.errors import RecordError

from cloudmarker_gcp import _names
from cloudmarker_gcp._json import Item, labels, text, timestamp
from cloudmarker_gcp._scopes import Scope

CLOUD_TYPE = "gcp"


@dataclass(frozen=True)
class Where:
    """Where a resource was found.

    Attributes:
        scope: the project, folder or organization.
        owner: ``com`` of the resource that it belongs to, and was listed under; empty if it belongs to none.
    """

    scope: Scope
    owner: Mapping[str, Any]

    @property
    def reference(self) -> str:
        """Reference of the owner; that of the scope if there is none."""
        return str(self.owner.get("reference") or self.scope.reference)


class Basics(NamedTuple):
    """What all resources have, though each API has it elsewhere.

    Attributes:
        reference: full resource name.
        name: what people call it.
        location: zone, region or other location; empty if there is none.
        labels: what its owner has put on it.
        created: when it was made, in any form that :func:`cloudmarker_gcp._json.timestamp` reads.
        parent: reference of what contains it; empty for the owner, or else the scope.
    """

    reference: str
    name: str | None
    location: str
    labels: dict[str, str]
    created: Any
    parent: str | None = ""


@dataclass(frozen=True)
class Kind:
    """A type of records.

    Attributes:
        record_type: of ``ext``.
        com_type: of ``com``; a type that is not in the common model has that of ``ext``.
        basics: finds what all resources have; raises RecordError if it cannot be told what the resource is.
        fields: returns what only this type has in ``com``; None for nothing. It may raise RecordError: the resource
            lacks what it must have. What is merely absent is null.
    """

    record_type: str
    com_type: str
    basics: Callable[[Item, Where], Basics]
    fields: Callable[[Item, Where], dict[str, Any]] | None = None


def record(kind: Kind, where: Where, item: Item, raw: Any = None) -> Record:
    """Return the record of a resource.

    Args:
        kind: what it is.
        where: where it was found.
        item: the resource. It is not changed.
        raw: what becomes ``raw``; None for *item*.

    Raises:
        RecordError: it lacks what a resource of its kind must have.
    """
    basics = kind.basics(item, where)
    try:
        own = kind.fields(item, where) if kind.fields else {}
    except RecordError as exc:
        raise RecordError(f"{basics.reference}: {exc}") from None
    scope = where.scope
    zone, region = _names.place(basics.location)
    parent = where.reference if basics.parent == "" else basics.parent
    return {
        "raw": item if raw is None else raw,
        "ext": {
            "cloud_type": CLOUD_TYPE,
            "record_type": kind.record_type,
            "project_id": scope.project,
            "project_number": scope.number,
            "project_name": scope.name if scope.project else None,
            "project_state": scope.state if scope.project else None,
            "zone": zone,
            "region": region,
            "labels": basics.labels,
            "parent": parent,
        },
        "com": {
            "cloud_type": CLOUD_TYPE,
            "record_type": kind.com_type,
            "reference": basics.reference,
            "account": scope.project,
            "name": basics.name,
            "location": zone or region,
            "tags": basics.labels,
            "parent": parent,
            "created": timestamp(basics.created),
            **own,
        },
    }


def compute(item: Item, where: Where) -> Basics:
    """Return the basics of a resource of Compute Engine."""
    reference = _names.compute_name(required(item, "selfLink"), where.scope.project)
    zone, region = _names.zone_and_region(reference)
    return Basics(
        reference,
        text(item, "shortName") or required(item, "name"),
        zone or region or "",
        labels(item, "labels"),
        item.get("creationTimestamp"),
    )


def named(
    host: str, *, created: str = "createTime", label_key: str = "labels", shown: str = ""
) -> Callable[[Item, Where], Basics]:
    """Return what finds the basics of a resource whose ``name`` is its whole path in the API.

    Args:
        host: of the API.
        created: the key of the time of its creation.
        label_key: the key of its labels.
        shown: the key of what people call it, where the last part of the name is a mere id.
    """

    def basics(item: Item, where: Where) -> Basics:
        path = required(item, "name")
        zone, region = _names.zone_and_region(path)
        return Basics(
            f"//{host}/{path}",
            (text(item, shown) if shown else None) or _names.last_part(path),
            zone or region or "",
            labels(item, label_key),
            item.get(created),
        )

    return basics


def in_scope(
    host: str, collection: str, *, created: str = "createTime", location: str = ""
) -> Callable[[Item, Where], Basics]:
    """Return what finds the basics of a resource whose ``name`` is unique in a collection of its scope.

    Args:
        host: of the API.
        collection: its name in the API.
        created: the key of the time of its creation.
        location: the key of its location.
    """

    def basics(item: Item, where: Where) -> Basics:
        name = required(item, "name")
        return Basics(
            f"//{host}/{where.scope.path}/{collection}/{name}",
            name,
            (text(item, location) if location else None) or "",
            labels(item, "labels"),
            item.get(created),
        )

    return basics


def required(item: Item, key: str) -> str:
    """Return the text under *key*.

    Raises:
        RecordError: there is none.
    """
    value = text(item, key)
    if value is None:
        raise RecordError(f"{text(item, 'selfLink') or text(item, 'name') or 'an item'} has no {key}")
    return value


def encrypted(key: str | None, *, supplied: bool = False) -> dict[str, Any]:
    """Return how something is encrypted where it is stored; Google Cloud encrypts everything.

    Args:
        key: link to the customer's key in Cloud KMS, if one is used.
        supplied: whether a key comes with every request.
    """
    return {
        "encryption": "customer_key" if key else "supplied_key" if supplied else "provider_key",
        "encryption_key": _names.key_name(key),
    }


def reachable(
    access: str | None, addresses: list[str] | None = None, networks: list[str] | None = None
) -> dict[str, Any]:
    """Return who can reach something; Private Service Connect endpoints are forwarding rules, unknown here."""
    return {
        "network_access": access,
        "allowed_addresses": addresses or [],
        "allowed_networks": networks or [],
        "private_endpoints": [],
    }
