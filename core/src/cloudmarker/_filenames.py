"""File names from names that others chose: workers and origins."""

from __future__ import annotations

import hashlib

_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.+@= ")
_NAME_BYTES = 200
PARTIAL = ".partial"
"""What the name of a file that is not complete ends in."""


def file_stem(origin: str) -> str:
    """Return the file name, without suffix, for an origin worker: different origins never share one.

    Letters, digits, ``-_.+@=`` and spaces stay; everything else becomes ``%XX`` per byte of UTF-8, and so does a dot
    that begins the name, or that would make it look like another origin's partial file. A name that gets too long for a
    file system ends in a hash instead.
    """
    stem = "".join(char if char in _SAFE else _escaped(char) for char in origin)
    if stem.startswith("."):
        stem = _escaped(".") + stem[1:]
    if stem.endswith(PARTIAL):
        stem = stem.removesuffix(PARTIAL) + _escaped(".") + PARTIAL[1:]
    if len(stem) > _NAME_BYTES:
        digest = hashlib.sha256(origin.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        stem = f"{stem[: _NAME_BYTES - 34]}%~{digest}"
    return stem or "%"


def _escaped(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogatepass"))
