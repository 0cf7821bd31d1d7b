"""How a field of the common model is described, and how a TypedDict that describes some is read and checked against.

The table itself is in :mod:`cloudmarker.fields`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

FieldType = Literal[
    "string",
    "text",
    "timestamp",
    "integer",
    "number",
    "boolean",
    "list of string",
    "list of integer",
    "list of object",
    "map of string",
    "map of integer",
]
"""What a field can be. ``string`` is an identifier or a word, compared as a whole; ``text`` is prose for people;
``timestamp`` is RFC 3339 with ``Z`` or an offset; ``integer`` fits 64 bits with sign; keys of maps are any strings."""


@dataclass(frozen=True)
class Means:
    """What a field means.

    Attributes:
        text: the meaning, Markdown, a phrase without a final stop.
        unit: of a number, in full, e.g. ``seconds``.
        format: for strings that are more special than ``string``.
    """

    text: str
    unit: str = ""
    format: Literal["string", "text", "timestamp"] = "string"


@dataclass(frozen=True)
class Field:
    """One field of the ``com`` bucket.

    Attributes:
        name: its key.
        type: one of :data:`FieldType`.
        nullable: null is a value it may have.
        required: a plugin sets it; false for the stamps.
        choices: all its values, if they are few and fixed; empty otherwise.
        unit: see :class:`Means`.
        meaning: see :class:`Means`.
    """

    name: str
    type: FieldType
    nullable: bool
    required: bool
    choices: tuple[str, ...]
    unit: str
    meaning: str


_SCALARS: Mapping[Any, FieldType] = {int: "integer", float: "number", bool: "boolean"}
_CONTAINERS: Mapping[Any, FieldType] = {
    list[str]: "list of string",
    list[int]: "list of integer",
    dict[str, str]: "map of string",
    dict[str, int]: "map of integer",
}
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.IGNORECASE)


@cache
def fields(shape: type) -> Mapping[str, Field]:
    """Return the fields of one of the TypedDicts above, by name, in their order there.

    Args:
        shape: e.g. a value of :data:`RECORD_TYPES`, :class:`Com`, :class:`InventoryCom` or :class:`Stamps`.
    """
    required = shape.__required_keys__  # type: ignore[attr-defined]  # every TypedDict has it
    hints = get_type_hints(shape, include_extras=True)
    return {name: _field(name, hint, name in required) for name, hint in hints.items()}


def _field(name: str, hint: Any, required: bool) -> Field:
    annotated, means = get_args(hint)
    options = get_args(annotated) if get_origin(annotated) in (Union, UnionType) else (annotated,)
    values = [option for option in options if option is not type(None)]
    (value,) = values
    choices = get_args(value) if get_origin(value) is Literal else ()
    kind = _SCALARS.get(value) or _CONTAINERS.get(value)
    if kind is None:
        kind = "list of object" if get_origin(value) is list else means.format
    return Field(name, kind, len(values) < len(options), required, choices, means.unit, means.text)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63


def _is_number(value: object) -> bool:
    return _is_integer(value) or (isinstance(value, float) and math.isfinite(value))


def _is_string(value: object) -> bool:
    return isinstance(value, str)


def _list_of(is_item: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list) and all(map(is_item, value))


def _map_of(is_item: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, dict) and all(map(_is_string, value)) and all(map(is_item, value.values()))


_CHECKS: Mapping[FieldType, Callable[[object], bool]] = {
    "string": _is_string,
    "text": _is_string,
    "timestamp": lambda value: isinstance(value, str) and _TIMESTAMP.fullmatch(value) is not None,
    "integer": _is_integer,
    "number": _is_number,
    "boolean": lambda value: isinstance(value, bool),
    "list of string": _list_of(_is_string),
    "list of integer": _list_of(_is_integer),
    "list of object": _list_of(lambda value: isinstance(value, dict)),
    "map of string": _map_of(_is_string),
    "map of integer": _map_of(_is_integer),
}


def problem_with(value: object, field: Field, *, own: bool = True) -> str | None:
    """Return why *field* cannot have *value*, a phrase; None if it can.

    Args:
        value: a plain JSON value.
        field: what is known of the field.
        own: whether *field* belongs to the record type at hand. If not, only the type binds.
    """
    if value is None:
        return "must not be null" if own and not field.nullable else None
    if not _CHECKS[field.type](value):
        return f"must be {field.type}{' or null' if field.nullable else ''}, not {_shown(value)}"
    if own and field.choices and value not in field.choices:
        return f"must be one of {', '.join(field.choices)}, not {_shown(value)}"
    return None


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
