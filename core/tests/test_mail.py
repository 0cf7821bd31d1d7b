"""Sending e-mail, to a real SMTP server on loopback with a certificate made for the occasion."""

from __future__ import annotations

import asyncio
import base64
import logging
import re
import smtplib
import socket
import ssl
import threading
from contextlib import contextmanager
from email import message_from_bytes, policy

import pytest
import trustme
from aiosmtpd.smtp import SMTP, AuthResult
from cloudmarker.errors import PluginError, TransientError
from cloudmarker.mail import Attachment, Server, classified, compose, connected, send_email, size_limit

SENDER = "Cloudmarker <cloudmarker@example.com>"


class Mailbox:
    """What the server was given, in :attr:`envelopes`; it refuses recipients whose name starts with ``no``."""

    def __init__(self):
        self.envelopes = []
        self.authenticated = None

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        if address.startswith("no"):
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        self.authenticated = session.authenticated
        self.envelopes.append(envelope)
        return "250 OK"

    def message(self):
        (envelope,) = self.envelopes
        return message_from_bytes(envelope.content.replace(b"\r\n", b"\n"), policy=policy.default)


@contextmanager
def smtp_server(tls=None, mailbox=None, **options):
    """Serve SMTP on a free port of 127.0.0.1, over TLS if *tls* is an SSL context; yield port and mailbox."""
    mailbox, loop = mailbox or Mailbox(), asyncio.new_event_loop()
    server = loop.run_until_complete(
        loop.create_server(lambda: SMTP(mailbox, loop=loop, hostname="localhost", **options), "127.0.0.1", 0, ssl=tls)
    )
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1], mailbox
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_cert(authority, tmp_path_factory):
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture(scope="module")
def tls(authority):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    return context


def send(port, **changes):
    arguments = {
        "from_addr": SENDER,
        "to_addrs": ["user1@example.com", "User Two <user2@example.com>"],
        "subject": "Cloudmarker Alert",
        "content": "one\n.two\n",
        "port": port,
        "timeout_s": 10,
        **changes,
    }
    return send_email(**arguments)


# aiosmtpd takes a connection that is TLS from its first byte for one without TLS, and offers no login on it otherwise.
LOGIN_OVER_TLS = {"auth_require_tls": False}


def check_login(server, session, envelope, mechanism, data):
    return AuthResult(success=(data.login, data.password) == (b"user", b"secret-word"), handled=False)


def test_a_message_arrives_over_tls(tls, ca_cert):
    with smtp_server(tls) as (port, mailbox):
        assert send(port, ca_cert=ca_cert) == {}
    assert mailbox.envelopes[0].mail_from == "cloudmarker@example.com"
    assert mailbox.envelopes[0].rcpt_tos == ["user1@example.com", "user2@example.com"]
    message = mailbox.message()
    assert message["From"] == SENDER
    assert message["To"] == "user1@example.com, User Two <user2@example.com>"
    assert message["Subject"] == "Cloudmarker Alert"
    assert message["Date"].datetime is not None
    assert message["Message-ID"].endswith("@example.com>")
    assert message.get_content_type() == "text/plain"
    assert message.get_content() == "one\n.two\n"


def test_a_message_arrives_over_starttls(tls, ca_cert):
    with smtp_server(tls_context=tls, require_starttls=True) as (port, mailbox):
        send(port, ssl_mode="starttls", ca_cert=ca_cert)
    assert mailbox.message().get_content() == "one\n.two\n"


def test_a_message_arrives_in_the_clear_when_told_so():
    with smtp_server() as (port, mailbox):
        send(port, ssl_mode="disable")
    assert mailbox.message().get_content() == "one\n.two\n"


def test_letters_of_every_script_arrive():
    with smtp_server() as (port, mailbox):
        send(port, ssl_mode="disable", subject="Übung 火", content="Größe: 火 " + "x" * 2000)
    assert mailbox.message()["Subject"] == "Übung 火"
    assert mailbox.message().get_content().strip() == "Größe: 火 " + "x" * 2000


def test_a_bare_string_is_one_recipient():
    with smtp_server() as (port, mailbox):
        send(port, ssl_mode="disable", to_addrs="user1@example.com")
    assert mailbox.envelopes[0].rcpt_tos == ["user1@example.com"]


