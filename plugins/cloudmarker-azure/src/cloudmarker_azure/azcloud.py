"""The Azure cloud plugin. Importing this module imports no SDK; reading does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cloudmarker.contracts import Record
from cloudmarker.errors import ConfigError

from cloudmarker_azure._access import access


class AzCloud:
    """Azure cloud plugin: reads subscriptions, resource groups and network security groups with their rules.

    It only ever sends GET requests to Azure Resource Manager; the Reader role on what shall be seen is enough. Every
    subscription and resource type that it could not read is named in a coverage record.

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
        endpoint: Address of Azure Resource Manager if it is not the cloud's own, such as a private endpoint. Tokens
            are still asked for the cloud's own.
        authority: Address of Microsoft Entra ID if it is not the cloud's own. Microsoft's public directory is then
            not asked whether it is genuine: name only one that you trust with the secret.
        ca_cert: PEM file with the certificate authorities to trust, for both addresses and instead of the usual
            ones. Without it the usual ones are trusted.
        threads: Lists that are read at the same time.
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
        cloud: str = "public",
        subscriptions: Sequence[str] | None = None,
        endpoint: str | None = None,
        authority: str | None = None,
        ca_cert: str | None = None,
        threads: int = 16,
        retry_deadline_s: float = 600.0,
    ) -> None:
        self._access = access(
            tenant, client, secret, cloud=cloud, endpoint=endpoint, authority=authority, ca_cert=ca_cert
        )
        if threads < 1:
            raise ConfigError("threads: at least 1 is needed")
        if isinstance(subscriptions, str):
            raise ConfigError("subscriptions: a list is needed")
        self._max_subs = _max_subs
        self._max_recs = _max_recs
        self._subscriptions = subscriptions
        self._threads = threads
        self._retry_deadline_s = retry_deadline_s

    def read(self) -> Iterator[Record]:
        """Yield the records of all subscriptions, in no particular order, and coverage records for each of them.

        Nothing that Azure answers, or fails to answer, ends the reading of what is left: it is in the coverage.
        """
        # Imported here, as these import the SDK.
        from cloudmarker_azure._client import Retry
        from cloudmarker_azure._tenant import Selection, read_tenant

        yield from read_tenant(
            self._access,
            Selection(self._subscriptions, self._max_subs),
            limit=self._max_recs,
            threads=self._threads,
            retry=Retry(deadline_s=self._retry_deadline_s),
        )

    def done(self) -> None:
        """Release nothing: reading leaves nothing open behind it."""
