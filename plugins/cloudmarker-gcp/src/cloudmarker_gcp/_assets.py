"""Cloud Asset Inventory: the resources of many types and projects in one list, and the policies on them in another.

What it has of a resource is the JSON of the resource's own API, so the records are the same; docs/gcp.md says what it
leaves out. What it does not have at all is read from the APIs, and everything is where it cannot be asked.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any, NamedTuple

from cloudmarker.contracts import Record
from cloudmarker.fanout import Job
from cloudmarker.reading import UnreadError

from cloudmarker_gcp._client import Call, Client
from cloudmarker_gcp._governor import Target
from cloudmarker_gcp._json import at, text, texts
from cloudmarker_gcp._names import last_part, zone_and_region
from cloudmarker_gcp._pages import check_item, decoded
from cloudmarker_gcp._reader import Branch, Branches, Chunk, Steps, Work, in_chunks
from cloudmarker_gcp._record import Where
from cloudmarker_gcp._row import Row
from cloudmarker_gcp._scopes import Scope
from cloudmarker_gcp._table import ASSET_LIST

LISTS = 8
"""Lists that an organization or folder is read with, each of some types: pages of one list come one after the other."""

RESOURCE = "RESOURCE"
POLICY = "IAM_POLICY"

_PERMISSIONS = {RESOURCE: "cloudasset.assets.listResource", POLICY: "cloudasset.assets.listIamPolicy"}


class _Place(NamedTuple):
    """Where in the table an asset belongs: a row, and the one at the top of its tree."""

    top: Row
    row: Row


def is_served(row: Row) -> bool:
    """Return whether Cloud Asset Inventory has what a row is about, or all that it leads to."""
    if row.assets:
        return True
    return row.kind is None and bool(row.children) and all(map(is_served, row.children))


def asset_job(client: Client, branches: Branches, parent: Scope, rows: Sequence[Row], scopes: Sequence[Scope]) -> Work:
    """Return the job that reads *rows* of all *scopes* from one list.

    Args:
        client: reads.
        branches: makes what keeps count of the records of a row and a scope.
        parent: the project, folder or organization whose list is read.
        rows: those that :func:`is_served` holds for.
        scopes: what is wanted of all that is in it.
    """
    return Job(_Listing(client, branches, parent, rows, scopes).steps, Target.of(parent, ASSET_LIST.api))


def grouped(rows: Sequence[Row]) -> list[list[Row]]:
    """Return *rows* in so many groups that their lists can be read at the same time."""
    return [group for group in ([*rows[first::LISTS]] for first in range(LISTS)) if group]


class _Listing:
    """One reading of resources, and of policies before that; see :func:`asset_job`."""

    def __init__(
        self, client: Client, branches: Branches, parent: Scope, rows: Sequence[Row], scopes: Sequence[Scope]
    ) -> None:
        self._client = client
        self._make = branches
        self._parent = parent
        self._rows = rows
        self._scopes = scopes
        self._by_ancestor = {name: scope for scope in scopes for name in _names(scope)}
        self._branches: dict[tuple[str, int], Branch] = {}
        self._resources: dict[str, _Place] = {}
        self._policies: dict[str, _Place] = {}
        for top in rows:
            for row in top.walk():
                if row.assets:
                    (self._policies if is_policy(row) else self._resources)[row.assets] = _Place(top, row)
        self._known: dict[tuple[str, str], _Place | None] = {}

    def steps(self) -> Steps:
        """Read it all; yield records, jobs for what the list does not have, and coverage."""
        policies_unread = None
        if self._policies:
            policies_unread = yield from self._list(POLICY, self._policies)
        resources_unread = None
        if self._resources:
            resources_unread = yield from self._list(RESOURCE, self._resources, policies_unread)
        # What no list has brought anything of is read from the APIs.
        for scope in self._scopes:
            for top in self._rows:
                if scope.level in top.levels:
                    yield from self._end(self._branch(top, scope), policies_unread, resources_unread)
                    self._branches.pop((scope.path, id(top)), None)

    def _end(self, branch: Branch, policies: UnreadError | None, resources: UnreadError | None) -> Steps:
        """Close a branch, or let its own API be asked if the list could not be."""
        only_policy = is_policy(branch.row)
        unread = policies if only_policy else resources
        if unread is not None:
            branch.remark(branch.row, f"read from its own API: Cloud Asset Inventory: {unread}")
            row = branch.row if policies is not None or only_policy else without_policies(branch.row)
            branch.enter()
            yield branch.job(row)
        elif policies is not None:
            for row in branch.row.walk():
                if is_policy(row):
                    branch.remark(row, f"read from its own API: Cloud Asset Inventory: {policies}")
        yield from branch.leave()

    def _list(
        self, content: str, places: Mapping[str, _Place], policies: UnreadError | None = None
    ) -> Generator[Chunk | Work, None, UnreadError | None]:
        """Read one list; yield the records. Return why it cannot be read at all, or None.

        Args:
            content: what is asked for of the assets.
            places: where they belong, by an expression for their types.
            policies: why the policies could not be read from here.
        """
        row = replace(ASSET_LIST, permission=_PERMISSIONS[content])
        call = Call.of(row, self._parent)
        arguments = {**call.arguments, "contentType": content, "assetTypes": list(places)}
        begun = False
        try:
            with closing(self._client.pages(replace(call, arguments=arguments))) as pages:
                for page in pages:
                    if page is None:
                        yield []
                        continue
                    items, _ = page.items("assets")
                    begun = True
                    del page
                    yield from in_chunks(self._read(items, content, places, policies))
        except UnreadError as exc:
            if not begun:
                return exc
            for scope in self._scopes:
                for place in places.values():
                    if scope.level in place.top.levels:
                        state = "failed" if exc.state == "disabled" else exc.state
                        self._branch(place.top, scope).note(place.row, UnreadError(state, str(exc)))
        return None

    def _read(
        self, items: list[Any], content: str, places: Mapping[str, _Place], policies: UnreadError | None
    ) -> Iterator[tuple[Record | Work, int]]:
        """Yield the records and jobs of the assets in *items*, which is emptied, each with its size in bytes."""
        items.reverse()
        while items:
            raw = items.pop()
            size = 0
            if not isinstance(raw, dict):
                view = memoryview(raw)
                size = len(view)
                try:
                    raw = decoded(view)
                except ValueError as exc:
                    raise UnreadError("failed", f"an asset is not JSON: {exc}") from exc
            for result in self._results(raw, content, places, policies):
                yield result, size
                size = 0

    def _results(
        self, asset: Any, content: str, places: Mapping[str, _Place], policies: UnreadError | None
    ) -> Iterator[Record | Work]:
        """Yield the records of an asset, and the jobs for what is below it and not among the assets."""
        place = self._place(text(asset, "assetType") or "", content, places)
        scope = next(filter(None, (self._by_ancestor.get(name) for name in texts(asset, "ancestors")[:1])), None)
        name = text(asset, "name") or ""
        if place is None or scope is None or scope.level not in place.top.levels or not self._wanted(place, name):
            return
        branch = self._branch(place.top, scope)
        if content == POLICY:
            policy = at(asset, "iamPolicy")
            owner = {} if place.row is place.top else {"reference": name, "name": last_part(name)}
            if policy is not None:
                yield from branch.records_of(place.row, Where(scope, owner), policy, below=False)
            return
        item = at(asset, "resource", "data")
        check_item(item, scope)
        owner = {"reference": name.rsplit("/", 2)[0]} if _is_child(place) else {}
        skip = [child for child in place.row.children if child.assets and not (policies and is_policy(child))]
        yield from branch.records_of(place.row, Where(scope, owner), item, skip=skip)

    def _place(self, asset_type: str, content: str, places: Mapping[str, _Place]) -> _Place | None:
        key = (asset_type, content)
        if key not in self._known:
            found = (place for pattern, place in places.items() if re.fullmatch(pattern, asset_type))
            self._known[key] = next(found, None)
        return self._known[key]

    def _wanted(self, place: _Place, name: str) -> bool:
        zones = self._make.zones
        return zones is None or not place.row.zone_method or zone_and_region(name)[0] in zones

    def _branch(self, top: Row, scope: Scope) -> Branch:
        key = (scope.path, id(top))
        branch = self._branches.get(key)
        if branch is None:
            branch = self._branches[key] = self._make(top, scope)
        return branch


def is_policy(row: Row) -> bool:
    """Return whether a row is one of policies that say who may do what."""
    return row.kind is not None and row.kind.com_type == "iam_policy"


def without_policies(row: Row) -> Row:
    """Return a row without the policies below it that the assets have."""
    kept = (without_policies(child) for child in row.children if not (is_policy(child) and child.assets))
    return replace(row, children=tuple(kept))


def _is_child(place: _Place) -> bool:
    """Return whether the resources of a row are in others, and not merely found by way of something else."""
    return place.row is not place.top and all(step.kind is not None for step in _above(place))


def _above(place: _Place) -> Iterable[Row]:
    for step in place.top.walk():
        if any(child is place.row for child in step.children):
            yield step


def _names(scope: Scope) -> list[str]:
    """Return what a scope is called among the ancestors of an asset."""
    return [scope.path, *([f"projects/{scope.number}"] if scope.number else [])]
