"""Every row of the table against what a server holds: everything comes out, once, and as it was served."""

import copy
import json
import random
import re
from collections import Counter
from pathlib import Path

import pytest
from cloudmarker.errors import RecordError
from cloudmarker.fields import RECORD_TYPES as COMMON_TYPES
from cloudmarker.fields import validate
from cloudmarker_azure._records import Owner, Scope, record
from cloudmarker_azure._table import RECORD_TYPES, TABLE, children
from cloudmarker_azure.azcloud import AzCloud
from cloudmarker_simulators import AzureSimulator

RECORDINGS = Path(__file__).parents[4] / "shared" / "recordings" / "azure.jsonl"
KINDS = {kind.record_type: kind for row in TABLE for kind in row.kinds}

# Record types that are not asked for one by one, or that the server counts under another name.
COUNTED_ELSEWHERE = {
    "management_group": None,
    "resource": None,
    "subscription": "microsoft.resources/subscriptions",
    "resource_group": "microsoft.resources/resourcegroups",
    "security_rule": "microsoft.network/networksecuritygroups/securityrules",
    "subnet": "microsoft.network/virtualnetworks/subnets",
    "blob_container": "microsoft.storage/storageaccounts/blobservices/containers",
    "function_app": "microsoft.web/sites",
    "web_app": "microsoft.web/sites",
    "web_app_config": "microsoft.web/sites/config",
    "web_app_auth_settings": "microsoft.web/sites/config",
    "diagnostic_setting": "microsoft.insights/diagnosticsettings",
    "key_vault_diagnostic_setting": "microsoft.insights/diagnosticsettings",
    "aks_node_pool": None,
    "role_definition": None,  # only custom ones are asked for
    "sql_database_encryption": None,  # not that of the databases called master
}


def canonical(items):
    return sorted(json.dumps(item, sort_keys=True) for item in items)


def coverage(records):
    return [each["com"] for each in records if each["com"]["record_type"] == "coverage"]


def raws(records):
    found = {}
    for each in records:
        if "raw" in each:
            found.setdefault(each["ext"]["record_type"], []).append(each["raw"])
    return found


@pytest.fixture(scope="module")
def synthetic():
    """Return all records of a synthetic tenant, and how many of each of Azure's types the server says it holds."""
    with AzureSimulator(subscriptions=2, scale=2, seed=7) as simulator:
        records = list(AzCloud(**simulator.settings).read())
        assert simulator.refused == 0
        return records, simulator.source.counts()


@pytest.fixture(scope="module")
def recorded():
    """Return all records of the recorded answers."""
    with AzureSimulator(recordings=RECORDINGS) as simulator:
        records = list(AzCloud(**simulator.settings).read())
        assert simulator.refused == 0
        return records


def arm_type(row):
    """Return Azure's name, lower case, for the type of a row."""
    by_name = {each.record_type: each for each in TABLE}
    path = row.path.lower().removesuffix("/current")
    return arm_type(by_name[row.parent]) + path if row.parent else path.partition("/providers/")[2]


# The table itself.


def test_every_record_type_is_in_one_row_only():
    assert len(RECORD_TYPES) == sum(len(row.record_types) for row in TABLE) == len(KINDS)


def test_every_parent_is_a_row_of_its_own_and_is_before_its_children():
    seen = set()
    for row in TABLE:
        assert row.parent is None or row.parent in seen
        assert row.path.startswith("/")
        assert re.fullmatch(r"\d{4}-\d\d-\d\d(-preview)?", row.api_version)
        seen.add(row.record_type)
    assert {row.record_type for row in TABLE if children(row)} == {row.parent for row in TABLE if row.parent}


def test_types_without_a_common_model_have_a_name_that_is_not_in_it_and_no_fields():
    for kind in KINDS.values():
        assert (kind.com_type in COMMON_TYPES) == (kind.fields is not None)
        if kind.com_type not in COMMON_TYPES:
            assert kind.com_type == kind.record_type


def test_names_of_the_first_version_are_kept():
    assert {
        "virtual_machine",
        "app_gateway",
        "lb",
        "nic",
        "nsg",
        "security_rule",
        "public_ip",
        "storage_account",
        "resource_group",
        "resource",
    } <= KINDS.keys()


# Against a server.


def test_a_synthetic_tenant_gives_records_of_every_type_and_all_of_them_fit_the_common_model(synthetic):
    records, _ = synthetic
    assert [each["com"]["reference"] for each in records if validate(each["com"])] == []
    assert raws(records).keys() == set(KINDS)
    assert {com["state"] for com in coverage(records)} == {"ok"}


def test_every_resource_that_the_server_counts_comes_out_once(synthetic):
    records, counts = synthetic
    found = Counter(each["ext"]["record_type"] for each in records if "raw" in each)
    for row in TABLE:
        if row.record_type not in COUNTED_ELSEWHERE:
            assert found[row.record_type] == counts[arm_type(row)], row.record_type
    expected = Counter()
    for record_type, name in COUNTED_ELSEWHERE.items():
        if name:
            expected[name] += found[record_type]
    assert {name: counts[name] for name in expected} == dict(expected)
    ids = [each["com"]["reference"].lower() for each in records if "raw" in each]
    repeated = [each for each, times in Counter(ids).items() if times > 1]
    # The list of all resources repeats what has a list of its own, and nothing else does.
    assert all(Counter(ids)[each] == 2 for each in repeated)
    resources = {raw["id"].lower() for raw in raws(records)["resource"]}
    assert set(repeated) <= resources


