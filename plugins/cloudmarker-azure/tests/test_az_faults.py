"""Whatever goes wrong: the healthy parts arrive, and coverage says exactly what does not."""

import json
import logging
import re
import time
from collections import Counter

import pytest
from cloudmarker_azure.azcloud import AzCloud
from cloudmarker_simulators import AzureSimulator, Fault

ALPHA = "/subscriptions/11111111-1111-4111-8111-111111111111"
BETA = "/subscriptions/22222222-2222-4222-8222-222222222222"
ALPHA_NSGS = f"{ALPHA}/providers/Microsoft.Network/networkSecurityGroups"

TYPES = ["subscription", "resource_group", "nsg", "security_rule"]
"""What is read here. What is left out for that is not looked at."""

ALL_OK = {
    (ALPHA, "resource_group"): ("ok", 2),
    (ALPHA, "nsg"): ("ok", 3),
    (ALPHA, "security_rule"): ("ok", 6),
    (BETA, "resource_group"): ("ok", 1),
    (BETA, "nsg"): ("ok", 1),
    (BETA, "security_rule"): ("ok", 1),
}


def read(simulator):
    return {**simulator.settings, "record_types": TYPES}


def audit(tenant_file, *faults, page_size=100, settings=None, **parameters):
    """Return records that are not coverage, coverage by scope and type without the tenant's, and the simulator."""
    with AzureSimulator(recordings=tenant_file, faults=faults, page_size=page_size) as simulator:
        parameters = {"retry_deadline_s": 0.3, **read(simulator), **(settings or {}), **parameters}
        records = list(AzCloud(**parameters).read())
        return Audit(records, simulator)


class Audit:
    def __init__(self, records, simulator):
        self.simulator = simulator
        self.records = [record for record in records if "raw" in record]
        self.types = Counter(record["ext"]["record_type"] for record in self.records)
        covered = [record["com"] for record in records if "raw" not in record]
        covered = [com for com in covered if com["error"] != "left out by the parameter record_types"]
        self.coverage = {(com["scope"], com["resource_type"]): (com["state"], com["count"]) for com in covered}
        assert len(self.coverage) == len(covered), "a scope and type is covered twice"
        self.errors = {(com["scope"], com["resource_type"]): com["error"] for com in covered}
        self.tenant = f"/tenants/{simulator.settings['tenant']}"

    def without_tenant(self):
        return {key: value for key, value in self.coverage.items() if key[0] != self.tenant}


def test_healthy_tenant_is_read_whole_and_disabled_subscriptions_with_it(small_tenant):
    found = audit(small_tenant)
    assert found.coverage == {(found.tenant, "subscription"): ("ok", 2), **ALL_OK}
    assert found.types == {"subscription": 2, "resource_group": 3, "nsg": 4, "security_rule": 7}
    states = {r["com"]["name"]: r["ext"]["subscription_state"] for r in found.records if r["com"]["name"] == "old"}
    assert states == {"old": "Disabled"}


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        # what a reset looks like through TLS depends on the version of Python
        ({"reset": True}, "no answer: (RemoteDisconnected|ConnectionResetError): "),
        ({"truncate_bytes": 40}, r"no answer: IncompleteRead\(40 bytes read"),
        ({"status": 500}, "HTTP 500"),
        ({"status": 503, "headers": {"Retry-After": "3600"}}, "HTTP 503"),
        (
            {"status": 200, "body": "<html>portal</html>", "headers": {"Content-Type": "text/html"}},
            r"not JSON \(text/html\)",
        ),
        ({"status": 200, "body": '{"value": [{"id"'}, "not JSON"),
        ({"status": 200, "body": "[" * 100_000}, "not JSON"),
        ({"status": 200, "body": ""}, "not JSON"),
        ({"status": 200, "body": '{"value": {}}'}, 'no array "value"'),
        ({"status": 200, "body": '"value"'}, 'no array "value"'),
        ({"status": 302, "headers": {"Location": "https://localhost:1/"}}, "not followed"),
        ({"status": 404}, "ResourceNotFound"),
    ],
)
def test_a_fault_costs_its_own_list_only(small_tenant, fault, words):
    found = audit(small_tenant, Fault(ALPHA_NSGS, **fault))
    expected = {**ALL_OK, (ALPHA, "nsg"): ("failed", 0), (ALPHA, "security_rule"): ("failed", 0)}
    assert found.without_tenant() == expected
    assert re.search(words, found.errors[ALPHA, "nsg"])
    assert found.types == {"subscription": 2, "resource_group": 3, "nsg": 1, "security_rule": 1}


