"""What a synthetic Azure tenant is made of, as templates: read from ``blueprints/azure.json`` and completed.

The file says only what its author has to decide, with two abbreviations: ``~/`` at the start of a string is the id of
the resource group, ``./`` that of the resource itself. Ids, types, etags and the like are added here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from cloudmarker_simulators._azure_data import default_rules
from cloudmarker_simulators._azure_graph import graph_row
from cloudmarker_simulators._files import load_json
from cloudmarker_simulators._http import Json, JsonObject
from cloudmarker_simulators._stamps import GUID, Stamp, guid_head

SUBSCRIPTION = "/subscriptions/{sub}"
Often = Literal["once", "unit"]
"""How often a template is stamped in a subscription: once, or in every unit."""

_SUMMARY = ("id", "name", "type", "location", "kind", "sku", "identity", "managedBy", "zones", "tags")
"""What the list of all resources says of one."""


@dataclass
class Bucket:
    """The templates of which a list is made: those stamped once, and those stamped in every unit."""

    once: list[Stamp] = field(default_factory=list)
    unit: list[Stamp] = field(default_factory=list)


@dataclass
class Blueprint:
    """All templates, by what asks for them. Paths are in lower case, with their placeholders.

    Attributes:
        title: display name of a subscription.
        locations: the regions that units are in, in turn.
        lists: by path of the list.
        resources: by id; with ``?instanceview`` at the end the same with its run-time status.
        rows: what Resource Graph says of those that it holds, by type in lower case, in the order of their ids.
        counts: number of resources of each type, in lower case, for each way of stamping; those inside others included.
    """

    seed: int
    title: str
    locations: list[str] = field(default_factory=list)
    lists: dict[str, Bucket] = field(default_factory=dict)
    resources: dict[str, Stamp] = field(default_factory=dict)
    rows: dict[str, Bucket] = field(default_factory=dict)
    counts: dict[Often, Counter[str]] = field(default_factory=lambda: {"once": Counter(), "unit": Counter()})

    def stamp(self, template: JsonObject) -> Stamp:
        """Return *template*, ready to be stamped."""
        return Stamp(template, self.seed)

    def add(self, often: Often, template: JsonObject, *lists: str) -> None:
        """Let the *lists* have a resource, and its id answer with it."""
        stamp = self.stamp(template)
        self.resources[self.key(template["id"])] = stamp
        for path in lists:
            self.add_to_list(often, path, stamp)
        self.counts[often].update(_types_in(template))

    def key(self, path: str) -> str:
        """Return *path* as it is filed: in lower case, with UUIDs of its own in the form that requests have."""
        return GUID.sub(lambda match: f"{guid_head(self.seed, match[1])}-{{tail}}", path).lower()

    def add_to_list(self, often: Often, path: str, stamp: Stamp) -> None:
        """Let the list at *path* have what *stamp* makes."""
        getattr(self.lists.setdefault(self.key(path), Bucket()), often).append(stamp)

    def add_row(self, often: Often, row: JsonObject) -> None:
        """Let Resource Graph have *row*."""
        getattr(self.rows.setdefault(row["type"].lower(), Bucket()), often).append(self.stamp(row))


def load_blueprint(seed: int, name: str = "azure") -> Blueprint:
    """Return the templates of the tenant that *seed* stands for, from the file *name*."""
    described = load_json(name)
    blueprint = Blueprint(seed, described.get("title", "Synthetic {number}"), described["locations"])
    sections: tuple[tuple[Often, Any], ...] = (("once", described["subscription"]), ("unit", described["unit"]))
    for often, section in sections:
        for group in section["groups"]:
            _add_group(blueprint, often, group)
        for resource in section["resources"]:
            _add_below(blueprint, often, resource, SUBSCRIPTION, resource["type"])
        for resource in section.get("located", []):
            template = _complete(
                {**resource, "id": f"{resource['parent']}/{resource['collection']}/{resource['name']}"}
            )
            template["location"] = "{location}"
            blueprint.add(often, template, f"{resource['parent']}/{resource['collection']}")
    return blueprint


def _add_group(blueprint: Blueprint, often: Often, described: JsonObject) -> None:
    group: JsonObject = {
        "id": f"{SUBSCRIPTION}/resourceGroups/{described['name']}",
        "name": described["name"],
        "type": "Microsoft.Resources/resourceGroups",
        "location": described["location"],
        "tags": described["tags"],
        "properties": {"provisioningState": "Succeeded"},
    }
    blueprint.add(often, group, f"{SUBSCRIPTION}/resourceGroups")
    blueprint.add_row(often, graph_row(group, "{sub}", "{tenant}"))
    for resource in described["resources"]:
        type_ = resource["type"]
        template = _complete(
            {"location": described["location"], "tags": described["tags"], **resource},
            id_=f"{group['id']}/providers/{type_}/{resource['name']}",
            group=group["id"],
        )
        blueprint.add(often, template, *(f"{scope}/providers/{type_}" for scope in (SUBSCRIPTION, group["id"])))
        summary = blueprint.stamp({key: template[key] for key in _SUMMARY if key in template})
        for scope in (SUBSCRIPTION, group["id"]):
            blueprint.add_to_list(often, f"{scope}/resources", summary)
        blueprint.add_row(often, graph_row(template, "{sub}", "{tenant}"))
        _add_children(blueprint, often, resource, template, group["id"])
        if "instanceView" in resource:
            _add_instance_view(
                blueprint, often, template, expand(resource["instanceView"], template["id"], group["id"])
            )


def _add_children(blueprint: Blueprint, often: Often, described: JsonObject, parent: JsonObject, group: str) -> None:
    for collection, children in described.get("children", {}).items():
        for child in children:
            type_ = f"{parent['type']}/{collection}"
            id_ = f"{parent['id']}/{collection}/{child['name']}"
            template = _complete({**child, "type": type_}, id_=id_, group=group)
            blueprint.add(often, template, f"{parent['id']}/{collection}")
            _add_children(blueprint, often, child, template, group)
    for extension in described.get("extensions", []):
        _add_below(blueprint, often, extension, parent["id"], extension["type"], group)


def _add_below(
    blueprint: Blueprint, often: Often, described: JsonObject, scope: str, type_: str, group: str = SUBSCRIPTION
) -> None:
    path = f"{scope}/providers/{type_}"
    blueprint.add(often, _complete(described, id_=f"{path}/{described['name']}", group=group), path)


def _add_instance_view(blueprint: Blueprint, often: Often, machine: JsonObject, view: JsonObject) -> None:
    """Serve a machine with its run-time status, that status alone, and the list of all machines' status."""
    whole = {**machine, "properties": {**machine["properties"], "instanceView": view}}
    blueprint.resources[f"{blueprint.key(machine['id'])}?instanceview"] = blueprint.stamp(whole)
    blueprint.resources[f"{blueprint.key(machine['id'])}/instanceview"] = blueprint.stamp(view)
    kept = ("vmId", "provisioningState")
    status: JsonObject = {key: machine[key] for key in ("id", "name", "type", "location")}
    status["properties"] = {key: machine["properties"][key] for key in kept}
    status["properties"]["instanceView"] = view
    blueprint.add_to_list(often, f"{SUBSCRIPTION}/providers/{machine['type']}?statusonly", blueprint.stamp(status))


