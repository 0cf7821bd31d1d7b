"""The registry: what the installed distributions provide, checked, by name."""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Generic, TypeVar, get_args

from cloudmarker._discovery import BROKEN, CORE, Source, discover, one_line
from cloudmarker.contracts import Kind
from cloudmarker.hookspecs import CommandSpec, PluginSpec

if TYPE_CHECKING:
    from cloudmarker.results import AuditInfo, AuditResult

KINDS: tuple[Kind, ...] = get_args(Kind)

_log = logging.getLogger("cloudmarker.plugins")
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_TARGET = re.compile(r"\w+(\.\w+)*:\w+")

Spec = TypeVar("Spec", PluginSpec, CommandSpec)


@dataclass(frozen=True)
class Plugin:
    """A registered plugin.

    Attributes:
        spec: what its distribution registered.
        distribution: the distribution's name.
        version: the distribution's version.
    """

    spec: PluginSpec
    distribution: str
    version: str


@dataclass(frozen=True)
class _Names(Generic[Spec]):
    """The specs of one hook by name, those that more than one source claims, and what is wrong, one line each."""

    owned: Mapping[str, tuple[Spec, Source]]
    disputed: Mapping[str, str]
    problems: tuple[str, ...]


class Registry:
    """What the installed distributions provide.

    Each hook is called when its answer is first asked for, and once. Whatever is wrong with one distribution costs only
    what is wrong, and is a line in :attr:`problems`.
    """

    def __init__(self, sources: Iterable[Source], problems: Iterable[str] = ()) -> None:
        self._sources = tuple(sources)
        self._problems = tuple(problems)

    @cached_property
    def plugins(self) -> Mapping[str, Plugin]:
        """The plugins by short name, core's first, then by distribution name."""
        owned = self._plugins.owned
        return MappingProxyType(
            {name: Plugin(spec, source.distribution, source.version) for name, (spec, source) in owned.items()}
        )

    @property
    def disputed(self) -> Mapping[str, str]:
        """The short names that more than one distribution claims and none has, each with the line that says so."""
        return self._plugins.disputed

    @cached_property
    def commands(self) -> Mapping[str, CommandSpec]:
        """The subcommands by name. Of a name that is claimed twice core's is used, and if none is core's, none."""
        return MappingProxyType({name: spec for name, (spec, _) in self._commands.owned.items()})

    @property
    def base_configs(self) -> tuple[tuple[str, str], ...]:
        """The distributions that contribute to the base config, and their YAML, core's first, then by name."""
        return self._base_configs[0]

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with the installed distributions, one line each, naming the distribution."""
        return (*self._problems, *self._plugins.problems, *self._commands.problems, *self._base_configs[1])

    def audit_begin(self, audit: AuditInfo) -> None:
        """Tell every distribution that an audit begins. Exceptions are logged."""
        for source in self._sources:
            _notify(source, "cloudmarker_audit_begin", partial(source.audit_begin, audit))

    def audit_end(self, result: AuditResult) -> None:
        """Tell every distribution that an audit has ended. Exceptions are logged."""
        for source in self._sources:
            _notify(source, "cloudmarker_audit_end", partial(source.audit_end, result))

    @cached_property
    def _plugins(self) -> _Names[PluginSpec]:
        return _collect(self._sources, "cloudmarker_plugins", PluginSpec, Source.plugins, core_wins=False)

    @cached_property
    def _commands(self) -> _Names[CommandSpec]:
        return _collect(self._sources, "cloudmarker_commands", CommandSpec, Source.commands, core_wins=True)

    @cached_property
    def _base_configs(self) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
        found: list[tuple[str, str]] = []
        problems: list[str] = []
        for source in self._sources:
            texts = _call(source, "cloudmarker_base_config", source.base_configs, problems)
            found += [(source.distribution, text) for text in texts]
        return tuple(found), tuple(problems)


@cache
def registry() -> Registry:
    """Return the registry of this process, made at the first call; ``registry.cache_clear()`` forgets it."""
    return Registry(*discover())


T = TypeVar("T")


def _notify(source: Source, hook: str, call: Callable[[], None]) -> None:
    try:
        call()
    except BROKEN as exc:
        _log.error("%s: the hook %s failed: %s", source, hook, one_line(exc), exc_info=exc)


def _call(source: Source, hook: str, call: Callable[[], list[T]], problems: list[str]) -> list[T]:
    try:
        return call()
    except BROKEN as exc:
        problems.append(f"{source}: the hook {hook} failed: {one_line(exc)}")
        return []


def _collect(
    sources: Iterable[Source], hook: str, kind: type[Spec], call: Callable[[Source], list[Spec]], *, core_wins: bool
) -> _Names[Spec]:
    """Call *hook* on every source, drop what is malformed, and settle who has which name."""
    claims: dict[str, list[tuple[Spec, Source]]] = defaultdict(list)
    problems: list[str] = []
    for source in sources:
        for spec in _call(source, hook, partial(call, source), problems):
            fault = _fault(spec, kind)
            if fault:
                problems.append(f"{source}: the hook {hook} returned {fault}")
            else:
                claims[spec.name].append((spec, source))
    owned = {name: found[0] for name, found in claims.items() if len(found) == 1}
    disputed: dict[str, str] = {}
    for name, found in claims.items():
        if len(found) > 1:
            who = " and ".join(dict.fromkeys(str(source) for _, source in found))
            what = "plugin" if kind is PluginSpec else "command"
            core = [claim for claim in found if claim[1].distribution == CORE] if core_wins else []
            if len(core) == 1:
                owned[name] = core[0]
                problems.append(f"{who}: more than one {what} is named '{name}'; {CORE}'s is used")
                continue
            disputed[name] = f"{who}: more than one {what} is named '{name}', so the name means none of them"
    return _Names(owned, disputed, (*problems, *disputed.values()))


def _fault(spec: object, kind: type[Spec]) -> str | None:
    """Return what is wrong with one answer of a registration hook, or None."""
    if not isinstance(spec, kind):
        return f"{type(spec).__name__} where a {kind.__name__} belongs"
    fields = (("name", _NAME, "letters, digits, '_' and '-'"), ("target", _TARGET, "'package.module:name'"))
    for field, pattern, form in fields:
        value = getattr(spec, field)
        if not isinstance(value, str) or not pattern.fullmatch(value):
            return f"a {kind.__name__} whose {field} {value!r} is not of the form {form}"
    if not isinstance(spec.summary, str) or len(spec.summary.splitlines()) != 1:
        return f"a {kind.__name__} '{spec.name}' whose summary is not one line of text"
    if isinstance(spec, PluginSpec) and spec.kind not in KINDS:
        return f"a PluginSpec '{spec.name}' of the unknown kind {spec.kind!r}: one of {', '.join(KINDS)}"
    return None
