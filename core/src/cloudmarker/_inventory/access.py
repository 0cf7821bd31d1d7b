"""Scopes, and who may do what in them."""

from __future__ import annotations

from typing import Annotated, Literal

from cloudmarker._inventory.base import InventoryCom
from cloudmarker._shapes import Means


class ScopeCom(InventoryCom):
    """What contains resources: a subscription, a resource group, a project."""

    scope_type: Annotated[
        str, Means("`management_group`, `subscription`, `resource_group`, `organization`, `folder`, `project`")
    ]
    state: Annotated[str | None, Means("its state in the provider's word, lower case: `enabled`, `active`, …")]


class IdentityCom(InventoryCom):
    """An identity for software: a service account, a managed identity."""

    principal: Annotated[str | None, Means("what the principal of identity_binding records is when it is meant")]
    enabled: Annotated[bool | None, Means("it can log in")]


class IdentityBindingCom(InventoryCom):
    """One principal that has one role in one place. A policy with several of them gives several records."""

    scope: Annotated[str, Means("reference of what the role is for, with all it contains; `/` for everything")]
    role: Annotated[str, Means("reference or name of the role, as a role record has it")]
    principal: Annotated[str, Means("who has it, in the provider's word: an object id, `user:someone@example.com`")]
    principal_type: Annotated[
        Literal["user", "group", "service_account", "domain", "authenticated", "anyone", "other"] | None,
        Means("`authenticated` is everyone with any login of the provider, `anyone` needs none; null if not known"),
    ]
    condition: Annotated[str | None, Means("the expression that must hold besides; null if none")]


class RoleCom(InventoryCom):
    """A set of permissions that can be given."""

    role_type: Annotated[Literal["builtin", "custom"] | None, Means("who made it: the provider or a customer")]
    permissions: Annotated[list[str], Means("what it permits, wildcards as the provider writes them")]
    excluded_permissions: Annotated[list[str], Means("what it leaves out of those")]
    data_permissions: Annotated[list[str], Means("what it permits with content, where that is apart")]
    assignable_scopes: Annotated[list[str], Means("references of the scopes in which it can be given")]


class PolicyCom(InventoryCom):
    """A rule that the provider holds resources to: a policy assignment, an organization policy."""

    scope: Annotated[str, Means("reference of what it holds in")]
    policy: Annotated[str | None, Means("reference of the rule")]
    enforced: Annotated[bool | None, Means("what breaks it is refused, and not only reported")]
    excluded_scopes: Annotated[list[str], Means("references of what it does not hold in")]


class SecurityContactCom(InventoryCom):
    """Whom the provider tells about security."""

    enabled: Annotated[bool | None, Means("they are told at all")]
    emails: Annotated[list[str], Means("their addresses")]
    roles: Annotated[list[str], Means("roles whose holders are told as well")]
    categories: Annotated[
        list[str], Means("what they are told of, in the provider's words, lower case; with its least severity")
    ]
