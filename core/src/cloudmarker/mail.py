"""Sending e-mail."""

from __future__ import annotations

import logging
import smtplib
import ssl
from collections.abc import Sequence
from datetime import datetime, timezone
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid, parseaddr

_log = logging.getLogger(__name__)

_PORTS = {"ssl": smtplib.SMTP_SSL_PORT, "starttls": smtplib.SMTP_PORT, "disable": smtplib.SMTP_PORT}


def send_email(
    from_addr: str,
    to_addrs: Sequence[str],
    subject: str,
    content: str,
    host: str = "",
    port: int = 0,
    ssl_mode: str = "ssl",
    username: str = "",
    password: str = "",
    debug: int | bool = 0,
    *,
    ca_cert: str = "",
    timeout_s: float = 60.0,
) -> dict[str, tuple[int, bytes]]:
    """Send a plain text message over SMTP.

    With ``ssl`` and ``starttls`` the server's certificate must be valid for *host*, and the message is never sent in
    the clear: where the server does not offer STARTTLS nothing is sent. Leave *ssl_mode* as it is if the server takes
    TLS connections, set it to ``starttls`` if the server takes that only, and to ``disable`` if it takes neither: then
    message, user name and password go over the network unprotected.

    Args:
        from_addr: the sender, ``user@example.com`` or ``Name <user@example.com>``.
        to_addrs: the recipients, each like *from_addr*.
        subject: one line.
        content: the text.
        host: the server's name or address; empty means ``localhost``.
        port: its port; 0 means the standard one, 465 for ``ssl`` and 25 for ``starttls`` and ``disable``.
        ssl_mode: ``ssl``: TLS from the first byte. ``starttls``: the connection is upgraded before anything is sent.
            ``disable``: no TLS.
        username: the user to log in as; empty means no login.
        password: that user's password.
        debug: 1 or True prints the SMTP dialogue on standard error, 2 with the time; never the login.
        ca_cert: path of a PEM file of further certificate authorities to trust, besides the system's.
        timeout_s: seconds to wait for each answer of the server.

    Returns:
        The recipients that the server refused while it took others, each with the reply code and text; also logged.

    Raises:
        ValueError: *ssl_mode* is none of the three, there is no recipient, or an address or *subject* holds a line
            break.
        smtplib.SMTPException: the server refused the login, the sender, every recipient or the message, does not offer
            what is needed, or stopped answering in the middle.
        OSError: there is no connection; this includes :class:`ssl.SSLError` and :class:`TimeoutError`.
    """
    if ssl_mode not in _PORTS:
        raise ValueError(f"unknown ssl_mode {ssl_mode!r}; one of {', '.join(_PORTS)}")
    message = _message(from_addr, [to_addrs] if isinstance(to_addrs, str) else to_addrs, subject, content)
    host, port = host or "localhost", port or _PORTS[ssl_mode]
    with _connect(host, port, ssl_mode, ca_cert, timeout_s) as server:
        if username:
            server.login(username, password)
        server.set_debuglevel(debug)  # only now: the dialogue of a login holds the password
        refused = server.send_message(message)
    for address, (code, reply) in refused.items():
        _log.warning("%s refused the recipient %s: %d %s", host, address, code, reply.decode("utf-8", "replace"))
    return refused


def _message(from_addr: str, to_addrs: Sequence[str], subject: str, content: str) -> EmailMessage:
    """Return the message; :class:`EmailMessage` refuses line breaks in headers."""
    if not to_addrs:
        raise ValueError("to_addrs is empty: there is nobody to send to")
    message = EmailMessage()
    message["From"] = from_addr
    message["To"] = ", ".join(to_addrs)
    message["Subject"] = subject
    message["Date"] = format_datetime(datetime.now(timezone.utc))
    # Without a domain make_msgid asks the resolver for this machine's name, which can take seconds and tells it to all.
    message["Message-ID"] = make_msgid(domain=parseaddr(from_addr)[1].rpartition("@")[2] or "localhost")
    message.set_content(content)
    return message


def _connect(host: str, port: int, ssl_mode: str, ca_cert: str, timeout_s: float) -> smtplib.SMTP:
    """Return a connection, upgraded to TLS as *ssl_mode* says."""  # host goes to the constructor: TLS checks that one
    if ssl_mode == "disable":
        return smtplib.SMTP(host, port, timeout=timeout_s)
    context = ssl.create_default_context()
    if ca_cert:
        context.load_verify_locations(cafile=ca_cert)
    if ssl_mode == "ssl":
        return smtplib.SMTP_SSL(host, port, timeout=timeout_s, context=context)
    server = smtplib.SMTP(host, port, timeout=timeout_s)
    try:
        server.starttls(context=context)
    except BaseException:
        server.close()
        raise
    return server
