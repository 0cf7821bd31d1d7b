"""The documented utility functions in one place; each lives in the module named after its idea.

Configuration, plugins and the command line are imported when their functions are first used, so that a plugin that only
wants words or ports does not load them.

>>> from cloudmarker import util
>>> util.friendly_list(["apple", "ball", "cat"])
'apple, ball, and cat'
>>> util.merge_dicts({"a": "apple", "b": "ball"}, {"b": "bat", "c": "cat"})
{'a': 'apple', 'b': 'bat', 'c': 'cat'}
>>> plugin = util.load_plugin({
...     "plugin": "cloudmarker.clouds.mockcloud.MockCloud",
...     "params": {"record_count": 4, "record_types": ("baz", "qux")},
... })
>>> type(plugin)
<class 'cloudmarker.clouds.mockcloud.MockCloud'>
>>> for record in plugin.read():
...     print(record["raw"]["data"], record["ext"]["record_type"], record["com"]["record_type"])
0 baz mock
1 qux mock
2 baz mock
3 qux mock
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from cloudmarker.errors import PluginError
from cloudmarker.text import PluralizeError, friendly_list, friendly_string, pluralize, wrap_paragraphs

if TYPE_CHECKING:
    from cloudmarker.cli import parse_cli
    from cloudmarker.config import load_config, merge_dicts
    from cloudmarker.firewall import expand_port_ranges
    from cloudmarker.mail import send_email
    from cloudmarker.plugins import load_plugin

__all__ = [
    "PluginError",
    "PluralizeError",
    "expand_port_ranges",
    "friendly_list",
    "friendly_string",
    "load_config",
    "load_plugin",
    "merge_dicts",
    "parse_cli",
    "pluralize",
    "send_email",
    "wrap_paragraphs",
]

_LAZY = {
    "expand_port_ranges": "cloudmarker.firewall",
    "load_config": "cloudmarker.config",
    "load_plugin": "cloudmarker.plugins",
    "merge_dicts": "cloudmarker.config",
    "parse_cli": "cloudmarker.cli",
    "send_email": "cloudmarker.mail",
}
"""Name → the module it is in, imported on first use."""


def __getattr__(name: str) -> Any:
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(module), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
