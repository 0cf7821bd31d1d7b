"""The Google Cloud simulator."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path

from cloudmarker_simulators._files import TWINS, load_recordings, load_tenant
from cloudmarker_simulators._gcp_api import GoogleAPI
from cloudmarker_simulators._gcp_data import recorded_source, tenant_source
from cloudmarker_simulators._gcp_errors import google_error
from cloudmarker_simulators._gcp_pages import page_token
from cloudmarker_simulators._gcp_paths import GooglePath
from cloudmarker_simulators._gcp_source import GoogleSource
from cloudmarker_simulators._gcp_synthetic import SyntheticGoogle
from cloudmarker_simulators._gcp_tokens import TokenEndpoint
from cloudmarker_simulators._http import Handler, Request, Response
from cloudmarker_simulators._keys import service_account
from cloudmarker_simulators._quotas import Quota, Quotas
from cloudmarker_simulators._server import LOOPBACK
from cloudmarker_simulators._simulator import CloudSimulator
from cloudmarker_simulators._sizes import TWINS_SIZE, Size
from cloudmarker_simulators._sources import Refusal
from cloudmarker_simulators.faults import Fault


class GCPSimulator(CloudSimulator):
    """Google's token endpoints and REST APIs, over HTTP, all services under one root.

    ``settings`` has ``endpoint`` and ``key_file_path``, the key file of a service account.
    """

    cloud = "gcp"
    source: GoogleSource

    def __init__(
        self,
        *,
        tenant: str = "sample",
        recordings: str | PathLike[str] | None = None,
        projects: int | None = None,
        scale: int = 1,
        seed: int = 0,
        unreachable: Mapping[str, Iterable[str]] | None = None,
        port: int = 0,
        page_size: int | None = None,
        latency_s: float = 0.0,
        quota: Quota | None = None,
        refusals: Sequence[Refusal] = (),
        faults: Sequence[Fault] = (),
        token_lifetime_s: int = 3600,
    ) -> None:
        """Prepare to serve.

        Args:
            tenant: name of a tenant that ships with this package.
            recordings: file of recorded answers to serve in place of a tenant.
            projects: serve a synthetic organization with so many projects instead.
            scale: of the synthetic organization: how many units of resources each project has.
            seed: of the synthetic organization: equal ones give equal organizations.
            unreachable: of the synthetic organization: for ids of projects, zones and regions that cannot be read, such
                as ``zones/us-east1-b``.
            port: 0 for any free one.
            page_size: most items a page, whatever clients ask for; None for the tenant's own.
            latency_s: by how much every answer comes later.
            quota: reads that each API answers for each project; None for no limit.
            refusals: what the reader may not see, besides what the tenant itself says.
            faults: rules, before which come those of the tenant itself.
            token_lifetime_s: seconds for which an access token is accepted.

        Raises:
            DataError: no such tenant, or a file that cannot be served.
            ValueError: a size that a synthetic organization cannot have.
        """
        source: GoogleSource
        if projects is not None:
            source = SyntheticGoogle(Size(projects, scale, seed), unreachable=unreachable)
        elif recordings is not None:
            source = recorded_source(load_recordings(Path(recordings)))
        elif tenant == TWINS:
            source = SyntheticGoogle(TWINS_SIZE, blueprint="twins-gcp")
        else:
            source = tenant_source(load_tenant("gcp", tenant))
        self._quota = quota
        super().__init__(
            source,
            port=port,
            page_size=page_size,
            latency_s=latency_s,
            refusals=refusals,
            faults=faults,
            token_lifetime_s=token_lifetime_s,
        )

    def _tls(self, directory: Path) -> None:
        return None

    def _api(self, directory: Path, port: int) -> Handler:
        projects = self.source.collection("/v1/projects")
        project = projects.items[0]["projectId"] if projects is not None and projects.items else "simulated"
        email = f"cloudmarker@{project}.iam.gserviceaccount.com"
        root = f"http://{LOOPBACK}:{port}"
        key_file = directory / "service-account.json"
        public_key, key_id = service_account(key_file, project=project, email=email, token_uri=f"{root}/token")
        self.settings = {"endpoint": root, "key_file_path": str(key_file)}
        quotas = Quotas(self._quota) if self._quota is not None else None
        endpoint = TokenEndpoint(email, public_key, key_id, self.tokens)
        return GoogleAPI(self.source, endpoint, self.tokens, quotas)

    def error(self, status: int) -> Response:
        """See :meth:`Simulator.error`."""
        return google_error(status)

    def relinked(self, request: Request, response: Response, link: str) -> Response:
        """See :meth:`Simulator.relinked`."""
        if link != "loop":
            return response
        token = request.query.get("pagetoken") or page_token(0, GooglePath.parse(request.path).path)
        body = {**response.json(), "nextPageToken": token}
        return replace(response, body=json.dumps(body, ensure_ascii=False).encode())
