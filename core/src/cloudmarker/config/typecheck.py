"""Comparing data with types: every difference, with its path, in words that do not repeat the data."""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from cloudmarker.config.model import Path
from cloudmarker.plugins import suggest

Problem = tuple[Path, str]

_WORDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "null": "null",
    "array": "a list",
    "object": "a mapping",
    "date": "a date",
    "datetime": "a date",
}
MISPLACED = {"when": "a filter stands beside 'plugin' and 'params' of an entry under 'plugins'"}
"""Keys that are put in wrong places, with the right one."""

_MANY = 20  # choices that are not all listed if one of them is meant
_EXPECTED = re.compile(r"Expected `([^`]*)`, got `([^`]*)`")
_BOUND = re.compile(r"Expected `[^`]*` ([<>]=? \S+)")


def differences(value: Any, expected: Any, path: Path = ()) -> Iterator[Problem]:
    """Yield what keeps *value* from being an *expected*.

    Args:
        value: mappings, lists and plain values.
        expected: a msgspec struct, ``dict[str, X]``, ``list[X]``, one of these or None, or a type that msgspec knows.
        path: where *value* stands in the configuration.
    """
    inner = _bare(expected)
    if get_origin(inner) in (Union, types.UnionType):
        if value is None and type(None) in get_args(inner):
            return
        containers = [option for option in get_args(inner) if _is_container(option)]
        if len(containers) > 1 or str in map(_bare, get_args(inner)):  # plain text is another way to say it
            containers = [option for option in containers if _is_like(value, option)]
        if len(containers) == 1:
            expected = containers[0]
            inner = _bare(expected)
    if _is_struct(inner):
        yield from _struct_differences(value, inner, path)
    elif get_origin(inner) is dict:
        yield from _dict_differences(value, inner, path)
    elif get_origin(inner) is list:
        yield from _list_differences(value, expected, path)
    else:
        yield from _plain_differences(value, expected, path)


def annotation(cls: type, parameter: inspect.Parameter) -> Any:
    """Return the type that the constructor of *cls* declares for *parameter*; Any if none can be found."""
    if parameter.annotation is parameter.empty:
        return Any
    holder = types.SimpleNamespace(__annotations__={"it": parameter.annotation})
    names = getattr(inspect.getattr_static(cls, "__init__"), "__globals__", {})
    try:
        return typing.get_type_hints(holder, globalns=names, include_extras=True)["it"]
    except (NameError, TypeError, AttributeError, SyntaxError):  # a name only type checkers see, or no type at all
        return Any


def kind(value: Any) -> str:
    """Return what *value* is, in words: ``text``, ``a number``, ``a list``."""
    for types_, word in (
        (str, "text"),
        (bool, "true or false"),
        ((int, float), "a number"),
        (dict, "a mapping"),
        (list, "a list"),
        (type(None), "null"),
    ):
        if isinstance(value, types_):
            return word
    return f"a {type(value).__name__}"


def _bare(expected: Any) -> Any:
    """Return the type that ``Annotated`` wraps."""
    return get_args(expected)[0] if get_origin(expected) is Annotated else expected


def _is_struct(inner: Any) -> bool:
    return isinstance(inner, type) and issubclass(inner, msgspec.Struct)


def _is_container(expected: Any) -> bool:
    inner = _bare(expected)
    return get_origin(inner) in (dict, list) or _is_struct(inner)


def _is_like(value: Any, container: Any) -> bool:
    return isinstance(value, list if get_origin(_bare(container)) is list else dict)


def _dict_differences(value: Any, inner: Any, path: Path) -> Iterator[Problem]:
    if not isinstance(value, dict):
        yield path, f"expected a mapping, got {kind(value)}"
    elif get_args(inner)[1] is not Any:
        for key, child in value.items():
            yield from differences(child, get_args(inner)[1], (*path, key))


