"""A whole tenant: which subscriptions there are, and what a plan makes of them through the pool."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from cloudmarker.contracts import Record
from cloudmarker.coverage import State, coverage
from cloudmarker.fanout import fan_out
from cloudmarker.reading import Retry, UnreadError

from cloudmarker_azure._client import Client
from cloudmarker_azure._governor import Governor
from cloudmarker_azure._reader import Work, read_list
from cloudmarker_azure._records import CLOUD_TYPE, Scope
from cloudmarker_azure._selection import Selection
from cloudmarker_azure._session import Session
from cloudmarker_azure._settings import Settings
from cloudmarker_azure._table import SUBSCRIPTIONS

GROUP_API_VERSION = "2020-05-01"


class Plan(Protocol):
    """What is read from the subscriptions."""

    @property
    def record_types(self) -> Sequence[str]:
        """The types of a subscription; there is a coverage record for each of them."""
        ...

    @property
    def with_subscriptions(self) -> bool:
        """Whether the subscriptions themselves are records, too."""
        ...

    def jobs(self, client: Client, scopes: Sequence[Scope]) -> Iterable[Work]:
        """Yield the jobs that read the subscriptions. They yield records in chunks, and coverage; they do not raise.

        Args:
            client: what they read with.
            scopes: the subscriptions.
        """
        ...


def read_tenant(settings: Settings, plan: Plan) -> Iterator[Record]:
    """Yield the records and the coverage of a tenant."""
    stop = threading.Event()
    retry = Retry(deadline_s=settings.retry_deadline_s)
    session = Session(settings.access, settings.threads, stop)
    governor = Governor(retry, settings.rate_limit, stop)
    client = Client(session, governor, retry, stop)
    tenant = Scope(settings.access.tenant)

    def interrupt() -> None:
        governor.interrupt()
        session.interrupt()

    try:
        try:
            session.login()
        except UnreadError as exc:
            yield _unlisted(tenant.reference, exc.state, str(exc))
            return
        selection = Selection(
            settings.subscriptions, settings.exclude_subscriptions, settings.management_group, settings.max_subs
        )
        try:
            if selection.management_group:
                selection.limit_to(_members(client, selection.management_group))
        except UnreadError as exc:
            group = f"/providers/Microsoft.Management/managementGroups/{selection.management_group}"
            yield _unlisted(group, exc.state, str(exc))
            return
        chosen: list[Scope] = []
        yield from _subscriptions(client, tenant, selection, plan, chosen)
        chunks = fan_out(
            plan.jobs(client, chosen),
            settings.threads,
            stop=stop,
            ready_at=governor.ready_at,
            eager=True,
            interrupt=interrupt,
            name="azure",
        )
        for chunk in chunks:
            yield from chunk
    finally:
        stop.set()
        session.close()


def _members(client: Client, group: str) -> list[str]:
    """Return the ids of the subscriptions anywhere under a management group.

    https://learn.microsoft.com/rest/api/managementgroups/management-groups/get-descendants

    Raises:
        UnreadError: not all of them can be had.
    """
    path = f"/providers/Microsoft.Management/managementGroups/{group}/descendants"
    ids = [
        item.get("id") if isinstance(item, dict) else None
        for page in client.pages(path, GROUP_API_VERSION)
        for item in page
    ]
    return [text.split("/")[2] for text in ids if isinstance(text, str) and text.lower().startswith("/subscriptions/")]


def _subscriptions(
    client: Client, tenant: Scope, selection: Selection, plan: Plan, chosen: list[Scope]
) -> Iterator[Record]:
    """Yield the records of the selected subscriptions and the coverage of all others; add the former to *chosen*."""
    for chunk in read_list(client, SUBSCRIPTIONS, tenant):
        for record in chunk:
            if "raw" not in record:  # the list's own coverage
                yield record
                continue
            scope = tenant.subscription(record["raw"])
            if reason := selection.refuse(scope):
                for record_type in plan.record_types:
                    yield coverage(
                        CLOUD_TYPE, scope.reference, record_type, "skipped", 0, reason, account=scope.account
                    )
                continue
            chosen.append(scope)
            if plan.with_subscriptions:
                yield record
    for entry, reason in selection.missing():
        yield _unlisted(f"/subscriptions/{entry}", "failed", reason, account=entry.lower())


def _unlisted(scope: str, state: State, reason: str, account: str | None = None) -> Record:
    """Return the coverage record for subscriptions that could not be listed; what is in them has none."""
    types = [SUBSCRIPTIONS.kind.com_type]
    return coverage(CLOUD_TYPE, scope, SUBSCRIPTIONS.record_type, state, 0, reason, account=account, record_types=types)
