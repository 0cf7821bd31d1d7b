"""Filters of plugins and suppressions of findings: whether they can do what they are there for.

As in :mod:`cloudmarker.config.rules` the data may be of any shape.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timezone
from typing import Any

from cloudmarker.config.interpolate import has_reference
from cloudmarker.config.model import Config, Path, value_at
from cloudmarker.config.typecheck import Problem
from cloudmarker.coverage import FRAMEWORK_TYPES
from cloudmarker.plugins import suggest
from cloudmarker.suppressions import last_day

_FINDINGS_ONLY = ("severity", "min_severity", "status")
"""The conditions on what findings have and records of clouds have not."""


def filter_of(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the conditions under ``when`` of the plugin *name*, empty if there are none."""
    when = value_at(data, ("plugins", name, "when"))
    return {key: value for key, value in when.items() if value is not None} if isinstance(when, dict) else {}


def check_filters(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what is wrong with filters, whoever uses them."""
    plugins = data.get("plugins")
    for name in plugins if isinstance(plugins, dict) else ():
        if {"severity", "min_severity"} <= filter_of(data, name).keys():
            yield ("plugins", name, "when"), "'severity' and 'min_severity' exclude each other; keep one of them"


def check_use(data: Mapping[str, Any], path: Path, name: str) -> Iterator[Problem]:
    """Yield why the filter of the plugin *name* cannot work where an audit names it, at *path*."""
    conditions = filter_of(data, name)
    where: Path = ("plugins", name, "when")
    if not conditions:
        return
    if path[2] == "clouds":
        yield (
            where,
            "a cloud takes no filter: put it at the stores, events and alerts that get its records, or choose with its "
            "'params' what it reads",
        )
    elif path[2] in ("stores", "events"):
        for condition in _FINDINGS_ONLY:
            if condition in conditions:
                yield (
                    (*where, condition),
                    f"only findings have that, and under {path[2]!r} it is given the records of the clouds: none would "
                    "come through; for 'alerts', make an entry of its own",
                )


def check_types(data: Mapping[str, Any], name: str, cls: type) -> tuple[list[Problem], list[Problem]]:
    """Return problems and warnings about the record types in the filter of the plugin *name*, of the class *cls*."""
    types = filter_of(data, name).get("record_types")
    if not isinstance(types, list) or not all(isinstance(item, str) for item in types):
        return [], []
    where: Path = ("plugins", name, "when", "record_types")
    taken = getattr(cls, "record_types", None)
    if not isinstance(taken, (list, tuple, set, frozenset)):
        return [], list(_unknown_types(types, where))
    wanted = sorted(FRAMEWORK_TYPES.symmetric_difference(taken) - FRAMEWORK_TYPES)
    if not {*types, *(FRAMEWORK_TYPES & {*taken})} & {*taken}:
        return [(where, f"{cls.__name__} takes records of {', '.join(wanted)} only: none would come through")], []
    warnings: list[Problem] = []
    for position, record_type in enumerate(types):
        if record_type not in taken:
            near = suggest(record_type, wanted)
            hint = f"; did you mean {near!r}?" if near else ""
            warnings.append(((*where, position), f"{cls.__name__} takes no records of this type{hint}"))
    missed = [record_type for record_type in wanted if record_type not in types]
    if missed and callable(getattr(cls, "finish", None)):
        text = f"{cls.__name__} judges records together; what it says may be wrong without {', '.join(missed)}"
        warnings.append((where, text))
    return [], warnings


def _unknown_types(types: list[str], where: Path) -> Iterator[Problem]:
    from cloudmarker.fields import RECORD_TYPES

    for position, record_type in enumerate(types):
        near = suggest(record_type, RECORD_TYPES, cutoff=0.75)
        if near and record_type not in RECORD_TYPES:
            yield (*where, position), f"this com.record_type is not a known one; did you mean {near!r}?"


def check_suppressions(config: Config) -> tuple[list[Problem], list[Problem]]:
    """Return problems with suppressions, and a warning for each that has expired."""
    problems: list[Problem] = []
    warnings: list[Problem] = []
    entries = config.data.get("suppressions")
    today = datetime.now(timezone.utc).date()
    for position, entry in enumerate(entries if isinstance(entries, list) else ()):
        if not isinstance(entry, dict):
            continue
        where: Path = ("suppressions", position)
        problems += _whom(entry, where)
        problems += _audits(config, entry, where)
        try:
            expires = last_day(entry.get("expires"))
        except ValueError:
            if "expires" in entry:
                problems.append(((*where, "expires"), "expected a day, such as 2030-12-31, or never"))
        else:
            if expires is not None and expires < today:
                warnings.append((where, _expired(config, (*where, "owner"), expires)))
    return problems, warnings


def _whom(entry: Mapping[str, Any], where: Path) -> Iterator[Problem]:
    """A suppression is for a check and a reference, or for a fingerprint."""
    check, fingerprint, reference = (entry.get(key) is not None for key in ("check", "fingerprint", "reference"))
    if check == fingerprint:
        yield where, "give either 'check' with 'reference', or 'fingerprint'"
    elif check and not reference:
        yield where, "'reference' is missing; to suppress the check everywhere, write reference: '*'"
    elif fingerprint and reference:
        yield (*where, "reference"), "a fingerprint is of one finding already; leave the reference out"


def _audits(config: Config, entry: Mapping[str, Any], where: Path) -> Iterator[Problem]:
    audits, named = config.data.get("audits"), entry.get("audits")
    if not isinstance(audits, dict) or not isinstance(named, list):
        return
    for position, key in enumerate(named):
        if isinstance(key, str) and key and key not in audits:
            path = (*where, "audits", position)
            near = suggest(key, audits)
            remedy = f"did you mean {near!r}?" if near else "define it under audits"
            yield path, f"no audit named {config.quote(path)}; {remedy}"


def _expired(config: Config, owner: Path, expires: date) -> str:
    written = value_at(config.written, owner)
    who = f"; ask {written}" if isinstance(written, str) and not has_reference(written) else ""
    return f"it expired on {expires} and suppresses nothing; renew or remove it{who}"
