import json
import stat
import time
from pathlib import Path

import pytest
from cloudmarker_simulators import GCPSimulator

COMPUTE = "/compute/v1/projects"


def reason(body):
    return body["error"]["errors"][0]["reason"]


def test_the_key_file_has_what_google_auth_reads_and_is_private():
    with GCPSimulator() as simulator:
        path = Path(simulator.settings["key_file_path"])
        key = json.loads(path.read_text())
        assert key["type"] == "service_account"
        assert key["token_uri"] == f"{simulator.settings['endpoint']}/token"
        assert key["project_id"] == "tidewater-web"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert not path.parent.exists()


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"aud": "https://example.com/token"}, "invalid_grant"),
        ({"iss": "somebody@example.com"}, "invalid_grant"),
        ({"exp": int(time.time()) - 4000, "iat": int(time.time()) - 7000}, "invalid_grant"),
        ({"exp": int(time.time()) + 100_000}, "invalid_grant"),
        ({"iat": "now"}, "invalid_grant"),
        ({"scope": ""}, "invalid_scope"),
    ],
)
def test_an_assertion_with_wrong_claims_gets_no_token(sample_google, google_client, changes, error):
    status, body = google_client(sample_google.simulator).log_in(**changes)
    assert (status, body["error"]) == (400, error)


def test_an_assertion_signed_by_another_key_gets_no_token(sample_google, google_client):
    client = google_client(sample_google.simulator)
    good = client.assertion()
    head, _, _ = good.rpartition(".")
    for bad in (f"{head}.{'A' * 342}", "nonsense", "a.b.c", "", f"{head}.§", "W10.W10.AA"):
        status, body = client.log_in(assertion=bad or "x")
        assert (status, body["error"]) == (400, "invalid_grant"), bad


def test_another_grant_gets_no_token(sample_google):
    status, body, _ = sample_google.call("/token", method="POST", data={"grant_type": "password"})
    assert (status, body["error"]) == (400, "unsupported_grant_type")


@pytest.mark.parametrize("token", [None, "made-up"])
def test_a_call_without_a_valid_token_is_unauthenticated(sample_google, google_client, token):
    client = google_client(sample_google.simulator)
    client.token = token
    status, body, headers = client.call("/v1/projects")
    assert (status, body["error"]["status"]) == (401, "UNAUTHENTICATED")
    assert headers["WWW-Authenticate"].startswith("Bearer")


def test_projects_are_listed_by_both_versions_of_the_api(sample_google):
    older = sample_google.items("/v1/projects", "projects", pageSize=2)
    newer = sample_google.items("/v3/projects:search", "projects", pageSize=2)
    ids = ["tidewater-web", "tidewater-data", "tidewater-attic"]
    assert [project["projectId"] for project in older] == ids
    assert [project["projectId"] for project in newer] == ids
    assert newer[0]["name"] == f"projects/{older[0]['projectNumber']}"
    assert newer[0]["parent"] == f"folders/{older[0]['parent']['id']}"
    assert sample_google.get("/v1/projects/tidewater-web") == older[0]
    assert sample_google.get("/v3/projects/tidewater-web") == newer[0]


def test_projects_below_a_parent_are_listed(sample_google):
    children = sample_google.items("/v3/projects", "projects", parent="organizations/714205538861")
    assert [project["projectId"] for project in children] == ["tidewater-data", "tidewater-attic"]
    assert sample_google.call("/v3/projects")[0] == 400


def test_a_filter_on_the_state_is_understood_and_others_are_refused(sample_google):
    assert len(sample_google.items("/v1/projects", "projects", filter="lifecycleState:ACTIVE")) == 3
    assert sample_google.items("/v3/projects:search", "projects", query="state:DELETE_REQUESTED") == []
    assert sample_google.call("/v1/projects?filter=name:x")[0] == 400
    assert sample_google.call(f"{COMPUTE}/tidewater-web/global/firewalls?filter=x")[0] == 400


def test_paging_gives_every_item_once(sample_google):
    path = f"{COMPUTE}/tidewater-web/global/firewalls"
    sizes = {None: [3, 3, 3, 2], 2: [2] * 5 + [1], 500: [3, 3, 3, 2]}
    for size, expected in sizes.items():
        pages = list(sample_google.pages(path, **({"maxResults": size} if size else {})))
        assert [len(page["items"]) for page in pages] == expected
    names = [item["name"] for item in sample_google.items(path)]
    assert len(set(names)) == len(names) == 11


def test_wrong_paging_parameters_are_refused(sample_google):
    path = f"{COMPUTE}/tidewater-web/global/firewalls"
    other = next(sample_google.pages(f"{COMPUTE}/tidewater-data/global/firewalls"))["nextPageToken"]
    for query in ("maxResults=501", "maxResults=many", "pageToken=zzz", f"pageToken={other}"):
        status, body, _ = sample_google.call(f"{path}?{query}")
        assert (status, reason(body)) == (400, "invalid"), query


def test_resources_have_what_google_adds(sample_google):
    firewall = sample_google.get(f"{COMPUTE}/tidewater-web/global/firewalls/default-allow-ssh")
    link = "https://www.googleapis.com/compute/v1/projects/tidewater-web"
    assert firewall["kind"] == "compute#firewall"
    assert firewall["id"].isdigit()
    assert firewall["selfLink"] == f"{link}/global/firewalls/default-allow-ssh"
    assert firewall["network"] == f"{link}/global/networks/default"
    assert (firewall["direction"], firewall["disabled"]) == ("INGRESS", False)
    project = sample_google.get(f"{COMPUTE}/tidewater-web")
    assert (project["kind"], project["name"]) == ("compute#project", "tidewater-web")
    page = sample_google.get(f"{COMPUTE}/tidewater-web/global/firewalls")
    assert (page["kind"], page["id"]) == ("compute#firewallList", "projects/tidewater-web/global/firewalls")