@pytest.mark.parametrize("ssl_mode", ["ssl", "starttls"])
def test_a_certificate_of_an_unknown_authority_ends_it_before_anything_is_sent(tls, ssl_mode):
    with (
        smtp_server(tls if ssl_mode == "ssl" else None, tls_context=tls) as (port, mailbox),
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        send(port, ssl_mode=ssl_mode)
    assert mailbox.envelopes == []


@pytest.mark.parametrize("ssl_mode", ["ssl", "starttls"])
def test_a_certificate_for_another_host_ends_it_before_anything_is_sent(tls, ca_cert, ssl_mode):
    with (
        smtp_server(tls if ssl_mode == "ssl" else None, tls_context=tls) as (port, mailbox),
        pytest.raises(ssl.SSLCertVerificationError, match=r"127\.0\.0\.1"),
    ):
        send(port, host="127.0.0.1", ssl_mode=ssl_mode, ca_cert=ca_cert)
    assert mailbox.envelopes == []


def test_a_server_without_starttls_is_not_sent_to_in_the_clear():
    with smtp_server() as (port, mailbox), pytest.raises(smtplib.SMTPNotSupportedError):
        send(port, ssl_mode="starttls", username="user", password="secret-word")
    assert mailbox.envelopes == []


@pytest.mark.parametrize("ssl_mode", ["ssl", "starttls"])
def test_a_user_name_logs_in(tls, ca_cert, ssl_mode):
    options = LOGIN_OVER_TLS if ssl_mode == "ssl" else {"tls_context": tls}
    with smtp_server(tls if ssl_mode == "ssl" else None, authenticator=check_login, **options) as (port, mailbox):
        send(port, ssl_mode=ssl_mode, ca_cert=ca_cert, username="user", password="secret-word")
    assert mailbox.authenticated


def test_a_wrong_password_ends_it(tls, ca_cert):
    with (
        smtp_server(tls, authenticator=check_login, **LOGIN_OVER_TLS) as (port, mailbox),
        pytest.raises(smtplib.SMTPAuthenticationError) as caught,
    ):
        send(port, ca_cert=ca_cert, username="user", password="other-word")
    assert mailbox.envelopes == []
    assert "other-word" not in str(caught.value)


@pytest.mark.parametrize("debug", [1, 2, True])
def test_debugging_shows_the_dialogue_but_no_login(tls, ca_cert, capfd, debug):
    with smtp_server(tls, authenticator=check_login, **LOGIN_OVER_TLS) as (port, _):
        send(port, ca_cert=ca_cert, username="user", password="secret-word", debug=debug)
    shown = "".join(capfd.readouterr())
    assert "user1@example.com" in shown
    assert "AUTH" not in shown
    for secret in (b"secret-word", b"\0user\0secret-word"):
        assert base64.b64encode(secret).decode() not in shown
        assert secret.decode() not in shown


def test_nothing_is_shown_without_debugging(capfd):
    with smtp_server() as (port, _):
        send(port, ssl_mode="disable")
    assert "".join(capfd.readouterr()) == ""


def test_recipients_that_the_server_refuses_are_returned_and_logged(caplog):
    with smtp_server() as (port, mailbox), caplog.at_level(logging.WARNING, logger="cloudmarker"):
        refused = send(port, ssl_mode="disable", to_addrs=["user1@example.com", "nobody@example.com"])
    assert refused == {"nobody@example.com": (550, b"no such user")}
    assert mailbox.envelopes[0].rcpt_tos == ["user1@example.com"]
    assert "the recipient nobody@example.com was refused: 550 no such user" in caplog.text


def test_a_message_that_nobody_gets_is_an_error():
    with smtp_server() as (port, mailbox), pytest.raises(smtplib.SMTPRecipientsRefused):
        send(port, ssl_mode="disable", to_addrs=["nobody@example.com"])
    assert mailbox.envelopes == []


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": "x\r\nBcc: other@example.com"},
        {"subject": "x\nBcc: other@example.com"},
        {"from_addr": "a@example.com\nBcc: other@example.com"},
        {"to_addrs": ["a@example.com\r\nBcc: other@example.com"]},
        {"to_addrs": []},
        {"ssl_mode": "tls"},
        {"ssl_mode": ""},
    ],
)
def test_what_makes_no_message_is_refused_before_connecting(changes):
    with pytest.raises(ValueError, match=r"linefeed|to_addrs|ssl_mode"):
        send(1, **changes)


@pytest.mark.parametrize(("ssl_mode", "port"), [("ssl", 465), ("starttls", 25), ("disable", 25)])
def test_host_and_port_have_the_documented_defaults(monkeypatch, ssl_mode, port):
    asked = []

    def refuse(address, *args, **options):
        asked.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", refuse)
    with pytest.raises(ConnectionRefusedError):
        send(0, ssl_mode=ssl_mode)
    assert asked == [("localhost", port)]


@pytest.mark.parametrize("ssl_mode", ["ssl", "starttls", "disable"])
def test_a_server_that_says_nothing_is_not_waited_for_forever(ssl_mode):
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(OSError, match="timed out"):
        send(silent.getsockname()[1], ssl_mode=ssl_mode, timeout_s=0.1)


