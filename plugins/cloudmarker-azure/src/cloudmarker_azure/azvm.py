"""The Azure virtual machine plugin. Importing this module imports no SDK; reading does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cloudmarker.contracts import Record

from cloudmarker_azure._settings import settings
from cloudmarker_azure._words import CloudName


class AzVM:
    """Azure virtual machine plugin: reads virtual machines with what is known of them at run time.

    Its records, of `ext.record_type` `vm_instance_view`, say whether a machine runs and how each of its disks is
    encrypted, which :class:`cloudmarker_azure.azcloud.AzCloud` does not. It takes three lists of a subscription, and
    one request more for each machine that the list of status says nothing of. Like AzCloud it sends nothing but GET
    requests, and the Reader role is enough.

    Args:
        tenant: See :class:`cloudmarker_azure.azcloud.AzCloud`, as for all parameters that have no description here.
        client: See there.
        secret: See there.
        _max_subs: See there.
        _max_recs: Read at most so many machines of a subscription; 0 reads all. For trying things out: what is cut
            off is reported as skipped.
        cloud: See there.
        subscriptions: See there.
        exclude_subscriptions: See there.
        management_group: See there.
        endpoint: See there.
        authority: See there.
        ca_cert: See there.
        threads: Requests that are sent at the same time.
        rate_limit: See there.
        retry_deadline_s: See there.

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
            max_subs=_max_subs,
            max_recs=_max_recs,
            threads=threads,
            rate_limit=rate_limit,
            retry_deadline_s=retry_deadline_s,
        )

    def read(self) -> Iterator[Record]:
        """Yield the machines of all subscriptions, in no particular order, and coverage records for each subscription.

        Nothing that Azure answers, or fails to answer, ends the reading of what is left: it is in the coverage.
        """
        # Imported here, as it imports the SDK.
        from cloudmarker_azure._machines import MachinePlan
        from cloudmarker_azure._tenant import read_tenant

        yield from read_tenant(self._settings, MachinePlan(self._settings.max_recs))

    def done(self) -> None:
        """Release nothing: reading leaves nothing open behind it."""