def _complete(described: JsonObject, *, id_: str = "", group: str = "") -> JsonObject:
    """Return the resource that is *described*, with what Azure adds to it."""
    id_ = id_ or described["id"]
    made: JsonObject = {"id": id_, "name": described["name"], "type": described["type"]}
    left_out = ("id", "children", "extensions", "instanceView", "parent", "collection")
    made.update({key: expand(value, id_, group) for key, value in described.items() if key not in left_out})
    if described["type"].startswith("Microsoft.Network/"):
        label = "".join(filter(str.isalnum, f"etag{described['type']}{described['name'].partition('{')[0]}"))
        made["etag"] = f'W/"{{guid:{label}}}"'
        if described["type"].endswith("/networkSecurityGroups"):
            rules = [{"id": f"{id_}/defaultSecurityRules/{rule['name']}", **rule} for rule in default_rules()]
            made["properties"]["defaultSecurityRules"] = rules
        _complete_parts(made["properties"], made)
    return made


def _complete_parts(value: Json, owner: JsonObject) -> None:
    """Complete the resources that stand in a network resource: what has an id below its, and properties."""
    if isinstance(value, dict):
        if _is_part(value, owner["id"]):
            collection, name = value["id"].split("/")[-2:]
            value.update({"name": name, "type": f"{owner['type']}/{collection}", "etag": owner["etag"]})
        for item in value.values():
            _complete_parts(item, owner)
    elif isinstance(value, list):
        for item in value:
            _complete_parts(item, owner)


def _is_part(value: Mapping[str, Json], owner: str) -> bool:
    return "properties" in value and str(value.get("id", "")).startswith(f"{owner}/")


def _types_in(template: JsonObject) -> Iterator[str]:
    """Yield the types of a resource and of those inside it."""
    yield template["type"].lower()

    def inside(value: Json) -> Iterator[str]:
        if isinstance(value, dict):
            if _is_part(value, template["id"]):
                yield value["type"].lower()
            value = list(value.values())
        if isinstance(value, list):
            for item in value:
                yield from inside(item)

    yield from inside(template.get("properties", {}))


def expand(value: Json, id_: str, group: str) -> Json:
    """Return *value* with the abbreviated ids in it written out."""
    if isinstance(value, str):
        if value.startswith("~/"):
            return f"{group}/{value[2:]}"
        return f"{id_}/{value[2:]}" if value.startswith("./") else value
    if isinstance(value, list):
        return [expand(item, id_, group) for item in value]
    if isinstance(value, dict):
        return {key: expand(item, id_, group) for key, item in value.items()}
    return value
