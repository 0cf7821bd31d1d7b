"""The Google Cloud plugin. Importing this module imports no SDK; reading does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from cloudmarker.contracts import Record

from cloudmarker_gcp._settings import settings
from cloudmarker_gcp._words import RecordType, Source


class GCPCloud:
    """Google Cloud plugin: reads organizations, folders and projects, and what there is in them.

    It only ever reads: GET requests, and POST where an API has only that for reading a policy. The roles Viewer and
    Security Reviewer on what shall be seen are more than enough. Every project and resource type that it could not read
    is named in a coverage record.

    Args:
        key_file_path: Path of the key file of a service account. Without it google-auth's default credentials are
            used: the file that GOOGLE_APPLICATION_CREDENTIALS names, the login of gcloud, the account of the machine,
            in that order.
        zone: Zone, or list of zones, from which resources that live in zones (virtual machines and their disks) are
            read, such as us-east1-b. Without it all zones are read. What does not live in zones is always read.
        impersonate: E-mail address of a service account to read as. The account that logs in needs the role Service
            Account Token Creator on it.
        endpoint: Root address of all APIs if it is not Google's own hosts, such as a private endpoint; the path of each
            service is appended to it. Tokens are still asked for where the key file says.
        endpoints: Root addresses of single APIs by the first part of their host names, such as `compute`; the
            others are reached as without it.
        projects: Ids or numbers of the projects to read; ids may have the wildcards `*` and `?`. Without it all that
            the account can see are read. The others are reported as skipped; an entry that is not found is reported.
        exclude_projects: Ids or numbers, like those of `projects`, of what is left out nevertheless.
        folder: Number of a folder: only projects that are in it, or in a folder below it, are read.
        organization: Number of an organization: only its projects are read, from its folders down.
        record_types: The types of records to read, as in `ext.record_type`. Without it all are read.
        source: Where from: `api` asks the API of each service; `asset` asks Cloud Asset Inventory, which needs fewer
            calls and has what there was some minutes ago, and the services' APIs for what that does not have.
        threads: Lists that are read at the same time.
        rate_limit: Share of every quota that may be used, more than 0 and at most 1: with 0.5, half of what Google
            allows a minute is left to everybody else.
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
        impersonate: str | None = None,
        endpoint: str | None = None,
        endpoints: Mapping[str, str] | None = None,
        projects: Sequence[str] | None = None,
        exclude_projects: Sequence[str] | None = None,
        folder: str | int | None = None,
        organization: str | int | None = None,
        record_types: list[RecordType] | None = None,
        source: Source = "api",
        threads: int = 32,
        rate_limit: float = 0.5,
        retry_deadline_s: float = 600.0,
        _max_projects: int = 0,
        _max_recs: int = 0,
    ) -> None:
        self._settings = settings(
            key_file_path,
            zone,
            impersonate=impersonate,
            endpoint=endpoint,
            endpoints=endpoints,
            projects=projects,
            exclude_projects=exclude_projects,
            folder=folder,
            organization=organization,
            record_types=record_types,
            source=source,
            threads=threads,
            rate_limit=rate_limit,
            retry_deadline_s=retry_deadline_s,
            max_projects=_max_projects,
            max_recs=_max_recs,
        )

    def read(self) -> Iterator[Record]:
        """Yield the records of all projects, in no particular order, and coverage records for each of them.

        Nothing that Google answers, or fails to answer, ends the reading of what is left: it is in the coverage.

        Raises:
            PluginError: there are no credentials, or the key file cannot be used.
        """
        from cloudmarker_gcp._cloud import read_cloud  # imports the SDK

        yield from read_cloud(self._settings)

    def done(self) -> None:
        """Release nothing: reading leaves nothing open behind it."""
