"""An HTTP server that does as a test says: the base of the servers that stand in for Elasticsearch and Splunk."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Request:
    """What came; the body without its compression."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    raw_length: int


@dataclass
class Answer:
    """What goes back."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"

    def encoded(self) -> bytes:
        return self.body.encode() if isinstance(self.body, str) else json.dumps(self.body).encode()


@dataclass
class Fault:
    """What is done to one request that writes.

    Attributes:
        answer: is sent, and nothing is stored.
        store: store what came, before or instead of anything else.
        cut: reset the connection in place of an answer.
        truncate: send half of the answer, then end.
        wait: wait for this before an answer.
        items: gives for a document the answer in place of storing it, or None.
    """

    answer: Answer | None = None
    store: bool = False
    cut: bool = False
    truncate: bool = False
    wait: threading.Event | None = None
    items: Callable[[str, Any], tuple[int, Any] | None] | None = None


class FaultServer:
    """Listens on a free port of the loopback, in threads of its own.

    Attributes:
        faults: what is done to the next requests that write, one each.
        requests: what came, without requests that could not be read.
        always: what is done to all requests that write once *faults* is empty.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.faults: list[Fault] = []
        self.requests: list[Request] = []
        self.always: Fault | None = None
        self.lock = threading.Lock()
        self.port = 0
        self._tls = tls
        self._connections: set[socket.socket] = set()
        self.start()

    # What a subclass says

    def writes(self, request: Request) -> bool:
        """Return whether faults are for this request."""
        raise NotImplementedError

    def answer(self, request: Request, fault: Fault) -> Answer:
        """Do what is asked, and return the answer."""
        raise NotImplementedError

    # What a test calls

    def start(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler(), bind_and_activate=False)
        self._server.daemon_threads = True
        self._server.server_bind()
        self._server.server_activate()
        self.port = self._server.server_port
        if self._tls is not None:
            self._server.socket = self._tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def kill(self) -> None:
        """End at once: what is under way gets no answer. What was stored is kept, as on a disk."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        with self.lock:
            connections, self._connections = self._connections, set()
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def written(self) -> list[Request]:
        return [request for request in self.requests if self.writes(request)]

    def _handler(server) -> type[BaseHTTPRequestHandler]:  # noqa: N805  self is the handler below
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1
            timeout = 30

            def setup(self) -> None:
                super().setup()
                with server.lock:
                    server._connections.add(self.connection)

            def finish(self) -> None:
                with server.lock:
                    server._connections.discard(self.connection)
                with contextlib.suppress(OSError):
                    super().finish()

            def handle(self) -> None:
                with contextlib.suppress(OSError, ValueError):
                    super().handle()

            def do(self) -> None:
                raw = self.rfile.read(int(self.headers.get("content-length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = gzip.decompress(raw) if headers.get("content-encoding") == "gzip" else raw
                request = Request(self.command, self.path, headers, body, len(raw))
                with server.lock:
                    server.requests.append(request)
                    fault = Fault(store=True)
                    if server.writes(request):
                        fault = server.faults.pop(0) if server.faults else server.always or fault
                answer = fault.answer
                if answer is None or fault.store:
                    with server.lock:
                        done = server.answer(request, fault) if fault.store or not fault.cut else None
                    answer = answer or done
                if fault.wait is not None:
                    fault.wait.wait(20)
                if fault.cut or answer is None:
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.close_connection = True
                    return
                data = answer.encoded()
                self.send_response(answer.status)
                for name, value in {"Content-Type": answer.content_type, **answer.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                if fault.truncate:
                    data = data[: len(data) // 2]
                    self.close_connection = True
                self.wfile.write(data)
                self.wfile.flush()

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do  # noqa: N815

            def log_message(self, *args: Any) -> None:
                pass

        return Handler
