"""Serve a handler on loopback over HTTP/1.1, with TLS if asked to, one thread a connection."""

from __future__ import annotations

import contextlib
import socket
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cloudmarker_simulators._http import Handler, Request, Response

LOOPBACK = "127.0.0.1"
IDLE_TIMEOUT_S = 600


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "cloudmarker-simulator"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body leave in one segment
    timeout = IDLE_TIMEOUT_S
    server: _Listener

    def _serve(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        length = headers.get("content-length", "0")
        body = self.rfile.read(int(length)) if length.isdigit() else b""
        host = headers.get("host") or f"{LOOPBACK}:{self.server.server_port}"
        scheme = "http" if self.server.tls is None else "https"
        if "transfer-encoding" in headers:  # no read has such a body; where it ends is not our concern then
            self.close_connection = True
        self._send(self.server.handler(Request(self.command, self.path, headers, body, f"{scheme}://{host}")))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve  # noqa: N815 (names fixed by http.server)

    def _send(self, response: Response) -> None:
        if response.reset:
            self.close_connection = True
            # With linger on and no time to linger, close() sends a reset and not the polite end.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            return
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body[: response.truncate_bytes])
        self.wfile.flush()
        self.close_connection = self.close_connection or response.truncate_bytes is not None

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: the journal knows what was asked."""


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    handler: Handler

    def __init__(self, port: int, tls: ssl.SSLContext | None) -> None:
        self.tls = tls
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__((LOOPBACK, port), _Connection)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Run one connection. The handshake is here and not in the accepting thread: a slow one delays nobody else."""
        request.settimeout(IDLE_TIMEOUT_S)
        if self.tls is not None:
            try:
                request = self.tls.wrap_socket(request, server_side=True)
            except OSError:  # not TLS, or a client that does not trust the throw-away authority
                request.close()
                return
        with self._open_lock:
            self._open.add(request)
        super().process_request_thread(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._open_lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing for a client that went away; anything else is a fault of ours and is shown."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def hang_up(self) -> None:
        """End the connections that clients keep open."""
        with self._open_lock:
            connections = list(self._open)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class Server:
    """A port on loopback, open from construction until :meth:`stop`, and answered from :meth:`serve` on.

    Attributes:
        port: the port, also when any free one was asked for.
    """

    def __init__(self, *, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        """Open *port*, 0 for any free one.

        Raises:
            OSError: the port is in use.
        """
        self._listener = _Listener(port, tls)
        self._thread: threading.Thread | None = None
        self.port: int = self._listener.server_port

    def serve(self, handler: Handler) -> None:
        """Answer calls with *handler*, those that came before included."""
        self._listener.handler = handler
        self._thread = threading.Thread(
            target=self._listener.serve_forever,
            kwargs={"poll_interval": 0.05},
            name=f"simulator-{self.port}",
            daemon=True,
        )
        self._thread.start()

    def stop(self) -> None:
        """Close the port and every connection."""
        if self._thread is not None:
            self._listener.shutdown()
            self._thread.join()
            self._listener.hang_up()
        self._listener.server_close()
