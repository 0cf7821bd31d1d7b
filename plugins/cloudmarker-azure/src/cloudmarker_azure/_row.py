"""What a row of the table of resource types says, and how its types hang together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from cloudmarker_azure._json import Item, text
from cloudmarker_azure._records import Kind


@dataclass(frozen=True)
class Part:
    """A resource type that comes inside the JSON of another.

    Attributes:
        kind: of its records.
        member: the keys that lead to the array of them in the owner's JSON.
        collection: the name that Azure Resource Manager has for them below the owner's id, for those without an id.
    """

    kind: Kind
    member: tuple[str, ...]
    collection: str = ""

    def reference(self, item: Item, owner: str) -> str | None:
        """Return the id of one of them; None if it has neither id nor name.

        Args:
            item: its JSON.
            owner: id of the resource that it stands in.
        """
        name = text(item, "name")
        return text(item, "id") or (f"{owner}/{self.collection}/{name}" if self.collection and name else None)


@dataclass(frozen=True)
class Row:
    """A resource type that has a list of its own.

    Attributes:
        kind: of its records.
        path: of the list, under the id of the scope, or of the parent resource.
        api_version: of the list; docs/azure.md says why which.
        scope: what has such a list, if not a resource.
        parent: the ``ext.record_type`` of the row whose resources each have such a list; None if the scope has it.
        had_by: says of a resource of that type whether it can have the list; the others are not asked.
        single: whether the answer is one resource and no list.
        query: further parameters of the request, by name.
        parts: the types that come inside it.
        variants: what else its resources may be: the first whose test holds gives the kind.
        if_empty: why an empty list means that something is not seen; None if it simply means there is none.
    """

    kind: Kind
    path: str
    api_version: str
    scope: Literal["tenant", "subscription"] = "subscription"
    parent: str | None = None
    had_by: Callable[[Item], bool] | None = None
    single: bool = False
    query: tuple[tuple[str, str], ...] = ()
    parts: tuple[Part, ...] = ()
    variants: tuple[tuple[Kind, Callable[[Item], bool]], ...] = ()
    if_empty: str | None = None

    @property
    def record_type(self) -> str:
        """The ``ext.record_type`` by which the row is known."""
        return self.kind.record_type

    @property
    def own_kinds(self) -> tuple[Kind, ...]:
        """The kinds of records that the items of the list itself give."""
        return (self.kind, *(kind for kind, _ in self.variants))

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """All kinds of records that reading the list gives."""
        return (*self.own_kinds, *(part.kind for part in self.parts))

    @property
    def record_types(self) -> tuple[str, ...]:
        """The ``ext.record_type`` of all records that reading the list gives."""
        return tuple(kind.record_type for kind in self.kinds)

    def kind_of(self, item: Item) -> Kind:
        """Return the kind of records that *item* gives."""
        if not self.variants:
            return self.kind
        return next((kind for kind, applies in self.variants if applies(item)), self.kind)
