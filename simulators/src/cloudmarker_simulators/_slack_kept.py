"""What the Slack stand-in keeps: messages and files, in memory and, if asked to, in a folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cloudmarker_simulators._http import JsonObject


@dataclass(frozen=True)
class SlackMessage:
    """A message that was posted.

    Attributes:
        channel: id of the channel or conversation.
        ts: its time, which is its id within the channel.
        text: what notifications and clients without blocks show.
        blocks: what it is made of.
        arguments: everything that the call said, these included.
    """

    channel: str
    ts: str
    text: str
    blocks: Sequence[JsonObject]
    arguments: JsonObject


@dataclass
class SlackFile:
    """A file that is being uploaded, or has been.

    Attributes:
        id: as Slack gave it.
        name: its file name.
        length: bytes that were announced.
        content: what was uploaded.
        title: shown in place of the name.
        channels: ids of the channels it was shared to.
        comment: the message that came with it.
        thread_ts: the message that it is a reply to.
    """

    id: str
    name: str
    length: int
    content: bytes | None = None
    title: str = ""
    channels: list[str] = field(default_factory=list)
    comment: str = ""
    thread_ts: str = ""


class Inbox:
    """A folder with what came.

    Args:
        folder: made, private to its owner, if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder

    def add_message(self, to: str, message: SlackMessage) -> None:
        """Add a line to ``messages.jsonl``."""
        line = json.dumps({"to": to, "text": message.text, "blocks": message.blocks}, ensure_ascii=False)
        with (self._folder / "messages.jsonl").open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")

    def add_file(self, shared: SlackFile) -> None:
        """Write a file under its own name; a later one replaces it."""
        (self._folder / Path(shared.name).name).write_bytes(shared.content or b"")
