"""What is sent goes straight to the pool of connections, and keeps to what the environment says nevertheless."""

import gzip
import json
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest
from azure.core.exceptions import ServiceRequestError, ServiceResponseError
from azure.core.rest import HttpRequest
from cloudmarker.testing import servers
from cloudmarker_azure import _transport
from cloudmarker_azure._transport import Connections, Transport
from cloudmarker_azure.azcloud import AzCloud
from cloudmarker_simulators import AzureSimulator, Fault

TYPES = ["resource_group", "nsg"]


def packed(request):
    """Answer compressed, and to one path with a redirection."""
    headers = {"Location": "/elsewhere", "Content-Encoding": "gzip"}
    return servers.Answer(302 if request.path == "/away" else 200, gzip.compress(b"what was asked for"), headers)


@pytest.fixture
def server():
    with servers.LoopbackServer(packed) as started:
        yield started


def transport(ca_cert=None):
    return Transport(Connections(2, ca_cert, threading.Event()))


def test_an_answer_is_unpacked_and_its_headers_are_found_in_any_case(server):
    answer = transport().send(HttpRequest("GET", f"{server.url}/a b?$x=1,2&y=%2F"))
    assert (answer.status_code, answer.content) == (200, b"what was asked for")
    assert answer.headers["content-ENCODING"] == "gzip"
    (request,) = server.requests
    assert (request.method, request.target, request.body) == ("GET", "/a%20b?$x=1,2&y=%2F", b"")
    assert "authorization" not in request.headers


def test_a_body_is_sent(server):
    transport().send(HttpRequest("POST", server.url, json={"query": "x"}))
    (request,) = server.requests
    assert (request.method, request.target, request.body) == ("POST", "/", b'{"query": "x"}')
    assert "authorization" not in request.headers


def test_a_redirect_is_an_answer_like_any_other(server):
    assert transport().send(HttpRequest("GET", f"{server.url}/away")).status_code == 302
    assert len(server.requests) == 1


def test_an_answer_that_is_cut_off_is_an_error_and_not_asked_for_again(server):
    server.always = servers.Fault(truncate=True)
    with pytest.raises(ServiceResponseError, match="IncompleteRead"):
        transport().send(HttpRequest("GET", server.url))
    assert len(server.requests) == 1


def test_a_host_that_does_not_listen_is_an_error():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ServiceRequestError):
        transport().send(HttpRequest("GET", f"http://127.0.0.1:{port}/"))


def test_certificates_are_checked():
    with AzureSimulator(subscriptions=1, scale=1) as simulator:
        request = HttpRequest("GET", f"{simulator.settings['endpoint']}/subscriptions")
        assert transport(simulator.settings["ca_cert"]).send(request).status_code == 401
        with pytest.raises(ServiceResponseError, match="CERTIFICATE_VERIFY_FAILED"):
            transport().send(request)


def holes(records):
    return [record["com"] for record in records if record["com"].get("state") in ("denied", "throttled", "failed")]


def test_authorities_named_in_the_environment_are_trusted(monkeypatch):
    with AzureSimulator(subscriptions=1, scale=1) as simulator:
        settings = {**simulator.settings, "ca_cert": None}
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", simulator.settings["ca_cert"])
        assert holes(AzCloud(**settings, record_types=TYPES).read()) == []


def test_an_answer_that_does_not_come_in_time_is_a_hole(monkeypatch):
    monkeypatch.setattr(_transport, "_TIMEOUT", _transport.Timeout(connect=10, read=0.2))
    late = Fault("networkSecurityGroups", delay_s=1)
    with AzureSimulator(subscriptions=1, scale=1, faults=[late]) as simulator:
        (hole,) = holes(AzCloud(**simulator.settings, record_types=TYPES, retry_deadline_s=0.1).read())
    assert (hole["resource_type"], hole["state"]) == ("nsg", "failed")
    assert "timed out" in hole["error"]


@contextmanager
def proxy():
    """Run a proxy; give its address, and the list of what it was asked to connect to."""
    asked = []

    def pump(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        finally:
            for end in (source, sink):
                end.close()

    def serve(client):
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(65536)
        target = head.split()[1].decode()
        asked.append((target, b"Authorization: Bearer" in head))
        host, _, port = target.rpartition(":")
        server = socket.create_connection((host, int(port)))
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        threading.Thread(target=pump, args=(server, client), daemon=True).start()
        pump(client, server)

    def accept(listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(client,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked


def test_the_proxy_of_the_environment_is_used_and_sees_no_token(monkeypatch):
    with AzureSimulator(subscriptions=1, scale=1) as simulator, proxy() as (address, asked):
        monkeypatch.setenv("HTTPS_PROXY", address)
        monkeypatch.setenv("NO_PROXY", "")
        assert holes(AzCloud(**simulator.settings, record_types=TYPES, threads=1).read()) == []
        places = {simulator.settings[name].partition("//")[2] for name in ("endpoint", "authority")}
        assert set(asked) == {(place, False) for place in places}
        asked.clear()
        monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")
        assert holes(AzCloud(**simulator.settings, record_types=TYPES, threads=1).read()) == []
        assert asked == []


def test_reading_imports_what_its_credential_and_pipeline_need_and_no_clients():
    program = (
        "import json, sys\n"
        "from cloudmarker_azure.azcloud import AzCloud\n"
        "list(AzCloud(**json.loads(sys.argv[1])).read())\n"
        "print(*sorted(name for name in sys.modules if name.startswith(('azure.', 'aiohttp'))))\n"
    )
    with AzureSimulator(subscriptions=1, scale=1) as simulator:
        settings = json.dumps({**simulator.settings, "record_types": TYPES})
        done = subprocess.run((sys.executable, "-c", program, settings), capture_output=True, text=True, check=True)
    packages = {".".join(name.split(".")[:2]) for name in done.stdout.split()}
    assert packages == {"azure.core", "azure.identity"}
