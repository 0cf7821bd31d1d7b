"""The webhook alert. Importing this module imports no HTTP client; the first post does."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Literal, get_args
from urllib.parse import urlsplit

from cloudmarker.contracts import Batch, Incomplete, Record, StoreRun
from cloudmarker.delivery import Delivery, Item
from cloudmarker.errors import ConfigError, PluginError, RecordError
from cloudmarker.parameters import not_positive, readable_file
from cloudmarker.servers import needs_client

from cloudmarker_alerts import _webhookbodies
from cloudmarker_alerts._about import MAX_FINDINGS, About, parameter_problems
from cloudmarker_alerts._digest import Digest
from cloudmarker_alerts._gathering import Gathering
from cloudmarker_alerts._network import address_problem

if TYPE_CHECKING:
    from cloudmarker_alerts._webhook import Webhook

Format = Literal["json", "teams", "pagerduty"]

_BATCH_BYTES = 256 * 1024
_SHORTEST_SECRET = 16
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OWN_HEADERS = frozenset({"content-length", "content-type", "host", "transfer-encoding"})


class WebhookAlert:
    """Post the events of an audit as JSON to a URL.

    In the format `json` the events come in batches, as they are. In `pagerduty` each finding opens an alert of
    PagerDuty, and one that is fixed resolves it. In `teams` there is one message for all, as a card.

    A request has the headers `webhook-id`, the same whenever the same is sent again, and `webhook-timestamp`.
    Redirections are not followed.

    Args:
        webhook_url: Where to post to: https, or http to this machine.
        format: What to post: `json`, `teams` or `pagerduty`.
        signing_secret: Sign each request with this secret, of at least 16 characters, in the header
            `webhook-signature`. One that begins with `whsec_` has the key in base64.
        headers: Further headers, for instance for authorization.
        routing_key: The integration key of PagerDuty.
        title: Title of the Teams message.
        report_url: A link to a report, for the Teams message. `{audit}` and `{version}` in it are replaced by the key
            of the audit and its version.
        findings: Number of findings in the Teams message at most, up to 20.
        batch_records: Number of events in a batch at most.
        ca_cert: PEM file with the certificate authorities to trust instead of the usual ones.
        timeout_s: Seconds that an answer may take.
        retry_deadline_s: Seconds for which events are sent again while none is taken. After that they stay in the
            spool, for `cloudmarker replay`.

    Raises:
        ConfigError: a parameter cannot be used; every such parameter is named.
    """

    def __init__(
        self,
        webhook_url: str,
        format: Format = "json",
        *,
        signing_secret: str | None = None,
        headers: dict[str, str] | None = None,
        routing_key: str | None = None,
        title: str = "Cloudmarker Alert",
        report_url: str | None = None,
        findings: int = 10,
        batch_records: int = 100,
        ca_cert: str | None = None,
        timeout_s: float = 30.0,
        retry_deadline_s: float = 300.0,
    ) -> None:
        problems: list[str] = []
        if problem := address_problem(webhook_url):
            problems.append(f"webhook_url: {problem}")
        if format not in get_args(Format):
            problems.append(f"format: must be one of {', '.join(get_args(Format))}, not {format}")
        if signing_secret is not None and (problem := _secret_problem(signing_secret)):
            problems.append(f"signing_secret: {problem}")
        problems += _header_problems(headers or {})
        if (format == "pagerduty") != bool(routing_key):
            problems.append("routing_key: the integration key of PagerDuty is needed for the format pagerduty only")
        problems += parameter_problems(report_url, findings)
        problems += not_positive(batch_records=batch_records, timeout_s=timeout_s, retry_deadline_s=retry_deadline_s)
        if problems:
            raise ConfigError(problems)
        self._url = webhook_url
        self._secret = signing_secret
        self._headers = dict(headers or {})
        self._routing_key = routing_key or ""
        self._title = title
        self._report_url = report_url
        self._findings = findings
        self._ca_cert = ca_cert
        self._timeout_s = timeout_s
        self._gathering: Gathering | None = None
        if format == "teams":
            self._gathering = Gathering(
                Digest(per_group=MAX_FINDINGS, per_severity=MAX_FINDINGS), give_up_after_s=retry_deadline_s
            )
        self._delivery = Delivery(
            self._send_pages if format == "pagerduty" else self._send_batch,
            batch_bytes=_BATCH_BYTES,
            batch_records=1 if format == "pagerduty" else batch_records,
            item_extra_bytes=1,
            give_up_after_s=retry_deadline_s,
        )
        self._run: StoreRun | None = None
        self._webhook: Webhook | None = None
        self._sent = False

    def begin(self, run: StoreRun) -> None:
        """Answer to *run*."""
        self._run = run
        (self._gathering or self._delivery).begin(run)

    def write(self, record: Record) -> None:
        """Add an event, and post what is there if it makes a batch.

        Raises:
            RecordError: it is not JSON.
            PluginError: nothing is taken.
        """
        (self._gathering or self._delivery).write(record)

    def write_batch(self, batch: Batch) -> None:
        """Add the events of a batch, likewise.

        Raises:
            PluginError: nothing is taken.
        """
        (self._gathering or self._delivery).write_batch(batch)

    def done(self) -> None:
        """Post what is left.

        Raises:
            PluginError: not everything could be delivered.
        """
        self._finish("")

    def abort(self, reason: Incomplete) -> None:
        """Post what is left; a Teams message says that the events are not all.

        Raises:
            PluginError: not everything could be delivered.
        """
        self._finish(str(reason))

    def outputs(self) -> Iterable[str]:
        """Return the host that the events went to; the address itself is a secret."""
        parts = urlsplit(self._url)
        return [f"{parts.scheme}://{parts.hostname}"] if self._sent else []

    def _finish(self, incomplete: str) -> None:
        try:
            if self._gathering is None:
                self._delivery.finish()
                return
            with self._gathering as gathering:
                if gathering.digest.total:
                    body = self._card(gathering.digest, incomplete)
                    gathering.deliver(lambda: self._post(body, [body.decode()]))
        finally:
            if self._webhook is not None:
                self._webhook.close()
                self._webhook = None

    def _send_batch(self, items: Sequence[Item]) -> Callable[[], None]:
        key, version = ("", "") if self._run is None else (self._run.audit_key, self._run.audit_version)
        body = _webhookbodies.batch(key, version, [item.line for item in items])
        return partial(self._post, body, [item.record_id for item in items])

    def _send_pages(self, items: Sequence[Item]) -> Callable[[], None]:
        return partial(self._post_pages, items)

    def _post_pages(self, items: Sequence[Item]) -> None:
        for item in items:  # one
            try:
                self._post(_webhookbodies.pagerduty(item.com, self._routing_key), [item.record_id])
            except RecordError as exc:
                if "routing_key" in str(exc):  # it is about all of them
                    raise PluginError(str(exc)) from exc
                raise

    def _card(self, digest: Digest, incomplete: str) -> bytes:
        about = About.of(
            self._run,
            title=self._title,
            incomplete=incomplete,
            report_url=self._report_url,
            findings=self._findings,
        )
        return _webhookbodies.card(about, digest)

    def _post(self, body: bytes, of: Sequence[str]) -> None:
        """Post *body*, whose id is made of what it is about."""
        if self._webhook is None:
            self._webhook = self._connect()
        digest = hashlib.sha256("\n".join(of).encode("utf-8", "surrogatepass"))
        self._webhook.post(body, f"msg_{digest.hexdigest()[:32]}")
        self._sent = True

    def _connect(self) -> Webhook:
        with needs_client("webhook", "requests"):
            from cloudmarker_alerts._webhook import Webhook, key_of
        return Webhook(
            self._url,
            self._headers,
            key_of(self._secret) if self._secret else None,
            verify=readable_file(self._ca_cert, "ca_cert") if self._ca_cert else True,
            timeout_s=self._timeout_s,
            secrets=[self._secret or "", self._routing_key],
        )


def _secret_problem(secret: str) -> str | None:
    if len(secret.removeprefix("whsec_")) < _SHORTEST_SECRET:
        return f"it must have at least {_SHORTEST_SECRET} characters"
    if secret.startswith("whsec_") and not re.fullmatch(
        r"whsec_(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}(?:==|[A-Za-z0-9+/]=))?", secret
    ):
        return "what follows whsec_ must be base64"
    return None


def _header_problems(headers: dict[str, str]) -> list[str]:
    problems = []
    for name, value in headers.items():
        if not _HEADER.fullmatch(name) or name.lower() in _OWN_HEADERS or name.lower().startswith("webhook-"):
            problems.append(f"headers: {name!r} is not a header that can be set")
        elif not value.isascii() or not value.isprintable() or value != value.strip():
            problems.append(f"headers: {name}: the value has characters that no header may have")
    return problems
