"""Azure Resource Graph, as far as an inventory asks it: the rows of some types in some subscriptions, page by page.

A query is a table and steps: ``resources | where type =~ 'microsoft.compute/disks' | project id | order by id asc``.
Understood are ``where`` with comparisons of one column with text (``=~``, ``==``, ``in~``, ``in``) joined by ``and``,
``project`` with names of columns, ``order by id``, and ``limit``. Whatever else is asked is refused, not misread.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from cloudmarker_simulators import _azure_errors as errors
from cloudmarker_simulators._http import JsonObject, Request, Response, text_response
from cloudmarker_simulators._stamps import json_array

PATH = "/providers/microsoft.resourcegraph/resources"
MAX_ROWS = 1000
"""Most rows that an answer has, and as many as it has when nobody says how many."""

COLUMNS = (
    "id", "name", "type", "tenantId", "kind", "location", "resourceGroup", "subscriptionId", "managedBy", "sku", "plan",
    "properties", "tags", "identity", "zones", "extendedLocation",
)  # fmt: skip
CONTAINERS = ("microsoft.resources/subscriptions", "microsoft.resources/subscriptions/resourcegroups")

_CONDITION = re.compile(r"(\w+)\s*(=~|==|in~|in)\s*(\(.*\)|'[^']*'|\"[^\"]*\")", re.DOTALL | re.IGNORECASE)
_TEXT = re.compile(r"'([^']*)'|\"([^\"]*)\"")
_ORDER = re.compile(r"(?:order|sort)\s+by\s+id(?:\s+asc)?", re.IGNORECASE)
_LIMIT = re.compile(r"(?:limit|take)\s+(\d+)", re.IGNORECASE)


class QueryError(ValueError):
    """A query that is not understood; the message says which part."""


@dataclass(frozen=True)
class Condition:
    """A column has one of some values.

    Attributes:
        column: its name.
        values: in lower case if case does not matter.
        exact: whether case matters.
    """

    column: str
    values: frozenset[str]
    exact: bool

    def holds(self, row: JsonObject) -> bool:
        """Say whether it is so in *row*."""
        value = str(row.get(self.column) or "")
        return (value if self.exact else value.lower()) in self.values


@dataclass(frozen=True)
class Query:
    """What is asked.

    Attributes:
        table: ``resources`` or ``resourcecontainers``.
        types: in lower case; None for all.
        conditions: on other columns.
        columns: of the answer; None for all.
        limit: most rows in all; None for no limit.
    """

    table: str
    types: frozenset[str] | None = None
    conditions: tuple[Condition, ...] = ()
    columns: tuple[str, ...] | None = None
    limit: int | None = None

    @classmethod
    def parse(cls, text: str) -> Query:
        """Return the query that *text* is.

        Raises:
            QueryError: it is none that is understood.
        """
        table, *steps = (step.strip() for step in _steps(text))
        if table.lower() not in ("resources", "resourcecontainers"):
            raise QueryError(f"there is no table {table!r} here")
        query = cls(table.lower())
        for step in steps:
            query = query._with(step)
        return query

    def _with(self, step: str) -> Query:
        word, _, rest = step.partition(" ")
        if word.lower() == "where":
            return self._where(rest)
        if word.lower() == "project":
            columns = tuple(column.strip() for column in rest.split(","))
            if unknown := [column for column in columns if column not in COLUMNS]:
                raise QueryError(f"project: no column {unknown[0]!r}")
            return replace(self, columns=columns)
        if match := _LIMIT.fullmatch(step):
            return replace(self, limit=int(match[1]))
        if _ORDER.fullmatch(step):  # rows are always in this order
            return self
        raise QueryError(f"this stand-in does not understand {step!r}")

    def _where(self, text: str) -> Query:
        query = self
        for part in re.split(r"\s+and\s+", text, flags=re.IGNORECASE):
            match = _CONDITION.fullmatch(part.strip())
            if match is None or match[1] not in COLUMNS:
                raise QueryError(f"this stand-in does not understand 'where {part}'")
            exact = not match[2].endswith("~")
            values = frozenset(a or b if exact else (a or b).lower() for a, b in _TEXT.findall(match[3]))
            if match[1] == "type":  # types are stored in lower case, whatever the resources say
                types = values if query.types is None else values & query.types
                query = replace(query, types=types)
            else:
                query = replace(query, conditions=(*query.conditions, Condition(match[1], values, exact)))
        return query


def _steps(text: str) -> list[str]:
    """Split a query at its pipes, those within quotes left alone."""
    return [step for step in re.findall(r"(?:[^|'\"]|'[^']*'|\"[^\"]*\")+", text) if step.strip()] or [""]


def graph_row(resource: JsonObject, subscription: str, tenant: str) -> JsonObject:
    """Return what Resource Graph says of a *resource*: fewer fields, in columns that every resource has."""
    parts = resource["id"].split("/")
    copied = ("kind", "managedBy", "sku", "plan", "properties", "tags", "identity", "zones", "extendedLocation")
    row: JsonObject = {"id": resource["id"], "name": resource["name"], "type": resource["type"].lower()}
    if row["type"] == "microsoft.resources/resourcegroups":
        row["type"] = "microsoft.resources/subscriptions/resourcegroups"
    row |= {
        "tenantId": tenant,
        "kind": "",
        "location": resource.get("location", "").replace(" ", "").lower(),
        "resourceGroup": parts[4].lower() if len(parts) > 4 and parts[3].lower() == "resourcegroups" else "",
        "subscriptionId": subscription,
        "managedBy": "",
        "sku": None,
        "plan": None,
        "properties": None,
        "tags": None,
        "identity": None,
        "zones": None,
        "extendedLocation": None,
    }
    return row | {key: resource[key] for key in copied if resource.get(key) is not None}


class Rows(Protocol):
    """A data source that Resource Graph can be asked about."""

    def rows(
        self,
        types: Iterable[str] | None,
        table: str,
        columns: Sequence[str] | None,
        subscriptions: Sequence[str] | None,
    ) -> Sequence[JsonObject]:
        """Return rows in the order of their ids.

        Args:
            types: in lower case; None for all of the table.
            table: ``resources`` or ``resourcecontainers``.
            columns: that are wanted; None for all.
            subscriptions: ids of those that are asked about; None for all.
        """

    def members(self, group: str) -> list[str] | None:
        """Return the ids of the subscriptions in a management group or below it, None if there is no such group."""


class ResourceGraph:
    """The service, over what a source has."""

    def __init__(self, source: Rows, hidden: Callable[[JsonObject], bool] | None) -> None:
        """Answer from *source*, but for the rows that are *hidden* from the reader; None if none is."""
        self._source = source
        self._hidden = hidden

    def answer(self, request: Request, page_size: int) -> Response:
        """Answer a query, with at most *page_size* rows."""
        try:
            return self._answer(json.loads(request.body), min(page_size, MAX_ROWS))
        except (QueryError, KeyError, TypeError, ValueError) as exc:
            return errors.arm_error(400, "BadRequest", f"The query is not understood: {exc}")

    def _answer(self, asked: JsonObject, page_size: int) -> Response:
        query = Query.parse(asked["query"])
        options = asked.get("options") or {}
        if options.get("resultFormat", "objectArray") != "objectArray":
            raise QueryError("only the result format objectArray is served")
        subscriptions = self._subscriptions(asked)
        top = int(options.get("$top", MAX_ROWS))
        if not 1 <= top <= MAX_ROWS:
            raise QueryError(f"$top is from 1 to {MAX_ROWS}")
        rows = self._rows(query, subscriptions)
        total = len(rows) if query.limit is None else min(len(rows), query.limit)
        start = _read_skip_token(options.get("$skipToken"), asked["query"], total) + int(options.get("$skip", 0))
        end = min(start + min(top, page_size), total)
        more = end < total
        # Pages are only possible if the rows can be told apart and their number is not limited.
        paged = query.limit is None and (query.columns is None or "id" in query.columns)
        head: dict[str, Any] = {"totalRecords": total, "count": max(end - start, 0)}
        tail: dict[str, Any] = {"facets": [], "resultTruncated": "true" if more and not paged else "false"}
        if more and paged:
            tail["$skipToken"] = _skip_token(end, asked["query"])
        text = f'{json.dumps(head)[:-1]},"data":{json_array(rows, start, end)},{json.dumps(tail)[1:]}'
        return text_response(200, text)

    def _subscriptions(self, asked: JsonObject) -> Sequence[str] | None:
        if asked.get("subscriptions"):
            return [str(id_) for id_ in asked["subscriptions"]]
        if not asked.get("managementGroups"):
            return None
        found: list[str] = []
        for group in asked["managementGroups"]:
            members = self._source.members(str(group))
            if members is None:
                raise QueryError(f"no management group {group!r}")
            found += members
        return found

    def _rows(self, query: Query, subscriptions: Sequence[str] | None) -> Sequence[JsonObject]:
        for_all = [condition for condition in query.conditions if condition.column != "subscriptionId"]
        for condition in query.conditions:
            if condition.column == "subscriptionId" and subscriptions is not None:
                subscriptions = [id_ for id_ in subscriptions if condition.holds({"subscriptionId": id_})]
            elif condition.column == "subscriptionId":
                subscriptions = sorted(condition.values)
        if self._hidden is None and not for_all:
            return self._source.rows(query.types, query.table, query.columns, subscriptions)
        rows = self._source.rows(query.types, query.table, None, subscriptions)
        kept = [row for row in rows if all(condition.holds(row) for condition in for_all)]
        if self._hidden is not None:
            kept = [row for row in kept if not self._hidden(row)]
        return kept if query.columns is None else [{name: row.get(name) for name in query.columns} for row in kept]


def _skip_token(start: int, query: str) -> str:
    return base64.urlsafe_b64encode(f"{start}:{binascii.crc32(query.encode())}".encode()).decode()


def _read_skip_token(token: str | None, query: str, total: int) -> int:
    if not token:
        return 0
    try:
        number, _, of = base64.urlsafe_b64decode(token).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as exc:
        raise QueryError("the skip token is not one that was given") from exc
    if not number.isdigit() or int(number) > total or of != str(binascii.crc32(query.encode())):
        raise QueryError("the skip token is not one that this query gave")
    return int(number)
