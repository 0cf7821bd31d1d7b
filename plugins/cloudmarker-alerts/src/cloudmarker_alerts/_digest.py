"""What all events of an audit come to: counts, the worst findings, and all of them as files. Flat in memory.

What comes from events is cleaned here, once for all alerts: texts are one line, of bounded length, and hold nothing
that a terminal or a mail program would act on. Escaping for HTML or another markup is for whoever writes it.
"""

from __future__ import annotations

import tempfile
from bisect import insort
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Any

from cloudmarker.contracts import SEVERITIES
from cloudmarker.text import shortened, visible_line

from cloudmarker_alerts._files import Extract, csv_header, csv_row, pack

UNRATED = "unrated"
"""The severity of an event whose own is none of the five."""
RATINGS: tuple[str, ...] = (*SEVERITIES, UNRATED)
"""What an event can be rated as, worst first."""
FIXED = "fixed"
"""The status of an event that says that a problem is gone: it is counted apart."""
OTHERS = "(others)"
"""Stands for all that came after there were too many to tell apart."""

_CHANGES = {"new": 0, "reopened": 1}
_MAX_TEXT = 1000
_MAX_NAME = 200
_MAX_NAMES = 5000


@dataclass(frozen=True)
class Finding:
    """One event as alerts show it: fields of ``com`` as single clean lines, empty where the event has none.

    Attributes:
        severity: one of :data:`RATINGS`.
        status: ``new``, ``open``, ``reopened``, ``fixed``, or empty.
        cloud_type: e.g. ``azure``.
        account: the subscription or project.
        reference: the provider's full id of the resource.
        check_id: what found it.
        description: what is wrong.
        recommendation: what to do about it.
        first_seen: RFC 3339.
        fingerprint: the same in every run.
    """

    severity: str
    status: str
    cloud_type: str
    account: str
    reference: str
    check_id: str
    description: str
    recommendation: str
    first_seen: str
    fingerprint: str


@dataclass(frozen=True)
class Group:
    """The findings of one severity in one account.

    Attributes:
        severity: one of :data:`RATINGS`.
        account: the account, empty for what is in none.
        count: how many there are.
        findings: some of them, changes first.
    """

    severity: str
    account: str
    count: int
    findings: tuple[Finding, ...]


