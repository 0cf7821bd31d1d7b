"""The error answers of Azure Resource Manager and of its token service, in the form that clients take apart."""

from __future__ import annotations

from http import HTTPStatus

from cloudmarker_simulators._http import Response, json_response

_CODES = {
    401: ("AuthenticationFailed", "The request has no valid access token."),
    403: ("AuthorizationFailed", "The client is not authorized to perform this action."),
    404: ("ResourceNotFound", "The resource was not found."),
    405: ("MethodNotAllowed", "This is a read-only stand-in: it answers GET only."),
    408: ("RequestTimeout", "The request took too long."),
    409: ("Conflict", "The request conflicts with the state of the resource."),
    429: ("TooManyRequests", "The request is being limited. Retry later."),
    500: ("InternalServerError", "The server encountered an internal error."),
    502: ("BadGateway", "The resource provider gave an invalid answer."),
    503: ("ServerUnavailable", "The service is unavailable. Retry later."),
    504: ("GatewayTimeout", "The resource provider did not answer in time."),
}


def arm_error(status: int, code: str = "", message: str = "", headers: dict[str, str] | None = None) -> Response:
    """Return *status* with a Resource Manager error body; code and message default to the usual ones for the status."""
    usual_code, usual_message = _CODES.get(status, (HTTPStatus(status).phrase.replace(" ", ""), "The request failed."))
    return json_response(
        status, {"error": {"code": code or usual_code, "message": message or usual_message}}, headers or {}
    )


def unauthorized(authority: str, problem: str) -> Response:
    """Return the challenge for a call without a valid token."""
    challenge = f'Bearer authorization_uri="{authority}", error="invalid_token", error_description="{problem}"'
    return arm_error(401, "AuthenticationFailed", problem, {"WWW-Authenticate": challenge})


def denied(client: str, action: str, scope: str) -> Response:
    """Return the refusal of a call for which *client* lacks *action*; clients read it and the scope from the text."""
    message = (
        f"The client '{client}' with object id '{client}' does not have authorization to perform action '{action}' "
        f"over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your "
        "credentials."
    )
    return arm_error(403, "AuthorizationFailed", message)


def not_registered(namespace: str) -> Response:
    """Return the answer of a subscription in which the provider *namespace* is not in use."""
    message = f"The subscription is not registered to use namespace '{namespace}'."
    return arm_error(409, "MissingSubscriptionRegistration", message)


def no_subscription(subscription: str) -> Response:
    """Return the answer for a subscription that does not exist, or that the client may not know of."""
    return arm_error(404, "SubscriptionNotFound", f"The subscription '{subscription}' could not be found.")


def oauth_error(status: int, error: str, code: int, message: str) -> Response:
    """Return an error of the token endpoint; *code* is the number in ``AADSTS…``."""
    return json_response(
        status, {"error": error, "error_description": f"AADSTS{code}: {message}", "error_codes": [code]}
    )
