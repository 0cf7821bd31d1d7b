"""Showing a configuration."""

from __future__ import annotations

from collections.abc import Sequence

from cloudmarker.config.loading import combine
from cloudmarker.config.masking import mask
from cloudmarker.errors import ConfigError


def show_yaml(paths: Sequence[str] | None = None) -> str:
    """Return the configuration in *paths* (as in :func:`cloudmarker.config.load`) as YAML, secrets masked.

    Only the files need be right: that a name leads nowhere or a variable is not set is easier to find by looking.

    Raises:
        ConfigError: a file cannot be read or is not valid YAML.
    """
    import yaml

    config, problems = combine(paths)
    if problems:
        raise ConfigError(problems)
    return yaml.safe_dump(
        mask(config.written), sort_keys=False, default_flow_style=False, allow_unicode=True, width=1000
    )
