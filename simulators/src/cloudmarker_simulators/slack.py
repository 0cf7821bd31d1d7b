"""The Slack stand-in."""

from __future__ import annotations

import json
import secrets
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path

from cloudmarker_simulators._http import Handler, Request, Response
from cloudmarker_simulators._keys import loopback_tls
from cloudmarker_simulators._server import LOOPBACK
from cloudmarker_simulators._simulator import Simulator
from cloudmarker_simulators._slack_api import SlackAPI, slack_error
from cloudmarker_simulators._slack_kept import Inbox, SlackFile, SlackMessage
from cloudmarker_simulators.faults import Fault

USERS = ("user1@example.com", "user2@example.com")
CHANNELS = ("general", "random", "security")


class SlackSimulator(Simulator):
    """The methods of Slack's Web API that a bot needs to send messages and files.

    What it knows are its users, by email address, and its channels, by name. It refuses what Slack refuses for its size
    or form. ``settings`` has ``base_url``, ``bot_user_token``, and with TLS ``ca_cert``.

    Attributes:
        messages: what was posted, oldest first.
        files: what was uploaded and shared, oldest first.
        user_ids: the ids of the users, by email address.
        channel_ids: the ids of the channels, by name.
    """

    cloud = "slack"

    def __init__(
        self,
        *,
        users: Sequence[str] = USERS,
        channels: Sequence[str] = CHANNELS,
        archived: Sequence[str] = (),
        missing_scopes: Mapping[str, str] | None = None,
        keep: str | PathLike[str] | None = None,
        page_size: int = 100,
        max_file_bytes: int = 1024**3,
        tls: bool = False,
        port: int = 0,
        latency_s: float = 0.0,
        faults: Sequence[Fault] = (),
    ) -> None:
        """Prepare to serve.

        Args:
            users: email addresses of the users.
            channels: names of the channels that the bot is in, without ``#``.
            archived: names of channels that nobody can post to any more.
            missing_scopes: methods that the bot may not use, such as ``conversations.list``, with the scope it lacks.
            keep: folder to write what comes to, made if it is not there: files under their own names, messages to
                ``messages.jsonl``, as objects with ``to`` (``#`` and the name of a channel, or the address of a user),
                ``text`` and ``blocks``.
            page_size: most channels a page, whatever clients ask for.
            max_file_bytes: size of the largest file that is taken.
            tls: serve over TLS, with a certificate of a throw-away authority.
            port: 0 for any free one.
            latency_s: by how much every answer comes later.
            faults: rules for misbehaving.

        Raises:
            ValueError: a page size below 1.
            OSError: the folder cannot be made.
        """
        super().__init__(port=port, latency_s=latency_s, faults=faults)
        if page_size < 1:
            raise ValueError("page_size must be at least 1")
        self._with_tls = tls
        self._slack = SlackAPI(
            token=f"xoxb-{secrets.token_hex(16)}",
            users=users,
            channels=channels,
            archived=archived,
            missing_scopes=missing_scopes or {},
            page_size=page_size,
            max_file_bytes=max_file_bytes,
            inbox=None if keep is None else Inbox(Path(keep)),
        )
        self.user_ids = {user.email: user.id for user in self._slack.users.values()}
        self.channel_ids = {channel.name: channel.id for channel in self._slack.channels.values()}

    @property
    def messages(self) -> list[SlackMessage]:
        """The messages so far; a copy."""
        return list(self._slack.messages)

    @property
    def files(self) -> list[SlackFile]:
        """The files that were shared so far; a copy."""
        return list(self._slack.files)

    def _tls(self, directory: Path) -> ssl.SSLContext | None:
        if not self._with_tls:
            return None
        context, authority = loopback_tls(directory)
        self.settings = {"ca_cert": str(authority)}
        return context

    def _api(self, directory: Path, port: int) -> Handler:
        root = f"https://localhost:{port}" if self._with_tls else f"http://{LOOPBACK}:{port}"
        self.settings = {"base_url": f"{root}/api/", "bot_user_token": self._slack.token, **self.settings}
        return self._slack

    def error(self, status: int) -> Response:
        """See :meth:`Simulator.error`."""
        return slack_error("ratelimited" if status == 429 else "internal_error", status)

    def relinked(self, request: Request, response: Response, link: str) -> Response:
        """See :meth:`Simulator.relinked`; Slack's pages have cursors and no links."""
        if link != "loop":
            return response
        cursor = request.query.get("cursor") or self._slack.cursor(0)
        body = {**response.json(), "response_metadata": {"next_cursor": cursor}}
        return replace(response, body=json.dumps(body).encode())

    def revoke(self, token: str | None) -> None:
        """See :meth:`Simulator.revoke`."""
        self._slack.revoked = self._slack.revoked or token == self._slack.token
