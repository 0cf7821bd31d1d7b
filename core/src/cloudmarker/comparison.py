"""What changed between two runs of an audit, and which runs there are: all from the memory of findings."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

from cloudmarker import ledger
from cloudmarker._ledgerfiles import directory
from cloudmarker._times import timestamp
from cloudmarker.contracts import SEVERITIES
from cloudmarker.errors import CloudmarkerError
from cloudmarker.ledger import BACK, GONE, LOST, NEW, REOPENED

Status = Literal["new", "reopened", "fixed", "unknown"]
T = TypeVar("T")

STATUSES: tuple[Status, ...] = ("new", "reopened", "fixed", "unknown")

_STATE = {None: "", NEW: "open", REOPENED: "open", BACK: "open", GONE: "fixed", LOST: "unknown"}
_BECOMES: dict[int, Status] = {NEW: "new", REOPENED: "reopened", GONE: "fixed", LOST: "unknown"}
_BECAME: dict[tuple[str, str], Status] = {
    ("", "open"): "new",
    ("fixed", "open"): "reopened",
    ("open", "fixed"): "fixed",
    ("unknown", "fixed"): "fixed",
    ("", "unknown"): "unknown",
    ("open", "unknown"): "unknown",
    ("fixed", "unknown"): "unknown",
}
"""What became of a finding, by its state in the earlier run and in the later one; nothing, if it is not here."""


class NothingToCompareError(CloudmarkerError):
    """There is no such run, or none at all; the message says which there are."""


@dataclass(frozen=True)
class KnownRun:
    """A run of an audit that can be compared.

    Attributes:
        version: ``com.audit_version``.
        started: seconds since the epoch.
        changes: how many findings changed in it, by what became of them.
    """

    version: str
    started: int
    changes: dict[Status, int]


@dataclass(frozen=True)
class Change:
    """What became of one finding between two runs.

    Attributes:
        status: new: it was not known before; reopened: it had been fixed; fixed: it is there no more; unknown: it was
            not seen any more, and it was not seen either that it is fixed.
        severity: ``com`` field of its latest event, as are the next six.
        first_seen: when it was first seen, RFC 3339, UTC.
    """

    status: Status
    severity: str
    check_id: str
    cloud_type: str
    account: str | None
    reference: str
    description: str
    fingerprint: str
    first_seen: str


@dataclass(frozen=True)
class Comparison:
    """What changed between two runs.

    Attributes:
        audit: key of the audit.
        earlier: version of the earlier run; None if there was none: then all that is there is new.
        later: version of the later one.
        changes: by status in the order of :data:`STATUSES`, worst first.
    """

    audit: str
    earlier: str | None
    later: str
    changes: tuple[Change, ...]


def known_runs(state: Path, audit_key: str) -> list[KnownRun]:
    """Return the runs of an audit, the oldest first.

    Raises:
        LedgerError: a ledger cannot be read.
    """
    starts: dict[str, int] = {}
    order: dict[str, tuple[int, int]] = {}
    changes: dict[str, dict[Status, int]] = {}
    for runs, counts in _each(state, audit_key, _runs):
        latest = 0
        for run in runs:
            starts[run.version] = run.started
            latest = max(latest, run.started)  # a run comes after those before it even if the clock was set back
            order[run.version] = max(order.get(run.version, (0, 0)), (latest, run.id))
            changes.setdefault(run.version, {})
        versions = {run.id: run.version for run in runs}
        for number, change, count in counts:
            if number in versions and change in _BECOMES:
                of_run = changes[versions[number]]
                of_run[_BECOMES[change]] = of_run.get(_BECOMES[change], 0) + count
    return [KnownRun(version, starts[version], changes[version]) for version in sorted(order, key=order.__getitem__)]


def compare(state: Path, audit_key: str, earlier: str | None = None, later: str | None = None) -> Comparison:
    """Return what changed between two runs of an audit.

    Args:
        state: the state directory.
        audit_key: key of the audit.
        earlier: version of the earlier run; None for the one before the later.
        later: version of the later run; None for the latest.

    Raises:
        NothingToCompareError: there are no such runs.
        LedgerError: a ledger cannot be read.
    """
    versions = [run.version for run in known_runs(state, audit_key)]
    if not versions:
        raise NothingToCompareError(f"audit {audit_key}: there is no run yet whose findings are remembered")
    for version in (earlier, later):
        if version is not None and version not in versions:
            shown = [*(["…"] if len(versions) > 10 else []), *versions[-10:]]
            raise NothingToCompareError(
                f"audit {audit_key}: no run has the version {version}; there are {', '.join(shown)}"
            )
    later = later or versions[-1]
    end = versions.index(later) + 1
    begin = end - 1 if earlier is None else versions.index(earlier) + 1
    earlier = versions[begin - 1] if begin else None
    if begin > end:
        raise NothingToCompareError(f"audit {audit_key}: the run {earlier} is later than {later}")
    changes_between = partial(_changes, since=frozenset(versions[:begin]), until=frozenset(versions[:end]))
    changes = [change for found in _each(state, audit_key, changes_between) for change in found]
    changes.sort(key=lambda c: (STATUSES.index(c.status), _rank(c.severity), c.account or "", c.reference, c.check_id))
    return Comparison(audit_key, earlier, later, tuple(changes))


def _rank(severity: str) -> int:
    return [*SEVERITIES, severity].index(severity)


def _runs(conn: sqlite3.Connection) -> tuple[list[ledger.Run], list[tuple[int, int, int]]]:
    """Return the runs, and (run, change, how many) for what changed in them."""
    counts = conn.execute("SELECT run, change, count(*) FROM changes GROUP BY run, change").fetchall()
    return ledger.runs(conn), counts


def _changes(conn: sqlite3.Connection, since: Collection[str], until: Collection[str]) -> list[Change]:
    """Return what changed between the latest runs of this plugin among those of some versions and of others."""
    known = ledger.runs(conn)
    ends = [max((run.id for run in known if run.version in versions), default=0) for versions in (since, until)]
    rows = conn.execute(
        "WITH changed AS (SELECT DISTINCT finding FROM changes WHERE run > ?1 AND run <= ?2)"
        " SELECT (SELECT change FROM changes c WHERE c.finding = f.id AND run <= ?1 ORDER BY run DESC LIMIT 1),"
        " (SELECT change FROM changes c WHERE c.finding = f.id AND run <= ?2 ORDER BY run DESC LIMIT 1),"
        " severity, check_id, cloud_type, account, reference, description, fingerprint, first_seen"
        " FROM changed JOIN findings f ON f.id = finding JOIN details d ON d.id = finding",
        ends,
    )
    return [
        Change(status, severity, check, cloud, account, reference, text, key.hex(), timestamp(first_seen))
        for before, after, severity, check, cloud, account, reference, text, key, first_seen in rows
        if (status := _BECAME.get((_STATE[before], _STATE[after]))) is not None
    ]


def _each(state: Path, audit_key: str, read: Callable[[sqlite3.Connection], T]) -> list[T]:
    """Return what *read* returns for each ledger of an audit."""
    found = []
    for path in sorted(directory(state, audit_key).glob("*.sqlite")):
        opened = contextlib.suppress(FileNotFoundError)
        with opened, ledger.explained(path), contextlib.closing(ledger.open_ledger(path)) as conn:
            conn.execute("BEGIN")  # what is read belongs together
            found.append(read(conn))
    return found
