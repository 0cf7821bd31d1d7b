"""Google's token endpoint: access tokens for assertions that a service account has signed."""

from __future__ import annotations

import base64
import binascii
import json
import time
from typing import Any
from urllib.parse import parse_qsl

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from cloudmarker_simulators import _gcp_errors as errors
from cloudmarker_simulators._http import Request, Response, json_response
from cloudmarker_simulators._tokens import Tokens

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
AUDIENCE = "https://oauth2.googleapis.com/token"
"""The audience that google-auth asks for, whatever token URI the key file names."""

MAX_LIFETIME_S = 3600
CLOCK_SKEW_S = 300


class TokenEndpoint:
    """Checks assertions of one service account and issues tokens for them."""

    def __init__(self, email: str, public_key: rsa.RSAPublicKey, key_id: str, tokens: Tokens) -> None:
        self._email = email
        self._public_key = public_key
        self._key_id = key_id
        self._tokens = tokens

    def __call__(self, request: Request) -> Response:
        form = dict(parse_qsl(request.body.decode("utf-8", "replace")))
        if form.get("grant_type") != GRANT_TYPE:
            return errors.oauth_error("unsupported_grant_type", f"Invalid grant_type: {form.get('grant_type', '')}")
        try:
            claims = self._verified(form.get("assertion", ""))
        except ValueError as exc:
            return errors.oauth_error("invalid_grant", str(exc))
        if not claims.get("scope"):
            return errors.oauth_error("invalid_scope", "Invalid OAuth scope or ID token audience provided.")
        lifetime_s = self._tokens.lifetime_s
        return json_response(
            200,
            {
                "access_token": self._tokens.issue(),
                "expires_in": lifetime_s - 1 if lifetime_s > 1 else lifetime_s,
                "token_type": "Bearer",
            },
        )

    def _verified(self, assertion: str) -> dict[str, Any]:
        """Return the claims of *assertion*.

        Raises:
            ValueError: it is malformed, badly signed, of somebody else, for somebody else, or not of this hour.
        """
        signed, _, signature = assertion.rpartition(".")
        head, _, body = signed.partition(".")
        header, claims = _decode_json(head), _decode_json(body)
        if header.get("alg") != "RS256" or header.get("kid", self._key_id) != self._key_id:
            raise ValueError("Invalid JWT: the key is not one of the service account.")
        try:
            self._public_key.verify(_decode(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature as exc:
            raise ValueError("Invalid JWT Signature.") from exc
        if claims.get("iss") != self._email:
            raise ValueError("Invalid grant: account not found")
        if claims.get("aud") != AUDIENCE:
            raise ValueError("Invalid JWT: the audience is not the token endpoint.")
        issued, expires, now = claims.get("iat"), claims.get("exp"), time.time()
        if not isinstance(issued, int) or not isinstance(expires, int) or expires - issued > MAX_LIFETIME_S:
            raise ValueError("Invalid JWT: Token must be a short-lived token (60 minutes).")
        if not issued - CLOCK_SKEW_S <= now < expires + CLOCK_SKEW_S:
            raise ValueError("Invalid JWT: iat and exp must be in a reasonable timeframe.")
        return claims


def _decode(part: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except (binascii.Error, ValueError) as exc:
        raise ValueError("Invalid JWT: not base64.") from exc


def _decode_json(part: str) -> dict[str, Any]:
    try:
        value = json.loads(_decode(part))
    except ValueError as exc:
        raise ValueError("Invalid JWT: a part of it is not JSON.") from exc
    if not isinstance(value, dict):
        raise ValueError("Invalid JWT: a part of it is not an object.")  # noqa: TRY004 (callers expect ValueError)
    return value
