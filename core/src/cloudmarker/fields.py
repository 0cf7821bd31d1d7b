"""The common model: every field of the ``com`` bucket of every record type that cloudmarker knows, as data.

The TypedDicts named here are the table; those of what there is in a cloud stand in the modules of
``cloudmarker._inventory``. Each field is annotated with its type and with :class:`Means`, which says what it
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

from cloudmarker._inventory.access import (
    IdentityBindingCom,
    IdentityCom,
    PolicyCom,
    RoleCom,
    ScopeCom,
    SecurityContactCom,
)
from cloudmarker._inventory.base import (
    Com,
    Encrypted,
    Encryption,
    EventStamps,
    InAccount,
    InventoryCom,
    NetworkAccess,
    Reachable,
    RunState,
    Stamps,
    Tls,
)
from cloudmarker._inventory.compute import (
    ComputeCom,
    ComputeGroupCom,
    ContainerRegistryCom,
    DiskCom,
    DiskEncryption,
    ImageCom,
    KubernetesClusterCom,
    NodePoolCom,
    SnapshotCom,
    WebAppCom,
)
from cloudmarker._inventory.data import (
    DatabaseCom,
    DatabaseServerCom,
    KeyCom,
    KeyVaultCom,
    MessagingCom,
    SecretCom,
    StorageCom,
    StorageContainerCom,
    StorageServiceCom,
)
from cloudmarker._inventory.network import (
    BackendCom,
    BackendPoolCom,
    DNSZoneCom,
    FirewallCom,
    FirewallRuleCom,
    LoadBalancerCom,
    NetworkCom,
    NetworkInterfaceCom,
    NetworkRuleCom,
    PublicIPCom,
    RouteTableCom,
    SubnetCom,
)
from cloudmarker._shapes import Field, FieldType, Means, fields, problem_with
from cloudmarker.contracts import Severity
from cloudmarker.coverage import State

__all__ = [
    "RECORD_TYPES",
    "AuditCom",
    "AuditWorker",
    "BackendCom",
    "BackendPoolCom",
    "Com",
    "ComputeCom",
    "ComputeGroupCom",
    "ContainerRegistryCom",
    "CoverageCom",
    "DNSZoneCom",
    "DatabaseCom",
    "DatabaseServerCom",
    "DiskCom",
    "DiskEncryption",
    "Encrypted",
    "Encryption",
    "EventCom",
    "EventStamps",
    "Field",
    "FieldType",
    "FirewallCom",
    "FirewallRuleCom",
    "FirewallRuleEventCom",
    "IdentityBindingCom",
    "IdentityCom",
    "ImageCom",
    "InAccount",
    "InternetExposureEventCom",
    "InventoryCom",
    "KeyCom",
    "KeyVaultCom",
    "KubernetesClusterCom",
    "LoadBalancerCom",
    "Means",
    "MessagingCom",
    "MockCom",
    "MockEventCom",
    "NetworkAccess",
    "NetworkCom",
    "NetworkInterfaceCom",
    "NetworkRuleCom",
    "NodePoolCom",
    "PolicyCom",
    "PublicIPCom",
    "Reachable",
    "RoleCom",
    "RouteTableCom",
    "RunState",
    "ScopeCom",
    "SecretCom",
    "SecurityContactCom",
    "SnapshotCom",
    "Stamps",
    "StorageCom",
    "StorageContainerCom",
    "StorageServiceCom",
    "SubnetCom",
    "Tls",
    "WebAppCom",
    "all_fields",
    "fields",
    "validate",
]


class MockCom(Com):
    """Made by the mock cloud, for trying things out."""


class EventCom(Com, InAccount, EventStamps):
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


class InternetExposureEventCom(EventCom):
    """A machine that the whole Internet can reach."""

    exposed_tcp_ports: Annotated[list[str], Means("TCP ports and ranges that it can be reached at, `*` for all")]
    exposed_udp_ports: Annotated[list[str], Means("likewise for UDP")]
    opened_by: Annotated[
        list[str], Means("references of the firewall rules that open the way; empty if none guards it")
    ]
    public_addresses: Annotated[list[str], Means("its public addresses; references of those that are not known")]
    load_balancers: Annotated[list[str], Means("references of the load balancers that pass connections on to it")]
    uncertain: Annotated[
        list[str],
        Means("references of what may open more, or all: rules and firewalls whose effect on it is not known"),
    ]


class CoverageCom(Com, InAccount):
    """What was seen of one resource type in one scope. Its reference is `<scope>#<resource type>`."""

    scope: Annotated[str, Means("the provider's id of the subscription, project or other container that was read")]
    resource_type: Annotated[str, Means("record type, or the provider's type where one call gives several")]
    state: Annotated[State, Means("what became of it")]
    count: Annotated[int, Means("resources received, also before an error")]
    error: Annotated[str | None, Means("what happened, one line; null if all is well", format="text")]
    record_types: Annotated[list[str] | None, Means("`record_type` of the records it gives; null if of any")]


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
    events: Annotated[dict[str, int], Means("event records by severity, those of fixed findings left out")]
    findings: Annotated[
        dict[str, int],
        Means("findings by status; `unknown`: open before, not seen, and it was not seen either that they are fixed"),
    ]
    suppressed: Annotated[
        int, Means("findings that were not sent to alerts, being suppressed, see [findings](findings.md)")
    ]
    suppressions_expired: Annotated[list[str], Means("suppressions whose last day is past, in words")]
    suppressions_unmatched: Annotated[
        list[str], Means("suppressions that no finding needs any more, in words; known only if the audit is complete")
    ]
    coverage: Annotated[dict[str, int], Means("coverage records by state")]
    workers: Annotated[list[AuditWorker], Means("one entry per cloud and event plugin, see below")]


RECORD_TYPES: Mapping[str, type] = {
    "scope": ScopeCom,
    "identity": IdentityCom,
    "identity_binding": IdentityBindingCom,
    "role": RoleCom,
    "policy": PolicyCom,
    "security_contact": SecurityContactCom,
    "firewall": FirewallCom,
    "firewall_rule": FirewallRuleCom,
    "network_rule": NetworkRuleCom,
    "network": NetworkCom,
    "subnet": SubnetCom,
    "route_table": RouteTableCom,
    "network_interface": NetworkInterfaceCom,
    "public_ip": PublicIPCom,
    "load_balancer": LoadBalancerCom,
    "backend_pool": BackendPoolCom,
    "backend": BackendCom,
    "dns_zone": DNSZoneCom,
    "compute": ComputeCom,
    "compute_group": ComputeGroupCom,
    "disk": DiskCom,
    "snapshot": SnapshotCom,
    "image": ImageCom,
    "kubernetes_cluster": KubernetesClusterCom,
    "node_pool": NodePoolCom,
    "container_registry": ContainerRegistryCom,
    "web_app": WebAppCom,
    "storage": StorageCom,
    "storage_service": StorageServiceCom,
    "storage_container": StorageContainerCom,
    "key_vault": KeyVaultCom,
    "key": KeyCom,
    "secret": SecretCom,
    "database_server": DatabaseServerCom,
    "database": DatabaseCom,
    "messaging": MessagingCom,
    "mock": MockCom,
    "mock_event": MockEventCom,
    "firewall_rule_event": FirewallRuleEventCom,
    "internet_exposure_event": InternetExposureEventCom,
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
