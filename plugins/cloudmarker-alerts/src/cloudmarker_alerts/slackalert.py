"""The Slack alert. Importing this module imports no SDK; sending the message does."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from cloudmarker.contracts import Batch, Incomplete, Record, StoreRun
from cloudmarker.errors import ConfigError, PluginError
from cloudmarker.parameters import not_positive, readable_file
from cloudmarker.servers import needs_client
from cloudmarker.text import pluralize

from cloudmarker_alerts._about import MAX_FINDINGS, About, parameter_problems
from cloudmarker_alerts._digest import Digest
from cloudmarker_alerts._gathering import Gathering
from cloudmarker_alerts._network import address_problem
from cloudmarker_alerts._slackmessage import blocks, fallback

if TYPE_CHECKING:
    from cloudmarker_alerts._slack import Recipient, Slack, Upload

_MIN_FILE_BYTES = 100_000


class SlackAlert:
    """Send one Slack message about all events of an audit, with the events as a file, to users and channels.

    The message has what the events come to and the worst findings; the file, a reply to it, has all events as JSON
    Lines. If there is no event there is no message.

    Args:
        bot_user_token: Token of the bot user, as `xoxb-…`.
        to: Recipients: users by email address or id, channels by name or id. The bot has to be in the channels.
        text: Title of the message.
        temp_file: Ignored. Earlier versions wrote the events to this file first; none is written now.
        base_url: Root of the Slack API. That of Slack for governments is `https://slack-gov.com/api/`.
        ca_cert: PEM file with the certificate authorities to trust instead of the usual ones.
        report_url: A link to a report, to put in the message. `{audit}` and `{version}` in it are replaced by the key
            of the audit and its version.
        findings: Number of findings in the message at most, up to 20.
        send_empty: Send a message even if there is no event.
        max_file_bytes: Size of the file at most; events that do not fit are left out, the worst ones are in. It is
            compressed if it takes more than a megabyte.
        timeout_s: Seconds that Slack may take for an answer.
        retry_deadline_s: Seconds for which sending is tried again while Slack cannot be reached, or asks to wait. After
            that the events stay in the spool, for `cloudmarker replay`.

    Raises:
        ConfigError: a parameter cannot be used; every such parameter is named.
    """

    def __init__(
        self,
        bot_user_token: str,
        to: list[str] | str,
        text: str = "Cloudmarker Alert",
        temp_file: str | None = None,
        *,
        base_url: str = "https://slack.com/api/",
        ca_cert: str | None = None,
        report_url: str | None = None,
        findings: int = 10,
        send_empty: bool = False,
        max_file_bytes: int = 20_000_000,
        timeout_s: float = 30.0,
        retry_deadline_s: float = 300.0,
    ) -> None:
        names = [to] if isinstance(to, str) else list(to)
        problems: list[str] = []
        if not re.fullmatch(r"[!-~]+", bot_user_token):
            problems.append("bot_user_token: it is empty, or has characters that no token has")
        if not names:
            problems.append("to: nobody is named")
        problems += [f"to: {name!r} is no user or channel" for name in names if not re.fullmatch(r"\S+", name)]
        if not text.strip():
            problems.append("text: it is empty")
        if problem := address_problem(base_url):
            problems.append(f"base_url: {problem}")
        problems += parameter_problems(report_url, findings)
        if max_file_bytes < _MIN_FILE_BYTES:
            problems.append(f"max_file_bytes: must be at least {_MIN_FILE_BYTES:,}")
        problems += not_positive(timeout_s=timeout_s, retry_deadline_s=retry_deadline_s)
        if problems:
            raise ConfigError(problems)
        self._token = bot_user_token
        self._names = list(dict.fromkeys(names))
        self._title = text
        self._base_url = base_url
        self._ca_cert = ca_cert
        self._report_url = report_url
        self._findings = findings
        self._send_empty = send_empty
        self._max_file_bytes = max_file_bytes
        self._timeout_s = timeout_s
        self._gathering = Gathering(
            Digest(per_group=MAX_FINDINGS, per_severity=MAX_FINDINGS), give_up_after_s=retry_deadline_s
        )
        self._recipients: list[Recipient] = []

    def begin(self, run: StoreRun) -> None:
        """Answer to *run*."""
        self._gathering.begin(run)

    def write(self, record: Record) -> None:
        """Add an event.

        Raises:
            RecordError: it is not JSON.
            PluginError: the temporary file cannot be written.
        """
        self._gathering.write(record)

    def write_batch(self, batch: Batch) -> None:
        """Add the events of a batch.

        Raises:
            PluginError: the temporary file cannot be written.
        """
        self._gathering.write_batch(batch)

    def done(self) -> None:
        """Send the message.

        Raises:
            PluginError: it was not sent, or not to everyone. Once one of the recipients has got all of it, the events
                count as delivered.
        """
        self._finish("")

    def abort(self, reason: Incomplete) -> None:
        """Send the message, which says that the events are not all.

        Raises:
            PluginError: as in :meth:`done`.
        """
        self._finish(str(reason))

    def outputs(self) -> Iterable[str]:
        """Return who got the message."""
        served = [recipient.name for recipient in self._recipients if recipient.served]
        return [f"Slack: {', '.join(served)}"] if served else []

    def _finish(self, incomplete: str) -> None:
        with self._gathering as gathering:
            if gathering.digest.total or self._send_empty:
                self._send(gathering, incomplete)

    def _send(self, gathering: Gathering, incomplete: str) -> None:
        slack, self._recipients = self._connect()
        about, upload = self._described(gathering, incomplete)
        text, message = fallback(about, gathering.digest), blocks(about, gathering.digest)

        def send() -> None:
            for recipient in self._recipients:
                recipient.serve(slack, text, message, upload)
            if not any(recipient.served for recipient in self._recipients):
                raise PluginError(f"Slack: nobody could be reached: {self._problems()}")

        gathering.deliver(send)
        if problems := self._problems():
            raise PluginError(f"Slack: not everyone could be reached; the others have the message: {problems}")

    def _problems(self) -> str:
        return "; ".join(
            f"{recipient.name}: {recipient.problem}" for recipient in self._recipients if recipient.problem
        )

    def _described(self, gathering: Gathering, incomplete: str) -> tuple[About, Upload]:
        """Return what the message says besides the events, and the file."""
        from cloudmarker_alerts._slack import Upload

        run, digest = gathering.run, gathering.digest
        extract = digest.jsonl(self._max_file_bytes)
        key = "" if run is None else run.audit_key
        name = f"{re.sub(r'[^A-Za-z0-9_.-]', '_', key)}-{extract.name}" if key else extract.name
        if extract.whole:
            title = f"{'All' if extract.total > 1 else 'The'} {extract.total:,} {pluralize(extract.total, 'event')}"
        else:
            title = f"The worst {extract.count:,} of {extract.total:,} events; the others do not fit"
        return (
            About.of(
                run,
                title=self._title,
                incomplete=incomplete,
                report_url=self._report_url,
                findings=self._findings,
                file=f"{title}: {name}" if extract.total else "",
            ),
            Upload(name, title, extract.data if extract.total else b""),
        )

    def _connect(self) -> tuple[Slack, list[Recipient]]:
        with needs_client("slack", "slack_sdk"):
            from cloudmarker_alerts._slack import Recipient, Slack
        ca_cert = readable_file(self._ca_cert, "ca_cert") if self._ca_cert else ""
        slack = Slack(self._token, self._base_url, ca_cert, self._timeout_s)
        return slack, [Recipient(name) for name in self._names]
