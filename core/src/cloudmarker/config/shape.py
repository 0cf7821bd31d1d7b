"""What a configuration looks like: one msgspec struct per section. Docstrings and descriptions go into the JSON Schema.

The structs are never filled: :mod:`cloudmarker.config.typecheck` walks them beside the data, so that all problems are
found, and the data stays what it was.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

Text = Annotated[str, Meta(min_length=1)]
Keys = list[Text] | None
"""Plugin keys or short names; ``null``, a key with nothing after it, is the empty list."""


class Plugin(msgspec.Struct, forbid_unknown_fields=True):
    """A plugin with its parameters, under the key by which audits name it."""

    plugin: Annotated[
        Text | UnsetType,
        Meta(description="A short name, or the dotted name of a class. By default the key, if that is a short name."),
    ] = UNSET
    params: Annotated[dict[str, Any] | None, Meta(description="Arguments of the class, by name.")] = None


class Audit(msgspec.Struct, forbid_unknown_fields=True):
    """What to read, where to store it, what to look for and where to send what was found."""

    clouds: Annotated[Keys, Meta(description="Where records come from.")] = None
    stores: Annotated[Keys, Meta(description="Where the records of the clouds go.")] = None
    events: Annotated[Keys, Meta(description="What evaluates the records of the clouds.")] = None
    alerts: Annotated[Keys, Meta(description="Where the events go: alert plugins or store plugins.")] = None


class Email(msgspec.Struct, forbid_unknown_fields=True):
    """Where to send a mail when audits begin and end."""

    from_addr: Annotated[Text, Meta(description="The sender's address.")]
    to_addrs: Annotated[list[Text], Meta(min_length=1, description="The addresses of the recipients.")]
    subject: Annotated[str, Meta(description="The subject line.")]
    host: Annotated[str, Meta(description="The SMTP server; empty means this host.")] = ""
    port: Annotated[int, Meta(ge=0, le=65535, description="Its port; 0 means the usual one for ssl_mode.")] = 0
    ssl_mode: Annotated[Literal["ssl", "starttls", "disable"], Meta(description="How to encrypt the connection.")] = (
        "ssl"
    )
    username: Annotated[str | None, Meta(description="Whom to log in as; empty means no login.")] = ""
    password: Annotated[str | None, Meta(description="The password of username.")] = ""
    debug: Annotated[int | bool, Meta(description="1 logs the conversation with the server, 2 adds times.")] = 0


class State(msgspec.Struct, forbid_unknown_fields=True):
    """What cloudmarker remembers from run to run."""

    path: Annotated[Text | UnsetType, Meta(description="The directory. By default the user's state directory.")] = UNSET


Schedule = Annotated[
    str,
    Meta(
        pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$",
        description="The local time, HH:MM, at which the audits of every day begin.",
        extra={"expected": 'a time of day in quotes, from "00:00" to "23:59"'},
    ),
]


class Root(msgspec.Struct, forbid_unknown_fields=True):
    """Configuration of cloudmarker."""

    plugins: Annotated[dict[str, Plugin], Meta(description="Plugins with their parameters, each under its own key.")]
    audits: Annotated[dict[str, Audit], Meta(description="Audits, each under its own key.")]
    run: Annotated[list[Text], Meta(min_length=1, description="The keys of the audits to run.")]
    logger: Annotated[dict[str, Any], Meta(description="Python's logging.config.dictConfig schema.")]
    schedule: Schedule
    email: Annotated[Email | None, Meta(description="Where to send a mail when audits begin and end.")] = None
    state: Annotated[State | None, Meta(description="What cloudmarker remembers from run to run.")] = None
