"""Common fields of scopes, identities, roles and policies."""

from __future__ import annotations

import re
from typing import Any

from cloudmarker.errors import RecordError

from cloudmarker_azure._json import Item, at, flag, is_word, objects, parent_of, text, texts, unique, word

_PRINCIPALS = {
    "user": "user",
    "group": "group",
    "foreigngroup": "group",
    "serviceprincipal": "service_account",
}


def subscription(item: Item, parent: str | None) -> dict[str, Any]:
    """Return ``scope`` fields: https://learn.microsoft.com/rest/api/resources/subscriptions/list."""
    return {"scope_type": "subscription", "state": (text(item, "state") or "").lower() or None}


def resource_group(item: Item, parent: str | None) -> dict[str, Any]:
    """Return ``scope`` fields: https://learn.microsoft.com/rest/api/resources/resource-groups/list."""
    state = text(item, "properties", "provisioningState") or ""
    return {"scope_type": "resource_group", "state": state.lower() or None}


def management_group(item: Item, parent: str | None) -> dict[str, Any]:
    """Return ``scope`` fields. A management group has no state."""
    return {"scope_type": "management_group", "state": None}


def managed_identity(item: Item, parent: str | None) -> dict[str, Any]:
    """Return ``identity`` fields. Whether it may log in is known to Microsoft Entra ID only."""
    return {"principal": text(item, "properties", "principalId"), "enabled": None}


def role_assignment(item: Item, parent: str | None) -> dict[str, Any]:
    """Return ``identity_binding`` fields.

    Raises:
        RecordError: it does not say who has which role.
    """
    properties = at(item, "properties")
    role, principal = text(properties, "roleDefinitionId"), text(properties, "principalId")
    if not role or not principal:
        raise RecordError(f"it has no {'principalId' if role else 'roleDefinitionId'}")
    return {
        "scope": text(properties, "scope") or parent_of(text(item, "id") or "") or "/",
        "role": role,
        "principal": principal,
        "principal_type": word(text(properties, "principalType"), _PRINCIPALS, "other"),
        "condition": text(properties, "condition"),
    }


def role_definition(item: Item, parent: str | None) -> dict[str, Any]:
    """Return ``role`` fields."""
    properties = at(item, "properties")
    permissions = objects(properties, "permissions")
    kind = text(properties, "type") or text(properties, "roleType")
    return {
        "role_type": word(kind, {"builtinrole": "builtin", "customrole": "custom"}),
        "permissions": unique(action for each in permissions for action in texts(each, "actions")),
        "excluded_permissions": unique(
            action for each in permissions for key in ("notActions", "notDataActions") for action in texts(each, key)
        ),
        "data_permissions": unique(action for each in permissions for action in texts(each, "dataActions")),
        "assignable_scopes": unique(texts(properties, "assignableScopes")),
    }


def policy_assignment(item: Item, parent: str | None) -> dict[str, Any]:
    """Return ``policy`` fields."""
    properties = at(item, "properties")
    return {
        "scope": text(properties, "scope") or parent_of(text(item, "id") or "") or "/",
        "policy": text(properties, "policyDefinitionId"),
        "enforced": not is_word(properties, "donotenforce", "enforcementMode"),
        "excluded_scopes": unique(texts(properties, "notScopes")),
    }


def security_contact(item: Item, parent: str | None) -> dict[str, Any]:
    """Return ``security_contact`` fields, from any of the three forms that the API versions have."""
    properties = at(item, "properties")
    emails = text(properties, "emails") or text(properties, "email") or ""
    by_role = at(properties, "notificationsByRole")
    alerts = at(properties, "alertNotifications")
    sources = [
        f"{(text(source, 'sourceType') or '').lower()}:{least.lower()}"
        for source in objects(properties, "notificationsSources")
        if (least := text(source, "minimalSeverity") or text(source, "minimalRiskLevel"))
    ]
    if isinstance(alerts, str):
        sources += ["alert"] if flag(properties, "alertNotifications") else []
    elif flag(alerts, "state"):
        sources.append(f"alert:{(text(alerts, 'minimalSeverity') or 'low').lower()}")
    return {
        "enabled": flag(properties, "isEnabled"),
        "emails": unique(re.split(r"[;,\s]+", emails)),
        "roles": [role.lower() for role in texts(by_role, "roles")] if flag(by_role, "state") is not False else [],
        "categories": sources,
    }
