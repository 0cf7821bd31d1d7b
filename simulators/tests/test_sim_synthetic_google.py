import json
import re

import pytest
from cloudmarker_simulators import GCPSimulator, Quota, Refusal

LINK = re.compile(r'"https://www\.googleapis\.com/compute/v1/(projects/p[^"]+)"')
KEY = re.compile(r'"(projects/p[^"/]+/locations/[^"]+/cryptoKeys/\w+)[^"]*"')
UNLISTED = ("/machineTypes/", "/diskTypes/", "/healthChecks/", "/sslCertificates/", "/instanceGroupManagers/")
"""What resources point at, but no inventory lists."""


@pytest.fixture(scope="module")
def google(google_client_class):
    with GCPSimulator(projects=6, scale=5, seed=7, page_size=4) as simulator:
        client = google_client_class(simulator)
        client.log_in()
        yield client


@pytest.fixture(scope="module")
def project(google):
    return google.items("/v1/projects", "projects")[2]["projectId"]


def source_of(**size):
    return GCPSimulator(**size).source


def text_of(source):
    return json.dumps([source.collection(path).items[:] for path in source.lists()])


def test_equal_seeds_give_equal_organizations_and_others_do_not():
    size = {"projects": 2, "scale": 2}
    assert text_of(source_of(**size, seed=1)) == text_of(source_of(**size, seed=1))
    assert text_of(source_of(**size, seed=1)) != text_of(source_of(**size, seed=2))


def test_everything_is_listed_and_counted():
    source = source_of(projects=2, scale=5, seed=1)
    for path in source.lists():
        items = source.collection(path).items
        assert source.count(path) == len(items) == len(items[:])
    counts = source.counts()
    assert counts["compute.googleapis.com/instance"] == 2 * 5
    assert counts["compute.googleapis.com/firewall"] == 2 * 5 * 4
    assert counts["cloudkms.googleapis.com/cryptokey"] == 2 * 5 * 2
    assert sum(source.count(path) for path in source.lists() if path.endswith("/instances")) == 2 * 5 * 2  # and SQL


def test_compute_resources_are_served_alone_and_point_at_each_other():
    source = source_of(projects=1, scale=5, seed=1)
    links = set(LINK.findall(text_of(source)))
    assert len(links) > 100
    for link in links:
        if any(part in link for part in UNLISTED) or re.fullmatch(r"projects/[^/]+/(zones|regions)/[^/]+", link):
            continue
        assert source.resource(f"/compute/v1/{link}") is not None, link


def test_keys_that_encrypt_are_there():
    source = source_of(projects=1, scale=5, seed=1)
    for name in set(KEY.findall(text_of(source))):
        assert source.resource(f"/v1/{name}") is not None, name


def test_a_large_organization_costs_nothing_until_it_is_read():
    source = source_of(projects=1000, scale=2000)
    assert sum(source.counts().values()) > 80_000_000
    last = source.collection("/v1/projects").items[-1]["projectId"]
    disks = source.collection(f"/compute/v1/projects/{last}/zones/us-central1-a/disks").items
    assert len(disks) == 1000
    assert source.resource(disks[-1]["selfLink"].removeprefix("https://www.googleapis.com")) == disks[-1]


def test_an_aggregated_list_is_the_sum_of_the_others(google, project):
    root = f"/compute/v1/projects/{project}"
    for collection, places in (
        ("instances", ["zones/europe-west1-b", "zones/europe-west4-a", "zones/us-east1-b", "zones/us-central1-a"]),
        (
            "addresses",
            ["global", *(f"regions/{name}" for name in ("europe-west1", "europe-west4", "us-east1", "us-central1"))],
        ),
    ):
        found = {}
        for page in google.pages(f"{root}/aggregated/{collection}", maxResults=3):
            assert sum(len(held.get(collection, [])) for held in page["items"].values()) <= 3
            for scope, held in page["items"].items():
                found.setdefault(scope, []).extend(held.get(collection, []))
        assert sorted(found) == sorted(places)
        for place, items in found.items():
            assert google.items(f"{root}/{place}/{collection}") == items, place


