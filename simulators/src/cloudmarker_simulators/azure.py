"""The Azure simulator."""

from __future__ import annotations

import json
import ssl
from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path

from cloudmarker_simulators._azure_api import AzureAPI, AzureSource
from cloudmarker_simulators._azure_data import recorded_source, tenant_source
from cloudmarker_simulators._azure_errors import arm_error
from cloudmarker_simulators._azure_login import Login
from cloudmarker_simulators._azure_synthetic import SyntheticAzure
from cloudmarker_simulators._azure_throttle import AzureQuotas, Throttle
from cloudmarker_simulators._files import TWINS, load_recordings, load_tenant
from cloudmarker_simulators._http import Handler, Request, Response
from cloudmarker_simulators._keys import loopback_tls
from cloudmarker_simulators._quotas import Quota
from cloudmarker_simulators._server import LOOPBACK
from cloudmarker_simulators._simulator import CloudSimulator
from cloudmarker_simulators._sizes import TWINS_SIZE, Size
from cloudmarker_simulators._sources import Refusal
from cloudmarker_simulators.faults import Fault


class AzureSimulator(CloudSimulator):
    """Microsoft Entra's token service, Azure Resource Manager and Resource Graph, with a throw-away authority for TLS.

    ``settings`` has ``endpoint``, ``authority``, ``ca_cert`` (path of the authority's certificate), ``tenant``,
    ``client`` and ``secret``.
    """

    cloud = "azure"
    source: AzureSource

    def __init__(
        self,
        *,
        tenant: str = "sample",
        recordings: str | PathLike[str] | None = None,
        subscriptions: int | None = None,
        scale: int = 1,
        seed: int = 0,
        port: int = 0,
        page_size: int | None = None,
        latency_s: float = 0.0,
        quota: Quota | None = None,
        provider_quota: Quota | None = None,
        graph_quota: Quota | None = None,
        refusals: Sequence[Refusal] = (),
        faults: Sequence[Fault] = (),
        token_lifetime_s: int = 3600,
    ) -> None:
        """Prepare to serve.

        Args:
            tenant: name of a tenant that ships with this package.
            recordings: file of recorded answers to serve in place of a tenant.
            subscriptions: serve a synthetic tenant with so many subscriptions instead.
            scale: of the synthetic tenant: how many units of resources each subscription has.
            seed: of the synthetic tenant: equal ones give equal tenants.
            port: 0 for any free one.
            page_size: most items a page; None for the tenant's own.
            latency_s: by how much every answer comes later.
            quota: reads that each subscription answers; None for no limit.
            provider_quota: reads that each resource provider of each subscription answers; None for no limit.
            graph_quota: queries that Resource Graph answers; None for no limit.
            refusals: what the reader may not see, besides what the tenant itself says.
            faults: rules, before which come those of the tenant itself.
            token_lifetime_s: seconds for which an access token is accepted.

        Raises:
            DataError: no such tenant, or a file that cannot be served.
            ValueError: a size that a synthetic tenant cannot have.
        """
        source: AzureSource
        if subscriptions is not None:
            source = SyntheticAzure(Size(subscriptions, scale, seed))
        elif recordings is not None:
            source = recorded_source(load_recordings(Path(recordings)))
        elif tenant == TWINS:
            source = SyntheticAzure(TWINS_SIZE, blueprint="twins-azure")
        else:
            source = tenant_source(load_tenant("azure", tenant))
        self._quotas = AzureQuotas(quota, provider_quota, graph_quota)
        super().__init__(
            source,
            port=port,
            page_size=page_size,
            latency_s=latency_s,
            refusals=refusals,
            faults=faults,
            token_lifetime_s=token_lifetime_s,
        )

    def _tls(self, directory: Path) -> ssl.SSLContext:
        tls, ca_cert = loopback_tls(directory)
        self.settings = {"ca_cert": str(ca_cert)}
        return tls

    def _api(self, directory: Path, port: int) -> Handler:
        login = Login(self.source.tenant, self.tokens)
        root = f"https://localhost:{port}"
        self.settings = {
            "endpoint": root,
            "authority": root,
            "ca_cert": self.settings["ca_cert"],
            "tenant": login.tenant,
            "client": login.client,
            "secret": login.secret,
        }
        return AzureAPI(self.source, login, Throttle(self._quotas))

    def error(self, status: int) -> Response:
        """See :meth:`Simulator.error`."""
        return arm_error(status)

    def relinked(self, request: Request, response: Response, link: str) -> Response:
        """See :meth:`Simulator.relinked`."""
        if link == "loop":
            link = request.base_url + request.target
        elif link == "foreign":
            here, there = ("localhost", LOOPBACK) if "//localhost" in request.base_url else (LOOPBACK, "localhost")
            link = request.base_url.replace(here, there) + request.target
        body = {**response.json(), "nextLink": link}
        return replace(response, body=json.dumps(body, ensure_ascii=False).encode())
