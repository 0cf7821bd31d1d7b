"""What stands in for a run when a plugin with a delivery is used without one."""

from __future__ import annotations

import logging
import time

from cloudmarker.contracts import Record

_log = logging.getLogger("cloudmarker.delivery")


class NoRun:
    """A StoreRun that counts nothing: only :class:`cloudmarker.delivery.Delivery` itself counts its records."""

    def __init__(self) -> None:
        self.worker = "no worker"
        self.audit_key = ""
        self.audit_version = ""
        self.origins: tuple[str, ...] = ()
        self.replay = False
        self.position = 0
        self.deadline: float | None = None

    def take(self, position: int, count: int = 1) -> None:
        self.position = position + count

    def delivered(self, position: int, count: int = 1) -> None:
        """Do nothing."""

    def reject(self, position: int, record: Record | bytes, reason: str) -> None:
        _log.error("a record was rejected: %s", reason)

    def now(self) -> float:
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)
