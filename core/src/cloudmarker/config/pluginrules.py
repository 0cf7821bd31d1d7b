"""The plugins that a configuration names: whether they exist, are of the right kind and take their parameters."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args

from cloudmarker import _oldnames
from cloudmarker._contractcheck import contract_faults
from cloudmarker.config.filterrules import check_types
from cloudmarker.config.interpolate import has_reference
from cloudmarker.config.model import BASE, Config, Path, value_at
from cloudmarker.config.typecheck import MISPLACED, Problem, annotation, differences
from cloudmarker.contracts import Kind
from cloudmarker.errors import PluginError
from cloudmarker.plugins import constructor_parameters, load_class, registry, suggest

LISTS: dict[str, Kind] = {"clouds": "cloud", "stores": "store", "events": "event", "alerts": "alert"}
"""The lists of an audit, and the plugin kind each is for."""

_METHODS: dict[str, set[Kind]] = {"read": {"cloud"}, "eval": {"event"}, "write": {"store", "alert"}}
_CLASS_PATH = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*[.:][^\W\d]\w*")


class Plugins:
    """The plugins that the audits of *config* can name: entries under ``plugins``, and registered short names.

    Attributes:
        config: what is checked.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        plugins = config.data.get("plugins")
        self._known = isinstance(plugins, dict)
        self._entries: Mapping[str, Any] = plugins if isinstance(plugins, dict) else {}
        self._registered = registry().plugins
        self._classes: dict[str, type | None] = {}

    def did_you_mean(self, name: str, candidates: Iterable[str]) -> str | None:
        """Return the question that suggests the likeliest of *candidates*, or None."""
        suggestion = suggest(name, candidates)
        return f"did you mean {suggestion!r}?" if suggestion else None

    def check_names(self) -> Iterator[Problem]:
        """Yield what is wrong with the values of ``plugin``, without importing anything."""
        for key, entry in self._entries.items():
            if not isinstance(entry, dict):
                continue
            name = entry.get("plugin", key)
            if "plugin" not in entry and key not in self._registered:
                yield ("plugins", key), "'plugin' is missing; give the short name or the dotted name of a class"
            elif not isinstance(name, str) or not name or name in self._registered:
                continue
            elif not re.search(r"[.:]", name):
                path = ("plugins", key, "plugin")
                if not self._only_disputed(path, name):  # that stops the audits that use it, and is said by check_use
                    yield path, self._unknown(name, path, self._registered)
            elif not _CLASS_PATH.fullmatch(name):
                path = ("plugins", key, "plugin")
                yield path, f"{self.config.quote(path)} is not the dotted name of a class, such as package.module.Class"

    def missing(self, path: Path, name: str) -> str | None:
        """Return why an audit cannot name *name* at *path*, or None if nothing says so without importing a class."""
        if name not in self._entries and name not in self._registered:
            return self._unknown(name, path, [*self._entries, *self._registered]) if self._known else None
        plugin = self._registered.get(self._plugin(name))
        return self._misplaced(path, {plugin.spec.kind}) if plugin else None

    def check_use(self, path: Path, name: str) -> tuple[list[Problem], list[Problem]]:
        """Return problems and warnings about the plugin *name* that an audit to be run names at *path*."""
        plugin = self._plugin(name)
        if (name in self._entries and not isinstance(self._entries[name], dict)) or not _names_a_class(plugin):
            return [], []
        registered = self._registered.get(plugin)
        if registered is None and not re.search(r"[.:]", plugin):
            path = ("plugins", name, "plugin")
            return [(path, self._unknown(plugin, path, ()))] if self._only_disputed(path, plugin) else [], []
        problems: list[Problem] = []
        if name not in self._classes:
            self._classes[name] = None
            try:
                self._classes[name] = load_class(plugin)
            except PluginError as exc:
                problems.append(self._load_problem(path, name, plugin, str(exc)))
            else:
                problems += self._check_params(path, name, self._classes[name])
        cls = self._classes[name]
        if cls is None:
            return problems, []
        kinds = {registered.spec.kind} if registered else self._kinds(cls)
        if not registered and (fault := self._misplaced(path, kinds)):
            problems.append((path, fault))
        elif kinds & _interchangeable(LISTS[str(path[2])]):
            faults = contract_faults(cls, LISTS[str(path[2])])
            problems += [
                (path, f"{self.config.quote(path)} cannot be used here: its class {fault}") for fault in faults
            ]
        mismatches, warnings = check_types(self.config.data, name, cls)
        problems += mismatches
        if path[2] == "stores" and kinds == {"alert"}:
            advice = "is an alert plugin: here it sends out every record of the clouds, not the events"
            warnings.append((path, f"{self.config.quote(path)} {advice}; did you mean 'alerts'?"))
        return problems, warnings

    def _only_disputed(self, path: Path, plugin: str) -> bool:
        """Return whether the base config names a plugin at *path* whose short name another distribution claims too."""
        return plugin in registry().disputed and self.config.origin(path) == BASE

    def _plugin(self, name: str) -> Any:
        entry = self._entries.get(name)
        return entry.get("plugin", name) if isinstance(entry, dict) else name

    def _unknown(self, name: str, path: Path, candidates: Iterable[str]) -> str:
        """Return that *name* at *path* is unknown, with what to do about it."""
        if name in _oldnames.BY_SHORT_NAME or name in registry().disputed:
            try:
                load_class(name)
            except PluginError as exc:
                return self._as_written(str(exc), name, path)
        remedy = self.did_you_mean(name, [*candidates, *_oldnames.BY_SHORT_NAME])
        if remedy is None:
            remedy = "see 'cloudmarker plugins list', or define it under plugins with the dotted name of its class"
        return f"no plugin named {self.config.quote(path)}; {remedy}"

    def _as_written(self, message: str, name: str, path: Path) -> str:
        """Return *message* with *name* as the file has it: it may have come out of a ``${…}``."""
        written = value_at(self.config.written, path)
        return message.replace(name, written) if has_reference(written) else message

    def _load_problem(self, path: Path, name: str, plugin: str, message: str) -> Problem:
        where: Path = ("plugins", name, "plugin")
        if value_at(self.config.written, where) is None:
            where = path  # a short name used directly
        return where, self._as_written(message, plugin, where)

    def _kinds(self, cls: type) -> set[Kind]:
        """Return what *cls* can be used as: what it is registered as, else what its methods allow."""
        target = f"{cls.__module__}:{cls.__qualname__}"
        registered: set[Kind] = {known.spec.kind for known in self._registered.values() if known.spec.target == target}
        return registered or {
            kind for method, kinds in _METHODS.items() if callable(getattr(cls, method, None)) for kind in kinds
        }

    def _misplaced(self, path: Path, kinds: set[Kind]) -> str | None:
        """Return why a plugin of *kinds* cannot stand at *path*, or None if it can, as a store can for an alert."""
        if kinds & _interchangeable(LISTS[str(path[2])]):
            return None
        if not kinds:
            return f"{self.config.quote(path)} is no plugin: its class has none of the methods read, eval and write"
        is_a = " or ".join(f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}" for kind in get_args(Kind) if kind in kinds)
        belongs = " or ".join(f"'{key}'" for key, kind in LISTS.items() if kind in kinds)
        return f"{self.config.quote(path)} is {is_a} plugin; it belongs under {belongs}"

    def _check_params(self, use: Path, name: str, cls: type | None) -> Iterator[Problem]:
        assert cls is not None  # noqa: S101  for the type checker
        entry = self._entries.get(name)
        params = (entry.get("params") if isinstance(entry, dict) else None) or {}
        if not isinstance(params, dict):
            return
        where: Path = ("plugins", name) if isinstance(entry, dict) else use
        takes = constructor_parameters(cls)
        open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in takes.values())
        names = [key for key, parameter in takes.items() if parameter.kind is not parameter.VAR_KEYWORD]
        for key, value in params.items():
            path = (*where, "params", key)
            if key in names:
                yield from self._check_value(path, value, takes[key], cls)
            elif not open_ended:
                remedy = self.did_you_mean(key, names) or f"it takes {', '.join(names) or 'none'}"
                remedy = MISPLACED.get(key, remedy)
                yield path, f"{cls.__name__} takes no parameter {key!r}; {remedy}"
        needed = [key for key in names if takes[key].default is inspect.Parameter.empty and key not in params]
        if needed:
            noun, pronoun = ("parameter", "it") if len(needed) == 1 else ("parameters", "them")
            yield where, f"{cls.__name__} needs the {noun} {', '.join(map(repr, needed))}; set {pronoun} under 'params'"

    def _check_value(self, path: Path, value: Any, parameter: inspect.Parameter, cls: type) -> Iterator[Problem]:
        """Compare *value* with its annotation, if any. What comes from ``${…}`` is text, whatever it stands for."""
        if holds_reference(value_at(self.config.written, path)) or value == parameter.default:
            return
        yield from differences(value, annotation(cls, parameter), path)


def _interchangeable(kind: Kind) -> set[Kind]:
    """Return the kinds that can stand where *kind* is wanted."""
    return {"store", "alert"} if kind in ("store", "alert") else {kind}


def _names_a_class(plugin: Any) -> bool:
    return isinstance(plugin, str) and bool(plugin)


def holds_reference(value: Any) -> bool:
    """Return whether there is a ``${…}`` in *value*, as it is written."""
    if isinstance(value, dict):
        return any(map(holds_reference, value.values()))
    if isinstance(value, list):
        return any(map(holds_reference, value))
    return has_reference(value)
