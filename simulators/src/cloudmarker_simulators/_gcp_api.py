"""Google Cloud as a handler: the token endpoints, and the reading half of its REST APIs under one root."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from urllib.parse import parse_qs

from cloudmarker_simulators import _gcp_errors as errors
from cloudmarker_simulators import _gcp_scopes as scopes
from cloudmarker_simulators._gcp_pages import BadRequestError, aggregate_page, page
from cloudmarker_simulators._gcp_paths import GooglePath, service_of, singular
from cloudmarker_simulators._gcp_source import GoogleSource
from cloudmarker_simulators._gcp_tokens import TokenEndpoint
from cloudmarker_simulators._http import Handler, JsonObject, Request, Response, json_response
from cloudmarker_simulators._quotas import Quotas
from cloudmarker_simulators._sources import Collection
from cloudmarker_simulators._tokens import Tokens

MAX_ASSETS = 1000
EMPTY_POLICY = {"etag": "ACAB"}
"""The IAM policy of what nobody has granted anything on."""

_POSTED_LISTS = ("/listInstances", "/listNetworkEndpoints")
"""Lists of what is in groups, for which the compute API has nothing but POST."""

_READING_POSTS = (":getIamPolicy", ":generateAccessToken", *_POSTED_LISTS)
_IMPERSONATION = re.compile(r"/v1/projects/-/serviceAccounts/([^/:]+):generateAccessToken")
_ACCOUNT = re.compile(r"[^@]+@[\w.-]+\.gserviceaccount\.com")
_ASSETS = re.compile(r"/v1/((?:organizations|folders|projects)/[^/]+)/assets")
_SERVICES = re.compile(r"/v1/projects/[^/]+/services")
_ABOVE = re.compile(r"/[^/]+/(?:organizations|folders)/[^/]+(/\w+)?|/compute/v1/locations/global/firewallPolicies")


class GoogleAPI:
    """What one service account can read.

    Attributes:
        token_endpoint: answers ``POST /token``.
        tokens: the access tokens it has issued.
    """

    def __init__(
        self, source: GoogleSource, token_endpoint: TokenEndpoint, tokens: Tokens, quotas: Quotas | None = None
    ) -> None:
        self._source = source
        self._token_endpoint: Handler = token_endpoint
        self._tokens = tokens
        self._quotas = quotas

    def __call__(self, request: Request) -> Response:
        if request.path == "/token" and request.method == "POST":
            return self._token_endpoint(request)
        if request.method != "GET" and not (request.method == "POST" and request.path.endswith(_READING_POSTS)):
            return errors.google_error(405, headers={"Allow": "GET"})
        if problem := self._tokens.problem(request.bearer_token):
            return errors.unauthorized(problem)
        if match := _IMPERSONATION.fullmatch(request.path):
            return self._impersonate(match[1])
        try:
            return self._read(request)
        except BadRequestError as exc:
            return errors.google_error(400, str(exc))

    def _impersonate(self, account: str) -> Response:
        """Answer with a token of another service account; any will do."""
        if not _ACCOUNT.fullmatch(account):
            return errors.denied("iam.serviceAccounts.getAccessToken", f"serviceAccounts/{account}")
        expires = dt.datetime.now(dt.timezone.utc) + dt.timedelta(seconds=self._tokens.lifetime_s)
        return json_response(
            200, {"accessToken": self._tokens.issue(), "expireTime": expires.strftime("%Y-%m-%dT%H:%M:%SZ")}
        )

    def _read(self, request: Request) -> Response:
        path = request.path
        if path.endswith(_POSTED_LISTS) and request.method == "GET":
            return errors.google_error(404)
        service = service_of(path)
        host, slash, rest = path[1:].partition("/")
        if host.endswith("googleapis.com") and slash and self._source.collection(path) is None:
            path = f"/{rest}"
        where = GooglePath.parse(path)
        if self._quotas is not None and self._quotas.take((service, where.project)).wait_s:
            return errors.rate_limited(service, f"projects/{self._source.project_number(where.project)}")
        if refusal := self._refused(path, where) or self._unreachable(where):
            return refusal
        return self._answer(request, where)

    def _answer(self, request: Request, where: GooglePath) -> Response:
        path, size = where.path, self._source.page_size
        if (collection := scopes.listed(self._source, request)) is not None:
            return page(request, where, collection, size)
        if match := _ASSETS.fullmatch(path):
            return self._assets(request, where, match[1])
        if _SERVICES.fullmatch(path) and self._source.knows(f"/v1/projects/{where.project}"):
            return page(request, where, self._services(request, where), size)
        if (collection := self._source.collection(self._keyed(path, request))) is not None:
            return page(request, where, collection, size)
        if (resource := self._source.resource(path)) is not None:
            return json_response(200, resource)
        return self._not_held(request, where)

    @staticmethod
    def _keyed(path: str, request: Request) -> str:
        """Return *path* with the parameter that decides what is listed there, where there is one."""
        for name, spelled in (("project", "project"), ("parentid", "parentId")):
            if value := request.query.get(name):
                return f"{path}?{spelled}={value}"
        return path

    def _not_held(self, request: Request, where: GooglePath) -> Response:
        """Answer for a path at which the source has nothing of its own: what follows from others, or an error."""
        size = self._source.page_size
        if where.is_compute and where.rest.startswith("aggregated/") and where.rest.count("/") == 1:
            aggregate = self._source.aggregate(where.path)
            if aggregate is not None:
                return aggregate_page(request, where, aggregate, size)
        if (unlisted := self._source.collection(where.path)) is not None:  # whatever the parameters say
            return page(request, where, unlisted, size)
        if where.path.endswith(":getIamPolicy") and self._source.knows(where.path.removesuffix(":getIamPolicy")):
            return json_response(200, EMPTY_POLICY)
        if not where.project and _ABOVE.fullmatch(where.path):
            return self._empty_above(request, where)
        return self._empty(request, where)

    def _empty(self, request: Request, where: GooglePath) -> Response:
        """Answer for what a project does not have: an empty list if there can be one, else an error."""
        project = where.project or (request.query.get("project", "") if where.path == "/storage/v1/b" else "")
        if not project or not self._source.knows(f"/v1/projects/{project}"):
            return errors.no_project(project, says_so=where.is_compute or not project)
        if not where.is_list and where.project:
            return errors.google_error(404, f"The resource '{where.path}' was not found")
        nothing = Collection("items", [])
        return self._unknown_scope(where) or page(request, where, nothing, self._source.page_size)

    def _empty_above(self, request: Request, where: GooglePath) -> Response:
        """Answer for what an organization or folder does not have."""
        parent = request.query.get("parentid") or "/".join(where.path.split("/")[2:4])
        if where.path.count("/") < 4 or not self._source.knows(f"/v3/{parent}"):
            return errors.google_error(403)
        return page(request, where, Collection("items", []), self._source.page_size)

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

    def _services(self, request: Request, where: GooglePath) -> Collection:
        """Return the services of a project; those of which a refusal says so are disabled."""
        number = self._source.project_number(where.project)
        known = self._source.collection(where.path)
        items: list[JsonObject] = list(known.items) if known is not None else []
        listed = {item["name"].rpartition("/")[2] for item in items}
        for name, path in self._source.services(where.project).items():
            if name not in listed:
                items.append(_service(name, number, disabled=self._is_disabled(name, path)))
        wanted = request.query.get("filter", "").partition(":")[2].upper()
        if wanted:
            items = [item for item in items if item.get("state", "ENABLED") == wanted]
        return Collection("services", items)

    def _is_disabled(self, name: str, path: str) -> bool:
        return any(
            refusal.kind == "disabled" and refusal.what == name and refusal.matches(path)
            for refusal in self._source.refusals
        )

    def _assets(self, request: Request, where: GooglePath, parent: str) -> Response:
        parameters = parse_qs(request.target.partition("?")[2])
        content = request.query.get("contenttype", "RESOURCE")
        if content not in ("RESOURCE", "IAM_POLICY"):
            raise BadRequestError(f"This stand-in has no assets of content type '{content}'.")
        size = request.query.get("pagesize", "100")
        if not size.isdigit() or not 0 <= int(size) <= MAX_ASSETS:
            raise BadRequestError(f"pageSize is from 1 to {MAX_ASSETS}.")
        patterns = [_compiled(pattern) for pattern in parameters.get("assetTypes", [])]
        found: Sequence[JsonObject] | None = self._source.assets(
            parent, lambda type_: not patterns or any(pattern.fullmatch(type_) for pattern in patterns), content
        )
        if found is None:
            if where.project and not self._source.knows(f"/v1/projects/{where.project}"):
                return errors.google_error(403)
            return errors.not_enabled("cloudasset.googleapis.com", self._source.project_number(where.project))
        envelope = {"readTime": "2025-11-20T08:00:00.000000Z"}
        return page(request, where, Collection("assets", found, envelope), int(size) or 100)


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as exc:
        raise BadRequestError(f"assetTypes: {pattern!r} is no expression: {exc}") from exc


def _service(name: str, number: str, *, disabled: bool) -> JsonObject:
    return {
        "name": f"projects/{number}/services/{name}",
        "config": {"name": name, "title": f"{name.partition('.')[0].capitalize()} API"},
        "state": "DISABLED" if disabled else "ENABLED",
        "parent": f"projects/{number}",
    }
