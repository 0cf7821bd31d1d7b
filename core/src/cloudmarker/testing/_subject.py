"""The plugin class under check: makes objects of it, calls their methods, and says which rule was broken."""

from __future__ import annotations

import contextlib
import copy
import importlib
import inspect
import io
import pickle
import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from typing import Any, NoReturn

from cloudmarker._contractcheck import contract_faults
from cloudmarker.contracts import Kind, Record
from cloudmarker.plugins import registry
from cloudmarker.records import encode

KIND_OF_METHOD: Mapping[str, Kind] = {"read": "cloud", "eval": "event", "write": "store"}
"""The method that makes a class a plugin of a kind; alerts have the methods of stores."""

_GRACE_S = 2.0
"""How long a thread that was told to end may take."""


class Subject:
    """A plugin class with constructor parameters.

    Every method raises AssertionError with one line if the class breaks a rule.

    Attributes:
        kind: what the class is by its methods.
    """

    def __init__(self, cls: type, params: Mapping[str, Any] | None) -> None:
        self.cls = cls
        self.params = dict(params or {})
        self._threads = set(threading.enumerate())
        self.kind = self._kind()
        self._check_loadable()
        self._check_constructor()
        self._check_registration()

    def fail(self, rule: str) -> NoReturn:
        """Raise AssertionError with *rule* after the name of the class."""
        raise AssertionError(f"{self.cls.__qualname__}{'' if rule.startswith('.') else ': '}{rule}")

    @contextlib.contextmanager
    def calling(self, method: str, allowed: tuple[type[Exception], ...] = ()) -> Iterator[None]:
        """Run the plugin's code inside: it must raise nothing but *allowed*, and print nothing.

        Args:
            method: what is called, for the message, e.g. ``read()``.
            allowed: exceptions that the contract allows here; they pass unchanged.
        """
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed):
                yield
        except allowed:
            raise
        except Exception as exc:  # whatever it is, it is the plugin's failure of this check
            message = " ".join(str(exc).split())  # one line, whatever the library at fault has written
            raise AssertionError(f"{self.cls.__qualname__}.{method} raised {type(exc).__name__}: {message}") from exc
        if printed.getvalue():
            self.fail(
                f".{method} printed {printed.getvalue()[:40]!r}; use logging, standard output is the command's own"
            )

    def make(self) -> Any:
        """Return a new plugin object, as the framework makes one."""
        params = copy.deepcopy(self.params)
        with self.calling("__init__()"):
            plugin = self.cls(**params)
        if params != self.params:
            self.fail(".__init__() changed the parameters it was given; they belong to the configuration")
        return plugin

    def done(self, plugin: Any, when: str) -> None:
        """Call ``done()``; afterwards no thread may be left that keeps the process from ending."""
        with self.calling(f"done() {when}"):
            plugin.done()
        started = [thread for thread in threading.enumerate() if not thread.daemon and thread not in self._threads]
        for thread in started:
            thread.join(_GRACE_S)
        if left := [thread.name for thread in started if thread.is_alive()]:
            self.fail(f".done() {when} left threads running: {', '.join(left)}")

    def record_types(self, plugin: Any) -> frozenset[str] | None:
        """Return the record types that the plugin wants; None for all."""
        wanted = getattr(plugin, "record_types", None)
        return None if wanted is None else frozenset(wanted)

    def wanted(self, plugin: Any, records: Sequence[Record]) -> list[Record]:
        """Return the records among *records* that the plugin wants; there must be one at least."""
        types = self.record_types(plugin)
        chosen = [record for record in records if types is None or record["com"]["record_type"] in types]
        if not chosen:
            self.fail(f"wants only {', '.join(sorted(types or ()))} records: pass some as records=[…] to check it with")
        return chosen

    def check_unchanged(self, method: str, record: Record, shown: Record, before: bytes) -> None:
        """Check that *shown*, which is *record* or part of it, still has the JSON *before* now that *method* saw it."""
        if encode(shown) != before:
            com = record["com"]
            name = f"{com.get('record_type')} {com.get('reference')}"
            self.fail(f".{method} changed the record {name}; records are shared with other plugins")

    def _kind(self) -> Kind:
        found = [name for name in KIND_OF_METHOD if callable(getattr(self.cls, name, None))]
        if len(found) != 1:
            what = f"has {' and '.join(found)}" if found else "has none of them"
            self.fail(f"a plugin has exactly one of the methods read, eval and write; this class {what}")
        kind = KIND_OF_METHOD[found[0]]
        for fault in contract_faults(self.cls, kind):
            self.fail(fault)
        return kind

    def _check_loadable(self) -> None:
        name = f"{self.cls.__module__}.{self.cls.__qualname__}"
        loaded: object = None
        pickled: object = None
        try:
            module: object = importlib.import_module(self.cls.__module__)
            loaded = reduce(getattr, self.cls.__qualname__.split("."), module)
            pickled = pickle.loads(pickle.dumps(self.cls))  # noqa: S301  # what was pickled right here
        except (ImportError, AttributeError, pickle.PicklingError):
            pass
        if loaded is not self.cls or pickled is not self.cls:
            self.fail(f"cannot be loaded as {name}; define it at the top of an importable module")

    def _check_constructor(self) -> None:
        signature = inspect.signature(self.cls)
        for parameter in signature.parameters.values():
            if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL):
                self.fail(f".__init__() parameter {parameter} cannot be given by name, as configurations do")
        try:
            signature.bind(**self.params)
        except TypeError as exc:
            self.fail(f".__init__() does not take these parameters: {exc}")

    def _check_registration(self) -> None:
        target = f"{self.cls.__module__}:{self.cls.__qualname__}"
        for plugin in registry().plugins.values():
            kind = "store" if plugin.spec.kind == "alert" else plugin.spec.kind
            if plugin.spec.target == target and kind != self.kind:
                self.fail(
                    f"is registered as {plugin.spec.kind} {plugin.spec.name}, but has the methods of a {self.kind}"
                )
