"""What an answer that is not a page of resources means: the coverage state and one line for a person."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from cloudmarker.coverage import State
from cloudmarker.reading import UnreadError
from cloudmarker.servers import retry_after_s

NOT_REGISTERED = frozenset(
    {
        "missingsubscriptionregistration",
        "missingregistrationfortype",
        "missingregistrationforlocation",
        "subscriptionnotregistered",
        "resourceprovidernotregistered",
    }
)
"""Error codes, lower case, that say: the provider is not in use in this subscription, so it holds nothing there."""

NOT_OFFERED = frozenset({"invalidresourcetype", "invalidresourcenamespace"})
"""Error codes, lower case, that say: there is no such resource type, or not in this cloud, or not any more. If only our
version of it is not there, the message lists those that are."""

_OTHER_VERSIONS = "supported api-versions"

RETRIED_STATUSES = frozenset({408, 429, 500, 502, 503, 504})

_ACTION = re.compile(r"perform action '([^']+)'")


def refused(status: int, headers: Mapping[str, str], body: bytes) -> UnreadError:
    """Return what an answer with a *status* other than 200 means.

    Args:
        status: the HTTP status.
        headers: the answer's headers, looked up without regard to case.
        body: the answer's body; Azure Resource Manager sends ``{"error": {"code": …, "message": …}}``.
    """
    code, message = _code_and_message(body)
    said = f"{code}: {message}" if code and message else code or message
    reason = f"HTTP {status}: {said}" if said else f"HTTP {status}"
    wait_s = retry_after_s(headers.get("Retry-After"))
    state: State = "failed"
    if status == 401:
        state, reason = "denied", f"the token was not accepted: {reason}"
    elif status == 403:
        action = _ACTION.search(message)
        state, reason = "denied", f"{code or reason}: no permission for {action[1]}" if action else reason
    elif status == 429:
        state = "throttled"
    elif (status in (404, 409) and code.lower() in NOT_REGISTERED) or (
        status == 404 and code.lower() in NOT_OFFERED and _OTHER_VERSIONS not in message.lower()
    ):
        state = "disabled"
    elif 300 <= status < 400:
        reason = f"HTTP {status}: the answer points elsewhere, which is not followed"
    return UnreadError(state, reason, again=status in RETRIED_STATUSES, retry_after_s=wait_s, status=status, code=code)


def _code_and_message(body: bytes) -> tuple[str, str]:
    """Return the error code and message of *body*, each empty if it has none."""
    try:
        error: Any = json.loads(body)
    except (ValueError, RecursionError):
        return "", ""
    if isinstance(error, dict) and isinstance(error.get("error"), dict):
        error = error["error"]
    if not isinstance(error, dict):
        return "", ""
    # Some providers spell the keys with a capital.
    code, message = (error.get(key) or error.get(key.capitalize()) for key in ("code", "message"))
    return code if isinstance(code, str) else "", message if isinstance(message, str) else ""
