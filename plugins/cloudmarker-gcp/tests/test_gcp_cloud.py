"""The whole plugin through the real libraries, against the simulator."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from cloudmarker.testing import check_plugin
from cloudmarker_gcp.gcpcloud import GCPCloud
from cloudmarker_simulators import Fault, GCPSimulator

RECORDINGS = Path(__file__).parents[4] / "shared" / "recordings" / "gcp.jsonl"
FIREWALLS = "/compute/v1/projects/one/global/firewalls"
TYPES = ("firewall", "firewall_rule", "instance")
COMPUTE = "https://www.googleapis.com/compute/v1"


def firewall(project: str, name: str, **fields: Any) -> dict[str, Any]:
    """A firewall as the API answers it: SSH from one network."""
    return {
        "kind": "compute#firewall",
        "id": "4746899906201084445",
        "creationTimestamp": "2024-01-02T03:04:05.678-08:00",
        "name": name,
        "network": f"{COMPUTE}/projects/{project}/global/networks/default",
        "priority": 1000,
        "direction": "INGRESS",
        "disabled": False,
        "sourceRanges": ["10.0.0.0/8"],
        "allowed": [{"IPProtocol": "tcp", "ports": ["22"]}],
        "selfLink": f"{COMPUTE}/projects/{project}/global/firewalls/{name}",
        **fields,
    }


def instance(project: str, zone: str, name: str, **fields: Any) -> dict[str, Any]:
    """An instance as the API answers it: running, with one private address."""
    return {
        "kind": "compute#instance",
        "id": "8759471929923434140",
        "creationTimestamp": "2024-01-02T03:04:05.678-08:00",
        "name": name,
        "status": "RUNNING",
        "machineType": f"{COMPUTE}/projects/{project}/zones/{zone}/machineTypes/e2-small",
        "zone": f"{COMPUTE}/projects/{project}/zones/{zone}",
        "networkInterfaces": [
            {"network": f"{COMPUTE}/projects/{project}/global/networks/default", "networkIP": "10.1.2.3"}
        ],
        "selfLink": f"{COMPUTE}/projects/{project}/zones/{zone}/instances/{name}",
        **fields,
    }


@pytest.fixture
def two(start, tenant):
    """Two projects, each with three firewalls of two entries and three instances in two zones; pages of two."""

    def project(name):
        entries = [{"IPProtocol": "tcp", "ports": ["22"]}, {"IPProtocol": "icmp"}]
        zones = {"us-east1-b": [instance(name, "us-east1-b", f"{name}-b{n}") for n in range(2)]}
        zones["us-west1-a"] = [instance(name, "us-west1-a", f"{name}-a")]
        return [firewall(name, f"{name}-{n}", allowed=entries) for n in range(3)], zones

    return start(recordings=tenant({"one": project("one"), "two": project("two")}), page_size=2)


def complete(project):
    return {(project, "firewall"): ("ok", 3), (project, "firewall_rule"): ("ok", 6), (project, "instance"): ("ok", 3)}


def served(simulator):
    """The projects, the firewalls and the instances that the simulator holds."""
    projects = simulator.source.collection("/v3/projects:search").items
    firewalls, instances = [], []
    for project in projects:
        root = f"/compute/v1/projects/{project['projectId']}"
        if found := simulator.source.collection(f"{root}/global/firewalls"):
            firewalls += found.items
        instances += simulator.source.aggregate(f"{root}/aggregated/instances").items
    return projects, firewalls, instances


def counted(values):
    """JSON values as a multiset."""
    return Counter(json.dumps(value, sort_keys=True) for value in values)


def test_the_plugin_keeps_the_contract_of_clouds():
    with GCPSimulator() as simulator:
        check_plugin(GCPCloud, simulator.settings)


@pytest.mark.parametrize("source", ["sample", "recordings"])
def test_everything_served_is_read_exactly_once_and_unchanged(start, read, source):
    if source == "recordings" and not RECORDINGS.exists():
        pytest.skip("the recordings are not here")
    simulator = start(recordings=RECORDINGS) if source == "recordings" else start(tenant=source)
    result = read(simulator)
    projects, firewalls, instances = served(simulator)
    for record_type, items in (("project", projects), ("firewall", firewalls), ("instance", instances)):
        assert counted(record["raw"] for record in result.of(record_type)) == counted(items)
        assert items
    assert counted([record["raw"], record["com"]["entry"]] for record in result.of("firewall_rule")) == counted(
        [item, "/".join([kind, entry["IPProtocol"], ",".join(entry.get("ports", []))]).rstrip("/")]
        for item in firewalls
        for kind in ("allowed", "denied")
        for entry in item.get(kind, [])
    )
    assert set(result.coverage) == {("", "project")} | {
        (project["projectId"], record_type) for project in projects for record_type in TYPES
    }


def test_records_of_the_sample_are_in_the_common_model_and_name_their_project(start, read):
    result = read(start(tenant="sample"))
    for record in result.of("firewall") + result.of("firewall_rule") + result.of("instance"):
        project = record["ext"]["project_id"]
        assert record["com"]["reference"].startswith(f"//compute.googleapis.com/projects/{project}/")
        assert record["com"]["parent"] == f"//cloudresourcemanager.googleapis.com/projects/{project}"
        assert record["ext"]["project_number"].isdigit()


def test_nothing_but_reads_is_sent(two, read):
    read(two)
    assert two.refused == 0
    assert {method for method, target in two.requests if target != "/token"} == {"GET"}


def test_one_token_serves_all_threads(two, read):
    read(two)
    assert [target for _, target in two.requests].count("/token") == 1


def test_an_expired_token_is_renewed(start, tenant, read):
    fleet = {f"p{n}": ([firewall(f"p{n}", "a")], {}) for n in range(6)}
    simulator = start(recordings=tenant(fleet), token_lifetime_s=1, faults=[Fault("/firewalls", delay_s=0.4)])
    result = read(simulator, threads=2)
    assert {state for state, _ in result.coverage.values()} == {"ok"}
    assert [target for _, target in simulator.requests].count("/token") > 1


def test_no_thread_is_given_the_answer_to_the_question_of_another(start, tenant, read):
    projects = {
        f"project-{n}": (
            [firewall(f"project-{n}", f"f{m}") for m in range(n % 5)],
            {"us-east1-b": [instance(f"project-{n}", "us-east1-b", f"i{m}") for m in range(n % 7)]},
        )
        for n in range(60)
    }
    simulator = start(recordings=tenant(projects), page_size=2)
    result = read(simulator, threads=32)
    for n in range(60):
        name = f"project-{n}"
        assert result.coverage[name, "firewall"] == ("ok", n % 5)
        assert result.coverage[name, "instance"] == ("ok", n % 7)
    for record in result.of("firewall") + result.of("instance"):
        assert f"/projects/{record['ext']['project_id']}/" in record["raw"]["selfLink"]


def test_null_zone_reads_all_zones_and_a_list_of_zones_these(two, read):
    def zones(zone):
        return Counter(record["ext"]["zone"] for record in read(two, zone=zone).of("instance", "one"))

    assert zones(None) == {"us-east1-b": 2, "us-west1-a": 1}
    assert zones("us-west1-a") == {"us-west1-a": 1}
    assert zones(["us-west1-a", "us-east1-b"]) == {"us-east1-b": 2, "us-west1-a": 1}


@pytest.mark.parametrize("source", ["api", "asset"])
def test_what_is_in_no_zone_that_is_read_is_said_to_be_left_out(start, read, source):
    simulator = start(projects=1)
    types = ["instance", "disk", "network_endpoint", "firewall", "subnetwork"]
    whole = read(simulator, record_types=types, source=source)
    assert {state for state, _ in whole.coverage.values()} == {"ok"}
    one = read(simulator, record_types=types, source=source, zone=["us-east1-b", "europe-west4-a"])
    (project,) = {name for name, _ in one.coverage} - {""}
    assert {name for (_, name), (state, _) in one.coverage.items() if state == "skipped"} == {
        "instance",
        "disk",
        "network_endpoint",
    }
    assert one.coverage[project, "instance"] == ("skipped", len(one.of("instance")))
    said = "what is not in us-east1-b, europe-west4-a is left out by the parameter zone"
    assert one.error(project, "instance").startswith(said)


def test_an_api_that_is_off_has_nothing_in_any_zone(two, read):
    body = {"status": "PERMISSION_DENIED", "message": "off", "code": 403}
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "SERVICE_DISABLED"}
    info["metadata"] = {"consumer": "projects/one", "service": "compute.googleapis.com"}
    body = json.dumps({"error": {**body, "details": [info]}})
    two.faults.append(Fault("/compute/v1/projects/one/", status=403, body=body))
    assert read(two, zone="us-east1-b").coverage["one", "instance"] == ("disabled", 0)


def test_a_zone_that_fails_does_not_cost_the_others_and_is_named(two, read):
    two.faults.append(Fault("/one/zones/us-east1-b/", status=403))
    result = read(two, zone=["us-east1-b", "us-west1-a"])
    assert result.coverage["one", "instance"] == ("denied", 1)
    assert result.error("one", "instance").startswith("zones/us-east1-b: no permission compute.instances.list")
    assert result.coverage["two", "instance"] == ("skipped", 3)


def test_a_zone_that_does_not_exist_is_a_hole(start, read):
    result = read(start(tenant="sample"), zone="us-east1-z")
    assert result.coverage["tidewater-web", "instance"] == ("failed", 0)
    assert result.error("tidewater-web", "instance").startswith("zones/us-east1-z: HTTP 400")
    assert result.coverage["tidewater-web", "firewall"][0] == "ok"


def test_only_the_projects_named_are_read_the_others_are_reported(two, read):
    result = read(two, projects=["tw*"])
    assert {record["ext"]["project_id"] for record in result.of("firewall")} == {"two"}
    assert {result.coverage["one", record_type] for record_type in TYPES} == {("skipped", 0)}
    assert result.error("one", "firewall") == "left out by the parameter projects"


def test_a_project_can_be_named_by_its_number(two, read):
    assert {record["ext"]["project_id"] for record in read(two, projects=["1000"]).of("firewall")} == {"one"}


def test_a_named_project_that_the_search_does_not_have_yet_is_read(two, read):
    two.faults.append(Fault("projects:search", status=200, body="{}"))
    result = read(two, projects=["one"])
    assert result.coverage == {("", "project"): ("denied", 0), ("one", "project"): ("ok", 1), **complete("one")}


def test_a_named_project_that_is_nowhere_is_reported(two, read):
    result = read(two, projects=["one", "gone", "no-*"])
    assert result.coverage["gone", "project"] == ("denied", 0)
    assert result.coverage["no-*", "project"] == ("failed", 0)
    assert result.coverage["one", "firewall"] == ("ok", 3)


def test_limits_cut_off_and_say_so(two, read):
    result = read(two, _max_projects=1, _max_recs=2)
    assert result.coverage["one", "firewall"] == ("skipped", 2)
    assert result.coverage["one", "firewall_rule"] == ("skipped", 2)
    assert result.coverage["one", "instance"] == ("skipped", 2)
    assert len(result.of("firewall")) == len(result.of("instance")) == 2
    assert "limited to 2 by _max_recs" in result.error("one", "instance")
    assert result.coverage["two", "firewall"] == ("skipped", 0)
    assert "_max_projects" in result.error("two", "firewall")


def test_a_limit_that_is_just_enough_cuts_nothing_off(two, read):
    assert read(two, _max_recs=6).coverage["one", "firewall_rule"] == ("ok", 6)


def test_a_project_that_is_being_deleted_is_skipped(start, tenant, read):
    simulator = start(recordings=tenant({"one": ([firewall("one", "a")], {})}, one="DELETE_REQUESTED"))
    result = read(simulator)
    assert [record["com"]["state"] for record in result.of("project")] == ["delete_requested"]
    assert {result.coverage["one", record_type] for record_type in TYPES} == {("skipped", 0)}
    assert not result.of("firewall")


def test_an_account_that_sees_no_project_has_seen_nothing(start, tenant, read):
    result = read(start(recordings=tenant({})))
    assert result.coverage == {("", "project"): ("denied", 0)}
    assert "no project is visible" in result.error("", "project")


def test_the_holes_of_the_tenant_with_holes_are_told_apart(start, read):
    result = read(start(tenant="holes"))
    coverage = result.coverage
    assert coverage["sieve-open", "firewall"] == ("ok", 1)
    assert coverage["sieve-open", "instance"] == ("ok", 2)
    assert coverage["sieve-denied", "firewall"] == ("denied", 0)
    assert coverage["sieve-denied", "firewall_rule"] == ("denied", 0)
    assert coverage["sieve-denied", "instance"] == ("ok", 2)
    assert "compute.firewalls.list" in result.error("sieve-denied", "firewall")
    assert coverage["sieve-gone", "firewall"] == ("failed", 0)
    assert coverage["sieve-busy", "firewall"] == ("ok", 1)
    assert coverage["sieve-broken", "firewall"] == ("failed", 0)
    assert coverage["sieve-broken", "instance"] == ("ok", 2)
    assert coverage["sieve-partial", "instance"] == ("failed", 1)
    assert result.error("sieve-partial", "instance") == "zones/europe-west4-a: unreachable"


def test_an_api_that_is_not_enabled_is_not_a_hole(start, read):
    result = read(start(tenant="sample"))
    assert {result.coverage["tidewater-attic", record_type] for record_type in TYPES} == {("disabled", 0)}


def test_an_api_that_is_not_enabled_in_the_project_of_the_caller_is_a_hole(two, read):
    body = json.dumps({"error": {"message": "off", "errors": [{"reason": "accessNotConfigured"}]}})
    elsewhere = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "SERVICE_DISABLED"}
    elsewhere["metadata"] = {"consumer": "projects/999"}
    two.faults.append(
        Fault(FIREWALLS, status=403, body=json.dumps({"error": {"message": "off", "details": [elsewhere]}}))
    )
    assert read(two).coverage["one", "firewall"] == ("failed", 0)
    two.faults[:] = [Fault("projects:search", status=403, body=body)]
    assert read(two).coverage == {("", "project"): ("failed", 0)}


OTHERS = json.dumps({"id": "projects/two/global/firewalls", "items": [firewall("two", "x")]})
STRANGER = json.dumps({"items": [firewall("one", "x"), firewall("two", "x")]})


@pytest.mark.parametrize(
    ("fault", "state", "count", "said"),
    [
        (Fault(FIREWALLS, status=429), "throttled", 0, "HTTP 429"),
        (Fault(FIREWALLS, status=429, headers={"Retry-After": "3600"}), "throttled", 0, "HTTP 429"),
        (Fault(FIREWALLS, status=500), "failed", 0, "HTTP 500"),
        (Fault(FIREWALLS, status=403), "denied", 0, "no permission compute.firewalls.list"),
        (Fault(FIREWALLS, status=401), "denied", 0, "the token was not accepted"),
        (Fault(FIREWALLS, status=404), "failed", 0, "HTTP 404"),
        (Fault(FIREWALLS, status=302, headers={"Location": "http://192.0.2.1/"}), "failed", 0, "points elsewhere"),
        (Fault(FIREWALLS, status=200, body="<html>proxy</html>"), "failed", 0, "not JSON"),
        (Fault(FIREWALLS, status=200, body=""), "failed", 0, "not JSON"),
        (Fault(FIREWALLS, status=200, body="[]"), "failed", 0, "no object"),
        (Fault(FIREWALLS, status=200, body='{"items": 5}'), "failed", 0, "no page of a list"),
        (Fault(FIREWALLS, status=200, body=OTHERS), "failed", 0, "of project two"),
        (Fault(FIREWALLS, status=200, body=STRANGER), "failed", 1, "of project two"),
        (Fault(FIREWALLS, reset=True), "failed", 0, "no answer"),
        (Fault(FIREWALLS, truncate_bytes=20), "failed", 0, "no answer"),
        (Fault(FIREWALLS, status=500, skip=1), "failed", 2, "HTTP 500"),
    ],
)
def test_a_fault_of_one_list_is_in_its_coverage_and_costs_no_other(two, read, fault, state, count, said):
    two.faults.append(fault)
    result = read(two, retry_deadline_s=0.3)
    assert result.coverage["one", "firewall"] == (state, count)
    assert result.coverage["one", "firewall_rule"][0] == state
    assert said in result.error("one", "firewall")
    assert len(result.of("firewall", "one")) == count
    assert result.coverage["one", "instance"] == ("ok", 3)
    assert {key: result.coverage[key] for key in complete("two")} == complete("two")


@pytest.mark.parametrize(
    "fault",
    [
        Fault(FIREWALLS, status=503, times=1),
        Fault(FIREWALLS, status=429, headers={"Retry-After": "0"}, times=7),
        Fault(FIREWALLS, status=403, times=1, body='{"error": {"errors": [{"reason": "rateLimitExceeded"}]}}'),
        Fault(FIREWALLS, status=401, times=1),
        Fault(FIREWALLS, reset=True, times=1),
        Fault(FIREWALLS, truncate_bytes=20, times=1),
        Fault(FIREWALLS, status=200, body="<html>", times=1),
        Fault("/token", status=503, times=1),
        Fault("projects:search", status=500, times=1),
        Fault("returnPartialSuccess", status=400),
    ],
)
def test_a_fault_that_passes_leaves_no_trace(two, read, fault):
    two.faults.append(fault)
    result = read(two)
    assert fault.hits > 0
    assert result.coverage == {("", "project"): ("ok", 2), **complete("one"), **complete("two")}
    assert len(result.of("firewall")) == len({record["com"]["reference"] for record in result.of("firewall")}) == 6


def test_the_wait_that_the_server_asks_for_is_kept(two, read):
    two.faults.append(Fault(FIREWALLS, status=429, headers={"Retry-After": "1"}, times=1))
    begun = time.monotonic()
    assert read(two).coverage["one", "firewall"] == ("ok", 3)
    assert time.monotonic() - begun >= 1


def test_partial_success_is_asked_for_until_it_is_refused(two, read):
    read(two)
    aggregated = [target for _, target in two.requests if "/aggregated/" in target]
    assert all("returnPartialSuccess=true" in target for target in aggregated)


def test_pages_that_go_round_in_a_circle_end(two, read):
    body = json.dumps({"items": [firewall("one", "x")], "nextPageToken": "again"})
    two.faults.append(Fault(FIREWALLS, status=200, body=body))
    result = read(two)
    assert result.coverage["one", "firewall"][0] == "failed"
    assert "round in a circle" in result.error("one", "firewall")


def test_a_resource_that_makes_no_sense_costs_no_other(start, tenant, read):
    odd = [
        firewall("one", "a"),
        firewall("one", "b", selfLink=None),
        firewall("one", "c", priority="high"),
        firewall("one", "d"),
    ]
    result = read(start(recordings=tenant({"one": (odd, {})})))
    assert [record["com"]["name"] for record in result.of("firewall")] == ["a", "c", "d"]
    assert [record["com"]["name"] for record in result.of("firewall_rule")] == ["a", "d"]
    assert result.coverage["one", "firewall"] == ("failed", 4)
    assert result.error("one", "firewall").startswith("1 item of unexpected shape: b has no selfLink")
    assert result.coverage["one", "firewall_rule"] == ("failed", 3)


def test_a_list_of_projects_that_breaks_off_costs_only_the_rest(two, read):
    two.source.page_size = 1
    two.faults.append(Fault(r"projects:search.*pageToken", status=403))
    result = read(two)
    assert result.coverage == {("", "project"): ("denied", 1), **complete("one")}


def test_reading_can_be_broken_off(start, tenant):
    fleet = {f"p{n}": ([firewall(f"p{n}", "a")], {}) for n in range(200)}
    simulator = start(recordings=tenant(fleet), faults=[Fault("/firewalls", delay_s=0.05)])
    before = threading.active_count()
    records = GCPCloud(**simulator.settings, threads=8, record_types=["firewall"]).read()
    for record in records:
        if record["ext"]["record_type"] == "firewall":
            break
    begun = time.monotonic()
    records.close()
    assert time.monotonic() - begun < 2
    time.sleep(0.1)
    asked = len(simulator.requests)
    time.sleep(0.3)
    assert len(simulator.requests) == asked < 200
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("gcp-")], before


def test_reading_can_be_broken_off_in_the_middle_of_a_long_wait(two):
    two.faults.append(Fault(FIREWALLS, status=429, headers={"Retry-After": "50"}))
    records = GCPCloud(**two.settings, record_types=["firewall", "instance"]).read()
    while next(records)["com"].get("resource_type") != "instance":
        pass
    begun = time.monotonic()
    records.close()
    assert time.monotonic() - begun < 2
