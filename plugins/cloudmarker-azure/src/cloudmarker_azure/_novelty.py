"""Which references were seen before, in a quarter of the memory that a set of them, or of their digests, takes."""

from __future__ import annotations

from array import array
from hashlib import blake2b

_SLOTS = 64


class Novelty:
    """Tells what was not seen before.

    It keeps digests of 64 bits in a hash table of its own, 12 to 24 bytes a reference: a list may have a million ids of
    200 characters, and sixteen lists are read at a time. The chance that two of a million ids have the same digest, so
    that one would be taken for the other, is 1 in 37 million.
    """

    def __init__(self) -> None:
        self._table = array("Q", bytes(8 * _SLOTS))
        self._count = 0

    def __call__(self, reference: str | None) -> bool:
        """Return whether that *reference* is new, letter case aside, and remember it; None is always new."""
        if reference is None:
            return True
        text = reference.casefold().encode("utf-8", "surrogatepass")
        digest = int.from_bytes(blake2b(text, digest_size=8).digest(), "little") or 1  # 0 is an empty slot
        if not _put(self._table, digest):
            return False
        self._count += 1
        if 3 * self._count > 2 * len(self._table):
            larger = array("Q", bytes(16 * len(self._table)))
            for each in self._table:
                if each:
                    _put(larger, each)
            self._table = larger
        return True


def _put(table: array[int], digest: int) -> bool:
    """Put *digest* into the *table*, whose length is a power of two; return whether it was not there."""
    mask = len(table) - 1
    at = digest & mask
    while found := table[at]:
        if found == digest:
            return False
        at = (at + 1) & mask
    table[at] = digest
    return True
