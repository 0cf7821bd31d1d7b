"""The Azure cloud plugin. Importing this module imports no SDK; reading does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cloudmarker.contracts import Record

from cloudmarker_azure._records import Scope
from cloudmarker_azure._settings import settings
from cloudmarker_azure._words import CloudName, RecordType, Source


class AzCloud:
    """Azure cloud plugin: reads what there is in the subscriptions of a tenant, some seventy types of resources.

    It only ever sends GET requests to Azure Resource Manager, and queries to Azure Resource Graph if it is told to; the
    Reader role on what shall be seen is enough. Every subscription and resource type that it could not read is named in
    a coverage record.

    Args:
        tenant: Id (or a domain name) of the Microsoft Entra tenant. Without it the ambient credential decides.
        client: Application (client) id of the service principal; with a managed identity, the id of a user-assigned
            one.
        secret: Client secret of the service principal. Without it azure-identity's DefaultAzureCredential is
            used: environment variables, workload identity, managed identity, Azure CLI, in that order.
        _max_subs: Read at most so many subscriptions; 0 reads all. For trying things out: the others are reported
            as skipped.
        _max_recs: Read at most so many records of each type from a subscription; 0 reads all. For trying things
            out: what is cut off is reported as skipped.
        cloud: Which Azure: `public`, `usgov` or `china`. It decides the two addresses below, and what the
            token is asked for.
        subscriptions: Ids or display names of the subscriptions to read; names may have the wildcards `*`
            and `?`, and their letter case is ignored. Without it all that the credential can see are read.
            The others are reported as skipped; an entry that matches none is reported as failed.
        exclude_subscriptions: Ids or display names, like those of `subscriptions`, of what is left out nevertheless.
        management_group: Id of a management group: only subscriptions that are in it, or in a group below it, are read.
            The identity needs to be allowed to read the group.
        record_types: The `ext.record_type` of the records to make, such as `nsg`; only what these need is asked for.
            Without it all types are read. Each of the others is reported as skipped, once for the tenant.
        source: `arm` reads all through Azure Resource Manager, a list for each type of a subscription. `graph` reads
            most types through Azure Resource Graph, hundreds of subscriptions a query: far fewer requests, but a minute
            or so behind, and without `etag` and `systemData`.
        endpoint: Address of Azure Resource Manager if it is not the cloud's own, such as a private endpoint. Tokens
            are still asked for the cloud's own.
        authority: Address of Microsoft Entra ID if it is not the cloud's own. Microsoft's public directory is then
            not asked whether it is genuine: name only one that you trust with the secret.
        ca_cert: PEM file with the certificate authorities to trust, for both addresses and instead of the usual
            ones. Without it the usual ones are trusted.
        threads: Lists that are read at the same time.
        rate_limit: Share of every quota that may be used, more than 0 and at most 1: with 0.5, nothing is sent while
            less than half of what Azure allows at a time is left, so that as much is there for everybody else.
        retry_deadline_s: Seconds for which a request that is throttled, or fails in a way that may pass, is tried
            again. After that coverage says `throttled` or `failed`.

    Raises:
        ConfigError: a parameter cannot be used; every such parameter is named.
    """

    def __init__(
        self,
        tenant: str | None = None,
        client: str | None = None,
        secret: str | None = None,
        _max_subs: int = 0,
        _max_recs: int = 0,
        *,
        cloud: CloudName = "public",
        subscriptions: Sequence[str] | None = None,
        exclude_subscriptions: Sequence[str] | None = None,
        management_group: str | None = None,
        record_types: list[RecordType] | None = None,
        source: Source = "arm",
        endpoint: str | None = None,
        authority: str | None = None,
        ca_cert: str | None = None,
        threads: int = 16,
        rate_limit: float = 0.5,
        retry_deadline_s: float = 600.0,
    ) -> None:
        self._settings = settings(
            tenant,
            client,
            secret,
            cloud=cloud,
            endpoint=endpoint,
            authority=authority,
            ca_cert=ca_cert,
            subscriptions=subscriptions,
            exclude_subscriptions=exclude_subscriptions,
            management_group=management_group,
            record_types=record_types,
            source=source,
            max_subs=_max_subs,
            max_recs=_max_recs,
            threads=threads,
            rate_limit=rate_limit,
            retry_deadline_s=retry_deadline_s,
        )

    def read(self) -> Iterator[Record]:
        """Yield the records of all subscriptions, in no particular order, and coverage records for each of them.

        Nothing that Azure answers, or fails to answer, ends the reading of what is left: it is in the coverage.
        """
        # Imported here, as these import the SDK.
        from cloudmarker_azure._graph import GraphPlan
        from cloudmarker_azure._listplan import ListPlan
        from cloudmarker_azure._tenant import read_tenant

        make = GraphPlan if self._settings.source == "graph" else ListPlan
        plan = make(self._settings.record_types, self._settings.max_recs)
        yield from plan.left_out(Scope(self._settings.access.tenant))
        yield from read_tenant(self._settings, plan)

    def done(self) -> None:
        """Release nothing: reading leaves nothing open behind it."""
