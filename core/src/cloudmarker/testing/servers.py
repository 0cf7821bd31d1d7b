"""An HTTP server for tests of plugins that speak to one: it notes what comes, answers as told, and fails on demand.

It is to be imported by its own name; :mod:`cloudmarker.testing` itself imports no server. ::

    with LoopbackServer(lambda request: Answer(201, {"id": request.json()["id"]})) as server:
        server.faults = [Fault(Answer(503)), Fault(reset=True)]  # one each for the next two requests
        ...  # a plugin speaks to server.url
    assert [request.path for request in server.requests] == ["/items", "/items", "/items"]
"""

from __future__ import annotations

import gzip
import json
import socket
import socketserver
import ssl
import struct
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import parse_qsl

_Server = TypeVar("_Server", bound="LoopbackServer")

_RESET_AT_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER of no seconds: what is closed is reset
_IDLE_S = 30.0
_LOOKS_S = 0.05  # so often does a request that waits look whether the server was killed


@dataclass(frozen=True)
class Request:
    """A request that came as a whole.

    Attributes:
        method: in upper case.
        target: path and query as sent.
        headers: names in lower case.
        body: without the compression of ``Content-Encoding: gzip``; ``b""`` if there was none.
        raw_length: bytes of the body as sent.
    """

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    raw_length: int

    @property
    def path(self) -> str:
        """The target without the query, as sent."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> dict[str, str]:
        """Parameters of the query, decoded; the last one of a name counts."""
        return dict(parse_qsl(self.target.partition("?")[2], keep_blank_values=True))

    @property
    def form(self) -> dict[str, str]:
        """Fields of the form in the body, decoded; the last one of a name counts."""
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    def json(self) -> Any:
        """Return the body, parsed."""
        return json.loads(self.body)


@dataclass
class Answer:
    """What goes back.

    Attributes:
        status: of HTTP.
        body: bytes and text are sent as they are, anything else as JSON.
        headers: besides Content-Length. Content-Type is that of the body unless it is given.
    """

    status: int = 200
    body: Any = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Fault:
    """What is done to a request; the default does nothing.

    Attributes:
        answer: is sent, and the request is not served.
        store: serve the request all the same, as a server that stores what it is sent and then fails.
        reset: reset the connection in place of an answer; the request is not served.
        truncate: end the connection after half of the body of the answer.
        wait: the answer, or the reset, waits for this event, or for the end of the server.
    """

    answer: Answer | None = None
    store: bool = False
    reset: bool = False
    truncate: bool = False
    wait: threading.Event | None = None


class LoopbackServer:
    """Listens on a free port of 127.0.0.1, in threads of its own, from when it is made until the end of its ``with``.

    So a subclass sets attributes of its own before it calls this constructor.

    Attributes:
        requests: what came, in order, whatever was done to it.
        faults: are done to the next requests, one each; may be changed at any time.
        always: is done to each request for which there is none in *faults*; None for nothing.
        errors: what :meth:`answer` raised. The request got no answer, and leaving ``with`` raises the first.
        port: stays the same when the server is started again.

    Args:
        answer: called for each request, in place of the method of a subclass.
        tls: what to speak TLS with; None for plain HTTP.
    """

    def __init__(self, answer: Callable[[Request], Answer] | None = None, *, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        self.always: Fault | None = None
        self.errors: list[BaseException] = []
        self.port = 0
        self._answer = answer
        self._tls = tls
        self._serving = threading.RLock()
        self.start()

    def answer(self, request: Request) -> Answer:
        """Do what *request* asks for, and return the answer: of the function that was given, or else an empty 200.

        Called in threads of the server, but never twice at a time. It should not block, for it holds up all others.
        """
        return self._answer(request) if self._answer is not None else Answer()

    def writes(self, request: Request) -> bool:
        """Return whether faults are for *request*: for any, unless a subclass has them for those that write only."""
        return True

    @property
    def written(self) -> list[Request]:
        """Those of the requests that write."""
        return [request for request in self.requests if self.writes(request)]

    @property
    def url(self) -> str:
        """Scheme, address and port, without a slash at the end."""
        return f"{'http' if self._tls is None else 'https'}://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen again after :meth:`kill`, on the same port."""
        self._listener = _Listener(self, self.port, self._tls)
        self.port = self._listener.server_address[1]
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def kill(self) -> None:
        """End at once, with all connections: what is under way gets no answer, and :meth:`answer` is called no more."""
        self._listener.shutdown()
        self._listener.server_close()
        self._thread.join()
        with self._serving:
            self._listener.end_connections()

    def __enter__(self: _Server) -> _Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        if error is None and self.errors:
            raise self.errors[0]

    def _serve(self, request: Request, exchange: _Exchange) -> tuple[Fault, Answer | None]:
        """Note the request, and return what is done to it and what is sent, if anything is."""
        with self._serving:
            exchange.check()
            self.requests.append(request)
            fault = Fault()
            if self.writes(request):
                fault = self.faults.pop(0) if self.faults else self.always or fault
            replaced = fault.reset or fault.answer is not None
            served = self.answer(request) if fault.store or not replaced else None
            return fault, None if fault.reset else fault.answer or served


