"""The HTTP server for tests, as a plain client sees it."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import trustme
from cloudmarker.testing.servers import Answer, Fault, LoopbackServer, Request


def echo(request: Request) -> Answer:
    return Answer(201, {"got": request.body.decode()}, {"X-Served": "yes"})


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer(echo) as started:
        yield started


def connect(server: LoopbackServer) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)


def post(server: LoopbackServer, body: object = b"x", target: str = "/", **headers: str) -> http.client.HTTPResponse:
    """Post in a connection of its own, and return the answer with what was read of it."""
    connection = connect(server)
    connection.request("POST", target, body, headers)
    answer = connection.getresponse()
    answer.content = answer.read()
    connection.close()
    return answer


def wait_for(state: Callable[[], object]) -> None:
    end = time.monotonic() + 10
    while not state():
        assert time.monotonic() < end
        time.sleep(0.01)


def bodies(server: LoopbackServer) -> list[bytes]:
    return [request.body for request in server.requests]


# Requests and answers


def test_a_request_is_recorded_whole(server):
    post(server, b'{"a": 1}', "/a%20b?x=1%2C2&y=&x=3", **{"X-Team": "Security", "Content-Type": "application/json"})
    (request,) = server.requests
    assert (request.method, request.target, request.path) == ("POST", "/a%20b?x=1%2C2&y=&x=3", "/a%20b")
    assert request.query == {"x": "3", "y": ""}
    assert request.headers.items() >= {"x-team": "Security", "content-type": "application/json"}.items()
    assert (request.json(), request.raw_length) == ({"a": 1}, 8)


def test_a_form_is_decoded(server):
    post(server, "grant_type=refresh_token&scope=a+b%2Fc")
    assert server.requests[0].form == {"grant_type": "refresh_token", "scope": "a b/c"}


def test_a_compressed_body_is_recorded_without_its_compression(server):
    sent = gzip.compress(b"word " * 1000)
    post(server, sent, **{"Content-Encoding": "gzip"})
    (request,) = server.requests
    assert (request.body, request.raw_length) == (b"word " * 1000, len(sent))


def test_a_body_in_chunks_is_recorded_whole(server):
    connection = connect(server)
    for _ in range(2):  # the connection is fit for another one
        connection.request("PUT", "/", iter([b"one ", b"two ", b"three"]), encode_chunked=True)
        assert json.loads(connection.getresponse().read()) == {"got": "one two three"}
    assert bodies(server) == [b"one two three"] * 2


@pytest.mark.parametrize(
    "start",
    [
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhal",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhal",
    ],
    ids=["length", "chunks"],
)
def test_a_request_that_breaks_off_is_none(server, start):
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(start)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""
    assert server.requests == []


@pytest.mark.parametrize(
    ("body", "kind", "content"),
    [
        ({"a": [1]}, "application/json", b'{"a": [1]}'),
        ("gr\u00fcn", "text/plain; charset=utf-8", b"gr\xc3\xbcn"),
        (b"\0", "application/octet-stream", b"\0"),
    ],
)
def test_an_answer_has_the_type_of_its_body(server, body, kind, content):
    server.always = Fault(Answer(200, body))
    answer = post(server)
    assert (answer.content, answer.headers["Content-Type"], answer.headers["Content-Length"]) == (
        content,
        kind,
        str(len(content)),
    )


def test_an_answer_has_the_status_and_headers_it_is_given(server):
    server.always = Fault(Answer(404, "<p>", {"Content-Type": "text/html", "Retry-After": "3"}))
    answer = post(server)
    assert (answer.status, answer.headers["Retry-After"], answer.headers["Content-Type"]) == (404, "3", "text/html")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_every_method_is_answered_and_the_connection_kept(server, method):
    connection = connect(server)
    for _ in range(2):
        connection.request(method, "/")
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (201, b"" if method == "HEAD" else b'{"got": ""}')
    assert [request.method for request in server.requests] == [method] * 2


def test_without_a_function_the_answer_is_empty():
    with LoopbackServer() as server:
        answer = post(server)
    assert (answer.status, answer.content) == (200, b"")


def test_many_are_served_at_once_and_answers_are_made_one_at_a_time():
    inside, most = [], []

    def answer(request: Request) -> Answer:
        inside.append(request)
        most.append(len(inside))
        time.sleep(0.001)
        inside.pop()
        return Answer(200, request.body)

    names = [str(number).encode() for number in range(40)]
    with LoopbackServer(answer) as server, ThreadPoolExecutor(len(names)) as pool:
        release = threading.Event()
        server.faults = [Fault(wait=release) for _ in names]
        under_way = [pool.submit(post, server, name) for name in names]
        wait_for(lambda: len(server.requests) == len(names))
        assert post(server, b"last").content == b"last"
        assert not any(future.done() for future in under_way)
        release.set()
        assert [future.result().content for future in under_way] == names
    assert sorted(bodies(server)) == sorted([*names, b"last"])
    assert most == [1] * 41


def test_what_an_answer_raises_is_raised_by_the_test():
    def fails(request: Request) -> Answer:
        raise LookupError("no such thing")

    server = LoopbackServer(fails)
    with pytest.raises(ConnectionResetError):
        post(server)
    assert [str(error) for error in server.errors] == ["no such thing"]
    with pytest.raises(LookupError, match="no such thing"), server:
        pass


def test_what_a_test_raises_goes_before_it():
    def fails(request: Request) -> Answer:
        raise LookupError

    with pytest.raises(ConnectionResetError), LoopbackServer(fails) as server:
        post(server)


# Faults


def test_faults_are_for_the_next_requests_one_each(server):
    server.faults = [Fault(Answer(503)), Fault(Answer(429))]
    assert [post(server).status for _ in range(3)] == [503, 429, 201]
    assert len(server.requests) == 3


def test_a_fault_for_all_comes_after_those_for_the_next(server):
    server.faults, server.always = [Fault(Answer(429))], Fault(Answer(503))
    assert [post(server).status for _ in range(3)] == [429, 503, 503]
    server.always = None
    assert post(server).status == 201


def test_faults_are_for_those_requests_that_write():
    class Documents(LoopbackServer):
        def writes(self, request: Request) -> bool:
            return request.path == "/documents"

    with Documents() as server:
        server.faults = [Fault(Answer(503))]
        assert [post(server, target=target).status for target in ("/", "/documents?x", "/documents")] == [200, 503, 200]
        assert server.written == server.requests[1:]


@pytest.mark.parametrize(
    ("fault", "served"),
    [
        (Fault(), True),
        (Fault(Answer(503)), False),
        (Fault(Answer(503), store=True), True),
        (Fault(reset=True), False),
        (Fault(reset=True, store=True), True),
        (Fault(truncate=True), True),
    ],
)
def test_a_request_with_a_fault_is_served_if_it_says_so_or_the_answer_is_needed(fault, served):
    stored = []

    def store(request: Request) -> Answer:
        stored.append(request.body)
        return Answer(200, {"stored": True})

    with LoopbackServer(store) as server:
        server.faults = [fault]
        try:
            status = post(server).status
        except (ConnectionResetError, http.client.IncompleteRead):
            status = None
    assert stored == ([b"x"] if served else [])
    assert status == (None if fault.reset or fault.truncate else 503 if fault.answer else 200)


def test_a_reset_is_one(server):
    server.faults = [Fault(reset=True)]
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    assert len(server.requests) == 1


def test_a_truncated_answer_is_half_of_what_it_says_to_be(server):
    server.faults = [Fault(Answer(200, b"0123456789"), truncate=True)]
    with pytest.raises(http.client.IncompleteRead) as caught:
        post(server)
    assert (caught.value.partial, caught.value.expected) == (b"01234", 5)


@pytest.mark.parametrize("reset", [False, True])
def test_an_answer_waits_for_its_event(server, reset):
    server.faults = [Fault(wait=threading.Event(), reset=reset, store=True)]
    wait = server.faults[0].wait
    connection = connect(server)
    connection.request("POST", "/", b"x")
    wait_for(lambda: server.requests)
    connection.sock.settimeout(0.2)
    with pytest.raises(TimeoutError):
        connection.sock.recv(1)
    assert bodies(server) == [b"x"]
    connection.sock.settimeout(10)
    wait.set()
    if reset:
        with pytest.raises(ConnectionResetError):
            connection.sock.recv(1)
    else:
        assert connection.sock.recv(8) == b"HTTP/1.1"


# Its end


def test_a_server_that_is_killed_starts_again_on_the_same_port_and_knows_what_came(server):
    post(server, b"one")
    port, url = server.port, server.url
    server.kill()
    with pytest.raises(ConnectionRefusedError):
        post(server)
    server.start()
    post(server, b"two")
    assert (server.port, server.url) == (port, url) == (port, f"http://127.0.0.1:{port}")
    assert bodies(server) == [b"one", b"two"]


def test_a_kill_ends_what_is_under_way_and_connections_that_are_kept(server):
    waiting, kept = connect(server), connect(server)
    kept.request("POST", "/", b"kept")
    kept.getresponse().read()
    server.always = Fault(wait=threading.Event(), store=True)
    waiting.request("POST", "/", b"waiting")
    wait_for(lambda: len(server.requests) == 2)
    server.kill()
    server.always = None
    server.start()
    with pytest.raises(ConnectionResetError):
        waiting.getresponse()
    assert kept.sock.recv(1) == b""
    assert bodies(server) == [b"kept", b"waiting"]


def test_a_server_may_be_killed_by_its_answer_and_more_than_once():
    def answer(request: Request) -> Answer:
        server.kill()
        return Answer()

    with LoopbackServer(answer) as server:
        with pytest.raises(ConnectionResetError):
            post(server)
        server.kill()


def test_no_thread_is_left():
    before = threading.active_count()
    with LoopbackServer() as server:
        server.always = Fault(wait=threading.Event())
        connection = connect(server)
        connection.request("GET", "/")
    with pytest.raises(ConnectionResetError):
        connection.getresponse()
    wait_for(lambda: threading.active_count() == before)


# TLS


@pytest.fixture
def tls() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The contexts of a server and of a client that trusts it."""
    authority = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return server, client


