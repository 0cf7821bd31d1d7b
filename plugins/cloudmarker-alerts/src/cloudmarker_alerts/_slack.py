"""Slack's Web API as an alert needs it: who is meant, what is sent, what answers mean. Importing it imports the SDK.

What the SDK says of errors is mapped here. Texts with a token in them there are none: the SDK's own messages, which
repeat requests, are not passed on.
"""

from __future__ import annotations

import http.client
import logging
import re
import ssl
import urllib.error
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from cloudmarker.errors import PluginError, RecordError, TransientError
from cloudmarker.servers import retry_after_s, tls_refusal
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

T = TypeVar("T")

_PASSING = frozenset(
    {"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"}
)
_CREDENTIALS = frozenset(
    {
        "access_denied",
        "account_inactive",
        "invalid_auth",
        "not_allowed_token_type",
        "not_authed",
        "org_login_required",
        "team_access_not_granted",
        "token_expired",
        "token_revoked",
    }
)
_HINTS = {
    "channel_not_found": "there is no such channel, or it is private and the bot is not in it",
    "file_uploads_disabled": "the workspace takes no files",
    "is_archived": "the channel is archived",
    "not_in_channel": "the bot is not in the channel; invite it",
    "user_not_found": "there is no such user",
    "users_not_found": "there is no user with this address",
}
_ERROR = re.compile(r"[a-z0-9_]+")
_USER = re.compile(r"[UW][A-Z0-9]{7,}")
_CONVERSATION = re.compile(r"[CDG][A-Z0-9]{7,}")


class RefusedError(RecordError):
    """Slack does not do this, now or later, for one recipient; for others it may."""


