"""What the keys of scheduled mode must hold beyond their types: times that come, addresses that can be served at."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from cloudmarker import netaddress, schedule
from cloudmarker.config.model import Config, Path, value_at
from cloudmarker.config.pluginrules import holds_reference
from cloudmarker.config.typecheck import Problem


def check_schedules(config: Config) -> Iterator[Problem]:
    """Yield what is wrong with ``schedule``, and with those of audits."""
    paths: list[Path] = [("schedule",), *(("audits", key, "schedule") for key in _audits(config))]
    for path in paths:
        for position, entry in schedule.entries(value_at(config.data, path)):
            parts = [entry.get("cron"), entry.get("timezone") or "UTC"] if isinstance(entry, dict) else [entry]
            if all(isinstance(part, str) and part for part in parts):
                try:
                    schedule.Entry.parse(entry)
                except schedule.ScheduleError as exc:
                    yield _problem(config, (*path, *position), str(exc))


def check_unused(config: Config) -> Iterator[Problem]:
    """Yield a warning for each audit that has a schedule, but is not run."""
    run = config.data.get("run")
    for key, audit in _audits(config).items():
        if isinstance(audit, dict) and audit.get("schedule") and isinstance(run, list) and key not in run:
            yield ("audits", key, "schedule"), "this audit is never run by its schedule; name it under run"


def check_metrics(config: Config) -> Iterator[Problem]:
    """Yield what keeps ``metrics`` from being served."""
    path = ("metrics", "address")
    address = value_at(config.data, path)
    if not isinstance(address, str) or not address:
        return
    try:
        netaddress.split(address)
    except ValueError as exc:
        yield _problem(config, path, str(exc))
    if find_spec("prometheus_client") is None:
        yield path, "prometheus-client is not installed: pip install 'cloudmarker[metrics]'"


def _audits(config: Config) -> dict[str, Any]:
    audits = config.data.get("audits")
    return audits if isinstance(audits, dict) else {}


def _problem(config: Config, path: Path, message: str) -> Problem:
    """Return the problem, but not what a ``${…}`` stands for."""
    return path, "what it stands for cannot be used here" if holds_reference(
        value_at(config.written, path)
    ) else message
