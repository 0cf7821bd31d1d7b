"""Templates that are stamped out as JSON text, as often as a synthetic tenant is large.

A template is JSON with placeholders in its strings, and choices:

- ``{name}`` is a value of the place that it is stamped for, such as ``{unit}`` or ``{location}``.
- ``{guid:label}`` is a UUID, the same for the same label and place.
- ``{id:label}`` is a number of 19 digits, likewise. ``{raw:name}``, alone in a string, is a value that is JSON itself.
- ``{any:label|a|b}`` is one of its options. A string that is nothing else becomes what the option says: ``true``,
  ``false``, ``null``, a whole number, or text; with ``{text:label|a|b}`` always text.
- ``{"$any": "label", "of": [...]}`` is one of its options, with whatever they hold; ``"$absent"`` leaves the key out.

Which options are taken depends on label, seed and the variant of a place, of which there are only a few. A template is
made into a format string a few times, and stamping it is one ``%``. A million resources cost no memory, and a hundred
of them less than a millisecond.
"""

from __future__ import annotations

import hashlib
import json
import re
from abc import abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Any, NamedTuple, overload

from cloudmarker_simulators._http import Json, JsonObject

VARIANTS = 24
"""Different ways in which the choices of a tenant's templates fall."""

ABSENT = "$absent"
_ANY = re.compile(r"\{(any|text):(\w+)\|((?:[^{}]|\{\w+\})*)\}")
GUID = re.compile(r"\{guid:(\w+)\}")
ID = re.compile(r"\{id:(\w+)\}")
_RAW = re.compile(r'"\{raw:(\w+)\}"')
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_LITERAL = re.compile(r"true|false|null|-?\d+")


class Place(NamedTuple):
    """Where a template is stamped.

    Attributes:
        values: what its placeholders stand for. ``tail`` has 12 hexadecimal digits that no other place has, and
            ``digits`` 12 decimal ones.
        variant: how its choices fall, from 0 to VARIANTS - 1.
    """

    values: Mapping[str, str]
    variant: int


def variant_of(seed: int, *where: int) -> int:
    """Return the variant of a place: even over all of them, without a pattern that follows the numbers."""
    mixed = seed * 0x9E3779B1
    for number in where:
        mixed = (mixed ^ number) * 0x85EBCA6B & 0xFFFFFFFF
        mixed ^= mixed >> 15
    return mixed % VARIANTS


def guid_head(seed: int, label: str) -> str:
    """Return what the UUID of *label* begins with: all but its last group, which is the ``tail`` of the place."""
    digits = hashlib.sha256(f"{seed} {label}".encode()).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}"


def id_head(seed: int, label: str) -> str:
    """Return what the number of *label* begins with: all but its last 12 digits, the ``digits`` of the place."""
    return f"{int(hashlib.sha256(f'{seed} {label}'.encode()).hexdigest()[:8], 16) % 4_000_000 + 4_000_000}"


class Stamp:
    """One template, ready to be stamped."""

    def __init__(self, template: Json, seed: int) -> None:
        self.template = template
        self._seed = seed
        self._formats: list[str | None] = [None] * VARIANTS

    def text(self, place: Place) -> str:
        """Return the JSON text of the template at *place*."""
        made = self._formats[place.variant]
        if made is None:
            made = self._formats[place.variant] = self._format(place.variant)
        return made % place.values

    def value(self, place: Place) -> Json:
        """Return what :meth:`text` says, parsed."""
        return json.loads(self.text(place))

    def _format(self, variant: int) -> str:
        chosen = self._chosen(self.template, variant)
        return fill_in(json.dumps(chosen, ensure_ascii=False, separators=(",", ":")), self._seed)

    def _chosen(self, value: Json, variant: int) -> Json:
        if isinstance(value, str):
            made = _ANY.sub(lambda match: self._pick(match[2], match[3].split("|"), variant), value)
            literal = value.startswith("{any:") and _ANY.fullmatch(value) and _LITERAL.fullmatch(made)
            return json.loads(made) if literal else made
        if isinstance(value, list):
            items = (self._chosen(item, variant) for item in value)
            return [item for item in items if item != ABSENT]
        if isinstance(value, dict):
            if "$any" in value:
                return self._chosen(self._pick(value["$any"], value["of"], variant), variant)
            pairs = ((key, self._chosen(item, variant)) for key, item in value.items())
            return {key: item for key, item in pairs if item != ABSENT}
        return value

    def _pick(self, label: str, options: Sequence[Any], variant: int) -> Any:
        digest = hashlib.sha256(f"{self._seed} {label} {variant}".encode()).digest()
        return options[int.from_bytes(digest[:4], "big") % len(options)]


