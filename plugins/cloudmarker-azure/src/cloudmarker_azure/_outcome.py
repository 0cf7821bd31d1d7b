"""What an answer that is not a page of resources means: the coverage state and one line for a person."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from cloudmarker.coverage import State
from cloudmarker.errors import CloudmarkerError

REASON_LENGTH = 400
"""Characters of a reason that are kept: Azure's messages carry boilerplate and links at their end."""

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


class UnreadError(CloudmarkerError):
    """A list, or the rest of it, could not be read.

    Attributes:
        state: the coverage state that this amounts to.
        again: whether another attempt may succeed.
        retry_after_s: seconds that the server asked to wait, or None if it did not say.
        code: Azure's own code for the error, empty if there is none.
    """

    def __init__(
        self,
        state: State,
        reason: str,
        *,
        again: bool = False,
        retry_after_s: float | None = None,
        code: str = "",
    ) -> None:
        super().__init__(one_line(reason))
        self.code = code
        self.state = state
        self.again = again
        self.retry_after_s = retry_after_s


def one_line(text: str) -> str:
    """Return *text* in one line of at most :data:`REASON_LENGTH` characters."""
    line = " ".join(text.split())
    return line if len(line) <= REASON_LENGTH else f"{line[: REASON_LENGTH - 1]}…"


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
    retry_after_s = _retry_after_s(headers)
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
    return UnreadError(state, reason, again=status in RETRIED_STATUSES, retry_after_s=retry_after_s, code=code)


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


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that Retry-After, a number or a date, asks to wait; None if absent or unreadable."""
    value = headers.get("Retry-After")
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            until = parsedate_to_datetime(value)
        except ValueError:
            return None
        until = until if until.tzinfo else until.replace(tzinfo=timezone.utc)
        seconds = (until - datetime.now(timezone.utc)).total_seconds()
    return max(seconds, 0.0) if not math.isnan(seconds) else None
