"""What the rows of the table are made with, where many of them are alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cloudmarker_gcp import _com_identity as identity
from cloudmarker_gcp._apis import COMPUTE
from cloudmarker_gcp._json import Item
from cloudmarker_gcp._record import Basics, Kind, Where, compute
from cloudmarker_gcp._row import Api, Part, Row
from cloudmarker_gcp._scopes import Level

Fields = Callable[[Item, Where], dict[str, Any]]
Find = Callable[[Item, Where], Basics]

EVERYWHERE: tuple[Level, ...] = ("organization", "folder", "project")

POLICY_VERSION = "3"
"""The version of policies with conditions: in an older one, bindings that have some are left out."""

POLICY_OPTIONS = {"options_requestedPolicyVersion": POLICY_VERSION}
POLICY_BODY: Mapping[str, Any] = {"options": {"requestedPolicyVersion": int(POLICY_VERSION)}}


def row(
    record_type: str,
    api: Api,
    method: str,
    permission: str,
    com: str,
    find: Find,
    fields: Fields | None = None,
    *,
    guarded: bool = False,
    assets: str = "",
    children: tuple[Row, ...] = (),
    **more: Any,
) -> Row:
    """Return the row of a type.

    Args:
        record_type: of ``ext``.
        api: that answers it.
        method: that lists it.
        permission: what reading it needs.
        com: the record type of ``com``; empty if it is the same.
        find: the fields that all types have.
        fields: what only it has in ``com``.
        guarded: whether it says who may do what with it, by ``getIamPolicy`` in the place of ``list``, and Cloud Asset
            Inventory says so too. The row of that is the first one below it.
        assets: its name in Cloud Asset Inventory.
        children: what is below it.
        more: of the row.
    """
    if guarded:
        method_of, permission_of = (f"{name.removesuffix('list')}getIamPolicy" for name in (method, permission))
        children = (policy(record_type, api, method_of, permission_of, asset=assets), *children)
    kind = Kind(record_type, com or record_type, find, fields)
    return Row(api, method, permission, kind, assets=assets, children=children, **more)


def compute_row(
    record_type: str,
    collection: str,
    com: str,
    fields: Fields | None = None,
    *,
    spread: bool = False,
    zonal: bool = False,
    field: str = "",
    asset: str = "",
    parts: tuple[Part, ...] = (),
    **more: Any,
) -> Row:
    """Return the row of a type of Compute Engine.

    Args:
        record_type: of ``ext``.
        collection: its name in the API.
        com: the record type of ``com``.
        fields: what only it has in ``com``.
        spread: whether it lives in zones or regions, and the list of all of them is read.
        zonal: whether it lives in zones.
        field: what answers and the permission call it, if that is not the collection.
        asset: its name in Cloud Asset Inventory, or an expression for several.
        parts: the types that come inside it.
        more: of the row: what it leads to.
    """
    aggregated = spread or zonal
    field = field or collection
    return Row(
        COMPUTE,
        f"compute.{collection}.{'aggregatedList' if aggregated else 'list'}",
        f"compute.{field}.list",
        Kind(record_type, com, compute, fields),
        arguments={"project": "{project}", "maxResults": "500"},
        aggregated=field if aggregated else "",
        zone_method=f"compute.{collection}.list" if zonal else "",
        assets=f"compute.googleapis.com/{asset}" if asset else "",
        parts=parts,
        **more,
    )


def entries(kind: Kind, method: str, permission: str, *collections: str) -> Row:
    """Return the row of the entries of a group of Compute Engine, which has only POST for reading them.

    Args:
        kind: of their records.
        method: the last part of its id, after the collection.
        permission: what reading them needs.
        collections: those that the group may be in.
    """
    return Row(
        COMPUTE,
        f"compute.{{collection}}.{method}",
        permission,
        kind,
        arguments={"project": "{project}", "maxResults": "500"},
        posts={},
        collections=collections,
    )


def policy(
    owner: str,
    api: Api,
    method: str,
    permission: str,
    *,
    asset: str = "",
    arguments: Mapping[str, str] | None = None,
) -> Row:
    """Return the row of the policies of a type that says who may do what with it.

    Args:
        owner: the record type of what has the policy.
        api: that answers it.
        method: that returns the policy.
        permission: what reading it needs.
        asset: name of the owner in Cloud Asset Inventory, if that has its policies.
        arguments: of the method, where they are not those that most have.
    """
    return Row(
        api,
        method,
        permission,
        Kind(f"{owner}_iam_policy", "iam_policy", identity.policy_basics, identity.policy),
        items=None,
        arguments=arguments or {"resource": "{parent}", **POLICY_OPTIONS},
        assets=asset,
        parts=(identity.binding(f"{owner}_iam_binding"),),
    )
