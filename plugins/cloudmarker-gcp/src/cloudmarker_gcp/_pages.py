"""The forms that Google's lists come in: items flat or by zone, whose they are, and what says that some are missing.

A page is not decoded as a whole: as objects one of 500 machines takes ten times the memory of its text. Its items are
decoded one by one, when their turn comes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from cloudmarker.coverage import State
from cloudmarker.reading import UnreadError

from cloudmarker_gcp._json import text
from cloudmarker_gcp._names import last_part, project_in
from cloudmarker_gcp._scopes import Scope

HARMLESS = frozenset(
    {"NO_RESULTS_ON_PAGE", "DEPRECATED_RESOURCE_USED", "DEPRECATED_TYPE_USED", "EXPERIMENTAL_TYPE_USED"}
)
"""Warning codes that do not say that anything is missing. Empty zones of an aggregated list have the first."""

UNREACHABLE = ("unreachables", "unreachable", "missingZones")
"""The fields in which pages name the places that could not be asked; each API has one of them."""

_page = msgspec.json.Decoder(dict[str, msgspec.Raw])
_array = msgspec.json.Decoder(list[msgspec.Raw])
_value = msgspec.json.Decoder()
_REFUSALS = (msgspec.MsgspecError, ValueError, RecursionError)

Gap = tuple[State, str, str]
"""State, reason and place of something that is missing; see :meth:`cloudmarker.reading.Tally.gap`."""


def decoded(raw: bytes | memoryview) -> Any:
    """Return the JSON value in *raw*.

    Raises:
        ValueError: there is none.
    """
    try:
        return _value.decode(raw)
    except _REFUSALS:
        pass  # the other decoder, below, takes it or says what is wrong
    try:
        return json.loads(bytes(raw))  # which takes lone surrogates, too
    except RecursionError as exc:
        raise ValueError("it is nested too deeply") from exc


class Page:
    """One answer to a question for a list, or for a single object.

    Args:
        body: of the answer.
        content_type: of the answer.

    Raises:
        UnreadError: it is no JSON object.
    """

    def __init__(self, body: bytes, content_type: str = "") -> None:
        self._body = body
        try:
            self._fields: dict[str, Any] = _page.decode(body)
        except _REFUSALS:
            self._fields = _fields(body, content_type)

    def get(self, key: str) -> Any:
        """Return the value of a field; None if there is none.

        Raises:
            UnreadError: it cannot be read.
        """
        raw = self._fields.get(key)
        if not isinstance(raw, msgspec.Raw):
            return raw
        try:
            return decoded(memoryview(raw))
        except ValueError as exc:
            raise UnreadError("failed", f"the answer is not JSON: {exc}", again=True) from exc

    def whole(self) -> dict[str, Any]:
        """Return the answer as an object.

        Raises:
            UnreadError: it cannot be read.
        """
        return {key: self.get(key) for key in self._fields}

    def following(self) -> tuple[str, str] | None:
        """Return the parameter that asks for the next page, and its value; None if this is the last one."""
        if token := self.get("nextPageToken"):
            return "pageToken", str(token)
        token = text(self.get("metadata"), "continue")  # Cloud Run
        return ("continue", token) if token else None

    def check_owner(self, scope: Scope) -> None:
        """Check that the page is of what was asked for, if it says whose it is.

        Raises:
            UnreadError: it is of another project.
        """
        for key in ("id", "selfLink"):
            check_owner(self.get(key), scope)

    def gaps(self) -> Iterator[Gap]:
        """Yield what the page says is missing, but for what its parts say."""
        yield from _warnings(self.get("warning"), "")
        for warning in _list(self.get("warnings"), "warnings"):
            yield from _warnings(warning, "")
        for key in UNREACHABLE:
            for place in _list(self.get(key), key):
                yield "failed", "unreachable", _place(str(place))

    def items(self, key: str, aggregated: str = "") -> tuple[list[msgspec.Raw | Any], list[Gap]]:
        """Return the items of the page, each still to be :func:`decoded`, and what its parts say is missing.

        Args:
            key: of the items.
            aggregated: key of the items of one place, if the list is one of all places; empty if not.

        Raises:
            UnreadError: the page is not one of such a list.
        """
        found = self._fields.get(key)
        if not aggregated:
            return _raw_list(found, key), []
        items: list[msgspec.Raw | Any] = []
        gaps: list[Gap] = []
        for place, part in _raw_object(found, key).items():
            inner = _raw_object(part, key)
            if "warning" in inner:
                gaps += _warnings(_plain(inner["warning"]), place)
            items += _raw_list(inner.get(aggregated), aggregated)
        return items, gaps


def check_owner(link: Any, scope: Scope) -> None:
    """Check that a link is one of what was asked for, if it names a project.

    Raises:
        UnreadError: it is of another project.
    """
    owner = project_in(link) if isinstance(link, str) else None
    if not scope.holds(owner):
        raise UnreadError("failed", f"the answer is not of this project, but of project {owner}")


def check_item(item: Any, scope: Scope) -> None:
    """Check that an item is of what was asked for, if it says whose it is.

    Raises:
        UnreadError: it is of another project.
    """
    check_owner(text(item, "selfLink"), scope)
    if number := text(item, "projectNumber"):  # links of buckets do not name their project
        check_owner(f"projects/{number}", scope)


def _fields(body: bytes, content_type: str) -> dict[str, Any]:
    try:
        value = decoded(body)
    except ValueError as exc:
        kind = content_type or "no content type"
        raise UnreadError("failed", f"the answer is not JSON ({kind}): {exc}", again=True) from exc
    if not isinstance(value, dict):
        raise UnreadError("failed", "the answer is JSON but no object", again=True)
    return value


def _warnings(warning: Any, place: str) -> Iterator[Gap]:
    if warning is None:
        return
    if not isinstance(warning, Mapping):
        warning = {"message": str(warning)}
    code = str(warning.get("code") or "a warning without a code")
    if code in HARMLESS:
        return
    message = str(warning.get("message") or "")
    if place:
        reason_of_one = code.lower() if code == "UNREACHABLE" else f"{code}: {message}" if message else code
        yield "failed", reason_of_one, place
    else:
        named = text(warning, "region") or ""  # Cloud SQL says which
        yield "failed", f"{code}: {message}" if message else code.lower(), f"regions/{named}" if named else ""


def _place(name: str) -> str:
    """Return ``zones/us-east1-b`` for any spelling of it; other names of places as they are.

    >>> _place("projects/p/zones/us-east1-b"), _place("us-east1-b"), _place("us")
    ('zones/us-east1-b', 'zones/us-east1-b', 'us')
    """
    parts = name.split("/")
    if len(parts) > 1:
        return "/".join(parts[-2:])
    return f"zones/{last_part(name)}" if name.count("-") > 1 else name


def _plain(raw: Any) -> Any:
    return decoded(memoryview(raw)) if isinstance(raw, msgspec.Raw) else raw


def _list(value: Any, key: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise UnreadError("failed", f'the answer is no page of a list: "{key}" is not an array')
    return value


def _raw_list(found: Any, key: str) -> list[Any]:
    if not isinstance(found, msgspec.Raw):
        return _list(found, key)
    try:
        return _array.decode(memoryview(found))
    except _REFUSALS:
        return _list(_plain(found), key)


def _raw_object(found: Any, key: str) -> Mapping[str, Any]:
    if found is None:
        return {}
    if isinstance(found, msgspec.Raw):
        try:
            return _page.decode(memoryview(found))
        except _REFUSALS:
            found = _plain(found)
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        raise UnreadError("failed", f'the answer is no page of an aggregated list: look at its "{key}"')
    return found
