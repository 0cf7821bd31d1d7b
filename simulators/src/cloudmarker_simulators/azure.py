"""The Azure simulator."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from cloudmarker_simulators._azure_api import AzureAPI
from cloudmarker_simulators._azure_data import RECORDINGS_TENANT, recorded_source, tenant_source
from cloudmarker_simulators._azure_errors import arm_error
from cloudmarker_simulators._files import load_recordings, load_tenant
from cloudmarker_simulators._http import Handler
from cloudmarker_simulators._keys import loopback_tls
from cloudmarker_simulators._simulator import Simulator
from cloudmarker_simulators.faults import Fault


class AzureSimulator(Simulator):
    """Microsoft Entra's token service and Azure Resource Manager, over HTTPS with a throw-away authority.

    ``settings`` has ``endpoint``, ``authority``, ``ca_cert`` (path of the authority's certificate), ``tenant``,
    ``client`` and ``secret``.
    """

    cloud = "azure"
    error = staticmethod(arm_error)

    def __init__(
        self,
        *,
        tenant: str = "sample",
        recordings: str | PathLike[str] | None = None,
        port: int = 0,
        page_size: int | None = None,
        faults: Sequence[Fault] = (),
        token_lifetime_s: int = 3600,
    ) -> None:
        """Prepare to serve.

        Args:
            tenant: name of a tenant that ships with this package.
            recordings: file of recorded answers to serve in place of a tenant.
            port: 0 for any free one.
            page_size: most items a page; None for the tenant's own.
            faults: rules, before which come those of the tenant itself.
            token_lifetime_s: seconds for which an access token is accepted.

        Raises:
            DataError: no such tenant, or a file that cannot be served.
        """
        if recordings is not None:
            self._tenant = RECORDINGS_TENANT
            source = recorded_source(load_recordings(Path(recordings)))
        else:
            described = load_tenant("azure", tenant)
            self._tenant = described["tenant"]
            source = tenant_source(described)
        self._token_lifetime_s = token_lifetime_s
        super().__init__(source, port=port, page_size=page_size, faults=faults)

    def _tls(self, directory: Path) -> ssl.SSLContext:
        tls, ca_cert = loopback_tls(directory)
        self.settings = {"ca_cert": str(ca_cert)}
        return tls

    def _api(self, directory: Path, port: int) -> Handler:
        api = AzureAPI(self.source, self._tenant, token_lifetime_s=self._token_lifetime_s)
        root = f"https://localhost:{port}"
        self.settings = {
            "endpoint": root,
            "authority": root,
            "ca_cert": self.settings["ca_cert"],
            "tenant": api.tenant,
            "client": api.client,
            "secret": api.secret,
        }
        return api