@pytest.mark.parametrize(
    "fault",
    [
        {"reset": True},
        {"truncate_bytes": 40},
        {"status": 500},
        {"status": 429, "headers": {"Retry-After": "0"}},
        {"status": 200, "body": "<html>"},
        {"status": 401},
    ],
)
def test_a_fault_that_passes_costs_nothing(small_tenant, fault):
    found = audit(small_tenant, Fault(ALPHA_NSGS, times=1, **fault), retry_deadline_s=20)
    assert found.without_tenant() == ALL_OK


def test_a_fault_on_a_later_page_keeps_the_pages_before(small_tenant):
    found = audit(small_tenant, Fault(rf"{ALPHA_NSGS}.*skiptoken", status=500), page_size=1)
    assert found.without_tenant() == {
        **ALL_OK,
        (ALPHA, "nsg"): ("failed", 1),
        (ALPHA, "security_rule"): ("failed", 3),
    }


def test_throttling_beyond_the_deadline_is_throttled(small_tenant):
    began = time.monotonic()
    found = audit(small_tenant, Fault(ALPHA_NSGS, status=429, headers={"Retry-After": "3600"}))
    assert time.monotonic() - began < 5
    expected = {**ALL_OK, (ALPHA, "nsg"): ("throttled", 0), (ALPHA, "security_rule"): ("throttled", 0)}
    assert found.without_tenant() == expected


def test_a_storm_of_throttling_is_outlived(small_tenant):
    storm = Fault(ALPHA_NSGS, status=429, headers={"Retry-After": "0"}, times=20)
    found = audit(small_tenant, storm, retry_deadline_s=20)
    assert found.without_tenant() == ALL_OK
    assert found.simulator.statuses[429] == 20


def test_403_names_the_missing_action(small_tenant):
    body = {
        "error": {"code": "AuthorizationFailed", "message": "… to perform action 'Microsoft.Network/x/read' over …"}
    }
    found = audit(small_tenant, Fault(ALPHA_NSGS, status=403, body=json.dumps(body)))
    assert found.coverage[ALPHA, "nsg"] == ("denied", 0)
    assert found.errors[ALPHA, "security_rule"] == "AuthorizationFailed: no permission for Microsoft.Network/x/read"


def test_a_provider_that_is_not_registered_is_disabled_and_stays_unregistered(small_tenant):
    body = json.dumps({"error": {"code": "MissingSubscriptionRegistration", "message": "not registered"}})
    found = audit(small_tenant, Fault(ALPHA_NSGS, status=409, body=body))
    assert found.coverage[ALPHA, "nsg"] == ("disabled", 0)
    assert [path for method, path in found.simulator.requests if method != "GET" and "/token" not in path] == []
    assert found.simulator.refused == 0


@pytest.mark.parametrize(
    "link", ["https://127.0.0.1:{port}/x", "https://localhost:1/x", "http://localhost:{port}/x", "//evil.example/x"]
)
def test_a_next_link_to_another_place_gets_no_token(small_tenant, link):
    with AzureSimulator(recordings=small_tenant) as simulator:
        port = simulator.settings["endpoint"].rpartition(":")[2]
        body = json.dumps({"value": [], "nextLink": link.format(port=port)})
        simulator.faults.append(Fault(ALPHA_NSGS, status=200, body=body))
        found = Audit(list(AzCloud(**read(simulator)).read()), simulator)
    assert found.coverage[ALPHA, "nsg"] == ("failed", 0)
    assert "not followed" in found.errors[ALPHA, "nsg"]
    assert not [path for _, path in simulator.requests if path.startswith("/x")]


@pytest.mark.parametrize(
    "link",
    [
        "https://{other}\\@localhost:{port}{path}",
        "https://{other}%5c@localhost:{port}{path}",
        "//me:pw@localhost:{port}{path}",
    ],
)
def test_a_next_link_that_can_be_read_in_two_ways_leads_to_the_endpoint(small_tenant, link):
    with AzureSimulator(recordings=small_tenant) as simulator:
        port = simulator.settings["endpoint"].rpartition(":")[2]
        following = link.format(other="localhost:1", port=port, path=f"{ALPHA_NSGS}?api-version=2024-05-01&again=1")
        body = json.dumps({"value": [], "nextLink": following})
        simulator.faults.append(Fault(ALPHA_NSGS, status=200, body=body, times=1))
        found = Audit(list(AzCloud(**read(simulator)).read()), simulator)
    assert found.without_tenant() == ALL_OK
    assert len(simulator.hosts) == 1


def test_a_next_link_that_goes_in_a_circle_ends_with_what_was_new(small_tenant):
    with AzureSimulator(recordings=small_tenant) as simulator:
        group = {"id": f"{ALPHA}/resourceGroups/net", "name": "net"}
        link = f"{simulator.settings['endpoint']}{ALPHA}/resourcegroups?api-version=2021-04-01&$skiptoken=a"
        body = json.dumps({"value": [group], "nextLink": link})
        simulator.faults.append(Fault(f"{ALPHA}/resourcegroups", status=200, body=body))
        found = Audit(list(AzCloud(**read(simulator)).read()), simulator)
    assert found.without_tenant() == {**ALL_OK, (ALPHA, "resource_group"): ("failed", 1)}
    assert "circle" in found.errors[ALPHA, "resource_group"]