def test_a_project_goes_by_its_number_too(google, project):
    number = google.get(f"/v3/projects/{project}")["name"].rpartition("/")[2]
    for path, key in (("/compute/v1/projects/%s/global/firewalls", "items"), ("/v1/projects/%s/secrets", "secrets")):
        assert google.items(path % number, key) == google.items(path % project, key)


def test_folders_and_the_organization_can_be_walked(google):
    organization = google.items("/v3/organizations:search", "organizations")[0]["name"]
    folders = google.items("/v3/folders", "folders", parent=organization)
    assert folders == google.items("/v3/folders:search", "folders")
    assert google.get(f"/v3/{folders[0]['name']}") == folders[0]
    inside = google.items("/v3/projects", "projects", parent=folders[0]["name"])
    direct = google.items("/v3/projects", "projects", parent=organization)
    assert (len(inside), len(direct)) == (5, 1)
    assert sorted(item["projectId"] for item in inside + direct) == sorted(
        item["projectId"] for item in google.items("/v1/projects", "projects")
    )
    by_filter = google.items(
        "/v1/projects", "projects", filter=f"parent.type:folder parent.id:{folders[0]['name'][8:]}"
    )
    assert [item["projectId"] for item in by_filter] == [item["projectId"] for item in inside]


def test_many_folders_are_nested():
    source = source_of(projects=100, seed=1)
    folders = {item["name"]: item for item in source.collection("/v3/folders:search").items}
    assert len(folders) == 5
    assert any(item["parent"] in folders for item in folders.values())
    top = next(item["parent"] for item in folders.values() if item["parent"] in folders)
    assets = source.assets(top, lambda type_: type_ == "cloudresourcemanager.googleapis.com/Project", "RESOURCE")
    parents = {asset["resource"]["data"]["parent"]["id"] for asset in assets}
    assert len(parents) == 2


def test_policies_are_read_by_post_and_by_get(google, project):
    assert google.call(f"/v3/projects/{project}:getIamPolicy", method="POST", data=b"{}")[1]["bindings"]
    account = google.items(f"/v1/projects/{project}/serviceAccounts", "accounts")[0]
    assert google.call(f"/v1/{account['name']}:getIamPolicy", method="POST", data=b"{}")[1]["bindings"]
    for path, key in (("secrets", "secrets"), ("topics", "topics")):
        item = google.items(f"/v1/projects/{project}/{path}", key)[0]
        assert google.get(f"/v1/{item['name']}:getIamPolicy")["bindings"]
    bucket = google.items("/storage/v1/b", project=project)[0]
    assert google.get(f"/storage/v1/b/{bucket['name']}/iam")["bindings"]
    organization = google.items("/v3/organizations:search", "organizations")[0]["name"]
    assert google.call(f"/v3/{organization}:getIamPolicy", method="POST", data=b"{}")[1]["bindings"]


def test_what_is_in_a_group_is_listed_by_post(google, project):
    for collection, method, where in (
        ("instanceGroups", "listInstances", "zones"),
        ("networkEndpointGroups", "listNetworkEndpoints", "zones"),
        ("networkEndpointGroups", "listNetworkEndpoints", "global"),
    ):
        pages = google.pages(f"/compute/v1/projects/{project}/aggregated/{collection}")
        held = [part for page in pages for place, part in page["items"].items() if place.startswith(where)]
        group = next(group for part in held for group in part.get(collection, []) if group["size"])
        path = group["selfLink"].removeprefix("https://www.googleapis.com") + f"/{method}"
        status, body, _ = google.call(f"{path}?maxResults=500", method="POST", data=b"{}")
        assert (status, len(body["items"])) == (200, group["size"])
        assert google.call(path)[0] == 404
    assert google.simulator.refused == 0


