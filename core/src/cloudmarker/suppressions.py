"""Suppressions: findings that someone has decided to live with, for a reason and for a time.

A suppressed finding is counted, and is not sent to the alerts. A suppression holds for the runs that begin on its last
day or before, by UTC; after that it still matches, which is counted too, and suppresses nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timezone
from typing import Any

from cloudmarker.contracts import Record
from cloudmarker.report import Report
from cloudmarker.results import SuppressionUse
from cloudmarker.text import any_of

NEVER = "never"


@dataclass(frozen=True)
class Suppression:
    """One entry under ``suppressions``.

    Attributes:
        position: which entry it is.
        check: the ``com.check_id`` it is for; empty if it has a fingerprint.
        fingerprint: of the one finding it is for; empty if it has a check.
        reference: fnmatch pattern of the references it is for; empty if it has a fingerprint.
        reason: why.
        owner: who decided so.
        expires: its last day, None for never.
    """

    position: int
    check: str
    fingerprint: str
    reference: str
    reason: str
    owner: str
    expires: date | None

    def __str__(self) -> str:
        return f"finding {self.fingerprint}" if self.fingerprint else f"{self.check} on {self.reference}"

    def expired(self, day: date) -> bool:
        """Return whether it no longer holds on *day*."""
        return self.expires is not None and day > self.expires


def day_of(audit_version: str) -> date:
    """Return the day, UTC, on which a run began; today, if its version does not say."""
    with contextlib.suppress(ValueError):
        return datetime.strptime(audit_version[:8], "%Y%m%d").date()
    return datetime.now(timezone.utc).date()


def last_day(expires: object) -> date | None:
    """Return the day that the value of ``expires`` names, None for ``never``.

    Raises:
        ValueError: it is neither.
    """
    if type(expires) is date:
        return expires
    if expires == NEVER:
        return None
    if not isinstance(expires, str):
        raise ValueError("neither a day nor never")  # noqa: TRY004  one exception for whatever it is
    return datetime.strptime(expires, "%Y-%m-%d").date()


def configured(config: Mapping[str, Any], audit_key: str) -> tuple[Suppression, ...]:
    """Return the suppressions of an audit, from a checked configuration."""
    return tuple(
        Suppression(
            position,
            entry.get("check") or "",
            entry.get("fingerprint") or "",
            entry.get("reference") or "",
            " ".join(entry["reason"].split()),
            " ".join(entry["owner"].split()),
            last_day(entry["expires"]),
        )
        for position, entry in enumerate(config.get("suppressions") or ())
        if not entry.get("audits") or audit_key in entry["audits"]
    )


class Suppressor:
    """Tells which findings are suppressed, and counts.

    Suppressions are found by check and reference, or by fingerprint; only those of a finding's check whose reference is
    a pattern are tried one by one.

    Args:
        suppressions: those of the audit.
        day: on which the run began, see :func:`day_of`.
        report: where findings are counted.
    """

    def __init__(self, suppressions: Iterable[Suppression], day: date, report: Report) -> None:
        self._day = day
        self._report = report
        self._exact: dict[tuple[str, str], list[Suppression]] = {}
        self._patterns: dict[str, list[tuple[Callable[[str], bool], Suppression]]] = {}
        for entry in suppressions:
            if entry.fingerprint:
                self._exact.setdefault(("", entry.fingerprint.casefold()), []).append(entry)
            elif set("*?[").isdisjoint(entry.reference):
                self._exact.setdefault((entry.check, entry.reference.casefold()), []).append(entry)
            else:
                self._patterns.setdefault(entry.check, []).append((any_of([entry.reference]), entry))

    def suppresses(self, event: Record) -> bool:
        """Return whether an event is suppressed, and count it.

        What is fixed is neither: that it was suppressed is why nobody is told, and no suppression is needed for it.
        """
        com = event.get("com") if isinstance(event, Mapping) else None
        if not isinstance(com, Mapping):
            return False
        found = self._matching(com)
        holding = [entry for entry in found if not entry.expired(self._day)]
        if com.get("status") != "fixed":
            for entry in found:
                self._report.matched[entry.position] += 1
            if holding:
                self._report.suppressed[holding[0].position] += 1
        return bool(holding)

    def _matching(self, com: Mapping[str, Any]) -> Sequence[Suppression]:
        check, fingerprint = com.get("check_id"), com.get("fingerprint")
        found: list[Suppression] = []
        if fingerprint:
            found += self._exact.get(("", str(fingerprint).casefold()), ())
        if check:
            reference = str(com.get("reference") or "")
            found += self._exact.get((str(check), reference.casefold()), ())
            found += (entry for matches, entry in self._patterns.get(str(check), ()) if matches(reference))
        found.sort(key=lambda entry: entry.position)
        return found


def uses(
    suppressions: Iterable[Suppression],
    day: date,
    suppressed: Mapping[int, int],
    matched: Mapping[int, int],
    *,
    complete: bool,
) -> tuple[SuppressionUse, ...]:
    """Return what became of each suppression of an audit.

    Args:
        suppressions: those of the audit.
        day: on which the run began.
        suppressed: findings by the position of the suppression that they count for.
        matched: findings by the position of every suppression that is for them.
        complete: whether all was read and evaluated, so that what matched nothing has nothing to match.
    """
    return tuple(
        SuppressionUse(
            what=str(entry),
            reason=entry.reason,
            owner=entry.owner,
            expires=NEVER if entry.expires is None else entry.expires.isoformat(),
            state="expired"
            if entry.expired(day)
            else "used"
            if matched.get(entry.position)
            else "unmatched"
            if complete
            else "unknown",
            suppressed=suppressed.get(entry.position, 0),
            matched=matched.get(entry.position, 0),
        )
        for entry in suppressions
    )
