"""Checks that constructors of plugins have in common; what is wrong is said in the words of the configuration."""

from __future__ import annotations

from pathlib import Path

from cloudmarker.errors import PluginError


def not_positive(**numbers: float | None) -> list[str]:
    """Return a problem for each number that is not more than 0; None stands for one that is not set.

    >>> not_positive(timeout_s=0, retry_deadline_s=300.0, retention_days=None)
    ['timeout_s: must be more than 0']
    """
    return [f"{name}: must be more than 0" for name, value in numbers.items() if value is not None and not value > 0]


def readable_file(path: str, parameter: str) -> str:
    """Return *path* with ``~`` expanded.

    Raises:
        PluginError: there is no file that can be read.
    """
    expanded = Path(path).expanduser()
    try:
        with expanded.open("rb"):
            return str(expanded)
    except OSError as exc:
        raise PluginError(f"{parameter}: {path}: {exc.strerror}") from exc
