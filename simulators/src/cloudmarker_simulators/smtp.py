"""The SMTP stand-in: takes mail and keeps it."""

from __future__ import annotations

import asyncio
import logging
import secrets
import shutil
import ssl
import tempfile
import threading
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from fnmatch import fnmatchcase
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Literal
from weakref import WeakSet

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from cloudmarker_simulators._keys import loopback_tls, write_private

SSLMode = Literal["ssl", "starttls", "disable"]
_HOST = "localhost"
_BINDING = "127.0.0.1"
_STEPS = ("CONNECT", "AUTH", "MAIL", "RCPT", "DATA")


@dataclass
class SMTPFault:
    """A rule for misbehaving.

    Attributes:
        step: where: ``CONNECT``, ``AUTH``, ``MAIL``, ``RCPT`` or ``DATA``.
        address: for which sender (MAIL) or recipient (RCPT), as a pattern such as ``no*``.
        reply: what to answer, code and text.
        times: how often; None for always.
        drop: cut the connection in place of an answer.
        keep: with DATA, keep the message whatever is answered.
        delay_s: wait before the answer; with an empty reply nothing else is wrong.
        hits: how often it was used.
    """

    step: str
    address: str = "*"
    reply: str = ""
    times: int | None = None
    drop: bool = False
    keep: bool = False
    delay_s: float = 0.0
    hits: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        """Refuse a step that there is not."""
        if self.step not in _STEPS:
            raise ValueError(f"unknown step {self.step!r}; one of {', '.join(_STEPS)}")


@dataclass(frozen=True)
class Mail:
    """A message that came.

    Attributes:
        sender: who it is from, as the server was told.
        recipients: who it is for, as the server was told.
        content: what came, with the line ends of SMTP.
        user: who had logged in, empty for nobody.
    """

    sender: str
    recipients: tuple[str, ...]
    content: bytes = field(repr=False)
    user: str = ""

    @property
    def message(self) -> EmailMessage:
        """The message, parsed anew by each access."""
        parsed = message_from_bytes(self.content.replace(b"\r\n", b"\n"), policy=policy.default)
        assert isinstance(parsed, EmailMessage)  # noqa: S101  for the type checker: it is what the policy makes
        return parsed


