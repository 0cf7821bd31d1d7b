"""What the plugin can be told, checked. Needs no SDK, so a bad value is found at once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from cloudmarker.errors import ConfigError
from cloudmarker.reading import Retry

from cloudmarker_gcp._access import Access, access
from cloudmarker_gcp._table import API_NAMES, record_types

SOURCES = ("api", "asset")

_ZONE = re.compile(r"[a-z]+(-[a-z0-9]+)+")


@dataclass(frozen=True)
class Settings:
    """Where, what and how fast. :class:`cloudmarker_gcp.gcpcloud.GCPCloud` says what each parameter means.

    Attributes:
        access: where and as whom.
        zones: the zones that zonal resources are read from; None: all.
        projects: ids or numbers of projects, or patterns for ids; None: all that can be seen.
        exclude_projects: likewise, of what is left out nevertheless.
        root: path of the folder or organization whose projects are read; empty: all that can be seen.
        record_types: the ``ext.record_type`` of what is read; None: all.
        from_assets: whether Cloud Asset Inventory is asked.
        threads: lists that are read at the same time.
        rate_limit: share of each quota that may be used.
        retry: when requests are sent again.
        max_projects: projects that are read at most; 0 for all.
        max_recs: records of each type and project at most; 0 for all.
    """

    access: Access
    zones: tuple[str, ...] | None
    projects: tuple[str, ...] | None
    exclude_projects: tuple[str, ...]
    root: str
    record_types: frozenset[str] | None
    from_assets: bool
    threads: int
    rate_limit: float
    retry: Retry
    max_projects: int
    max_recs: int


def settings(
    key_file_path: str | None,
    zone: str | Sequence[str] | None,
    *,
    impersonate: str | None,
    endpoint: str | None,
    endpoints: Mapping[str, str] | None,
    projects: Sequence[str] | None,
    exclude_projects: Sequence[str] | None,
    folder: str | int | None,
    organization: str | int | None,
    record_types: Sequence[str] | None,
    source: str,
    threads: int,
    rate_limit: float,
    retry_deadline_s: float,
    max_projects: int,
    max_recs: int,
) -> Settings:
    """Return the checked parameters.

    Raises:
        ConfigError: naming every parameter that cannot be used, and why.
    """
    problems: list[str] = []
    reached = Access()
    try:
        reached = access(
            key_file_path, impersonate=impersonate, endpoint=endpoint, endpoints=endpoints, known_apis=API_NAMES
        )
    except ConfigError as exc:
        problems += exc.problems
    zones = _words([zone] if isinstance(zone, str) else zone)
    if zone is not None and not zones:
        problems.append("zone: a name or a list of names is needed; leave it out, or give null, for all zones")
    problems += [
        f"zone: {name!r} is not the name of a zone, such as us-east1-b"
        for name in zones or ()
        if not _ZONE.fullmatch(name)
    ]
    for name, given in (("projects", projects), ("exclude_projects", exclude_projects)):
        if given is not None and not _words(given):
            problems.append(f"{name}: a list of ids is needed; leave it out, or give null, for {_MEANING[name]}")
    wanted = _words(record_types)
    if record_types is not None and not wanted:
        problems.append("record_types: a list of record types is needed; leave it out, or give null, for all")
    problems += _unknown(wanted or ())
    if folder and organization:
        problems.append("folder, organization: give one of them; a folder is in its organization anyway")
    root = _root("folder", folder, problems) or _root("organization", organization, problems)
    if source not in SOURCES:
        problems.append(f"source: {source!r} is none of {', '.join(SOURCES)}")
    if threads < 1:
        problems.append("threads: at least 1 is needed")
    if not 0 < rate_limit <= 1:
        problems.append("rate_limit: a share of the quotas is needed, more than 0 and at most 1")
    if retry_deadline_s < 0:
        problems.append("retry_deadline_s: it cannot be negative")
    if problems:
        raise ConfigError(problems)
    return Settings(
        access=reached,
        zones=zones,
        projects=_words(projects),
        exclude_projects=_words(exclude_projects) or (),
        root=root,
        record_types=None if wanted is None else frozenset(wanted),
        from_assets=source == "asset",
        threads=threads,
        rate_limit=rate_limit,
        retry=Retry(deadline_s=retry_deadline_s),
        max_projects=max_projects,
        max_recs=max_recs,
    )


_MEANING = {"projects": "all projects", "exclude_projects": "none"}


def _root(level: str, number: str | int | None, problems: list[str]) -> str:
    if not number:
        return ""
    prefix = f"{level}s/"
    path = prefix + str(number).removeprefix(prefix)
    if not path.removeprefix(prefix).isdigit():
        problems.append(f"{level}: {number!r} is not the number of {'an' if level[0] == 'o' else 'a'} {level}")
    return path


def _unknown(wanted: Sequence[str]) -> list[str]:
    """Return one line for each of *wanted* that is no record type."""
    known = record_types()
    found = []
    for name in wanted:
        if name not in known:
            close = get_close_matches(name, known, 1)
            hint = f"; did you mean {close[0]!r}?" if close else "; docs/gcp.md has all"
            found.append(f"record_types: there are no records of type {name!r}{hint}")
    return found


def _words(value: object) -> tuple[str, ...] | None:
    """Return the words of a parameter that is a list of them; None if it is not."""
    if isinstance(value, (list, tuple)) and all(isinstance(word, str) and word for word in value):
        return tuple(dict.fromkeys(value))
    return None
