"""Coverage: what a cloud plugin saw and what it did not, as records.

A cloud plugin yields one coverage record for each scope x resource type that it set out to read. The framework counts
them, lets them decide the audit's status, and delivers them to every store and event with the origin worker
``<audit>_audit``. A plugin that yields none gets one for everything it read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from cloudmarker.contracts import Record

State = Literal["ok", "denied", "throttled", "disabled", "failed", "skipped"]

STATES: tuple[State, ...] = ("ok", "disabled", "skipped", "denied", "throttled", "failed")
"""All states: read; API or provider not in use; left out by configuration; not permitted; quota; any other failure."""

HOLES: frozenset[State] = frozenset({"denied", "throttled", "failed"})
"""The states that make an audit incomplete: something that may exist was not seen."""

FRAMEWORK_TYPES = frozenset({"coverage", "audit"})
"""The ``com.record_type`` of the framework's own records."""

_WITH_HOLES = "coverage has holes: "


def with_holes(holes: str) -> str:
    """Return the reason for which a stream with holes in its coverage is incomplete."""
    return f"{_WITH_HOLES}{holes}"


def is_about_holes(reason: str) -> bool:
    """Return whether that is the reason for which a stream is incomplete: its coverage says what is missing."""
    return reason.startswith(_WITH_HOLES)


def coverage(
    cloud_type: str,
    scope: str,
    resource_type: str,
    state: State,
    count: int = 0,
    error: str | None = None,
    *,
    account: str | None = None,
    record_types: Sequence[str] | None = None,
) -> Record:
    """Return the coverage record for one scope x resource type.

    Args:
        cloud_type: as in the ``com.cloud_type`` of the plugin's records, e.g. ``azure``.
        scope: the provider's id of the subscription, project or other container that was read.
        resource_type: the record type that was read, or the provider's type where one call gives several.
        state: the outcome, one of :data:`STATES`.
        count: resources received for it, also when it ended in an error.
        error: one line saying what happened, for every state but ``ok``; no secret in it.
        account: the ``com.account`` of what was read; None if it is, or may be, in any account.
        record_types: the ``com.record_type`` that the records have, or would have had; None if they may be of any.
            Whether a finding that is not seen any more is fixed depends on these two, see docs/findings.md.
    """
    if state not in STATES:
        raise ValueError(f"unknown coverage state {state!r}; one of {', '.join(STATES)}")
    return {
        "ext": {"cloud_type": cloud_type, "record_type": "coverage"},
        "com": {
            "cloud_type": cloud_type,
            "record_type": "coverage",
            "reference": f"{scope}#{resource_type}",
            "account": account,
            "scope": scope,
            "resource_type": resource_type,
            "state": state,
            "count": count,
            "error": error,
            "record_types": None if record_types is None else list(record_types),
        },
    }
