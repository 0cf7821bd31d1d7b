"""A whole organization through the real libraries, against the simulator: every type, every source, every hole."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from pathlib import Path

import pytest
from cloudmarker.fields import validate
from cloudmarker_gcp import _table
from cloudmarker_gcp._scopes import Scope
from cloudmarker_simulators import Fault, GCPSimulator, Quota, Refusal
from googledocuments import path_of

DATA = Path(__file__).parent / "data"
RECORDINGS = Path(__file__).parents[4] / "shared" / "recordings" / "gcp.jsonl"

NOT_READ = re.compile(
    r"/v1/projects/[^/]+/locations|.*/(zones|regions|urlMaps|instanceGroupManagers|instanceTemplates"
    r"|securityPolicies|healthChecks|routes|backendBuckets|httpHealthChecks|httpsHealthChecks|autoscalers"
    r"|commitments)"
)
"""Lists of what leads to other lists, or is no type of the table."""

ALL = frozenset(_table.record_types())


def identity(record):
    com = record["com"]
    part = (com.get("entry"), com.get("role"), com.get("principal"), com.get("condition"), com["name"])
    return (record["ext"]["record_type"], com["reference"], *part)


def by_identity(result):
    records = [record for record in result.records if record["com"]["record_type"] != "coverage"]
    found = {identity(record): record for record in records}
    assert len(found) == len(records), Counter(map(identity, records)).most_common(3)
    return found


def frozen(value):
    return json.dumps(value, sort_keys=True)


@pytest.fixture(scope="module")
def organization():
    """An organization of five projects; pages of three."""
    with GCPSimulator(projects=5, scale=2, seed=3, page_size=3) as simulator:
        yield simulator


@pytest.fixture(autouse=True)
def calm(request):
    """Take the faults of a test away after it."""
    yield
    if "organization" in request.fixturenames:
        request.getfixturevalue("organization").faults.clear()


@pytest.fixture(scope="module")
def whole(organization, read):
    """All that is read of it."""
    return read(organization, record_types=None)


def projects(simulator):
    return [project["projectId"] for project in simulator.source.collection("/v1/projects").items]


def number(simulator):
    return simulator.source.collection("/v3/organizations:search").items[0]["name"].partition("/")[2]


def test_every_resource_of_every_type_is_read_exactly_once_and_unchanged(organization, whole):
    raw = Counter(frozen(record["raw"]) for record in whole.records if record["ext"]["record_type"] != "coverage")
    seen = 0
    for path in organization.source.lists():
        if NOT_READ.fullmatch(path) or path.endswith("/datasets") or path == "/v1/projects":
            continue
        for item in organization.source.collection(path).items[:]:
            assert raw[frozen(item)] >= 1, path
            seen += 1
    assert seen > 300
    assert {record["ext"]["record_type"] for record in whole.records} == ALL | {"coverage"}
    by_identity(whole)


def test_every_record_is_in_the_common_model(whole):
    for record in whole.records:
        assert validate(record["com"]) == []


def test_there_is_coverage_for_every_scope_and_type_and_all_is_well(organization, whole):
    assert {state for state, _ in whole.coverage.values()} == {"ok"}
    for project in projects(organization):
        types = {
            name for row in (_table.SERVICES, *_table.TABLE) if "project" in row.levels for name in row.record_types
        }
        assert {name for scope, name in whole.coverage if scope == project} == types
    counts = Counter(record["ext"]["record_type"] for record in whole.records)
    for record_type in ALL:
        assert counts[record_type] == sum(
            count for (_, name), (_, count) in whole.coverage.items() if name == record_type
        )


def test_nothing_but_reads_is_sent_and_every_question_once(organization, read):
    before = len(organization.requests)
    read(organization, record_types=None)
    sent = organization.requests[before:]
    assert organization.refused == 0
    posts = {re.split("[:/]", target.partition("?")[0])[-1] for method, target in sent if method == "POST"}
    assert posts - {"token"} == {"getIamPolicy", "listInstances", "listNetworkEndpoints"}
    assert {method for method, _ in sent} == {"GET", "POST"}
    assert [repeated for repeated, times in Counter(sent).items() if times > 1] == []


@pytest.mark.parametrize("source", ["estate", "recordings"])
def test_recorded_answers_come_out_once_and_unchanged(start, read, source, tmp_path):
    """The recordings are of another version of Cloud DNS in the path, with the same JSON."""
    if source == "recordings":
        if not RECORDINGS.exists():
            pytest.skip("the recordings are not here")
        lines = RECORDINGS.read_text().replace("/dns/v1beta2/", "/dns/v1/")
    else:
        estate = json.loads((DATA / "estate.json").read_text())
        lines = "\n".join(json.dumps({"host": "", "path": path, "body": body}) for path, body in estate.items())
    path = tmp_path / "answers.jsonl"
    path.write_text(lines)
    simulator = start(recordings=path)
    result = read(simulator, record_types=None, projects=["shop"] if source == "estate" else ["cloud-custodian"])
    for record in result.records:
        assert validate(record["com"]) == []
    rows = {row.record_type: row for top in _table.TABLE for row in top.walk() if row.kind and row.items}
    compared = set()
    for record_type, row in rows.items():
        project = "shop" if source == "estate" else "cloud-custodian"
        if row.levels != ("project",) or "{parent}" in "".join(row.arguments.values()) or row.collections:
            continue
        served = path_of(row, Scope("project", project), "")
        if row.aggregated:
            aggregate = simulator.source.aggregate(served)
            items = list(aggregate.items) if aggregate else []
        else:
            collection = simulator.source.collection(served)
            items = list(collection.items[:]) if collection else []
        own = [record["raw"] for record in result.of(record_type)]
        if record_type == "bucket" and source == "recordings":
            items = [item for item in items if item in own]  # the file has those of several projects in one list
        assert Counter(map(frozen, own)) == Counter(map(frozen, items)), record_type
        if items:
            compared.add(record_type)
    assert len(compared) >= (30 if source == "estate" else 15), compared


def test_cloud_asset_inventory_gives_the_same_records(organization, whole, read):
    """What it leaves out is in docs/gcp.md: ``kind`` of compute resources, most of ``config`` of services."""
    by_api = by_identity(whole)
    before = len(organization.requests)
    asset = read(organization, record_types=None, source="asset")
    calls = len(organization.requests) - before
    assert calls < before / 2
    found = by_identity(asset)
    assert found.keys() == by_api.keys()
    lacking = set()
    for key, record in found.items():
        other = by_api[key]
        assert (record["com"], record["ext"]) == (other["com"], other["ext"])
        lacking |= {
            (record["ext"]["record_type"] if field != "kind" else "compute", field)
            for field in other["raw"].keys() | record["raw"].keys()
            if other["raw"].get(field) != record["raw"].get(field)
        }
    assert lacking == {("compute", "kind"), ("service", "config")}
    assert asset.coverage == whole.coverage


@pytest.mark.parametrize("source", ["api", "asset"])
@pytest.mark.parametrize("level", ["organization", "folder"])
def test_an_organization_or_a_folder_is_read_from_its_root_down(organization, whole, read, level, source):
    root = number(organization)
    if level == "folder":
        root = organization.source.collection("/v3/folders:search").items[0]["name"].partition("/")[2]
    result = read(organization, record_types=None, source=source, **{level: root})
    found, everything = by_identity(result), by_identity(whole)
    assert set(found) <= set(everything)
    inside = {record["ext"]["project_id"] for record in result.of("project")}
    expected = {key for key, record in everything.items() if record["ext"]["project_id"] in inside}
    assert inside
    assert {key for key, record in found.items() if record["ext"]["project_id"]} == expected
    assert result.coverage[f"{level}s/{root}", "project"] == ("ok", len(inside))
    if level == "organization":
        assert found.keys() == everything.keys()


def test_a_root_that_cannot_be_read_is_said_and_what_is_in_it_is_read_nevertheless(organization, read):
    root = number(organization)
    organization.faults.append(Fault(rf"/v3/organizations/{root}\?", status=403))
    result = read(organization, organization=root)
    assert result.coverage[f"organizations/{root}", "organization"][0] == "denied"
    assert {result.coverage[project, "firewall"][0] for project in projects(organization)} == {"ok"}


def test_a_folder_whose_projects_cannot_be_listed_is_a_hole_in_the_list_of_projects(organization, read):
    root = number(organization)
    organization.faults.append(Fault(r"/v3/projects\?.*parent=folders", status=403))
    result = read(organization, organization=root)
    assert result.coverage[f"organizations/{root}", "project"][0] == "denied"
    assert "resourcemanager.projects.list" in result.error(f"organizations/{root}", "project")


def test_what_is_left_out_by_record_types_is_said_once(organization, read):
    result = read(organization, record_types=["bucket_iam_binding"])
    assert {record["ext"]["record_type"] for record in result.records} == {"bucket_iam_binding", "coverage"}
    left_out = [
        record["com"]
        for record in result.of("coverage")
        if record["com"]["error"] == "left out by the parameter record_types"
    ]
    assert {com["resource_type"] for com in left_out} == ALL - {"bucket_iam_binding", "project"}
    ids = [record["com"]["reference"] for record in result.of("coverage")]
    assert len(ids) == len(set(ids))
    assert {com["state"] for com in left_out} == {"skipped"}
    assert {name for _, name in result.coverage} == {"bucket_iam_binding", "project"}


def test_excluded_projects_are_skipped_and_said(organization, read):
    first, second, *others = projects(organization)
    result = read(organization, projects=["p*"], exclude_projects=[first, second[:-1] + "?"])
    assert result.coverage[first, "firewall"] == ("skipped", 0)
    assert result.error(first, "firewall") == "left out by the parameter exclude_projects"
    kept = {record["ext"]["project_id"] for record in result.of("firewall")}
    assert first not in kept
    assert kept <= set(others)


def test_an_api_that_is_off_costs_no_call_where_the_services_can_be_read(start, read):
    off = r"/v1/projects/[^/]+/locations"
    simulator = start(projects=2, refusals=[Refusal(off, "disabled", "cloudkms.googleapis.com")])
    result = read(simulator, record_types=None)
    for project in projects(simulator):
        for name in ("key_ring", "crypto_key", "crypto_key_iam_policy"):
            assert result.coverage[project, name] == ("disabled", 0)
        assert result.coverage[project, "bucket"][0] == "ok"
    assert not [target for _, target in simulator.requests if re.search(r"/keyRings|/locations\?", target)]


@pytest.mark.parametrize("zone", [None, ["us-east1-b", "europe-west1-b"]])
def test_an_api_that_is_off_costs_one_call_a_project_where_they_cannot(start, read, zone):
    simulator = start(
        projects=3,
        refusals=[
            Refusal(r"/v1/projects/[^/]+/services", "denied", "serviceusage.services.list"),
            Refusal(r"/compute/v1/projects/[^/]+", "disabled", "compute.googleapis.com"),
        ],
    )
    types = ["instance", "disk", "firewall", "network", "subnetwork", "managed_zone"]
    result = read(simulator, record_types=types, zone=zone)
    for project in projects(simulator):
        assert {result.coverage[project, name] for name in types[:-1]} == {("disabled", 0)}
        assert result.coverage[project, "managed_zone"][0] == "ok"
        calls = [target for _, target in simulator.requests if f"/compute/v1/projects/{project}/" in target]
        assert len(calls) == 1


def test_services_that_cannot_be_read_are_a_hole_only_if_they_are_wanted(organization, read):
    organization.faults.append(Fault("/services", status=403))
    assert {
        state for state, _ in read(organization, record_types=["bucket", "managed_zone", "dataset"]).coverage.values()
    } == {"ok"}
    result = read(organization, record_types=["service"])
    assert {result.coverage[project, "service"][0] for project in projects(organization)} == {"denied"}


def test_a_policy_that_may_not_be_read_costs_nothing_else_and_says_whose(organization, read):
    project = projects(organization)[0]
    bucket = organization.source.collection(f"/v1/projects/{project}/topics").items[0]["name"]
    organization.faults.append(Fault(f"/v1/{bucket}:getIamPolicy", status=403))
    result = read(organization, record_types=["topic", "topic_iam_policy", "topic_iam_binding"])
    state, count = result.coverage[project, "topic_iam_policy"]
    assert (state, result.coverage[project, "topic"][0]) == ("denied", "ok")
    assert count == result.coverage[project, "topic"][1] - 1
    assert result.error(project, "topic_iam_policy").startswith(f"{bucket}: no permission pubsub.topics.getIamPolicy")


def test_a_list_that_breaks_off_is_a_hole_in_all_that_hangs_on_it(organization, read):
    project = projects(organization)[0]
    organization.faults.append(Fault(rf"/v1/projects/{project}/locations/[^/]+/keyRings\?", status=500))
    result = read(organization, record_types=["key_ring", "crypto_key", "crypto_key_iam_binding"])
    assert {result.coverage[project, name][0] for name in ("key_ring", "crypto_key", "crypto_key_iam_binding")} == {
        "failed"
    }
    other = projects(organization)[1]
    assert result.coverage[other, "crypto_key"][0] == "ok"


@pytest.mark.parametrize(
    ("refusal", "types"),
    [("IAM_POLICY", {"bucket_iam_policy", "bucket_iam_binding"}), ("RESOURCE", {"bucket"})],
)
def test_what_cloud_asset_inventory_refuses_is_read_from_the_apis_with_a_note(organization, read, refusal, types):
    wanted = ["bucket", "bucket_iam_policy", "bucket_iam_binding"]
    expected = by_identity(read(organization, record_types=wanted))
    organization.faults.append(Fault(f"/assets.*contentType={refusal}", status=403))
    result = read(organization, record_types=wanted, source="asset")
    assert by_identity(result).keys() == expected.keys()
    assert {state for state, _ in result.coverage.values()} == {"ok"}
    for project in projects(organization):
        for name in types:
            assert "read from its own API: Cloud Asset Inventory: no permission cloudasset" in result.error(
                project, name
            )


def test_assets_that_break_off_are_a_hole_and_nothing_comes_twice(start, read):
    simulator = start(projects=2, scale=220)  # more assets than a page of them can have
    first, second = projects(simulator)
    simulator.faults.append(Fault(rf"/projects/{first}/assets.*pageToken", status=403))
    result = read(simulator, record_types=["firewall", "instance"], source="asset")
    assert {result.coverage[first, name][0] for name in ("firewall", "instance")} == {"denied"}
    assert result.coverage[second, "firewall"] == ("ok", 880)
    assert 0 < result.coverage[first, "firewall"][1] + result.coverage[first, "instance"][1] < 1100
    by_identity(result)


def test_zones_restrict_assets_as_well(organization, read):
    zones = {record["ext"]["zone"] for record in read(organization).of("instance")}
    zone = sorted(zones)[0]
    wanted = {"record_types": ["instance", "firewall"], "zone": zone}
    by_api, assets = (read(organization, source=source, **wanted) for source in ("api", "asset"))
    assert by_identity(by_api).keys() == by_identity(assets).keys()
    assert {record["ext"]["zone"] for record in assets.of("instance")} == {zone}


def test_quotas_are_kept_without_a_storm_of_refusals(start, read):
    calm, strict = start(projects=4), start(projects=4, quota=Quota(15, 30))
    read(calm, record_types=None)
    result = read(strict, record_types=None, retry_deadline_s=60)
    assert {state for state, _ in result.coverage.values()} == {"ok"}
    assert len(strict.requests) <= 1.4 * len(calm.requests)


def test_a_share_of_a_quota_is_not_exceeded(start, read, monkeypatch):
    from cloudmarker_gcp import _governor

    monkeypatch.setattr(_governor, "MINUTE_S", 1.0)
    simulator = start(projects=1)
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "RATE_LIMIT_EXCEEDED"}
    info["metadata"] = {"quota_limit_value": "16", "quota_limit": "ReadRequestsPerMinutePerProject", "service": "x"}
    body = json.dumps({"error": {"code": 403, "message": "slow down", "details": [info]}})
    simulator.faults.append(Fault("/compute/v1/", status=403, body=body, headers={"Retry-After": "0"}, times=1))
    types = ["instance", "disk", "network", "subnetwork", "router", "image", "snapshot", "address", "ssl_policy"]
    begun = time.monotonic()
    result = read(simulator, record_types=types, rate_limit=0.5, retry_deadline_s=30)
    assert {state for state, _ in result.coverage.values()} == {"ok"}
    assert time.monotonic() - begun > 1.5  # ten calls, eight in any second and a half


def test_an_api_can_have_an_endpoint_of_its_own(organization, read):
    with GCPSimulator(projects=1) as other:
        before = len(organization.requests)
        endpoints = {"compute": other.settings["endpoint"]}
        result = read(organization, endpoints=endpoints, record_types=["network", "bucket"])
        assert {state for (_, name), (state, _) in result.coverage.items() if name == "bucket"} == {"ok"}
        assert [target for _, target in other.requests if "/global/networks" in target]
        assert not [target for _, target in organization.requests[before:] if "/global/networks" in target]


def test_ten_faults_at_once_leave_everything_else_and_say_exactly_what_is_missing(organization, whole, read):
    one, two, three, *_ = projects(organization)
    disks = organization.source.aggregate(f"/compute/v1/projects/{three}/aggregated/disks").items
    foreign = json.dumps({"items": {"zones/europe-west1-b": {"disks": list(disks)}}})
    again = json.dumps({"metrics": [], "nextPageToken": "again"})
    compute = r"/compute/v1/projects/"
    holes = {
        (one, "image"): ("failed", "HTTP 500", Fault(f"{compute}{one}/global/images", status=500)),
        (one, "disk"): ("failed", "of project", Fault(f"{compute}{one}/aggregated/disks", status=200, body=foreign)),
        (one, "router"): ("failed", "no answer", Fault(f"{compute}{one}/aggregated/routers", reset=True)),
        (one, "alert_policy"): ("failed", "not JSON", Fault(f"/{one}/alertPolicies", status=200, body="<html>")),
        (two, "snapshot"): ("failed", "no answer", Fault(f"{compute}{two}/global/snapshots", truncate_bytes=20)),
        (two, "address"): ("throttled", "HTTP 429", Fault(f"{compute}{two}/aggregated/addresses", status=429)),
        (two, "dns_policy"): ("denied", "dns.policies.list", Fault(f"/{two}/policies", status=403)),
        (two, "log_metric"): ("failed", "round in a circle", Fault(f"/{two}/metrics", status=200, body=again)),
        (three, "ssl_policy"): ("failed", "HTTP 404", Fault(f"{compute}{three}/aggregated/sslPolicies", status=404)),
        (three, "target_ssl_proxy"): (
            "failed",
            "not JSON",
            Fault(f"{compute}{three}/global/targetSslProxies", status=200, body='{"items": [{'),
        ),
    }
    organization.faults.extend(fault for *_, fault in holes.values())
    result = read(organization, record_types=None, retry_deadline_s=1)
    expected = {**whole.coverage, **{key: (state, 0) for key, (state, _, _) in holes.items()}}
    assert result.coverage == expected
    for key, (_, said, _) in holes.items():
        assert said in result.error(*key)
    everything = by_identity(whole)
    missing = {(project, name) for project, name in holes}
    healthy = {
        key
        for key, record in everything.items()
        if (record["ext"]["project_id"], record["ext"]["record_type"]) not in missing
    }
    assert healthy < everything.keys()
    assert by_identity(result).keys() == healthy
