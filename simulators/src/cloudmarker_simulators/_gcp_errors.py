"""The error answers of Google's APIs: the older form with ``errors``, the newer one with ``status`` and ``details``."""

from __future__ import annotations

from typing import Any

from cloudmarker_simulators._http import Json, Response, json_response

_USUAL = {
    400: ("INVALID_ARGUMENT", "invalid", "The request is invalid."),
    401: ("UNAUTHENTICATED", "authError", "The request has no valid access token."),
    403: ("PERMISSION_DENIED", "forbidden", "The caller does not have permission."),
    404: ("NOT_FOUND", "notFound", "The resource was not found."),
    405: ("UNIMPLEMENTED", "httpMethodNotAllowed", "This is a read-only stand-in: it answers reads only."),
    409: ("ABORTED", "conflict", "The request conflicts with the state of the resource."),
    429: ("RESOURCE_EXHAUSTED", "rateLimitExceeded", "The rate limit is exceeded. Retry later."),
    500: ("INTERNAL", "backendError", "An internal error occurred."),
    502: ("UNAVAILABLE", "backendError", "The backend gave an invalid answer."),
    503: ("UNAVAILABLE", "backendError", "The service is unavailable. Retry later."),
    504: ("DEADLINE_EXCEEDED", "backendError", "The backend did not answer in time."),
}


def google_error(
    status: int,
    message: str = "",
    *,
    reason: str = "",
    domain: str = "global",
    details: list[dict[str, Json]] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """Return *status* with an error body; message and reason default to the usual ones for the status."""
    grpc, usual_reason, usual_message = _USUAL.get(status, ("UNKNOWN", "unknown", "The request failed."))
    message = message or usual_message
    error: dict[str, Any] = {
        "code": status,
        "message": message,
        "errors": [{"message": message, "domain": domain, "reason": reason or usual_reason}],
        "status": grpc,
    }
    if details:
        error["details"] = details
    return json_response(status, {"error": error}, headers or {})


def unauthorized(problem: str) -> Response:
    """Return the challenge for a call without a valid token."""
    headers = {"WWW-Authenticate": 'Bearer realm="https://accounts.google.com/", error="invalid_token"'}
    return google_error(401, problem, headers=headers)


def denied(permission: str, scope: str) -> Response:
    """Return the refusal of a call that needs *permission* on *scope*; clients read the permission from the text."""
    return google_error(403, f"Required '{permission}' permission for '{scope}'")


def no_project(project: str, *, says_so: bool) -> Response:
    """Return the answer for a project that is not there, which most services do not tell from one that may not be seen.

    Only the compute API *says so*.
    """
    if not says_so:
        return google_error(403)
    return google_error(404, f"The resource 'projects/{project}' was not found" if project else "")


def not_enabled(service: str, project_number: str) -> Response:
    """Return the answer of a project in which the API *service* is not enabled."""
    url = f"https://console.developers.google.com/apis/api/{service}/overview?project={project_number}"
    return google_error(
        403,
        f"{service} has not been used in project {project_number} before or it is disabled. "
        f"Enable it by visiting {url} then retry.",
        reason="accessNotConfigured",
        domain="usageLimits",
        details=[
            {
                "@type": "type.googleapis.com/google.rpc.Help",
                "links": [{"description": "Google developers console API activation", "url": url}],
            },
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "SERVICE_DISABLED",
                "domain": "googleapis.com",
                "metadata": {"consumer": f"projects/{project_number}", "service": service},
            },
        ],
    )


def rate_limited(service: str, consumer: str) -> Response:
    """Return the answer to one call too many of *consumer*; the compute API has another status for it."""
    return google_error(
        403 if service == "compute.googleapis.com" else 429,
        f"Quota exceeded for quota metric 'Read requests' of service '{service}' for consumer '{consumer}'.",
        reason="rateLimitExceeded",
        domain="usageLimits",
        details=[
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "RATE_LIMIT_EXCEEDED",
                "domain": "googleapis.com",
                "metadata": {"consumer": consumer, "service": service, "quota_metric": f"{service}/read_requests"},
            }
        ],
    )


def oauth_error(error: str, description: str) -> Response:
    """Return an error of the token endpoint."""
    return json_response(400, {"error": error, "error_description": description})
