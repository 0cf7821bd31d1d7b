"""What the discovery documents of google-api-python-client say of the methods that a row of the table is read with."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from cloudmarker_gcp._client import Call
from cloudmarker_gcp._methods import get_static_doc
from cloudmarker_gcp._row import Api, Row
from cloudmarker_gcp._scopes import Scope


@cache
def document(api: Api) -> dict[str, Any]:
    """The whole document of an API."""
    found: dict[str, Any] = json.loads(get_static_doc(api.name, api.version))
    return found


@cache
def _methods(api: Api) -> dict[str, dict[str, Any]]:
    def walk(resources: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        for resource in resources.values():
            for method in resource.get("methods", {}).values():
                yield method["id"], method
            yield from walk(resource.get("resources", {}))

    return dict(walk(document(api)["resources"]))


def method(api: Api, method_id: str) -> dict[str, Any]:
    """One method of it; KeyError if it has none of that id."""
    return _methods(api)[method_id]


def answer(api: Api, method_id: str) -> dict[str, Any]:
    """The fields of what a method answers."""
    schema = document(api)["schemas"].get(method(api, method_id).get("response", {}).get("$ref"), {})
    found: dict[str, Any] = schema.get("properties", {})
    return found


def path_of(row: Row, scope: Scope, parent: str) -> str:
    """The path that a row is read from."""
    call = Call.of(row, scope, parent)
    path = document(row.api)["servicePath"] + method(row.api, call.method)["path"]
    return "/" + re.sub(r"\{\+?(\w+)\}", lambda found: str(call.arguments[found[1]]), path)
