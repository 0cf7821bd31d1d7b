"""The base config, which holds where no file says otherwise: ``base.yaml``, and what other distributions add."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from cloudmarker.config.merge import merge_dicts
from cloudmarker.config.parsing import SourceError, parse


def core_yaml() -> str:
    """Return core's part of the base config, as YAML."""
    return Path(__file__).with_name("base.yaml").read_text("utf-8")


def base_config() -> tuple[str, dict[str, Any], tuple[str, ...]]:
    """Return the base config as YAML and as a dictionary, and what is wrong with the parts of it.

    A distribution may only add keys under ``plugins``. A part that cannot be used is left out and reported, one line
    with the name of its distribution: it must not keep everything else from working. The dictionary is shared.
    """
    from cloudmarker.plugins import registry

    return _combine(registry().base_configs)


@functools.lru_cache(maxsize=1)
def _combine(parts: tuple[tuple[str, str], ...]) -> tuple[str, dict[str, Any], tuple[str, ...]]:
    (_, text), *others = parts
    data = parse(text)
    problems: list[str] = []
    for distribution, part in others:
        try:
            plugins = _added_plugins(parse(part), data["plugins"])
        except SourceError as exc:
            problems += [f"{distribution}: its base config is left out: {problem}" for problem in exc.problems]
            continue
        data = merge_dicts(data, {"plugins": plugins})
        text = _with_plugins(text, plugins)
    return text, data, tuple(problems)


def _added_plugins(part: dict[str, Any], present: dict[str, Any]) -> dict[str, Any]:
    plugins = part.get("plugins")
    if set(part) != {"plugins"} or not isinstance(plugins, dict):
        raise SourceError("it may hold 'plugins' only")
    taken = sorted(set(plugins) & set(present))
    if taken:
        raise SourceError(*(f"it sets plugins.{key}, which is set already" for key in taken))
    return plugins


def _with_plugins(text: str, plugins: dict[str, Any]) -> str:
    """Return the base config *text* with *plugins* put behind the others, comments and layout kept."""
    import yaml

    block = yaml.safe_dump(plugins, sort_keys=False, default_flow_style=False, allow_unicode=True)
    indented = "".join(f"  {line}\n" for line in block.splitlines())
    before, separator, after = text.partition("\n\naudits:\n")
    return before + "\n" + indented.rstrip("\n") + separator + after
