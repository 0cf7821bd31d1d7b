"""The methods of Slack's Web API that the stand-in answers, and what it remembers of them."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from cloudmarker_simulators._http import JsonObject, Request, Response, json_response
from cloudmarker_simulators._slack_kept import Inbox, SlackFile, SlackMessage
from cloudmarker_simulators._slack_limits import problem

FIRST_TS = 1_700_000_000
_LONGEST_NAME = 255


@dataclass(frozen=True)
class SlackUser:
    """A user of the workspace."""

    id: str
    email: str


@dataclass(frozen=True)
class SlackChannel:
    """A channel of the workspace, or the conversation of the bot with one user."""

    id: str
    name: str
    archived: bool = False


def slack_error(error: str, status: int = 200, **more: Any) -> Response:
    """Return Slack's answer to what it does not do; its status is 200 as a rule."""
    return json_response(status, {"ok": False, "error": error, **more})


def _ok(**more: Any) -> Response:
    return json_response(200, {"ok": True, **more})


def _id(prefix: str, of: str) -> str:
    """Return an id as Slack's are, the same for the same thing."""
    return prefix + base64.b32encode(hashlib.sha256(of.encode()).digest()).decode()[:10]


class SlackAPI:
    """A workspace with one bot.

    Attributes:
        token: the bot's.
        revoked: it is good no longer.
        users: by id.
        channels: by id, without the conversations that were opened.
        messages: what was posted.
        files: what was shared.
    """

    def __init__(
        self,
        *,
        token: str,
        users: Sequence[str],
        channels: Sequence[str],
        archived: Sequence[str],
        missing_scopes: Mapping[str, str],
        page_size: int,
        max_file_bytes: int,
        inbox: Inbox | None,
    ) -> None:
        self.token = token
        self.revoked = False
        self.users = {_id("U", email): SlackUser(_id("U", email), email) for email in users}
        known = [SlackChannel(_id("C", name), name, name in archived) for name in dict.fromkeys([*channels, *archived])]
        self.channels = {channel.id: channel for channel in known}
        self.messages: list[SlackMessage] = []
        self.files: list[SlackFile] = []
        self._missing_scopes = missing_scopes
        self._page_size = page_size
        self._max_file_bytes = max_file_bytes
        self._inbox = inbox
        self._direct: dict[str, SlackChannel] = {}
        self._uploads: dict[str, SlackFile] = {}
        self._lock = threading.Lock()
        self._methods: dict[str, Callable[[Request, JsonObject], Response]] = {
            "api.test": lambda _request, arguments: _ok(args=arguments),
            "auth.test": self._auth_test,
            "users.lookupByEmail": self._look_up,
            "conversations.list": self._list,
            "conversations.open": self._open,
            "chat.postMessage": self._post,
            "files.getUploadURLExternal": self._upload_url,
            "files.completeUploadExternal": self._complete,
        }

    def __call__(self, request: Request) -> Response:
        """Answer a call."""
        with self._lock:
            if request.path.startswith("/upload/v1/"):
                return self._upload(request)
            name = request.path.removeprefix("/api/")
            method = self._methods.get(name)
            if method is None:
                return slack_error("unknown_method", req_method=name)
            arguments = _arguments(request)
            if arguments is None:
                return slack_error("invalid_json")
            if refusal := self._refusal(request, name, arguments):
                return refusal
            return method(request, arguments)

    def _refusal(self, request: Request, name: str, arguments: JsonObject) -> Response | None:
        token = request.bearer_token or arguments.pop("token", None)
        if name == "api.test":
            return None
        if token is None:
            return slack_error("not_authed")
        if token != self.token:
            return slack_error("invalid_auth")
        if self.revoked:
            return slack_error("token_revoked")
        if needed := self._missing_scopes.get(name):
            return slack_error("missing_scope", needed=needed, provided="identify")
        return None

    def _auth_test(self, request: Request, _arguments: JsonObject) -> Response:
        return _ok(
            url=f"{request.base_url}/",
            team="Example",
            user="cloudmarker",
            team_id=_id("T", "example"),
            user_id=_id("U", "cloudmarker"),
            bot_id=_id("B", "cloudmarker"),
            is_enterprise_install=False,
        )

    def _look_up(self, _request: Request, arguments: JsonObject) -> Response:
        email = str(arguments.get("email", "")).lower()
        for user in self.users.values():
            if user.email.lower() == email:
                name = email.partition("@")[0]
                return _ok(user={"id": user.id, "name": name, "deleted": False, "profile": {"email": user.email}})
        return slack_error("users_not_found")

    def cursor(self, start: int) -> str:
        """Return the cursor of the page that begins with item *start*."""
        return base64.b64encode(f"start:{start}".encode()).decode()

    def _list(self, _request: Request, arguments: JsonObject) -> Response:
        channels = list(self.channels.values())
        if str(arguments.get("exclude_archived", "0")).lower() in ("1", "true"):
            channels = [channel for channel in channels if not channel.archived]
        start = 0
        if cursor := arguments.get("cursor"):
            starts = {self.cursor(number): number for number in range(len(channels))}
            if cursor not in starts:
                return slack_error("invalid_cursor")
            start = starts[cursor]
        end = start + min(self._page_size, int(arguments.get("limit") or 100))
        common = {"is_channel": True, "is_member": True}
        items = [
            {"id": channel.id, "name": channel.name, "is_archived": channel.archived, **common}
            for channel in channels[start:end]
        ]
        return _ok(channels=items, response_metadata={"next_cursor": self.cursor(end) if end < len(channels) else ""})

    def _open(self, _request: Request, arguments: JsonObject) -> Response:
        user = self.users.get(str(arguments.get("users", "")))
        if user is None:
            return slack_error("user_not_found")
        channel = SlackChannel(_id("D", user.email), user.email)
        self._direct[channel.id] = channel
        return _ok(no_op=False, already_open=False, channel={"id": channel.id})

    def _channel(self, name: object) -> SlackChannel | None:
        """Return what a message goes to: an id, or the name of a channel with or without ``#``."""
        known = {**self.channels, **self._direct}
        if channel := known.get(str(name)):
            return channel
        if user := self.users.get(str(name)):  # for messages, a user's id is as good as the conversation's
            return self._direct.setdefault(_id("D", user.email), SlackChannel(_id("D", user.email), user.email))
        return next((found for found in self.channels.values() if found.name == str(name).removeprefix("#")), None)

    def _post(self, _request: Request, arguments: JsonObject) -> Response:
        channel = self._channel(arguments.get("channel"))
        if channel is None:
            return slack_error("channel_not_found")
        if channel.archived:
            return slack_error("is_archived")
        blocks = arguments.get("blocks")
        if isinstance(blocks, str):
            blocks = json.loads(blocks)
        if found := problem(arguments.get("text") or "", blocks):
            error, messages = found
            return slack_error(error, errors=messages, response_metadata={"messages": messages})
        ts = f"{FIRST_TS + len(self.messages)}.000100"
        text = arguments.get("text") or ""
        message = SlackMessage(channel.id, ts, text, blocks or [], arguments)
        self.messages.append(message)
        if self._inbox is not None:
            self._inbox.add_message(self._shown(channel), message)
        posted = {"type": "message", "text": text, "ts": ts, "bot_id": _id("B", "cloudmarker")}
        return _ok(channel=channel.id, ts=ts, message=posted)

    def _shown(self, channel: SlackChannel) -> str:
        return f"#{channel.name}" if channel.id in self.channels else channel.name

    def _upload_url(self, request: Request, arguments: JsonObject) -> Response:
        name, length = str(arguments.get("filename", "")), str(arguments.get("length", ""))
        if not name or not length.isdigit() or int(length) < 1 or len(name) > _LONGEST_NAME:
            return slack_error("invalid_arguments")
        if int(length) > self._max_file_bytes:
            return slack_error("file_upload_size_restricted")
        file = SlackFile(_id("F", f"{name}/{len(self._uploads)}"), name, int(length))
        self._uploads[file.id] = file
        return _ok(upload_url=f"{request.base_url}/upload/v1/{file.id}", file_id=file.id)

    def _upload(self, request: Request) -> Response:
        file = self._uploads.get(request.path.rpartition("/")[2])
        if file is None or request.method != "POST":
            return Response(404, b"no such upload", {"Content-Type": "text/plain"})
        if len(request.body) != file.length:
            return Response(400, b"not the length that was announced", {"Content-Type": "text/plain"})
        file.content = request.body
        return Response(200, f"OK - {len(request.body)}".encode(), {"Content-Type": "text/plain"})

    def _complete(self, _request: Request, arguments: JsonObject) -> Response:
        try:
            given = [(item["id"], str(item.get("title") or "")) for item in json.loads(arguments["files"])]
        except (KeyError, TypeError, ValueError):
            return slack_error("invalid_arguments")
        names = [*str(arguments.get("channels") or "").split(","), str(arguments.get("channel_id") or "")]
        wanted = [name for name in names if name]
        shared = [self.channels.get(name) or self._direct.get(name) for name in wanted]  # ids only, and not of users
        if None in shared:
            return slack_error("channel_not_found")
        files = [self._uploads.get(file_id) for file_id, _ in given]
        if any(file is None or file.content is None for file in files):
            return slack_error("file_not_found")
        for file, (_, title) in zip(files, given, strict=True):
            if file is not None:
                file.title, file.channels = title or file.name, wanted
                file.comment = str(arguments.get("initial_comment") or "")
                file.thread_ts = str(arguments.get("thread_ts") or "")
                self.files.append(file)
                if self._inbox is not None:
                    self._inbox.add_file(file)
        return _ok(files=[{"id": file.id, "title": file.title} for file in files if file is not None])


def _arguments(request: Request) -> JsonObject | None:
    """Return the arguments of a call, from its query and its body; None if the body cannot be read.

    A body of ``{}`` comes with form data in the query from clients that say JSON whenever they have no form.
    """
    arguments: JsonObject = dict(parse_qsl(request.target.partition("?")[2], keep_blank_values=True))
    if not request.body:
        return arguments
    try:
        text = request.body.decode()
        if "json" in request.headers.get("content-type", "") and text.lstrip().startswith("{"):
            return {**arguments, **json.loads(text)}
    except ValueError:
        return None
    return {**arguments, **dict(parse_qsl(text, keep_blank_values=True))}
