"""Sending e-mail: :func:`send_email`, which is documented, and the steps it is made of."""

from __future__ import annotations

import logging
import smtplib
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime, getaddresses, make_msgid, parseaddr

from cloudmarker.errors import CloudmarkerError, PluginError, TransientError
from cloudmarker.text import visible, visible_line

_log = logging.getLogger(__name__)

_PORTS = {"ssl": smtplib.SMTP_SSL_PORT, "starttls": smtplib.SMTP_PORT, "disable": smtplib.SMTP_PORT}

SSL_MODES = tuple(_PORTS)
Refused = Mapping[str, tuple[int, bytes]]
"""The recipients that a server refused, each with the reply code and text."""


@dataclass(frozen=True)
class Server:
    """An SMTP server and how to log in; the fields are the arguments of :func:`send_email`."""

    host: str = ""
    port: int = 0
    ssl_mode: str = "ssl"
    username: str = ""
    password: str = field(default="", repr=False)
    debug: int | bool = 0
    ca_cert: str = ""
    timeout_s: float = 60.0

    def __str__(self) -> str:
        """Return host and port, for messages."""
        return f"{self.host or 'localhost'}:{self.port or _PORTS.get(self.ssl_mode, 0)}"


@dataclass(frozen=True)
class Attachment:
    """A file that goes with a message.

    Attributes:
        name: the name it is offered under.
        data: its content.
        content_type: e.g. ``text/csv``.
    """

    name: str
    data: bytes = field(repr=False)
    content_type: str = "application/octet-stream"


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
) -> Refused:
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
    server = Server(host, port, ssl_mode, username, password, debug, ca_cert, timeout_s)
    if ssl_mode not in _PORTS:
        raise ValueError(f"unknown ssl_mode {ssl_mode!r}; one of {', '.join(_PORTS)}")
    message = compose(from_addr, to_addrs, subject, content)
    with connected(server) as smtp:
        refused = smtp.send_message(message)
    for line in refusals(refused):
        _log.warning("%s: %s", server, line)
    return refused


def compose(
    from_addr: str,
    to_addrs: Sequence[str],
    subject: str,
    content: str,
    html: str = "",
    attachments: Sequence[Attachment] = (),
    headers: Mapping[str, str] | None = None,
) -> EmailMessage:
    """Return a message, with a date and an id.

    Args:
        from_addr: the sender.
        to_addrs: the recipients.
        subject: one line.
        content: the text.
        html: the same as HTML, for those who prefer that; empty for none.
        attachments: files to go with it.
        headers: further headers, or other values for those that it has anyway.

    Raises:
        ValueError: there is no recipient, or a header holds a line break.
    """
    recipients = [to_addrs] if isinstance(to_addrs, str) else list(to_addrs)
    if not recipients:
        raise ValueError("to_addrs is empty: there is nobody to send to")
    message = EmailMessage(policy.SMTP)
    given = {
        "From": from_addr,
        "To": ", ".join(recipients),
        "Subject": subject,
        "Date": format_datetime(datetime.now(timezone.utc)),
        # Without a domain make_msgid asks the resolver for this machine's name, which can take seconds and tells it.
        "Message-ID": make_msgid(domain=domain_of(from_addr)),
        **(headers or {}),
    }
    for name, value in given.items():
        message[name] = value
    message.set_content(content)
    if html:
        message.add_alternative(html, subtype="html")
    for attachment in attachments:
        maintype, _, subtype = attachment.content_type.partition("/")
        message.add_attachment(attachment.data, maintype=maintype, subtype=subtype, filename=attachment.name)
    return message


def domain_of(address: str) -> str:
    """Return the domain of an address, ``localhost`` if it has none."""
    return parseaddr(address)[1].rpartition("@")[2] or "localhost"


def bare_addresses(addresses: Sequence[str]) -> list[str]:
    """Return the addresses without names, as the server is told them."""
    return [address for _, address in getaddresses([*addresses]) if address]


@contextmanager
def connected(server: Server) -> Iterator[smtplib.SMTP]:
    """Connect to a server, with TLS as told, and log in.

    Raises:
        smtplib.SMTPException: the server refused, or does not offer what is needed.
        OSError: there is no connection.
    """
    smtp = _connect(server.host or "localhost", server.port or _PORTS[server.ssl_mode], server)
    try:
        if server.username:
            smtp.login(server.username, server.password)
        smtp.set_debuglevel(server.debug)  # only now: the dialogue of a login holds the password
        yield smtp
        with suppress(OSError):  # the message is sent, whatever the server says to a goodbye
            smtp.quit()
    finally:
        smtp.close()


