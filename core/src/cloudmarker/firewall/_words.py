"""How lists come in: what the addresses and the ports of a rule have in common before they are read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

MAX_WORD = 200
"""Characters of the longest word that is looked at; two IPv6 addresses take 91. Longer ones are kept as they are."""


def words(values: object) -> Iterator[str]:
    """Yield the words of a rule's list, stripped, in order; empty ones and None are left out.

    Args:
        values: a list of strings, each with one word or several separated by commas. Numbers count as their decimal
            text. A bare string or number counts as a list of one, and None as an empty list.
    """
    if isinstance(values, str) or not isinstance(values, Iterable):
        values = (values,)
    for value in values:
        if value is None:
            continue
        text = value if isinstance(value, str) else str(value)
        if "," in text:
            yield from filter(None, map(str.strip, text.split(",")))
        elif text := text.strip():
            yield text
