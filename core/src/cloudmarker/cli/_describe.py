"""Describing one plugin for ``cloudmarker plugins info``: its class, its parameters, and an example configuration."""

from __future__ import annotations

import inspect
import json
import re
import textwrap
from collections.abc import Iterator
from typing import Any

from cloudmarker._contractcheck import kind_of
from cloudmarker.cli._docstring import class_doc
from cloudmarker.plugins import constructor_parameters, load_class, registry

_PLAIN_YAML = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


def describe(name: str) -> dict[str, Any]:
    """Return all that is known of a plugin, as plain JSON values.

    Args:
        name: a short name or a class path.

    Raises:
        PluginError: there is no such plugin, or its class cannot be imported.
    """
    cls = load_class(name)
    plugin = registry().plugins.get(name)
    doc = class_doc(cls)
    parameters = [_parameter(par, doc.parameters.get(par.name, "")) for par in constructor_parameters(cls).values()]
    return {
        "name": name,
        "kind": plugin.spec.kind if plugin else kind_of(cls),
        "class": f"{cls.__module__}.{cls.__qualname__}",
        "distribution": plugin.distribution if plugin else None,
        "version": plugin.version if plugin else None,
        "summary": plugin.spec.summary if plugin else None,
        "description": doc.description,
        "parameters": parameters,
        "example": "\n".join(_example(name, cls.__name__.lower(), parameters)) + "\n",
    }


def as_text(info: dict[str, Any], width: int) -> Iterator[str]:
    """Yield the lines that show *info*, as :func:`describe` returns it, with its texts wrapped to *width*."""
    origin = f" of {info['distribution']} {info['version']}" if info["distribution"] else ""
    yield f"{info['name']}: {info['kind'] or 'class'}{' plugin' if info['kind'] else ''}{origin}"
    yield info["class"]
    for paragraph in (info["description"] or info["summary"] or "").split("\n\n"):
        yield ""
        yield from textwrap.wrap(paragraph, width)
    yield ""
    yield "Parameters:" if info["parameters"] else "Parameters: none"
    for par in info["parameters"]:
        annotation = f": {par['annotation']}" if par["annotation"] else ""
        default = " (required)" if par["required"] else f" = {par['default']}" if par["default"] is not None else ""
        yield f"  {par['name']}{annotation}{default}"
        yield from textwrap.wrap(par["text"], width, initial_indent=" " * 6, subsequent_indent=" " * 6)
    if conditions := _conditions(info["kind"]):
        yield ""
        yield from textwrap.wrap(f"Filter: 'when', beside 'params', narrows what it is given, by {conditions}.", width)
    yield ""
    yield "Example:"
    yield ""
    yield from (f"  {line}" for line in info["example"].splitlines())


def _conditions(kind: str | None) -> str:
    """Return the names of the conditions that a filter of such a plugin can have; none for clouds."""
    every, of_findings = "record_types, clouds, accounts", "severity, min_severity, status"
    return {
        "event": every,
        "store": f"{every}, and as an alert by {of_findings}",
        "alert": f"{every}, {of_findings}",
    }.get(kind or "", "")


def _parameter(par: inspect.Parameter, text: str) -> dict[str, Any]:
    """Return one parameter; ``default`` is its Python expression, ``value`` its JSON value if it has one."""
    optional = par.default is not par.empty
    value, is_json = _json(par.default) if optional else (None, False)
    annotation = "" if par.annotation is par.empty else par.annotation
    return {
        "name": f"**{par.name}" if par.kind is par.VAR_KEYWORD else par.name,
        "annotation": annotation if isinstance(annotation, str) else inspect.formatannotation(annotation),
        "required": not optional and par.kind is not par.VAR_KEYWORD,
        "default": repr(par.default) if optional else None,
        "text": text,
        **({"value": value} if is_json else {}),
    }


def _json(value: object) -> tuple[Any, bool]:
    try:
        return json.loads(json.dumps(value, allow_nan=False)), True
    except (TypeError, ValueError):
        return None, False


def _example(name: str, key: str, parameters: list[dict[str, Any]]) -> Iterator[str]:
    """Yield a YAML block that configures the plugin under the key ``my<key>``, with every public parameter."""
    yield "plugins:"
    yield f"  my{key}:"
    yield f"    plugin: {name if _PLAIN_YAML.fullmatch(name) else json.dumps(name)}"
    shown = [par for par in parameters if not par["name"].startswith(("_", "*"))]
    if any(par["required"] or "value" in par for par in shown):
        yield "    params:"
    for par in shown:
        if par["required"]:
            yield f"      {par['name']}: null  # required"
        elif "value" in par:
            yield f"      {par['name']}: {json.dumps(par['value'], ensure_ascii=False)}"
        else:
            yield f"      # {par['name']}: its default cannot be written in YAML"
