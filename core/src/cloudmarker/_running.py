"""Audits side by side, from their start to the end of the last: one loop that hears all their workers, and signals."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import connection

from cloudmarker.errors import ConfigError
from cloudmarker.results import AuditResult
from cloudmarker.supervisor import AuditRun

log = logging.getLogger("cloudmarker.manager")


def run_audits(
    audits: Sequence[AuditRun],
    *,
    on_tick: Callable[[], None] | None = None,
    on_end: Callable[[AuditResult], None] | None = None,
    signals: list[int] | None = None,
) -> list[AuditResult]:
    """Run audits side by side to their ends.

    SIGINT and SIGTERM stop the reading and let the rest finish; a second one kills every worker.

    Args:
        audits: audits that have been started.
        on_tick: called some times a second while they run.
        on_end: called when an audit has ended.
        signals: numbers of the signals to heed, of a caller who catches them and appends to this meanwhile; None
            means that SIGINT and SIGTERM are caught here.

    Returns:
        Their results, in the same order.

    Raises:
        ConfigError: plugins did not accept their parameters; nothing was read.
    """
    caught: list[int] = [] if signals is None else signals
    heeded = 0
    with _catch_signals(caught) if signals is None else contextlib.nullcontext():
        while not all(audit.result for audit in audits):
            _listen(audits)
            if len(caught) > heeded:
                _heed(audits, caught, first=heeded == 0 and len(caught) == 1)
                heeded = len(caught)
            for audit in audits:
                audit.tick()
                if audit.ended and audit.result is None:
                    result = audit.finish()
                    if on_end is not None:
                        on_end(result)
            if on_tick is not None:
                on_tick()
    return [audit.result for audit in audits if audit.result is not None]


def _listen(audits: Sequence[AuditRun]) -> None:
    """Hear what workers say within a tenth of a second."""
    owners = {conn: audit for audit in audits for conn in audit.connections()}
    for conn in connection.wait(list(owners), timeout=0.1):
        if isinstance(conn, connection.Connection):  # nothing else is waited for
            owners[conn].handle(conn)
    problems = [problem for audit in audits for problem in audit.problems]
    if problems and all(audit.loaded for audit in audits):
        for audit in audits:
            audit.kill()
            audit.discard()
        raise ConfigError(problems)


def _heed(audits: Sequence[AuditRun], signals: Sequence[int], *, first: bool) -> None:
    reason = f"stopped by {signal.Signals(signals[0]).name}"
    log.warning("%s: %s", reason, "reading stops, what was read is finished" if first else "killing the workers")
    for audit in audits:
        if first:
            audit.stop(reason)
        else:
            audit.kill()


@contextlib.contextmanager
def _catch_signals(caught: list[int]) -> Iterator[None]:
    """Append SIGINT and SIGTERM to *caught* instead of dying of them; does nothing outside the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {
        signum: signal.signal(signum, lambda number, _frame: caught.append(number))
        for signum in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for signum, handler in previous.items():
            signal.signal(signum, handler)
