"""The token service of Microsoft Entra: access tokens for one application that knows its secret."""

from __future__ import annotations

import hmac
import re
import secrets
import uuid
from urllib.parse import parse_qsl

from cloudmarker_simulators import _azure_errors as errors
from cloudmarker_simulators._http import Request, Response, json_response
from cloudmarker_simulators._tokens import Tokens

_TOKEN = re.compile(r"/([^/]+)/oauth2/v2\.0/token", re.IGNORECASE)
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_UNPROVEN = {
    False: (7000215, "Invalid client secret provided."),
    True: (700211, "No matching federated identity record found for presented assertion."),
}
_OPENID = re.compile(r"/([^/]+)/v2\.0/\.well-known/openid-configuration", re.IGNORECASE)


class Login:
    """The application, and where it gets its tokens.

    Attributes:
        tenant: the tenant's id.
        client: id of the application.
        secret: its secret, made up anew by every instance; also the assertion of whoever is federated with it.
        tokens: those that were issued.
    """

    def __init__(self, tenant: str, tokens: Tokens) -> None:
        self.tenant = tenant
        self.client = str(uuid.uuid4())
        self.secret = secrets.token_urlsafe(30)
        self.tokens = tokens

    def answer(self, request: Request) -> Response | None:
        """Answer *request* if it is for the token service."""
        if "/v2.0/" not in request.target:
            return None
        if match := _OPENID.fullmatch(request.path):
            return self._openid_configuration(request, match[1])
        if (match := _TOKEN.fullmatch(request.path)) and request.method == "POST":
            return self._token(request, match[1])
        return None

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
        federated = form.get("client_assertion_type") == ASSERTION_TYPE
        proof = form.get("client_assertion" if federated else "client_secret", "")
        if not hmac.compare_digest(proof.encode(), self.secret.encode()):
            return errors.oauth_error(401, "invalid_client", *_UNPROVEN[federated])
        if not form.get("scope", "").endswith("/.default"):
            return errors.oauth_error(400, "invalid_scope", 70011, "The scope must end in /.default.")
        lifetime_s = self.tokens.lifetime_s
        return json_response(
            200,
            {
                "token_type": "Bearer",
                "expires_in": lifetime_s - 1 if lifetime_s > 1 else lifetime_s,
                "ext_expires_in": lifetime_s,
                "access_token": self.tokens.issue(),
            },
            {"Cache-Control": "no-store"},
        )
