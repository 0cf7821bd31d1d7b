"""Event records: one shape for everything that event plugins find."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from cloudmarker.contracts import SEVERITIES, FindingStatus, Record, Severity

FRESH: frozenset[FindingStatus] = frozenset({"new", "reopened"})
"""The statuses of findings that are there now and were not before."""

_KNOWN = frozenset(SEVERITIES)


def severity_of(com: Mapping[str, Any]) -> Severity:
    """Return the severity of a finding; one without, or of an unknown one, counts as the least severe."""
    severity = com.get("severity")
    return severity if severity in SEVERITIES else SEVERITIES[-1]


def status_of(com: Mapping[str, Any]) -> str:
    """Return the status of a finding; one that has none, because nothing of it is remembered, counts as new."""
    return str(com.get("status") or "new")


def at_or_above(severity: Severity) -> tuple[Severity, ...]:
    """Return *severity* and those that are worse."""
    return SEVERITIES[: SEVERITIES.index(severity) + 1]


def fingerprint(check_id: str, reference: str, discriminator: str = "") -> str:
    """Return an id for a finding that stays the same from run to run.

    Args:
        check_id: the check that found it.
        reference: the provider's full id of the resource; letter case is ignored, as providers vary it.
        discriminator: tells apart several findings of one check on one resource, e.g. a port or a sub-resource.

    Returns:
        32 hexadecimal digits: the first half of the SHA-256 of the three, separated by NUL.
    """
    text = f"{check_id}\0{reference.casefold()}\0{discriminator}"
    try:
        data = text.encode()
    except UnicodeEncodeError:
        data = text.encode("utf-8", "surrogatepass")
    return sha256(data).hexdigest()[:32]


def finding(
    record: Record,
    *,
    check_id: str,
    record_type: str,
    severity: Severity,
    description: str,
    recommendation: str,
    discriminator: str = "",
    ext: dict[str, Any] | None = None,
    **com: Any,
) -> Record:
    """Return the event record for a problem found in *record*.

    Args:
        record: the record evaluated; its ``com.cloud_type``, ``com.reference`` and ``com.account`` are taken over.
        check_id: the name of the check, the same for all its findings.
        record_type: the event's own ``com.record_type``, e.g. ``firewall_rule_event``.
        severity: one of :data:`cloudmarker.contracts.SEVERITIES`.
        description: what is wrong, one sentence for a person.
        recommendation: what to do about it, one sentence.
        discriminator: see :func:`fingerprint`.
        ext: the event's ``ext`` bucket; cloud_type and record_type are added.
        com: further fields of the event's ``com`` bucket.

    Raises:
        ValueError: *severity* is not one of the five.
    """
    if severity not in _KNOWN:
        raise ValueError(f"unknown severity {severity!r}; one of {', '.join(SEVERITIES)}")
    source = record.get("com") or {}
    cloud_type = source.get("cloud_type", "")
    reference = str(source.get("reference") or "")
    return {
        "ext": {"cloud_type": cloud_type, "record_type": record_type, **ext}
        if ext
        else {"cloud_type": cloud_type, "record_type": record_type},
        "com": {
            "cloud_type": cloud_type,
            "record_type": record_type,
            "reference": reference,
            "account": source.get("account"),
            "check_id": check_id,
            "severity": severity,
            "fingerprint": fingerprint(check_id, reference, discriminator),
            "description": description,
            "recommendation": recommendation,
            **com,
        },
    }
