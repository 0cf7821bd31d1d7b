"""Moments as records and files have them."""

from __future__ import annotations

import time


def timestamp(seconds: float) -> str:
    """Return a moment, in seconds since 1970, as RFC 3339: in UTC and whole seconds.

    >>> timestamp(1777864140.9)
    '2026-05-04T03:09:00Z'
    """
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