@pytest.mark.parametrize("link", [7, {}, ["https://localhost"], True, "https://[bad/"])
def test_a_next_link_that_is_none_is_failed(small_tenant, link):
    body = json.dumps({"value": [], "nextLink": link})
    found = audit(small_tenant, Fault(ALPHA_NSGS, status=200, body=body))
    assert found.coverage[ALPHA, "nsg"] == ("failed", 0)


def test_items_of_unexpected_shape_are_counted_and_cost_no_neighbour(small_tenant):
    good = {"id": f"{ALPHA}/g/good", "properties": {"securityRules": []}}
    odd = {"id": f"{ALPHA}/g/odd", "properties": {"securityRules": [{"id": "r", "properties": {}}]}}
    broken = {"id": f"{ALPHA}/g/broken", "properties": {"securityRules": "none"}}
    body = json.dumps({"value": [good, "text", None, {"name": "no id"}, odd, broken]})
    found = audit(small_tenant, Fault(ALPHA_NSGS, status=200, body=body))
    assert found.coverage[ALPHA, "nsg"] == ("failed", 6)
    assert "4 items of unexpected shape" in found.errors[ALPHA, "nsg"]
    assert found.coverage[ALPHA, "security_rule"][0] == "failed"
    names = [r["com"]["reference"] for r in found.records if r["ext"]["record_type"] == "nsg"]
    assert {f"{ALPHA}/g/good", f"{ALPHA}/g/odd"} < set(names)


def test_an_item_sent_twice_is_one_record(small_tenant):
    group = {"id": f"{ALPHA}/resourceGroups/net", "name": "net"}
    again = {"id": f"{ALPHA}/resourcegroups/NET", "name": "net"}
    body = json.dumps({"value": [group, again]})
    found = audit(small_tenant, Fault(f"{ALPHA}/resourcegroups", status=200, body=body))
    assert found.without_tenant() == {**ALL_OK, (ALPHA, "resource_group"): ("ok", 1)}


def test_ten_faults_at_once_leave_everything_else_and_say_exactly_what_is_missing():
    network, compute, storage = (
        "providers/Microsoft.Network",
        "providers/Microsoft.Compute",
        "providers/Microsoft.Storage",
    )
    with AzureSimulator(subscriptions=3, scale=4, seed=1, page_size=2) as simulator:
        expected = Audit(list(AzCloud(**simulator.settings).read()), simulator)
        (one, two, three) = sorted({scope for scope, _ in expected.coverage if scope.startswith("/subscriptions/")})
        asked = len(simulator.requests)
        simulator.faults += [
            Fault(f"{one}/{network}/networkInterfaces", status=403),
            Fault(f"{one}/{network}/loadBalancers", status=429, headers={"Retry-After": "60"}),
            Fault(f"{one}/{compute}/disks", reset=True),
            Fault(f"{one}/{compute}/snapshots", truncate_bytes=50),
            Fault(f"{two}/{compute}/images", content="html"),
            Fault(f"{two}/{network}/routeTables", content="malformed"),
            Fault(f"{two}/{network}/bastionHosts", next_link="loop"),
            Fault(f"{two}/{network}/azureFirewalls", next_link="foreign"),
            Fault(f"{three}/{network}/publicIPAddresses.*skiptoken", status=500),
            Fault(f"{three}/providers/Microsoft.Cache/redis", status=404),
            # These two pass, and cost nothing.
            Fault(f"{three}/{storage}/storageAccounts", expire_token=True, times=1),
            Fault(f"{three}/resourcegroups", delay_s=0.3, times=1),
        ]
        found = Audit(list(AzCloud(**simulator.settings, retry_deadline_s=2).read()), simulator)
        assert simulator.refused == 0
        assert len(simulator.hosts) == 1
        methods = {(method, "/oauth2/" in path) for method, path in simulator.requests[asked:]}
        assert methods == {("GET", False), ("POST", True)}
        assert all(fault.hits for fault in simulator.faults)
    broken = {
        (one, "nic"): ("denied", 0),
        (one, "lb"): ("throttled", 0),
        (one, "disk"): ("failed", 0),
        (one, "snapshot"): ("failed", 0),
        (two, "image"): ("failed", 0),
        (two, "route_table"): ("failed", 0),
        (two, "bastion"): ("failed", 2),
        (two, "azure_firewall"): ("failed", 2),
        (three, "public_ip"): ("failed", 2),
        (three, "redis"): ("failed", 0),
        (three, "redis_firewall_rule"): ("failed", 0),
    }
    assert found.coverage == {**expected.coverage, **broken}
    kinds = {(scope.rpartition("/")[2], kind) for scope, kind in broken}

    def healthy(audit):
        return Counter(
            (record["ext"]["record_type"], record["com"]["reference"])
            for record in audit.records
            if (record["ext"]["subscription_id"], record["ext"]["record_type"]) not in kinds
        )

    assert healthy(found) == healthy(expected)
    assert max(healthy(found).values()) == 1