def test_lists_of_all_locations_have_those_of_each(google, project):
    for path, key in (
        ("/v1/projects/%s/locations/%s/clusters", "clusters"),
        ("/v2/projects/%s/locations/%s/functions", "functions"),
        ("/v1/projects/%s/locations/%s/services", "items"),
    ):
        everywhere = google.items(path % (project, "-"), key)
        regions = ("europe-west1", "europe-west4", "us-east1", "us-central1")
        each = [item for region in regions for item in google.items(path % (project, region), key)]
        assert len(everywhere) == 5
        assert sorted(map(json.dumps, everywhere)) == sorted(map(json.dumps, each))


def test_a_list_may_say_less_than_the_resource(google, project):
    listed = google.items(f"/bigquery/v2/projects/{project}/datasets", "datasets")
    full = google.get(f"/bigquery/v2/projects/{project}/datasets/{listed[0]['datasetReference']['datasetId']}")
    assert "access" in full
    assert listed[0].items() < full.items()


def test_assets_are_what_the_apis_list(google, project):
    query = {"contentType": "RESOURCE", "assetTypes": "compute.googleapis.com/(Instance|Firewall)", "pageSize": 3}
    assets = google.items(f"/v1/projects/{project}/assets", "assets", **query)
    assert len(assets) == 5 + 20
    for asset in assets:
        path = asset["name"].removeprefix("//compute.googleapis.com")
        data = asset["resource"]["data"]
        assert {"kind": google.get(f"/compute/v1{path}")["kind"], **data} == google.get(f"/compute/v1{path}")
    policies = google.items(
        f"/v1/projects/{project}/assets", "assets", contentType="IAM_POLICY", assetTypes="storage.googleapis.com/Bucket"
    )
    bucket = policies[0]["name"].rpartition("/")[2]
    assert policies[0]["iamPolicy"] == google.get(f"/storage/v1/b/{bucket}/iam")
    assert google.call(f"/v1/projects/{project}/assets?pageSize=1001")[0] == 400
    assert google.call("/v1/projects/nobody/assets")[0] == 403


def test_assets_of_the_organization_are_those_of_all_projects(google):
    source = google.simulator.source
    everything = source.assets(f"organizations/{source.organization}", lambda type_: True, "RESOURCE")
    counts = source.counts()
    found = {}
    for asset in everything:
        found[asset["assetType"].lower()] = found.get(asset["assetType"].lower(), 0) + 1
    for type_, number in found.items():
        if not type_.startswith(("serviceusage", "compute.googleapis.com/project")):
            assert counts[type_] == number, type_


def test_small_tenants_do_not_use_the_asset_inventory(sample_google):
    status, body, _ = sample_google.call("/v1/projects/tidewater-web/assets")
    assert (status, body["error"]["details"][1]["reason"]) == (403, "SERVICE_DISABLED")


def test_the_services_of_a_project_say_which_are_enabled(google, sample_google, project):
    enabled = google.items(f"/v1/projects/{project}/services", "services", filter="state:ENABLED")
    assert "compute.googleapis.com" in {service["config"]["name"] for service in enabled}
    states = {
        service["config"]["name"]: service["state"]
        for service in sample_google.items("/v1/projects/tidewater-attic/services", "services")
    }
    assert states["compute.googleapis.com"] == "DISABLED"
    assert states["storage.googleapis.com"] == "ENABLED"


def test_refusals_can_be_given(google_client):
    refusals = [
        Refusal(r"/v1/projects/[^/]+/secrets", "denied", "secretmanager.secrets.list"),
        Refusal(r"/dns/v1/projects/[^/]+(/|$)", "disabled", "dns.googleapis.com"),
    ]
    with GCPSimulator(projects=1, refusals=refusals) as simulator:
        client = google_client(simulator)
        client.log_in()
        project = client.items("/v1/projects", "projects")[0]["projectId"]
        assert "secretmanager.secrets.list" in client.call(f"/v1/projects/{project}/secrets")[1]["error"]["message"]
        services = client.items(f"/v1/projects/{project}/services", "services", filter="state:DISABLED")
        assert [service["config"]["name"] for service in services] == ["dns.googleapis.com"]


