"""A configuration with the memory of where each value came from."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Path = tuple[str | int, ...]
"""The way to a value: keys and list positions from the top, e.g. ``("audits", "daily", "stores", 1)``."""

BASE = "base config"
"""The name of the base config where a message would name a file."""

_PLAIN_KEY = re.compile(r"[\w-]+", re.ASCII)


def format_path(path: Path) -> str:
    """Return *path* as people write it: ``audits.daily.stores[1]``; unusual keys are quoted."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += "." * bool(text) + (step if _PLAIN_KEY.fullmatch(step) else json.dumps(step))
    return text


def value_at(data: Any, path: Path) -> Any:
    """Return the value that *path* leads to in *data*, or None if it leads nowhere."""
    for step in path:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return None
    return data


@dataclass(frozen=True)
class Layer:
    """One source of configuration.

    Attributes:
        name: the file as the user named it, or :data:`BASE`.
        data: what it says; ``${…}`` still as written.
        mode: permission bits of the file; None for what is no file.
    """

    name: str
    data: dict[str, Any] = field(repr=False)
    mode: int | None = None


@dataclass(frozen=True)
class Config:
    """A configuration: the base config with all files merged over it, in order.

    Attributes:
        data: the merged configuration with every ``${…}`` replaced. Plugins that an audit names by their short name
            only are entries here like any other, ``params`` is always a mapping and the lists of an audit are lists.
        written: the merged configuration as it is written: no ``${…}`` replaced, nothing filled in.
        base: the base config alone.
        files: the files that were read, in order, as the user named them.
        warnings: one line each: what works but should not stay so.
        origins: for each mapping key, by its path, the name of the layer that set it last; in the order of the layers
            and of the keys in each.
    """

    data: dict[str, Any] = field(repr=False)
    written: dict[str, Any] = field(repr=False)
    base: dict[str, Any] = field(repr=False)
    files: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    origins: Mapping[Path, str] = field(default_factory=dict, repr=False)

    def origin(self, path: Path) -> str:
        """Return the name of the file (or :data:`BASE`) that set the value at *path*, or the nearest one above it."""
        return self.origins.get(self._anchor(path), BASE)

    def quote(self, path: Path) -> str:
        """Return the text at *path* as it is written, quoted, for a message."""
        return repr(value_at(self.written, path))

    def lines(self, problems: Iterable[tuple[Path, str]]) -> tuple[str, ...]:
        """Return ``file: key.path: what is wrong`` for each problem, in the order of files and keys."""
        rank = {path: position for position, path in enumerate(self.origins)}

        def position(problem: tuple[Path, str]) -> tuple[int, list[tuple[bool, str | int]]]:
            anchor = self._anchor(problem[0])
            return rank.get(anchor, -1), [(isinstance(step, str), step) for step in problem[0][len(anchor) :]]

        ordered = sorted(problems, key=position)
        lines = (": ".join(filter(None, (self.origin(path), format_path(path), text))) for path, text in ordered)
        return tuple(dict.fromkeys(lines))

    def _anchor(self, path: Path) -> Path:
        while path and path not in self.origins:
            path = path[:-1]
        return path


@dataclass(frozen=True)
class Report:
    """What checking a configuration found.

    Attributes:
        config: what could be read, merged.
        problems: one line each, why it cannot be used; empty if it can.
    """

    config: Config
    problems: tuple[str, ...] = ()
