"""Data sources of the Google simulator: a tenant file, or recorded answers.

A tenant file says only what its author has to decide; what the compute API adds to every resource (kinds, ids, links,
times) is added here, so that what is served has the form of the real answers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from cloudmarker_simulators._files import Recording, refusals_and_faults
from cloudmarker_simulators._gcp_paths import COMPUTE, GooglePath, singular
from cloudmarker_simulators._gcp_source import GoogleMemorySource
from cloudmarker_simulators._http import JsonObject
from cloudmarker_simulators._sources import Collection

RECORDINGS_PAGE_SIZE = 20
OLD_HOST = "www.googleapis.com"
"""Where many services lived when the older recordings were made."""

_LIST_KEYS = {"serviceAccounts": "accounts", "resources:searchAll": "results", "b": "items"}
"""Fields that hold a list's items, where they are called neither ``items`` nor like the list."""


def tenant_source(tenant: Mapping[str, Any]) -> GoogleMemorySource:
    """Return the source that serves a tenant file's content."""
    refusals, faults = refusals_and_faults(tenant)
    source = GoogleMemorySource(page_size=tenant["page_size"], refusals=refusals, faults=faults)
    source.add_projects(project["project"] for project in tenant["projects"])
    for described in tenant["projects"]:
        project: JsonObject = described["project"]
        root = f"/compute/v1/projects/{project['projectId']}"
        source.unreachable[project["projectId"]] = frozenset(described.get("unreachable", []))
        source.add_resource(root, _compute_project(project))
        compute = described.get("compute", {})
        if zones := described.get("zones"):
            compute = {"zones": [_zone(name) for name in zones], **compute}
        for path, items in compute.items():
            completed = [_complete(item, project["projectId"], path) for item in items]
            source.add_collection(f"{root}/{path}", Collection("items", completed))
            for item in completed:
                source.add_resource(f"{root}/{path}/{item['name']}", item)
    return source


def _compute_project(project: JsonObject) -> JsonObject:
    link = f"{COMPUTE}/projects/{project['projectId']}"
    return {
        "kind": "compute#project",
        "id": _number(link),
        "creationTimestamp": project["createTime"],
        "name": project["projectId"],
        "defaultServiceAccount": f"{project['projectNumber']}-compute@developer.gserviceaccount.com",
        "xpnProjectStatus": "UNSPECIFIED_XPN_PROJECT_STATUS",
        "defaultNetworkTier": "PREMIUM",
        "commonInstanceMetadata": {"kind": "compute#metadata", "fingerprint": _fingerprint(link)},
        "selfLink": link,
    }


def _zone(name: str) -> JsonObject:
    return {"name": name, "description": name, "status": "UP", "region": f"~/regions/{name.rpartition('-')[0]}"}


def _complete(described: JsonObject, project: str, path: str) -> JsonObject:
    """Complete a compute resource: ``~/`` at the start of strings stands for the link of its project."""
    where = GooglePath.parse(f"/compute/v1/projects/{project}/{path}")
    kind = singular(where.collection)
    link = f"{COMPUTE}/projects/{project}/{path}/{described['name']}"
    resource: JsonObject = {
        "kind": f"compute#{kind}",
        "id": _number(link),
        "creationTimestamp": "2025-11-04T02:17:45.118-08:00",
        **_DEFAULTS.get(kind, {}),
        **_expand(described, f"{COMPUTE}/projects/{project}"),
        "selfLink": link,
    }
    if where.scope.startswith("zones/"):
        resource["zone"] = f"{COMPUTE}/projects/{project}/{where.scope}"
    if kind == "instance":
        resource["tags"] = {**resource.get("tags", {}), "fingerprint": _fingerprint(link)}
        resource["fingerprint"] = resource["labelFingerprint"] = _fingerprint(link)
    return resource


_DEFAULTS: dict[str, JsonObject] = {
    "firewall": {
        "description": "",
        "priority": 1000,
        "direction": "INGRESS",
        "logConfig": {"enable": False},
        "disabled": False,
    },
    "instance": {
        "status": "RUNNING",
        "description": "",
        "cpuPlatform": "Intel Ice Lake",
        "canIpForward": False,
        "deletionProtection": False,
        "startRestricted": False,
        "shieldedInstanceConfig": {"enableSecureBoot": False, "enableVtpm": True, "enableIntegrityMonitoring": True},
    },
    "network": {"autoCreateSubnetworks": False, "routingConfig": {"routingMode": "REGIONAL"}},
}


def _expand(value: Any, root: str) -> Any:
    if isinstance(value, str):
        return f"{root}/{value[2:]}" if value.startswith("~/") else value
    if isinstance(value, list):
        return [_expand(item, root) for item in value]
    if isinstance(value, dict):
        return {key: _expand(item, root) for key, item in value.items()}
    return value


def _number(of: str) -> str:
    return str(int.from_bytes(hashlib.sha256(of.encode()).digest()[:8], "big") >> 1 | 1 << 60)


def _fingerprint(of: str) -> str:
    return hashlib.sha256(of.encode()).hexdigest()[:11] + "="


