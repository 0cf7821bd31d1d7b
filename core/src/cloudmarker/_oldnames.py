"""The module names of the 0.1 series whose plugins now live in distributions of their own.

A finder at the end of :data:`sys.meta_path` resolves an old name to the very module that the new name gives, so
classes, patches and reloads meet the same objects under both names. Modules that stayed in core are not here: they are
real. This is the only place in core that names a service.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from importlib.abc import Loader
else:
    Loader = object  # importing importlib.abc takes longer than all of this module


class OldName(NamedTuple):
    """One module that moved.

    Attributes:
        old: its name in the 0.1 series; empty if it came later.
        new: its name now; the first part is the package of the distribution.
        plugin: the plugin class in it.
        distribution: the distribution it comes with.
        extra: the extra of ``cloudmarker`` that installs it; empty if it needs nothing but its distribution.
    """

    old: str
    new: str
    plugin: str
    distribution: str
    extra: str

    @property
    def short_name(self) -> str:
        """The plugin's short name."""
        return self.plugin.lower()

    @property
    def package(self) -> str:
        """The top-level package of the distribution."""
        return self.new.partition(".")[0]

    @property
    def requirement(self) -> str:
        """What ``pip install`` is to be given, in quotes where a shell needs them."""
        return f"'cloudmarker[{self.extra}]'" if self.extra else self.distribution

    def not_installed(self, name: str) -> str:
        """Return what to tell someone who asked for *name* and has not installed its distribution."""
        return (
            f"{name} is in the distribution {self.distribution}, which is not installed: pip install {self.requirement}"
        )


_CLOUDS, _EVENTS = "cloudmarker.clouds", "cloudmarker.events"
_STORES, _ALERTS = "cloudmarker.stores", "cloudmarker.alerts"
_AZURE, _GCP = ("cloudmarker-azure", "azure"), ("cloudmarker-gcp", "gcp")


def _event(plugin: str) -> OldName:
    return OldName(f"{_EVENTS}.{plugin.lower()}", f"cloudmarker_azure.{plugin.lower()}", plugin, *_AZURE)


def _store(plugin: str, extra: str) -> OldName:
    name = plugin.lower()
    return OldName(f"{_STORES}.{name}", f"cloudmarker_stores.{name}", plugin, "cloudmarker-stores", extra)


def _alert(plugin: str, extra: str) -> OldName:
    name = plugin.lower()
    return OldName(f"{_ALERTS}.{name}", f"cloudmarker_alerts.{name}", plugin, "cloudmarker-alerts", extra)


TABLE: tuple[OldName, ...] = (
    OldName(f"{_CLOUDS}.azcloud", "cloudmarker_azure.azcloud", "AzCloud", *_AZURE),
    OldName(f"{_CLOUDS}.azvm", "cloudmarker_azure.azvm", "AzVM", *_AZURE),
    OldName(f"{_CLOUDS}.gcpcloud", "cloudmarker_gcp.gcpcloud", "GCPCloud", *_GCP),
    _event("AzVMOSDiskEncryptionEvent"),
    _event("AzVMDataDiskEncryptionEvent"),
    _store("EsStore", "es"),
    _store("MongoDBStore", "mongodb"),
    _store("SplunkHECStore", "splunk"),
    _alert("EmailAlert", "email"),
    _alert("SlackAlert", "slack"),
)
"""Every module that moved. Frozen: a name that was released keeps working."""

LATER: tuple[OldName, ...] = (
    _store("QueryStore", "query")._replace(old=""),
    _alert("WebhookAlert", "webhook")._replace(old=""),
    _alert("ConsoleAlert", "")._replace(old=""),
)
"""Plugins of the same distributions without a name of the 0.1 series: only to say what has to be installed for them."""

BY_MODULE: dict[str, OldName] = {row.old: row for row in TABLE}
BY_SHORT_NAME: dict[str, OldName] = {row.short_name: row for row in (*TABLE, *LATER)}
BY_COMMAND: dict[str, OldName] = {"query": BY_SHORT_NAME["querystore"]}
"""The commands that other distributions bring, each with a plugin that is installed along with it."""


class NotInstalledError(ModuleNotFoundError):
    """The distribution that an old name leads to is not installed, or is too old to have the module."""


class _Loader(Loader):
    """Puts the real module in the place of the one the import system made."""

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        # The real module must not be returned here: the import system would overwrite its __spec__ and __loader__.
        return None

    def exec_module(self, module: ModuleType) -> None:
        row = BY_MODULE[module.__name__]
        try:
            sys.modules[row.old] = import_module(row.new)
        except ModuleNotFoundError as exc:
            # `name` is the module that is missing. With the old name there, `from package import module` would take
            # the error for its own "no such submodule" and hide the message.
            if exc.name == row.package:
                raise NotInstalledError(row.not_installed(row.old), name=row.new) from None
            if exc.name == row.new:
                raise NotInstalledError(
                    f"{row.old} is {row.new} of the distribution {row.distribution}, and the installed version does "
                    f"not have it: pip install --upgrade {row.requirement}",
                    name=row.new,
                ) from None
            raise  # something that the plugin's module itself imports


class _Finder:
    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(fullname, _Loader()) if fullname in BY_MODULE else None


_FINDER = _Finder()


def install() -> None:
    """Append the finder to :data:`sys.meta_path`, once: whatever finds a real module comes first."""
    if _FINDER not in sys.meta_path:
        sys.meta_path.append(_FINDER)
