"""Azure Resource Graph gives what Azure Resource Manager gives, and nothing is called read that it did not cover."""

import json
from collections import Counter

import pytest
from cloudmarker.errors import ConfigError
from cloudmarker_azure import _graph
from cloudmarker_azure._graph_types import GROUPS, HELD, LACKING, as_listed, graph_type, may_read, query, resource_type
from cloudmarker_azure._table import TABLE
from cloudmarker_azure.azcloud import AzCloud
from cloudmarker_simulators import AzureSimulator, Fault, Quota

GRAPH = "/providers/Microsoft.ResourceGraph/resources"
SOME = ["subscription", "resource_group", "disk", "snapshot", "nic", "nsg", "security_rule", "redis", "role_assignment"]
"""Enough types to see that a fault is made up for, of every group; role assignments are not in the Graph."""

HELD_ROWS = [row for row in TABLE if row.record_type in HELD]
LISTS = {row.record_type: row.path for row in HELD_ROWS}


def read(simulator, **parameters):
    return list(AzCloud(**{**simulator.settings, "source": "graph", "rate_limit": 1, **parameters}).read())


def by_reference(records):
    found = {}
    for record in records:
        if "raw" in record:
            key = record["ext"]["record_type"], record["com"]["reference"]
            assert key not in found, "a record came twice"
            found[key] = record
    return found


def coverage(records):
    found = [record["com"] for record in records if "raw" not in record]
    return {(com["scope"], com["resource_type"]): (com["state"], com["count"], com["error"]) for com in found}


def states(records):
    return {key: (state, count) for key, (state, count, _) in coverage(records).items()}


def notes(records):
    return Counter(error for _, _, error in coverage(records).values() if error)


def lists_asked_for(simulator):
    """Return the lists of types that the Graph holds which were asked for all the same."""
    paths = [path.partition("?")[0] for method, path in simulator.requests if method == "GET"]
    return [path for path in paths if any(path.endswith(each) for each in LISTS.values())]


@pytest.fixture
def tenant():
    with AzureSimulator(subscriptions=4, scale=3, seed=3) as simulator:
        yield simulator


def comparable(record, *, dated):
    """Return a record without what the Graph lacks, and with types and locations in one spelling."""
    buckets = {bucket: dict(content) for bucket, content in record.items()}
    for content in buckets.values():
        for key in ("type", "location"):
            if isinstance(content.get(key), str):
                content[key] = content[key].lower().replace(" ", "")
    for key in LACKING:
        buckets["raw"].pop(key, None)
    if not dated:
        del buckets["com"]["created"]
    return buckets


def test_records_are_those_of_resource_manager_one_by_one_but_for_what_the_graph_lacks(tenant):
    listed = by_reference(read(tenant, source="arm"))
    found = by_reference(read(tenant))
    assert set(found) == set(listed)
    for key, record in listed.items():
        dated = "systemData" not in record["raw"]
        assert comparable(found[key], dated=dated) == comparable(record, dated=dated), key
        if key[0] in HELD:
            assert not set(LACKING) & set(found[key]["raw"])


def test_coverage_is_that_of_resource_manager(tenant):
    assert states(read(tenant)) == states(read(tenant, source="arm"))


def test_a_few_queries_stand_for_all_lists_of_the_types_that_the_graph_holds(tenant):
    records = read(tenant)
    assert notes(records) == {}
    assert lists_asked_for(tenant) == []
    queries = [path for method, path in tenant.requests if method == "POST" and "ResourceGraph" in path]
    assert len(queries) == len(GROUPS) + 1


def test_nothing_is_sent_but_gets_queries_and_requests_for_tokens(tenant):
    read(tenant)
    others = [path for method, path in tenant.requests if method != "GET" and "/oauth2/v2.0/token" not in path]
    assert {path.partition("?")[0] for path in others} == {GRAPH}
    assert tenant.refused == 0
    assert len(tenant.hosts) == 1


def test_pages_are_followed_to_the_end(tenant):
    whole = by_reference(read(tenant))
    tenant.source.page_size = 1  # ten rows a page
    assert set(by_reference(read(tenant))) == set(whole)
    tokens = [path for method, path in tenant.requests if method == "POST" and "ResourceGraph" in path]
    assert len(tokens) > 2 * (len(GROUPS) + 1)


