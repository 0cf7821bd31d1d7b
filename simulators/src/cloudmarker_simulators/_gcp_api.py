"""Google Cloud as a handler: the token endpoint, and the reading half of its REST APIs under one root."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from cloudmarker_simulators import _gcp_errors as errors
from cloudmarker_simulators._gcp_paths import GooglePath, singular
from cloudmarker_simulators._gcp_source import COMPUTE, GoogleSource
from cloudmarker_simulators._gcp_tokens import TokenEndpoint
from cloudmarker_simulators._http import Handler, JsonObject, Request, Response, json_response
from cloudmarker_simulators._sources import Aggregate, Collection
from cloudmarker_simulators._tokens import Tokens

MAX_COMPUTE_RESULTS = 500
_READING_POSTS = (":getIamPolicy",)
_STATE_FILTER = re.compile(r"(?:lifecycleState|state)\s*[:=]\s*(\w+)", re.IGNORECASE)
_EMPTY_PAGE = "NO_RESULTS_ON_PAGE"


class GoogleAPI:
    """What one service account can read.

    Attributes:
        token_endpoint: answers ``POST /token``.
        tokens: the access tokens it has issued.
    """

    def __init__(self, source: GoogleSource, token_endpoint: TokenEndpoint, tokens: Tokens) -> None:
        self._source = source
        self._token_endpoint: Handler = token_endpoint
        self._tokens = tokens

    def __call__(self, request: Request) -> Response:
        if request.path == "/token" and request.method == "POST":
            return self._token_endpoint(request)
        if request.method != "GET" and not (request.method == "POST" and request.path.endswith(_READING_POSTS)):
            return errors.google_error(405, headers={"Allow": "GET"})
        if problem := self._tokens.problem(request.bearer_token):
            return errors.unauthorized(problem)
        try:
            return self._read(request)
        except _BadRequestError as exc:
            return errors.google_error(400, str(exc))

    def _read(self, request: Request) -> Response:
        path = request.path
        host, slash, rest = path[1:].partition("/")
        if host.endswith("googleapis.com") and slash and self._source.collection(path) is None:
            path = f"/{rest}"
        where = GooglePath.parse(path)
        if refusal := self._refused(path, where) or self._unreachable(where):
            return refusal
        if path == "/v3/projects":
            return self._page(request, where, self._children(request))
        if (collection := self._source.collection(path)) is not None:
            if path in ("/v1/projects", "/v3/projects:search"):
                collection = _filtered(request, collection)
            return self._page(request, where, collection)
        if (resource := self._source.resource(path)) is not None:
            return json_response(200, resource)
        return self._not_held(request, where)

    def _not_held(self, request: Request, where: GooglePath) -> Response:
        """Answer for a path at which the source has nothing: an empty list if there can be one, else an error."""
        if where.is_compute and where.rest.startswith("aggregated/") and where.rest.count("/") == 1:
            aggregate = self._source.aggregate(where.path)
            if aggregate is not None:
                return self._aggregate_page(request, where, aggregate)
        if not where.project or not self._source.knows(f"/v1/projects/{where.project}"):
            return errors.no_project(where.project, says_so=where.is_compute or not where.project)
        if not where.is_list:
            return errors.google_error(404, f"The resource '{where.path}' was not found")
        return self._unknown_scope(where) or self._page(request, where, Collection("items", []))

    def _unreachable(self, where: GooglePath) -> Response | None:
        if not where.is_compute or where.scope not in self._source.unreachable.get(where.project, ()):
            return None
        return errors.google_error(503, f"Scope '{where.scope}' is unreachable.")

    def _unknown_scope(self, where: GooglePath) -> Response | None:
        if not where.is_compute or where.scope in ("", "global"):
            return None
        collection, _, name = where.scope.partition("/")
        zones = self._source.collection(f"{where.root}/projects/{where.project}/zones")
        names = [zone["name"] for zone in zones.items] if zones is not None else []
        if collection == "regions":
            names = [name.rpartition("-")[0] for name in names]
        if name in names or not names:
            return None
        word = singular(collection)
        return errors.google_error(400, f"Invalid value for field '{word}': '{name}'. Unknown {word}.")

    def _refused(self, path: str, where: GooglePath) -> Response | None:
        for refusal in self._source.refusals:
            if not refusal.matches(path):
                continue
            if refusal.kind == "disabled":
                return errors.not_enabled(refusal.what, self._source.project_number(where.project))
            if refusal.kind == "denied":
                return errors.denied(refusal.what, f"projects/{where.project}")
            return errors.no_project(where.project, says_so=where.is_compute)
        return None

    def _children(self, request: Request) -> Collection:
        parent = request.query.get("parent")
        if not parent:
            raise _BadRequestError("Field parent is required.")
        everything = self._source.collection("/v3/projects:search")
        items = everything.items if everything is not None else []
        return Collection("projects", [item for item in items if item.get("parent") == parent])

    def _page(self, request: Request, where: GooglePath, collection: Collection) -> Response:
        if where.is_compute and request.query.get("filter"):
            raise _BadRequestError("This stand-in does not evaluate filters.")
        start, end = self._slice(request, where)
        items = list(collection.items[start:end])
        body: dict[str, Any] = dict(collection.envelope)
        if where.is_compute:
            body = _compute_envelope(where, f"{singular(where.collection)}List")
        if items:  # Google leaves empty fields out
            body[collection.key] = items
        return json_response(200, self._with_next(body, end, len(collection.items), where))

    def _aggregate_page(self, request: Request, where: GooglePath, aggregate: Aggregate) -> Response:
        if request.query.get("filter"):
            raise _BadRequestError("This stand-in does not evaluate filters.")
        start, end = self._slice(request, where)
        scopes: dict[str, JsonObject] = {scope: {} for scope in aggregate.scopes}
        for scope, item in aggregate.items[start:end]:
            scopes[scope].setdefault(aggregate.key, []).append(item)
        for scope, held in scopes.items():
            if scope in aggregate.unreachable:
                held["warning"] = _warning("UNREACHABLE", f"The scope '{scope}' is unreachable.", scope)
            elif not held:
                held["warning"] = _warning(
                    _EMPTY_PAGE, f"There are no results for scope '{scope}' on this page.", scope
                )
        body = _compute_envelope(where, f"{singular(where.collection)}AggregatedList")
        body["items"] = scopes
        if aggregate.unreachable:
            body["unreachables"] = sorted(aggregate.unreachable)
        return json_response(200, self._with_next(body, end, len(aggregate.items), where))

    def _slice(self, request: Request, where: GooglePath) -> tuple[int, int]:
        size = self._source.page_size
        for name in ("maxresults", "pagesize"):
            if wanted := request.query.get(name):
                if not wanted.isdigit() or (where.is_compute and int(wanted) > MAX_COMPUTE_RESULTS):
                    raise _BadRequestError(f"Invalid value for field '{name}': '{wanted}'.")
                size = min(size, int(wanted) or size)
        start = _read_page_token(request.query.get("pagetoken"), where.path)
        return start, start + size

    def _with_next(self, body: dict[str, Any], end: int, total: int, where: GooglePath) -> dict[str, Any]:
        if end < total:
            body["nextPageToken"] = page_token(end, where.path)
        return body


class _BadRequestError(ValueError):
    """The call's parameters make no sense; the message says which."""


