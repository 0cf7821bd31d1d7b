"""The configuration: read, merged, interpolated, checked.

::

    base config ─┐
    file         ├─ read ─► merge ─► interpolate ─► validate ─► Config
    file         ┘

Each step is a module; :func:`load` is all of them. Every message names the file and the key path it is about, all
problems are reported at once, and no message holds a value that came from ``${…}``.

Importing this package is cheap: PyYAML, msgspec and the plugins are imported when something is loaded.
"""

from __future__ import annotations

from cloudmarker.config.loading import check, load, load_config
from cloudmarker.config.merge import merge_dicts
from cloudmarker.config.model import Config, Report
from cloudmarker.config.reading import default_paths

__all__ = ["Config", "Report", "check", "default_paths", "load", "load_config", "merge_dicts"]
