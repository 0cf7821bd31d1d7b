"""Logging in without a key file: what the machine or `gcloud` gives, through google-auth."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
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


class Tokens:
    """Gives tokens as the metadata server does and as the token endpoint does; *asked* has what it was asked."""

    def __init__(self, simulator: GCPSimulator) -> None:
        asked = self.asked = []
        email = "reader@tidewater-web.iam.gserviceaccount.com"

        class Server(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append((self.path, dict(self.headers)))
                path = urlsplit(self.path).path.removeprefix("/computeMetadata/v1/")
                if path.startswith("instance/service-accounts/") and path.endswith("/token"):
                    self._answer(self._token())
                elif path.startswith("instance/service-accounts/"):
                    self._answer({"email": email, "scopes": [], "aliases": ["default"]})
                elif path == "project/project-id":
                    self._answer("tidewater-web")
                elif path == "universe/universe-domain":
                    self._answer("googleapis.com")
                else:
                    self._answer("")

            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                asked.append((self.path, {name: value[0] for name, value in form.items()}))
                self._answer(self._token())

            def _token(self) -> dict[str, Any]:
                return {"access_token": simulator.tokens.issue(), "expires_in": 3599, "token_type": "Bearer"}

            def _answer(self, answer: Any) -> None:
                text = answer if isinstance(answer, str) else json.dumps(answer)
                self.send_response(200)
                self.send_header("Metadata-Flavor", "Google")
                self.send_header("Content-Type", "application/text" if text is answer else "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *args: Any) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Server)
        self.host = f"127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def simulator() -> Iterator[GCPSimulator]:
    with GCPSimulator() as made:
        yield made


@pytest.fixture
def tokens(simulator: GCPSimulator) -> Iterator[Tokens]:
    made = Tokens(simulator)
    yield made
    made.close()


def holes(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    assert {record["ext"]["record_type"] for record in records} >= {"project", "firewall", "instance"}
    return [record["com"] for record in records if record["com"].get("state") in ("denied", "failed", "throttled")]


def test_the_account_of_the_machine_serves(simulator, tokens):
    metadata = {"GCE_METADATA_HOST": tokens.host, "GCE_METADATA_IP": tokens.host}  # read when google-auth is imported
    done = subprocess.run(
        [sys.executable, "-c", READ, json.dumps({"endpoint": simulator.settings["endpoint"]})],
        env={**os.environ, **metadata},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert holes(json.loads(done.stdout)) == []
    (asked,) = [path for path, _ in tokens.asked if urlsplit(path).path.endswith("/token")]
    assert parse_qs(urlsplit(asked).query)["scopes"][0].startswith("https://www.googleapis.com/auth/cloud-platform")
    assert ("POST", "/token") not in simulator.requests


def test_who_is_logged_in_with_gcloud_serves(simulator, tokens, bare, monkeypatch):
    login = {"client_id": "gcloud", "client_secret": "known", "refresh_token": "mine", "type": "authorized_user"}
    (bare / "application_default_credentials.json").write_text(json.dumps(login))
    monkeypatch.setattr(credentials, "_GOOGLE_OAUTH2_TOKEN_ENDPOINT", f"http://{tokens.host}/token")  # no other way
    records = list(GCPCloud(endpoint=simulator.settings["endpoint"]).read())
    assert holes(records) == []
    ((path, form),) = tokens.asked
    assert (path, form["grant_type"], form["refresh_token"]) == ("/token", "refresh_token", "mine")
    said = json.dumps(records)
    assert not any(f'"{secret}"' in said for secret in ("mine", "known"))
