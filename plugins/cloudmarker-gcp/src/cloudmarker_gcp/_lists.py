"""The forms that Google's lists come in: items flat or by zone, whose they are, and what says that some are missing."""

from __future__ import annotations

from typing import Any

from cloudmarker.coverage import STATES, State

from cloudmarker_gcp._names import last_part, project_in
from cloudmarker_gcp._outcome import UnreadError
from cloudmarker_gcp._records import Scope
from cloudmarker_gcp._table import Row

HARMLESS = frozenset(
    {"NO_RESULTS_ON_PAGE", "DEPRECATED_RESOURCE_USED", "DEPRECATED_TYPE_USED", "EXPERIMENTAL_TYPE_USED"}
)
"""Warning codes that do not say that anything is missing. Empty zones of an aggregated list have the first."""


class Gaps:
    """What a list says it could not give: reason → where, in order."""

    def __init__(self) -> None:
        self._places: dict[str, dict[str, None]] = {}
        self._states: set[State] = set()

    def add(self, state: State, reason: str, place: str = "") -> None:
        """Note that for that *reason* what is in *place* (``zones/…``, empty: everywhere) is not or not all there."""
        self._states.add(state)
        self._places.setdefault(reason, {})[place] = None

    @property
    def state(self) -> State:
        """The worst state of all; ok if there is no gap."""
        return max(self._states, key=STATES.index, default="ok")

    def __str__(self) -> str:
        return "; ".join(
            f"{', '.join(filter(None, places))}: {reason}" if any(places) else reason
            for reason, places in self._places.items()
        )


def items_of(page: dict[str, Any], row: Row, method: str, scope: Scope, gaps: Gaps) -> list[Any]:
    """Return the items of one page, and note in *gaps* what it says is missing.

    Args:
        page: as answered.
        row: the resource type.
        method: that gave the page; ``aggregatedList`` gives items by zone.
        scope: whose list was asked for.
        gaps: added to.

    Raises:
        UnreadError: the page is not one of that list, or has something of another project.
    """
    if row.items is None:
        return [page]
    _check_owner(page, scope)
    found = page.get(row.items)
    _note_warning(page, "", gaps)
    for place in _list(page, "unreachables"):
        gaps.add("failed", "unreachable", _place(str(place)))
    if method != "aggregatedList":
        found = {"": {row.collection: found}}
    elif found is None:
        found = {}
    if not isinstance(found, dict) or not all(isinstance(part, dict) for part in found.values()):
        raise UnreadError("failed", f'the answer is no page of an aggregated list: look at its "{row.items}"')
    items = []
    for place, part in found.items():
        _note_warning(part, place, gaps)
        items += _list(part, row.collection)
    for item in items:
        if isinstance(item, dict):
            _check_owner(item, scope)
    return items


def _check_owner(answer: dict[str, Any], scope: Scope) -> None:
    """Check that a page or an item is of the project that was asked for, if it says whose it is."""
    for key in ("id", "selfLink"):
        link = answer.get(key)
        owner = project_in(link) if isinstance(link, str) else None
        if not scope.holds(owner):
            raise UnreadError("failed", f"the answer is not of this project, but of project {owner}")


def _note_warning(part: dict[str, Any], place: str, gaps: Gaps) -> None:
    warning = part.get("warning")
    if warning is None:
        return
    if not isinstance(warning, dict):
        warning = {"message": str(warning)}
    code = str(warning.get("code") or "a warning without a code")
    if code in HARMLESS:
        return
    message = str(warning.get("message") or "")
    gaps.add("failed", f"{code}: {message}" if message and code != "UNREACHABLE" else code.lower(), place)


def _place(name: str) -> str:
    """Return ``zones/us-east1-b`` for any spelling of it.

    >>> _place("projects/p/zones/us-east1-b")
    'zones/us-east1-b'
    """
    parts = name.split("/")
    return "/".join(parts[-2:]) if len(parts) > 1 else f"zones/{last_part(name)}"


def _list(part: dict[str, Any], key: str) -> list[Any]:
    value = part.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise UnreadError("failed", f'the answer is no page of a list: "{key}" is not an array')
    return value