@pytest.mark.parametrize(("status", "state"), [(403, "denied"), (500, "failed"), (429, "throttled")])
def test_a_list_of_subscriptions_that_cannot_be_read_is_a_hole_of_the_tenant(small_tenant, status, state):
    found = audit(small_tenant, Fault("^/subscriptions[?]", status=status))
    assert found.coverage == {(found.tenant, "subscription"): (state, 0)}


def test_half_a_list_of_subscriptions_is_read_and_the_rest_is_a_hole(small_tenant):
    found = audit(small_tenant, Fault(r"^/subscriptions\?.*skiptoken", status=500), page_size=1)
    assert found.coverage[found.tenant, "subscription"] == ("failed", 1)
    assert found.coverage[ALPHA, "nsg"] == ("ok", 3)


def test_no_visible_subscription_is_denied_as_a_role_is_missing(small_tenant):
    found = audit(small_tenant, Fault("^/subscriptions[?]", status=200, body='{"value": []}'))
    assert found.coverage == {(found.tenant, "subscription"): ("denied", 0)}
    assert "Reader" in found.errors[found.tenant, "subscription"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"secret": "not-the-s3cret"}, ["the secret is wrong", "AADSTS7000215"]),
        ({"client": "00000000-0000-4000-8000-000000000000"}, ["no application", "AADSTS700016"]),
    ],
)
def test_a_refused_login_is_one_hole_with_what_to_do(small_tenant, settings, words):
    began = time.monotonic()
    found = audit(small_tenant, settings=settings)
    assert time.monotonic() - began < 5
    assert found.records == []
    ((key, (state, count)),) = found.coverage.items()
    assert (key[1], state, count) == ("subscription", "denied", 0)
    for word in words:
        assert word in found.errors[key]
    assert "s3cret" not in found.errors[key]


def test_a_directory_that_does_not_answer_is_one_failed_hole(small_tenant):
    found = audit(small_tenant, Fault("/oauth2/", reset=True))
    assert list(found.coverage.values()) == [("failed", 0)]


def test_a_certificate_that_is_not_trusted_is_one_failed_hole(small_tenant):
    found = audit(small_tenant, settings={"ca_cert": None})
    assert list(found.coverage.values()) == [("failed", 0)]
    assert not [path for _, path in found.simulator.requests]
    assert "CERTIFICATE_VERIFY_FAILED" in found.errors[found.tenant, "subscription"]


def test_a_token_that_stays_refused_is_denied(small_tenant):
    found = audit(small_tenant, Fault(ALPHA_NSGS, status=401))
    assert found.coverage[ALPHA, "nsg"] == ("denied", 0)
    assert found.coverage[BETA, "nsg"] == ("ok", 1)


def test_no_secret_and_no_token_is_logged_at_debug(small_tenant, caplog):
    caplog.set_level(logging.DEBUG)
    found = audit(small_tenant, Fault(ALPHA_NSGS, status=500, times=1), retry_deadline_s=20)
    audit(small_tenant, settings={"secret": "not-the-s3cret"})
    text = "\n".join(f"{record.getMessage()} {record.exc_text or ''} {record.__dict__}" for record in caplog.records)
    assert text
    for secret in (found.simulator.settings["secret"], "not-the-s3cret", "Bearer "):
        assert secret not in text
    assert "access_token" not in text or "********" in text


@pytest.mark.parametrize("source", ["arm", "graph"])
def test_no_secret_and_no_token_is_in_a_log_or_a_record_whatever_the_source(source, caplog):
    caplog.set_level(logging.DEBUG)
    with AzureSimulator(subscriptions=2, scale=1) as simulator:
        issued = []
        issue = simulator.tokens.issue
        simulator.tokens.issue = lambda *given: issued.append(issue(*given)) or issued[-1]
        simulator.faults += [Fault("disks", status=500, times=1), Fault("ResourceGraph", status=429, times=1)]
        records = list(AzCloud(**simulator.settings, source=source).read())
        secret = simulator.settings["secret"]
    text = "\n".join(f"{record.getMessage()} {record.exc_text or ''} {record.__dict__}" for record in caplog.records)
    text += json.dumps(records)
    assert text
    assert issued
    for each in (secret, *issued):
        assert each not in text
