import pytest
from cloudmarker_simulators import AzureSimulator, GCPSimulator, tenants, twins


@pytest.fixture(scope="module")
def sources():
    return AzureSimulator(tenant="twins").source, GCPSimulator(tenant="twins").source


def google_path(reference):
    """Where the API serves what a full resource name is of."""
    service, _, rest = reference.removeprefix("//").partition("/")
    roots = {
        "compute": "/compute/v1/",
        "storage": "/storage/v1/b/",
        "cloudsql": "/sql/v1beta4/",
        "dns": "/dns/v1/",
        "cloudresourcemanager": "/v3/",
    }
    return roots.get(service.partition(".")[0], "/v1/") + rest


def test_the_twins_are_a_tenant_of_both_clouds():
    assert "twins" in tenants()


def test_every_twin_is_there_in_both_clouds(sources):
    azure, google = sources
    pairs = twins()
    inside = {
        part["id"]: part
        for path in azure.lists()
        for item in azure.collection(path).items
        for parts in ("subnets", "securityRules")
        for part in item.get("properties", {}).get(parts, [])
        if "properties" in part
    }
    for pair in pairs:
        assert azure.resource(pair["azure"]) is not None or pair["azure"] in inside, pair
        assert google.resource(google_path(pair["gcp"])) is not None, pair


def test_no_machine_rule_or_bucket_lacks_a_twin(sources):
    azure, google = sources
    of_azure = {pair["azure"] for pair in twins()}
    of_google = {pair["gcp"] for pair in twins()}
    assert len(of_azure) == len(of_google) == len(twins())
    for type_, number in (("compute", 2), ("firewall_rule", 8), ("storage", 2), ("disk", 3)):
        assert sum(pair["record_type"] == type_ for pair in twins()) == number
    counts = azure.counts()
    assert counts["microsoft.compute/virtualmachines"] == google.counts()["compute.googleapis.com/instance"] == 2
    assert counts["microsoft.network/networksecuritygroups/securityrules"] == 8
    assert google.counts()["compute.googleapis.com/firewall"] == 8


def test_the_twins_are_served(google_client, azure_client):
    with AzureSimulator(tenant="twins") as azure, GCPSimulator(tenant="twins") as google:
        client = azure_client(azure)
        client.log_in()
        subscription = client.items("/subscriptions")[0]
        assert subscription["displayName"] == "Twins"
        assert len(client.items(f"{subscription['id']}/providers/Microsoft.Compute/virtualMachines")) == 2
        client = google_client(google)
        client.log_in()
        project = client.items("/v1/projects", "projects")[0]
        assert (project["name"], project["labels"]) == ("Twins", subscription["tags"])
        page = client.get(f"/compute/v1/projects/{project['projectId']}/aggregated/instances")
        assert len(page["items"]["zones/europe-west1-b"]["instances"]) == 2