@pytest.mark.parametrize("page_size", [3, 1000])
def test_raw_is_what_the_server_serves_in_its_lists(page_size):
    with AzureSimulator(subscriptions=2, scale=2, seed=3, page_size=page_size) as simulator:
        found = raws(list(AzCloud(**simulator.settings).read()))
        served = {}
        for path in simulator.source.lists():
            for item in simulator.source.collection(path).items:
                served.setdefault(item["id"].lower(), []).append(item)
    inside = {record_type for row in TABLE for record_type in row.record_types} - {
        kind.record_type for row in TABLE for kind in row.own_kinds
    }
    assert {"security_rule", "subnet"} <= inside
    for record_type in found.keys() - inside:
        wrong = [raw["id"] for raw in found[record_type] if raw not in served.get(raw["id"].lower(), ())]
        assert wrong == [], record_type


def test_coverage_counts_what_was_received_once_for_each_subscription_and_type(synthetic):
    records, _ = synthetic
    covered = coverage(records)
    assert len({(com["scope"], com["resource_type"]) for com in covered}) == len(covered)
    per_type = Counter()
    for com in covered:
        per_type[com["resource_type"]] += com["count"]
    found = Counter(each["ext"]["record_type"] for each in records if "raw" in each)
    # What stands above the subscriptions is in the list of each of them.
    shared = {"role_assignment", "policy_assignment", "role_definition"}
    assert {t: n for t, n in per_type.items() if t not in shared and n} == {
        t: n for t, n in found.items() if t not in shared
    }
    scopes = {com["scope"] for com in covered if com["scope"].startswith("/subscriptions/")}
    of_subscriptions = {t for row in TABLE if row.scope == "subscription" for t in row.record_types}
    assert {(com["scope"], com["resource_type"]) for com in covered if com["scope"] in scopes} == {
        (scope, record_type) for scope in scopes for record_type in of_subscriptions
    }


def recorded_answers():
    """Return what each row's lists and single resources were answered with, by record type."""
    lines = [json.loads(line) for line in RECORDINGS.read_text().splitlines()]
    answers = {line["path"].lower(): line["body"] for line in lines if "expand" not in line}
    served = {}
    for row in TABLE:
        bodies = []
        if row.parent:
            parents = [item["id"].lower() for item in served[row.parent]]
            bodies = [answers[path] for each in parents if (path := each + row.path.lower()) in answers]
        else:
            pattern = ("" if row.scope == "tenant" else "/subscriptions/[^/]+") + re.escape(row.path.lower())
            bodies = [body for path, body in answers.items() if re.fullmatch(pattern, path)]
        served[row.record_type] = [item for body in bodies for item in ([body] if row.single else body["value"])]
    return served


@pytest.mark.skipif(not RECORDINGS.is_file(), reason="the recorded answers are not here")
def test_recorded_resources_come_out_once_with_raw_as_served_type_by_type(recorded):
    served, found = recorded_answers(), raws(recorded)
    assert sum(map(bool, served.values())) > 35
    for row in TABLE:
        own = [raw for kind in row.own_kinds for raw in found.get(kind.record_type, [])]
        expected = served[row.record_type]
        if row.record_type == "sql_database_encryption":
            expected = [item for item in expected if "/databases/master/" not in item["id"].lower()]
        if row.record_type == "role_definition":
            expected = [item for item in expected if item["properties"]["type"] == "CustomRole"]
        assert canonical(own) == canonical(expected), row.record_type
    assert [each["com"]["reference"] for each in recorded if validate(each["com"])] == []
    assert {com["state"] for com in coverage(recorded)} == {"ok"}


# What the transforms stand.


def places(value, path=()):
    """Yield the path of everything inside a JSON value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inside:
        yield (*path, key)
        yield from places(each, (*path, key))


def changed(item, path, *, null):
    """Return a copy of *item* without what is at *path*, or with null there; as it is if there is no such place."""
    made = copy.deepcopy(item)
    target = made
    try:
        for key in path[:-1]:
            target = target[key]
        if null:
            target[path[-1]] = None
        else:
            del target[path[-1]]
    except (KeyError, IndexError, TypeError):
        pass
    return made


def stands(kind, item, scope, owner):
    """Check that *item* gives a valid record, or is refused for lack of what a record of its kind needs."""
    before = json.dumps(item)
    try:
        made = record(scope, kind, item, owner)
    except RecordError as exc:
        refused = str(exc)
    else:
        refused = ""
    if refused:
        assert "has no id" in refused or kind.record_type in ("nsg", "security_rule", "role_assignment", "subscription")
        return
    assert validate(made["com"]) == []
    assert json.dumps(item) == before


def check_holes(records, each_type):
    rng = random.Random(20)
    taken = Counter()
    scope = Scope("t", "/subscriptions/s", "s")
    for each in records:
        if "raw" not in each or taken[each["ext"]["record_type"]] == each_type:
            continue
        kind = KINDS[each["ext"]["record_type"]]
        taken[kind.record_type] += 1
        item = each["raw"]
        owner = Owner(each["com"]["parent"] or "/owner", None)
        all_places = list(places(item))
        for path in all_places if len(all_places) < 150 else rng.sample(all_places, 150):
            for null in (True, False):
                stands(kind, changed(item, path, null=null), scope, owner)
        for _ in range(5):
            holed = item
            for path in rng.sample(all_places, min(len(all_places), 12)):
                holed = changed(holed, path, null=rng.random() < 0.5)
            stands(kind, holed, scope, owner)
    return taken


def test_no_field_of_a_synthetic_resource_that_is_missing_or_null_breaks_its_record(synthetic):
    assert len(check_holes(synthetic[0], each_type=1)) > 60


@pytest.mark.skipif(not RECORDINGS.is_file(), reason="the recorded answers are not here")
def test_no_field_of_a_recorded_resource_that_is_missing_or_null_breaks_its_record(recorded):
    assert len(check_holes(recorded, each_type=3)) > 35
