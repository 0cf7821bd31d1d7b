"""What is posted to a webhook: batches of events as they are, events for PagerDuty, a card for Microsoft Teams.

PagerDuty: its Events API v2 (https://developer.pagerduty.com/docs/send-alert-event). Teams: a message with an Adaptive
Card, as its Workflows take it; older connectors take it too, and the size is theirs. Texts of records are in elements
that show text as it is: in others Teams would look for Markdown, and make links.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from cloudmarker.text import pluralize

from cloudmarker_alerts._about import LATE, About, headline
from cloudmarker_alerts._digest import FIXED, RATINGS, Digest, Finding, clean

CARD_BYTES = 25_000
"""Bytes of a Teams message at most; Teams takes 28 KB."""
_ROOM_FOR_REST = 2_000
_MAX_SUMMARY = 1024
_MAX_KEY = 255
_MAX_PART = 400
_SHOWN_ACCOUNTS = 5
_PAGERDUTY = {"critical": "critical", "high": "error", "medium": "warning", "low": "info", "info": "info"}
_COLOURS = {"critical": "attention", "high": "attention", "medium": "warning", "low": "accent"}
_DETAILS = (
    "check_id",
    "severity",
    "status",
    "cloud_type",
    "account",
    "reference",
    "recommendation",
    "first_seen",
    "audit_key",
    "audit_version",
    "fingerprint",
)

encode = msgspec.json.Encoder().encode


def batch(audit_key: str, audit_version: str, lines: Sequence[bytes]) -> bytes:
    """Return the body for some events, given as JSON."""
    head = encode({"type": "cloudmarker.events", "audit_key": audit_key, "audit_version": audit_version})
    return b'%b,"count":%d,"events":[%b]}' % (head[:-1], len(lines), b",".join(lines))


def pagerduty(com: Mapping[str, Any], routing_key: str) -> bytes:
    """Return the event for PagerDuty that opens an alert, or resolves it if the finding is fixed.

    An alert is known by the fingerprint of the finding: the same one, found again, does not open another.
    """
    key = clean(com.get("fingerprint") or com.get("record_id"), _MAX_KEY)
    event: dict[str, Any] = {"routing_key": routing_key, "dedup_key": key}
    if com.get("status") == FIXED:
        return encode({**event, "event_action": "resolve"})
    reference = clean(com.get("reference"), _MAX_SUMMARY)
    payload = {
        "summary": clean(com.get("description") or com.get("check_id"), _MAX_SUMMARY) or "A finding",
        "source": reference or clean(com.get("account"), _MAX_KEY) or "cloudmarker",
        "severity": _PAGERDUTY.get(str(com.get("severity")), "warning"),
        "group": clean(com.get("account"), _MAX_KEY),
        "class": clean(com.get("check_id"), _MAX_KEY),
        "custom_details": {name: text for name in _DETAILS if (text := clean(com.get(name), _MAX_SUMMARY))},
    }
    filled = {name: value for name, value in payload.items() if value}
    return encode({**event, "event_action": "trigger", "client": "Cloudmarker", "payload": filled})


def card(about: About, digest: Digest) -> bytes:
    """Return the Teams message that sums up all events."""
    body = [_run(about.title, size="large", weight="bolder"), *_opening(about, digest)]
    room = CARD_BYTES - _ROOM_FOR_REST - len(encode(_message(body, about)))
    shown = 0
    for finding in digest.worst(about.findings):
        block = _finding(finding)
        room -= len(encode(block)) + 1
        if room < 0:
            break
        body.append(block)
        shown += 1
    if more := digest.open - shown:
        body.append(_run(f"And {more:,} more {pluralize(more, 'finding')}.", isSubtle=True))
    return encode(_message(body, about))


def _message(body: list[dict[str, Any]], about: About) -> dict[str, Any]:
    content: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": body,
    }
    if about.report_url:
        content["actions"] = [{"type": "Action.OpenUrl", "title": "Report", "url": about.report_url}]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": content}
    return {"type": "message", "attachments": [attachment]}


def _opening(about: About, digest: Digest) -> Iterator[dict[str, Any]]:
    audit = f" in audit {about.audit_key}, version {about.audit_version}" if about.audit_key else ""
    yield _run(clean(headline(digest) + audit, _MAX_PART))
    if about.late:
        yield _run(LATE, isSubtle=True)
    if about.incomplete:
        text = f"The audit is incomplete, so this is not everything: {about.incomplete}"
        yield _run(clean(text, 2 * _MAX_PART), color="warning", weight="bolder")
    statuses = [f"{count:,} {name}" for name, count in digest.statuses.most_common(_SHOWN_ACCOUNTS)]
    accounts = [f"{name or 'no account'}: {count:,}" for name, count in digest.accounts.most_common(_SHOWN_ACCOUNTS)]
    for parts in (statuses, accounts if any(digest.accounts) else []):
        if parts:
            yield _run(clean(", ".join(parts), _MAX_PART), isSubtle=True, spacing="none")
    facts = [
        {"title": rating.capitalize(), "value": f"{n:,}"} for rating in RATINGS if (n := digest.severities[rating])
    ]
    if facts:
        yield {"type": "FactSet", "facts": facts}


def _finding(finding: Finding) -> dict[str, Any]:
    """Return a finding: its severity and where it is, what it is, the reference, what to do."""
    where = " · ".join(filter(None, (finding.status, finding.cloud_type, finding.account)))
    lines = [
        _runs(
            [
                {"text": finding.severity.capitalize(), "weight": "bolder", **_colour(finding.severity)},
                *([{"text": clean(f" · {where}", _MAX_PART), "isSubtle": True}] if where else []),
            ]
        ),
        _run(clean(finding.description or finding.check_id, _MAX_PART) or "A finding", spacing="none"),
    ]
    if finding.reference:
        lines.append(_run(clean(finding.reference, _MAX_PART), fontType="monospace", size="small", spacing="none"))
    if finding.recommendation:
        lines.append(_run(clean(finding.recommendation, _MAX_PART), isSubtle=True, spacing="none"))
    return {"type": "Container", "separator": True, "items": lines}


def _colour(rating: str) -> dict[str, str]:
    return {"color": _COLOURS[rating]} if rating in _COLOURS else {}


def _run(text: str, *, spacing: str = "small", **style: Any) -> dict[str, Any]:
    return _runs([{"text": text, **style}], spacing)


def _runs(parts: Sequence[Mapping[str, Any]], spacing: str = "small") -> dict[str, Any]:
    """Return a paragraph of texts that are shown as they are."""
    return {"type": "RichTextBlock", "spacing": spacing, "inlines": [{"type": "TextRun", **part} for part in parts]}
