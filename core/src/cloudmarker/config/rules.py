"""What a configuration must hold beyond its types: names that lead somewhere, and names that can be used.

The rules look at data that may be of any shape: what has the wrong type was reported by
:mod:`cloudmarker.config.typecheck` and is passed over here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from cloudmarker.config import filterrules, servicerules
from cloudmarker.config.model import Config, Path
from cloudmarker.config.pluginrules import LISTS, Plugins
from cloudmarker.config.typecheck import Problem

MAX_KEY_BYTES = 100
"""The longest plugin or audit key: two of them, a suffix and a separator fit into a file name (255 bytes)."""


def broken_rules(config: Config, also: Sequence[str] = ()) -> tuple[list[Problem], list[Problem]]:
    """Return the problems with *config*, and what deserves a warning.

    Classes are imported only for the plugins of audits that ``run`` or *also* names; if ``run`` names one that is not
    there, of all.
    """
    data = config.data
    plugins = Plugins(config)
    problems = [
        *_keys(data),
        *plugins.check_names(),
        *_references(data, plugins),
        *_run(config, plugins),
        *_logger(config),
        *filterrules.check_filters(data),
        *servicerules.check_schedules(config),
        *servicerules.check_metrics(config),
    ]
    audits = mapping(data.get("audits"))
    named = [key for _, key in texts(data.get("run"))]
    running = [key for key in named if key in audits]
    asked = [key for key in also if key in audits]
    clashes = [*_worker_names(audits, running)]
    problems += clashes
    problems += [problem for problem in _worker_names(audits, asked) if problem not in clashes]
    found, warnings = filterrules.check_suppressions(config)
    problems += found
    warnings += servicerules.check_unused(config)
    for audit in dict.fromkeys([*running, *asked] if running == named else audits):
        for path, name in _members(audits, audit):
            found, advice = plugins.check_use(path, name)
            problems += found
            warnings += advice
    return problems, warnings


def mapping(value: Any) -> dict[str, Any]:
    """Return *value* if it is a mapping, else an empty one."""
    return value if isinstance(value, dict) else {}


def texts(value: Any) -> Iterator[tuple[int, str]]:
    """Yield the texts in *value*, but empty ones, with their positions, if it is a list."""
    for position, item in enumerate(value if isinstance(value, list) else ()):
        if isinstance(item, str) and item:
            yield position, item


def _members(audits: dict[str, Any], audit: str) -> Iterator[tuple[Path, str]]:
    """Yield the plugins of *audit*: where each is named, and its name."""
    for kinds in LISTS:
        for position, name in texts(mapping(audits.get(audit)).get(kinds)):
            yield ("audits", audit, kinds, position), name


def _keys(data: dict[str, Any]) -> Iterator[Problem]:
    """Keys become file names and parts of them."""
    for section in ("plugins", "audits"):
        for key in mapping(data.get(section)):
            fault = _key_fault(key)
            if fault:
                yield (section, key), f"the key {fault}; it is used in file names: choose another"


def _key_fault(key: str) -> str | None:
    if not key:
        return "is empty"
    if key.startswith("."):
        return "begins with a dot"
    if re.search(r"[/\\\x00-\x1f\x7f]", key):
        return "has a slash, a backslash or a control character in it"
    if len(key.encode("utf-8", "surrogatepass")) > MAX_KEY_BYTES:
        return f"is longer than {MAX_KEY_BYTES} bytes"
    return None


def _references(data: dict[str, Any], plugins: Plugins) -> Iterator[Problem]:
    """Audits name plugins that exist, of the right kind, each once, and at least one cloud."""
    audits = mapping(data.get("audits"))
    for audit, definition in audits.items():
        if not isinstance(definition, dict):
            continue
        if not definition.get("clouds"):
            yield ("audits", audit), "an audit without a cloud reads nothing; name at least one under 'clouds'"
        seen: set[tuple[str | int, ...]] = set()
        for path, name in _members(audits, audit):
            if (*path[:-1], name) in seen:
                yield path, f"{plugins.config.quote(path)} is named twice in this list; name it once"
            elif fault := plugins.missing(path, name):
                yield path, fault
            else:
                yield from filterrules.check_use(data, path, name)
            seen.add((*path[:-1], name))


def _run(config: Config, plugins: Plugins) -> Iterator[Problem]:
    audits = config.data.get("audits")
    if not isinstance(audits, dict):
        return
    seen: set[str] = set()
    for position, key in texts(config.data.get("run")):
        path: Path = ("run", position)
        if key in seen:
            yield path, f"the audit {config.quote(path)} is named twice; name it once"
        elif key not in audits:
            remedy = plugins.did_you_mean(key, audits) or "define it under audits"
            yield path, f"no audit named {config.quote(path)}; {remedy}"
        seen.add(key)


def _worker_names(audits: dict[str, Any], running: list[str]) -> Iterator[Problem]:
    """Records and files carry ``<audit>_<plugin>``: it must tell apart everything that yields records in one run."""
    taken = {f"{audit}_audit": f"cloudmarker's own of the audit {audit!r}" for audit in running}
    for audit in dict.fromkeys(running):
        for path, name in _members(audits, audit):
            if path[2] not in ("clouds", "events"):
                continue
            worker = f"{audit}_{name}"
            owner = f"those of {name!r} in the audit {audit!r}"
            if taken.setdefault(worker, owner) != owner:
                yield path, f"its records would be named {worker!r}, like {taken[worker]}; choose another key"


def _logger(config: Config) -> Iterator[Problem]:
    """Names in the logging configuration lead somewhere; the rest is for logging.config to judge."""
    logger = mapping(config.data.get("logger"))
    if logger and logger.get("version") != 1:
        yield ("logger", "version"), "expected 1, the only version of Python's logging configuration"
    handlers = mapping(logger.get("handlers"))
    formatters = mapping(logger.get("formatters"))
    for key, handler in handlers.items():
        name = mapping(handler).get("formatter")
        if isinstance(name, str) and name not in formatters:
            path: Path = ("logger", "handlers", key, "formatter")
            yield path, f"no formatter named {config.quote(path)} under logger.formatters"
    loggers: list[tuple[Path, Any]] = [(("logger", "root"), logger.get("root"))]
    loggers += [(("logger", "loggers", key), value) for key, value in mapping(logger.get("loggers")).items()]
    for path, value in loggers:
        for position, name in texts(mapping(value).get("handlers")):
            if name not in handlers:
                here = (*path, "handlers", position)
                yield here, f"no handler named {config.quote(here)} under logger.handlers"
