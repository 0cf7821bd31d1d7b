"""Sets of whole numbers (ports, addresses) as spans: first and last number, both included."""

from __future__ import annotations

from collections.abc import Iterable

Span = tuple[int, int]
Spans = tuple[Span, ...]
"""A set: ascending, disjoint, merged where they touch, so that equal sets are equal tuples."""


def merged(spans: Iterable[Span]) -> Spans:
    """Return the set that *spans*, in any order and overlapping, make up.

    >>> merged([(443, 443), (20, 25), (26, 30), (22, 23)])
    ((20, 30), (443, 443))
    """
    found: list[Span] = []
    for first, last in sorted(spans):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return tuple(found)


def intersection(one: Spans, other: Spans) -> Spans:
    """Return what is in both sets; *one* itself if that is all of it, which makes comparing it later cheap.

    >>> intersection(((1, 10), (20, 30)), ((5, 25),))
    ((5, 10), (20, 25))
    """
    found: list[Span] = []
    i = j = 0
    while i < len(one) and j < len(other):
        first, last = max(one[i][0], other[j][0]), min(one[i][1], other[j][1])
        if first <= last:
            found.append((first, last))
        if one[i][1] < other[j][1]:
            i += 1
        else:
            j += 1
    return one if len(found) == len(one) and tuple(found) == one else tuple(found)


def difference(one: Spans, other: Spans) -> Spans:
    """Return what is in *one* and not in *other*.

    >>> difference(((1, 10), (20, 30)), ((5, 25),))
    ((1, 4), (26, 30))
    """
    if one == other:
        return ()
    found: list[Span] = []
    j = 0
    for first, last in one:
        start = first
        while j < len(other) and other[j][1] < start:
            j += 1
        k = j
        while k < len(other) and other[k][0] <= last:
            if start < other[k][0]:
                found.append((start, other[k][0] - 1))
            start = max(start, other[k][1] + 1)
            k += 1
        if start <= last:
            found.append((start, last))
    return tuple(found)
