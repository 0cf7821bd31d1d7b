"""References in values: ``${NAME}``, ``${NAME:-default}``, ``${file:/path}``, and ``$${`` for a literal ``${``.

They are replaced after all files are merged, in values only, once: what is put in is not looked at again, and stays
text. No message of this module holds anything but what is written in the configuration.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from cloudmarker.config.model import Path

MAX_FILE_BYTES = 1_000_000
"""The most that ``${file:…}`` reads: a secret is short, a device never ends."""

_TOKEN = re.compile(r"(?P<literal>\$\$\{)|\$\{(?P<body>[^}]*)\}|(?P<open>\$\{)", re.DOTALL)
_VARIABLE = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>.*))?", re.DOTALL)


class BadReferenceError(ValueError):
    """A reference is malformed, or leads to nothing; the message says which and what to do."""


@dataclass(frozen=True)
class Reference:
    """What stands between ``${`` and ``}``.

    Attributes:
        name: the environment variable, or the path of the file.
        is_file: whether *name* is a path.
        default: what stands for a variable that is unset or empty; None if nothing does.
    """

    name: str
    is_file: bool = False
    default: str | None = None

    def __str__(self) -> str:
        return "${" + ("file:" * self.is_file) + self.name + ("" if self.default is None else ":-" + self.default) + "}"

    def value(self, environ: Mapping[str, str]) -> str:
        """Return what the reference stands for; a file's content without the line ends it ends with.

        Raises:
            BadReferenceError: the variable is not set and has no default, or the file cannot be read.
        """
        if self.is_file:
            return _read(self.name)
        value = environ.get(self.name)
        if self.default is not None:
            return value or self.default
        if value is None:
            raise BadReferenceError(
                f"the environment variable {self.name} is not set; set it, or write ${{{self.name}:-default}}; "
                "a literal '${' is written '$${'"
            )
        return value


def split(text: str) -> list[str | Reference]:
    """Return the literal texts (unescaped) and the references that *text* is made of, in order.

    Raises:
        BadReferenceError: a ``${`` begins no reference.
    """
    parts: list[str | Reference] = []
    end = 0
    for match in _TOKEN.finditer(text):
        if match.start() > end:
            parts.append(text[end : match.start()])
        end = match.end()
        parts.append("${" if match["literal"] else _reference(match["body"]))
    if end < len(text):
        parts.append(text[end:])
    return parts


def expand(text: str, environ: Mapping[str, str]) -> str:
    """Return *text* with its references replaced.

    Raises:
        BadReferenceError: a reference is malformed or leads to nothing.
    """
    if "${" not in text:
        return text
    return "".join(part if isinstance(part, str) else part.value(environ) for part in split(text))


def interpolate(
    data: Any, report: Callable[[Path, str], object], environ: Mapping[str, str] | None = None, path: Path = ()
) -> Any:
    """Return a copy of *data* with the references in all its texts replaced.

    Args:
        data: mappings, lists and plain values.
        report: called with the path and the fault of each value that cannot be replaced; that value is left as it is.
        environ: where variables are looked up, by default the environment of the process.
        path: where *data* stands in the configuration.
    """
    environ = os.environ if environ is None else environ
    if isinstance(data, Mapping):
        return {key: interpolate(value, report, environ, (*path, key)) for key, value in data.items()}
    if isinstance(data, list):
        return [interpolate(value, report, environ, (*path, position)) for position, value in enumerate(data)]
    if isinstance(data, str):
        try:
            return expand(data, environ)
        except BadReferenceError as exc:
            report(path, str(exc))
    return data


def has_reference(value: Any) -> bool:
    """Tell whether *value* is a text with a reference in it, even a malformed one."""
    if not isinstance(value, str) or "${" not in value:
        return False
    try:
        return any(isinstance(part, Reference) for part in split(value))
    except BadReferenceError:
        return True


def _reference(body: str | None) -> Reference:
    if body is None:
        raise BadReferenceError("a '${' without its '}'; write '$${' for a literal '${'")
    if "${" in body:
        raise BadReferenceError("a '${…}' inside another, which is not supported")
    if body.startswith("file:") and body != "file:":
        return Reference(body.removeprefix("file:"), is_file=True)
    match = _VARIABLE.fullmatch(body)
    if match is None:
        raise BadReferenceError(
            "a '${…}' that is none of ${NAME}, ${NAME:-default} and ${file:/path}; write '$${' for a literal '${'"
        )
    return Reference(match["name"], default=match["default"])


def _read(path: str) -> str:
    try:
        with FilePath(path).expanduser().open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise BadReferenceError(
                f"the file {path} is longer than {MAX_FILE_BYTES:,} bytes; it should hold one secret"
            )
        return content.decode("utf-8-sig").rstrip("\r\n")
    except OSError as exc:
        raise BadReferenceError(f"the file {path} cannot be read: {os.strerror(exc.errno or 0)}") from None
    except ValueError as exc:
        if isinstance(exc, BadReferenceError):
            raise
        raise BadReferenceError(f"the file {path} is not UTF-8 text") from None
