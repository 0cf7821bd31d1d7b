"""An event plugin for mock records, to try the framework without an account."""

from __future__ import annotations

from collections.abc import Sequence

from cloudmarker.contracts import Record
from cloudmarker.findings import finding


class MockEvent:
    """Find the records whose ``raw.data`` is a multiple of *n*.

    A record without ``raw.data`` counts as number 1; one whose ``raw.data`` is no integer is no multiple of anything.

    >>> event = MockEvent(n=5)
    >>> [finding["com"]["description"] for data in range(3, 12) for finding in event.eval({"raw": {"data": data}})]
    ['5 is a multiple of 5.', '10 is a multiple of 5.']

    Args:
        n: the number, any integer but 0.

    Raises:
        ValueError: *n* is 0 or no integer.
    """

    buckets = ("raw", "com.cloud_type", "com.reference", "com.account")

    def __init__(self, n: int = 3) -> None:
        if type(n) is not int or n == 0:
            raise ValueError(f"n: expected an integer other than 0, got {n!r}")
        self._n = n

    def eval(self, record: Record) -> Sequence[Record]:
        """Return an event record if the record's number is a multiple of ``n``, else nothing."""
        try:
            data = record["raw"]["data"]
        except (KeyError, TypeError):  # TypeError: raw is no mapping
            data = 1
        n = self._n
        if type(data) is not int or data % n:
            return ()
        found = finding(
            record,
            check_id="mock_event",
            record_type="mock_event",
            severity="info",
            description=f"{data} is a multiple of {n}.",
            recommendation="Nothing needs to be done: this finding shows that mock records are evaluated.",
            ext={"data": data, "n": n},
        )
        return (found,)

    def done(self) -> None:
        """Do nothing: there is nothing to release."""
