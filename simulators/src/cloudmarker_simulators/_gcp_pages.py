"""Pages of Google's lists: tokens, sizes, and the form that plain and aggregated lists of the APIs have."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from cloudmarker_simulators._gcp_paths import COMPUTE, GooglePath, singular
from cloudmarker_simulators._http import JsonObject, Request, Response, text_response
from cloudmarker_simulators._sources import Aggregate, Collection
from cloudmarker_simulators._stamps import LazyItems, json_array

MAX_COMPUTE_RESULTS = 500
_EMPTY_PAGE = "NO_RESULTS_ON_PAGE"


class BadRequestError(ValueError):
    """The call's parameters make no sense; the message says which."""


def page(request: Request, where: GooglePath, collection: Collection, size: int) -> Response:
    """Return a page of a list, of at most *size* items.

    Raises:
        BadRequestError: the parameters make no sense.
    """
    start, end = (0, len(collection.items)) if not collection.paged else _slice(request, where, size)
    body: dict[str, Any] = dict(collection.envelope)
    if where.is_compute and request.query.get("filter"):
        raise BadRequestError("This stand-in does not evaluate filters.")
    if where.is_compute:
        body = _compute_envelope(where, f"{singular(where.collection)}List")
    if end < len(collection.items):
        body["nextPageToken"] = page_token(end, where.path)
    members = [f"{json.dumps(name)}:{json.dumps(value, ensure_ascii=False)}" for name, value in body.items()]
    if start < min(end, len(collection.items)):  # Google leaves empty fields out
        members.append(f'"{collection.key}":{json_array(collection.items, start, end)}')
    return text_response(200, f"{{{','.join(members)}}}")


def aggregate_page(request: Request, where: GooglePath, aggregate: Aggregate, size: int) -> Response:
    """Return a page of a list over all zones and regions, see :func:`page`."""
    if request.query.get("filter"):
        raise BadRequestError("This stand-in does not evaluate filters.")
    start, end = _slice(request, where, size)
    held: dict[str, list[str]] = {scope: [] for scope in aggregate.scopes}
    items = aggregate.items
    for number in range(start, min(end, len(items))):
        text = items.text(number) if isinstance(items, LazyItems) else json.dumps(items[number], ensure_ascii=False)
        held[aggregate.scope_of(number)].append(text)
    scopes = ",".join(f"{json.dumps(scope)}:{_scope_text(scope, texts, aggregate)}" for scope, texts in held.items())
    body = _compute_envelope(where, f"{singular(where.collection)}AggregatedList")
    if aggregate.unreachable:
        body["unreachables"] = sorted(aggregate.unreachable)
    if end < len(items):
        body["nextPageToken"] = page_token(end, where.path)
    return text_response(200, f'{json.dumps(body, ensure_ascii=False)[:-1]},"items":{{{scopes}}}}}')


def page_token(start: int, path: str) -> str:
    """Return the token of the page of the list at *path* that begins with item number *start*."""
    return base64.urlsafe_b64encode(f"{start}:{path}".encode()).decode()


def _scope_text(scope: str, texts: list[str], aggregate: Aggregate) -> str:
    if scope in aggregate.unreachable:
        return json.dumps({"warning": _warning("UNREACHABLE", f"The scope '{scope}' is unreachable.", scope)})
    if not texts:
        return json.dumps(
            {"warning": _warning(_EMPTY_PAGE, f"There are no results for scope '{scope}' on this page.", scope)}
        )
    return f'{{"{aggregate.key}":[{",".join(texts)}]}}'


def _warning(code: str, message: str, scope: str) -> JsonObject:
    return {"code": code, "message": message, "data": [{"key": "scope", "value": scope}]}


def _compute_envelope(where: GooglePath, kind: str) -> dict[str, Any]:
    path = f"projects/{where.project}/{where.rest}"
    return {"kind": f"compute#{kind}", "id": path, "selfLink": f"{COMPUTE}/{path}"}


def _slice(request: Request, where: GooglePath, size: int) -> tuple[int, int]:
    query: Mapping[str, str] = request.query
    for name in ("maxresults", "pagesize"):
        if wanted := query.get(name):
            if not wanted.isdigit() or (where.is_compute and int(wanted) > MAX_COMPUTE_RESULTS):
                raise BadRequestError(f"Invalid value for field '{name}': '{wanted}'.")
            size = min(size, int(wanted) or size)
    start = _read_page_token(query.get("pagetoken"), where.path)
    return start, start + size


def _read_page_token(token: str | None, path: str) -> int:
    if not token:
        return 0
    try:
        number, _, of = base64.urlsafe_b64decode(token).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as exc:
        raise BadRequestError("Invalid value for field 'pageToken'.") from exc
    if of != path or not number.isdigit():
        raise BadRequestError("Invalid value for field 'pageToken'.")
    return int(number)
