"""Logging across processes: workers send their log records to the main process, which alone writes them."""

from __future__ import annotations

import logging
import logging.config
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone
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

    Args:
        send: takes the dict.
        stamps: further attributes of each record: ``audit`` and ``worker``, where they come from.
    """

    def __init__(self, send: Callable[[dict[str, Any]], None], **stamps: str) -> None:
        super().__init__()
        self._send = send
        self._stamps = stamps
        self._formatter = logging.Formatter()

    def emit(self, record: logging.LogRecord) -> None:
        """Send *record*."""
        try:
            fields = {name: getattr(record, name) for name in _FIELDS} | self._stamps
            fields["msg"] = visible(record.getMessage(), keep="\n\t")
            if record.exc_info:
                fields["exc_text"] = visible(self._formatter.formatException(record.exc_info), keep="\n\t")
            self._send(fields)
        except Exception:  # noqa: BLE001  as every handler does: a wrong logging call is no reason to end its caller
            self.handleError(record)


class JSONFormatter(logging.Formatter):
    """Formats each log record as one JSON object on one line.

    Always there: ``time`` (RFC 3339, UTC, milliseconds), ``level``, ``logger``, ``message``, ``process`` (its id) and
    ``source`` (module and line). Where a worker logged: ``audit`` and ``worker`` (``<audit>_<plugin>``, several where
    they share a process). Where there is one: ``exception`` and ``stack``, as text. It takes the arguments of
    :class:`logging.Formatter` and does not use them.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line for *record*."""
        import msgspec

        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        moment = datetime.fromtimestamp(record.created, timezone.utc)
        fields: dict[str, Any] = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "process": record.process,
            "source": f"{record.module}:{record.lineno}",
            "audit": getattr(record, "audit", None),
            "worker": getattr(record, "worker", None),
            "exception": record.exc_text,
            "stack": record.stack_info,
        }
        present = {
            key: visible(value, keep="\n\t") if isinstance(value, str) else value
            for key, value in fields.items()
            if value is not None
        }
        return msgspec.json.encode(present).decode()


def handle(fields: dict[str, Any]) -> None:
    """Log what a :class:`ForwardHandler` in another process sent."""
    record = logging.makeLogRecord(fields)
    logger = logging.getLogger(record.name)
    if logger.isEnabledFor(record.levelno):
        logger.handle(record)


def configure(config: Mapping[str, Any], *, console: str | None = None) -> None:
    """Set logging up from the ``logger`` section.

    Args:
        config: a :func:`logging.config.dictConfig` dictionary. A handler, formatter, filter or logger that is None is
            left out: so a file takes back one of the files before it.
        console: where handlers that name ``ext://sys.stdout`` write instead, e.g. ``ext://sys.stderr``.

    Raises:
        ConfigError: the dictionary is not valid, or a log file cannot be opened.
    """
    settings = {**config}
    for section in ("handlers", "formatters", "filters", "loggers"):
        if isinstance(entries := config.get(section), Mapping):
            settings[section] = {name: entry for name, entry in entries.items() if entry is not None}
    if console is not None:
        settings["handlers"] = {
            name: {**handler, "stream": console} if handler.get("stream") == "ext://sys.stdout" else handler
            for name, handler in (settings.get("handlers") or {}).items()
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


def console_handlers() -> list[logging.StreamHandler[Any]]:
    """Return the handlers of the root logger that write to standard output or standard error."""
    handlers = [handler for handler in logging.getLogger().handlers if isinstance(handler, logging.StreamHandler)]
    return [handler for handler in handlers if handler.stream in (sys.stdout, sys.stderr)]


def console_is_json() -> bool:
    """Return whether a program reads standard output or standard error, as JSON lines."""
    return any(isinstance(handler.formatter, JSONFormatter) for handler in console_handlers())


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
