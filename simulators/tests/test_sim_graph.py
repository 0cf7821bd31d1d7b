import json

import pytest
from cloudmarker_simulators import AzureSimulator

PATH = "/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01"


class Graph:
    def __init__(self, client):
        self.client = client

    def ask(self, query, *, options=None, **scope):
        body = {"query": query, **scope, **({"options": options} if options else {})}
        headers = {"Content-Type": "application/json"}
        return self.client.call(PATH, method="POST", data=json.dumps(body).encode(), headers=headers)

    def rows(self, query, **scope):
        token, rows = None, []
        while True:
            status, page, _ = self.ask(query, options={"$skipToken": token} if token else None, **scope)
            assert status == 200, page
            rows += page["data"]
            assert page["count"] == len(page["data"])
            token = page.get("$skipToken")
            if token is None:
                assert page["totalRecords"] == len(rows)
                return rows


@pytest.fixture(scope="module")
def graph(azure_client_class):
    with AzureSimulator(subscriptions=3, scale=8, seed=7, page_size=1) as simulator:
        client = azure_client_class(simulator)
        client.log_in()
        yield Graph(client)


@pytest.fixture(scope="module")
def subscriptions(graph):
    return [item["subscriptionId"] for item in graph.client.simulator.source.collection("/subscriptions").items]


def test_rows_are_what_the_lists_have_with_fewer_fields(graph, subscriptions):
    rows = graph.rows("Resources | where type =~ 'Microsoft.Network/networkSecurityGroups' | order by id asc")
    source = graph.client.simulator.source
    path = "/providers/Microsoft.Network/networkSecurityGroups"
    listed = {
        item["id"]: item for id_ in subscriptions for item in source.collection(f"/subscriptions/{id_}{path}").items
    }
    assert [row["id"] for row in rows] == sorted(listed)
    for row in rows:
        item = listed[row["id"]]
        assert {key: row[key] for key in ("name", "location", "tags", "properties")} == {
            key: item[key] for key in ("name", "location", "tags", "properties")
        }
        assert row["type"] == item["type"].lower()
        assert row["resourceGroup"] == item["id"].split("/")[4].lower()
        assert row["subscriptionId"] in subscriptions
        assert "etag" not in row


def test_several_types_and_subscriptions_are_one_ordered_answer(graph, subscriptions):
    query = "resources | where type in~ ('microsoft.compute/disks', 'microsoft.network/networkwatchers') | project id"
    rows = graph.rows(query, subscriptions=[subscriptions[2], subscriptions[0].upper()])
    ids = [row["id"] for row in rows]
    assert len(ids) == 2 * (2 * 8 + 3)
    assert ids == sorted(ids)
    assert all(set(row) == {"id"} for row in rows)


def test_conditions_on_columns_are_joined(graph, subscriptions):
    query = f"resources | where type =~ 'microsoft.compute/disks' and subscriptionId == '{subscriptions[1]}'"
    assert {row["subscriptionId"] for row in graph.rows(query)} == {subscriptions[1]}
    located = graph.rows(f"{query} | where location =~ 'EASTUS2' | project id, location")
    assert {row["location"] for row in located} == {"eastus2"}
    assert graph.rows(f"{query} and location == 'EASTUS2'") == []


def test_groups_and_subscriptions_are_containers(graph, subscriptions):
    found = graph.rows("resourcecontainers | where type =~ 'microsoft.resources/subscriptions'")
    assert [row["subscriptionId"] for row in found] == subscriptions
    groups = graph.rows("resourcecontainers | where type == 'microsoft.resources/subscriptions/resourcegroups'")
    assert len(groups) == 3 * (8 + 2)
    assert graph.rows("resources | where type =~ 'microsoft.resources/subscriptions'") == []


def test_a_management_group_stands_for_its_subscriptions(graph):
    query = "resourcecontainers | where type =~ 'microsoft.resources/subscriptions' | project id"
    assert len(graph.rows(query, managementGroups=["group-001"])) == 3
    assert graph.ask(query, managementGroups=["nobody"])[0] == 400


def test_rows_that_cannot_be_paged_are_truncated_and_say_so(graph):
    for query in ("resources | project name", "resources | where type =~ 'microsoft.compute/disks' | limit 20"):
        _, page, _ = graph.ask(query, options={"$top": 5})
        assert (page["count"], page["resultTruncated"]) == (5, "true")
        assert "$skipToken" not in page
    _, page, _ = graph.ask("resources | project id", options={"$top": 5})
    assert page["resultTruncated"] == "false"
    assert page["$skipToken"]


@pytest.mark.parametrize(
    "query",
    [
        "securityresources",
        "resources | where type =~ 'x' or type =~ 'y'",
        "resources | where colour =~ 'x'",
        "resources | project id, colour",
        "resources | summarize count()",
        "resources | extend a = 1",
        "",
    ],
)
def test_a_query_that_is_not_understood_is_refused(graph, query):
    status, body, _ = graph.ask(query)
    assert (status, body["error"]["code"]) == (400, "BadRequest")


def test_skip_tokens_and_sizes_are_checked(graph):
    query = "resources | project id"
    _, page, _ = graph.ask(query)
    for options in (
        {"$skipToken": "zzz"},
        {"$top": 1001},
        {"$top": 0},
        {"resultFormat": "table"},
    ):
        assert graph.ask(query, options=options)[0] == 400, options
    assert graph.ask("resources | project id, name", options={"$skipToken": page["$skipToken"]})[0] == 400


def test_a_query_is_no_call_that_writes(graph):
    assert graph.client.simulator.refused == 0
    assert graph.client.call("/providers/Microsoft.ResourceGraph/operations", method="POST")[0] == 405


def test_what_may_not_be_read_is_not_in_the_rows(azure_client):
    with AzureSimulator(tenant="holes") as simulator:
        client = azure_client(simulator)
        client.log_in()
        graph = Graph(client)
        names = {row["name"] for row in graph.rows("resources | project id, name")}
        assert names == {"open-nsg", "busy-nsg", "broken-nsg"}
        known = graph.rows("resourcecontainers | where type =~ 'microsoft.resources/subscriptions'")
        assert {row["name"] for row in known} == {"Readable", "Network denied", "Throttled at first", "Network broken"}
        denied = next(item for item in client.items("/subscriptions") if item["displayName"] == "Network denied")
        permissions = client.items(f"{denied['id']}/providers/Microsoft.Authorization/permissions")
        assert permissions[0]["notActions"] == ["Microsoft.Network/networkSecurityGroups/read"]


def test_the_small_tenant_answers_queries_too(sample_azure):
    rows = Graph(sample_azure).rows("resources | where type =~ 'microsoft.network/networksecuritygroups'")
    source = sample_azure.simulator.source
    assert len(rows) == source.counts()["microsoft.network/networksecuritygroups"]
    assert rows[0]["properties"] == source.resource(rows[0]["id"])["properties"]
