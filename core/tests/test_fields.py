from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from cloudmarker.fields import (
    RECORD_TYPES,
    AuditWorker,
    Com,
    ComputeCom,
    CoverageCom,
    EventCom,
    EventStamps,
    FirewallRuleCom,
    ScopeCom,
    Stamps,
    all_fields,
    fields,
    validate,
)

BASE = {"cloud_type": "example", "record_type": "gadget", "reference": "example/1"}
SCOPE: ScopeCom = {
    "cloud_type": "example",
    "record_type": "scope",
    "reference": "example/1",
    "account": "one",
    "name": "one",
    "location": None,
    "tags": {"owner": "someone"},
    "parent": None,
    "created": "2026-05-04T03:02:01.5Z",
    "scope_type": "project",
    "state": "active",
}


UNITS = {"s": "seconds", "days": "days", "gib": "GiB"}


def test_a_field_name_has_one_type_in_all_record_types():
    types: dict[str, set[str]] = {}
    for shape in RECORD_TYPES.values():
        for name, field in fields(shape).items():
            types.setdefault(name, set()).add(field.type)
    assert {name: found for name, found in types.items() if len(found) > 1} == {}
    assert {name: field.type for name, field in all_fields().items()} == {name: t for name, (t,) in types.items()}


def test_every_field_says_what_it_means_and_its_name_ends_in_its_unit():
    for shape in (*RECORD_TYPES.values(), AuditWorker):
        for field in fields(shape).values():
            assert field.meaning
            assert not field.meaning.endswith(".")
            assert field.unit == UNITS.get(field.name.rpartition("_")[2], "")


def test_names_are_lower_case_with_underscores():
    for name in [*RECORD_TYPES, *all_fields()]:
        assert name == name.lower()
        assert name.isidentifier()


def test_stamps_are_in_every_record_type_and_not_for_plugins_to_set():
    for shape in RECORD_TYPES.values():
        stamps = {name: field for name, field in fields(shape).items() if not field.required}
        of_findings = fields(EventStamps) if "fingerprint" in fields(shape) else {}
        assert stamps == {**fields(Stamps), **of_findings}


def test_fields_describe_type_null_choices_unit_and_meaning():
    assert fields(ComputeCom)["created"].type == "timestamp"
    assert fields(ComputeCom)["created"].nullable
    assert fields(ComputeCom)["tags"].type == "map of string"
    assert fields(FirewallRuleCom)["priority"].type == "integer"
    assert fields(FirewallRuleCom)["enabled"].type == "boolean"
    assert fields(FirewallRuleCom)["direction"].choices == ("in", "out")
    assert fields(EventCom)["description"].type == "text"
    assert fields(RECORD_TYPES["firewall_rule_event"])["exposed_ports"].type == "list of integer"
    assert fields(RECORD_TYPES["audit"])["duration_s"].unit == "seconds"
    assert fields(RECORD_TYPES["audit"])["workers"].type == "list of object"
    assert set(fields(CoverageCom)["state"].choices) >= {"ok", "denied"}
    assert list(fields(Com))[-3:] == ["cloud_type", "record_type", "reference"]


def test_a_complete_record_has_no_problems_with_and_without_stamps():
    assert validate(SCOPE) == []
    assert validate({**SCOPE, "origin_worker": "a_b", "record_id": "1"}) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"reference": None}, "com.reference must not be null"),
        ({"reference": ""}, "com.reference must not be empty"),
        ({"tags": None}, "com.tags must not be null"),
        ({"tags": {"owner": 7}}, "com.tags must be map of string, not {'owner': 7}"),
        ({"name": 7}, "com.name must be string or null, not 7"),
        ({"created": "yesterday"}, "com.created must be timestamp or null, not 'yesterday'"),
        ({"created": "2026-05-04T03:02:01"}, "com.created must be timestamp or null, not '2026-05-04T03:02:01'"),
        ({"nmae": "one"}, "com.nmae is not a field of scope records"),
    ],
)
def test_each_fault_of_a_known_record_type_is_named(change, problem):
    assert validate({**SCOPE, **change}) == [problem]


def test_missing_fields_of_a_known_record_type_are_named():
    com = {name: value for name, value in SCOPE.items() if name not in ("tags", "state")}
    assert validate(com) == ["com.tags is missing", "com.state is missing"]


def test_unknown_record_types_may_have_fields_of_their_own():
    assert validate({**BASE, "colour": ["red", 5, None]}) == []


def test_unknown_record_types_may_not_give_a_known_name_another_type():
    assert validate({**BASE, "tags": ["red"]}) == ["com.tags must be map of string, not ['red']"]
    assert validate({**BASE, "state": "molten", "count": None}) == []


@pytest.mark.parametrize("name", ["cloud_type", "record_type", "reference"])
def test_every_record_has_cloud_type_record_type_and_reference(name):
    assert validate({key: value for key, value in BASE.items() if key != name}) == [f"com.{name} is missing"]


def test_an_event_of_any_record_type_has_the_event_fields():
    missing = ["account", "severity", "check_id", "fingerprint", "description", "recommendation"]
    assert validate(BASE, event=True) == [f"com.{name} is missing" for name in missing]
    event = {**BASE, **dict.fromkeys(missing, "x"), "severity": "dreadful"}
    assert validate(event, event=True) == [
        "com.severity must be one of critical, high, medium, low, info, not 'dreadful'"
    ]


@pytest.mark.parametrize("value", [True, 1.0, "1", 2**63])
def test_an_integer_is_no_boolean_no_float_and_fits_64_bits(value):
    com = {**BASE, "record_type": "firewall", "rule_count": value}
    assert any("com.rule_count must be integer" in problem for problem in validate(com))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), True, "1"])
def test_a_number_is_finite(value):
    com = {**BASE, "record_type": "audit", "duration_s": value}
    assert any("com.duration_s must be number" in problem for problem in validate(com))


def test_long_values_are_cut_in_problems():
    (problem,) = validate({**BASE, "tags": "x" * 10_000})
    assert len(problem) < 150


def test_every_record_of_an_audit_is_valid_and_has_every_stamp(tmp_path):
    config = {
        "plugins": {"filestore": {"params": {"path": str(tmp_path / "out")}}},
        "logger": {"handlers": {"file": {"filename": str(tmp_path / "log")}}},
    }
    (tmp_path / "config.yaml").write_text(json.dumps(config))
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")}
    command = [sys.executable, "-m", "cloudmarker", "-n", "-c", "config.yaml"]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, stdout=subprocess.DEVNULL)
    records = [record for path in (tmp_path / "out").glob("*.json") for record in json.loads(path.read_text())]
    assert {record["com"]["record_type"] for record in records} == {"mock", "mock_event", "coverage", "audit"}
    for record in records:
        com = record["com"]
        assert validate(com, event=com["origin_type"] == "event") == []
        assert fields(Stamps).keys() <= com.keys()
