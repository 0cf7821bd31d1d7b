"""What a synthetic Google organization is made of, as templates: read from ``blueprints/gcp.json`` and completed.

The file says only what its author has to decide. ``~/`` at the start of a string is the link of the project in the
compute API, and ``$iam`` in an item its IAM policy. Kinds, ids, links and times are added here, and what Cloud Asset
Inventory says of the items.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from cloudmarker_simulators._files import load_json
from cloudmarker_simulators._gcp_paths import COMPUTE, singular
from cloudmarker_simulators._http import Json, JsonObject
from cloudmarker_simulators._stamps import GUID, ID, Stamp, guid_head, id_head

Often = Literal["organization", "folder", "project", "unit"]
"""Where a template is stamped: once, in every folder, in every project, or in every unit of each project."""

LEVELS: tuple[Often, ...] = ("organization", "folder", "project", "unit")

COMPUTE_ROOT = "/compute/v1/projects/{project}"
_LINK = f"{COMPUTE}/projects/{{project}}"
_DISCOVERY = "https://www.googleapis.com/discovery/v1/apis"

PROJECT: JsonObject = {
    "projectNumber": "{number}",
    "projectId": "{project}",
    "lifecycleState": "ACTIVE",
    "name": "{title}",
    "createTime": "2023-03-14T09:26:53.589Z",
    "labels": {"env": "{any:scopeenv|prod|test|dev}"},
    "parent": {"type": "{parenttype}", "id": "{parentid}"},
}
"""A project, as version 1 of the Resource Manager API has it."""

ASSET_LACKS = ("kind",)
"""Fields of compute resources that Cloud Asset Inventory leaves out."""


@dataclass
class Bucket:
    """The templates of a list.

    Attributes:
        key: the field of the answer that holds the items.
        paged: whether it is served page by page.
        again: whether it is another way to ask for what a list has that is here too.
        stamps: by how often they are stamped.
    """

    key: str = "items"
    paged: bool = True
    again: bool = False
    stamps: dict[Often, list[Stamp]] = field(default_factory=lambda: {level: [] for level in LEVELS})


@dataclass
class Blueprint:
    """All templates, by what asks for them. Paths have placeholders for project, unit, zone and region.

    Attributes:
        title: display name of a project.
        zones: that units are in, in turn; each is in a region of its own.
        lists: by path of the list; a ``?`` at its end leads what is asked for by parameter.
        aggregated: templates by scope, such as ``zones/{zone}``, by name of a compute collection.
        resources: by path; IAM policies among them.
        assets: what Cloud Asset Inventory says, by content type, type of asset, and how often.
        counts: number of items by type of asset, or name of the list, in lower case, for each way of stamping.
    """

    seed: int
    title: str
    zones: list[str] = field(default_factory=list)
    lists: dict[str, Bucket] = field(default_factory=dict)
    aggregated: dict[str, dict[str, Bucket]] = field(default_factory=dict)
    resources: dict[str, Stamp] = field(default_factory=dict)
    assets: dict[str, dict[str, list[tuple[Often, Stamp]]]] = field(
        default_factory=lambda: {"RESOURCE": {}, "IAM_POLICY": {}}
    )
    counts: dict[Often, Counter[str]] = field(default_factory=lambda: {level: Counter() for level in LEVELS})

    @property
    def regions(self) -> list[str]:
        """The regions of the zones."""
        return [zone.rpartition("-")[0] for zone in self.zones]

    def stamp(self, template: Json) -> Stamp:
        """Return *template*, ready to be stamped."""
        return Stamp(template, self.seed)

    def key(self, path: str) -> str:
        """Return *path* as it is filed: with numbers and UUIDs of its own in the form that requests have."""
        path = GUID.sub(lambda match: f"{guid_head(self.seed, match[1])}-{{tail}}", path)
        path = ID.sub(lambda match: f"{id_head(self.seed, match[1])}{{digits}}", path)
        return path.replace("/projects/{number}/", "/projects/{project}/")

    def add_asset(self, often: Often, asset: str, content: str, template: JsonObject) -> None:
        """Let Cloud Asset Inventory have *template* of a type of *asset*."""
        self.assets[content].setdefault(asset, []).append((often, self.stamp(template)))


def services() -> Mapping[str, str]:
    """Return the services that every project can use, with a path of each."""
    made: Mapping[str, str] = load_json("gcp-services")
    return made


def load_blueprint(seed: int, name: str = "gcp") -> Blueprint:
    """Return the templates of the organization that *seed* stands for, from the file *name*."""
    described = load_json(name)
    blueprint = Blueprint(seed, described.get("title", "Synthetic {index}"), described["zones"])
    for often in LEVELS:
        for entry in described.get(often, ()):
            for item in entry["items"]:
                _add(blueprint, often, entry, item)
    _add_scopes(blueprint, described["policies"])
    _add_compute_project(blueprint)
    asset = "serviceusage.googleapis.com/Service"
    for api in services():
        service = {"name": f"projects/{{number}}/services/{api}", "state": "ENABLED", "parent": "projects/{number}"}
        head = _asset_head(f"//serviceusage.googleapis.com/{service['name']}", asset)
        resource = _asset_resource(asset, service, "/v1/")
        blueprint.add_asset("project", asset, "RESOURCE", {**head, "resource": resource})
    return blueprint


def _add_scopes(blueprint: Blueprint, policies: Mapping[str, JsonObject]) -> None:
    """Add the IAM policies of projects, folders and the organization, and these as assets."""
    data: dict[Often, tuple[str, JsonObject]] = {
        "organization": (
            "v1",
            {"name": "organizations/{org}", "displayName": "example.com", "lifecycleState": "ACTIVE"},
        ),
        "folder": (
            "v2",
            {"name": "{scope}", "displayName": "{title}", "lifecycleState": "ACTIVE", "parent": "{parent}"},
        ),
        "project": ("v1", PROJECT),
    }
    for often, (version, item) in data.items():
        asset = f"cloudresourcemanager.googleapis.com/{often.capitalize()}"
        head = _asset_head("//cloudresourcemanager.googleapis.com/{scope}", asset)
        resource = _asset_resource(asset, item, f"/{version}/")
        blueprint.add_asset(often, asset, "RESOURCE", {**head, "resource": resource})
        policy = policies[f"{often}s"]
        blueprint.resources[f"{often}:getIamPolicy"] = blueprint.stamp(policy)
        blueprint.add_asset(often, asset, "IAM_POLICY", {**head, "iamPolicy": policy})


def _add(blueprint: Blueprint, often: Often, entry: Mapping[str, Any], described: JsonObject) -> None:
    path: str = entry["list"]
    is_compute = path.startswith(COMPUTE_ROOT)
    item = _expand({key: value for key, value in described.items() if key != "$iam"})
    if entry.get("nameless"):
        _add_to_lists(blueprint, often, entry, blueprint.stamp(item))
        blueprint.counts[often][path.rpartition("/")[2].lower()] += 1
        return
    if is_compute:
        item = _complete_compute(path, item)
    own = _path_of(path, entry, item)
    blueprint.resources[blueprint.key(own)] = blueprint.stamp(item)
    listed = {key: item[key] for key in entry["short"] if key in item} if "short" in entry else item
    _add_to_lists(blueprint, often, entry, blueprint.stamp(listed))
    policy = described.get("$iam")
    if policy is not None:
        blueprint.resources[blueprint.key(own + entry.get("policy", ":getIamPolicy"))] = blueprint.stamp(policy)
    asset = entry.get("asset", "")
    blueprint.counts[often][(asset or path.rpartition("/")[2]).lower()] += 1
    if is_compute:
        scope, _, collection = path.removeprefix(f"{COMPUTE_ROOT}/").rpartition("/")
        if scope:
            placed = blueprint.aggregated.setdefault(collection, {}).setdefault(scope, Bucket())
            placed.stamps[often].append(blueprint.stamp(item))
    if asset:
        name = f"//compute.googleapis.com{own.removeprefix('/compute/v1')}" if is_compute else _reference(entry, item)
        head = _asset_head(name, asset)
        blueprint.add_asset(often, asset, "RESOURCE", {**head, "resource": _asset_resource(asset, item, path)})
        if policy is not None and entry.get("asset_has_policy", True):
            blueprint.add_asset(often, asset, "IAM_POLICY", {**head, "iamPolicy": policy})


def _add_to_lists(blueprint: Blueprint, often: Often, entry: Mapping[str, Any], stamp: Stamp) -> None:
    paths = [entry["list"], *entry.get("also", ())]
    if entry.get("project"):
        paths = [f"{path}?project={{project}}" for path in paths]
    if "parent" in entry:
        paths = [f"{path}?parentId={entry['parent']}" for path in paths]
    for number, path in enumerate(paths):
        new = Bucket(entry.get("key", "items"), not entry.get("unpaged", False), again=number > 0)
        bucket = blueprint.lists.setdefault(blueprint.key(path), new)
        bucket.stamps[often].append(stamp)


def _path_of(path: str, entry: Mapping[str, Any], item: JsonObject) -> str:
    """Return where an item of the list at *path* is served alone: by its full name, or by a field of its own."""
    if "by" not in entry and str(item["name"]).startswith(("projects/", "organizations/")):
        return f"/{path.split('/')[1]}/{item['name']}"
    return f"{path}/{_own_name(entry, item)}"


def _own_name(entry: Mapping[str, Any], item: JsonObject) -> str:
    value: Any = item
    for key in entry.get("by", "name").split("."):
        value = value[key]
    return str(value)


def _reference(entry: Mapping[str, Any], item: JsonObject) -> str:
    return f"{entry['reference']}/{_own_name(entry, item)}"


def _location(path: str) -> str:
    return next((place for place in ("{zone}", "{region}") if place in path), "global")


def _asset_head(name: str, asset: str) -> JsonObject:
    return {
        "name": name,
        "assetType": asset,
        "ancestors": "{raw:ancestors}",
        "updateTime": "2025-11-20T07:15:02.471003Z",
    }


def _asset_resource(asset: str, item: JsonObject, path: str) -> JsonObject:
    service, _, kind = asset.partition("/")
    api = service.partition(".")[0]
    version = path.split("/")[1] if path.split("/")[1].startswith("v") else path.split("/")[2]
    return {
        "version": version,
        "discoveryDocumentUri": f"{_DISCOVERY}/{api}/{version}/rest",
        "discoveryName": kind,
        "parent": "//cloudresourcemanager.googleapis.com/{scope}",
        "data": {key: value for key, value in item.items() if api != "compute" or key not in ASSET_LACKS},
        "location": _location(path),
    }


def _complete_compute(path: str, item: JsonObject) -> JsonObject:
    """Return a compute resource with what the API adds to it."""
    kind = singular(path.rpartition("/")[2])
    link = f"{COMPUTE}{path.removeprefix('/compute/v1')}/{item['name']}"
    label = "".join(filter(str.isalnum, f"{kind}{item['name'].partition('{')[0]}"))
    made: JsonObject = {
        "kind": f"compute#{kind}",
        "id": f"{{id:{label}}}",
        "creationTimestamp": "{any:created|2023-03-14T01:26:53.589-07:00|2025-11-04T02:17:45.118-08:00}",
        **item,
        "selfLink": link,
    }
    if "zones/{zone}" in path:
        made["zone"] = f"{_LINK}/zones/{{zone}}"
    if "regions/{region}" in path:
        made["region"] = f"{_LINK}/regions/{{region}}"
    return made


def _add_compute_project(blueprint: Blueprint) -> None:
    project: JsonObject = {
        "kind": "compute#project",
        "id": "{id:project}",
        "creationTimestamp": "2023-03-14T01:26:53.589-07:00",
        "name": "{project}",
        "defaultServiceAccount": "{number}-compute@developer.gserviceaccount.com",
        "xpnProjectStatus": "UNSPECIFIED_XPN_PROJECT_STATUS",
        "defaultNetworkTier": "PREMIUM",
        "commonInstanceMetadata": {
            "kind": "compute#metadata",
            "fingerprint": "42WmSpB8rSM=",
            "items": [{"key": "enable-oslogin", "value": "{text:oslogin|TRUE|FALSE}"}],
        },
        "selfLink": _LINK,
    }
    blueprint.resources[COMPUTE_ROOT] = blueprint.stamp(project)
    asset = "compute.googleapis.com/Project"
    head = _asset_head("//compute.googleapis.com/projects/{project}", asset)
    blueprint.add_asset(
        "project", asset, "RESOURCE", {**head, "resource": _asset_resource(asset, project, COMPUTE_ROOT)}
    )


def _expand(value: Json) -> Json:
    if isinstance(value, str):
        return f"{_LINK}/{value[2:]}" if value.startswith("~/") else value
    if isinstance(value, list):
        return [_expand(item) for item in value]
    if isinstance(value, dict):
        return {key: _expand(item) for key, item in value.items()}
    return value