class SMTPSimulator:
    """An SMTP server on loopback, running inside a ``with`` block or between :meth:`start` and :meth:`stop`.

    ``settings`` has what a client needs to know: ``host``, ``port``, ``ssl_mode``, with TLS ``ca_cert``, and with a
    login ``username`` and ``password``; the names are those of ``cloudmarker.util.send_email``.

    Attributes:
        cloud: ``smtp``.
        settings: see above; empty until started.
        faults: rules in force; change the list at any time.
        connections: how many there were.
        refused: always 0.
    """

    cloud = "smtp"
    refused = 0

    def __init__(
        self,
        *,
        ssl_mode: SSLMode = "disable",
        login: bool = False,
        max_bytes: int | None = None,
        keep: str | PathLike[str] | None = None,
        port: int = 0,
        faults: Sequence[SMTPFault] = (),
    ) -> None:
        """Prepare to serve.

        Args:
            ssl_mode: TLS from the first byte, by STARTTLS, or none.
            login: take mail only from who has logged in.
            max_bytes: size of the largest message; the server says so. None for any.
            keep: folder to write messages to, ``0001.eml`` and so on, made if it is not there.
            port: 0 for any free one.
            faults: rules for misbehaving.

        Raises:
            OSError: the folder cannot be made.
        """
        self.settings: dict[str, str] = {}
        self.faults = list(faults)
        self.connections = 0
        self._mails: list[Mail] = []
        self._ssl_mode = ssl_mode
        self._login = ("mailer", secrets.token_hex(12)) if login else None
        self._max_bytes = max_bytes
        self._folder = None if keep is None else Path(keep)
        if self._folder is not None:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._port = port
        self._directory: Path | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._server: asyncio.Server | None = None
        self._sessions: WeakSet[SMTP] = WeakSet()

    @property
    def mails(self) -> list[Mail]:
        """The messages so far, oldest first; a copy."""
        return list(self._mails)

    @property
    def environment(self) -> dict[str, str]:
        """:attr:`settings` as environment variables, for instance ``CLOUDMARKER_SMTP_PORT``."""
        return {f"CLOUDMARKER_SMTP_{name}".upper(): value for name, value in self.settings.items()}

    def start(self) -> None:
        """Listen, on loopback only.

        Raises:
            OSError: the port is in use.
        """
        logging.getLogger("mail.log").addHandler(logging.NullHandler())  # or what it logs goes to standard error
        self._directory = Path(tempfile.mkdtemp(prefix="cloudmarker-simulator-"))
        self._loop = asyncio.new_event_loop()
        try:
            context, authority = loopback_tls(self._directory) if self._ssl_mode != "disable" else (None, None)
            implicit = context if self._ssl_mode == "ssl" else None
            listening = self._loop.create_server(
                lambda: self._protocol(context), _BINDING, self._port, ssl=implicit, start_serving=True
            )
            self._server = self._loop.run_until_complete(listening)
        except BaseException:
            self.stop()
            raise
        self.settings = {
            "host": _HOST,
            "port": str(self._server.sockets[0].getsockname()[1]),
            "ssl_mode": self._ssl_mode,
            **({"ca_cert": str(authority)} if authority else {}),
            **(dict(zip(("username", "password"), self._login, strict=True)) if self._login else {}),
        }
        self._thread = threading.Thread(target=self._loop.run_forever, name="smtp simulator", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close the port and all connections and remove the keys. What came stays readable."""
        if self._loop is not None:
            if self._thread is not None:
                self._loop.call_soon_threadsafe(self._loop.stop)
                self._thread.join()
                self._thread = None
            if self._server is not None:
                self._server.close()
                self._server = None
            for session in list(self._sessions):
                if session.transport is not None:
                    session.transport.close()
            for task in asyncio.all_tasks(self._loop):
                task.cancel()
            self._loop.run_until_complete(asyncio.sleep(0))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()
            self._loop = None
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def __enter__(self) -> SMTPSimulator:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _protocol(self, context: ssl.SSLContext | None) -> asyncio.Protocol:
        """Return what speaks on a new connection."""
        self.connections += 1
        fault = self._fault("CONNECT", "")
        if fault is not None and (fault.reply or fault.drop):
            return _Closing(fault)
        options: dict[str, Any] = {}
        if self._ssl_mode == "starttls":
            options.update(tls_context=context, require_starttls=True)
        if self._login:
            # It does not know of TLS that was there from the first byte, and would offer no login without this.
            options.update(
                authenticator=self._check_login, auth_required=True, auth_require_tls=self._ssl_mode == "starttls"
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a login without TLS is unsafe: here it is wanted
            session = SMTP(
                self, loop=self._loop, hostname=_HOST, data_size_limit=self._max_bytes, enable_SMTPUTF8=True, **options
            )
        self._sessions.add(session)
        return session

    def _fault(self, step: str, address: str) -> SMTPFault | None:
        for fault in list(self.faults):
            used_up = fault.times is not None and fault.hits >= fault.times
            if fault.step == step and not used_up and fnmatchcase(address, fault.address):
                fault.hits += 1
                return fault
        return None

    async def _answer(self, fault: SMTPFault | None, server: SMTP) -> str:
        """Return the answer that a fault gives, empty if all is well."""
        if fault is None:
            return ""
        if fault.delay_s:
            await asyncio.sleep(fault.delay_s)
        if fault.drop and server.transport is not None:
            server.transport.abort()  # type: ignore[attr-defined]  # a socket's transport has it
        return fault.reply or ("421 gone" if fault.drop else "")

    def _check_login(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: LoginPassword
    ) -> AuthResult:
        fault = self._fault("AUTH", "")
        if fault is not None:
            return AuthResult(success=False, handled=False, message=fault.reply or "454 4.7.0 try later")
        given = (data.login.decode("utf-8", "replace"), data.password.decode("utf-8", "replace"))
        return AuthResult(success=given == self._login, handled=False, auth_data=given[0])

    async def handle_MAIL(  # noqa: N802  the server's name for it
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take the sender, or not."""
        answer = await self._answer(self._fault("MAIL", address), server)
        if answer:
            return answer
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take a recipient, or not."""
        answer = await self._answer(self._fault("RCPT", address), server)
        if answer:
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take the message, or not."""
        fault = self._fault("DATA", envelope.mail_from or "")
        if fault is None or fault.keep or not (fault.reply or fault.drop):
            self._keep(session, envelope)
        return await self._answer(fault, server) or "250 OK"

    def _keep(self, session: Session, envelope: Envelope) -> None:
        content = envelope.content or b""
        mail = Mail(
            envelope.mail_from or "",
            tuple(address for address in envelope.rcpt_tos if address),
            content if isinstance(content, bytes) else content.encode(),
            str(session.auth_data or ""),
        )
        self._mails.append(mail)
        if self._folder is not None:
            number = len(self._mails)
            while (path := self._folder / f"{number:04d}.eml").exists():
                number += 1
            write_private(path, mail.content)


class _Closing(asyncio.Protocol):
    """A connection that is answered once, and closed."""

    def __init__(self, fault: SMTPFault) -> None:
        self._fault = fault

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  for the type checker
        if self._fault.reply:
            transport.write(f"{self._fault.reply}\r\n".encode())
        transport.close()


def fault_from_json(rule: Mapping[str, Any]) -> SMTPFault:
    """Return the rule that a JSON object stands for.

    Raises:
        TypeError: it has a field that there is not.
        ValueError: it names a step that there is not.
    """
    return SMTPFault(**rule)