def fill_in(text: str, seed: int) -> str:
    """Return *text* as a format string for ``%`` and the values of a place."""
    text = text.replace("%", "%%")
    text = GUID.sub(lambda match: f"{guid_head(seed, match[1])}-%(tail)s", text)
    text = ID.sub(lambda match: f"{id_head(seed, match[1])}%(digits)s", text)
    text = _RAW.sub(r"%(\1)s", text)
    return _PLACEHOLDER.sub(r"%(\1)s", text)


class LazyItems(Sequence[JsonObject]):
    """A list of JSON objects that are made, as text, when they are asked for."""

    @abstractmethod
    def text(self, index: int) -> str:
        """Return the JSON text of item number *index*, from 0."""

    @overload
    def __getitem__(self, index: int) -> JsonObject: ...
    @overload
    def __getitem__(self, index: slice) -> list[JsonObject]: ...
    def __getitem__(self, index: int | slice) -> JsonObject | list[JsonObject]:
        if isinstance(index, slice):
            return [json.loads(self.text(number)) for number in range(*index.indices(len(self)))]
        item: JsonObject = json.loads(self.text(range(len(self))[index]))
        return item

    def __iter__(self) -> Iterator[JsonObject]:
        for number in range(len(self)):
            yield json.loads(self.text(number))


class StampedItems(LazyItems):
    """Some templates, stamped in turn at each of some places."""

    def __init__(self, stamps: Sequence[Stamp], units: Sequence[int], place: Callable[[int], Place]) -> None:
        """Stamp *stamps* at the *place* of each number in *units*."""
        self._stamps = stamps
        self._units = units
        self._place = lru_cache(maxsize=1)(place)  # the templates of one place come one after the other

    def __len__(self) -> int:
        return len(self._stamps) * len(self._units)

    def text(self, index: int) -> str:
        """See :meth:`LazyItems.text`."""
        unit, stamp = divmod(index, len(self._stamps))
        return self._stamps[stamp].text(self._place(self._units[unit]))


class JoinedItems(LazyItems):
    """Lists one after the other."""

    def __init__(self, parts: Sequence[LazyItems]) -> None:
        self._parts = [part for part in parts if len(part)]
        self._ends = list(accumulate(len(part) for part in self._parts))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def part_of(self, index: int) -> int:
        """Return which list item number *index* is in, empty ones not counted."""
        return bisect_right(self._ends, index)

    def text(self, index: int) -> str:
        """See :meth:`LazyItems.text`."""
        part = self.part_of(index)
        return self._parts[part].text(index - (self._ends[part - 1] if part else 0))


class EvenlyJoinedItems(LazyItems):
    """Lists of one length, one after the other, each made when it is looked into."""

    def __init__(self, number: int, part: Callable[[int], LazyItems]) -> None:
        """Join the lists that *part* returns for the numbers from 0 to *number* - 1."""
        self._number = number
        self._part = lru_cache(maxsize=4)(part)
        self._size = len(part(0)) if number else 0

    def __len__(self) -> int:
        return self._number * self._size

    def text(self, index: int) -> str:
        """See :meth:`LazyItems.text`."""
        part, inside = divmod(index, self._size)
        return self._part(part).text(inside)


def json_array(items: Sequence[JsonObject], start: int, end: int) -> str:
    """Return items *start* to *end* of a list as a JSON array."""
    if isinstance(items, LazyItems):
        return f"[{','.join(items.text(number) for number in range(start, min(end, len(items))))}]"
    return json.dumps(list(items[start:end]), ensure_ascii=False, separators=(",", ":"))