def test_it_speaks_tls_and_fails_there_too(tls):
    with LoopbackServer(echo, tls=tls[0]) as server:
        assert server.url == f"https://127.0.0.1:{server.port}"
        connection = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=10, context=tls[1])
        connection.request("POST", "/", b"x" * 100_000)
        assert len(connection.getresponse().read()) == 100_011
        server.faults = [Fault(reset=True)]
        connection.request("POST", "/")
        with pytest.raises(ConnectionResetError):
            connection.getresponse()
        connection.close()
        server.kill()
        server.start()
        connection.request("POST", "/")
        assert connection.getresponse().status == 201


def test_who_does_not_trust_it_or_speaks_no_tls_holds_up_nobody(tls):
    with LoopbackServer(echo, tls=tls[0]) as server, socket.create_connection(("127.0.0.1", server.port)):
        with pytest.raises(ssl.SSLCertVerificationError):
            http.client.HTTPSConnection("127.0.0.1", server.port, timeout=10).request("GET", "/")
        connection = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=10, context=tls[1])
        connection.request("GET", "/")
        assert connection.getresponse().status == 201
        assert len(server.requests) == 1


def test_the_kit_imports_no_server_for_those_who_need_none():
    source = "import sys, cloudmarker.testing; sys.exit('http.server' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", source], check=False).returncode == 0
