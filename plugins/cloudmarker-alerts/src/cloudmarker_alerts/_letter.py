"""What a mail about an audit says, before it is text or HTML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from cloudmarker.contracts import Incomplete, StoreRun
from cloudmarker.text import friendly_string, pluralize, shortened, visible, visible_line

from cloudmarker_alerts._digest import RATINGS, Digest, Finding, Group
from cloudmarker_alerts._files import Extract

_SHOWN_ROWS = 10
_SHOWN_REASONS = 20
_MAX_REASON = 300


@dataclass(frozen=True)
class Table:
    """Numbers under a title.

    Attributes:
        title: what is counted.
        rows: name and number, the most first.
    """

    title: str
    rows: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Letter:
    """What a mail says. All texts are single clean lines.

    Attributes:
        subject: what is behind the configured subject.
        title: what it is about.
        facts: when the audit ran, and what has changed.
        warnings: why what follows is not everything; empty if it is.
        tables: the summary.
        groups: the findings, worst first.
        fixed: some of what was fixed.
        fixed_count: how many were.
        notes: about the attachments.
    """

    subject: str
    title: str
    facts: str
    warnings: tuple[str, ...]
    tables: tuple[Table, ...]
    groups: tuple[Group, ...]
    fixed: tuple[Finding, ...]
    fixed_count: int
    notes: tuple[str, ...]


def write_letter(
    digest: Digest, run: StoreRun | None, reason: Incomplete | None, files: Sequence[Extract] | None
) -> Letter:
    """Return what to say about an audit.

    Args:
        digest: its events.
        run: the run, None if it is not known.
        reason: why the events are not all that there are, None if they are.
        files: what is attached; None if nothing can be.
    """
    audit = visible(run.audit_key) if run else ""
    counted = number(digest.open, "finding")
    return Letter(
        subject=_subject(digest, audit, incomplete=reason is not None),
        title=f"Audit {audit}: {counted}" if audit else counted.capitalize(),
        facts=_facts(digest, run),
        warnings=tuple(_warnings(run, reason)),
        tables=tuple(_tables(digest)),
        groups=tuple(_groups(digest)),
        fixed=tuple(digest.gone()),
        fixed_count=digest.fixed,
        notes=tuple(_notes(files, digest.total)),
    )


def number(count: int, word: str) -> str:
    """Return a number with the word for what is counted."""
    return f"{count:,} {pluralize(count, word)}" if count else f"no {word}s"


def _subject(digest: Digest, audit: str, *, incomplete: bool) -> str:
    """Return the worst two severities by number, and the rest, e.g. ``2 critical, 1 high, 7 others, 3 new: daily``."""
    counts = [(rating, digest.severities[rating]) for rating in RATINGS if digest.severities[rating]]
    parts = [f"{count:,} {rating}" for rating, count in counts[:2]] or ["no findings"]
    others = sum(count for _, count in counts[2:])
    parts += [f"{others:,} {pluralize(others, 'other')}"] if others else []
    changes = [f"{digest.statuses[status]:,} {status}" for status in ("new", "reopened", "fixed")]
    parts += [change for change in changes if not change.startswith("0 ")]
    return ", ".join(parts) + (f": {audit}" if audit else "") + (" (incomplete)" if incomplete else "")


def _groups(digest: Digest) -> Iterator[Group]:
    """Yield the groups; those of a severity of which nothing is kept, as there are so many, become one."""
    for rating in RATINGS:
        groups = [group for group in digest.groups() if group.severity == rating]
        others = [group for group in groups if not group.findings]
        yield from (group for group in groups if group.findings)
        if len(others) == 1:
            yield others[0]
        elif others:
            yield Group(rating, f"{len(others):,} other accounts", sum(group.count for group in others), ())


def _facts(digest: Digest, run: StoreRun | None) -> str:
    facts = [f"{digest.statuses[status]:,} {status}" for status in ("new", "reopened", "open", "fixed")]
    facts = [fact for fact in facts if not fact.startswith("0 ")]
    if run and (began := _time(run.audit_version)):
        facts.insert(0, f"Run of {began}")
    return " · ".join(facts)


def _time(version: str) -> str:
    try:
        began = datetime.strptime(version, "%Y%m%d_%H%M%S").replace(tzinfo=timezone.utc)
    except ValueError:
        return visible(version)
    return f"{began:%Y-%m-%d %H:%M:%S} UTC"


def _warnings(run: StoreRun | None, reason: Incomplete | None) -> list[str]:
    warnings = []
    if reason is not None:
        warnings.append("This audit is incomplete: what was not seen may have problems that are not listed here.")
        reasons = [f"{origin}: {why}" for origin, why in sorted(reason.origins.items())]
        warnings += [shortened(visible_line(text), _MAX_REASON) for text in reasons[:_SHOWN_REASONS]]
        if len(reasons) > _SHOWN_REASONS:
            warnings.append(f"and {len(reasons) - _SHOWN_REASONS} more reasons")
    if run and run.replay:
        warnings.append("This mail is late: it could not be sent when the audit ended.")
    return warnings


def _tables(digest: Digest) -> list[Table]:
    if not digest.open:
        return []
    worst_first = tuple((rating, digest.severities[rating]) for rating in RATINGS if digest.severities[rating])
    return [
        Table("Severity", worst_first),
        *_table("Cloud", Counter({friendly_string(name): count for name, count in digest.clouds.items()})),
        *_table("Account", digest.accounts),
        *_table("Check", digest.checks),
    ]


def _table(title: str, counts: Counter[str]) -> list[Table]:
    """Return the largest numbers as a table; none if nothing of it is known."""
    if not any(counts):
        return []
    ordered = sorted(counts.items(), key=lambda row: (-row[1], row[0]))
    rows = [(name or f"no {title.lower()}", count) for name, count in ordered[:_SHOWN_ROWS]]
    if rest := ordered[_SHOWN_ROWS:]:
        rows.append((f"{len(rest):,} more", sum(count for _, count in rest)))
    return [Table(title, tuple(rows))]


def _notes(files: Sequence[Extract] | None, total: int) -> list[str]:
    if not total:
        return []
    if files is None:
        return ["Nothing is attached: the mail server takes no message of that size."]
    notes = []
    for file in files:
        if file.whole:
            notes.append(f"{file.name}: {'the event' if total == 1 else f'all {total:,} events'}")
        elif file.count:
            notes.append(
                f"{file.name}: the worst {file.count:,} of {total:,} events; "
                f"{total - file.count:,} are cut, or the mail would be too large"
            )
        else:
            notes.append(f"{file.name} is left out: no event fits into a mail of this size")
    return notes
