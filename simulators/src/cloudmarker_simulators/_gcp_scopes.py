"""Lists of projects and folders, as far as they are asked for by what they are in or by their state."""

from __future__ import annotations

import re
from collections.abc import Callable

from cloudmarker_simulators._gcp_pages import BadRequestError
from cloudmarker_simulators._http import JsonObject, Request
from cloudmarker_simulators._sources import Collection, Source

SEARCHED = ("/v1/projects", "/v3/projects:search", "/v3/folders:search", "/v3/organizations:search")
"""Lists of all that can be seen."""

CHILDREN = {"/v3/projects": "/v3/projects:search", "/v3/folders": "/v3/folders:search"}
"""Lists of what is directly in a folder or organization, and where it is searched for."""

_TERM = re.compile(r"([\w.]+)\s*[:=]\s*([\w/.-]+)")

_FIELDS: dict[str, Callable[[JsonObject], object]] = {
    "lifecyclestate": lambda item: item.get("lifecycleState"),
    "state": lambda item: item.get("state"),
    "parent": lambda item: item.get("parent"),
    "parent.type": lambda item: (item.get("parent") or {}).get("type"),
    "parent.id": lambda item: (item.get("parent") or {}).get("id"),
    "id": lambda item: item.get("projectId"),
    "projectid": lambda item: item.get("projectId"),
}


def listed(source: Source, request: Request) -> Collection | None:
    """Return the list of projects, folders or organizations that is asked for; None if it is none.

    Raises:
        BadRequestError: a filter that is not understood, or no parent where one is needed.
    """
    path = request.path
    if path in CHILDREN:
        parent = request.query.get("parent")
        if not parent:
            raise BadRequestError("Field parent is required.")
        everything = source.collection(CHILDREN[path])
        items = everything.items if everything is not None else []
        return Collection(path.rpartition("/")[2], [item for item in items if item.get("parent") == parent])
    if path not in SEARCHED:
        return None
    found = source.collection(path) or Collection(path.rpartition("/")[2].partition(":")[0], [])
    text = (request.query.get("filter") or request.query.get("query") or "").strip()
    if not text:
        return found
    terms = [_TERM.fullmatch(term) for term in re.split(r"\s+(?:AND\s+)?", text)]
    wanted = [(match[1].lower(), match[2]) for match in terms if match is not None]
    if None in terms or any(field not in _FIELDS for field, _ in wanted):
        raise BadRequestError("This stand-in understands filters on state and parent only, such as 'state:ACTIVE'.")
    return Collection(
        found.key, [item for item in found.items if all(_is(item, field, value) for field, value in wanted)]
    )


def _is(item: JsonObject, field: str, value: str) -> bool:
    if field in ("state", "lifecyclestate"):  # the two versions have two names for it
        return value.upper() in (item.get("state"), item.get("lifecycleState"))
    return str(_FIELDS[field](item)).lower() == value.lower()
