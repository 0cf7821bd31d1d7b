"""What the installed distributions register: their entry points, and the hooks behind them.

Every entry point gets a plugin manager of its own. pluggy ends a call at the first exception and a registration at the
first fault; with one manager each, whatever is wrong with one distribution stays there and can be named.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Protocol

import pluggy

from cloudmarker import hookspecs
from cloudmarker.hookspecs import PROJECT, CommandSpec, PluginSpec

if TYPE_CHECKING:
    from importlib_metadata import EntryPoint

    from cloudmarker.results import AuditInfo, AuditResult

GROUP = "cloudmarker"
CORE = "cloudmarker"

BROKEN = (Exception, SystemExit)
"""What code of another distribution may raise without ending ours."""

HOOKS = tuple(name for name in vars(hookspecs) if name.startswith("cloudmarker_"))
"""The names of all hooks."""

_VALUE = re.compile(r"[\w.]+\s*(:\s*[\w.]+)?\s*(\[.*\])?")
_VERSION = re.compile(r"^Version:\s*(\S+)", re.MULTILINE)


def one_line(exc: BaseException) -> str:
    """Return the type and text of *exc* on one line."""
    return f"{type(exc).__name__}: {' '.join(str(exc).split())}".rstrip(": ")


class Distribution(Protocol):
    """What is asked of a distribution of importlib-metadata, whose own type has changed its name."""

    @property
    def name(self) -> str: ...

    @property
    def entry_points(self) -> Iterable[EntryPoint]: ...

    def read_text(self, filename: str) -> str | None: ...


@dataclass(frozen=True)
class Source:
    """One entry point that was loaded: the hooks of its module, each behind a typed method.

    The methods raise whatever the hook raises, and TypeError if it returns nothing where it must return something.

    Attributes:
        distribution: the name of the distribution, normalised (lower case, ``-``).
        version: its version.
        manager: knows the hook specs and this one module.
    """

    distribution: str
    version: str
    manager: pluggy.PluginManager

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"

    def plugins(self) -> list[PluginSpec]:
        """Call :func:`cloudmarker.hookspecs.cloudmarker_plugins`; what the list holds is not checked here."""
        return [spec for specs in self._results("cloudmarker_plugins") for spec in specs]

    def base_configs(self) -> list[str]:
        """Call :func:`cloudmarker.hookspecs.cloudmarker_base_config`."""
        texts = self._results("cloudmarker_base_config")
        for text in texts:
            if not isinstance(text, str):
                raise TypeError(f"it returned {type(text).__name__}, not str")
        return texts

    def commands(self) -> list[CommandSpec]:
        """Call :func:`cloudmarker.hookspecs.cloudmarker_commands`; what the list holds is not checked here."""
        return [spec for specs in self._results("cloudmarker_commands") for spec in specs]

    def audit_begin(self, audit: AuditInfo) -> None:
        """Call :func:`cloudmarker.hookspecs.cloudmarker_audit_begin`."""
        self.manager.hook.cloudmarker_audit_begin(audit=audit)

    def audit_end(self, result: AuditResult) -> None:
        """Call :func:`cloudmarker.hookspecs.cloudmarker_audit_end`."""
        self.manager.hook.cloudmarker_audit_end(result=result)

    def _results(self, hook: str) -> list[Any]:
        caller = getattr(self.manager.hook, hook)
        results: list[Any] = caller()
        if len(results) < len(caller.get_hookimpls()):  # pluggy leaves out None
            raise TypeError("it returned None")
        return results


def discover() -> tuple[tuple[Source, ...], tuple[str, ...]]:
    """Load every entry point of the group, one by one.

    Returns:
        The sources, core's first and then by distribution name; and the problems, one line each, in the same order.
    """
    sources: list[Source] = []
    problems: list[str] = []
    for name, dist in sorted(_distributions(), key=lambda item: (item[0] != CORE, item[0])):
        try:
            points = [point for point in dist.entry_points if point.group == GROUP]
            version = _version(dist)
        except BROKEN as exc:
            problems.append(f"{name}: its metadata cannot be read ({one_line(exc)}); install it again")
            continue
        if version is None:
            problems.append(f"{name}: its metadata is missing; install it again")
            continue
        for point in points:
            source, faults = _load(point, name, version)
            sources += [source] if source else []
            problems += [f"{name} {version}: entry point '{point.name} = {point.value}' {fault}" for fault in faults]
    return tuple(sources), tuple(problems)


def _distributions() -> Iterator[tuple[str, Distribution]]:
    """Yield the distributions that have an entry point in the group.

    Of several with one name the first on the path counts, as it does for imports; one without metadata, as a broken
    uninstall leaves behind, does not hide another.
    """
    import importlib_metadata

    found: dict[str, Distribution] = {}
    installed: Iterable[Distribution] = importlib_metadata.distributions()
    for dist in installed:
        name = _name(dist)
        if name not in found or _version(found[name]) is None:
            found[name] = dist
    for name, dist in found.items():
        try:
            text = dist.read_text("entry_points.txt") or ""
        except UnicodeDecodeError:
            text = f"[{GROUP}]"  # perhaps one of ours: discover() says what is wrong with it
        if f"[{GROUP}]" in text:
            yield name, dist


def _name(dist: Distribution) -> str:
    """Return the normalised name, from the metadata's folder: parsing every METADATA takes ten times as long."""
    folder = getattr(dist, "_path", None)
    name = PurePath(str(folder)).name.partition("-")[0].removesuffix(".egg-info") if folder else dist.name
    return re.sub(r"[-_.]+", "-", name).lower()


def _version(dist: Distribution) -> str | None:
    """Return the version, or None if there is no metadata to read it from."""
    try:
        header = (dist.read_text("METADATA") or dist.read_text("PKG-INFO") or "").partition("\n\n")[0]
    except UnicodeDecodeError:
        return None
    match = _VERSION.search(header)
    return match[1] if match else None


def _load(point: EntryPoint, name: str, version: str) -> tuple[Source | None, list[str]]:
    """Import the module of *point* and match its hooks with the specs; return what works, and what is wrong."""
    if not _VALUE.fullmatch(point.value):
        return None, ["is not of the form 'name = package.module'"]
    try:
        module = point.load()
    except BROKEN as exc:
        return None, [f"cannot be imported: {one_line(exc)}"]
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(module, name=name)
    except BROKEN as exc:
        return None, [f"has a hook that does not fit its specification: {one_line(exc)}"]
    return Source(name, version, manager), list(_faults(module, manager))


def _faults(module: object, manager: pluggy.PluginManager) -> Iterator[str]:
    """Yield what pluggy would pass over in silence: misspelt hooks, unmarked hooks, no hook at all."""
    callers = manager.get_hookcallers(module) or []
    implemented = {caller.name for caller in callers}
    for caller in callers:
        if not caller.has_spec() and not all(impl.optionalhook for impl in caller.get_hookimpls()):
            near = get_close_matches(caller.name, HOOKS, n=1)
            yield f"implements the hook '{caller.name}', which does not exist" + (
                f"; did you mean '{near[0]}'?" if near else ""
            )
    unmarked = [hook for hook in HOOKS if hook not in implemented and hook in getattr(module, "__dict__", {})]
    for hook in unmarked:
        yield f"has a function '{hook}' that is not marked with cloudmarker.hookspecs.hookimpl"
    if not implemented and not unmarked:
        yield "has no hook implementation: mark its functions with cloudmarker.hookspecs.hookimpl"
