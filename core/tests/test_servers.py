"""What plugins that talk to a server have in common."""

import doctest
import socket
import ssl
import threading
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from cloudmarker import servers
from cloudmarker.errors import PluginError
from cloudmarker.servers import is_loopback, needs_client, retry_after_s, tls_refusal


def test_the_documented_examples_hold():
    assert doctest.testmod(servers).failed == 0


def test_a_client_that_is_not_there_is_said_with_what_to_install():
    with (
        pytest.raises(PluginError, match=r"pip install 'cloudmarker\[example\]'"),
        needs_client("example", "another", "no_such_client"),
    ):
        import no_such_client  # noqa: F401


def test_another_module_that_is_not_there_is_a_fault_of_ours():
    with pytest.raises(ModuleNotFoundError, match="no_such_module"), needs_client("example", "no_such_client"):
        import no_such_module  # noqa: F401


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("LOCALHOST", True),
        ("127.0.0.1", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("localhost.example.com", False),
        ("", False),
    ],
)
def test_only_this_machine_is_loopback(host, here):
    assert is_loopback(host) is here


@pytest.mark.parametrize(
    ("value", "seconds"), [("3", 3.0), ("-1", 0.0), ("soon", None), ("nan", None), ("", None), (None, None)]
)
def test_retry_after_in_seconds_is_read(value, seconds):
    assert retry_after_s(value) == seconds


def test_retry_after_as_a_date_is_read():
    seconds = retry_after_s(format_datetime(datetime.now(timezone.utc) + timedelta(seconds=30), usegmt=True))
    assert seconds is not None
    assert 25 < seconds <= 30


def refused_by(answer):
    """Return what OpenSSL says if this is what is answered to its first message."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        conn, _ = listener.accept()
        with conn:
            conn.recv(65536)
            conn.sendall(answer)

    server = threading.Thread(target=serve)
    server.start()
    try:
        with socket.create_connection(listener.getsockname(), timeout=10) as conn:
            ssl.create_default_context().wrap_socket(conn, server_hostname="127.0.0.1")
    except (ssl.SSLError, OSError) as exc:
        return str(exc)
    finally:
        server.join()
        listener.close()
    raise AssertionError("it spoke TLS")


@pytest.mark.parametrize("alert", [40, 46, 70], ids=["handshake_failure", "certificate_unknown", "protocol_version"])
def test_a_server_that_refuses_tls_will_refuse_it_again(alert):
    assert "is the port one for TLS" in str(tls_refusal(refused_by(bytes((21, 3, 3, 0, 2, 2, alert)))))


def test_a_port_without_tls_is_told_from_one_with_it():
    assert "is the port one for TLS" in str(tls_refusal(refused_by(b"HTTP/1.0 400 Bad Request\r\n\r\n")))


def test_a_connection_that_breaks_may_be_better_next_time():
    assert tls_refusal(refused_by(b"")) is None


@pytest.mark.parametrize("address", ["alerts.example.com/http_request", "example.com/unknown_protocol/alert"])
def test_words_of_the_address_are_not_taken_for_those_of_openssl(address):
    said = "Max retries exceeded (Caused by SSLError(SSLEOFError(8, 'EOF occurred in violation of protocol')))"
    assert tls_refusal(f"HTTPSConnectionPool(host='{address}', port=443): {said}") is None
