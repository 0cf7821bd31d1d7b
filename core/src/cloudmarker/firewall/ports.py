"""Ports of firewall rules: numbers, ranges and ``*`` in one spelling, and arithmetic on them without expanding them."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from functools import lru_cache

from cloudmarker.firewall._spans import Span, Spans, merged
from cloudmarker.firewall._words import MAX_WORD, words

MAX_PORT = 65535

_ALL = "*"
_ALL_WORDS = frozenset({"*", "any", "all", "-1"})
"""Words, in lower case, for every port."""

_RANGE = re.compile(r"([0-9]+)(?:\s*-\s*([0-9]+))?")

DEFAULT_PORTS = (22, 3389, 1433, 1521, 3306, 5432)
"""SSH, RDP, SQL Server, Oracle, MySQL, PostgreSQL: what the Internet should not reach as a rule."""


def normalise_ports(values: Iterable[str | int | None] | int | None) -> list[str]:
    """Return ports in canonical spelling: order kept, duplicates gone, nothing merged.

    Args:
        values: ports (``22``, ``"22"``), ranges (``"8000-8080"``), words for every port; None and empty ones are left
            out. A bare string or number counts as a list of one, None as an empty list.

    Returns:
        ``"22"``, ``"8000-8080"`` or ``"*"`` each. Ranges that hold ports 1 to 65535 become ``"*"``; ranges that go
        beyond 65535 end there. What is no port is kept as it was written and stands for no port. Where nothing at all
        is given, the rule holds for every port: ``["*"]``.

    >>> normalise_ports([22, " 022 ", "80,443", "8000 - 8080", "0-65535", "ssh"])
    ['22', '80', '443', '8000-8080', '*', 'ssh']
    >>> normalise_ports([])
    ['*']
    """
    return list(dict.fromkeys(map(_canonical_or_long, words(values)))) or [_ALL]


def port_intervals(values: Iterable[str | int | None] | int | None) -> Spans:
    """Return the ports of a rule as intervals: ascending, disjoint, merged where they touch.

    Args:
        values: as for :func:`normalise_ports`; what is no port is left out.

    >>> port_intervals(["443", "20-25", "22", 26, "ssh"])
    ((20, 26), (443, 443))
    """
    return merged(filter(None, map(_interval, normalise_ports(values))))


def covers_port(values: Iterable[str | int | None] | int | None, port: int) -> bool:
    """Tell whether *port* is among the ports of a rule.

    >>> covers_port(["20-25", "80"], 22), covers_port(["80"], 22), covers_port([], 22)
    (True, False, True)
    """
    return any(first <= port <= last for first, last in port_intervals(values))


def ports_within(intervals: Iterable[Span], ports: Sequence[int]) -> list[int]:
    """Return those of *ports* (ascending) that lie in *intervals* (as :func:`port_intervals` gives them), ascending.

    >>> ports_within(((20, 26), (443, 443)), (22, 25, 80, 443))
    [22, 25, 443]
    """
    found: list[int] = []
    for first, last in intervals:
        found.extend(ports[bisect_left(ports, first) : bisect_right(ports, last)])
    return found


def compress_ports(ports: Iterable[int]) -> list[str]:
    """Return *ports* as few words: runs of three and more as ranges, ascending.

    >>> compress_ports([80, 22, 23, 24, 443, 444])
    ['22-24', '80', '443', '444']
    """
    found: list[str] = []
    for first, last in merged((port, port) for port in ports):
        found.extend([f"{first}-{last}"] if last - first > 1 else map(str, range(first, last + 1)))
    return found


def expand_port_ranges(port_ranges: Iterable[str | int]) -> set[int]:
    """Return the set of all ports in *port_ranges*.

    Both ends of a range belong to it; one whose first port is the greater is empty, and what is neither a port nor a
    range is ignored. Ports end at 65535.

    Args:
        port_ranges: ports (``"80"``) and ranges (``"80-89"``).

    >>> expand_port_ranges(["22", "3389", "8080-8085"]) == {22, 3389, 8080, 8081, 8082, 8083, 8084, 8085}
    True
    >>> expand_port_ranges(["8080-8084", "8082-8086"]) == {8080, 8081, 8082, 8083, 8084, 8085, 8086}
    True
    >>> expand_port_ranges(["8085-8080"])
    set()
    >>> expand_port_ranges(["8080", "8081a", "8082"]) == {8080, 8082}
    True
    >>> expand_port_ranges(["7070-7075", "8080a-8085"]) == {7070, 7071, 7072, 7073, 7074, 7075}
    True
    """
    found: set[int] = set()
    for first, last in filter(None, map(_numbers, words(port_ranges))):
        found.update(range(first, last + 1))
    return found


def checked_ports(ports: Sequence[int | str] | None) -> tuple[int, ...]:
    """Return the ports that a plugin's parameter ``ports`` stands for, ascending.

    Args:
        ports: numbers (22 or ``"22"``) and ranges (``"8000-8080"``); None for :data:`DEFAULT_PORTS`.

    Raises:
        ValueError: *ports* is no list, lists no port, or holds something that is no port and no range.
    """
    if ports is None:
        return tuple(sorted(DEFAULT_PORTS))
    if isinstance(ports, str) or not isinstance(ports, Sequence) or not ports:
        raise ValueError(f"ports: expected a list of ports and ranges such as [22, '8000-8080'], got {ports!r}")
    found: set[int] = set()
    for port in ports:
        expanded = expand_port_ranges([port])
        text = str(port)
        if "," in text or not expanded or max(map(int, text.split("-"))) > MAX_PORT:
            raise ValueError(f"ports: {port!r} is no port from 0 to {MAX_PORT} and no range such as '8000-8080'")
        found |= expanded
    return tuple(sorted(found))


def _numbers(text: str) -> Span | None:
    """Return the interval that *text* spells in numbers, or None."""
    match = _RANGE.fullmatch(text) if len(text) <= MAX_WORD else None
    if match is None:
        return None
    first = int(match[1])
    last = min(int(match[2] or match[1]), MAX_PORT)
    return (first, last) if first <= last else None


def _canonical_or_long(text: str) -> str:
    return _canonical(text) if len(text) <= MAX_WORD else text


@lru_cache(maxsize=8192)
def _canonical(text: str) -> str:
    if text.lower() in _ALL_WORDS:
        return _ALL
    interval = _numbers(text)
    if interval is None:
        return text
    first, last = interval
    if first <= 1 and last == MAX_PORT:  # port 0 cannot be connected to
        return _ALL
    return str(first) if first == last else f"{first}-{last}"


def _interval(text: str) -> Span | None:
    return (0, MAX_PORT) if text == _ALL else _numbers(text)
