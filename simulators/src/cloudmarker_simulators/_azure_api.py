"""Azure as a handler: the token service, the reading half of Azure Resource Manager, and Resource Graph."""

from __future__ import annotations

import base64
import binascii
import json
import re
import uuid
from collections.abc import Mapping
from typing import Protocol
from urllib.parse import urlencode

from cloudmarker_simulators import _azure_errors as errors
from cloudmarker_simulators import _azure_graph as graph
from cloudmarker_simulators._azure_login import Login
from cloudmarker_simulators._azure_paths import ArmPath
from cloudmarker_simulators._azure_throttle import Throttle
from cloudmarker_simulators._http import JsonObject, Request, Response, text_response
from cloudmarker_simulators._sources import Collection, Source
from cloudmarker_simulators._stamps import json_array

GRAPH_PAGES = 10
"""A page of Resource Graph is so many pages of Resource Manager, but never more than a thousand rows."""

_API_VERSION = re.compile(r"\d{4}-\d\d-\d\d(-[a-z]+)?", re.IGNORECASE)


class AzureSource(Source, graph.Rows, Protocol):
    """The data behind the Azure simulator."""

    tenant: str


class AzureAPI:
    """One tenant, seen by one client."""

    def __init__(self, source: AzureSource, login: Login, throttle: Throttle) -> None:
        self._source = source
        self._login = login
        self._throttle = throttle
        self._graph = graph.ResourceGraph(source, self._hidden if source.refusals else None)

    def __call__(self, request: Request) -> Response:
        if (response := self._login.answer(request)) is not None:
            return response
        queries = request.method == "POST" and request.path.lower() == graph.PATH
        if request.method != "GET" and not queries:
            return errors.arm_error(405, headers={"Allow": "GET"})
        if problem := self._login.tokens.problem(request.bearer_token):
            return errors.unauthorized(f"{request.base_url}/{self._login.tenant}", problem)
        where = ArmPath.parse(request.path)
        headers, refused = self._throttle.query() if queries else self._throttle.read(where)
        if refused is not None:
            return refused
        response = _api_version_refused(request.query.get("api-version"))
        if response is None and queries:
            response = self._graph.answer(request, self._source.page_size * GRAPH_PAGES)
        return _with_headers(response or self._read(request, where), headers)

    def _read(self, request: Request, where: ArmPath) -> Response:
        return self._refused(request.path, where) or self._held(request, where) or self._not_held(request, where)

    def _refused(self, path: str, where: ArmPath) -> Response | None:
        for refusal in self._source.refusals:
            if not refusal.matches(path):
                continue
            if refusal.kind == "denied":
                scope = path.rpartition("/providers/")[0] if where.is_list else path
                return errors.denied(self._login.client, refusal.what, scope or path)
            if refusal.kind == "disabled":
                return errors.not_registered(refusal.what)
            return errors.no_subscription(where.subscription)
        return None

    def _permissions(self, subscription: str) -> JsonObject:
        """Return what the reader may do in a subscription: read all but what is refused."""
        denied = [refusal for refusal in self._source.refusals if refusal.kind == "denied"]
        root = f"/subscriptions/{subscription}/providers"
        hidden = [each.what for each in denied if each.matches(f"{root}/{each.what.rpartition('/')[0]}")]
        return {"actions": ["*/read"], "notActions": hidden, "dataActions": [], "notDataActions": []}

    def _hidden(self, row: JsonObject) -> bool:
        """Say whether the reader may not read the resource that a *row* of Resource Graph is about, or its list."""
        return any(refusal.matches(f"/subscriptions/{row['subscriptionId']}/providers/{row['type']}")
                   or refusal.matches(row["id"]) for refusal in self._source.refusals)  # fmt: skip

    def _held(self, request: Request, where: ArmPath) -> Response | None:
        if where.type == "microsoft.authorization/permissions" and self._source.knows(where.parent):
            return self._page(request, Collection("value", [self._permissions(where.subscription)]))
        expand = request.query.get("$expand", "")
        resource = self._source.resource(f"{request.path}?{expand}") if expand else None
        resource = resource or self._source.resource(request.path)
        if resource is not None:
            return text_response(200, json.dumps(resource, ensure_ascii=False, separators=(",", ":")))
        collection = None
        if request.query.get("statusonly", "").lower() == "true":
            collection = self._source.collection(f"{request.path}?statusOnly")
        collection = collection or self._source.collection(request.path)
        custom = request.query.get("$filter", "").replace('"', "'") == "type eq 'CustomRole'"
        if custom and collection is not None and where.type == "microsoft.authorization/roledefinitions":
            roles = [role for role in collection.items if role["properties"].get("type") == "CustomRole"]
            collection = Collection(collection.key, roles)
        return self._page(request, collection) if collection is not None else None

    def _not_held(self, request: Request, where: ArmPath) -> Response:
        """Answer for a path at which the source has nothing: an empty list if there can be one, else an error."""
        subscription = f"/subscriptions/{where.subscription}"
        if where.subscription and not self._source.knows(subscription):
            return errors.no_subscription(where.subscription)
        if where.group and not self._source.knows(f"{subscription}/resourcegroups/{where.group}"):
            message = f"Resource group '{where.group}' could not be found."
            return errors.arm_error(404, "ResourceGroupNotFound", message)
        of_tenant = bool(where.namespace) and not where.parent
        if where.is_list and (self._source.knows(where.parent) if where.subscription else of_tenant):
            return self._page(request, Collection("value", []))
        missing = where.parent if where.is_list else where.path
        return errors.arm_error(404, "ResourceNotFound", f"The resource '{missing}' was not found.")

    def _page(self, request: Request, collection: Collection) -> Response:
        try:
            start = _read_skip_token(request.query.get("$skiptoken"))
        except ValueError:
            return errors.arm_error(400, "InvalidSkipToken", "The skip token is not one that this list gave.")
        end = start + self._source.page_size
        rest = dict(collection.envelope)
        if end < len(collection.items):
            query = {name: value for name, value in request.query.items() if name != "$skiptoken"}
            query["$skiptoken"] = _skip_token(end)
            path = request.target.partition("?")[0]
            rest["nextLink"] = f"{request.base_url}{path}?{urlencode(query, safe='$')}"
        members = [f'"{collection.key}":{json_array(collection.items, start, end)}']
        members += [f"{json.dumps(name)}:{json.dumps(value, ensure_ascii=False)}" for name, value in rest.items()]
        return text_response(200, f"{{{','.join(members)}}}")


def _with_headers(response: Response, headers: Mapping[str, str]) -> Response:
    request_id = str(uuid.uuid4())
    own = {"Cache-Control": "no-cache", "x-ms-request-id": request_id, "x-ms-correlation-request-id": request_id}
    return Response(response.status, response.body, {**response.headers, **own, **headers})


def _api_version_refused(version: str | None) -> Response | None:
    if not version:
        message = "The api-version query parameter (?api-version=) is required for all requests."
        return errors.arm_error(400, "MissingApiVersionParameter", message)
    if not _API_VERSION.fullmatch(version):
        message = (
            f"The api-version '{version}' is invalid. It must be of the form YYYY-MM-DD, with or without a suffix."
        )
        return errors.arm_error(400, "InvalidApiVersionParameter", message)
    return None


def _skip_token(start: int) -> str:
    return base64.urlsafe_b64encode(f"item:{start}".encode()).decode()


def _read_skip_token(token: str | None) -> int:
    if not token:
        return 0
    try:
        word, _, number = base64.urlsafe_b64decode(token).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as exc:
        raise ValueError(token) from exc
    if word != "item" or not number.isdigit():
        raise ValueError(token)
    return int(number)
