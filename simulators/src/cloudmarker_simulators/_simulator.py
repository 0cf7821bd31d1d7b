"""What the simulators have in common: starting, stopping, and what they tell their users."""

from __future__ import annotations

import shutil
import ssl
import tempfile
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from cloudmarker_simulators._http import Handler, Request, Response
from cloudmarker_simulators._journal import Journal
from cloudmarker_simulators._server import Server
from cloudmarker_simulators._sources import Refusal, Source
from cloudmarker_simulators._tokens import Tokens
from cloudmarker_simulators.faults import Fault, Faults, Latency

S = TypeVar("S", bound="Simulator")


class Simulator(ABC):
    """A simulated service on loopback, running inside a ``with`` block or between :meth:`start` and :meth:`stop`.

    Attributes:
        cloud: ``azure``, ``gcp`` or ``slack``.
        settings: what a client needs to know; empty until started.
        faults: rules in force; change the list at any time.
    """

    cloud: str

    def __init__(self, *, port: int, latency_s: float, faults: Sequence[Fault]) -> None:
        self.settings: dict[str, str] = {}
        self._port = port
        self._latency_s = latency_s
        self.faults = list(faults)
        self._directory: Path | None = None
        self._server: Server | None = None
        self._journal: Journal | None = None

    @abstractmethod
    def _tls(self, directory: Path) -> ssl.SSLContext | None:
        """Return what the server needs for TLS, None for none; *directory* is private, and removed when we stop."""

    @abstractmethod
    def _api(self, directory: Path, port: int) -> Handler:
        """Return the API, which will be served on *port*, and fill :attr:`settings`; *directory* as before."""

    @abstractmethod
    def error(self, status: int) -> Response:
        """Return this service's usual answer with *status*."""

    @abstractmethod
    def relinked(self, request: Request, response: Response, link: str) -> Response:
        """Return *response*, a page of a list, with another next page, see :attr:`Fault.next_link`."""

    @abstractmethod
    def revoke(self, token: str | None) -> None:
        """Let an access token be good no longer."""

    def start(self) -> None:
        """Listen, on loopback only.

        Raises:
            OSError: the port is in use.
        """
        self._directory = Path(tempfile.mkdtemp(prefix="cloudmarker-simulator-"))
        try:
            self._server = Server(port=self._port, tls=self._tls(self._directory))
            api = self._api(self._directory, self._server.port)
            self._journal = Journal(Latency(Faults(api, self, self.faults), self._latency_s))
            self._server.serve(self._journal)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Close the port and all connections and remove the keys. What was asked stays readable."""
        if self._server is not None:
            self._server.stop()
            self._server = None
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def __enter__(self: S) -> S:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def environment(self) -> dict[str, str]:
        """:attr:`settings` as environment variables, for instance ``CLOUDMARKER_AZURE_ENDPOINT``."""
        names = {"key_file_path": "key_file"}
        return {
            f"CLOUDMARKER_{self.cloud}_{names.get(name, name)}".upper(): value for name, value in self.settings.items()
        }

    @property
    def requests(self) -> list[tuple[str, str]]:
        """Calls so far as ``(method, path with query)``, oldest first; a copy."""
        return self._journal.requests if self._journal is not None else []

    @property
    def refused(self) -> int:
        """Number of calls refused because they were not reads."""
        return self._journal.refused if self._journal is not None else 0

    @property
    def hosts(self) -> Counter[str]:
        """Number of calls by the host and port that they were sent to; a copy."""
        return Counter(self._journal.by_host) if self._journal is not None else Counter()

    @property
    def statuses(self) -> Counter[int]:
        """Number of answers by HTTP status; a copy. Dropped connections count under 0."""
        return Counter(self._journal.by_status) if self._journal is not None else Counter()


class CloudSimulator(Simulator):
    """A simulated cloud, which serves data of one source.

    Attributes:
        source: the data that is served: it knows how much there is of what.
        tokens: the access tokens that were issued.
        faults: rules in force, the tenant's own and those given; change the list at any time.
    """

    def __init__(
        self,
        source: Source,
        *,
        port: int,
        page_size: int | None,
        latency_s: float,
        refusals: Sequence[Refusal],
        faults: Sequence[Fault],
        token_lifetime_s: int,
    ) -> None:
        super().__init__(port=port, latency_s=latency_s, faults=[*source.faults, *faults])
        if page_size is not None:
            if page_size < 1:
                raise ValueError("page_size must be at least 1")
            source.page_size = page_size
        source.refusals = [*source.refusals, *refusals]
        self.source = source
        self.tokens = Tokens(token_lifetime_s)

    def revoke(self, token: str | None) -> None:
        """Let an access token be good no longer."""
        self.tokens.revoke(token)
