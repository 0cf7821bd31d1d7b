"""Azure as a handler: the token service of Microsoft Entra, and the reading half of Azure Resource Manager."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import secrets
import uuid
from urllib.parse import parse_qsl, urlencode

from cloudmarker_simulators import _azure_errors as errors
from cloudmarker_simulators._azure_paths import ArmPath
from cloudmarker_simulators._http import Request, Response, json_response
from cloudmarker_simulators._sources import Collection, Source
from cloudmarker_simulators._tokens import Tokens

_API_VERSION = re.compile(r"\d{4}-\d\d-\d\d(-[a-z]+)?", re.IGNORECASE)
_TOKEN = re.compile(r"/([^/]+)/oauth2/v2\.0/token", re.IGNORECASE)
_OPENID = re.compile(r"/([^/]+)/v2\.0/\.well-known/openid-configuration", re.IGNORECASE)


class AzureAPI:
    """One tenant, seen by one client.

    Attributes:
        tenant: the tenant's id.
        client: id of the application that may read it.
        secret: its secret, made up anew by every instance.
    """

    def __init__(self, source: Source, tenant: str, *, token_lifetime_s: int = 3600) -> None:
        self.tenant = tenant
        self.client = str(uuid.uuid4())
        self.secret = secrets.token_urlsafe(30)
        self._source = source
        self._tokens = Tokens(token_lifetime_s)

    def __call__(self, request: Request) -> Response:
        if match := _OPENID.fullmatch(request.path):
            return self._openid_configuration(request, match[1])
        if (match := _TOKEN.fullmatch(request.path)) and request.method == "POST":
            return self._token(request, match[1])
        if request.method != "GET":
            return errors.arm_error(405, headers={"Allow": "GET"})
        if problem := self._tokens.problem(request.bearer_token):
            return errors.unauthorized(f"{request.base_url}/{self.tenant}", problem)
        return _api_version_refused(request.query.get("api-version")) or self._read(request)

    def _openid_configuration(self, request: Request, tenant: str) -> Response:
        if tenant.lower() != self.tenant:
            return errors.oauth_error(400, "invalid_tenant", 90002, f"Tenant '{tenant}' not found.")
        root = f"{request.base_url}/{self.tenant}"
        return json_response(
            200,
            {
                "issuer": f"{root}/v2.0",
                "authorization_endpoint": f"{root}/oauth2/v2.0/authorize",
                "token_endpoint": f"{root}/oauth2/v2.0/token",
                "device_authorization_endpoint": f"{root}/oauth2/v2.0/devicecode",
                "jwks_uri": f"{root}/discovery/v2.0/keys",
                "response_types_supported": ["code"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "token_endpoint_auth_methods_supported": ["client_secret_post"],
            },
        )

    def _token(self, request: Request, tenant: str) -> Response:
        form = dict(parse_qsl(request.body.decode("utf-8", "replace")))
        if tenant.lower() != self.tenant:
            return errors.oauth_error(400, "invalid_tenant", 90002, f"Tenant '{tenant}' not found.")
        if form.get("grant_type") != "client_credentials":
            return errors.oauth_error(400, "unsupported_grant_type", 70003, "Only client_credentials is supported.")
        if form.get("client_id", "").lower() != self.client:
            message = f"Application with identifier '{form.get('client_id', '')}' was not found in the directory."
            return errors.oauth_error(400, "unauthorized_client", 700016, message)
        if not hmac.compare_digest(form.get("client_secret", "").encode(), self.secret.encode()):
            return errors.oauth_error(401, "invalid_client", 7000215, "Invalid client secret provided.")
        if not form.get("scope", "").endswith("/.default"):
            return errors.oauth_error(400, "invalid_scope", 70011, "The scope must end in /.default.")
        lifetime_s = self._tokens.lifetime_s
        return json_response(
            200,
            {
                "token_type": "Bearer",
                "expires_in": lifetime_s - 1 if lifetime_s > 1 else lifetime_s,
                "ext_expires_in": lifetime_s,
                "access_token": self._tokens.issue(),
            },
            {"Cache-Control": "no-store"},
        )

    def _read(self, request: Request) -> Response:
        where = ArmPath.parse(request.path)
        return self._refused(request, where) or self._held(request) or self._not_held(request, where)

    def _refused(self, request: Request, where: ArmPath) -> Response | None:
        for refusal in self._source.refusals:
            if not refusal.matches(request.path):
                continue
            if refusal.kind == "denied":
                scope = request.path.rpartition("/providers/")[0] if where.is_list else request.path
                return errors.denied(self.client, refusal.what, scope or request.path)
            if refusal.kind == "disabled":
                return errors.not_registered(refusal.what)
            return errors.no_subscription(where.subscription)
        return None

    def _held(self, request: Request) -> Response | None:
        expand = request.query.get("$expand", "")
        resource = self._source.resource(f"{request.path}?{expand}") if expand else None
        resource = resource or self._source.resource(request.path)
        if resource is not None:
            return _ok(resource)
        collection = self._source.collection(request.path)
        return self._page(request, collection) if collection is not None else None

    def _not_held(self, request: Request, where: ArmPath) -> Response:
        """Answer for a path at which the source has nothing: an empty list if there can be one, else an error."""
        subscription = f"/subscriptions/{where.subscription}"
        if where.subscription and not self._source.knows(subscription):
            return errors.no_subscription(where.subscription)
        if where.group and not self._source.knows(f"{subscription}/resourcegroups/{where.group}"):
            message = f"Resource group '{where.group}' could not be found."
            return errors.arm_error(404, "ResourceGroupNotFound", message)
        if where.is_list and where.subscription and self._source.knows(where.parent):
            return self._page(request, Collection("value", []))
        missing = where.parent if where.is_list else where.path
        return errors.arm_error(404, "ResourceNotFound", f"The resource '{missing}' was not found.")

    def _page(self, request: Request, collection: Collection) -> Response:
        try:
            start = _read_skip_token(request.query.get("$skiptoken"))
        except ValueError:
            return errors.arm_error(400, "InvalidSkipToken", "The skip token is not one that this list gave.")
        end = start + self._source.page_size
        body = {**collection.envelope, collection.key: list(collection.items[start:end])}
        if end < len(collection.items):
            query = {name: value for name, value in request.query.items() if name != "$skiptoken"}
            query["$skiptoken"] = _skip_token(end)
            path = request.target.partition("?")[0]
            body["nextLink"] = f"{request.base_url}{path}?{urlencode(query, safe='$')}"
        return _ok(body)


def _ok(body: object) -> Response:
    request_id = str(uuid.uuid4())
    return json_response(
        200,
        body,
        {
            "Cache-Control": "no-cache",
            "x-ms-request-id": request_id,
            "x-ms-correlation-request-id": request_id,
            "x-ms-ratelimit-remaining-subscription-reads": "11999",
        },
    )


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
