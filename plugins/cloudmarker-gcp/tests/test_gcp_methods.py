"""Google's methods: requests come out of the discovery documents, and nothing in an argument changes what is asked."""

from __future__ import annotations

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from cloudmarker.reading import UnreadError
from cloudmarker_gcp import _table
from cloudmarker_gcp._access import access
from cloudmarker_gcp._apis import BIGQUERY, COMPUTE, IAM, KMS, PUBSUB, RESOURCE_MANAGER, RUN, SQL, STORAGE_POLICIES
from cloudmarker_gcp._client import Call
from cloudmarker_gcp._methods import Methods, trimmed
from cloudmarker_gcp._row import CLOUD_PLATFORM
from cloudmarker_gcp._scopes import Scope
from cloudmarker_gcp._session import Session
from cloudmarker_simulators import Fault
from googledocuments import document

FIREWALLS = "compute.firewalls.list"


@pytest.fixture
def simulator(start):
    return start(projects=1)


@pytest.fixture
def methods(simulator):
    """A function that gives the methods of the whole table, with parameters for where they are."""

    def make(**given):
        params = {"endpoint": simulator.settings["endpoint"], "known_apis": _table.API_NAMES, **given}
        reached = access(params.pop("key_file_path", simulator.settings["key_file_path"]), **params)
        return Methods(Session(reached, [CLOUD_PLATFORM]), _table.methods([*_table.TABLE, _table.ASSET_LIST]))

    return make


def test_services_have_roots_of_their_own_and_those_of_the_others(methods):
    made = methods(endpoint="https://all.example.com", endpoints={"bigquery": "https://one.example.com/base"})
    request = made.request(COMPUTE, FIREWALLS, {"project": "shop", "maxResults": "500"}, None)
    assert request.uri == "https://all.example.com/compute/v1/projects/shop/global/firewalls?maxResults=500&alt=json"
    request = made.request(BIGQUERY, "bigquery.datasets.list", {"projectId": "shop"}, None)
    assert request.uri == "https://one.example.com/base/bigquery/v2/projects/shop/datasets?alt=json"


@pytest.mark.parametrize("domain", ["googleapis.com", "cloud.example.org"])
def test_without_an_endpoint_the_universe_of_the_account_is_asked(simulator, methods, tmp_path, domain, monkeypatch):
    monkeypatch.setenv("GOOGLE_CLOUD_UNIVERSE_DOMAIN", "other.example.net")  # which the account is not of
    key = json.loads(Path(simulator.settings["key_file_path"]).read_text())
    path = tmp_path / "key.json"
    path.write_text(json.dumps({**key, "universe_domain": domain}))
    path.chmod(0o600)
    made = methods(key_file_path=str(path), endpoint=None)
    assert urlsplit(made.request(COMPUTE, FIREWALLS, {"project": "p"}, None).uri).netloc == f"compute.{domain}"
    assert urlsplit(made.request(IAM, "iam.projects.roles.list", {"parent": "projects/p"}, None).uri).path == (
        "/v1/projects/p/roles"
    )


@pytest.mark.parametrize(
    ("api", "method_id", "arguments", "path"),
    [
        (PUBSUB, "pubsub.projects.topics.getIamPolicy", {"resource": "projects/p/topics/a?x=1#y"}, "a%3Fx%3D1%23y"),
        (PUBSUB, "pubsub.projects.topics.getIamPolicy", {"resource": "projects/p/topics/a%2Fb+c"}, "a%252Fb%2Bc"),
        (STORAGE_POLICIES, "storage.buckets.getIamPolicy", {"bucket": "../../x?y"}, "b/..%2F..%2Fx%3Fy/iam"),
        (SQL, "sql.databases.list", {"project": "p", "instance": "a/b%41"}, "instances/a%2Fb%2541/databases"),
    ],
)
def test_what_is_in_a_name_stays_in_it(methods, api, method_id, arguments, path):
    parts = urlsplit(methods().request(api, method_id, arguments, None).uri)
    assert parts.path.partition(":getIamPolicy")[0].endswith(path)
    assert (parts.query, parts.fragment) == ("alt=json", "")


@pytest.mark.parametrize(
    ("place", "path"),
    [
        ("zones/z-1/instanceGroups/g", "zones/z-1/instanceGroups/g"),
        ("regions/r/instanceGroups/g", "regions/r/instanceGroups/g"),
        (
            "zones/z-1/instanceGroups/g%2e?x=1#",
            "zones/z-1/instanceGroups/g%252e%3Fx%3D1%23",
        ),
    ],
)
def test_what_is_in_a_group_is_asked_for_where_the_group_is(methods, place, path):
    (row,) = _table.rows_for(["instance_group_member"])
    call = Call.of(row.children[0], Scope("project", "shop"), place)
    request = methods().request(COMPUTE, call.method, call.arguments, row.children[0].posts)
    assert urlsplit(request.uri).path == f"/compute/v1/projects/shop/{path}/listInstances"


