"""The whole plugin against the simulator: what a healthy tenant gives, and what the parameters change."""

import json
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from cloudmarker.fields import validate
from cloudmarker.testing import check_plugin
from cloudmarker_azure.azcloud import AzCloud
from cloudmarker_simulators import AzureSimulator, Fault

ALPHA = "/subscriptions/11111111-1111-4111-8111-111111111111"
BETA = "/subscriptions/22222222-2222-4222-8222-222222222222"
RECORDINGS = Path(__file__).parents[4] / "shared" / "recordings" / "azure.jsonl"


def azure_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("azure-")]


def coverage_of(records):
    return {
        (record["com"]["scope"], record["com"]["resource_type"]): record["com"]["state"]
        for record in records
        if record["com"]["record_type"] == "coverage"
    }


def served(path, suffix):
    """Return the items of every list in a recordings file whose path ends so, whatever the case."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [item for line in lines if line["path"].lower().endswith(suffix) for item in line["body"]["value"]]


def raws(records, record_type):
    return [record["raw"] for record in records if record["ext"]["record_type"] == record_type]


def canonical(items):
    return sorted(json.dumps(item, sort_keys=True) for item in items)


@pytest.mark.parametrize("page_size", [1, 7, 1000])
@pytest.mark.skipif(not RECORDINGS.is_file(), reason="the recorded answers are not here")
def test_recorded_resources_come_out_once_and_raw_is_what_was_served(page_size):
    with AzureSimulator(recordings=RECORDINGS, page_size=page_size) as simulator:
        records = list(AzCloud(**simulator.settings).read())
    nsgs = served(RECORDINGS, "/providers/microsoft.network/networksecuritygroups")
    rules = [rule for nsg in nsgs for rule in nsg["properties"]["securityRules"]]
    assert canonical(raws(records, "nsg")) == canonical(nsgs)
    assert canonical(raws(records, "security_rule")) == canonical(rules)
    assert canonical(raws(records, "resource_group")) == canonical(served(RECORDINGS, "/resourcegroups"))
    assert canonical(raws(records, "subscription")) == canonical(served(RECORDINGS, "/subscriptions"))
    assert set(coverage_of(records).values()) == {"ok"}
    assert [problem for record in records for problem in validate(record["com"])] == []
    assert simulator.refused == 0
    posts = [path for method, path in simulator.requests if method != "GET"]
    assert len(posts) == 1
    assert posts[0].endswith("/oauth2/v2.0/token")


@pytest.mark.parametrize(("tenant", "states"), [("sample", {"ok", "disabled"}), ("holes", {"ok", "denied", "failed"})])
def test_tenants_of_the_simulator_give_records_of_the_common_model(tenant, states):
    with AzureSimulator(tenant=tenant) as simulator:
        records = list(AzCloud(**simulator.settings, retry_deadline_s=3).read())
        assert simulator.refused == 0
    assert [problem for record in records for problem in validate(record["com"])] == []
    types = {record["ext"]["record_type"] for record in records}
    assert types == {"subscription", "resource_group", "resource", "nsg", "security_rule", "coverage"}
    assert set(coverage_of(records).values()) == states


def test_the_plugin_keeps_the_contract_of_clouds(small_tenant):
    with AzureSimulator(recordings=small_tenant) as simulator:
        check_plugin(AzCloud, simulator.settings)


def test_one_token_serves_all_threads(small_tenant):
    with AzureSimulator(recordings=small_tenant, page_size=1) as simulator:
        list(AzCloud(**simulator.settings).read())
        assert len([path for _, path in simulator.requests if path.endswith("/token")]) == 1


def test_a_token_that_expires_in_the_run_is_renewed(small_tenant):
    slow = Fault("networkSecurityGroups", delay_s=1.2, times=1)
    with AzureSimulator(recordings=small_tenant, page_size=1, token_lifetime_s=1, faults=[slow]) as simulator:
        records = list(AzCloud(**simulator.settings, threads=1).read())
        assert set(coverage_of(records).values()) == {"ok"}
        assert len([path for _, path in simulator.requests if path.endswith("/token")]) > 1


def test_a_token_refused_before_its_time_is_replaced_once_for_all_threads(small_tenant):
    refused = [Fault(part, status=401, times=1) for part in ("networkSecurityGroups", "resourcegroups")]
    with AzureSimulator(recordings=small_tenant, faults=refused) as simulator:
        records = list(AzCloud(**simulator.settings, threads=4).read())
        assert set(coverage_of(records).values()) == {"ok"}
        assert len([path for _, path in simulator.requests if path.endswith("/token")]) in (2, 3)


def test_the_ambient_credential_serves_without_a_secret(small_tenant, monkeypatch):
    with AzureSimulator(recordings=small_tenant) as simulator:
        settings = dict(simulator.settings)
        monkeypatch.setenv("AZURE_TENANT_ID", settings["tenant"])
        monkeypatch.setenv("AZURE_CLIENT_ID", settings.pop("client"))
        monkeypatch.setenv("AZURE_CLIENT_SECRET", settings.pop("secret"))
        for tenant in (settings.pop("tenant"), None):
            records = list(AzCloud(tenant=tenant, **settings).read())
            assert set(coverage_of(records).values()) == {"ok"}
            assert len(raws(records, "nsg")) == 4


def test_no_credential_at_all_says_what_to_give(monkeypatch):
    for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    (record,) = AzCloud().read()
    assert record["com"]["state"] == "failed"
    assert record["com"]["error"].startswith("no login: give tenant, client and secret, or log in")


@pytest.mark.parametrize("entry", ["beta", "BE*", BETA.rpartition("/")[2]])
def test_subscriptions_are_chosen_by_id_or_name_and_the_others_are_skipped(small_tenant, entry):
    with AzureSimulator(recordings=small_tenant) as simulator:
        records = list(AzCloud(**simulator.settings, subscriptions=[entry]).read())
        assert not [path for _, path in simulator.requests if path.startswith(ALPHA)]
    assert [record["com"]["name"] for record in records if record["ext"]["record_type"] == "subscription"] == ["beta"]
    covered = coverage_of(records)
    assert {state for (scope, _), state in covered.items() if scope == ALPHA} == {"skipped"}
    assert {state for (scope, _), state in covered.items() if scope == BETA} == {"ok"}


def test_a_chosen_subscription_that_is_not_there_is_a_hole(small_tenant):
    with AzureSimulator(recordings=small_tenant) as simulator:
        records = list(AzCloud(**simulator.settings, subscriptions=["beta", "gamma"]).read())
    assert coverage_of(records)["/subscriptions/gamma", "subscription"] == "failed"


def test_max_subs_and_max_recs_limit_and_say_so(small_tenant):
    with AzureSimulator(recordings=small_tenant) as simulator:
        records = list(AzCloud(**simulator.settings, _max_subs=1, _max_recs=2).read())
    counts = Counter(record["ext"]["record_type"] for record in records if "raw" in record)
    assert counts == {"subscription": 1, "resource_group": 2, "nsg": 2, "security_rule": 2}
    covered = coverage_of(records)
    assert covered[ALPHA, "resource_group"] == "ok"
    assert covered[ALPHA, "nsg"] == covered[ALPHA, "security_rule"] == "skipped"
    assert covered[BETA, "nsg"] == "skipped"


def test_stopping_early_ends_requests_under_way_and_leaves_no_thread(small_tenant):
    hanging = Fault(f"{BETA}/", delay_s=3)
    with AzureSimulator(recordings=small_tenant, faults=[hanging]) as simulator:
        reading = AzCloud(**simulator.settings).read()
        while next(reading)["ext"]["record_type"] != "nsg":
            pass
        while not [path for _, path in simulator.requests if path.startswith(BETA)]:
            time.sleep(0.01)
        began = time.monotonic()
        reading.close()
        assert time.monotonic() - began < 1
        assert azure_threads() == []


def test_stopping_early_ends_waits_between_attempts(small_tenant):
    throttled = Fault(f"{BETA}/", status=429, headers={"Retry-After": "30"})
    with AzureSimulator(recordings=small_tenant, faults=[throttled]) as simulator:
        reading = AzCloud(**simulator.settings).read()
        while next(reading)["ext"]["record_type"] != "nsg":
            pass
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            reading.throw(KeyboardInterrupt)
        assert time.monotonic() - began < 1
        assert azure_threads() == []


def test_netrc_does_not_replace_the_token(small_tenant, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine localhost login someone password other\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with AzureSimulator(recordings=small_tenant) as simulator:
        assert set(coverage_of(list(AzCloud(**simulator.settings).read())).values()) == {"ok"}
