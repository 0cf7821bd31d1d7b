"""How large a synthetic tenant is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """How large a synthetic tenant is, and which of all such tenants it is.

    Attributes:
        scopes: number of subscriptions or projects.
        scale: units in each of them; a unit has one or two resources of most types.
        seed: equal seeds give equal tenants, byte for byte.
    """

    scopes: int = 3
    scale: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.scopes <= 0xFFFF:
            raise ValueError("a synthetic tenant has 1 to 65535 subscriptions or projects")
        if not 0 <= self.scale <= 0xFFFFF:
            raise ValueError("the scale of a synthetic tenant is from 0 to 1048575")


TWINS_SIZE = Size(scopes=1, scale=0)
"""One subscription and one project, with what they have once."""
