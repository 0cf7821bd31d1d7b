"""What an answer that is not a page of resources means: the coverage state and one line for a person."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from cloudmarker.coverage import State
from cloudmarker.errors import CloudmarkerError

REASON_LENGTH = 400
"""Characters of a reason that are kept."""

RATE_LIMITED = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED"})
"""Reasons of a 403 that another attempt may survive. google-api-python-client does not know the last one."""

OUT_OF_QUOTA = frozenset({"quotaExceeded", "dailyLimitExceeded", "RESOURCE_QUOTA_EXCEEDED", "RESOURCE_EXHAUSTED"})
"""Reasons of a 403 that will last for hours."""

NOT_ENABLED = frozenset({"accessNotConfigured", "SERVICE_DISABLED"})
"""Reasons of a 403 that say: this API is not enabled in this project, so nothing of it is in use there."""

RETRIED_STATUSES = frozenset({408, 429})
"""Statuses below 500 that another attempt may survive; all from 500 on may."""

_PERMISSION = re.compile(r"'([a-z][A-Za-z0-9]*(?:\.[A-Za-z0-9]+){2,})'")
_SECRETS = re.compile(
    r"-----BEGIN.*?(?:-----END[^-]*-----|$)"  # a private key
    r"|\beyJ[\w-]{8,}\.[\w-]+\.?[\w-]*"  # a signed assertion
    r"|\bya29\.[\w.-]+"  # an access token
    r"|(?<=Bearer )\S+",
    re.DOTALL,
)


class UnreadError(CloudmarkerError):
    """A list, or the rest of it, could not be read.

    Attributes:
        state: the coverage state that this amounts to.
        again: whether another attempt may succeed.
        retry_after_s: seconds that the server asked to wait, or None if it did not say.
        status: the HTTP status that was answered, or None if none was.
        consumer: ``projects/<id or number>`` that an API is not enabled in, if that was said.
    """

    def __init__(
        self,
        state: State,
        reason: str,
        *,
        again: bool = False,
        retry_after_s: float | None = None,
        status: int | None = None,
        consumer: str | None = None,
    ) -> None:
        super().__init__(one_line(reason))
        self.state = state
        self.again = again
        self.retry_after_s = retry_after_s
        self.status = status
        self.consumer = consumer


def one_line(text: str) -> str:
    """Return *text* in one line of at most :data:`REASON_LENGTH` characters, with what looks like a secret replaced."""
    line = " ".join(_SECRETS.sub("***", text).split())
    return line if len(line) <= REASON_LENGTH else f"{line[: REASON_LENGTH - 1]}…"


@dataclass(frozen=True)
class _Error:
    """What the body of a refusal says: https://cloud.google.com/apis/design/errors, and the form before that.

    Attributes:
        message: for people.
        status: e.g. ``PERMISSION_DENIED``.
        reasons: those of ``errors`` and of ``ErrorInfo`` details.
        metadata: of the ``ErrorInfo``.
    """

    message: str = ""
    status: str = ""
    reasons: tuple[str, ...] = ()
    metadata: Mapping[str, str] | None = None

    @classmethod
    def parse(cls, body: bytes) -> _Error:
        """Return what *body* says; nothing if it is not what Google's APIs send."""
        try:
            error: Any = json.loads(body)
        except (ValueError, RecursionError):
            return cls()
        if isinstance(error, list) and error:
            error = error[0]
        error = error.get("error") if isinstance(error, dict) else None
        if not isinstance(error, dict):
            return cls(message=error if isinstance(error, str) else "")
        infos = [info for info in _objects(error.get("details")) if str(info.get("@type")).endswith("ErrorInfo")]
        reasons = [entry.get("reason") for entry in (*_objects(error.get("errors")), *infos)]
        metadata = [info["metadata"] for info in infos if isinstance(info.get("metadata"), dict)]
        return cls(
            message=_text(error.get("message")),
            status=_text(error.get("status")),
            reasons=tuple(dict.fromkeys(filter(None, map(_text, reasons)))),
            metadata={key: _text(value) for found in metadata for key, value in found.items()},
        )


def refused(status: int, headers: Mapping[str, str], body: bytes, permission: str) -> UnreadError:
    """Return what an answer with a *status* other than 2xx means.

    Args:
        status: the HTTP status.
        headers: the answer's headers, their names in lower case.
        body: the answer's body.
        permission: what the call needs, named if the answer does not name it.
    """
    error = _Error.parse(body)
    reasons = {*error.reasons, error.status}
    words = " ".join(filter(None, (f"HTTP {status}", error.status or next(iter(error.reasons), ""))))
    said = f"{words}: {error.message}" if error.message else words
    again = status in RETRIED_STATUSES or status >= 500
    state: State = "failed"
    consumer = None
    if status == 429 or (status == 403 and reasons & (RATE_LIMITED | OUT_OF_QUOTA)):
        state, again = "throttled", again or bool(reasons & RATE_LIMITED)
    elif status == 403 and reasons & NOT_ENABLED:
        state, consumer = "disabled", (error.metadata or {}).get("consumer") or None
    elif status == 403:
        state, said = "denied", f"no permission {_permission(error) or permission}: {said}"
    elif status == 401:
        state, said = "denied", f"the token was not accepted: {said}"
    elif 300 <= status < 400:
        said = f"HTTP {status}: the answer points elsewhere, which is not followed"
    return UnreadError(
        state, said, again=again, retry_after_s=_retry_after_s(headers), status=status, consumer=consumer
    )


def _permission(error: _Error) -> str | None:
    named = (error.metadata or {}).get("permission")
    if named:
        return named
    match = _PERMISSION.search(error.message)
    return match[1] if match else None


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that Retry-After, a number or a date, asks to wait; None if absent or unreadable."""
    value = headers.get("retry-after")
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
    return None if math.isnan(seconds) else max(seconds, 0.0)


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        yield from (entry for entry in value if isinstance(entry, dict))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
