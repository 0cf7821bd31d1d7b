"""The e-mail alert: one message per audit. Importing this module loads nothing that speaks SMTP."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from cloudmarker.contracts import Batch, Incomplete, Record, StoreRun
from cloudmarker.errors import ConfigError, PluginError, TransientError
from cloudmarker.parameters import not_positive
from cloudmarker.text import friendly_list

from cloudmarker_alerts._digest import Digest
from cloudmarker_alerts._gathering import Gathering

if TYPE_CHECKING:
    from email.message import EmailMessage
    from smtplib import SMTP

    from cloudmarker.mail import Refused, Server

_SMALLEST_MESSAGE_BYTES = 500_000
_TOO_LARGE = (552, 523)
"""What a server answers to a message that is larger than it takes: RFC 5321 and 3463; some say 523."""
_ENCODED = 1.38
"""What base64 makes of a byte, line ends included."""


class EmailAlert:
    """Send one e-mail about all events of an audit: a summary, the worst findings, and every event attached.

    The message has a plain text and an HTML part, and the events as JSON Lines and as a table for a spreadsheet. It is
    sent when the audit has ended; of an audit that is incomplete it says so. If it cannot be sent, the events stay in
    the spool, and `cloudmarker replay` sends it.

    Args:
        from_addr: Sender's email address, `user@example.com` or `Name <user@example.com>`.
        to_addrs: Recipients' email addresses.
        subject: Beginning of the subject line; what was found is appended.
        content: Ignored: the content is made from the events.
        host: SMTP host; empty means this one.
        port: SMTP port; 0 means the standard one for `ssl_mode`.
        ssl_mode: `ssl` for TLS from the first byte, `starttls` to upgrade the connection, `disable` for no TLS.
        username: SMTP username; empty means no login.
        password: SMTP password.
        debug: 1 or True prints the SMTP dialogue on standard error, 2 with the time; never the login.
        ca_cert: PEM file with certificate authorities to trust, besides the system's.
        timeout_s: Seconds to wait for each answer of the server.
        send_empty: Send a message also if there are no events.
        max_message_bytes: Size of the message at most; less if the server says that it takes less. What does not fit
            into the attachments is cut, and the message says so.
        retry_deadline_s: Seconds for which sending is tried again while the server cannot be reached or says to come
            again.

    Raises:
        ConfigError: a parameter cannot be used; every such parameter is named.
    """

    def __init__(
        self,
        from_addr: str,
        to_addrs: Sequence[str],
        subject: str,
        content: str = "",
        host: str = "",
        port: int = 0,
        ssl_mode: str = "ssl",
        username: str | None = "",
        password: str | None = "",
        debug: int | bool = 0,
        *,
        ca_cert: str = "",
        timeout_s: float = 60.0,
        send_empty: bool = False,
        max_message_bytes: int = 10_000_000,
        retry_deadline_s: float = 300.0,
    ) -> None:
        from cloudmarker.mail import Server, bare_addresses

        self._from_addr = from_addr
        self._to_addrs = [to_addrs] if isinstance(to_addrs, str) else list(to_addrs)
        self._subject = subject
        self._send_empty = send_empty
        self._max_message_bytes = max_message_bytes
        problems = [] if str(port).isdecimal() else [f"port: {port!r} is no number"]
        number = 0 if problems else int(port)  # what comes from ${...} is text
        self._server = Server(host, number, ssl_mode, username or "", password or "", debug, ca_cert, timeout_s)
        problems += self._problems(retry_deadline_s)
        if problems:
            raise ConfigError(problems)
        digest = Digest(per_group=10, per_severity=30, max_text=400)
        self._gathering = Gathering(digest, give_up_after_s=retry_deadline_s)
        self._waiting = list(dict.fromkeys(bare_addresses(self._to_addrs)))
        self._served: list[str] = []
        self._refused: dict[str, tuple[int, bytes]] = {}
        self._reason: Incomplete | None = None
        self._message: tuple[int, EmailMessage] | None = None

    def _problems(self, retry_deadline_s: float) -> list[str]:
        from cloudmarker.mail import SSL_MODES, bare_addresses, compose

        problems = []
        if self._server.ssl_mode not in SSL_MODES:
            problems.append(f"ssl_mode: {self._server.ssl_mode!r} is none of {friendly_list(SSL_MODES, 'or')}")
        for name, addresses in (("from_addr", [self._from_addr]), ("to_addrs", self._to_addrs)):
            wrong = [address for address in addresses if not bare_addresses([address])]
            problems += [f"{name}: {address!r} is no address, such as user@example.com" for address in wrong]
        if not problems:
            try:
                compose(self._from_addr, self._to_addrs, self._subject, "")
            except ValueError as exc:
                problems.append(str(exc))
        problems += not_positive(timeout_s=self._server.timeout_s, retry_deadline_s=retry_deadline_s)
        if self._max_message_bytes < _SMALLEST_MESSAGE_BYTES:
            problems.append(f"max_message_bytes: must be at least {_SMALLEST_MESSAGE_BYTES:,}")
        return problems

    def begin(self, run: StoreRun) -> None:
        """Answer to *run*."""
        self._gathering.begin(run)

    def write(self, record: Record) -> None:
        """Take an event.

        Raises:
            RecordError: it is not JSON.
            PluginError: it cannot be kept.
        """
        self._gathering.write(record)

    def write_batch(self, batch: Batch) -> None:
        """Take the events of a batch.

        Raises:
            PluginError: they cannot be kept.
        """
        self._gathering.write_batch(batch)

    def done(self) -> None:
        """Send the message, if there is anything to say.

        Raises:
            PluginError: the message could not be sent, or not to everyone.
        """
        with self._gathering as gathering:
            if not gathering.digest.total and not self._send_empty:
                return
            try:
                gathering.deliver(self._send)
            except PluginError as exc:
                if not self._served:
                    raise
                gathering.confirm()
                raise PluginError(f"some recipients did not get the mail: {exc}") from exc
        if self._refused:
            from cloudmarker.mail import refusals

            raise PluginError(f"{self._server}: {'; '.join(refusals(self._refused))}")

    def abort(self, reason: Incomplete) -> None:
        """Send the message, which says that and why the audit is incomplete.

        Raises:
            PluginError: the message could not be sent, or not to everyone.
        """
        self._reason = reason
        self.done()

    def outputs(self) -> Iterable[str]:
        """Return who has the message."""
        return [f"mail to {friendly_list(self._served)}"] if self._served else []

    def _send(self) -> None:
        """Send the message to those who do not have it yet.

        Raises:
            TransientError: it should be tried again.
            PluginError: nobody will get it.
        """
        import smtplib

        from cloudmarker.mail import classified, connected, size_limit

        server = self._in_time()
        with classified(server), connected(server) as smtp:
            limit = min(self._max_message_bytes, size_limit(smtp) or self._max_message_bytes)
            try:
                refused = self._offer(smtp, self._compose(limit))
            except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as exc:
                if exc.smtp_code not in _TOO_LARGE:
                    raise
                refused = self._offer(smtp, self._compose(0))
        self._note(refused)

    def _in_time(self) -> Server:
        """Return the server, to be waited for no longer than until the run has to have ended."""
        run = self._gathering.run
        if run is None or run.deadline is None:
            return self._server
        return replace(self._server, timeout_s=max(0.5, min(self._server.timeout_s, run.deadline - run.now())))

    def _offer(self, smtp: SMTP, message: EmailMessage) -> Refused:
        import smtplib

        try:
            return smtp.send_message(message, to_addrs=self._waiting)
        except smtplib.SMTPRecipientsRefused as exc:
            return exc.recipients

    def _note(self, refused: Refused) -> None:
        """Remember who has the message, and who will never get it."""
        from cloudmarker.mail import refusals

        self._served += [address for address in self._waiting if address not in refused]
        self._refused.update({address: why for address, why in refused.items() if why[0] >= 500})
        self._waiting = [address for address in refused if address not in self._refused]
        if self._waiting:
            raise TransientError(f"{self._server}: {'; '.join(refusals(refused))}")
        if not self._served:
            raise PluginError(f"{self._server}: {'; '.join(refusals(self._refused))}")

    def _compose(self, limit: int) -> EmailMessage:
        """Return the message, at most *limit* bytes of it; 0 for one without attachments and HTML."""
        if self._message is None or self._message[0] != limit:
            self._message = limit, self._composed(limit)
        return self._message[1]

    def _composed(self, limit: int) -> EmailMessage:
        from cloudmarker.mail import Attachment, compose

        from cloudmarker_alerts._letter import write_letter
        from cloudmarker_alerts._letterhtml import as_html
        from cloudmarker_alerts._lettertext import as_text

        digest, run = self._gathering.digest, self._gathering.run
        letter = write_letter(digest, run, self._reason, None)
        files = []
        html = ""
        if limit:
            room = limit - 2 * (len(as_text(letter).encode()) + len(as_html(letter).encode()))
            table = digest.csv(int(room / _ENCODED) // 2)
            files = [digest.jsonl(int(room / _ENCODED) - len(table.data)), table] if digest.total else []
            letter = write_letter(digest, run, self._reason, files)
            html = as_html(letter)
        types = {"jsonl": "application/jsonl", "csv": "text/csv", "gz": "application/gzip"}
        return compose(
            self._from_addr,
            self._to_addrs,
            f"{self._subject}: {letter.subject}",
            as_text(letter),
            html,
            [Attachment(file.name, file.data, types[file.name.rpartition(".")[2]]) for file in files if file.count],
            {
                "Message-ID": self._message_id(),
                "Auto-Submitted": "auto-generated",  # RFC 3834: nobody's absence is answered to us
                "X-Auto-Response-Suppress": "All",  # the same for Exchange
            },
        )

    def _message_id(self) -> str:
        """Return an id that is the same whenever the message is sent: some servers deliver no message twice."""
        from cloudmarker.mail import domain_of

        run, digest = self._gathering.run, self._gathering.digest
        about = f"{run.worker}\0{run.audit_version}\0{digest.total}" if run else str(id(self))
        return f"<{hashlib.sha256(about.encode()).hexdigest()[:32]}.cloudmarker@{domain_of(self._from_addr)}>"
