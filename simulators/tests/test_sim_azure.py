import ssl
import stat
import time
import urllib.error
from pathlib import Path

import pytest
from cloudmarker_simulators import AzureSimulator

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SUBSCRIPTIONS = "/subscriptions"
PROD = "/subscriptions/3d1a5c70-6e2f-4f83-8b19-c05e7d94a2b1"
DISABLED = "/subscriptions/e905c3d8-7b41-42f6-b8ad-64f1027e9c35"
NSGS = "/providers/Microsoft.Network/networkSecurityGroups"


def error_code(body):
    return body["error"]["code"]


def test_the_certificate_is_good_for_localhost_and_the_address(sample_azure):
    for host in ("localhost", "127.0.0.1"):
        url = sample_azure.root.replace("localhost", host) + "/subscriptions?api-version=2022-12-01"
        assert sample_azure.call(url)[0] == 200


def test_the_certificate_is_not_trusted_without_the_authority(sample_azure, azure_client):
    client = azure_client(sample_azure.simulator)
    client.context = ssl.create_default_context()
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        client.call("/subscriptions")


def test_the_openid_configuration_names_the_token_endpoint(sample_azure):
    tenant = sample_azure.simulator.settings["tenant"]
    answer = sample_azure.get(f"/{tenant}/v2.0/.well-known/openid-configuration")
    assert answer["token_endpoint"] == f"{sample_azure.root}/{tenant}/oauth2/v2.0/token"
    assert answer["issuer"].startswith(sample_azure.root)


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"client_secret": "guess"}, 401, "invalid_client"),
        ({"client_assertion_type": ASSERTION, "client_assertion": "guess"}, 401, "invalid_client"),
        ({"client_id": "somebody"}, 400, "unauthorized_client"),
        ({"tenant": "elsewhere"}, 400, "invalid_tenant"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"scope": "openid"}, 400, "invalid_scope"),
    ],
)
def test_only_the_right_client_gets_a_token(sample_azure, azure_client, changes, status, error):
    answer = azure_client(sample_azure.simulator).log_in(**changes)
    assert (answer[0], answer[1]["error"]) == (status, error)


def test_an_assertion_of_whoever_is_federated_gets_a_token(sample_azure, azure_client):
    secret = sample_azure.simulator.settings["secret"]
    proof = {"client_secret": "", "client_assertion_type": ASSERTION, "client_assertion": secret}
    assert azure_client(sample_azure.simulator).log_in(**proof)[0] == 200


@pytest.mark.parametrize("token", [None, "made-up"])
def test_a_call_without_a_valid_token_is_challenged(sample_azure, azure_client, token):
    client = azure_client(sample_azure.simulator)
    client.token = token
    status, body, headers = client.read(SUBSCRIPTIONS)
    assert (status, error_code(body)) == (401, "AuthenticationFailed")
    assert headers["WWW-Authenticate"].startswith("Bearer authorization_uri=")


def test_a_token_expires(azure_client):
    with AzureSimulator(token_lifetime_s=1) as simulator:
        client = azure_client(simulator)
        client.log_in()
        deadline = time.monotonic() + 10
        while client.read(SUBSCRIPTIONS)[0] == 200 and time.monotonic() < deadline:
            time.sleep(0.1)
        status, body, _ = client.read(SUBSCRIPTIONS)
        assert status == 401
        assert "expired" in body["error"]["message"]


@pytest.mark.parametrize(
    ("query", "code"), [("", "MissingApiVersionParameter"), ("?api-version=latest", "InvalidApiVersionParameter")]
)
def test_an_api_version_is_required(sample_azure, query, code):
    status, body, _ = sample_azure.call(SUBSCRIPTIONS + query)
    assert (status, error_code(body)) == (400, code)


def test_paging_gives_every_item_once(sample_azure):
    pages = list(sample_azure.pages(SUBSCRIPTIONS))
    assert [len(page["value"]) for page in pages] == [2, 1]
    states = [item["state"] for page in pages for item in page["value"]]
    assert states == ["Enabled", "Enabled", "Disabled"]
    names = [item["name"] for item in sample_azure.items(PROD + NSGS)]
    assert names == ["web-nsg", "app-nsg", "data-nsg", "edge-nsg", "empty-nsg"]


def test_the_next_link_keeps_to_the_host_the_client_called(sample_azure):
    root = sample_azure.root.replace("localhost", "127.0.0.1")
    page = sample_azure.get(f"{root}{SUBSCRIPTIONS}?api-version=2022-12-01")
    assert page["nextLink"].startswith(f"{root}{SUBSCRIPTIONS}?")
    assert "api-version=2022-12-01" in page["nextLink"]


def test_a_made_up_skip_token_is_refused(sample_azure):
    for token in ("zzz", "bm90", "aXRlbTp4"):
        status, body, _ = sample_azure.call(f"{SUBSCRIPTIONS}?api-version=2022-12-01&$skiptoken={token}")
        assert (status, error_code(body)) == (400, "InvalidSkipToken")


def test_the_page_size_can_be_set(azure_client):
    with AzureSimulator(page_size=50) as simulator:
        client = azure_client(simulator)
        client.log_in()
        assert len(list(client.pages(PROD + NSGS))) == 1
    with pytest.raises(ValueError, match="page_size"):
        AzureSimulator(page_size=0)


