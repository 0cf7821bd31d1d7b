"""Common fields of what stands behind load balancers: groups of machines or endpoints, and the entries of these."""

from __future__ import annotations

from typing import Any

from cloudmarker.errors import RecordError

from cloudmarker_gcp._com_compute import links
from cloudmarker_gcp._json import Item, at, each, text, texts, whole
from cloudmarker_gcp._names import COMPUTE, compute_name, last_part
from cloudmarker_gcp._record import Basics, Where, required

_WITHOUT_ENDPOINTS = ("SERVERLESS", "PRIVATE_SERVICE_CONNECT")
"""Kinds of network endpoint groups that name a service of Google's, and have no list of endpoints."""


def instance_group(item: Item, where: Where) -> dict[str, Any]:
    """Return ``backend_pool`` fields: https://cloud.google.com/compute/docs/reference/rest/v1/instanceGroups."""
    return _pool(item, where, count=whole(item, "size"))


def target_instance(item: Item, where: Where) -> dict[str, Any]:
    """Return ``backend_pool`` fields of the one machine that a forwarding rule leads to."""
    return _pool(item, where, machines=each([item], "instance"), count=1)


def target_pool(item: Item, where: Where) -> dict[str, Any]:
    """Return ``backend_pool`` fields: https://cloud.google.com/compute/docs/reference/rest/v1/targetPools."""
    machines = texts(item, "instances")
    return _pool(item, where, machines=machines, pools=each([item], "backupPool"), count=len(machines))


def endpoint_group(item: Item, where: Where) -> dict[str, Any]:
    """Return ``backend_pool`` fields: https://cloud.google.com/compute/docs/reference/rest/v1/networkEndpointGroups."""
    return _pool(item, where, count=whole(item, "size") if _has_endpoints(item) else None)


def _pool(
    item: Item, where: Where, *, machines: list[str] | None = None, pools: list[str] | None = None, count: int | None
) -> dict[str, Any]:
    return {
        "networks": links(each([item], "network"), where),
        "backends": links(machines or [], where),
        "backend_pools": links(pools or [], where),
        "backend_count": count,
    }


def place_of_group(item: Item) -> str | None:
    """Return the path of a group below its project, which leads to the list of its entries; None if it is empty."""
    link = text(item, "selfLink")
    if not link or whole(item, "size") == 0:
        return None
    return compute_name(link, None).split("/", 5)[-1]


def place_of_endpoints(item: Item) -> str | None:
    """Return the same for a group of endpoints; None also if it is of a kind that has none."""
    return place_of_group(item) if _has_endpoints(item) else None


def _has_endpoints(item: Item) -> bool:
    return text(item, "networkEndpointType") not in _WITHOUT_ENDPOINTS


def member_basics(item: Item, where: Where) -> Basics:
    """Return the basics of a machine in a group: an entry has no name of its own, and that of its group."""
    return _in_group(last_part(required(item, "instance")), where)


def member(item: Item, where: Where) -> dict[str, Any]:
    """Return ``backend`` fields of a machine in a group; the group, or who uses it, says at which ports."""
    return _backend(where, machine=compute_name(required(item, "instance"), where.scope.project))


def endpoint_basics(item: Item, where: Where) -> Basics:
    """Return the basics of an endpoint: one machine can have many, at addresses and ports of their own."""
    endpoint = at(item, "networkEndpoint")
    place = text(endpoint, "ipAddress") or text(endpoint, "ipv6Address") or text(endpoint, "fqdn")
    name = place or last_part(text(endpoint, "instance") or "")
    if not name:
        raise RecordError(f"{where.reference}: an endpoint has no address, no name, and no instance")
    port = whole(endpoint, "port")
    return _in_group(name if port is None else f"{name}:{port}", where)


def endpoint(item: Item, where: Where) -> dict[str, Any]:
    """Return ``backend`` fields of an endpoint of a network endpoint group."""
    own = at(item, "networkEndpoint")
    port = whole(own, "port")
    return _backend(
        where,
        machine=_machine(text(own, "instance"), where),
        address=text(own, "ipAddress") or text(own, "ipv6Address"),
        host=text(own, "fqdn"),
        ports=[] if port is None else [str(port)],
    )


def _machine(instance: str | None, where: Where) -> str | None:
    """Return the full name of the machine of an endpoint, which may be given by its name in the group's zone."""
    if not instance:
        return None
    if "/" in instance:
        return compute_name(instance, where.scope.project)
    return f"{COMPUTE}/projects/{where.scope.project}/zones/{where.owner.get('location')}/instances/{instance}"


def _in_group(name: str, where: Where) -> Basics:
    return Basics(where.reference, name, str(where.owner.get("location") or ""), {}, None)


def _backend(
    where: Where,
    *,
    machine: str | None,
    address: str | None = None,
    host: str | None = None,
    ports: list[str] | None = None,
) -> dict[str, Any]:
    return {
        "backend_pool": where.reference,
        "machine": machine,
        "address": address,
        "host": host,
        "ports": ports or [],
    }