def _compute_envelope(where: GooglePath, kind: str) -> dict[str, Any]:
    path = f"projects/{where.project}/{where.rest}"
    return {"kind": f"compute#{kind}", "id": path, "selfLink": f"{COMPUTE}/{path}"}


def _warning(code: str, message: str, scope: str) -> JsonObject:
    return {"code": code, "message": message, "data": [{"key": "scope", "value": scope}]}


def _filtered(request: Request, collection: Collection) -> Collection:
    """Return the projects that a filter on their state selects, the only filter that is understood."""
    text = request.query.get("filter") or request.query.get("query")
    if not text:
        return collection
    match = _STATE_FILTER.fullmatch(text.strip())
    if match is None:
        raise _BadRequestError("This stand-in understands filters on the state only, such as 'state:ACTIVE'.")
    state = match[1].upper()
    return Collection(
        collection.key, [item for item in collection.items if state in (item.get("lifecycleState"), item.get("state"))]
    )


def page_token(start: int, path: str) -> str:
    return base64.urlsafe_b64encode(f"{start}:{path}".encode()).decode()


def _read_page_token(token: str | None, path: str) -> int:
    if not token:
        return 0
    try:
        number, _, of = base64.urlsafe_b64decode(token).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as exc:
        raise _BadRequestError("Invalid value for field 'pageToken'.") from exc
    if of != path or not number.isdigit():
        raise _BadRequestError("Invalid value for field 'pageToken'.")
    return int(number)
