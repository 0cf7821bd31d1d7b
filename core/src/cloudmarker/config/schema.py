"""The JSON Schema (draft 2020-12) of a configuration file, for editors.

It describes one file of a cascade, so nothing is required: what one file leaves out another may hold. It knows the
plugins that are installed where it was made, with their parameters.
"""

from __future__ import annotations

import inspect
from typing import Any

import msgspec

from cloudmarker.config.shape import Root
from cloudmarker.config.typecheck import annotation
from cloudmarker.errors import PluginError
from cloudmarker.plugins import Plugin, constructor_parameters, load_class, registry

_REFERENCE = {"type": "string", "pattern": r"\$\{"}
"""``${…}`` may stand for any plain value."""


def json_schema() -> dict[str, Any]:
    """Return the schema. The classes of all installed plugins are imported; one that cannot be is left open."""
    _, definitions = msgspec.json.schema_components([Root], ref_template="#/$defs/{name}")
    schema: dict[str, Any] = _optional(definitions.pop("Root"))
    definitions = {name: _optional(definition) for name, definition in definitions.items()}
    sections = (schema, *(definitions[name] for name in ("Email", "When", "Suppression")))
    for fields in (section["properties"] for section in sections):
        for key, value in fields.items():
            fields[key] = _or_reference(value)
    plugins = registry().plugins
    params = {name: _params(name) for name in plugins}

    entry = definitions["Plugin"]
    entry["properties"]["plugin"] = {
        "description": entry["properties"]["plugin"].pop("description"),
        "anyOf": [
            *({"const": name, "description": plugin.spec.summary} for name, plugin in plugins.items()),
            {"type": "string", "pattern": r"[.:]|\$\{", "description": "The dotted name of a class."},
        ],
    }
    entry["allOf"] = [
        {
            "if": {"properties": {"plugin": {"enum": _names(plugin)}}, "required": ["plugin"]},
            "then": {"properties": {"params": params[name]}},
        }
        for name, plugin in plugins.items()
    ]
    schema["properties"]["plugins"]["properties"] = {
        name: {
            "$ref": "#/$defs/Plugin",
            "if": {"not": {"required": ["plugin"]}},
            "then": {"properties": {"params": params[name]}},
        }
        for name in plugins
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "Configuration of cloudmarker",
        "$defs": definitions,
    }


def _names(plugin: Plugin) -> list[str]:
    return [plugin.spec.name, plugin.spec.target, plugin.spec.target.replace(":", ".")]


def _optional(definition: dict[str, Any]) -> dict[str, Any]:
    """Return *definition* of a mapping with no key required."""
    return {key: value for key, value in definition.items() if key not in ("required", "title")}


def _or_reference(value: dict[str, Any]) -> dict[str, Any]:
    """Let a text of a certain form be a reference too: what it stands for is checked when it is loaded."""
    if "anyOf" in value:
        value = {**value, "anyOf": [_or_reference(option) for option in value["anyOf"]]}
    if "items" in value:
        value = {**value, "items": _or_reference(value["items"])}
    if not {"pattern", "enum"} & set(value):
        return value
    described: dict[str, Any] = {key: value[key] for key in ("description", "default") if key in value}
    form = {key: item for key, item in value.items() if key not in described}
    return {**described, "anyOf": [form, _REFERENCE]}


def _params(name: str) -> dict[str, Any]:
    """Return the schema of ``params`` of the plugin *name*."""
    schema: dict[str, Any] = {"type": ["object", "null"]}
    try:
        cls = load_class(name)
    except PluginError:
        return schema
    parameters = constructor_parameters(cls)
    properties = {
        key: _value(annotation(cls, parameter), parameter)
        for key, parameter in parameters.items()
        if parameter.kind is not parameter.VAR_KEYWORD
    }
    open_ended = len(properties) < len(parameters)
    return {**schema, "properties": properties, "additionalProperties": open_ended}


def _value(hint: Any, parameter: inspect.Parameter) -> dict[str, Any]:
    """Return the schema of one parameter: what its annotation says, null where that is the default, or a reference."""
    try:
        schema = msgspec.json.schema(hint)
    except (TypeError, NameError, RuntimeError):
        schema = {}
    if not schema or "$defs" in schema:  # no annotation, or one that needs definitions of its own: anything goes
        return _with_default({}, parameter)
    options = [*schema["anyOf"]] if set(schema) == {"anyOf"} else [schema]
    if parameter.default is None:
        options.append({"type": "null"})
    options.append(_REFERENCE)
    return _with_default(
        {"anyOf": [option for n, option in enumerate(options) if option not in options[:n]]}, parameter
    )


def _with_default(schema: dict[str, Any], parameter: inspect.Parameter) -> dict[str, Any]:
    default = parameter.default
    if isinstance(default, tuple):
        default = list(default)
    plain = default is None or isinstance(default, (str, int, float, list))
    return {**schema, "default": default} if plain else schema