def _list_differences(value: Any, expected: Any, path: Path) -> Iterator[Problem]:
    if not isinstance(value, list):
        yield path, f"expected a list, got {kind(value)}; begin each of its entries with '- '"
    elif not value and any(isinstance(item, msgspec.Meta) and item.min_length for item in get_args(expected)):
        yield path, "the list is empty; it needs at least one entry"
    else:
        for position, child in enumerate(value):
            yield from differences(child, get_args(_bare(expected))[0], (*path, position))


def _struct_differences(value: Any, struct: type[msgspec.Struct], path: Path) -> Iterator[Problem]:
    if not isinstance(value, dict):
        yield path, f"expected a mapping, got {kind(value)}"
        return
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    for key, child in value.items():
        if key in fields:
            yield from differences(child, fields[key].type, (*path, key))
        else:
            yield (*path, key), _unknown_key(key, list(fields))
    for name, field in fields.items():
        if field.required and name not in value:
            yield path, f"{name!r} is missing"


def _unknown_key(key: str, known: list[str]) -> str:
    suggestion = suggest(key, known)
    remedy = f"did you mean {suggestion!r}?" if suggestion else f"the keys here are {', '.join(known)}"
    remedy = MISPLACED.get(key, remedy)
    return f"unknown key {key!r}; {remedy}"


def _plain_differences(value: Any, expected: Any, path: Path) -> Iterator[Problem]:
    """Yield what msgspec has against *value*; nothing if it does not know the type."""
    try:
        msgspec.convert(value, expected, strict=True)
    except msgspec.ValidationError as exc:
        yield _reword(exc, value, expected, path)
    except (TypeError, NameError, RecursionError):  # a type that msgspec does not know or cannot resolve
        return


def _reword(error: msgspec.ValidationError, value: Any, expected: Any, path: Path) -> Problem:
    metas = [item for item in get_args(expected) if isinstance(item, msgspec.Meta)]
    words = [meta.extra["expected"] for meta in metas if meta.extra and "expected" in meta.extra]
    if words:
        got = kind(value)
        if words[0].startswith(got):  # it is of the right kind: say what is wrong with it
            got = repr(value)
        return path, f"expected {words[0]}" + ("" if isinstance(value, str) else f", got {got}")
    if choices := _choices(expected):
        return path, _one_of(choices, value)
    message, _, where = str(error).partition(" - at `$")
    for step in re.findall(r"\[(\d+)\]", where):
        path = (*path, int(step))
    if match := _EXPECTED.fullmatch(message):
        hint = "; put it in quotes" if "str" in match[1].split(" | ") and isinstance(value, (int, float)) else ""
        return path, f"expected {_in_words(match[1])}, got {_in_words(match[2])}{hint}"
    if message.endswith("of length >= 1"):
        return path, f"empty, but {_in_words(message.split('`')[1])} is needed"
    if match := _BOUND.fullmatch(message):
        return path, f"out of range: must be {match[1]}"
    return path, f"{kind(value)} that is not allowed here"


def _choices(expected: Any) -> tuple[Any, ...]:
    inner = _bare(expected)
    if get_origin(inner) in (Union, types.UnionType):
        options = [option for option in get_args(inner) if option is not type(None)]
        inner = options[0] if len(options) == 1 else None
    return get_args(inner) if get_origin(inner) is Literal else ()


def _one_of(choices: tuple[Any, ...], value: Any) -> str:
    near = suggest(value, choices) if isinstance(value, str) else None
    if near and len(choices) > _MANY:
        return f"expected one of {len(choices)} words; did you mean {near!r}?"
    return f"expected one of {', '.join(map(repr, choices))}" + (f"; did you mean {near!r}?" if near else "")


def _in_words(names: str) -> str:
    """Return msgspec's ``int | str | null`` as ``a whole number, text or null``."""
    words = list(dict.fromkeys(_WORDS.get(name.strip(), name.strip()) for name in names.split("|")))
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))
