"""The Google Cloud plugin. Importing this module imports no SDK; reading does."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

from cloudmarker.contracts import Record
from cloudmarker.errors import ConfigError

from cloudmarker_gcp._access import access


class GCPCloud:
    """Google Cloud plugin: reads projects, VPC firewall rules and virtual machines.

    It only ever sends GET requests; the role Viewer on what shall be seen is more than enough. Every project and
    resource type that it could not read is named in a coverage record.

    Args:
        key_file_path: Path of the key file of a service account. Without it google-auth's default credentials are
            used: the file that GOOGLE_APPLICATION_CREDENTIALS names, the login of gcloud, the account of the machine,
            in that order.
        zone: Zone, or list of zones, from which resources that live in zones (virtual machines) are read, such as
            us-east1-b. Without it all zones are read. What does not live in zones is always read.
        endpoint: Root address of all APIs if it is not Google's own hosts, such as a private endpoint; the path of each
            service is appended to it. Tokens are still asked for where the key file says.
        projects: Ids or numbers of the projects to read; ids may have the wildcards `*` and `?`. Without it all that
            the account can see are read. The others are reported as skipped; an entry that is not found is reported.
        threads: Lists that are read at the same time.
        retry_deadline_s: Seconds for which a request that is throttled, or fails in a way that may pass, is tried
            again. After that coverage says `throttled` or `failed`.
        _max_projects: Read at most so many projects; 0 reads all. For trying things out: the others are reported
            as skipped.
        _max_recs: Read at most so many records of each type from a project; 0 reads all. For trying things out:
            what is cut off is reported as skipped.

    Raises:
        ConfigError: a parameter cannot be used; every such parameter is named.
    """

    def __init__(
        self,
        key_file_path: str | None = None,
        zone: str | Sequence[str] | None = None,
        *,
        endpoint: str | None = None,
        projects: Sequence[str] | None = None,
        threads: int = 32,
        retry_deadline_s: float = 600.0,
        _max_projects: int = 0,
        _max_recs: int = 0,
    ) -> None:
        self._access = access(key_file_path, zone, endpoint=endpoint, projects=projects)
        if threads < 1:
            raise ConfigError("threads: at least 1 is needed")
        self._threads = threads
        self._retry_deadline_s = retry_deadline_s
        self._max_projects = _max_projects
        self._max_recs = _max_recs

    def read(self) -> Iterator[Record]:
        """Yield the records of all projects, in no particular order, and coverage records for each of them.

        Nothing that Google answers, or fails to answer, ends the reading of what is left: it is in the coverage.

        Raises:
            PluginError: there are no credentials, or the key file cannot be used.
        """
        # Imported here, as these import the SDK.
        from cloudmarker_gcp._client import Client, Retry
        from cloudmarker_gcp._cloud import ROWS, read_cloud
        from cloudmarker_gcp._session import Session

        stop = threading.Event()
        session = Session(self._access, sorted({row.api.scope for row in ROWS}))
        try:
            client = Client(session, self._access.endpoint, ROWS, Retry(deadline_s=self._retry_deadline_s), stop)
            yield from read_cloud(
                client,
                self._access,
                stop,
                threads=self._threads,
                max_projects=self._max_projects,
                max_records=self._max_recs,
            )
        finally:
            session.close()

    def done(self) -> None:
        """Release nothing: reading leaves nothing open behind it."""
