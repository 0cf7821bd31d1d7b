"""The base configuration.

Attributes:
    config_yaml (str): the base config as YAML, as ``cloudmarker --print-base-config`` prints it.
    config_dict (dict[str, Any]): the same as a dictionary.

Both are made on first use, of what the installed distributions contribute, so that importing this module costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    config_yaml: str
    config_dict: dict[str, Any]

__all__ = ["config_dict", "config_yaml"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from cloudmarker.config.base import base_config
    from cloudmarker.config.merge import merge_dicts

    text, data, _ = base_config()
    globals().update(config_yaml=text, config_dict=merge_dicts(data))
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
