"""Finding plugins: by short name or class path to the class, and from a plugin configuration to the object.

The registry of what the installed distributions provide is built in :mod:`cloudmarker._registry` and offered here.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from cloudmarker import _oldnames
from cloudmarker._discovery import BROKEN, one_line
from cloudmarker._registry import Plugin, Registry, registry
from cloudmarker.errors import PluginError

__all__ = [
    "Plugin",
    "Registry",
    "configured",
    "constructor_parameters",
    "load_class",
    "load_plugin",
    "registry",
    "suggest",
]


def suggest(name: str, candidates: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the candidate that *name* is most likely a misspelling of, or None.

    Args:
        name: what was written.
        candidates: what could have been meant.
        cutoff: how alike they must be, from 0 to 1 (the same).
    """
    return next(iter(get_close_matches(name, list(candidates), n=1, cutoff=cutoff)), None)


def load_class(name: str) -> type:
    """Return the class of a plugin, importing its module.

    Args:
        name: a registered short name (``esstore``), or a class path (``package.module.Class`` or
            ``package.module:Class``); class paths of the 0.1 series work.

    Raises:
        PluginError: there is none, or its module cannot be imported; the text says which and what to do. If an import
            in the plugin's own module failed, that exception is the ``__cause__``.
    """
    if not isinstance(name, str) or not name.strip():
        raise PluginError(f"a plugin is named by a short name or a class path, not by {name!r}")
    if "." in name or ":" in name:
        return _import_class(name)
    plugin = registry().plugins.get(name)
    if plugin is None:
        raise PluginError(_unknown(name))
    return _import_class(plugin.spec.target)


def load_plugin(plugin_config: Mapping[str, Any]) -> object:
    """Construct the plugin object that a plugin configuration describes.

    Args:
        plugin_config: a mapping with the keys ``plugin``, a name as in :func:`load_class`, and optionally ``params``, a
            mapping of the constructor's keyword arguments, or None for no arguments.

    Returns:
        The object: an instance of the class that ``plugin`` names.

    Raises:
        PluginError: the name leads to no class, or the constructor does not take these parameters. What the constructor
            itself raises is passed on.

    >>> plugin = load_plugin({"plugin": "mockcloud", "params": {"record_count": 2}})
    >>> type(plugin).__name__
    'MockCloud'
    """
    if not isinstance(plugin_config, Mapping) or "plugin" not in plugin_config:
        raise PluginError("a plugin configuration is a mapping with the key 'plugin', and optionally 'params'")
    name, params = plugin_config["plugin"], plugin_config.get("params")
    if params is not None and not isinstance(params, Mapping):
        raise PluginError(f"{name}: params is a mapping of parameter names to values, not {type(params).__name__}")
    cls = load_class(name)
    arguments = {} if params is None else dict(params)
    try:
        inspect.signature(cls).bind(**arguments)
    except TypeError as exc:
        raise PluginError(f"{name}: {exc}; it takes {_parameter_list(cls)}") from exc
    plugin: object = cls(**arguments)
    return plugin


def configured(config: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return the plugin configuration of a plugin key; a short name becomes a class path, which needs no registry.

    Args:
        config: the whole configuration.
        key: a key under ``plugins``, or a short name used as one.
    """
    entry = (config.get("plugins") or {}).get(key) or {}
    name = entry.get("plugin", key)
    known = registry().plugins.get(name)
    found = {"plugin": known.spec.target if known else name, "params": entry.get("params") or {}}
    return {**found, "when": entry["when"]} if entry.get("when") else found


def constructor_parameters(cls: type) -> dict[str, inspect.Parameter]:
    """Return the parameters of a plugin class that a configuration can set, in order, by name.

    A constructor that takes any keyword (``**kwargs``) has an entry whose ``kind`` is ``VAR_KEYWORD``. A class may
    declare what such a constructor takes as its ``__signature__``.
    """
    usable = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD)
    return {name: par for name, par in inspect.signature(cls).parameters.items() if par.kind in usable}


def _parameter_list(cls: type) -> str:
    names = [str(par) if par.kind is par.VAR_KEYWORD else par.name for par in constructor_parameters(cls).values()]
    return ", ".join(names) or "no parameters"


def _unknown(name: str) -> str:
    """Return why the short name *name* leads nowhere, and what to do."""
    known = registry()
    if name in known.disputed:
        return f"{known.disputed[name]}: give the class path instead, or uninstall one"
    row = _oldnames.BY_SHORT_NAME.get(name)
    if row and find_spec(row.package) is None:
        return row.not_installed(name)
    near = suggest(name, {*known.plugins, *_oldnames.BY_SHORT_NAME})
    message = f"no plugin named '{name}'"
    if near and near != name:
        message += f"; did you mean '{near}'?"
    elif row:
        message += (
            f": the installed version of {row.distribution} does not provide it: "
            f"pip install --upgrade {row.requirement}"
        )
    else:
        message += "; see 'cloudmarker plugins list', or give a class path such as package.module.Class"
    if known.problems:
        message += " (some installed distributions have problems: see 'cloudmarker plugins list')"
    return message


def _import_class(path: str) -> type:
    module_name, separator, class_name = path.rpartition(":" if ":" in path else ".")
    if not separator or not module_name or not class_name.isidentifier() or module_name.startswith("."):
        raise PluginError(f"'{path}' is not a class path such as package.module.Class")
    module = _import_module(module_name, path)
    try:
        cls = getattr(module, class_name)
    except AttributeError:
        near = suggest(class_name, (name for name, value in vars(module).items() if isinstance(value, type)))
        hint = f"; did you mean '{near}'?" if near else ""
        raise PluginError(f"{path}: the module {module_name} has no class '{class_name}'{hint}") from None
    if not isinstance(cls, type):
        raise PluginError(f"{path} is not a class but {type(cls).__name__}")
    return cls


def _import_module(name: str, path: str) -> ModuleType:
    try:
        return import_module(name)
    except _oldnames.NotInstalledError as exc:
        raise PluginError(str(exc)) from exc
    except ModuleNotFoundError as exc:
        if exc.name != name and not name.startswith(f"{exc.name}."):  # an import of the plugin's module, not it itself
            raise PluginError(f"{path}: importing {name} failed: {one_line(exc)}") from exc
        paths = [plugin.spec.target.replace(":", ".") for plugin in registry().plugins.values()]
        paths += [f"{row.old}.{row.plugin}" for row in _oldnames.TABLE]
        near = suggest(path.replace(":", "."), paths, cutoff=0.85)
        hint = f"did you mean '{near}'?" if near else "is its distribution installed in this Python environment?"
        raise PluginError(f"{path}: there is no module '{exc.name}'; {hint}") from exc
    except BROKEN as exc:
        raise PluginError(f"{path}: importing {name} failed: {one_line(exc)}") from exc
