"""Reading Google-style docstrings: what a class is for, and the text of each constructor parameter."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass

_SECTIONS = "Args|Arguments|Parameters|Attributes|Returns|Return|Yields|Raises|Examples?|Notes?|Warnings?|See Also"
_HEADER = re.compile(rf"({_SECTIONS}):\s*")
_PARAMETERS = ("Args", "Arguments", "Parameters")
_ENTRY = re.compile(r"(?P<name>\*{0,2}\w+)\s*(\([^)]*\))?:\s*(?P<text>.*)")
_ROLE = re.compile(r":[\w:]+:`~?([^`<]+?)(?:\s*<[^>]*>)?`")
_MARKED = re.compile(r"(?<![*`\w])(`+|\*+)(?=[^\s*`])([^`*]+?)\1(?![*`\w])")


@dataclass(frozen=True)
class Doc:
    """What a docstring says.

    Attributes:
        description: the text before the first section, paragraphs separated by an empty line.
        parameters: the text of each parameter, on one line.
    """

    description: str
    parameters: dict[str, str]


def class_doc(cls: type) -> Doc:
    """Return the description of *cls*, and its parameters from its own, its constructor's and its bases' docstrings."""
    description = parse(cls.__doc__).description
    parameters: dict[str, str] = {}
    for base in reversed(cls.__mro__[:-1]):
        constructor = vars(base).get("__init__")
        for text in (getattr(constructor, "__doc__", None), base.__doc__):
            parameters |= parse(text).parameters
    return Doc(description, parameters)


def parse(docstring: str | None) -> Doc:
    """Parse one docstring; None is an empty one."""
    description: list[str] = []
    sections: dict[str, list[str]] = {}
    current = description
    for line in inspect.cleandoc(docstring or "").splitlines():
        header = _HEADER.fullmatch(line)
        if header:
            current = sections.setdefault(header[1], [])
        elif sections and line and not line[0].isspace():
            current = []  # ordinary text after the sections
        else:
            current.append(line)
    paragraphs = re.split(r"\n\s*\n", "\n".join(description).strip())
    parameters: dict[str, str] = {}
    for name in _PARAMETERS:
        parameters |= _entries(sections.get(name, []))
    return Doc("\n\n".join(_plain(paragraph) for paragraph in paragraphs), parameters)


def _entries(lines: list[str]) -> dict[str, str]:
    """Split a section into its entries: an entry begins at the section's own indentation."""
    entries: dict[str, list[str]] = {}
    text: list[str] = []
    for line in inspect.cleandoc("\n" + "\n".join(lines)).splitlines():
        entry = None if line[:1].isspace() else _ENTRY.fullmatch(line)
        if entry:
            text = entries.setdefault(entry["name"].lstrip("*"), [])
            text.append(entry["text"])
        else:
            text.append(line)
    return {name: _plain("\n".join(text)) for name, text in entries.items()}


def _plain(text: str) -> str:
    """Return *text* on one line, without the markup that only a documentation generator understands."""
    return _MARKED.sub(r"\2", _ROLE.sub(r"\1", " ".join(text.split())))
