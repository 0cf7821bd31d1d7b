"""Where a simulator's answers come from: the interface of a data source, and one that keeps everything in memory."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from cloudmarker_simulators._http import Json, JsonObject
from cloudmarker_simulators.faults import Fault


@dataclass(frozen=True)
class Collection:
    """A list that an API serves page by page.

    Attributes:
        key: the field of the answer that holds the items.
        items: all of them; a lazy sequence will do.
        envelope: further fields of the answer, the same on every page.
        paged: whether there are pages; some lists are always answered as a whole.
    """

    key: str
    items: Sequence[JsonObject]
    envelope: Mapping[str, Json] = field(default_factory=dict)
    paged: bool = True


@dataclass(frozen=True)
class Aggregate:
    """A Google list over all zones and regions of a project.

    Attributes:
        key: the field that holds the items of one scope.
        items: all of them; a lazy sequence will do.
        scope_of: returns the scope of the item with a number, such as ``zones/europe-west1-b``.
        scopes: all scopes that the answer names, in order, with or without items.
        unreachable: those of them that cannot be read at present.
    """

    key: str
    items: Sequence[JsonObject]
    scope_of: Callable[[int], str]
    scopes: Sequence[str]
    unreachable: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Refusal:
    """Something that a tenant does not let its reader see.

    Attributes:
        path: regular expression matched, without regard to case, at the start of the path.
        kind: ``denied`` (a permission is missing), ``disabled`` (the provider is not registered, the API not enabled)
            or ``missing`` (there is no such subscription or project, whatever the list of them says).
        what: the missing permission, or the name of the provider or API.
    """

    path: str
    kind: Literal["denied", "disabled", "missing"]
    what: str = ""

    def matches(self, path: str) -> bool:
        """Say whether *path* is refused."""
        return re.match(self.path, path, re.IGNORECASE) is not None


class Source(Protocol):
    """The data behind one simulated cloud. Called from many threads at once; answers never change."""

    page_size: int
    """Most items that a page holds."""

    refusals: Sequence[Refusal]
    faults: Sequence[Fault]

    def collection(self, path: str) -> Collection | None:
        """Return the list at *path*, or None when the source has none there."""

    def resource(self, path: str) -> JsonObject | None:
        """Return the single object at *path*, or None."""

    def knows(self, path: str) -> bool:
        """Say whether something exists at *path* or below it."""

    def count(self, path: str) -> int:
        """Return how many items the list at *path* has, 0 if there is no such list."""

    def counts(self) -> Counter[str]:
        """Return how many resources of each type there are, types in lower case; those inside others included."""

    def lists(self) -> Iterator[str]:
        """Yield the paths of all lists that hold something, in a spelling that :meth:`collection` understands."""


class MemorySource(ABC):
    """A source that holds all it serves in dictionaries.

    Attributes:
        collections: by normalised path.
        resources: by normalised path.
    """

    def __init__(
        self,
        normalise: Callable[[str], str] = str,
        *,
        page_size: int,
        refusals: Sequence[Refusal] = (),
        faults: Sequence[Fault] = (),
    ) -> None:
        """Start empty. *normalise* maps the spellings of a path that mean the same to one."""
        self.page_size = page_size
        self.refusals = refusals
        self.faults = faults
        self.normalise = normalise
        self.collections: dict[str, Collection] = {}
        self.resources: dict[str, JsonObject] = {}
        self._known: set[str] = set()

    def add_collection(self, path: str, collection: Collection) -> None:
        """Serve *collection* at *path*, which makes everything above *path* known."""
        self.collections[self.normalise(path)] = collection
        self.add_known(path)

    def add_resource(self, path: str, resource: JsonObject) -> None:
        """Serve *resource* at *path*, which makes it and everything above it known."""
        self.resources[self.normalise(path)] = resource
        self.add_known(path)

    def add_known(self, path: str) -> None:
        """Note that *path* exists, and therefore everything above it."""
        path = self.normalise(path)
        while path and path not in self._known:
            self._known.add(path)
            path = path.rpartition("/")[0]

    def collection(self, path: str) -> Collection | None:
        """See :meth:`Source.collection`."""
        return self.collections.get(self.normalise(path))

    def resource(self, path: str) -> JsonObject | None:
        """See :meth:`Source.resource`."""
        return self.resources.get(self.normalise(path))

    def knows(self, path: str) -> bool:
        """See :meth:`Source.knows`."""
        return self.normalise(path) in self._known

    def count(self, path: str) -> int:
        """See :meth:`Source.count`."""
        found = self.collection(path)
        return len(found.items) if found is not None else 0

    @abstractmethod
    def counts(self) -> Counter[str]:
        """See :meth:`Source.counts`."""

    def lists(self) -> Iterator[str]:
        """See :meth:`Source.lists`."""
        yield from (path for path, collection in self.collections.items() if collection.items)
