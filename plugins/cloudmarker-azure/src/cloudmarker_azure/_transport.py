"""HTTPS below azure-core's pipelines: one pool of connections, whose waits end when reading is stopped.

Two transports share it. That of the credentials is azure-core's own, upon a session of `requests`. That of all other
requests goes straight to the pool: what a session of `requests` does with cookies, redirects and hooks takes as long as
all the rest of a request, and nothing here has any use for it. This module imports the SDK.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, cast
from urllib.parse import urlsplit
from weakref import WeakSet

import requests
from azure.core.exceptions import ServiceRequestError, ServiceResponseError
from azure.core.pipeline.transport import HttpTransport, RequestsTransport
from azure.core.rest import HttpRequest
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, ProxyManager, Retry, Timeout
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

CONNECT_TIMEOUT_S = 10
READ_TIMEOUT_S = 60
"""Seconds without a byte until an answer is given up. The SDK's own default is 300 for both."""

LOGIN_WAIT_S = 10.0
"""Longest single wait of azure-identity between its attempts to get a token, whatever the server asks for."""

_ONCE = Retry(False)  # neither sent again nor redirected
_TIMEOUT = Timeout(connect=CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S)


@dataclass(frozen=True)
class Answer:
    """What was answered, its body read and unpacked.

    Attributes:
        status_code: of HTTP.
        headers: looked up without regard to case.
        content: the body.
    """

    status_code: int
    headers: Mapping[str, str]
    content: bytes


class Connections:
    """The pool of connections, with the proxies and certificate authorities of the environment.

    Args:
        size: connections kept open to a host.
        ca_cert: PEM file with the only authorities that are trusted; None: the usual ones.
        stop: set when reading ends.
    """

    def __init__(self, size: int, ca_cert: str | None, stop: threading.Event) -> None:
        self._verify: bool | str = ca_cert or True
        self._stop = stop
        self._adapter = _Adapter(size, stop)
        self._session = requests.Session()
        # An authentication of its own keeps requests from replacing ours by one from ~/.netrc.
        self._session.auth = _unchanged
        self._session.mount("https://", self._adapter)

    def pool(self, origin: str) -> HTTPConnectionPool:
        """Return the connections to *origin*, which is scheme, host and port."""
        found = self._session.merge_environment_settings(origin, {}, None, self._verify, None)
        request = requests.Request("GET", origin).prepare()
        adapter: Any = self._adapter  # some versions of requests have types for these methods, others have not
        pool = adapter.get_connection_with_tls_context(request, found["verify"], found["proxies"])
        adapter.cert_verify(pool, origin, found["verify"], None)
        return cast(HTTPConnectionPool, pool)

    def for_credentials(self) -> RequestsTransport:
        """Return the transport for azure-identity."""
        return _LoginTransport(
            self._stop,
            session=self._session,
            session_owner=False,
            connection_timeout=CONNECT_TIMEOUT_S,
            read_timeout=READ_TIMEOUT_S,
            connection_verify=self._verify,
        )

    def interrupt(self) -> None:
        """End every connection, once *stop* is set: a thread that waits for an answer gets an error at once."""
        self._adapter.interrupt()

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._session.close()


class Transport(HttpTransport[HttpRequest, Answer]):
    """Sends requests, each once."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._pools: dict[str, HTTPConnectionPool] = {}

    def send(self, request: HttpRequest, **kwargs: Any) -> Answer:
        """Return what is answered, whatever its status.

        Raises:
            azure.core.exceptions.AzureError: there was no answer, or not all of it.
        """
        parts = urlsplit(request.url)
        origin = f"{parts.scheme}://{parts.netloc}"
        pool = self._pools.get(origin)
        if pool is None:  # threads may look for it at the same time: they find the same
            pool = self._pools[origin] = self._connections.pool(origin)
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        try:
            response = pool.urlopen(
                request.method,
                target,
                body=request.content,
                headers=request.headers,
                retries=_ONCE,
                redirect=False,
                timeout=_TIMEOUT,
            )
        except (NewConnectionError, ConnectTimeoutError) as exc:
            raise ServiceRequestError(exc, error=exc) from exc
        except (HTTPError, OSError) as exc:
            raise ServiceResponseError(exc, error=exc) from exc
        return Answer(response.status, response.headers, response.data)

    def open(self) -> None:
        """Do nothing: connections are opened as they are needed."""

    def close(self) -> None:
        """Do nothing: the connections belong to whoever gave them."""

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self.close()


class _Adapter(HTTPAdapter):
    """Connections that can be ended while a thread waits for an answer on one."""

    def __init__(self, connections: int, stop: threading.Event) -> None:
        opened: WeakSet[HTTPSConnection] = WeakSet()

        class Connection(HTTPSConnection):
            def connect(self) -> None:
                super().connect()
                opened.add(self)
                if stop.is_set():  # interrupt() may have been called before it could see this one
                    self.close()
                    raise ConnectionAbortedError("reading was stopped")

        class Pool(HTTPSConnectionPool):
            ConnectionCls = Connection

        self._opened = opened
        self._pools = {"http": HTTPConnectionPool, "https": Pool}
        super().__init__(pool_connections=4, pool_maxsize=connections)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> ProxyManager:
        manager: ProxyManager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = self._pools
        return manager

    def interrupt(self) -> None:
        """End every connection, once *stop* is set: a thread that waits for an answer gets an error at once."""
        for connection in list(self._opened):
            if connection.sock is not None:
                with suppress(OSError):  # it has ended by itself
                    # Not SSLSocket.shutdown: that takes the TLS state away from under the waiting thread.
                    socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)


class _LoginTransport(RequestsTransport):  # type: ignore[misc]  # azure-core exports it through __getattr__
    """Waits of azure-identity's own retry policy are short and end when reading is stopped."""

    def __init__(self, stop: threading.Event, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._stop = stop

    def sleep(self, duration: float) -> None:
        self._stop.wait(min(duration, LOGIN_WAIT_S))


def _unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