def size_limit(smtp: smtplib.SMTP) -> int | None:
    """Return how many bytes a message may have, as the server says; None if it does not say."""
    smtp.ehlo_or_helo_if_needed()
    said = smtp.esmtp_features.get("size", "")
    return int(said) or None if said.isdecimal() else None


def refusals(refused: Refused) -> list[str]:
    """Return a line for each recipient that was refused."""
    return [
        f"the recipient {visible(address)} was refused: {_reply(code, text)}"
        for address, (code, text) in refused.items()
    ]


@contextmanager
def classified(server: Server) -> Iterator[None]:
    """Turn what goes wrong within into what it means: another attempt may help, or not.

    Raises:
        TransientError: there is no connection, it broke, or the server said to come again (its codes from 400 to 499).
        PluginError: the server refused for good, its certificate is not trusted, or a parameter cannot be used.
    """
    try:
        yield
    except smtplib.SMTPException as exc:
        raise _refused(exc, server) from exc
    except OSError as exc:
        raise _not_connected(exc, server) from exc
    except ValueError as exc:  # a header that is none, or letters that the server has no way to take
        raise PluginError(f"the message cannot be made: {visible_line(str(exc))}") from exc


def _refused(exc: smtplib.SMTPException, server: Server) -> CloudmarkerError:
    if isinstance(exc, smtplib.SMTPRecipientsRefused):
        come_again = any(400 <= code < 500 for code, _ in exc.recipients.values())
        return _error(come_again, server, "; ".join(refusals(exc.recipients)))
    if isinstance(exc, smtplib.SMTPResponseException):
        what = "the login was refused" if isinstance(exc, smtplib.SMTPAuthenticationError) else "it answered"
        # A code that is no number of three digits is smtplib's own, for what is no answer.
        return _error(exc.smtp_code < 500, server, f"{what}: {_reply(exc.smtp_code, exc.smtp_error)}")
    if isinstance(exc, smtplib.SMTPServerDisconnected):
        return _error(True, server, f"the connection broke: {visible_line(str(exc))}")
    return _error(False, server, visible_line(str(exc)))


def _not_connected(exc: OSError, server: Server) -> CloudmarkerError:
    if isinstance(exc, ssl.SSLCertVerificationError):
        return _error(False, server, f"its certificate cannot be trusted: {exc.verify_message}")
    if isinstance(exc, ssl.SSLError) and not isinstance(exc, ssl.SSLEOFError):
        reason = (getattr(exc, "reason", None) or "TLS failed").replace("_", " ").lower()
        file = getattr(exc, "library", None) == "X509"
        hint = f"is {server.ca_cert} a file of certificates?" if file else "does this port want another ssl_mode?"
        return _error(False, server, f"{reason}; {hint}")
    if isinstance(exc, (FileNotFoundError, PermissionError)):
        return PluginError(f"{server.ca_cert or server}: {exc.strerror}")
    for_good = isinstance(exc, socket.gaierror) and exc.errno != socket.EAI_AGAIN
    return _error(not for_good, server, visible_line(exc.strerror or str(exc)))


def _error(come_again: bool, server: Server, text: str) -> CloudmarkerError:
    return (TransientError if come_again else PluginError)(f"{server}: {text}")


def _reply(code: int, text: bytes | str) -> str:
    return f"{code} {visible_line(text.decode('utf-8', 'replace') if isinstance(text, bytes) else text)}"


def _connect(host: str, port: int, server: Server) -> smtplib.SMTP:
    """Return a connection, upgraded to TLS as told."""  # host goes to the constructor: TLS checks that one
    if server.ssl_mode == "disable":
        return smtplib.SMTP(host, port, timeout=server.timeout_s)
    context = ssl.create_default_context()
    if server.ca_cert:
        context.load_verify_locations(cafile=server.ca_cert)
    if server.ssl_mode == "ssl":
        return smtplib.SMTP_SSL(host, port, timeout=server.timeout_s, context=context)
    smtp = smtplib.SMTP(host, port, timeout=server.timeout_s)
    try:
        smtp.starttls(context=context)
    except BaseException:
        smtp.close()
        raise
    return smtp
