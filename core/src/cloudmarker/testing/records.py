"""Records for tests: one factory per record type; its record is complete and valid until told otherwise.

A factory returns the record as a plugin would yield it, in the cloud ``example``. Keyword arguments replace fields
of its ``com`` bucket; ``name`` follows ``reference``. :func:`stamped` adds what the framework adds: what stores and
events are handed.

::

    rule = records.firewall_rule(direction="out")
    for record in records.stamped(rule):
        store.write(record)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from typing import Any

from cloudmarker import coverage as _coverage
from cloudmarker.batches import RecordBatch
from cloudmarker.contracts import Record
from cloudmarker.findings import finding as _finding
from cloudmarker.records import OriginType, Stamper, decode, encode
from cloudmarker.testing._inventory import DEFAULTS, PROJECT

CLOUD_TYPE = "example"
"""The ``cloud_type`` of the records made here."""

ACCOUNT = PROJECT.rpartition("/")[2]
"""The ``account`` of the records made here."""

_STAMPER_ARGS = ("audit", "20260102_030405")


def record(record_type: str, *, raw: Any = None, ext: dict[str, Any] | None = None, **com: Any) -> Record:
    """Return a record of any type, with no more in ``com`` than every record has, and *com*.

    Args:
        record_type: of the ``com`` bucket, and of ``ext`` if *ext* does not say otherwise.
        raw: what the cloud answered; by default an object with the id and the name.
        ext: further fields of the ``ext`` bucket.
        com: fields of the ``com`` bucket, to add or to replace.
    """
    common = {
        "cloud_type": CLOUD_TYPE,
        "record_type": record_type,
        "reference": f"{PROJECT}/{record_type}s/one",
        **com,
    }
    return {
        "raw": {"id": common["reference"], "name": common.get("name")} if raw is None else raw,
        "ext": {"cloud_type": common["cloud_type"], "record_type": record_type, **(ext or {})},
        "com": common,
    }


def _inventory(record_type: str, com: dict[str, Any], **defaults: Any) -> Record:
    raw, ext = com.pop("raw", None), com.pop("ext", None)
    common: dict[str, Any] = {
        "name": str(com.get("reference", "one")).rsplit("/", 1)[-1],
        "location": "north",
        "tags": {"owner": "someone"},
        "parent": PROJECT,
        "account": ACCOUNT,
        "created": "2026-01-02T03:04:05Z",
    }
    return record(record_type, raw=raw, ext=ext, **{**common, **defaults, **com})


def _factory(record_type: str, **defaults: Any) -> Callable[..., Record]:
    """Return the factory of a record type of things in a cloud; *defaults* are for the fields that all of them have."""

    def make(**com: Any) -> Record:
        return _inventory(record_type, com, **deepcopy({**DEFAULTS[record_type], **defaults}))

    make.__name__ = make.__qualname__ = record_type
    make.__doc__ = f"Return {'an' if record_type[0] in 'aeiou' else 'a'} {record_type} record."
    return make


scope = _factory("scope", reference=PROJECT, name="sample", parent=None)
identity = _factory("identity")
identity_binding = _factory("identity_binding")
role = _factory("role")
policy = _factory("policy")
security_contact = _factory("security_contact")
firewall = _factory("firewall")
firewall_rule = _factory("firewall_rule")
network_rule = _factory("network_rule")
network = _factory("network")
subnet = _factory("subnet")
route_table = _factory("route_table")
network_interface = _factory("network_interface")
public_ip = _factory("public_ip")
load_balancer = _factory("load_balancer")
backend_pool = _factory("backend_pool")
backend = _factory("backend")
dns_zone = _factory("dns_zone")
compute = _factory("compute")
compute_group = _factory("compute_group")
disk = _factory("disk")
snapshot = _factory("snapshot")
image = _factory("image")
kubernetes_cluster = _factory("kubernetes_cluster")
node_pool = _factory("node_pool")
container_registry = _factory("container_registry")
web_app = _factory("web_app")
storage = _factory("storage")
storage_service = _factory("storage_service")
storage_container = _factory("storage_container")
key_vault = _factory("key_vault")
key = _factory("key")
secret = _factory("secret")
database_server = _factory("database_server")
database = _factory("database")
messaging = _factory("messaging")


def mock(n: int = 0, **com: Any) -> Record:
    """Return the mock record with ``raw.data`` *n*."""
    defaults = {"cloud_type": "mock", "reference": f"mock/{n}"}
    return record("mock", **{"raw": {"data": n}, "ext": {"record_type": "foo"}, **defaults, **com})


def coverage(**com: Any) -> Record:
    """Return a coverage record: the firewalls of a project were read, all 3 of them."""
    made = _coverage.coverage(
        CLOUD_TYPE, PROJECT, "firewall", "ok", 3, account=ACCOUNT, record_types=["firewall", "firewall_rule"]
    )
    made["com"].update(com)
    return made


def audit(**com: Any) -> Record:
    """Return an audit record: complete, with one cloud plugin."""
    worker = {
        "name": "audit_cloud",
        "kind": "cloud",
        "outcome": "ok",
        "message": "",
        "records_in": 0,
        "records_out": 3,
        "errors": 0,
        "rejected": 0,
    }
    defaults: dict[str, Any] = {
        "reference": "audit/20260102_030405",
        "status": "complete",
        "reason": "",
        "started": "2026-01-02T03:04:05Z",
        "duration_s": 1.5,
        "records": {"firewall": 3},
        "events": {},
        "findings": {},
        "suppressed": 0,
        "suppressions_expired": [],
        "suppressions_unmatched": [],
        "coverage": {"ok": 1},
        "workers": [worker],
    }
    made = record("audit", **{**defaults, **com})
    del made["raw"]
    return made


def event(record_type: str = "example_event", **com: Any) -> Record:
    """Return an event record: what an event plugin yields for :func:`firewall_rule`."""
    made = _finding(
        firewall_rule(),
        check_id="example_check",
        record_type=record_type,
        severity="high",
        description="Something is wrong.",
        recommendation="Put it right.",
    )
    made["com"].update(com)
    return made


def mock_event(**com: Any) -> Record:
    """Return a mock_event record."""
    return event("mock_event", **com)


def internet_exposure_event(**com: Any) -> Record:
    """Return an internet_exposure_event record: port 22 of a machine with an address of its own."""
    exposed = {
        "exposed_tcp_ports": ["22"],
        "exposed_udp_ports": [],
        "opened_by": ["rule/1"],
        "public_addresses": ["198.51.100.7"],
        "load_balancers": [],
        "uncertain": [],
    }
    return event("internet_exposure_event", **{**exposed, **com})


def firewall_rule_event(**com: Any) -> Record:
    """Return a firewall_rule_event record: port 22 is exposed."""
    return event("firewall_rule_event", **{"exposed_ports": [22], **com})


def every_type() -> list[Record]:
    """Return one record of each type that the framework knows, and one of a type that it does not know."""
    return [
        scope(),
        *(_factory(record_type)() for record_type in DEFAULTS if record_type != "scope"),
        *(mock(n) for n in range(4)),
        mock_event(),
        firewall_rule_event(),
        internet_exposure_event(),
        coverage(),
        audit(),
        record("gadget"),
    ]


def awkward() -> list[Record]:
    """Return records that are valid JSON and hard to swallow, of a record type that is not known to the framework."""
    nested: Any = {"bottom": True}
    for level in range(60):
        nested = {"level": nested} if level % 2 else [nested]
    values: dict[str, Any] = {
        "unicode": "grüß\u200bGott \N{GRINNING FACE} \u202eright to left\u2028line\u0000null\ufffd",
        "control": 'tab\tnewline\nquote"backslash\\',
        "markup": "<script>alert('&amp;')</script> =1+1 ${HOME} {{x}} %s",
        "numbers": [2**63, -(2**70), 2**53 + 1, 0.1, 1e308, -0.0],
        "nested": nested,
        "long": "x" * 1_000_000,
        "wide": {f"key {n}": n for n in range(2_000)},
        "keys": {"": 1, "a.b": 2, "$set": 3, "_id": 4, "a\nb": 5, "ключ": 6},
        "mixed": [1, "two", None, [], {}, True],
        "empty": {},
        "list": ["one"],
        "text": "just a string",
        "null": None,
    }
    made = [record("gadget", raw=value, reference=f"{PROJECT}/gadgets/{name}") for name, value in values.items()]
    made[-1]["raw"] = None
    bare = record("gadget", reference=f"{PROJECT}/gadgets/bare")
    del bare["raw"]
    return [*made, bare]


def stamped(*made: Record, plugin_key: str = "cloud", origin_type: OriginType = "cloud") -> list[Record]:
    """Return records with the stamps, as a reader gets what one producer of one run sends.

    Args:
        made: records as plugins yield them.
        plugin_key: ``origin_key``; their ``origin_worker`` is ``audit_<plugin key>``.
        origin_type: of the producer.
    """
    stamper = Stamper(*_STAMPER_ARGS, plugin_key, "ExamplePlugin", origin_type)
    return [decode(stamper.line(item)) for item in made]


class StampedOrigin:
    """An origin of records that have their stamps, to put them into a :class:`cloudmarker.channel.FanOut`.

    Args:
        worker: the ``com.origin_worker`` of the records.
    """

    size = 0

    def __init__(self, worker: str) -> None:
        self.worker = worker

    def take(self, count: int) -> None:
        """Return None: no stamps are to be added to *count* records."""


def batches(stamped_records: Iterable[Record]) -> Iterator[RecordBatch]:
    """Yield stamped records as batches, one for each row of records with the same origin worker."""
    lines: list[bytes] = []
    runs: list[tuple[str, int]] = []
    origin = ""
    for item in stamped_records:
        com = item["com"]
        if lines and com["origin_worker"] != origin:
            yield RecordBatch(origin, runs, b"\n".join(lines))
            lines, runs = [], []
        origin = com["origin_worker"]
        lines.append(encode(item))
        runs.append((com["record_type"], 1))
    if lines:
        yield RecordBatch(origin, runs, b"\n".join(lines))