class Digest:
    """Takes events one by one. Memory does not grow with their number: they are kept in unnamed temporary files.

    Args:
        per_group: findings that are kept for each severity and account.
        per_severity: findings that are kept for each severity.
        max_text: characters of a text of a finding at most.

    Attributes:
        total: how many events there are.
        severities: findings by severity, those that are fixed aside; likewise the other counts.
        clouds: by ``com.cloud_type``.
        accounts: by ``com.account``, empty for none.
        checks: by ``com.check_id``.
        statuses: events by ``com.status``, ``fixed`` among them; none for events without one.
    """

    def __init__(self, *, per_group: int = 10, per_severity: int = 40, max_text: int = _MAX_TEXT) -> None:
        self.total = 0
        self.severities: Counter[str] = Counter()
        self.clouds: Counter[str] = Counter()
        self.accounts: Counter[str] = Counter()
        self.checks: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self._groups: Counter[tuple[str, str]] = Counter()
        self._per_group = per_group
        self._per_severity = per_severity
        self._max_text = max_text
        self._kept: dict[str, list[tuple[int, int, Finding]]] = {rating: [] for rating in (*RATINGS, FIXED)}
        self._files: dict[str, IO[bytes]] = {}

    def __enter__(self) -> Digest:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give up the temporary files. May be called twice."""
        for file in self._files.values():
            file.close()
        self._files.clear()

    @property
    def fixed(self) -> int:
        """How many events say that a problem is gone."""
        return self.statuses[FIXED]

    @property
    def open(self) -> int:
        """How many findings there are: all events but those that say that a problem is gone."""
        return self.total - self.fixed

    def add(self, line: bytes | None, com: Mapping[str, Any]) -> None:
        """Take an event.

        Args:
            line: its JSON, UTF-8, without a newline; None if no file of the events is wanted.
            com: its ``com`` bucket, decoded.

        Raises:
            OSError: the temporary file cannot be written.
        """
        severity, status = com.get("severity"), clean(com.get("status"), _MAX_NAME)
        rating = severity if isinstance(severity, str) and severity in SEVERITIES else UNRATED
        if line is not None:
            self._file(rating).write(line + b"\n")
        self.total += 1
        if status:
            _count(self.statuses, status)
        account = clean(com.get("account"), _MAX_NAME)
        if status == FIXED:
            self._keep(FIXED, rating, account, com, 0)
            return
        self.severities[rating] += 1
        _count(self.clouds, clean(com.get("cloud_type"), _MAX_NAME))
        _count(self.checks, clean(com.get("check_id"), _MAX_NAME))
        account = _count(self.accounts, account)
        self._groups[rating, account] += 1
        self._keep(rating, rating, account, com, _CHANGES.get(status, len(_CHANGES)))

    def _file(self, rating: str) -> IO[bytes]:
        file = self._files.get(rating)
        if file is None:  # one for each severity: they are read worst first
            file = self._files[rating] = tempfile.TemporaryFile(prefix="cloudmarker-")  # noqa: SIM115  # close() does
        return file

    def _keep(self, place: str, rating: str, account: str, com: Mapping[str, Any], rank: int) -> None:
        """Keep an event as a finding if there is room, or if it says more than one that is kept."""
        kept = self._kept[place]
        if len(kept) >= self._per_severity and kept[-1][0] <= rank:
            return
        same = [entry for entry in kept if entry[2].account == account]
        if place != FIXED and len(same) >= self._per_group:
            if same[-1][0] <= rank:
                return
            kept.remove(same[-1])
        if len(kept) >= self._per_severity:
            kept.pop()
        insort(kept, (rank, self.total, _finding(com, rating, account, self._max_text)))

    def groups(self) -> list[Group]:
        """Return the findings by severity and account: worst first, then the accounts with the most."""
        order = sorted(self._groups, key=lambda key: (RATINGS.index(key[0]), -self._groups[key], key[1]))
        return [
            Group(
                rating,
                account,
                self._groups[rating, account],
                tuple(found for _, _, found in self._kept[rating] if found.account == account),
            )
            for rating, account in order
        ]

    def worst(self, number: int) -> list[Finding]:
        """Return at most *number* findings, worst first, and of one severity those that are new first."""
        kept = [finding for rating in RATINGS for _, _, finding in self._kept[rating]]
        return kept[:number]

    def gone(self) -> list[Finding]:
        """Return some of what is fixed."""
        return [finding for _, _, finding in self._kept[FIXED]]

    def lines(self) -> Iterator[bytes]:
        """Yield the JSON of every event with its newline, worst first; nothing may be added meanwhile."""
        for rating in RATINGS:
            file = self._files.get(rating)
            if file is not None:
                file.seek(0)
                yield from file
                file.seek(0, 2)

    def jsonl(self, max_bytes: int) -> Extract:
        """Return the events as JSON Lines, worst first, as many as fit."""
        return pack("jsonl", b"", self.lines(), self.total, max_bytes)

    def csv(self, max_bytes: int) -> Extract:
        """Return the events as a table, worst first, as many as fit."""
        return pack("csv", csv_header(), map(csv_row, self.lines()), self.total, max_bytes)


def _finding(com: Mapping[str, Any], rating: str, account: str, max_text: int) -> Finding:
    names = ("status", "cloud_type", "reference", "check_id", "description", "recommendation", "first_seen")
    text = {name: clean(com.get(name), max_text) for name in (*names, "fingerprint")}
    return Finding(severity=rating, account=account, **text)


def clean(value: object, limit: int) -> str:
    """Return *value* as one line of bounded length, without characters that do something."""
    if value is None or value == "":
        return ""
    text = (value if isinstance(value, str) else str(value))[: 2 * limit]
    return shortened(visible_line(text), limit)


def _count(counter: Counter[str], name: str) -> str:
    """Count *name*, or what stands for it if there are too many; return which it was."""
    if name not in counter and len(counter) >= _MAX_NAMES:
        name = OTHERS
    counter[name] += 1
    return name
