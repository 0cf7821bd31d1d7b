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

POLICY_BODY: Mapping[str, Any] = {"options": {"requestedPolicyVersion": int(POLICY_VERSION)}}


def row(
    record_type: str,
    api: Api,
    path: str,
    permission: str,
    com: str,
    find: Find,
    fields: Fields | None = None,
    **more: Any,
) -> Row:
    """Return the row of a type whose ``com.record_type`` is *com*, or its own if that is empty."""
    return Row(api, path, permission, Kind(record_type, com or record_type, find, fields), **more)


def compute_row(
    record_type: str,
    collection: str,
    com: str,
    fields: Fields | None = None,
    *,
    spread: bool = False,
    zonal: bool = False,
    asset: str = "",
    parts: tuple[Part, ...] = (),
) -> Row:
    """Return the row of a type of Compute Engine.

    Args:
        record_type: of ``ext``.
        collection: its name in the API.
        com: the record type of ``com``.
        fields: what only it has in ``com``.
        spread: whether it lives in zones or regions, and the list of all of them is read.
        zonal: whether it lives in zones.
        asset: its name in Cloud Asset Inventory, or an expression for several.
        parts: the types that come inside it.
    """
    place = "aggregated" if spread or zonal else "global"
    permission = "firewallPolicies" if collection == "firewallPolicies" else collection
    return Row(
        COMPUTE,
        f"compute/v1/projects/{{project}}/{place}/{collection}",
        f"compute.{permission}.list",
        Kind(record_type, com, compute, fields),
        query={"maxResults": "500"},
        aggregated=collection if spread or zonal else "",
        zone_path=f"compute/v1/projects/{{project}}/zones/{{zone}}/{collection}" if zonal else "",
        assets=f"compute.googleapis.com/{asset}" if asset else "",
        parts=parts,
    )


def policy(
    owner: str, api: Api, path: str, permission: str, *, posts: bool = False, asset: str = "", version: str = ""
) -> Row:
    """Return the row of the policies of a type that says who may do what with it.

    Args:
        owner: the record type of what has the policy.
        api: that answers it.
        path: of the policy.
        permission: what reading it needs.
        posts: whether the API has only POST for it.
        asset: name of the owner in Cloud Asset Inventory, if that has its policies.
        version: name of the parameter for the version of the policy, in a GET.
    """
    return Row(
        api,
        path,
        permission,
        Kind(f"{owner}_iam_policy", "iam_policy", identity.policy_basics, identity.policy),
        items=None,
        query={} if posts else {version or "options.requestedPolicyVersion": POLICY_VERSION},
        posts=POLICY_BODY if posts else None,
        assets=asset,
        parts=(identity.binding(f"{owner}_iam_binding"),),
    )