def test_many_subscriptions_are_asked_for_in_batches(tenant, monkeypatch):
    monkeypatch.setattr(_graph, "BATCH", 3)
    records = read(tenant)
    assert notes(records) == {}
    assert set(by_reference(records)) == set(by_reference(read(tenant, source="arm")))


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 403},
        {"status": 400},
        {"status": 200, "body": json.dumps({"totalRecords": 1, "count": 1, "data": "none"})},
        {"status": 200, "body": json.dumps({"totalRecords": 7, "count": 0, "data": [], "resultTruncated": "false"})},
        {"status": 200, "body": json.dumps({"totalRecords": 0, "count": 0, "data": [], "resultTruncated": "true"})},
        {"status": 200, "body": json.dumps({"data": [], "$skipToken": "again", "resultTruncated": "true"})},
        {"status": 200, "body": json.dumps({"data": [7]})},
        {"status": 200, "body": json.dumps({"data": [{"id": "/x", "type": "a/b", "subscriptionId": "c"}]})},
    ],
)
def test_a_query_that_fails_is_made_up_for_by_lists_and_said(tenant, fault):
    # The first query asks which subscriptions are known; the others are for the types.
    tenant.faults.append(Fault(GRAPH, skip=1, **fault))
    records = read(tenant, retry_deadline_s=0.2, record_types=SOME)
    assert set(by_reference(records)) == set(by_reference(read(tenant, source="arm", record_types=SOME)))
    assert {state for (place, _), (state, _) in states(records).items() if "/sub" in place} == {"ok"}
    found = coverage(records)
    for (place, kind), (_, _, error) in found.items():
        if kind in HELD and place.startswith("/subscriptions/"):
            assert error.startswith("read through Azure Resource Manager: Azure Resource Graph: "), kind


def test_a_query_that_breaks_off_gives_no_record_twice(tenant):
    tenant.source.page_size = 1
    tenant.faults.append(Fault(GRAPH, skip=5, status=403))
    records = read(tenant, threads=1, record_types=SOME)
    listed = read(tenant, source="arm", record_types=SOME)
    assert set(by_reference(records)) == set(by_reference(listed))
    assert states(records) == states(listed)
    assert [note for note in notes(records) if note.startswith("read through")]


def test_what_the_graph_does_not_know_is_read_through_resource_manager(tenant):
    body = json.dumps({"totalRecords": 0, "count": 0, "data": [], "resultTruncated": "false"})
    tenant.faults.append(Fault(GRAPH, status=200, body=body, times=1))
    records = read(tenant, record_types=SOME)
    assert set(by_reference(records)) == set(by_reference(read(tenant, source="arm", record_types=SOME)))
    assert {note for note in notes(records) if not note.startswith("left out")} == {
        "read through Azure Resource Manager: Azure Resource Graph does not know the subscription"
    }


def test_when_it_cannot_be_asked_at_all_everything_is_read_through_resource_manager(tenant):
    tenant.faults.append(Fault(GRAPH, status=403))
    records = read(tenant, record_types=SOME)
    assert set(by_reference(records)) == set(by_reference(read(tenant, source="arm", record_types=SOME)))
    (note,) = [note for note in notes(records) if not note.startswith("left out")]
    assert "Azure Resource Graph cannot be asked: " in note


def test_no_rows_of_a_type_that_may_not_be_read_is_no_empty_list():
    with AzureSimulator(tenant="holes") as simulator:
        through_graph = states(read(simulator, retry_deadline_s=1))
        through_lists = states(read(simulator, retry_deadline_s=1, source="arm"))
    denied = {key for key, (state, _) in through_lists.items() if state == "denied"}
    assert {kind for _, kind in denied} & HELD
    assert {key for key, (state, _) in through_graph.items() if state == "denied"} == denied


