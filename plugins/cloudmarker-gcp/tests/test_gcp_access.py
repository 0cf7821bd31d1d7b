"""Parameters and key files: what cannot be used is refused in one clear line without secrets."""

from __future__ import annotations

import base64
import json

import pytest
from cloudmarker.errors import ConfigError, PluginError
from cloudmarker.testing.servers import Answer, LoopbackServer
from cloudmarker_gcp.gcpcloud import GCPCloud
from cloudmarker_simulators import Fault, GCPSimulator

SECRET = "-----BEGIN PRIVATE KEY-----\nnever to be shown\n-----END PRIVATE KEY-----\n"
KEY = {
    "type": "service_account",
    "client_email": "a@b.iam.gserviceaccount.com",
    "private_key": SECRET,
    "token_uri": "https://oauth2.googleapis.com/token",
}


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"zone": "Frankfurt"}, "zone: 'Frankfurt' is not the name of a zone"),
        ({"zone": []}, "zone: a name or a list of names is needed"),
        ({"zone": ["us-east1-b", "x"]}, "zone: 'x' is not the name of a zone"),
        ({"zone": 5}, "zone: a name or a list of names is needed"),
        ({"projects": "shop"}, "projects: a list of ids is needed"),
        ({"projects": []}, "projects: a list of ids is needed"),
        ({"endpoint": "http://apis.example.com"}, "is not encrypted"),
        ({"endpoint": "ftp://apis.example.com"}, "is not an https:// URL"),
        ({"endpoint": "https://user:pass@apis.example.com"}, "a user name or password"),
        ({"endpoint": "https://apis.example.com:x"}, "is not a URL"),
        ({"threads": 0}, "threads: at least 1"),
        ({"exclude_projects": "shop"}, "exclude_projects: a list of ids is needed"),
        ({"endpoints": {"compote": "https://x.example.com"}}, "endpoints: 'compote' is none of apikeys, "),
        ({"endpoints": {"compute": "http://x.example.com"}}, "endpoints.compute: .* is not encrypted"),
        ({"impersonate": "somebody"}, "impersonate: 'somebody' is not the e-mail address"),
        ({"folder": "Retail"}, "folder: 'Retail' is not the number of a folder"),
        ({"folder": "7", "organization": 9}, "folder, organization: give one of them"),
        ({"record_types": ["instances"]}, "there are no records of type 'instances'; did you mean 'instance'"),
        ({"record_types": []}, "record_types: a list of record types is needed"),
        ({"source": "graph"}, "source: 'graph' is none of api, asset"),
        ({"rate_limit": 0}, "rate_limit: a share of the quotas"),
        ({"retry_deadline_s": -1}, "retry_deadline_s: it cannot be negative"),
    ],
)
def test_parameters_that_cannot_be_used_are_refused_at_once(params, problem):
    with pytest.raises(ConfigError, match=problem.replace("(", r"\(")):
        GCPCloud(**params)


def test_all_problems_are_named_together():
    with pytest.raises(ConfigError) as caught:
        GCPCloud(zone="X", endpoint="x")
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize("folder", [77, "77", "folders/77"])
def test_a_folder_can_be_spelled_in_several_ways(folder):
    GCPCloud(folder=folder)


@pytest.mark.parametrize("endpoint", ["https://apis.example.com/", "http://localhost:8080", "http://[::1]:8080"])
def test_an_endpoint_is_encrypted_or_on_this_machine(endpoint):
    GCPCloud(endpoint=endpoint)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("no json " + SECRET, "it is not JSON"),
        ("[]", "it is JSON but no object"),
        (json.dumps({**KEY, "type": "authorized_user"}), "of type 'authorized_user'"),
        (json.dumps({"private_key": SECRET}), "without a type"),
        (json.dumps({**KEY, "client_email": None}), "it has no client_email"),
        (json.dumps({**KEY, "token_uri": "http://evil.example.com/token"}), "token_uri: .* is not encrypted"),
        (json.dumps({**KEY, "universe_domain": "evil.example.com/x?"}), "universe_domain is not the name of a domain"),
        (json.dumps({**KEY, "universe_domain": "x@evil.example.com"}), "universe_domain is not the name of a domain"),
        (json.dumps(KEY), "its private key cannot be read"),
    ],
)
def test_a_bad_key_file_gives_one_line_that_does_not_quote_it(tmp_path, content, problem):
    path = tmp_path / "key.json"
    path.write_text(content)
    with pytest.raises(PluginError, match=problem) as caught:
        next(GCPCloud(str(path)).read())
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    assert "never to be shown" not in message
    assert not caught.value.__context__ or caught.value.__suppress_context__  # which may quote the key


