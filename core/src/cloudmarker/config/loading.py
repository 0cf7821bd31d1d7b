"""From files to a configuration that can be run, or to all the reasons why not."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from cloudmarker.config.base import base_config
from cloudmarker.config.interpolate import interpolate
from cloudmarker.config.masking import exposed_secrets
from cloudmarker.config.merge import merge_dicts, trace
from cloudmarker.config.model import BASE, Config, Layer, Path, Report
from cloudmarker.config.reading import default_paths, read_files
from cloudmarker.errors import ConfigError


def load(paths: Sequence[str] | None = None, *, missing_ok: bool | None = None, audits: Sequence[str] = ()) -> Config:
    """Return the configuration in the files *paths*, merged over the base config in their order, ready to be run.

    Args:
        paths: the files; None means :func:`cloudmarker.config.default_paths`.
        missing_ok: ignore files that do not exist. By default they are ignored if *paths* is None, and an error if not.
        audits: keys of audits that are to be run whether or not ``run`` names them.

    Raises:
        ConfigError: it cannot be used; all problems, in the order of files and keys.
    """
    report = check(paths, missing_ok=missing_ok, audits=audits)
    if report.problems:
        raise ConfigError(report.problems)
    return report.config


def check(paths: Sequence[str] | None = None, *, missing_ok: bool | None = None, audits: Sequence[str] = ()) -> Report:
    """Return the configuration that :func:`load` would, and every problem with it.

    If a file cannot be read, what is wrong with the files is all that is reported: the rest would be guesses.
    """
    config, problems = combine(paths, missing_ok=missing_ok)
    if problems:
        return Report(config, tuple(problems))

    from cloudmarker.config.rules import broken_rules
    from cloudmarker.config.shape import Root
    from cloudmarker.config.typecheck import differences

    faults: list[tuple[Path, str]] = []
    data = interpolate(config.written, lambda path, fault: faults.append((path, fault)))
    unresolved = {path for path, _ in faults}
    config = dataclasses.replace(config, data=data)
    found, advice = broken_rules(config, audits)
    for problem in (*differences(data, Root), *found):
        if problem[0] not in unresolved:  # its value is not known: that it also looks wrong says nothing
            faults.append(problem)
    warnings = (*config.warnings, *config.lines(advice))
    config = dataclasses.replace(config, data=_complete(data), warnings=warnings)
    return Report(config, config.lines(faults))


def combine(paths: Sequence[str] | None = None, *, missing_ok: bool | None = None) -> tuple[Config, list[str]]:
    """Return the files merged over the base config, nothing replaced or checked, and what is wrong with the files."""
    from cloudmarker.plugins import registry

    layers, problems = read_files(
        default_paths() if paths is None else paths, missing_ok=paths is None if missing_ok is None else missing_ok
    )
    _, base, base_problems = base_config()
    written = merge_dicts(base, *(layer.data for layer in layers))
    config = Config(
        data=written,
        written=written,
        base=merge_dicts(base),
        files=tuple(layer.name for layer in layers),
        warnings=(*registry().problems, *base_problems, *(line for layer in layers for line in exposed_secrets(layer))),
        origins=trace([Layer(BASE, base), *layers]),
    )
    return config, problems


def load_config(config_paths: Sequence[str]) -> dict[str, Any]:
    """Load configuration from the files that exist, merged over the base config in their order.

    References are replaced, but names, types and parameters are not checked: :func:`load` does that.

    Args:
        config_paths: names of files; those that do not exist are ignored.

    Returns:
        The merged configuration.

    Raises:
        ConfigError: a file cannot be read or is not valid YAML, or a reference leads to nothing.
    """
    config, problems = combine(config_paths, missing_ok=True)
    faults: list[tuple[Path, str]] = []
    data = interpolate(config.written, lambda path, fault: faults.append((path, fault)))
    problems += config.lines(faults)
    if problems:
        raise ConfigError(problems)
    return _complete(data)


def _complete(data: dict[str, Any]) -> dict[str, Any]:
    """Return *data* with what may be left out filled in, so that nobody after this has to know it may.

    Short names that audits use directly become entries under ``plugins``, ``params`` a mapping, an audit's lists lists.
    """
    from cloudmarker.config.pluginrules import LISTS
    from cloudmarker.plugins import registry

    audits, plugins = data.get("audits"), data.get("plugins")
    if not isinstance(audits, dict) or not isinstance(plugins, dict):
        return data
    for audit in audits.values():
        if isinstance(audit, dict):
            audit.update({key: audit.get(key) or [] for key in LISTS})
            names = [name for key in LISTS if isinstance(audit[key], list) for name in audit[key]]
            plugins |= {
                name: {"plugin": name}
                for name in names
                if isinstance(name, str) and name not in plugins and name in registry().plugins
            }
    for key, entry in plugins.items():
        if isinstance(entry, dict):
            entry.setdefault("plugin", key)
            entry["params"] = entry.get("params") or {}
    return data
