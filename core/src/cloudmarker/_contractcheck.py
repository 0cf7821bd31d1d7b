"""Checking a class against the contract of its kind without making an object of it.

This finds what can be seen from outside: methods that are missing, or that cannot be called as the framework calls
them. :func:`cloudmarker.testing.check_plugin` goes further and runs the plugin.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import get_args

from cloudmarker import contracts
from cloudmarker.contracts import Bucket, Kind

CONTRACTS: Mapping[Kind, tuple[type, type | None]] = {
    "cloud": (contracts.Cloud, None),
    "event": (contracts.Event, contracts.OptionalEvent),
    "store": (contracts.Store, contracts.OptionalStore),
    "alert": (contracts.Alert, contracts.OptionalStore),
}
"""For each kind what a plugin must have, and what it may have besides."""


def kind_of(cls: type) -> Kind | None:
    """Return the first kind whose methods *cls* has, or None; an alert is a store by its methods."""
    for kind, (contract, _) in CONTRACTS.items():
        if all(callable(getattr(cls, name, None)) for name in _methods(contract)):
            return kind
    return None


def contract_faults(cls: type, kind: Kind) -> Iterator[str]:
    """Yield each way in which *cls* breaks the contract of *kind*, in a few words."""
    required, optional = CONTRACTS[kind]
    for name, method in _methods(required).items():
        if getattr(cls, name, None) is None:
            yield f"has no method {name}{_call(method)}"
        else:
            yield from _method_faults(cls, name, method)
    if optional is not None:
        for name, method in _methods(optional).items():
            if getattr(cls, name, None) is not None:
                yield from _method_faults(cls, name, method)
        yield from _attribute_faults(cls, optional)


def _methods(contract: type) -> dict[str, inspect.Signature]:
    functions = {name: value for name, value in vars(contract).items() if inspect.isfunction(value)}
    return {name: inspect.signature(value) for name, value in functions.items() if not name.startswith("_")}


def _call(method: inspect.Signature) -> str:
    return f"({', '.join(name for name in method.parameters if name != 'self')})"


def _method_faults(cls: type, name: str, method: inspect.Signature) -> Iterator[str]:
    found = inspect.getattr_static(cls, name)
    if isinstance(found, (staticmethod, classmethod)):
        arguments = len(method.parameters) - 1
        found = found.__func__ if isinstance(found, staticmethod) else getattr(cls, name)
    else:
        arguments = len(method.parameters)  # with self
    if not callable(found):
        yield f"has {name}, which is not a method"
        return
    if inspect.iscoroutinefunction(found) or inspect.isasyncgenfunction(found):
        yield f"has {name} as an async method, which is called like any other"
        return
    try:
        inspect.signature(found).bind(*range(arguments))
    except TypeError:
        yield f"has {name}{inspect.signature(found)}, which cannot be called as {name}{_call(method)}"


def _attribute_faults(cls: type, optional: type) -> Iterator[str]:
    allowed: Mapping[str, Sequence[str]] = {"record_types": (), "buckets": get_args(Bucket)}
    for name in set(allowed) & set(optional.__annotations__):
        value = inspect.getattr_static(cls, name, None)
        if value is None or inspect.isdatadescriptor(value):  # not there, or a property that only an object can answer
            continue
        if isinstance(value, str) or not isinstance(value, Sequence) or not all(isinstance(v, str) for v in value):
            yield f"has {name} = {value!r}, which is not a list or tuple of strings"
        elif allowed[name] and not {v for v in value if not v.startswith("com.")} <= set(allowed[name]):
            yield f"has {name} = {value!r}, which may hold only {', '.join(allowed[name])} and com.FIELD"
