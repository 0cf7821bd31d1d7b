"""Merging configurations: keys are merged, values are replaced."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from cloudmarker.config.model import Layer, Path


def merge_dicts(*dicts: Mapping[str, Any]) -> dict[str, Any]:
    """Return a deep copy of *dicts* merged into one; the inputs stay as they are.

    Where two of them have a mapping under the same key, the mappings are merged in the same way. Any other value, a
    list too, replaces the one before it.

    Example:
        >>> merge_dicts({'a': 'apple', 'b': 'ball'}, {'b': 'bat', 'c': 'cat'})
        {'a': 'apple', 'b': 'bat', 'c': 'cat'}
        >>> merge_dicts({'run': ['x'], 'log': {'level': 1, 'file': 'f'}}, {'run': ['y'], 'log': {'level': 2}})
        {'run': ['y'], 'log': {'level': 2, 'file': 'f'}}
    """
    merged: dict[str, Any] = {}
    for source in dicts:
        for key, value in source.items():
            if isinstance(value, Mapping):
                before = merged.get(key)
                merged[key] = merge_dicts(before if isinstance(before, Mapping) else {}, value)
            else:
                merged[key] = copy.deepcopy(value)
    return merged


def trace(layers: Iterable[Layer]) -> dict[Path, str]:
    """Return, for the path of each key in *layers*, the name of the last layer that has it.

    The order of the result is that of the layers, and within one layer that of its keys.
    """
    origins: dict[Path, str] = {}

    def visit(path: Path, value: Any, name: str) -> None:
        if path:
            origins.pop(path, None)  # so that it moves to the end
            origins[path] = name
        if isinstance(value, Mapping):
            for key, child in value.items():
                visit((*path, key), child, name)

    for layer in layers:
        visit((), layer.data, layer.name)
    return origins
