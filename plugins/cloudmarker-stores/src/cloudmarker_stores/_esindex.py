"""Which index the records of a run go to, which alias leads to them, and which indices are too old."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from cloudmarker.contracts import StoreRun

from cloudmarker_stores._naming import Pattern, run_date

PLACEHOLDERS = frozenset({"audit_key", "audit_version", "date"})
_BAD = '\\ / * ? " < > | , # :'
_NOT_IN_A_NAME = re.compile(r'[\\/*?"<>|,#:\s]')


def name_pattern(parameter: str, text: str, problems: list[str]) -> Pattern:
    """Return the pattern of the name of an index or alias; add to *problems* what is wrong with it."""
    try:
        pattern = Pattern(text, PLACEHOLDERS)
    except ValueError as exc:
        problems.append(f"{parameter}: {exc}")
        return Pattern("", ())
    fixed = pattern.fill(dict.fromkeys(PLACEHOLDERS, ""))
    if fixed != fixed.lower() or _NOT_IN_A_NAME.search(fixed) or text.startswith(("-", "_", "+", ".")):
        problems.append(
            f"{parameter}: {text!r} is no name that Elasticsearch takes: lower case, and no space or {_BAD}"
        )
    elif not pattern.prefix:
        problems.append(f"{parameter}: it must begin with fixed text, or it would be anybody's: {text!r}")
    return pattern


def values(audit_key: str, audit_version: str) -> dict[str, str]:
    """Return what stands for the placeholders, spelled as Elasticsearch wants it."""
    return {
        "audit_key": _NOT_IN_A_NAME.sub("-", audit_key.lower()),
        "audit_version": _NOT_IN_A_NAME.sub("-", audit_version.lower()),
        "date": run_date(audit_version) if audit_version else "",
    }


def wildcard(pattern: Pattern, known: Mapping[str, str] | None = None) -> str:
    """Return what matches every name that the pattern gives, with ``*`` for placeholders that are not in *known*."""
    return pattern.fill({**dict.fromkeys(PLACEHOLDERS, "*"), **(known or {})})


def too_old(pattern: Pattern, names: Iterable[str], audit_key: str, oldest: str) -> list[str]:
    """Return those of *names* that are indices of runs, or days, before *oldest*.

    Args:
        pattern: of the names; it has ``{audit_version}`` or ``{date}``.
        names: of indices.
        audit_key: of the audit, as in names; indices of others are not returned, if they can be told apart.
        oldest: version of the oldest run that is kept.
    """
    regex = pattern.regex({"audit_key": audit_key})
    found: list[str] = []
    for name in names:
        match = regex.fullmatch(name)
        part = match.groupdict() if match else {}
        version, date = part.get("audit_version"), part.get("date")
        if version is not None:
            if re.fullmatch(r"\d{8}_\d{6}", version) and version < oldest:
                found.append(name)
        elif date is not None and re.fullmatch(r"\d{4}\.\d\d\.\d\d", date) and date < run_date(oldest):
            found.append(name)
    return found


def run_query(run: StoreRun) -> dict[str, Any]:
    """Return the query that the records of a run match: the filter of the alias."""
    key, version = {"term": {"com.audit_key": run.audit_key}}, {"term": {"com.audit_version": run.audit_version}}
    return {"bool": {"filter": [key, version]}}


def version_of(query: object) -> str:
    """Return the version that a query of :func:`run_query` is about; empty if it is another query."""
    match = re.search(r"'com\.audit_version': (?:\{'value': )?'([\d_]+)'", str(query))
    return match[1] if match else ""