class _Listener(socketserver.ThreadingTCPServer):
    """Accepts connections, and knows those that there are.

    A :class:`http.server.HTTPServer` would ask the DNS for the name of the address that it listens on.
    """

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, owner: LoopbackServer, port: int, tls: ssl.SSLContext | None) -> None:
        self.owner = owner
        self.connections: set[socket.socket] = set()
        self._changing = threading.Lock()
        super().__init__(("127.0.0.1", port), _Exchange)
        if tls is not None:  # hands are shaken at the first read, in the thread of the connection
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._changing:
            self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._changing:
            self.connections.discard(request)
        if request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, len(_RESET_AT_CLOSE)) == _RESET_AT_CLOSE:
            self.close_request(request)  # without the orderly end that would come before
        else:
            super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep the exception that is being handled, unless it only says that the other side has gone."""
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, (ConnectionError, TimeoutError, ssl.SSLError)):
            self.owner.errors.append(error)

    def end_connections(self) -> None:
        """Wake the threads of all connections, which then close them."""
        with self._changing:
            for connection in self.connections:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
                try:
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)  # below TLS, whose state is the thread's
                except OSError:
                    continue  # the other side was quicker
            self.connections.clear()


class _Exchange(BaseHTTPRequestHandler):
    """The requests of one connection, and their answers."""

    server: _Listener
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = _IDLE_S

    def check(self) -> None:
        """Raise ConnectionAbortedError if the connection was ended."""
        if self.connection not in self.server.connections:
            raise ConnectionAbortedError

    def serve(self) -> None:
        """Read the body of a request, whose headers have been read, and answer."""
        raw = self._body()
        headers = {name.lower(): ", ".join(self.headers.get_all(name, [])) for name in self.headers}
        body = gzip.decompress(raw) if headers.get("content-encoding") == "gzip" else raw
        request = Request(self.command, self.path, headers, body, len(raw))
        fault, answer = self.server.owner._serve(request, self)
        while fault.wait is not None and not fault.wait.wait(_LOOKS_S):
            self.check()
        if answer is None:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
            self.close_connection = True
        else:
            self._send(answer, truncate=fault.truncate)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = serve  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self._exactly(int(self.headers.get("Content-Length", 0)))
        chunks = []
        while size := int(self._line().partition(b";")[0], 16):
            chunks.append(self._exactly(size))
            self._line()
        while self._line():
            continue  # headers after the last chunk
        return b"".join(chunks)

    def _line(self) -> bytes:
        line = self.rfile.readline()
        if not line.endswith(b"\n"):
            raise ConnectionAbortedError
        return line.strip()

    def _exactly(self, size: int) -> bytes:
        data = self.rfile.read(size)
        if len(data) < size:
            raise ConnectionAbortedError
        return data

    def _send(self, answer: Answer, *, truncate: bool) -> None:
        kind, content = _content(answer.body)
        self.send_response(answer.status)
        for name, value in {"Content-Type": kind, **answer.headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if truncate:
            content = content[: len(content) // 2]
            self.close_connection = True
        if self.command != "HEAD":
            self.wfile.write(content)


def _content(body: Any) -> tuple[str, bytes]:
    """Return the media type and the bytes of what an answer has for a body."""
    if isinstance(body, bytes):
        return "application/octet-stream", body
    if isinstance(body, str):
        return "text/plain; charset=utf-8", body.encode()
    return "application/json", json.dumps(body).encode()