def test_a_message_may_have_html_and_attachments_and_headers_of_its_own():
    message = compose(
        SENDER,
        ["user1@example.com"],
        "Alert",
        "plain\n",
        "<p>rich</p>\n",
        [Attachment("table.csv", b"a,b\r\n", "text/csv"), Attachment("blob", b"\0\1")],
        {"Message-ID": "<one@example.com>", "Auto-Submitted": "auto-generated"},
    )
    parsed = message_from_bytes(message.as_bytes().replace(b"\r\n", b"\n"), policy=policy.default)
    assert parsed["Message-ID"] == "<one@example.com>"
    assert parsed["Auto-Submitted"] == "auto-generated"
    assert parsed.get_body(("plain",)).get_content() == "plain\n"
    assert parsed.get_body(("html",)).get_content() == "<p>rich</p>\n"
    files = {part.get_filename(): part for part in parsed.iter_attachments()}
    assert files["table.csv"].get_content_type() == "text/csv"
    assert [part.get_payload(decode=True) for part in files.values()] == [b"a,b\r\n", b"\0\1"]


def test_the_password_is_not_in_what_a_server_looks_like():
    assert "secret-word" not in repr(Server(username="user", password="secret-word"))


@pytest.mark.parametrize(("limit", "said"), [(12_345, 12_345), (None, None), (0, None)])
def test_the_size_limit_is_the_one_that_the_server_announces(limit, said):
    with smtp_server(data_size_limit=limit) as (port, _), connected(Server(port=port, ssl_mode="disable")) as smtp:
        assert size_limit(smtp) == said


SERVER = Server("smtp.example.com", 25, "disable")


@pytest.mark.parametrize(
    ("failure", "meaning", "message"),
    [
        (ConnectionRefusedError(111, "Connection refused"), TransientError, "Connection refused"),
        (TimeoutError("timed out"), TransientError, "timed out"),
        (socket.gaierror(socket.EAI_AGAIN, "try again"), TransientError, "try again"),
        (socket.gaierror(socket.EAI_NONAME, "not known"), PluginError, "not known"),
        (smtplib.SMTPServerDisconnected("gone"), TransientError, "the connection broke: gone"),
        (smtplib.SMTPConnectError(421, b"busy"), TransientError, "421 busy"),
        (smtplib.SMTPDataError(451, b"later\nor never"), TransientError, "451 later or never"),
        (smtplib.SMTPDataError(554, b"no"), PluginError, "554 no"),
        (smtplib.SMTPDataError(-1, b""), TransientError, "it answered"),
        (smtplib.SMTPSenderRefused(550, b"no \x1b[2J", "a@b"), PluginError, r"550 no \x1b[2J"),
        (smtplib.SMTPAuthenticationError(535, b"no"), PluginError, "the login was refused: 535 no"),
        (smtplib.SMTPAuthenticationError(454, b"later"), TransientError, "the login was refused: 454 later"),
        (smtplib.SMTPRecipientsRefused({"a@b": (550, b"no")}), PluginError, "a@b was refused: 550 no"),
        (smtplib.SMTPRecipientsRefused({"a@b": (550, b""), "c@d": (450, b"")}), TransientError, "c@d was refused"),
        (smtplib.SMTPNotSupportedError("no STARTTLS"), PluginError, "no STARTTLS"),
        (ssl.SSLEOFError(8, "EOF"), TransientError, "EOF"),
        (ssl.SSLError(1, "WRONG_VERSION"), PluginError, "another ssl_mode"),
        (ValueError("a header with a line break"), PluginError, "a header with a line break"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_each_failure_means_that_another_attempt_may_help_or_that_none_will(failure, meaning, message):
    with pytest.raises(meaning, match=re.escape(message)), classified(SERVER):
        raise failure


def test_a_certificate_file_that_cannot_be_used_is_named(tmp_path):
    (tmp_path / "empty.pem").write_text("nothing")
    for name, message in (("none.pem", "No such file"), ("empty.pem", "a file of certificates")):
        server = Server("127.0.0.1", 1, ca_cert=str(tmp_path / name))
        with pytest.raises(PluginError, match=message), classified(server), connected(server):
            pass


def test_the_other_kind_of_tls_is_suggested(tls, ca_cert):
    with smtp_server() as (port, _):
        server = Server("localhost", port, "ssl", ca_cert=ca_cert)
        with (
            pytest.raises(PluginError, match="does this port want another ssl_mode"),
            classified(server),
            connected(server),
        ):
            pass


def test_what_a_server_says_to_a_goodbye_does_not_matter():
    class Rude(Mailbox):
        async def handle_QUIT(self, server, session, envelope):  # noqa: N802
            return "550 stay"

    with smtp_server(mailbox=Rude()) as (port, mailbox):
        assert send(port, ssl_mode="disable") == {}
    assert len(mailbox.envelopes) == 1