@pytest.mark.parametrize("body", ['{"value": []}', '{"value": [{"actions": ["Microsoft.Compute/*/read"]}]}'])
def test_where_it_is_not_known_what_may_be_read_lists_decide(tenant, body):
    tenant.faults.append(Fault("Microsoft.Authorization/permissions", status=200, body=body))
    records = read(tenant, record_types=["redis", "cosmos_db", "disk"], subscriptions=["nothing has this name"])
    assert by_reference(records) == {}
    empty = {"data": [], "totalRecords": 0, "resultTruncated": "false"}
    tenant.faults.append(Fault(GRAPH, skip=1, status=200, body=json.dumps(empty)))
    records = read(tenant, record_types=["redis", "disk"])
    asked = {path.rpartition("/")[2] for path in lists_asked_for(tenant)}
    assert "redis" in asked
    assert ("disks" in asked) is ("Compute" not in body)
    assert [key for key in by_reference(records) if key[0] == "redis"]


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "1"}])
def test_a_query_that_is_throttled_is_sent_again_with_or_without_retry_after(tenant, headers):
    tenant.faults.append(Fault(GRAPH, method="POST", status=429, headers=headers, times=2))
    records = read(tenant)
    assert notes(records) == {}
    assert tenant.statuses[429] == 2


def test_queries_keep_to_the_window_of_the_graph():
    with AzureSimulator(subscriptions=2, scale=2, page_size=1, graph_quota=Quota(6, window_s=1.0)) as simulator:
        records = read(simulator, rate_limit=1)
        assert simulator.statuses[429] <= 1
    assert notes(records) == {}


def test_record_types_limit_the_queries_too(tenant):
    records = read(tenant, record_types=["disk", "security_rule"])
    kinds = {kind for kind, _ in by_reference(records)}
    assert kinds == {"disk", "security_rule"}


def test_max_recs_limits_and_says_so(tenant):
    records = read(tenant, _max_recs=1, record_types=["disk"])
    per_scope = Counter(record["ext"]["subscription_id"] for record in by_reference(records).values())
    assert set(per_scope.values()) == {1}
    assert {state for (_, kind), (state, _) in states(records).items() if kind == "disk"} == {"skipped"}


def test_source_is_checked():
    with pytest.raises(ConfigError) as caught:
        AzCloud(source="csv")
    assert caught.value.problems == ("source: 'csv' is not one of arm, graph",)


def test_every_type_that_the_graph_holds_is_a_plain_list_of_subscriptions():
    assert len(HELD_ROWS) == len(HELD) == sum(map(len, GROUPS))
    for row in HELD_ROWS:
        assert (row.scope, row.parent, row.single, row.query) == ("subscription", None, False, ())
        assert resource_type(row).count("/") == 1


def test_a_query_names_its_types_and_is_in_order():
    (row,) = [row for row in TABLE if row.record_type == "disk"]
    assert query([row]).startswith("resources | where type in~ ('microsoft.compute/disks') | project id, name, ")
    assert query([row]).endswith(" | order by id asc")
    (row,) = [row for row in TABLE if row.record_type == "resource_group"]
    assert query([row]).startswith("resourcecontainers | where type in~ ('microsoft.resources/subscriptions/resource")
    assert graph_type(row) == "microsoft.resources/subscriptions/resourcegroups"


def test_columns_that_a_resource_has_nothing_in_are_left_out():
    (row,) = [row for row in TABLE if row.record_type == "disk"]
    found = {
        "id": "/d",
        "name": "d",
        "type": "microsoft.compute/disks",
        "tenantId": "t",
        "subscriptionId": "s",
        "resourceGroup": "g",
        "kind": "",
        "managedBy": "",
        "tags": None,
        "zones": [],
        "properties": {"diskSizeGB": 0},
    }
    assert as_listed(row, found) == {
        "id": "/d",
        "name": "d",
        "type": "Microsoft.Compute/disks",
        "zones": [],
        "properties": {"diskSizeGB": 0},
    }


@pytest.mark.parametrize(
    ("permissions", "expected"),
    [
        ([], False),
        ([{"actions": ["*"]}], True),
        ([{"actions": ["*/read"], "notActions": []}], True),
        ([{"actions": ["microsoft.compute/DISKS/read"]}], True),
        ([{"actions": ["Microsoft.Compute/disks/*"]}], True),
        ([{"actions": ["Microsoft.Compute/*/write"]}], False),
        ([{"actions": ["Microsoft.Network/*"]}], False),
        ([{"actions": ["*/read"], "notActions": ["Microsoft.Compute/*"]}], False),
        ([{"actions": ["*/read"], "notActions": ["Microsoft.Compute/*"]}, {"actions": ["*/read"]}], True),
        ([7, {"actions": "*"}, {}], False),
    ],
)
def test_permissions_are_read_as_azure_means_them(permissions, expected):
    (row,) = [row for row in TABLE if row.record_type == "disk"]
    assert may_read(permissions, row) is expected
