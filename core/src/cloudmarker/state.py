"""Where cloudmarker keeps what outlives a run: the state directory, in the place that XDG has for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def state_dir(config: Mapping[str, Any]) -> Path:
    """Return the state directory: ``state.path`` of the configuration, else the platform's own for the user."""
    path = (config.get("state") or {}).get("path")
    if path:
        return Path(path).expanduser()
    import platformdirs  # only here: most runs have a worker or two that never need it

    return Path(platformdirs.user_state_dir("cloudmarker"))
