"""What a store does once all records of a run are there."""

from __future__ import annotations

from collections.abc import Callable

from cloudmarker.contracts import StoreRun
from cloudmarker.errors import PluginError, TransientError

_ATTEMPTS = 5


def patiently(step: Callable[[], None], run: StoreRun) -> None:
    """Do something, again if need be: five attempts, up to 16 s apart.

    Raises:
        PluginError: it could not be done. All records are delivered nevertheless.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            step()
        except TransientError as exc:
            if attempt == _ATTEMPTS or run.deadline is not None:
                raise PluginError(f"all records are delivered, but: {exc}") from exc
            run.wait(2.0**attempt)
        except PluginError as exc:
            raise PluginError(f"all records are delivered, but: {exc}") from exc
        else:
            return
