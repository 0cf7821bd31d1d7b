"""Serve a handler on loopback over HTTP/1.1, with TLS if asked to.

One thread with an event loop answers all connections: the handlers only compute, for well under a millisecond, and a
delayed answer is a timer and not a thread that sleeps. With sixty-four clients that takes about a third less processor
time than a thread for each of them, on a machine that the clients have to share.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import threading
import time
from email.utils import formatdate
from http.client import responses as reasons
from typing import cast

from cloudmarker_simulators._http import Handler, Request, Response

LOOPBACK = "127.0.0.1"
BACKLOG = 512
MAX_HEAD_BYTES = 256 * 1024
HANG_UP_S = 1.0
"""How long connections have to end in good order when the server stops."""

_LINGER_NOT = struct.pack("ii", 1, 0)
"""With linger on and no time to linger, closing a socket sends a reset and not the polite end."""


class _Connection(asyncio.Protocol):
    """One client: its calls are answered in order, one at a time."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._buffer = bytearray()
        self._busy = False
        self._close = False
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._answer_all()

    def _answer_all(self) -> None:
        """Answer what has arrived, up to the first call that has to wait."""
        while not self._busy and not self.transport.is_closing() and (request := self._request()) is not None:
            self._busy = True
            response = self._server.handler(request)
            if response.delay_s:
                asyncio.get_running_loop().call_later(response.delay_s, self._answer_late, request, response)
                return
            self._send(request, response)

    def _answer_late(self, request: Request, response: Response) -> None:
        self._send(request, response)
        self._answer_all()

    def _request(self) -> Request | None:
        """Take the next whole request from what has arrived; None if there is none yet."""
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > MAX_HEAD_BYTES:
                self.transport.abort()
            return None
        first, *lines = bytes(self._buffer[:end]).decode("latin-1").split("\r\n")
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        length = headers.get("content-length", "0")
        size = int(length) if length.isdigit() else 0
        start = end + 4
        if len(self._buffer) < start + size:
            if "expect" in headers and len(self._buffer) == start:
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return None
        body = bytes(self._buffer[start : start + size])
        del self._buffer[: start + size]
        method, _, rest = first.partition(" ")
        target, _, version = rest.rpartition(" ")
        # No read has a body in chunks; where it ends is not our concern then.
        keep = version == "HTTP/1.1" and "transfer-encoding" not in headers
        self._close = not keep or headers.get("connection", "").lower() == "close"
        host = headers.get("host") or f"{LOOPBACK}:{self._server.port}"
        return Request(method.upper(), target, headers, body, f"{self._server.scheme}://{host}")

    def _send(self, request: Request, response: Response) -> None:
        self._busy = False
        if self.transport.is_closing():
            return
        if response.reset:
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
            self.transport.abort()
            return
        cut = response.truncate_bytes is not None
        lines = [
            f"HTTP/1.1 {response.status} {reasons.get(response.status, 'Unknown')}",
            "Server: cloudmarker-simulator",
            f"Date: {self._server.date()}",
            *(f"{name}: {value}" for name, value in response.headers.items()),
            f"Content-Length: {len(response.body)}",
            *(["Connection: close"] if self._close else []),
        ]
        head = "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n"
        body = b"" if request.method == "HEAD" else response.body[: response.truncate_bytes]
        self.transport.write(head + body)
        if cut or self._close:
            self.transport.close()


class Server:
    """A port on loopback, open from construction until :meth:`stop`, and answered from :meth:`serve` on.

    Attributes:
        port: the port, also when any free one was asked for.
        scheme: ``http`` or ``https``.
        handler: answers the calls, in the server's own thread; it must not wait for anything.
        connections: those that are open.
    """

    def __init__(self, *, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        """Open *port*, 0 for any free one.

        Raises:
            OSError: the port is in use.
        """
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._thread: threading.Thread | None = None
        self._date = (0, "")
        self.scheme = "http" if tls is None else "https"
        self.handler: Handler
        self.connections: set[_Connection] = set()
        try:
            self._socket = socket.create_server((LOOPBACK, port), backlog=BACKLOG)
        except BaseException:
            self._loop.close()
            raise
        self.port: int = self._socket.getsockname()[1]

    def serve(self, handler: Handler) -> None:
        """Answer calls with *handler*, those that came before included."""
        self.handler = handler
        self._thread = threading.Thread(
            target=self._loop.run_until_complete, args=(self._run(),), name=f"simulator-{self.port}", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Close the port and every connection."""
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()
        self._socket.close()
        self._loop.close()

    def date(self) -> str:
        """Return the time as the header Date has it."""
        now = int(time.time())
        if now != self._date[0]:
            self._date = now, formatdate(now, usegmt=True)
        return self._date[1]

    async def _run(self) -> None:
        listener = await self._loop.create_server(
            lambda: _Connection(self), sock=self._socket, ssl=self._tls, backlog=BACKLOG
        )
        await self._stopping.wait()
        listener.close()
        await self._hang_up()

    async def _hang_up(self) -> None:
        """End the connections that clients keep open."""
        for connection in list(self.connections):
            connection.transport.close()
        deadline = self._loop.time() + HANG_UP_S
        while self.connections and self._loop.time() < deadline:
            await asyncio.sleep(0.005)
            if self._tls is not None:  # a client need not answer our goodbye
                break
        for connection in list(self.connections):
            connection.transport.abort()
        await asyncio.sleep(0)
