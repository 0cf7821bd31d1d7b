"""The common model: every field of the ``com`` bucket of every record type that cloudmarker knows, as data.

The TypedDicts below are the table. Each field is annotated with its type and with :class:`Means`, which says what it
means and in which unit; :func:`fields` reads the table back. Plugins use the TypedDicts for typed access,
``docs/records.md`` is made from the table, stores derive their column types and mappings from it, and :func:`validate`
checks records against it.

Three rules make the table easy to rely on:

- A field that a record type has is always there: null if the value is not known, an empty list or map if there is none.
- A field name has one type, the same in every record type. Records of a type that is not listed here may have further
  fields, but not a listed name with another type.
- Stamps are set by the framework, and by nobody else.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal, TypedDict

from cloudmarker._shapes import Field, FieldType, Means, fields, problem_with
from cloudmarker.contracts import Severity
from cloudmarker.coverage import State

__all__ = [
    "RECORD_TYPES",
    "AuditCom",
    "AuditWorker",
    "Com",
    "ComputeCom",
    "CoverageCom",
    "EventCom",
    "Field",
    "FieldType",
    "FirewallCom",
    "FirewallRuleCom",
    "FirewallRuleEventCom",
    "InventoryCom",
    "Means",
    "MockCom",
    "MockEventCom",
    "ScopeCom",
    "Stamps",
    "all_fields",
    "fields",
    "validate",
]


class Stamps(TypedDict, total=False):
    """What the framework adds to every record."""

    audit_key: Annotated[str, Means("key of the audit in the configuration")]
    audit_version: Annotated[str, Means("start of the audit, UTC, `%Y%m%d_%H%M%S`: the same in all records of one run")]
    origin_key: Annotated[str, Means("key, in the configuration, of the plugin that made the record")]
    origin_class: Annotated[str, Means("name of that plugin's class")]
    origin_worker: Annotated[str, Means("`<audit key>_<plugin key>`; `<audit key>_audit` if the framework made it")]
    origin_type: Annotated[Literal["cloud", "event", "audit"], Means("what made the record")]
    record_id: Annotated[str, Means("unique in the run; every store uses it as the id of the document")]


class Com(Stamps):
    """Every record."""

    cloud_type: Annotated[str, Means("the cloud that the record is about, lower case; empty if it is about none")]
    record_type: Annotated[str, Means("the type of the record, `lower_case`: one of those below, or a plugin's own")]
    reference: Annotated[str, Means("the provider's own full id of the thing, exactly as the provider spells it")]


class InventoryCom(Com):
    """What all records of things in a cloud have."""

    name: Annotated[str | None, Means("its own name, the last part of the reference as a rule")]
    location: Annotated[str | None, Means("region or zone in the provider's words; null if global or not known")]
    tags: Annotated[dict[str, str], Means("tags or labels that the owner has put on it")]
    parent: Annotated[str | None, Means("reference of the scope that contains it; null at the top")]
    created: Annotated[str | None, Means("when it was created", format="timestamp")]


class ScopeCom(InventoryCom):
    """What contains resources: a subscription, a resource group, a project."""

    scope_type: Annotated[str, Means("`subscription`, `resource_group`, `project`, …")]
    state: Annotated[str | None, Means("its state in the provider's word, lower case: `enabled`, `active`, …")]


class FirewallCom(InventoryCom):
    """A set of firewall rules that is attached to networks or interfaces."""

    rule_count: Annotated[int, Means("firewall_rule records made from it")]
    networks: Annotated[list[str], Means("references of the networks or subnets it protects")]
    interfaces: Annotated[list[str], Means("references of the network interfaces it is attached to")]


class FirewallRuleCom(InventoryCom):
    """One rule of a firewall: who may, or may not, reach what."""

    firewall: Annotated[str, Means("reference of the firewall that the rule belongs to")]
    network: Annotated[str | None, Means("reference of the network it holds in, where rules belong to a network")]
    entry: Annotated[str | None, Means("which part of the provider's rule, where one rule gives several records")]
    enabled: Annotated[bool, Means("false if the rule is there but has no effect")]
    direction: Annotated[Literal["in", "out"], Means("of the connections it is about")]
    access: Annotated[Literal["allow", "deny"], Means("what it does with them")]
    priority: Annotated[int, Means("the rule with the lower number wins")]
    protocol: Annotated[
        str, Means("`all`, or lower case: `tcp`, `udp`, `icmp`, `esp`, `ah`, `sctp`, …; the number if it has no name")
    ]
    source_addresses: Annotated[
        list[str], Means("CIDRs in canonical form, and the provider's service tags; anywhere is `0.0.0.0/0` and `::/0`")
    ]
    source_ports: Annotated[list[str], Means('`"22"`, `"8000-8080"`, or `"*"` for all')]
    source_tags: Annotated[list[str], Means("network tags of the machines that connect")]
    source_identities: Annotated[list[str], Means("service accounts of the machines that connect")]
    source_groups: Annotated[list[str], Means("references of the groups of interfaces that connect")]
    destination_addresses: Annotated[list[str], Means("like source_addresses, of the other side")]
    destination_ports: Annotated[list[str], Means("like source_ports, of the other side")]
    destination_groups: Annotated[list[str], Means("like source_groups, of the other side")]
    target_tags: Annotated[list[str], Means("network tags of the machines that the rule is for")]
    target_identities: Annotated[list[str], Means("service accounts of the machines that the rule is for")]


class ComputeCom(InventoryCom):
    """A virtual machine."""

    state: Annotated[str | None, Means("`running`, `stopped`, `suspended` or `other`; null if not known")]
    size: Annotated[str | None, Means("the provider's machine size or type")]
    networks: Annotated[list[str], Means("references of the networks it has an interface in")]
    subnets: Annotated[list[str], Means("references of the subnets it has an interface in")]
    private_addresses: Annotated[list[str], Means("IP addresses inside its networks")]
    public_addresses: Annotated[list[str], Means("IP addresses that the Internet can reach it at")]
    network_tags: Annotated[list[str], Means("tags that firewall rules select it by")]
    identities: Annotated[list[str], Means("service accounts or managed identities it runs as")]


class MockCom(Com):
    """Made by the mock cloud, for trying things out."""


class EventCom(Com):
    """What all findings have. The reference is that of the thing found faulty."""

    severity: Annotated[Severity, Means("how bad it is")]
    check_id: Annotated[str, Means("the check that found it")]
    fingerprint: Annotated[str, Means("id of the finding, the same in every run that finds it")]
    description: Annotated[str, Means("what is wrong", format="text")]
    recommendation: Annotated[str, Means("what to do about it", format="text")]


class MockEventCom(EventCom):
    """Made by the mock event, for trying things out."""


class FirewallRuleEventCom(EventCom):
    """A firewall rule that lets anyone on the Internet reach a port that should not be reachable."""

    exposed_ports: Annotated[list[int], Means("the ports exposed, ascending")]


class CoverageCom(Com):
    """What was seen of one resource type in one scope. Its reference is `<scope>#<resource type>`."""

    scope: Annotated[str, Means("the provider's id of the subscription, project or other container that was read")]
    resource_type: Annotated[str, Means("record type, or the provider's type where one call gives several")]
    state: Annotated[State, Means("what became of it")]
    count: Annotated[int, Means("resources received, also before an error")]
    error: Annotated[str | None, Means("what happened, one line; null if all is well", format="text")]


class AuditWorker(TypedDict):
    """One entry of the `workers` of an audit record."""

    name: Annotated[str, Means("`<audit key>_<plugin key>`")]
    kind: Annotated[Literal["cloud", "event"], Means("what the plugin is")]
    outcome: Annotated[
        Literal["ok", "failed", "killed", "stopped"],
        Means("`failed`: it raised; `killed`: its process died; `stopped`: it was told to end early"),
    ]
    message: Annotated[str, Means("what happened, one line; empty if it is ok", format="text")]
    records_in: Annotated[int, Means("records it was given")]
    records_out: Annotated[int, Means("records it yielded")]
    errors: Annotated[int, Means("exceptions that cost one record each")]
    rejected: Annotated[int, Means("records that are in the dead letters")]


class AuditCom(Com):
    """What became of the audit: its last record. What its stores and alerts do with their records is not known yet."""

    status: Annotated[
        Literal["complete", "incomplete", "failed"],
        Means("`incomplete`: something was not seen, or it was stopped; `failed`: a plugin failed or records got lost"),
    ]
    reason: Annotated[str, Means("why it is not complete, one line; empty if it is", format="text")]
    started: Annotated[str, Means("when it began", format="timestamp")]
    duration_s: Annotated[float, Means("from its start to this record", unit="seconds")]
    records: Annotated[dict[str, int], Means("records that the cloud plugins yielded, by record_type")]
    events: Annotated[dict[str, int], Means("event records by severity")]
    coverage: Annotated[dict[str, int], Means("coverage records by state")]
    workers: Annotated[list[AuditWorker], Means("one entry per cloud and event plugin, see below")]


RECORD_TYPES: Mapping[str, type] = {
    "scope": ScopeCom,
    "firewall": FirewallCom,
    "firewall_rule": FirewallRuleCom,
    "compute": ComputeCom,
    "mock": MockCom,
    "mock_event": MockEventCom,
    "firewall_rule_event": FirewallRuleEventCom,
    "coverage": CoverageCom,
    "audit": AuditCom,
}
"""The TypedDict of each ``com.record_type``."""


@cache
def all_fields() -> Mapping[str, Field]:
    """Return every field of every record type by name: what a store that keeps all records in one table needs.

    The type is the same in all record types; the rest is that of the first record type that has the field.
    """
    merged: dict[str, Field] = {}
    for shape in (Com, InventoryCom, EventCom, *RECORD_TYPES.values()):
        for name, field in fields(shape).items():
            merged.setdefault(name, field)
    return merged


def validate(com: Mapping[str, Any], *, event: bool = False) -> list[str]:
    """Return what is wrong with a ``com`` bucket, one line a problem; an empty list if nothing is.

    Record types that are not in :data:`RECORD_TYPES` are allowed, with fields of their own.

    Args:
        com: the bucket, with or without the stamps.
        event: the record comes from an event plugin, so that it must have the fields of :class:`EventCom`.
    """
    record_type = com.get("record_type")
    shape = RECORD_TYPES.get(record_type) if isinstance(record_type, str) else None
    expected = fields(shape or (EventCom if event else Com))
    if event:
        expected = {**fields(EventCom), **expected}
    problems = [f"com.{name} is missing" for name, field in expected.items() if field.required and name not in com]
    problems += [f"com.{name} must not be empty" for name in ("record_type", "reference") if com.get(name) == ""]
    known = expected if shape else {**all_fields(), **expected}
    for name, value in com.items():
        field = known.get(name)
        if field is None:
            if shape:
                problems.append(f"com.{name} is not a field of {record_type} records")
        elif problem := problem_with(value, field, own=name in expected):
            problems.append(f"com.{name} {problem}")
    return problems