class Recipient:
    """Someone who gets the message, and how far that has come.

    Attributes:
        name: as in the configuration.
        problem: why it is not to be had, empty if it is.
        served: whether message and file have been sent.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.problem = ""
        self.served = False
        self._channel = ""
        self._ts = ""

    def serve(self, slack: Slack, text: str, blocks: Sequence[dict[str, Any]], file: Upload) -> None:
        """Send the message and the file, as far as they have not been sent; note it if Slack refuses.

        Raises:
            TransientError: another attempt may succeed; it does not repeat what has been sent.
            PluginError: nothing can be sent to anybody.
        """
        if self.served or self.problem:
            return
        try:
            if not self._channel:
                self._channel = slack.conversation(self.name)
            if not self._ts:
                self._channel, self._ts = slack.post(self._channel, text, blocks)
            if file.data:
                slack.upload(self._channel, self._ts, file)
        except RefusedError as exc:
            self.problem = str(exc)
        else:
            self.served = True


class Upload:
    """A file to send: its name, title and content."""

    def __init__(self, name: str, title: str, data: bytes) -> None:
        self.name = name
        self.title = title
        self.data = data


class Slack:
    """A workspace, as a bot with a token sees it.

    Args:
        token: the bot's.
        base_url: root of the Web API.
        ca_cert: PEM file with the authorities to trust, empty for the usual ones.
        timeout_s: seconds for one answer.

    Raises:
        PluginError: the file cannot be used.
    """

    def __init__(self, token: str, base_url: str, ca_cert: str, timeout_s: float) -> None:
        try:
            context = ssl.create_default_context(cafile=ca_cert or None)
        except (OSError, ssl.SSLError) as exc:
            raise PluginError(f"ca_cert: {ca_cert}: {getattr(exc, 'strerror', None) or exc}") from exc
        # Requests in the SDK's log would repeat what is found, and the addresses that files are uploaded to; its errors
        # are raised besides, and may pass.
        logger = logging.getLogger("cloudmarker.alerts.slackalert.client")
        logger.setLevel(logging.CRITICAL)
        self._client = WebClient(
            token=token,
            base_url=base_url,
            ssl=context,
            timeout=timeout_s,  # type: ignore[arg-type]  # a socket's timeout, which may have fractions
            logger=logger,
            retry_handlers=[],  # what is tried again, and when, is for core's delivery
        )
        self._client.proxy = None  # the SDK's own reading of the environment has no NO_PROXY; urllib's, used then, has

    def conversation(self, name: str) -> str:
        """Return what a message to a user, by address or id, or to a channel, by name or id, is to be posted to.

        Raises:
            CloudmarkerError: as for every method: TransientError, PluginError, or RefusedError.
        """
        if _CONVERSATION.fullmatch(name):
            return name
        user = name
        if "@" in name:
            user = _called("users.lookupByEmail", lambda: self._client.users_lookupByEmail(email=name))["user"]["id"]
        elif not _USER.fullmatch(name):
            return f"#{name.removeprefix('#')}"
        found = _called("conversations.open", lambda: self._client.conversations_open(users=user))
        return str(found["channel"]["id"])

    def post(self, channel: str, text: str, blocks: Sequence[dict[str, Any]]) -> tuple[str, str]:
        """Post a message; return the id of the channel it is in, and its time, which is its id there."""
        sent = _called(
            "chat.postMessage",
            lambda: self._client.chat_postMessage(
                channel=channel, text=text, blocks=blocks, unfurl_links=False, unfurl_media=False
            ),
        )
        return str(sent["channel"]), str(sent["ts"])

    def upload(self, channel: str, ts: str, file: Upload) -> None:
        """Share a file as a reply to a message."""
        _called(
            "files_upload_v2",
            lambda: self._client.files_upload_v2(
                channel=channel, thread_ts=ts, filename=file.name, title=file.title, content=file.data
            ),
        )


def _called(what: str, call: Callable[[], T]) -> T:
    """Return what a call to the SDK returns; *what* names it in messages.

    Raises:
        TransientError: it may succeed later; perhaps Slack has done it nevertheless.
        RefusedError: Slack does not do this.
        PluginError: there is no point in any other call.
    """
    try:
        return call()
    except SlackApiError as exc:
        raise _judged(what, exc) from exc
    except urllib.error.HTTPError as exc:  # of an upload, which has no errors with names
        with exc:
            raise _of_status(what, exc.code, exc.headers.get("Retry-After")) from exc
    except SlackClientError as exc:
        raise RefusedError(f"{what}: {type(exc).__name__}") from exc
    except (OSError, http.client.HTTPException) as exc:  # URLError and timeouts are OSErrors
        reason = getattr(exc, "reason", None) or exc
        if isinstance(reason, ssl.SSLError) and (refusal := tls_refusal(str(reason))):
            raise PluginError(f"Slack: {refusal}") from exc
        text = getattr(reason, "strerror", None) or type(reason).__name__
        raise TransientError(f"Slack: {what}: {text}") from exc


def _judged(what: str, exc: SlackApiError) -> Exception:
    """Return what an answer that says no means."""
    response = exc.response
    error = str(response.get("error") or "")
    status = int(response.status_code)
    if error in _PASSING or status == 429 or status >= 500:
        after = {name.lower(): value for name, value in response.headers.items()}.get("retry-after")
        return TransientError(f"Slack: {what}: HTTP {status}: {_named(error)}", retry_after_s(after))
    if not _ERROR.fullmatch(error):
        return PluginError(f"Slack: {what}: HTTP {status}: what answers is not Slack; is base_url right?")
    if error in _CREDENTIALS:
        return PluginError(f"Slack: {what}: {error}; check bot_user_token")
    if error == "missing_scope":
        return RefusedError(f"{what}: the bot lacks the scope {_named(str(response.get('needed') or ''))}")
    hint = _HINTS.get(error)
    return RefusedError(f"{what}: {error}: {hint}" if hint else f"{what}: {error}")


def _of_status(what: str, status: int, retry_after: str | None) -> Exception:
    if status in (408, 429) or status >= 500:
        return TransientError(f"Slack: {what}: HTTP {status}", retry_after_s(retry_after))
    return RefusedError(f"{what}: HTTP {status}")


def _named(error: str) -> str:
    """Return the name of an error or scope, if it is one."""
    return error if re.fullmatch(r"[a-z0-9_:., ]+", error) else "no reason given"
