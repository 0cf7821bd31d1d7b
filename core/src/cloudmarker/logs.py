"""Logging across processes: workers send their log records to the main process, which alone writes them."""

from __future__ import annotations

import logging
import logging.config
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cloudmarker.errors import ConfigError
from cloudmarker.text import visible

_FIELDS = (
    *("name", "levelno", "levelname", "pathname", "filename", "module", "lineno", "funcName", "created", "msecs"),
    *("relativeCreated", "thread", "threadName", "process", "processName", "stack_info"),
)


class ForwardHandler(logging.Handler):
    """Hands each log record on as a dict of plain values: formatted message, traceback as text.

    What a terminal would act on in them becomes visible: they may quote what a cloud answered.
    """

    def __init__(self, send: Callable[[dict[str, Any]], None]) -> None:
        super().__init__()
        self._send = send
        self._formatter = logging.Formatter()

    def emit(self, record: logging.LogRecord) -> None:
        """Send *record*."""
        try:
            fields = {name: getattr(record, name) for name in _FIELDS}
            fields["msg"] = visible(record.getMessage(), keep="\n\t")
            if record.exc_info:
                fields["exc_text"] = visible(self._formatter.formatException(record.exc_info), keep="\n\t")
            self._send(fields)
        except Exception:  # noqa: BLE001  as every handler does: a wrong logging call is no reason to end its caller
            self.handleError(record)


def handle(fields: dict[str, Any]) -> None:
    """Log what a :class:`ForwardHandler` in another process sent."""
    record = logging.makeLogRecord(fields)
    logger = logging.getLogger(record.name)
    if logger.isEnabledFor(record.levelno):
        logger.handle(record)


def configure(config: Mapping[str, Any], *, console: str | None = None) -> None:
    """Set logging up from the ``logger`` section.

    Args:
        config: a :func:`logging.config.dictConfig` dictionary.
        console: where handlers that name ``ext://sys.stdout`` write instead, e.g. ``ext://sys.stderr``.

    Raises:
        ConfigError: the dictionary is not valid, or a log file cannot be opened.
    """
    settings = {**config}
    if console is not None:
        settings["handlers"] = {
            name: {**handler, "stream": console} if handler.get("stream") == "ext://sys.stdout" else handler
            for name, handler in (config.get("handlers") or {}).items()
        }
    try:
        logging.config.dictConfig(settings)
    except (ValueError, TypeError, AttributeError, ImportError, KeyError) as exc:
        cause = exc.__cause__ or exc
        raise ConfigError(
            f"logger: {exc}: {cause}; see logging.config.dictConfig"
            if cause is not exc
            else f"logger: {exc}; see logging.config.dictConfig"
        ) from exc
    logging.captureWarnings(True)


def levels(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the levels that a ``logger`` section sets, by logger name; ``""`` is the root."""
    found = dict(_levels(config))
    found.setdefault("", "WARNING")
    return found


def _levels(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, logger in {**(config.get("loggers") or {}), "": config.get("root") or {}}.items():
        if logger and logger.get("level") is not None:
            yield name, str(logger["level"])


def apply_levels(by_name: Mapping[str, str]) -> None:
    """Set the levels of :func:`levels` in this process."""
    for name, level in by_name.items():
        logging.getLogger(name).setLevel(int(level) if level.isdigit() else level)