def test_places_that_cannot_be_reached_are_left_out_and_named(google_client):
    name = source_of(projects=1, scale=8).collection("/v1/projects").items[0]["projectId"]
    with GCPSimulator(projects=1, scale=8, unreachable={name: ["zones/us-east1-b", "regions/us-east1"]}) as simulator:
        client = google_client(simulator)
        client.log_in()
        page = client.get(f"/compute/v1/projects/{name}/aggregated/instances")
        assert page["unreachables"] == ["zones/us-east1-b"]
        assert sum(len(held.get("instances", [])) for held in page["items"].values()) == 6
        assert client.call(f"/compute/v1/projects/{name}/zones/us-east1-b/instances")[0] == 503
        clusters = client.get(f"/v1/projects/{name}/locations/-/clusters")
        assert (len(clusters["clusters"]), clusters["missingZones"]) == (6, ["us-east1-b"])
        functions = client.get(f"/v2/projects/{name}/locations/-/functions")
        assert functions["unreachable"] == [f"projects/{name}/locations/us-east1"]


def test_an_api_is_throttled_by_project(google_client):
    with GCPSimulator(projects=2, quota=Quota(2, 0.001)) as simulator:
        client = google_client(simulator)
        client.log_in()
        first, second = (item["projectId"] for item in client.items("/v1/projects", "projects"))
        answers = [client.call(f"/v1/projects/{first}/secrets") for _ in range(3)]
        assert [status for status, _, _ in answers] == [200, 200, 429]
        info = answers[2][1]["error"]["details"][0]
        assert (info["reason"], info["metadata"]["service"]) == ("RATE_LIMIT_EXCEEDED", "secretmanager.googleapis.com")
        assert client.call(f"/v1/projects/{second}/secrets")[0] == 200
        firewalls = [client.call(f"/compute/v1/projects/{first}/global/firewalls") for _ in range(3)]
        assert [status for status, _, _ in firewalls] == [200, 200, 403]
        assert firewalls[2][1]["error"]["errors"][0]["reason"] == "rateLimitExceeded"


def test_another_account_can_be_read_as(google_client):
    with GCPSimulator(projects=1) as simulator:
        client = google_client(simulator)
        client.log_in()
        path = "/v1/projects/-/serviceAccounts/%s:generateAccessToken"
        status, body, _ = client.call(path % "audit@p.iam.gserviceaccount.com", method="POST", data=b"{}")
        assert (status, body["expireTime"][-1]) == (200, "Z")
        client.token = body["accessToken"]
        assert client.items("/v1/projects", "projects")
        assert client.call(path % "eve@example.com", method="POST", data=b"{}")[0] == 403
        assert simulator.refused == 0


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/projects/p0000-00001/secrets", 403),
        ("/compute/v1/projects/%s/zones/us-east1-b/instances/vm-u0002000009", 404),
        ("/compute/v1/projects/%s/zones/us-east1-b/instances/vm-u0002000001", 404),
        ("/compute/v1/projects/%s/zones/mars-north1-a/instances", 400),
        ("/v3/folders/1", 403),
        ("/v2/organizations/1/sinks", 403),
        ("/storage/v1/b?project=nobody", 403),
        ("/v1/projects?filter=name:x", 400),
        ("/nonsense", 404),
    ],
)
def test_what_a_synthetic_organization_does_not_have_is_not_found(google, project, path, status):
    assert google.call(path.replace("%s", project))[0] == status


def test_a_folder_has_no_sinks(google):
    folder = google.items("/v3/folders:search", "folders")[0]["name"]
    assert google.get(f"/v2/{folder}/sinks") == {}
