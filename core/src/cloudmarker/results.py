"""What is known of an audit: when it begins, and when it has ended. Plain data, made by the supervisor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from cloudmarker.contracts import Kind, Severity
from cloudmarker.coverage import State

Status = Literal["complete", "incomplete", "failed"]
Outcome = Literal["ok", "failed", "killed", "stopped"]
FindingState = Literal["new", "reopened", "open", "fixed", "unknown"]
FINDING_STATES: tuple[FindingState, ...] = ("new", "reopened", "open", "fixed", "unknown")


@dataclass(frozen=True)
class AuditInfo:
    """An audit that is about to read.

    Attributes:
        key: its key under ``audits``.
        version: ``%Y%m%d_%H%M%S`` of its start, UTC.
        plugins: for each kind, the plugin keys in their order in the configuration.
    """

    key: str
    version: str
    plugins: Mapping[Kind, tuple[str, ...]]


@dataclass(frozen=True)
class Finding:
    """A finding as the summary shows it: ``com`` fields of one event record."""

    severity: Severity
    check_id: str
    reference: str
    description: str
    fingerprint: str


@dataclass(frozen=True)
class Hole:
    """A coverage record that is not ``ok``: fields as in :func:`cloudmarker.coverage.coverage`."""

    origin: str
    scope: str
    resource_type: str
    state: State
    error: str | None


@dataclass(frozen=True)
class SuppressionUse:
    """What became of one suppression in an audit.

    Attributes:
        what: the findings it is for: ``CHECK on REFERENCE`` or ``finding FINGERPRINT``.
        reason: why, as configured.
        owner: who decided so.
        expires: its last day, ``YYYY-MM-DD``, or ``never``.
        state: used: it matched findings; unmatched: it matched none, and all was read and evaluated; unknown: it
            matched none, but not all was; expired: its last day is past, it suppresses nothing.
        suppressed: findings that it suppressed; one that several match counts for the first.
        matched: findings that it is for.
    """

    what: str
    reason: str
    owner: str
    expires: str
    state: Literal["used", "unmatched", "unknown", "expired"]
    suppressed: int = 0
    matched: int = 0


@dataclass(frozen=True)
class Delivery:
    """What became of the records of one store or alert: emitted = delivered + rejected + spooled + lost.

    Attributes:
        emitted: records that its producers had for it, less those that it does not want, or its filter keeps out.
        delivered: records that it said are delivered, or accepted before it ended well.
        rejected: records that it refused one by one; they are in the dead letters.
        spooled: records that are kept for ``cloudmarker replay``.
        lost: the rest, by subtraction; 0 unless the plugin has no spool, or the spool could not be written.
    """

    emitted: int = 0
    delivered: int = 0
    rejected: int = 0
    spooled: int = 0
    lost: int = 0


@dataclass(frozen=True)
class WorkerResult:
    """One plugin's part in an audit.

    Attributes:
        name: ``<audit>_<plugin key>``, as in ``com.origin_worker``.
        key: the plugin key.
        kind: what it is.
        outcome: ok; failed: it raised; killed: its process died; stopped: it ended early because it was told to.
        message: one line for any outcome but ok.
        records_in: records it was given.
        records_out: records it yielded.
        rejected_out: records it yielded that are not JSON, now in the dead letters.
        errors: exceptions that cost one record each.
        record_types: records it yielded by ``com.record_type``.
        delivery: for stores and alerts.
        outputs: where its output is, as it says itself.
        display: what it shows of the findings in the summary, lines of text.
        duration_s: seconds from its first to its last work.
    """

    name: str
    key: str
    kind: Kind
    outcome: Outcome
    message: str = ""
    records_in: int = 0
    records_out: int = 0
    rejected_out: int = 0
    errors: int = 0
    record_types: Mapping[str, int] = field(default_factory=dict)
    delivery: Delivery | None = None
    outputs: tuple[str, ...] = ()
    display: str = ""
    duration_s: float = 0.0


@dataclass(frozen=True)
class AuditResult:
    """An audit that has ended.

    Attributes:
        audit: what it was.
        status: complete: all was read, evaluated and delivered; incomplete: coverage has holes, or it was stopped;
            failed: a plugin failed, or something was not delivered.
        workers: one entry per plugin, in the order clouds, events, stores, alerts.
        coverage: coverage records by state.
        holes: the first coverage records that are denied, throttled or failed, and then of those that are disabled or
            skipped; at most :data:`MAX_LISTED` of each.
        severities: event records by severity, those of fixed findings left out.
        findings: the first findings of each severity, worst first, at most :data:`MAX_LISTED` a severity.
        started: seconds since the epoch.
        duration_s: seconds from start to end.
        reason: why it is not complete, one line; empty if it is.
        interrupted: it was ended by a signal.
        statuses: findings with a fingerprint by status, each counted once: ``new``, ``reopened``, ``open``, ``fixed``,
            and ``unknown``: open before and not seen, while it was not seen either that they are fixed.
        fresh: of the event records by severity, those that are new or reopened, or of which nothing is remembered.
        suppressed: findings that were kept from the alerts; they are not among the severities.
        suppressions: one entry per suppression of this audit, in the order of the configuration.
    """

    audit: AuditInfo
    status: Status
    workers: tuple[WorkerResult, ...]
    coverage: Mapping[State, int]
    holes: tuple[Hole, ...]
    severities: Mapping[Severity, int]
    findings: tuple[Finding, ...]
    started: float
    duration_s: float
    reason: str = ""
    interrupted: bool = False
    statuses: Mapping[FindingState, int] = field(default_factory=dict)
    fresh: Mapping[Severity, int] = field(default_factory=dict)
    suppressed: int = 0
    suppressions: tuple[SuppressionUse, ...] = ()


MAX_LISTED = 100
"""How many holes, and findings of one severity, a result lists: memory stays bounded; the stores have all of them."""
