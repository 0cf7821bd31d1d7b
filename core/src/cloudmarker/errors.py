"""The exceptions of cloudmarker, one tree, branched by what the caller should do.

::

    CloudmarkerError
    ├── ConfigError       the user fixes the configuration; nothing has started
    ├── PluginError       this plugin cannot go on; its branch of the audit ends, the others continue
    ├── RecordError       this record cannot be taken; it is counted and skipped, the plugin goes on
    │   └── TooLargeError it is too large, or the batch that it came in is
    ├── LedgerError       the memory of findings cannot be used; events are sent without a status
    └── TransientError    the same attempt may succeed later; whoever holds a retry policy tries again

A library's own exceptions are mapped to these in one module of the plugin that uses the library.
"""

from __future__ import annotations

from collections.abc import Sequence


class CloudmarkerError(Exception):
    """The root of every exception that cloudmarker raises on purpose."""


class ConfigError(CloudmarkerError):
    """The configuration cannot be used as it is.

    Attributes:
        problems: every problem found, one line each: ``file: key.path: what is wrong; what to do``.
    """

    def __init__(self, problems: str | Sequence[str]) -> None:
        self.problems: tuple[str, ...] = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))


class PluginError(CloudmarkerError):
    """A plugin cannot be loaded, or cannot go on.

    Raised by a plugin's own method it ends that plugin: its branch of the audit is marked failed, the rest goes on.
    """


class RecordError(CloudmarkerError):
    """One record cannot be taken.

    The record goes to the dead letters with this reason, is counted, and the plugin is called with the next one.
    """


class TooLargeError(RecordError):
    """A record, or a batch of records, is larger than the other side takes.

    Raised for a batch it means that smaller ones may be taken: :mod:`cloudmarker.delivery` sends its halves.
    """


class LedgerError(CloudmarkerError):
    """The memory of a plugin's findings cannot be used.

    The message names the file and says what to do. Findings are sent without a status, and the plugin counts as failed.
    """


class TransientError(CloudmarkerError):
    """An attempt failed in a way that another attempt may not.

    Attributes:
        retry_after_s: seconds the other side asked to wait, or None if it did not say.
    """

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
