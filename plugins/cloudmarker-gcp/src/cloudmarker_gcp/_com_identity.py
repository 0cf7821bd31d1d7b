"""Common fields of scopes, service accounts, roles, and of who may do what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cloudmarker.contracts import Record
from cloudmarker.errors import RecordError

from cloudmarker_gcp._json import Item, is_word, labels, lower, objects, on, text, texts, timestamp, unique
from cloudmarker_gcp._names import RESOURCE_MANAGER, last_part
from cloudmarker_gcp._record import Basics, Kind, Where, record, required
from cloudmarker_gcp._row import Part

_PRINCIPALS = {
    "user": "user",
    "group": "group",
    "serviceaccount": "service_account",
    "domain": "domain",
    "allusers": "anyone",
    "allauthenticatedusers": "authenticated",
}
"""What a member of a policy begins with, lower case. https://cloud.google.com/iam/docs/principal-identifiers"""

_DATASET_PRINCIPALS = {
    "userByEmail": "user:{}",
    "groupByEmail": "group:{}",
    "domain": "domain:{}",
    "iamMember": "{}",
    "specialGroup": "{}",
}
"""The keys of an entry of a dataset's ``access`` that name somebody, and the principal that each means."""


def scope_basics(item: Item, where: Where) -> Basics:
    """Return the basics of a project, folder or organization: *where* is that very scope."""
    scope = where.scope
    parent = text(item, "parent")
    return Basics(
        scope.reference,
        scope.name or scope.id,
        "",
        labels(item, "labels"),
        item.get("createTime"),
        f"{RESOURCE_MANAGER}/{parent}" if parent else None,
    )


def scope(item: Item, where: Where) -> dict[str, Any]:
    """Return ``scope`` fields: https://cloud.google.com/resource-manager/reference/rest/v3."""
    return {"scope_type": where.scope.level, "state": lower(item, "state")}


def service_account(item: Item, where: Where) -> dict[str, Any]:
    """Return ``identity`` fields."""
    email = text(item, "email")
    return {"principal": f"serviceAccount:{email}" if email else None, "enabled": not on(item, "disabled")}


def service_account_key(item: Item, where: Where) -> dict[str, Any]:
    """Return what a key of a service account has in common with cryptographic keys."""
    return {
        "algorithm": text(item, "keyAlgorithm"),
        "enabled": not on(item, "disabled"),
        "expires": timestamp(item.get("validBeforeTime")),
    }


def custom_role(item: Item, where: Where) -> dict[str, Any]:
    """Return ``role`` fields. What it permits includes what it permits with content."""
    return {
        "role_type": "custom",
        "permissions": texts(item, "includedPermissions"),
        "excluded_permissions": [],
        "data_permissions": [],
        "assignable_scopes": [where.scope.reference],
    }


def contact(item: Item, where: Where) -> dict[str, Any]:
    """Return ``security_contact`` fields."""
    return {
        "enabled": not is_word(item, "invalid", "validationState"),
        "emails": unique([text(item, "email")]),
        "roles": [],
        "categories": [category.lower() for category in texts(item, "notificationCategorySubscriptions")],
    }


def policy_basics(item: Item, where: Where) -> Basics:
    """Return the basics of a policy, or of a part of it: it has no name but that of what it is for."""
    return Basics(where.reference, _shown(where), "", {}, None, where.scope.reference)


def _shown(where: Where) -> str | None:
    return where.owner.get("name") or where.scope.name or where.scope.id


def policy(item: Item, where: Where) -> dict[str, Any]:
    """Return what a policy says it is for; who may do what there is in records of their own."""
    return {"scope": where.reference}


def bindings(item: Item) -> list[tuple[Item, str]]:
    """Return the bindings of a policy, each with one of its members.

    Raises:
        RecordError: they are not what they should be.
    """
    found = item.get("bindings")
    if found is not None and not isinstance(found, list):
        raise RecordError("bindings is not an array")
    return [(binding, member) for binding in objects(item, "bindings") for member in texts(binding, "members")]


def binding(record_type: str) -> Part:
    """Return the part that makes a record of each of :func:`bindings`; its ``raw`` is the whole binding."""

    def make(where: Where, item: Item, member: tuple[Item, str]) -> Record:
        bound, principal = member
        role = required(bound, "role")
        return record(_binding_kind(record_type, role, principal, text(bound, "condition", "expression")), where, bound)

    return Part(record_type, "identity_binding", bindings, make)


def _binding_kind(record_type: str, role: str, principal: str, condition: str | None) -> Kind:
    def basics(item: Item, where: Where) -> Basics:
        return policy_basics(item, where)._replace(name=last_part(role))

    def fields(item: Item, where: Where) -> dict[str, Any]:
        return {
            "scope": where.reference,
            "role": role,
            "principal": principal,
            "principal_type": principal_type(principal),
            "condition": condition,
        }

    return Kind(record_type, "identity_binding", basics, fields)


def principal_type(member: str) -> str:
    """Return the common word for what a member of a policy is; one that was deleted is what it was.

    >>> principal_type("deleted:user:a@example.com?uid=1"), principal_type("principalSet://x")
    ('user', 'other')
    """
    return _PRINCIPALS.get(member.removeprefix("deleted:").partition(":")[0].lower(), "other")


def dataset_access(record_type: str) -> Part:
    """Return the part that makes a record of each principal in the ``access`` of a BigQuery dataset.

    Views, routines and datasets that may read it are no principals.
    """

    def members(item: Item) -> list[tuple[Item, str]]:
        return [
            (entry, form.format(value))
            for entry in objects(item, "access")
            for key, form in _DATASET_PRINCIPALS.items()
            if (value := text(entry, key))
        ]

    def make(where: Where, item: Item, member: tuple[Item, str]) -> Record:
        entry, principal = member
        role, condition = required(entry, "role"), text(entry, "condition", "expression")
        return record(_binding_kind(record_type, role, principal, condition), where, entry)

    return Part(record_type, "identity_binding", members, make)


def audit_config_basics(item: Item, where: Where) -> Basics:
    """Return the basics of the audit logging of one service, or of all."""
    return policy_basics(item, where)._replace(name=required(item, "service"))


def audit_config(item: Item, where: Where) -> dict[str, Any]:
    """Return what is logged: the types of logs, lower case."""
    return {
        "scope": where.reference,
        "categories": [kind for log in objects(item, "auditLogConfigs") if (kind := lower(log, "logType"))],
    }


def part_of_policy(key: str) -> Callable[[Item], list[Any]]:
    """Return what finds the objects in an array of a policy."""
    return lambda item: list(objects(item, key))