def test_paths_are_read_without_regard_to_case(sample_azure):
    assert sample_azure.items((PROD + NSGS).upper()) == sample_azure.items(PROD + NSGS)


def test_resources_have_what_azure_adds(sample_azure):
    nsg = sample_azure.items(f"{PROD}/resourceGroups/tw-web-prod{NSGS}")[0]
    assert nsg["id"] == f"{PROD}/resourceGroups/tw-web-prod{NSGS}/web-nsg"
    assert nsg["type"] == "Microsoft.Network/networkSecurityGroups"
    assert nsg["etag"].startswith('W/"')
    assert nsg["properties"]["provisioningState"] == "Succeeded"
    assert nsg["properties"]["subnets"] == [
        {"id": f"{PROD}/resourceGroups/tw-web-prod/providers/Microsoft.Network/virtualNetworks/web-vnet/subnets/front"}
    ]
    assert len(nsg["properties"]["defaultSecurityRules"]) == 6
    for rule in nsg["properties"]["securityRules"]:
        assert rule["id"] == f"{nsg['id']}/securityRules/{rule['name']}"
    assert sample_azure.read(nsg["id"])[1] == nsg
    everything = sample_azure.items(f"{PROD}/resources")
    assert len(everything) == 5
    assert set(everything[0]) == {"id", "name", "type", "location", "tags"}


def test_a_list_without_items_is_empty_where_its_parent_is_known(sample_azure):
    for path in (
        f"{PROD}/providers/Microsoft.Compute/disks",
        f"{PROD}/providers",
        f"{PROD}/resourceGroups/tw-web-prod/providers/Microsoft.Compute/disks",
        f"{PROD}/resourceGroups/tw-web-prod{NSGS}/web-nsg/securityRules",
    ):
        assert sample_azure.get(f"{path}?api-version=2024-05-01") == {"value": []}, path


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/subscriptions/00000000-0000-0000-0000-000000000000", "SubscriptionNotFound"),
        (f"/subscriptions/00000000-0000-0000-0000-000000000000{NSGS}", "SubscriptionNotFound"),
        (f"{PROD}/resourceGroups/nowhere{NSGS}", "ResourceGroupNotFound"),
        (f"{PROD}/resourceGroups/tw-web-prod{NSGS}/nothing", "ResourceNotFound"),
        (f"{PROD}/resourceGroups/tw-web-prod{NSGS}/nothing/securityRules", "ResourceNotFound"),
        ("/nonsense", "ResourceNotFound"),
        ("/", "ResourceNotFound"),
    ],
)
def test_what_does_not_exist_is_not_found(sample_azure, path, code):
    status, body, _ = sample_azure.read(path)
    assert (status, error_code(body)) == (404, code)


def test_a_provider_that_is_not_registered_says_so(sample_azure):
    status, body, _ = sample_azure.read(DISABLED + NSGS)
    assert (status, error_code(body)) == (409, "MissingSubscriptionRegistration")
    assert "'Microsoft.Network'" in body["error"]["message"]
    assert [group["name"] for group in sample_azure.items(f"{DISABLED}/resourcegroups")] == ["tw-archive"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
def test_every_call_that_is_not_a_read_is_refused_and_counted(azure_client, method):
    with AzureSimulator() as simulator:
        client = azure_client(simulator)
        client.log_in()
        path = f"{PROD}/providers/Microsoft.Network/register"
        assert client.call(f"{path}?api-version=2021-04-01", method=method)[0] == 405
        assert simulator.refused == 1
        assert simulator.requests[-1] == (method, f"{path}?api-version=2021-04-01")


def test_holes_are_told_apart(azure_client):
    with AzureSimulator(tenant="holes") as simulator:
        client = azure_client(simulator)
        client.log_in()
        by_name = {item["displayName"]: item["id"] for item in client.items(SUBSCRIPTIONS)}
        assert len(client.items(by_name["Readable"] + NSGS)) == 1

        status, body, _ = client.read(by_name["Network denied"] + NSGS)
        assert (status, error_code(body)) == (403, "AuthorizationFailed")
        assert "perform action 'Microsoft.Network/networkSecurityGroups/read'" in body["error"]["message"]
        assert f"over scope '{by_name['Network denied']}'" in body["error"]["message"]
        assert len(client.items(by_name["Network denied"] + "/resourceGroups")) == 1

        status, body, _ = client.read(by_name["Listed but gone"] + "/resourceGroups")
        assert (status, error_code(body)) == (404, "SubscriptionNotFound")

        statuses = [client.read(by_name["Throttled at first"] + NSGS) for _ in range(3)]
        assert [status for status, _, _ in statuses] == [429, 429, 200]
        assert statuses[0][2]["Retry-After"] == "1"

        assert [client.read(by_name["Network broken"] + NSGS)[0] for _ in range(3)] == [503] * 3


def test_keys_are_private_and_gone_after_the_end():
    with AzureSimulator() as simulator:
        ca_cert = Path(simulator.settings["ca_cert"])
        assert stat.S_IMODE(ca_cert.parent.stat().st_mode) == 0o700
        assert [path.name for path in ca_cert.parent.iterdir()] == ["ca.pem"]
        assert stat.S_IMODE(ca_cert.stat().st_mode) == 0o600
    assert not ca_cert.parent.exists()
