"""What an answer that is not a page of resources means: the coverage state and one line for a person."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cloudmarker.coverage import State
from cloudmarker.reading import REASON_LENGTH, UnreadError
from cloudmarker.servers import retry_after_s
from cloudmarker.text import one_line

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


class RefusedError(UnreadError):
    """An answer that says that something is not to be had, or not now.

    Attributes:
        consumer: ``projects/<id or number>`` that the call was counted for, or that an API is not enabled in, if that
            was said.
        calls_per_minute: what the quota that was used up allows, or None if that was not said.
    """

    consumer: str | None = None
    calls_per_minute: int | None = None


def masked(text: str) -> str:
    """Return *text* in one line, with what looks like a secret replaced."""
    return one_line(_SECRETS.sub("***", text), REASON_LENGTH)


@dataclass(frozen=True)
class _Error:
    """What the body of a refusal says: https://cloud.google.com/apis/design/errors, and the form before that.

    Attributes:
        message: for people.
        status: e.g. ``PERMISSION_DENIED``.
        reasons: those of ``errors`` and of ``ErrorInfo`` details.
        metadata: of the ``ErrorInfo``.
        retry_delay: of the ``RetryInfo``.
    """

    message: str = ""
    status: str = ""
    reasons: tuple[str, ...] = ()
    metadata: Mapping[str, str] | None = None
    retry_delay: str = ""

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
        delays = [_text(info.get("retryDelay")) for info in _objects(error.get("details"))]
        metadata = [info["metadata"] for info in infos if isinstance(info.get("metadata"), dict)]
        return cls(
            message=_text(error.get("message")),
            status=_text(error.get("status")),
            reasons=tuple(dict.fromkeys(filter(None, map(_text, reasons)))),
            metadata={key: _text(value) for found in metadata for key, value in found.items()},
            retry_delay=next(filter(None, delays), ""),
        )


def status_in(body: str) -> int:
    """Return the HTTP status that the *body* of a refusal says it came with; 0 if it does not."""
    try:
        code = json.loads(body)["error"]["code"]
    except (ValueError, RecursionError, KeyError, TypeError, IndexError):
        return 0
    return code if isinstance(code, int) else 0


def refused(status: int, headers: Mapping[str, str], body: bytes, permission: str) -> RefusedError:
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
    if status == 429 or (status == 403 and reasons & (RATE_LIMITED | OUT_OF_QUOTA)):
        state, again = "throttled", again or bool(reasons & RATE_LIMITED)
    elif status == 403 and reasons & NOT_ENABLED:
        state = "disabled"
    elif status == 403:
        state, said = "denied", f"no permission {_permission(error) or permission}: {said}"
    elif status == 401:
        state, said = "denied", f"the token was not accepted: {said}"
    elif 300 <= status < 400:
        said = f"HTTP {status}: the answer points elsewhere, which is not followed"
    asked = retry_after_s(headers.get("retry-after"))
    refusal = RefusedError(
        state,
        masked(said),
        again=again,
        retry_after_s=_retry_info_s(error) if asked is None else asked,
        status=status,
        code=error.status or next(iter(error.reasons), ""),
    )
    refusal.consumer = (error.metadata or {}).get("consumer") or None
    refusal.calls_per_minute = _calls_per_minute(error.metadata or {})
    return refusal


def _permission(error: _Error) -> str | None:
    named = (error.metadata or {}).get("permission")
    if named:
        return named
    match = _PERMISSION.search(error.message)
    return match[1] if match else None


def _calls_per_minute(metadata: Mapping[str, str]) -> int | None:
    """Return what a quota allows in a minute, as the ErrorInfo of a refusal says it."""
    value = metadata.get("quota_limit_value", "")
    unit = f"{metadata.get('quota_unit', '')} {metadata.get('quota_limit', '')}".lower()
    if not (value.isascii() and value.isdigit()) or "min" not in unit:
        return None
    return int(value) or None


def _retry_info_s(error: _Error) -> float | None:
    """Return the seconds to wait that a RetryInfo asks for, such as ``3.5s``."""
    try:
        return max(float(error.retry_delay.removesuffix("s")), 0.0) if error.retry_delay else None
    except ValueError:
        return None


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        yield from (entry for entry in value if isinstance(entry, dict))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
