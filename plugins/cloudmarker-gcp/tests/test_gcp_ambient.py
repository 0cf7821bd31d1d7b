"""Logging in without a key file: what the machine or `gcloud` gives, through google-auth."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cloudmarker.testing.servers import Answer, LoopbackServer, Request
from cloudmarker_gcp.gcpcloud import GCPCloud
from cloudmarker_simulators import GCPSimulator
from google.oauth2 import credentials

READ = """
import json, sys
from cloudmarker_gcp.gcpcloud import GCPCloud
print(json.dumps(list(GCPCloud(**json.loads(sys.argv[1])).read())))
"""
LOCATIONS = ("GOOGLE_", "CLOUDSDK_", "GCE_METADATA_", "GCLOUD_")


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that is logged in to nothing; the directory of its gcloud."""
    for name in list(os.environ):
        if name.startswith(LOCATIONS):
            monkeypatch.delenv(name)
    settings = tmp_path / "gcloud"
    settings.mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(settings))
    return settings


class Tokens(LoopbackServer):
    """Gives tokens as the metadata server does and as the token endpoint does."""

    def __init__(self, simulator: GCPSimulator) -> None:
        self._simulator = simulator
        super().__init__()

    def answer(self, request: Request) -> Answer:
        path = request.path.removeprefix("/computeMetadata/v1/")
        body: Any = ""
        if request.method == "POST" or (path.startswith("instance/service-accounts/") and path.endswith("/token")):
            body = {"access_token": self._simulator.tokens.issue(), "expires_in": 3599, "token_type": "Bearer"}
        elif path.startswith("instance/service-accounts/"):
            body = {"email": "reader@tidewater-web.iam.gserviceaccount.com", "scopes": [], "aliases": ["default"]}
        elif path == "project/project-id":
            body = "tidewater-web"
        elif path == "universe/universe-domain":
            body = "googleapis.com"
        return Answer(200, body, {"Metadata-Flavor": "Google"})


@pytest.fixture
def simulator() -> Iterator[GCPSimulator]:
    with GCPSimulator() as made:
        yield made


@pytest.fixture
def tokens(simulator: GCPSimulator) -> Iterator[Tokens]:
    with Tokens(simulator) as made:
        yield made


def holes(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    assert {record["ext"]["record_type"] for record in records} >= {"project", "firewall", "instance"}
    return [record["com"] for record in records if record["com"].get("state") in ("denied", "failed", "throttled")]


def test_the_account_of_the_machine_serves(simulator, tokens):
    host = f"127.0.0.1:{tokens.port}"
    metadata = {"GCE_METADATA_HOST": host, "GCE_METADATA_IP": host}  # read when google-auth is imported
    done = subprocess.run(
        [sys.executable, "-c", READ, json.dumps({"endpoint": simulator.settings["endpoint"]})],
        env={**os.environ, **metadata},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert holes(json.loads(done.stdout)) == []
    (asked,) = [request for request in tokens.requests if request.path.endswith("/token")]
    assert asked.query["scopes"].startswith("https://www.googleapis.com/auth/cloud-platform")
    assert ("POST", "/token") not in simulator.requests


def test_who_is_logged_in_with_gcloud_serves(simulator, tokens, bare, monkeypatch):
    login = {"client_id": "gcloud", "client_secret": "known", "refresh_token": "mine", "type": "authorized_user"}
    (bare / "application_default_credentials.json").write_text(json.dumps(login))
    monkeypatch.setattr(credentials, "_GOOGLE_OAUTH2_TOKEN_ENDPOINT", f"{tokens.url}/token")  # no other way
    records = list(GCPCloud(endpoint=simulator.settings["endpoint"]).read())
    assert holes(records) == []
    (asked,) = tokens.requests
    assert (asked.method, asked.target) == ("POST", "/token")
    assert (asked.form["grant_type"], asked.form["refresh_token"]) == ("refresh_token", "mine")
    said = json.dumps(records)
    assert not any(f'"{secret}"' in said for secret in ("mine", "known"))
