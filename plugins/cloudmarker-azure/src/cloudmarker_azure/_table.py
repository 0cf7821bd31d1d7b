"""The resource types that are read: one row each. A further type is a further row, and its transform."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cloudmarker_azure import _records
from cloudmarker_azure._records import Transform


@dataclass(frozen=True)
class Part:
    """A resource type that comes inside the JSON of another.

    Attributes:
        record_type: the ``ext.record_type`` of its records.
        member: the keys that lead to the array of them in the owner's JSON.
        transform: makes the record of one.
    """

    record_type: str
    member: tuple[str, ...]
    transform: Transform


@dataclass(frozen=True)
class Row:
    """A resource type that has a list of its own.

    Attributes:
        record_type: the ``ext.record_type`` of its records.
        scope: what has such a list.
        path: of the list, under the id of the scope.
        api_version: of the list; docs/azure.md says why which.
        transform: makes the record of one.
        parts: the types that come inside it.
        if_empty: why an empty list means that something is not seen; None if it simply means there is none.
    """

    record_type: str
    scope: Literal["tenant", "subscription"]
    path: str
    api_version: str
    transform: Transform
    parts: tuple[Part, ...] = ()
    if_empty: str | None = None

    @property
    def record_types(self) -> tuple[str, ...]:
        """The ``ext.record_type`` of all records that reading the list gives."""
        return (self.record_type, *(part.record_type for part in self.parts))


SUBSCRIPTIONS = Row(
    record_type="subscription",
    scope="tenant",
    path="/subscriptions",
    api_version="2022-12-01",
    transform=_records.subscription,
    if_empty="no subscription is visible: give the identity the Reader role on a subscription or a management group",
)

TABLE: tuple[Row, ...] = (
    SUBSCRIPTIONS,
    Row(
        record_type="resource_group",
        scope="subscription",
        path="/resourcegroups",
        api_version="2021-04-01",
        transform=_records.resource_group,
    ),
    Row(
        record_type="nsg",
        scope="subscription",
        path="/providers/Microsoft.Network/networkSecurityGroups",
        api_version="2024-05-01",
        transform=_records.nsg,
        parts=(
            # properties.defaultSecurityRules are not read: nobody made them, and nobody can remove them.
            Part(
                record_type="security_rule",
                member=("properties", "securityRules"),
                transform=_records.security_rule,
            ),
        ),
    ),
)
