"""Plugins whose texts are meant to do harm where they are shown, for the tests that run audits in real processes."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Iterator
from typing import Any

from cloudmarker.coverage import coverage

log = logging.getLogger("acme.hostile")

EVIL = "\x1b[2J\x1b]0;owned\x07\x9b31m\r\u202e\ud800[/red][bold]:smile:"
"""A cleared screen, a window title, a C1 sequence, a return, an override of direction, half a character, markup."""


class HostileCloud:
    """Yields records, coverage and log records with such texts, waiting before each; raises with one if *fail*."""

    def __init__(self, fail: bool = False, delay_s: float = 0.0) -> None:
        self.fail = fail
        self.delay_s = delay_s

    def read(self) -> Iterator[dict[str, Any]]:
        log.warning("warned of %s\nand more", EVIL)
        for number in range(3):
            time.sleep(self.delay_s)
            com = {
                "cloud_type": "evil",
                "record_type": f"kind{EVIL}",
                "reference": f"ref{number}{EVIL}",
                "parent": EVIL,
            }
            yield {"raw": {"data": number}, "com": com}
        yield {"com": {"record_type": "bad", "reference": EVIL, "owner": object()}}
        yield coverage("evil", f"scope{EVIL}", f"type{EVIL}", "denied", 0, f"error{EVIL}")
        if self.fail:
            raise RuntimeError(f"failed with {EVIL}")

    def done(self) -> None:
        pass


class HostileEvent:
    """Yields a finding with such texts for every record; raises at the second."""

    def eval(self, record: Any) -> Iterator[dict[str, Any]]:
        if record["raw"]["data"] == 1:
            raise ValueError(f"cannot evaluate {EVIL}")
        com = dict.fromkeys(("check_id", "reference", "description", "recommendation", "fingerprint"), f"text{EVIL}")
        yield {"com": {"record_type": "evil_event", "cloud_type": "evil", "severity": "high", **com}}

    def done(self) -> None:
        pass


class LoggingCloud:
    """Logs at every level in two loggers, a warning, a traceback and a wrong call; yields one record."""

    def read(self) -> Iterator[dict[str, Any]]:
        for name in ("acme.loud", "acme.quiet"):
            logger = logging.getLogger(name)
            for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
                logger.log(level, "%s says %s", name, logging.getLevelName(level).lower())
        log.warning("too few for %d and %d", 1)  # noqa: PLE1206  it is about wrong calls
        warnings.warn("this is deprecated", stacklevel=1)
        try:
            raise KeyError("the cause")  # noqa: TRY301
        except KeyError:
            log.exception("with a traceback")
        log.warning("with a stack", stack_info=True)
        yield {"raw": {"data": 0}, "com": {"record_type": "mock", "cloud_type": "mock", "reference": "mock/0"}}

    def done(self) -> None:
        pass