def test_a_project_goes_by_its_number_too(sample_google):
    path = f"{COMPUTE}/%s/global/firewalls"
    assert sample_google.items(path % "481920573316") == sample_google.items(path % "tidewater-web")


def test_an_aggregated_list_names_every_zone_on_every_page(sample_google):
    pages = list(sample_google.pages(f"{COMPUTE}/tidewater-web/aggregated/instances", maxResults=2))
    zones = [f"zones/{zone['name']}" for zone in sample_google.items(f"{COMPUTE}/tidewater-web/zones")]
    assert len(zones) == 4
    assert len(pages) == 3
    names = []
    for page in pages:
        assert page["kind"] == "compute#instanceAggregatedList"
        assert list(page["items"]) == zones
        for held in page["items"].values():
            assert ("instances" in held) != (held.get("warning", {}).get("code") == "NO_RESULTS_ON_PAGE")
            names += [instance["name"] for instance in held.get("instances", [])]
    assert sorted(names) == ["bastion-1", "batch-1", "web-1", "web-2", "worker-1"]


def test_a_zone_lists_its_own_instances(sample_google):
    instances = sample_google.items(f"{COMPUTE}/tidewater-web/zones/us-east1-b/instances")
    assert [(item["name"], item["status"]) for item in instances] == [
        ("bastion-1", "RUNNING"),
        ("batch-1", "TERMINATED"),
    ]
    assert instances[0]["zone"].endswith("/projects/tidewater-web/zones/us-east1-b")
    assert instances[0]["networkInterfaces"][0]["accessConfigs"][0]["natIP"] == "203.0.113.41"


def test_a_list_without_items_leaves_the_field_out(sample_google):
    assert "items" not in sample_google.get(f"{COMPUTE}/tidewater-web/zones/europe-west4-a/instances")
    assert "items" not in sample_google.get(f"{COMPUTE}/tidewater-web/global/sslPolicies")
    assert sample_google.get("/v1/projects/tidewater-web/serviceAccounts") == {}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{COMPUTE}/nobody/global/firewalls", 404),
        (f"{COMPUTE}/nobody/aggregated/instances", 404),
        (f"{COMPUTE}/nobody", 404),
        (f"{COMPUTE}/tidewater-web/global/firewalls/nothing", 404),
        (f"{COMPUTE}/tidewater-web/zones/mars-north1-a/instances", 400),
        (f"{COMPUTE}/tidewater-web/regions/mars-north1/subnetworks", 400),
        (f"{COMPUTE}/tidewater-web/regions/us-east1/subnetworks", 200),
        ("/v1/projects/nobody", 403),
        ("/v1/projects/nobody/serviceAccounts", 403),
        ("/nonsense", 404),
        ("/", 404),
    ],
)
def test_what_does_not_exist_is_not_found(sample_google, path, status):
    assert sample_google.call(path)[0] == status


def test_an_api_that_is_not_enabled_says_so(sample_google):
    for path in ("", "/global/firewalls", "/aggregated/instances"):
        status, body, _ = sample_google.call(f"{COMPUTE}/tidewater-attic{path}")
        assert (status, reason(body)) == (403, "accessNotConfigured")
        info = body["error"]["details"][1]
        assert (info["reason"], info["metadata"]["service"]) == ("SERVICE_DISABLED", "compute.googleapis.com")
        assert info["metadata"]["consumer"] == "projects/127730946625"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_every_call_that_is_not_a_read_is_refused_and_counted(google_client, method):
    with GCPSimulator() as simulator:
        client = google_client(simulator)
        client.log_in()
        status, _, headers = client.call(f"{COMPUTE}/tidewater-web/global/firewalls", method=method)
        assert (status, headers["Allow"]) == (405, "GET")
        assert simulator.refused == 1
        assert simulator.statuses == {200: 1, 405: 1}


def test_holes_are_told_apart(google_client):
    with GCPSimulator(tenant="holes") as simulator:
        client = google_client(simulator)
        client.log_in()
        firewalls = f"{COMPUTE}/sieve-%s/global/firewalls"
        assert len(client.items(firewalls % "open")) == 1

        status, body, _ = client.call(firewalls % "denied")
        assert (status, reason(body)) == (403, "forbidden")
        assert body["error"]["message"] == "Required 'compute.firewalls.list' permission for 'projects/sieve-denied'"
        assert client.call(f"{COMPUTE}/sieve-denied/aggregated/instances")[0] == 200

        assert client.call(firewalls % "gone")[0] == 404

        answers = [client.call(firewalls % "busy") for _ in range(3)]
        assert [status for status, _, _ in answers] == [429, 429, 200]
        assert answers[0][2]["Retry-After"] == "1"

        assert [client.call(firewalls % "broken")[0] for _ in range(3)] == [503] * 3

        page = client.get(f"{COMPUTE}/sieve-partial/aggregated/instances")
        assert page["unreachables"] == ["zones/europe-west4-a"]
        assert page["items"]["zones/europe-west4-a"]["warning"]["code"] == "UNREACHABLE"
        assert len(page["items"]["zones/europe-west1-b"]["instances"]) == 1
        assert client.call(f"{COMPUTE}/sieve-partial/zones/europe-west4-a/instances")[0] == 503
