"""Trying plugins out before their time has come: what their constructors refuse is found at the start, not at night."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from multiprocessing.connection import Connection
from typing import Any

from cloudmarker import _forkserver
from cloudmarker.errors import ConfigError
from cloudmarker.plugins import configured, load_plugin
from cloudmarker.report import describe

LIMIT_S = 60.0
"""How long all constructors together may take; they only keep their arguments, as a rule."""
_LISTS = ("clouds", "events", "stores", "alerts")

log = logging.getLogger("cloudmarker.scheduler")


def rehearse(config: Mapping[str, Any], audit_keys: Iterable[str]) -> None:
    """Make every plugin of some audits, in a process of its own that ends then.

    Raises:
        ConfigError: some do not accept their parameters, as at the begin of an audit.
    """
    audits = [config["audits"][key] for key in audit_keys]
    keys = dict.fromkeys(key for audit in audits for kinds in _LISTS for key in audit.get(kinds) or ())
    _forkserver.start()
    spawn = _forkserver.context()
    ours, theirs = spawn.Pipe(duplex=False)
    plugins = [(key, configured(config, key)) for key in keys]
    process = spawn.Process(target=_construct, args=(theirs, plugins), name="rehearsal", daemon=True)
    with _forkserver.main_module_left_alone():
        process.start()
    theirs.close()
    try:
        problems: list[str] = ours.recv() if ours.poll(LIMIT_S) else []
    except EOFError:  # then audits will tell which plugin it is that ends its process
        log.warning("the process that tried the plugins out ended early")
        problems = []
    finally:
        ours.close()
        process.kill()
        process.join()
    if problems:
        raise ConfigError(problems)


def _construct(results: Connection, plugins: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    os.umask(0o077)
    logging.disable(logging.CRITICAL)  # they will say it again when they are made in earnest
    problems: list[str] = []
    for key, plugin in plugins:
        try:
            load_plugin(dict(plugin))
        except (ConfigError, TypeError, ValueError) as exc:
            problems.append(f"plugins.{key}.params: {describe(exc)}")
        except Exception:  # noqa: BLE001, S110  a plugin may raise anything: that fails its branch of the audit only
            pass
    results.send(problems)
