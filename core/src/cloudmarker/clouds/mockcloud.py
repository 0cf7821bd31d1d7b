"""A cloud that makes its records up, to try the framework without an account."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle

from cloudmarker.contracts import Record


class MockCloud:
    """Generate mock records.

    Record number *i*, counted from 0, has ``raw.data`` *i*, an ``ext.record_type`` that goes through *record_types*
    again and again, and the ``com.record_type`` ``mock``.

    >>> for record in MockCloud().read():
    ...     print(record["raw"]["data"], record["ext"]["record_type"], record["com"]["record_type"])
    0 foo mock
    1 bar mock
    2 foo mock
    3 bar mock
    4 foo mock
    5 bar mock
    6 foo mock
    7 bar mock
    8 foo mock
    9 bar mock

    Args:
        record_count: how many records to generate.
        record_types: the values of ``ext.record_type``, at least one.

    Raises:
        ValueError: *record_types* is not a list of at least one string.
    """

    def __init__(self, record_count: int = 10, record_types: Sequence[str] = ("foo", "bar")) -> None:
        if isinstance(record_types, str) or not record_types:
            raise ValueError(f"record_types: expected a list of at least one string, got {record_types!r}")
        self._record_count = record_count
        self._record_types = tuple(record_types)

    def read(self) -> Iterator[Record]:
        """Yield the mock records."""
        for number, record_type in zip(range(self._record_count), cycle(self._record_types)):
            yield {
                "raw": {"data": number},
                "ext": {"cloud_type": "mock", "record_type": record_type},
                "com": {"cloud_type": "mock", "record_type": "mock", "reference": f"mock/{number}"},
            }

    def done(self) -> None:
        """Do nothing: there is nothing to release."""