def test_a_missing_key_file_is_named(tmp_path):
    with pytest.raises(PluginError, match=r"key_file_path: .*nothing.json: No such file"):
        next(GCPCloud(str(tmp_path / "nothing.json")).read())


def test_a_tilde_stands_for_the_home_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(PluginError, match=f"key_file_path: {tmp_path}/nothing.json"):
        next(GCPCloud("~/nothing.json").read())


def test_without_key_file_the_default_credentials_are_used(monkeypatch):
    with GCPSimulator() as simulator:
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", simulator.settings["key_file_path"])
        records = list(GCPCloud(endpoint=simulator.settings["endpoint"]).read())
    assert {record["ext"]["record_type"] for record in records} >= {"project", "firewall", "instance"}


def test_unusable_default_credentials_are_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "nothing.json"))
    with pytest.raises(PluginError, match=r"no key_file_path, and no default credentials .*nothing.json"):
        next(GCPCloud().read())


def test_another_account_can_be_read_as(read):
    account = "reader@tidewater-web.iam.gserviceaccount.com"
    with GCPSimulator() as simulator:
        result = read(simulator, impersonate=account)
        tokens = [target for method, target in simulator.requests if method == "POST"]
    assert result.coverage["tidewater-web", "firewall"][0] == "ok"
    assert tokens == ["/token", f"/v1/projects/-/serviceAccounts/{account}:generateAccessToken"]


@pytest.mark.parametrize(
    ("fault", "state", "said"),
    [
        (Fault("generateAccessToken", status=403), "denied", "iam.serviceAccounts.getAccessToken"),
        (Fault("generateAccessToken", status=503), "failed", "no access token for the other account"),
        (Fault("generateAccessToken", status=404), "failed", "HTTP 404"),
        (Fault("generateAccessToken", status=500, body="<html>"), "failed", "no access token"),
    ],
)
def test_an_account_that_cannot_be_read_as_is_said(read, fault, state, said):
    with GCPSimulator(faults=[fault]) as simulator:
        result = read(simulator, impersonate="reader@tidewater-web.iam.gserviceaccount.com", retry_deadline_s=0.2)
    assert result.coverage == {("", "project"): (state, 0)}
    assert said in result.error("", "project")


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        ({"client_email": "gone@b.iam.gserviceaccount.com"}, "the service account does not exist"),
        ({"private_key_id": "0" * 40}, r"invalid_grant"),
    ],
)
def test_a_login_that_is_refused_is_denied_and_says_why(tmp_path, change, hint, read):
    with GCPSimulator() as simulator:
        with open(simulator.settings["key_file_path"]) as file:
            key = json.load(file)
        path = tmp_path / "key.json"
        path.write_text(json.dumps({**key, **change}))
        result = read(simulator, key_file_path=str(path))
    assert result.coverage == {("", "project"): ("denied", 0)}
    error = result.error("", "project")
    assert "login refused" in error
    assert hint in error
    assert "\n" not in error
    assert key["private_key"][40:80] not in error


def test_the_token_is_asked_for_reading_only(tmp_path):
    with GCPSimulator() as simulator, open(simulator.settings["key_file_path"]) as file:
        key = json.load(file)
    path = tmp_path / "key.json"
    with LoopbackServer(lambda request: Answer(400)) as server:
        path.write_text(json.dumps({**key, "token_uri": f"{server.url}/token"}))
        (record,) = GCPCloud(str(path), endpoint="http://127.0.0.1:9", record_types=["instance", "firewall"]).read()
    assert record["com"]["state"] == "failed"
    asked = []
    for request in server.requests:
        claims = request.form["assertion"].split(".")[1]
        asked += json.loads(base64.urlsafe_b64decode(claims + "=="))["scope"].split()
    assert sorted(scope.rpartition("/")[2] for scope in asked) == ["cloud-platform.read-only", "compute.readonly"]