@pytest.mark.parametrize(
    ("method_id", "arguments", "said"),
    [
        ("compute.firewalls.listAll", {"project": "p"}, "google-api-python-client has no method compute.firewalls"),
        ("compute.instances.delete", {"project": "p"}, "google-api-python-client has no method compute.instances.del"),
        (FIREWALLS, {"project": "p", "everything": "true"}, "unexpected keyword argument everything"),
        (FIREWALLS, {}, 'Missing required parameter "project"'),
    ],
)
def test_what_the_documents_do_not_have_is_said_and_not_sent(methods, method_id, arguments, said):
    with pytest.raises(UnreadError, match=said) as caught:
        methods().request(COMPUTE, method_id, arguments, None)
    assert (caught.value.state, caught.value.again) == ("failed", False)


def test_what_an_answer_names_must_have_the_form_that_the_document_says(methods):
    with pytest.raises(UnreadError, match="does not match the pattern"):
        methods().request(KMS, "cloudkms.projects.locations.list", {"name": "folders/1"}, None)


def test_parts_of_lists_are_asked_for_although_the_documents_do_not_have_that(methods):
    arguments = {"project": "p", "pageToken": "a&b"}
    request = methods().request(COMPUTE, "compute.instances.aggregatedList", arguments, None, partial=True)
    assert parse_qs(urlsplit(request.uri).query) == {
        "pageToken": ["a&b"],
        "alt": ["json"],
        "returnPartialSuccess": ["true"],
    }


def test_a_body_is_posted_where_the_method_takes_one(methods):
    request = methods().request(
        RESOURCE_MANAGER, "cloudresourcemanager.projects.getIamPolicy", {"resource": "projects/p"}, {"options": {}}
    )
    assert (request.method, request.body) == ("POST", '{"options": {}}')
    arguments = {"resource": "projects/p/serviceAccounts/a@b.c", "options_requestedPolicyVersion": "3"}
    request = methods().request(IAM, "iam.projects.serviceAccounts.getIamPolicy", arguments, {"options": {}})
    assert (request.method, request.body) == ("POST", None)
    assert parse_qs(urlsplit(request.uri).query)["options.requestedPolicyVersion"] == ["3"]


def test_pages_of_cloud_run_are_asked_for_as_it_wants_it(methods):
    arguments = {"parent": "projects/p/locations/-", "continue": "x"}
    request = methods().request(RUN, "run.projects.locations.services.list", arguments, None)
    assert parse_qs(urlsplit(request.uri).query)["continue"] == ["x"]


def test_threads_that_begin_at_once_all_get_what_they_ask_for(methods):
    made = methods()

    def uri(number):
        api, method_id, name = ((COMPUTE, FIREWALLS, "project"), (KMS, "cloudkms.projects.locations.list", "name"))[
            number % 2
        ]
        return made.request(api, method_id, {name: f"projects/p{number}" if name == "name" else f"p{number}"}, None).uri

    with ThreadPoolExecutor(16) as pool:
        for number, found in enumerate(pool.map(uri, range(400))):
            assert f"/projects/p{number}/" in found


def test_a_document_is_no_more_than_what_is_called():
    whole = json.dumps(document(COMPUTE))
    wanted = _table.methods(_table.TABLE)[COMPUTE]
    kept = trimmed(whole, wanted)
    assert len(json.dumps(kept)) < len(whole) / 20
    assert {
        method["id"] for resource in kept["resources"].values() for method in resource["methods"].values()
    } == wanted
    assert trimmed(None, wanted)["resources"] == {}


def test_a_question_that_is_long_is_not_posted(simulator, methods):
    made = methods()
    arguments = {"parent": "projects/p", "assetTypes": [f"compute.googleapis.com/{'x' * 90}{n}" for n in range(40)]}
    request = made.request(_table.ASSET_LIST.api, "cloudasset.assets.list", arguments, None)
    assert len(request.uri) > 4000
    made.send(request)
    ((verb, target),) = [entry for entry in simulator.requests if "/assets" in entry[1]]
    assert (verb, len(parse_qs(urlsplit(target).query)["assetTypes"])) == ("GET", 40)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, "<html>"),
        (204, ""),
        (403, '{"error": "errors"}'),
        (403, '{"error": {"errors": [{"reason": "forbidden"}], "message": 5}}'),
        (403, "[]"),
        (403, "a secret"),
        (500, '{"error": 5}'),
        (404, "[" * 100_000),
    ],
)
def test_answers_come_as_they_are_and_nothing_in_them_is_logged(simulator, methods, caplog, status, body):
    simulator.faults.append(Fault("/global/firewalls", status=status, body=body))
    made = methods()
    with caplog.at_level(logging.INFO):
        answer = made.send(made.request(COMPUTE, FIREWALLS, {"project": "p"}, None))
    assert (answer.status, answer.body) == (status, body.encode())
    assert caplog.text == ""
