"""What a configuration looks like: one msgspec struct per section. Docstrings and descriptions go into the JSON Schema.

The structs are never filled: :mod:`cloudmarker.config.typecheck` walks them beside the data, so that all problems are
found, and the data stays what it was.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from cloudmarker.contracts import FindingStatus, Severity

Text = Annotated[str, Meta(min_length=1)]
Keys = list[Text] | None
"""Plugin keys or short names; ``null``, a key with nothing after it, is the empty list."""
Texts = Annotated[list[Text], Meta(min_length=1)] | None
"""Values of a condition; ``null`` takes the condition of an earlier file back."""


class When(msgspec.Struct, forbid_unknown_fields=True):
    """Which records a store, event or alert is given: those that fulfil every condition."""

    record_types: Annotated[Texts, Meta(description="com.record_type is one of these.")] = None
    clouds: Annotated[Texts, Meta(description="com.cloud_type is one of these.")] = None
    accounts: Annotated[
        Texts, Meta(description="com.account is one of these, or matches one: * and ? are wildcards.")
    ] = None
    severity: Annotated[
        Annotated[list[Severity], Meta(min_length=1)] | None,
        Meta(description="The finding's severity is one of these."),
    ] = None
    min_severity: Annotated[Severity | None, Meta(description="The finding's severity is this one or worse.")] = None
    status: Annotated[
        Annotated[list[FindingStatus], Meta(min_length=1)] | None,
        Meta(description="The finding's status is one of these."),
    ] = None


class Plugin(msgspec.Struct, forbid_unknown_fields=True):
    """A plugin with its parameters, under the key by which audits name it."""

    plugin: Annotated[
        Text | UnsetType,
        Meta(description="A short name, or the dotted name of a class. By default the key, if that is a short name."),
    ] = UNSET
    params: Annotated[dict[str, Any] | None, Meta(description="Arguments of the class, by name.")] = None
    when: Annotated[When | None, Meta(description="Which records it is given. Not for clouds.")] = None


class Cron(msgspec.Struct, forbid_unknown_fields=True):
    """When audits begin, by the clock of a place."""

    cron: Annotated[
        Text, Meta(description="Minute, hour, day of the month, month and day of the week, as cron has them.")
    ]
    timezone: Annotated[
        Text | None, Meta(description="Whose clock, such as Europe/Berlin. By default that of the machine.")
    ] = None


TimeText = Annotated[
    str,
    Meta(
        min_length=1,
        extra_json_schema={"pattern": r"^\s*(([01][0-9]|2[0-3]):[0-5][0-9]|\S+(\s+\S+){4}|.*\$\{.*)\s*$"},
    ),
]
ScheduleEntry = Annotated[
    TimeText | Cron,
    Meta(
        description="The local time, HH:MM, a cron expression, or a mapping with a cron expression and a time zone.",
        extra={"expected": 'a time of day in quotes, from "00:00" to "23:59", or a cron expression'},
    ),
]
Schedule = Annotated[
    TimeText | Cron | Annotated[list[ScheduleEntry], Meta(min_length=1)],
    Meta(
        description="When audits begin: the local time, HH:MM, of every day; a cron expression; a mapping with a cron "
        "expression and a time zone; or a list of these.",
        extra={"expected": 'a time of day in quotes, from "00:00" to "23:59", a cron expression, or a list of them'},
    ),
]


class Audit(msgspec.Struct, forbid_unknown_fields=True):
    """What to read, where to store it, what to look for and where to send what was found."""

    clouds: Annotated[Keys, Meta(description="Where records come from.")] = None
    stores: Annotated[Keys, Meta(description="Where the records of the clouds go.")] = None
    events: Annotated[Keys, Meta(description="What evaluates the records of the clouds.")] = None
    alerts: Annotated[Keys, Meta(description="Where the events go: alert plugins or store plugins.")] = None
    schedule: Annotated[
        Schedule | None, Meta(description="When it begins, in scheduled mode. By default when the others do.")
    ] = None


class Suppression(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Findings that are counted, but not sent to the alerts: those of a check, or the one with a fingerprint."""

    check: Annotated[Text | None, Meta(description="The com.check_id of the findings.")] = None
    reference: Annotated[
        Text | None,
        Meta(description="With check: their com.reference, or a pattern of it: * and ? are wildcards, * alone is any."),
    ] = None
    fingerprint: Annotated[Text | None, Meta(description="Instead of check: com.fingerprint of one finding.")] = None
    reason: Annotated[Text, Meta(description="Why nobody is to be told.")]
    owner: Annotated[Text, Meta(description="Who decided so, and is asked when it has expired.")]
    expires: Annotated[
        Any,
        Meta(
            description="The last day on which it holds, YYYY-MM-DD, UTC; or never.",
            extra_json_schema={"pattern": r"^(\d{4}-\d\d-\d\d|never)$"},
        ),
    ]
    audits: Annotated[Texts, Meta(description="The keys of the audits it is for. By default all.")] = None