def recorded_source(recordings: Sequence[Recording]) -> GoogleMemorySource:
    """Return the source that serves recorded answers, all services under one root.

    Where two hosts recorded one list, its items are merged; where they are different services, each is also served
    alone below its host's name, as in ``/redis.googleapis.com/v1/projects/…``.
    """
    source = GoogleMemorySource(page_size=RECORDINGS_PAGE_SIZE)
    hosts: dict[str, set[str]] = {}
    for recording in recordings:
        hosts.setdefault(recording.path, set()).add(recording.host)
    # The old host last: where both have one object, the newer recording stays.
    aggregated: dict[str, list[JsonObject]] = {}
    for recording in sorted(recordings, key=lambda each: each.host == OLD_HOST):
        where = GooglePath.parse(recording.path)
        if where.is_compute and where.rest.startswith("aggregated/"):
            for scope, held in recording.body.get("items", {}).items():
                path = f"{where.root}/projects/{where.project}/{scope}/{where.collection}"
                aggregated[path] = _union(aggregated.get(path, ()), held.get(where.collection, ()))
            continue
        _add(source, recording, recording.path)
        if len(hosts[recording.path] - {OLD_HOST}) > 1:
            _add(source, recording, f"/{recording.host}{recording.path}")
    for path, items in aggregated.items():
        # Recorded at different times, the lists differ: each gets what it lacks, and keeps its own state of the rest.
        _merge(source, path, "items", items, {})
        whole = source.collection(path)
        source.set_aggregated(path, _union(items, whole.items if whole is not None else ()))
    _add_missing_lists(source)
    _add_missing_resources(source)
    _add_missing_projects(source)
    return source


def _add(source: GoogleMemorySource, recording: Recording, path: str) -> None:
    body, name = recording.body, path.rpartition("/")[2]
    for key in ("items", name, name.partition(":")[0], _LIST_KEYS.get(name, "items")):
        if isinstance(body.get(key), list):
            envelope = {field: value for field, value in body.items() if field not in (key, "nextPageToken")}
            _merge(source, path, key, body[key], envelope)
            return
    if source.resource(path) is None:
        source.add_resource(path, body)


def _merge(source: GoogleMemorySource, path: str, key: str, items: list[JsonObject], envelope: JsonObject) -> None:
    known = source.collection(path)
    if known is not None:
        items = _union(known.items, items)
        envelope = {**envelope, **known.envelope}
    source.add_collection(path, Collection(key, items, envelope))


def _union(first: Sequence[JsonObject], second: Sequence[JsonObject]) -> list[JsonObject]:
    """Return *first* and those of *second* that it does not have. Items with one name within one list all stay."""
    identities = {_identity(item) for item in first}
    return [*first, *(item for item in second if _identity(item) not in identities)]


def _identity(item: JsonObject) -> str:
    return str(item.get("selfLink") or item.get("id") or item.get("name"))


def _add_missing_lists(source: GoogleMemorySource) -> None:
    """Make compute lists that nobody recorded of the resources in them that were recorded one by one."""
    recorded = {(where.project, where.collection) for where in map(GooglePath.parse, source.collections)}
    found: dict[str, dict[str, JsonObject]] = {}
    for path, body in list(source.resources.items()):
        where = GooglePath.parse(path)
        if not where.is_compute:
            continue
        if where.collection == "getEffectiveFirewalls":
            parent = f"{where.root}/projects/{where.project}/global/firewalls"
            items = body.get("firewalls", [])
        elif not where.is_list and where.rest:
            parent, items = path.rpartition("/")[0], [body]
        else:
            continue
        if (where.project, parent.rpartition("/")[2]) not in recorded:
            found.setdefault(parent, {}).update({_identity(item): item for item in items})
    for path, by_identity in found.items():
        _merge(source, path, "items", list(by_identity.values()), {})


def _add_missing_resources(source: GoogleMemorySource) -> None:
    """Serve the items of compute lists one by one as well, where that was not recorded."""
    for path, collection in source.collections.items():
        for item in collection.items if GooglePath.parse(path).is_compute else ():
            if "name" in item and source.resource(f"{path}/{item['name']}") is None:  # entries of groups have none
                source.add_resource(f"{path}/{item['name']}", item)


def _add_missing_projects(source: GoogleMemorySource) -> None:
    """Add the projects that recordings are from but that the recorded list of projects does not have."""
    listed = source.collection("/v1/projects")
    projects = {project["projectId"]: project for project in (listed.items if listed is not None else ())}
    for path in [*source.resources, *source.collections]:
        where = GooglePath.parse(path)
        if not where.project or where.project in projects:
            continue
        recorded = source.resource(f"/v1/projects/{where.project}") or {}
        account = (source.resource(f"/compute/v1/projects/{where.project}") or {}).get("defaultServiceAccount", "")
        number, dash, _ = account.partition("-compute@")
        project = {"projectId": where.project, "name": where.project, "lifecycleState": "ACTIVE"}
        projects[where.project] = {**project, **({"projectNumber": number} if dash else {}), **recorded}
    source.add_projects(projects.values())
