"""The Slack message that sums up an audit's events, within what Slack takes.

Slack takes 50 blocks of at most 3000 characters each, and about 13,200 characters in all of them together (the last is
not documented: https://github.com/slackapi/bolt-js/issues/2509). Texts of records are escaped, so that no record can
ping anybody or make a link, and marked as verbatim, so that Slack does not look for names and addresses in them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from cloudmarker.text import pluralize

from cloudmarker_alerts._about import LATE, MAX_FINDINGS, About, headline
from cloudmarker_alerts._digest import FIXED, RATINGS, Digest, Finding

MAX_CHARACTERS = 12_000
"""Characters of all texts of one message: less than what Slack takes."""
_MAX_HEADER = 150
_MAX_SECTION = 3000
_MAX_PART = 400
"""Characters of one text of a finding, escaped."""
_MAX_ROOM_FOR_REST = 2500
"""Characters left for what comes after the findings."""
_SHOWN_NAMES = 5
_SHOWN_FIXED = 5
_MARKS = {
    "critical": ":red_circle:",
    "high": ":large_orange_circle:",
    "medium": ":large_yellow_circle:",
    "low": ":large_blue_circle:",
}

Block = dict[str, Any]


def escape(text: str, limit: int = _MAX_SECTION) -> str:
    """Return *text* as mrkdwn that shows it as it is, of at most *limit* characters; what is cut ends in ``…``.

    >>> escape("<!channel> R&D")
    '&lt;!channel&gt; R&amp;D'
    """
    entities = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
    parts = [entities.get(char, char) for char in text[: limit + 1]]
    if len(text) <= limit and sum(map(len, parts)) <= limit:
        return "".join(parts)
    size = 1
    shown: list[str] = []
    for part in parts:
        size += len(part)
        if size > limit:
            break
        shown.append(part)
    return "".join(shown) + "…"


def fallback(about: About, digest: Digest) -> str:
    """Return the text for notifications and for clients that show no blocks."""
    incomplete = " The audit is incomplete." if about.incomplete else ""
    return f"{about.title}: {headline(digest)}.{incomplete}"


def blocks(about: About, digest: Digest) -> list[Block]:
    """Return the message."""
    made = [_title(about.title), _section(_opening(about, digest)), *_counts(digest), {"type": "divider"}]
    room = MAX_CHARACTERS - _MAX_ROOM_FOR_REST - sum(map(_size, made))
    shown = 0
    for finding in digest.worst(min(about.findings, MAX_FINDINGS)):
        block = _section(_finding(finding))
        room -= _size(block)
        if room < 0:
            break
        made.append(block)
        shown += 1
    made += _gone(digest)
    return [*made, *_closing(about, digest.open - shown)]


def _title(title: str) -> Block:
    """Return the title as a header, or, if a header cannot show it, as the text that it is."""
    if len(title) > _MAX_HEADER or not title.isprintable() or "<" in title:
        return {"type": "section", "text": {"type": "mrkdwn", "text": title[:_MAX_SECTION]}}
    return {"type": "header", "text": {"type": "plain_text", "text": title, "emoji": True}}


def _opening(about: About, digest: Digest) -> str:
    text = f"*{headline(digest)}*"
    if about.audit_key:
        text += f" in audit {escape(about.audit_key, 100)}, version {escape(about.audit_version, 100)}"
    if about.late:
        text += f"\n:hourglass: {LATE}"
    if about.incomplete:
        text += f"\n:warning: *The audit is incomplete*, so this is not everything: {escape(about.incomplete, 600)}"
    return text


def _counts(digest: Digest) -> Iterator[Block]:
    """Yield the counts by severity, and below them what is new, and the clouds and accounts."""
    fields = [
        {"type": "mrkdwn", "text": f"{_mark(rating)} *{rating.capitalize()}*  {digest.severities[rating]:,}"}
        for rating in RATINGS
        if digest.severities[rating]
    ]
    if fields:
        yield {"type": "section", "fields": fields}
    statuses = [f"{count:,} {escape(name, 30)}" for name, count in _most(digest.statuses)]
    clouds = [f"{escape(name, 50) or 'no cloud'}: {count:,}" for name, count in _most(digest.clouds)]
    accounts = [f"{escape(name, 100) or 'no account'}: {count:,}" for name, count in _most(digest.accounts)]
    lines = [", ".join(statuses), ", ".join(clouds), ", ".join(accounts) if any(digest.accounts) else ""]
    text = "\n".join(filter(None, lines))
    if text:
        yield _context(text)


def _most(counter: Counter[str]) -> Sequence[tuple[str, int]]:
    """Return what there is most of; the rest as one."""
    most = counter.most_common(_SHOWN_NAMES)
    rest = sum(counter.values()) - sum(count for _, count in most)
    return [*most, *([("others", rest)] if rest else [])]


def _finding(finding: Finding) -> str:
    words = [f"*{finding.severity.capitalize()}*", finding.status, finding.cloud_type, finding.account]
    text = f"{_mark(finding.severity)} {' · '.join([words[0], *(escape(word, 100) for word in words[1:] if word)])}"
    text += f"\n{escape(finding.description or finding.check_id, _MAX_PART)}"
    if finding.reference:
        text += f"\n`{escape(finding.reference.replace('`', chr(39)), _MAX_PART)}`"
    if finding.recommendation:
        text += f"\n{escape(finding.recommendation, _MAX_PART)}"
    return text


def _gone(digest: Digest) -> Iterator[Block]:
    """Yield what is fixed, a few of them by name."""
    if not digest.fixed:
        return
    named = digest.gone()[:_SHOWN_FIXED]
    lines = [f":white_check_mark: *{digest.fixed:,} {FIXED}*"]
    lines += [f"• {escape(finding.description or finding.reference, 200)}" for finding in named]
    if digest.fixed > len(named):
        lines.append(f"• and {digest.fixed - len(named):,} more")
    yield _section("\n".join(lines))


def _closing(about: About, more: int) -> Iterator[Block]:
    parts = [f"And {more:,} more {pluralize(more, 'finding')}."] if more else []
    if about.file:
        parts.append(escape(about.file, 300))
    if about.report_url:
        parts.append(f"<{escape(about.report_url, 800)}|Report>")
    if parts:
        yield _context(" ".join(parts))


def _section(text: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def _context(text: str) -> Block:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": text, "verbatim": True}]}


def _mark(rating: str) -> str:
    return _MARKS.get(rating, ":white_circle:")


def _size(block: Block) -> int:
    """Return how many characters the texts of a block have."""
    texts = [block["text"]] if "text" in block else []
    return sum(len(text["text"]) for text in [*texts, *block.get("fields", ()), *block.get("elements", ())])