class Email(msgspec.Struct, forbid_unknown_fields=True):
    """Where to send a mail when audits begin and end."""

    from_addr: Annotated[Text, Meta(description="The sender's address.")]
    to_addrs: Annotated[list[Text], Meta(min_length=1, description="The addresses of the recipients.")]
    subject: Annotated[str, Meta(description="The beginning of the subject lines.")]
    host: Annotated[str, Meta(description="The SMTP server; empty means this host.")] = ""
    port: Annotated[
        Annotated[int, Meta(ge=0, le=65535)] | Annotated[str, Meta(pattern=r"^[0-9]{1,5}$")],  # text is from ${...}
        Meta(
            description="Its port; 0 means the usual one for ssl_mode.",
            extra={"expected": "a number from 0 to 65535"},
        ),
    ] = 0
    ssl_mode: Annotated[Literal["ssl", "starttls", "disable"], Meta(description="How to encrypt the connection.")] = (
        "ssl"
    )
    username: Annotated[str | None, Meta(description="Whom to log in as; empty means no login.")] = ""
    password: Annotated[str | None, Meta(description="The password of username.")] = ""
    debug: Annotated[int | bool, Meta(description="1 prints the conversation with the server, 2 adds times.")] = 0
    ca_cert: Annotated[str, Meta(description="PEM file with certificate authorities to trust besides the usual.")] = ""


class State(msgspec.Struct, forbid_unknown_fields=True):
    """What cloudmarker remembers from run to run."""

    path: Annotated[Text | UnsetType, Meta(description="The directory. By default the user's state directory.")] = UNSET


class Metrics(msgspec.Struct, forbid_unknown_fields=True):
    """Numbers for Prometheus, in scheduled mode."""

    address: Annotated[
        Text | None,
        Meta(description="Where they can be read: HOST:PORT, or a port of this machine only. By default nowhere."),
    ] = None


class Health(msgspec.Struct, forbid_unknown_fields=True):
    """What says how scheduled mode is doing."""

    file: Annotated[
        Text | None, Meta(description="A file that is kept up to date, JSON. By default there is none.")
    ] = None


class Root(msgspec.Struct, forbid_unknown_fields=True):
    """Configuration of cloudmarker."""

    plugins: Annotated[dict[str, Plugin], Meta(description="Plugins with their parameters, each under its own key.")]
    audits: Annotated[dict[str, Audit], Meta(description="Audits, each under its own key.")]
    run: Annotated[list[Text], Meta(min_length=1, description="The keys of the audits to run.")]
    logger: Annotated[dict[str, Any], Meta(description="Python's logging.config.dictConfig schema.")]
    schedule: Schedule
    email: Annotated[Email | None, Meta(description="Where to send a mail when audits begin and end.")] = None
    suppressions: Annotated[
        list[Suppression] | None, Meta(description="Findings that are counted, but not sent to the alerts.")
    ] = None
    state: Annotated[State | None, Meta(description="What cloudmarker remembers from run to run.")] = None
    metrics: Annotated[Metrics | None, Meta(description="Numbers for Prometheus, in scheduled mode.")] = None
    health: Annotated[Health | None, Meta(description="What says how scheduled mode is doing.")] = None
