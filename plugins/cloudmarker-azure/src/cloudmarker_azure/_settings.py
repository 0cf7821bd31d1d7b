"""What all cloud plugins of this distribution can be told, checked. Needs no SDK, so a bad value is found at once."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from cloudmarker.errors import ConfigError

from cloudmarker_azure._access import Access, access
from cloudmarker_azure._table import RECORD_TYPES

SOURCES = ("arm", "graph")

_GROUP_ID = re.compile(r"[\w.()-]{1,90}", re.ASCII)


@dataclass(frozen=True)
class Settings:
    """Where, what and how fast. :class:`cloudmarker_azure.azcloud.AzCloud` says what each parameter means."""

    access: Access
    subscriptions: Sequence[str] | None
    exclude_subscriptions: Sequence[str]
    management_group: str | None
    max_subs: int
    max_recs: int
    threads: int
    rate_limit: float
    retry_deadline_s: float
    record_types: frozenset[str] | None = None
    source: str = "arm"


def settings(
    tenant: str | None,
    client: str | None,
    secret: str | None,
    *,
    cloud: str,
    endpoint: str | None,
    authority: str | None,
    ca_cert: str | None,
    subscriptions: Sequence[str] | None,
    exclude_subscriptions: Sequence[str] | None,
    management_group: str | None,
    max_subs: int,
    max_recs: int,
    threads: int,
    rate_limit: float,
    retry_deadline_s: float,
    record_types: Collection[str] | None = None,
    source: str = "arm",
) -> Settings:
    """Return the checked parameters.

    Raises:
        ConfigError: naming every parameter that cannot be used, and why.
    """
    problems: list[str] = []
    reached = None
    try:
        reached = access(tenant, client, secret, cloud=cloud, endpoint=endpoint, authority=authority, ca_cert=ca_cert)
    except ConfigError as exc:
        problems += exc.problems
    for name, entries in (("subscriptions", subscriptions), ("exclude_subscriptions", exclude_subscriptions)):
        if isinstance(entries, str) or not all(isinstance(entry, str) and entry for entry in entries or ()):
            problems.append(f"{name}: a list of ids or names is needed")
    problems += _problems_with_types(record_types)
    if management_group and not _GROUP_ID.fullmatch(management_group):
        problems.append(f"management_group: {management_group!r} is not the id of a management group")
    if source not in SOURCES:
        problems.append(f"source: {source!r} is not one of {', '.join(SOURCES)}")
    if threads < 1:
        problems.append("threads: at least 1 is needed")
    if not 0 < rate_limit <= 1:
        problems.append("rate_limit: a share of the quotas is needed, more than 0 and at most 1")
    if retry_deadline_s < 0:
        problems.append("retry_deadline_s: it cannot be negative")
    if problems or reached is None:
        raise ConfigError(problems)
    return Settings(
        access=reached,
        subscriptions=subscriptions,
        exclude_subscriptions=exclude_subscriptions or (),
        management_group=management_group or None,
        max_subs=max_subs,
        max_recs=max_recs,
        threads=threads,
        rate_limit=rate_limit,
        retry_deadline_s=retry_deadline_s,
        record_types=None if record_types is None else frozenset(record_types),
        source=source,
    )


def _problems_with_types(record_types: Collection[str] | None) -> list[str]:
    if record_types is None:
        return []
    if isinstance(record_types, str) or not all(isinstance(entry, str) for entry in record_types):
        return ["record_types: a list of names is needed"]
    if not record_types:
        return ["record_types: at least one is needed; leave it out to read them all"]
    found = []
    for entry in record_types:
        if entry not in RECORD_TYPES:
            close = get_close_matches(entry, RECORD_TYPES, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(sorted(RECORD_TYPES))}"
            found.append(f"record_types: there is no {entry!r}; {hint}")
    return found
