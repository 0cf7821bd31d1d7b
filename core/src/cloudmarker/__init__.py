"""Cloudmarker: audit cloud accounts with plugins for clouds, stores, events and alerts."""

from __future__ import annotations

from cloudmarker import _oldnames

_oldnames.install()


def __getattr__(name: str) -> str:
    if name == "__version__":  # read on demand: importlib.metadata costs 20 ms that `import cloudmarker` need not pay
        from importlib.metadata import version

        return version("cloudmarker")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
