"""The mails that say when audits begin and end, as the section ``email`` of the configuration asks for.

They go out from a thread of their own: a mail server that is slow or away delays no audit. What cannot be sent is
logged, and told at the end; it changes neither the audits nor the exit code.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape
from typing import Any

from cloudmarker.contracts import Kind
from cloudmarker.coverage import HOLES
from cloudmarker.errors import ConfigError, PluginError, TransientError
from cloudmarker.mail import Server, classified, compose, connected, refusals
from cloudmarker.results import AuditInfo, AuditResult
from cloudmarker.summary import duration, render
from cloudmarker.text import friendly_list, pluralize, visible

CLOSE_S = 30.0
"""How long the end of a run waits for mails that are still to be sent."""
TIMEOUT_S = 20.0
"""How long the server may take for each of its answers."""

_TRIES = 3
_FIRST_WAIT_S = 0.5
_KINDS: Mapping[Kind, str] = {"cloud": "Clouds", "store": "Stores", "event": "Events", "alert": "Alerts"}

log = logging.getLogger("cloudmarker.notifications")


class Notifier:
    """Sends the mails of one run: two, and two more for each audit.

    Args:
        email: the section of the configuration; None or empty for no mail.

    Attributes:
        queued: mails that there were to send.
        sent: mails that were sent, to one recipient at least.
    """

    def __init__(self, email: Mapping[str, Any] | None) -> None:
        self.queued = 0
        self.sent = 0
        self._email = email or {}
        self._queue: queue.Queue[tuple[str, str] | None] = queue.Queue()
        self._deadline: float | None = None
        self._tries = _TRIES
        self._problems: Counter[str] = Counter()
        self._thread: threading.Thread | None = None

    def run_begins(self, audits: Sequence[AuditInfo]) -> None:
        """Say that audits begin."""
        names = [visible(audit.key) for audit in audits]
        lines = [
            f"{len(names)} {pluralize(len(names), 'audit')} {'begins' if len(names) == 1 else 'begin'}.",
            "",
            *(f"  {name}" for name in names),
            "",
            f"Version: {audits[0].version if audits else ''}",
        ]
        self._put(f"audits begin: {', '.join(names)}", lines)

    def audit_begins(self, audit: AuditInfo) -> None:
        """Say that an audit begins."""
        lines = [f"The audit {visible(audit.key)} begins.", "", f"Version: {audit.version}"]
        for kind, title in _KINDS.items():
            lines.append(f"{title + ':':<8} {friendly_list(map(visible, audit.plugins.get(kind, ())))}")
        self._put(f"audit {visible(audit.key)} begins", lines)

    def audit_ended(self, result: AuditResult) -> None:
        """Say what became of an audit."""
        self._put(f"audit {visible(result.audit.key)} ended: {result.status}", render([result]).splitlines())

    def run_ended(self, results: Sequence[AuditResult]) -> None:
        """Say what became of all audits."""
        statuses = Counter(result.status for result in results)
        lines = ["All audits have ended."]
        for result in results:
            lines += ["", *_in_short(result)]
        counted = ", ".join(f"{statuses[status]} {status}" for status in ("failed", "incomplete", "complete"))
        self._put(f"audits ended: {counted}", lines)

    def close(self, within_s: float = CLOSE_S) -> list[str]:
        """Wait until all mails are sent or the time is up; return what is to be told about those that were not.

        Args:
            within_s: how long to wait at most.
        """
        if self._thread is not None:
            self._deadline = time.monotonic() + within_s
            self._queue.put(None)
            self._thread.join(within_s)
            if self._thread.is_alive():
                self._failed("of the end", f"{self._server()}: it did not answer in time")
        missing = self.queued - self.sent
        problems = [problem for problem, _ in self._problems.most_common(3)] if missing else list(self._problems)
        told = f"{missing} of {self.queued} {pluralize(self.queued, 'mail')} could not be sent: " if missing else ""
        return [f"email: {told}{'; '.join(problems)}"] if problems else []

    def _put(self, subject: str, lines: Sequence[str]) -> None:
        if not self._email:
            return
        self.queued += 1
        self._queue.put((subject, "\n".join(lines) + "\n"))
        if self._thread is None:
            # A daemon: what it still waits for when the time is up does not keep the program from ending.
            self._thread = threading.Thread(target=self._work, name="cloudmarker mail", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while (mail := self._queue.get()) is not None:
            self._send(*mail)

    def _send(self, subject: str, text: str) -> None:
        for attempt in range(1, self._tries + 1):
            try:
                self._try(subject, text)
            except TransientError as exc:
                if attempt < self._tries:
                    time.sleep(_FIRST_WAIT_S * 4 ** (attempt - 1))
                    continue
                self._tries = 1  # for a server that is away, until it takes one
                self._failed(subject, str(exc))
            except (PluginError, ConfigError) as exc:
                self._failed(subject, str(exc))
            else:
                self._tries = _TRIES
            return

    def _try(self, subject: str, text: str) -> None:
        email, server = self._email, self._server()
        if self._deadline is not None:
            left_s = self._deadline - time.monotonic()
            server = replace(server, timeout_s=max(0.1, min(server.timeout_s, left_s)))
        with classified(server):
            message = compose(
                email["from_addr"],
                email["to_addrs"],
                f"{email['subject']}: {subject}",
                text,
                f'<pre style="font-family:Consolas,Menlo,monospace;font-size:13px">{escape(text)}</pre>\n',
                headers={"Auto-Submitted": "auto-generated"},
            )
            with connected(server) as smtp:
                refused = smtp.send_message(message)
        self.sent += 1
        for line in refusals(refused):
            self._note(f"{server}: {line}")

    def _server(self) -> Server:
        email = self._email
        port = str(email.get("port") or 0)
        if not port.isdecimal():  # what comes from ${...} is text
            raise ConfigError(f"email.port: {port!r} is no number")
        return Server(
            host=email.get("host") or "",
            port=int(port),
            ssl_mode=email.get("ssl_mode", "ssl"),
            username=email.get("username") or "",
            password=email.get("password") or "",
            debug=email.get("debug", 0),
            ca_cert=email.get("ca_cert") or "",
            timeout_s=TIMEOUT_S,
        )

    def _failed(self, subject: str, problem: str) -> None:
        log.error("the mail %r could not be sent: %s", subject, problem)
        self._problems[problem] += 1

    def _note(self, problem: str) -> None:
        if problem not in self._problems:
            log.warning("%s", problem)
        self._problems[problem] += 1


def _in_short(result: AuditResult) -> list[str]:
    """Return an audit's status, duration, counts and coverage."""
    read = sum(worker.records_out for worker in result.workers if worker.kind == "cloud")
    findings = ", ".join(f"{count:,} {severity}" for severity, count in result.severities.items() if count)
    suppressed = f"; {result.suppressed:,} suppressed" if result.suppressed else ""
    coverage = ", ".join(f"{count:,} {state}" for state, count in result.coverage.items())
    holes = sum(count for state, count in result.coverage.items() if state in HOLES)
    lines = [
        f"Audit {visible(result.audit.key)}: {result.status} in {duration(result.duration_s)}",
        f"  Records read: {read:,}",
        f"  Findings:     {sum(result.severities.values()):,}{f' ({findings})' if findings else ''}{suppressed}",
        f"  Coverage:     {coverage or 'none'}{f'; {holes:,} not seen' if holes else ''}",
    ]
    return [*lines, f"  Reason:       {visible(result.reason)}"] if result.reason else lines
