"""``cloudmarker`` without ``-n``: the scheduler, with a configuration that can be read again, health and metrics."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from cloudmarker import _rehearsal, logs
from cloudmarker.config import load
from cloudmarker.errors import ConfigError
from cloudmarker.health import HealthFile
from cloudmarker.metrics import Metrics
from cloudmarker.results import AuditResult
from cloudmarker.scheduler import Plan, Scheduler, SystemClock
from cloudmarker.signals import Signals

Run = Callable[[Mapping[str, Any], Sequence[str], Callable[[], None], list[int]], Sequence[AuditResult]]
"""Runs audits: configuration, keys, what to call meanwhile, and signals as in :func:`cloudmarker.manager.run`."""

log = logging.getLogger("cloudmarker.scheduler")


def serve(config_paths: Sequence[str] | None, run: Run) -> None:
    """Run audits by their schedules until SIGTERM or SIGINT; read the configuration again at SIGHUP.

    Args:
        config_paths: configuration files, None for the default ones.
        run: runs audits and shows what became of them.

    Raises:
        ConfigError: the configuration cannot be used; nothing has run.
    """
    with Signals() as signals, contextlib.closing(Metrics()) as metrics:
        setup = _Setup(config_paths, metrics, HealthFile())
        warnings: list[str] = []
        try:
            plan = setup.read(warnings.append)
        finally:
            for warning in warnings:
                _warn(warning)
        Scheduler(
            plan,
            lambda config, keys, tick: run(config, keys, tick, signals.more),
            lambda: setup.read(log.warning),
            signals,
            SystemClock(signals),
            (setup.health, metrics),
            _print,
        ).serve()


class _Setup:
    """What a configuration sets up in this process; one that cannot be used changes nothing."""

    def __init__(self, config_paths: Sequence[str] | None, metrics: Metrics, health: HealthFile) -> None:
        self.metrics = metrics
        self.health = health
        self._paths = config_paths
        self._used: Mapping[str, Any] | None = None

    def read(self, warn: Callable[[str], object]) -> Plan:
        """Read the configuration, check all of it, set up what it says, and return what is to be run.

        Raises:
            ConfigError: it cannot be used.
        """
        time.tzset()  # the clock of this machine may have been moved to another zone
        config = load(self._paths)
        for warning in config.warnings:
            warn(warning)
        _rehearsal.rehearse(config.data, config.data["run"])
        try:
            self._use(config.data)
        except ConfigError:
            if self._used is not None:
                self._use(self._used)
            raise
        self._used = config.data
        return Plan.of(config.data)

    def _use(self, config: Mapping[str, Any]) -> None:
        logs.configure(config["logger"])
        self.health.use((config.get("health") or {}).get("file"))
        self.metrics.listen((config.get("metrics") or {}).get("address"))


def _warn(warning: str) -> None:
    """Print a warning, or log it if a program reads what is printed."""
    if logs.console_is_json():
        log.warning("%s", warning)
    else:
        click.echo(f"warning: {warning}", err=True)


def _print(line: str) -> None:
    """Print what is next, unless the log goes to the terminal anyway."""
    if not logs.console_handlers():
        click.echo(line)
