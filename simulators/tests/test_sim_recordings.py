import json

import pytest
from cloudmarker_simulators import AzureSimulator, DataError, GCPSimulator

SUBSCRIPTION = "/subscriptions/11111111-2222-3333-4444-555555555555"
COMPUTE = "/compute/v1/projects"


def write(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def rows_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def azure(tmp_path, azure_client):
    vm = f"{SUBSCRIPTION}/resourceGroups/RG-One/providers/Microsoft.Compute/virtualMachines/vm1"
    file = write(
        tmp_path / "azure.jsonl",
        {"path": "/subscriptions", "body": {"value": [{"id": SUBSCRIPTION, "state": "Enabled"}]}},
        {
            "path": f"{SUBSCRIPTION}/providers/Microsoft.Compute/virtualMachines",
            "body": {"value": [{"id": vm.upper(), "n": 1}, {"id": vm.replace("One", "Two"), "n": 2}], "nextLink": "x"},
        },
        {"path": vm, "body": {"id": vm, "instance": True}, "expand": "instanceView"},
        {"path": f"{SUBSCRIPTION}/providers/Microsoft.Sql%2Fservers", "body": {"values": [1]}},
    )
    with AzureSimulator(recordings=file, page_size=1) as simulator:
        client = azure_client(simulator)
        client.log_in()
        yield client


def test_recorded_lists_are_paged_anew(azure):
    machines = azure.items(f"{SUBSCRIPTION}/PROVIDERS/microsoft.compute/virtualmachines")
    assert [machine["n"] for machine in machines] == [1, 2]


def test_a_groups_list_is_taken_from_the_subscriptions(azure):
    machines = azure.items(f"{SUBSCRIPTION}/resourceGroups/rg-one/providers/Microsoft.Compute/virtualMachines")
    assert [machine["n"] for machine in machines] == [1]


def test_an_item_of_a_list_is_served_alone_and_expanded_where_recorded_so(azure):
    path = (
        f"{SUBSCRIPTION}/resourcegroups/rg-one/providers/Microsoft.Compute/virtualMachines/VM1?api-version=2024-07-01"
    )
    assert azure.get(path)["n"] == 1
    assert azure.get(f"{path}&$expand=instanceView") == azure.get(f"{path}&$expand=INSTANCEVIEW")
    assert azure.get(f"{path}&$expand=instanceView")["instance"] is True


def test_what_was_never_recorded_is_an_empty_list_where_the_parent_is_known(azure):
    group = f"{SUBSCRIPTION}/resourceGroups/rg-two/providers"
    for path in (
        f"{SUBSCRIPTION}/resourcegroups",
        f"{group}/Microsoft.Storage/storageAccounts",
        f"{group}/Microsoft.Compute/virtualMachines/vm1/extensions",
    ):
        assert azure.items(path) == [], path
    assert azure.read(f"{group}/Microsoft.Compute/virtualMachines/vm9/extensions")[0] == 404


def test_an_answer_that_is_no_list_is_served_as_it_is(azure):
    assert azure.read(f"{SUBSCRIPTION}/providers/Microsoft.Sql/servers")[1] == {"values": [1]}


@pytest.fixture
def google(tmp_path, google_client):
    old, new, sql = "www.googleapis.com", "compute.googleapis.com", "sqladmin.googleapis.com"

    def item(name, **more):
        return {"name": name, "selfLink": f"https://x/{name}", **more}

    firewall = item("ssh", id="7")
    rows = [
        {"host": old, "path": f"{COMPUTE}/p/global/networks", "body": {"items": [item("a", old=1), item("b")]}},
        {"host": new, "path": f"{COMPUTE}/p/global/networks", "body": {"items": [item("a"), item("c")]}},
        {
            "host": new,
            "path": f"{COMPUTE}/p/aggregated/disks",
            "body": {"items": {"zones/z-1-a": {"disks": [item("d1")]}, "zones/z-1-b": {"warning": {}}}},
        },
        {
            "host": old,
            "path": f"{COMPUTE}/p/aggregated/disks",
            "body": {"items": {"regions/r": {"disks": [item("d2")]}}},
        },
        {
            "host": new,
            "path": f"{COMPUTE}/p/global/networks/a/getEffectiveFirewalls",
            "body": {"firewalls": [firewall]},
        },
        {"host": new, "path": f"{COMPUTE}/p/global/firewalls/ssh", "body": firewall},
        {"host": new, "path": f"{COMPUTE}/p/global/firewalls/rdp", "body": item("rdp")},
        {"host": new, "path": f"{COMPUTE}/p", "body": {"defaultServiceAccount": "42-compute@developer.x"}},
        {
            "host": "redis.googleapis.com",
            "path": "/v1/projects/p/locations/-/instances",
            "body": {"instances": [{"name": "r"}]},
        },
        {
            "host": "file.googleapis.com",
            "path": "/v1/projects/p/locations/-/instances",
            "body": {"instances": [{"name": "f"}]},
        },
        {"host": sql, "path": "/sql/v1beta4/projects/p/instances", "body": {"items": [item("s")], "kind": "sql#list"}},
        {
            "host": "iam.googleapis.com",
            "path": "/v1/projects/p/serviceAccounts",
            "body": {"accounts": [{"name": "sa"}]},
        },
    ]
    with GCPSimulator(recordings=write(tmp_path / "gcp.jsonl", *rows), page_size=1) as simulator:
        client = google_client(simulator)
        client.log_in()
        yield client


def names(items):
    return [item["name"] for item in items]


def test_a_list_of_two_hosts_is_merged_and_the_newer_one_counts(google):
    networks = google.items(f"{COMPUTE}/p/global/networks")
    assert names(networks) == ["a", "c", "b"]
    assert "old" not in networks[0]


def test_an_aggregated_list_is_merged_and_feeds_its_zones(google):
    found = {}
    for page in google.pages(f"{COMPUTE}/p/aggregated/disks"):
        for scope, held in page["items"].items():
            found.setdefault(scope, []).extend(names(held.get("disks", [])))
    assert {scope: held for scope, held in found.items() if held} == {"zones/z-1-a": ["d1"], "regions/r": ["d2"]}
    assert names(google.items(f"{COMPUTE}/p/zones/z-1-a/disks")) == ["d1"]


def test_a_list_nobody_recorded_has_what_was_recorded_below_it(google):
    assert sorted(names(google.items(f"{COMPUTE}/p/global/firewalls"))) == ["rdp", "ssh"]
    assert google.items(f"{COMPUTE}/p/global/routes") == []


def test_services_that_share_a_path_are_merged_and_told_apart_by_host(google):
    path = "/v1/projects/p/locations/-/instances"
    assert sorted(names(google.items(path, "instances"))) == ["f", "r"]
    assert names(google.items(f"/redis.googleapis.com{path}", "instances")) == ["r"]
    assert names(google.items("/sqladmin.googleapis.com/sql/v1beta4/projects/p/instances")) == ["s"]


def test_items_are_found_whatever_their_field_is_called(google):
    assert names(google.items("/v1/projects/p/serviceAccounts", "accounts")) == ["sa"]
    assert google.get("/sql/v1beta4/projects/p/instances")["kind"] == "sql#list"


def test_a_project_that_recordings_are_from_is_listed(google):
    assert google.items("/v1/projects", "projects") == [
        {"projectId": "p", "name": "p", "lifecycleState": "ACTIVE", "projectNumber": "42"}
    ]


@pytest.mark.parametrize("line", ["{", "[]", '{"path": 1, "body": {}}', '{"path": "/x", "body": []}'])
def test_a_line_that_is_no_recording_is_named(tmp_path, line):
    file = tmp_path / "bad.jsonl"
    file.write_text(f'{{"path": "/x", "body": {{}}}}\n{line}\n')
    with pytest.raises(DataError, match=r"bad\.jsonl:2: not"):
        AzureSimulator(recordings=file)


def test_a_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.jsonl: No such file"):
        GCPSimulator(recordings=tmp_path / "none.jsonl")


def test_every_recorded_azure_answer_is_served_unchanged(recordings, azure_client):
    file = recordings / "azure.jsonl"
    with AzureSimulator(recordings=file) as simulator:
        client = azure_client(simulator)
        client.log_in()
        for row in rows_of(file):
            path, body = row["path"], row["body"]
            if isinstance(body.get("value"), list):
                assert client.items(path) == body["value"], path
            else:
                expand = f"&$expand={row['expand']}" if row.get("expand") else ""
                assert client.get(f"{path}?api-version=2024-01-01{expand}") == body, path


def test_every_recorded_google_item_is_served_unchanged(recordings, google_client):
    """Of what two hosts recorded, the newer one's state counts; the rest is there too."""
    file = recordings / "gcp.jsonl"
    rows = rows_of(file)
    newest = {row["path"]: row["body"] for row in sorted(rows, key=lambda row: row["host"] != "www.googleapis.com")}
    with GCPSimulator(recordings=file, page_size=500) as simulator:
        client = google_client(simulator)
        client.log_in()
        for path, body in newest.items():
            served = client.get(path)
            if "/aggregated/" in path:
                recorded = {scope: held.get(path.rpartition("/")[2], []) for scope, held in body["items"].items()}
                given = {scope: served["items"][scope].get(path.rpartition("/")[2], []) for scope in recorded}
            else:
                recorded, given = body, {**served, **{key: served.get(key) for key in body}}
            for key, value in recorded.items():
                if isinstance(value, list):
                    assert all(item in given[key] for item in value), path
                elif not path.startswith("/compute/") or "items" not in body:
                    assert given[key] == value, path


def test_recorded_lists_of_zones_have_what_the_aggregated_ones_have(recordings, google_client):
    with GCPSimulator(recordings=recordings / "gcp.jsonl", page_size=500) as simulator:
        client = google_client(simulator)
        client.log_in()
        page = client.get(f"{COMPUTE}/cloud-custodian/aggregated/instances")
        assert sum(len(held.get("instances", [])) for held in page["items"].values()) > 5
        for scope, held in page["items"].items():
            zonal = client.items(f"{COMPUTE}/cloud-custodian/{scope}/instances")
            assert sorted(names(zonal)) == sorted(names(held.get("instances", []))), scope
