"""Logging in without a secret: what the machine, the cluster or `az login` gives, through azure-identity."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cloudmarker.testing.servers import Answer, LoopbackServer, Request
from cloudmarker_azure.azcloud import AzCloud
from cloudmarker_simulators import AzureSimulator

AUDIENCE = "https://management.azure.com"


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that is logged in to nothing; the directory of its commands."""
    for name in list(os.environ):
        if name.startswith(("AZURE_", "IDENTITY_", "MSI_", "IMDS_")):
            monkeypatch.delenv(name)
    commands = tmp_path / "bin"
    commands.mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{commands}:/bin:/usr/bin")
    return commands


@pytest.fixture
def azure(small_tenant: Path) -> Iterator[AzureSimulator]:
    with AzureSimulator(recordings=small_tenant) as simulator:
        yield simulator


@pytest.fixture
def identities(azure: AzureSimulator) -> Iterator[LoopbackServer]:
    """What gives tokens on a machine of Azure."""

    def token(request: Request) -> Answer:
        body = {"access_token": azure.tokens.issue(), "token_type": "Bearer", "resource": AUDIENCE}
        return Answer(200, {**body, "expires_on": str(int(time.time()) + 3600), "expires_in": "3600"})

    with LoopbackServer(token) as server:
        yield server


def read(simulator: AzureSimulator, *also: str, **params: Any) -> set[str]:
    """Read without a secret, with these parameters of the simulator *also*, and return the states of the coverage."""
    names = ("endpoint", "authority", "ca_cert", *also)
    records = list(AzCloud(**{name: simulator.settings[name] for name in names}, **params).read())
    errors = [record["com"]["error"] for record in records if record["com"].get("error")]
    assert errors == []
    assert len([record for record in records if record["ext"]["record_type"] == "nsg"]) == 4
    return {record["com"]["state"] for record in records if record["com"]["record_type"] == "coverage"}


@pytest.fixture
def federated(azure: AzureSimulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AzureSimulator:
    """A pod whose service account is trusted: the file, and what the cluster sets beside it."""
    token = tmp_path / "token"
    token.write_text(azure.settings["secret"])  # the simulator takes it for an assertion of the cluster
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(token))
    return azure


def test_the_identity_of_a_workload_serves(federated, monkeypatch):
    monkeypatch.setenv("AZURE_TENANT_ID", federated.settings["tenant"])
    monkeypatch.setenv("AZURE_CLIENT_ID", federated.settings["client"])
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", federated.settings["authority"])
    assert read(federated) == {"ok"}


def test_tenant_client_and_authority_of_the_plugin_go_before_those_of_the_workload(federated, monkeypatch):
    for name, other in (("TENANT_ID", "other"), ("CLIENT_ID", "other"), ("AUTHORITY_HOST", "https://127.0.0.1:9")):
        monkeypatch.setenv(f"AZURE_{name}", other)
    assert read(federated, "tenant", "client") == {"ok"}
    assert os.environ["AZURE_AUTHORITY_HOST"] == "https://127.0.0.1:9"


def test_the_token_of_a_workload_goes_to_the_authority_of_its_cloud(federated):
    assert read(federated, "tenant", "client") == {"ok"}
    assert "AZURE_AUTHORITY_HOST" not in os.environ


def test_the_managed_identity_of_a_machine_serves(azure, identities, monkeypatch):
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", identities.url)
    assert read(azure) == {"ok"}
    assert azure.requests[0][0] == "GET"
    (asked,) = identities.requests
    assert (asked.method, asked.path) == ("GET", "/metadata/identity/oauth2/token")
    assert asked.query["resource"] == AUDIENCE
    assert "client_id" not in asked.query
    assert asked.headers["metadata"] == "true"


@pytest.mark.parametrize("also", [(), ("tenant",)])
def test_a_managed_identity_is_chosen_by_client(azure, identities, monkeypatch, also):
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", identities.url)
    assert read(azure, *also, client="4f6d0f1e-0000-4000-8000-000000000000") == {"ok"}
    assert [asked.query["client_id"] for asked in identities.requests] == ["4f6d0f1e-0000-4000-8000-000000000000"]


def test_the_managed_identity_of_an_app_or_container_serves(azure, identities, monkeypatch):
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{identities.url}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "a-header")
    assert read(azure) == {"ok"}
    (asked,) = identities.requests
    assert (asked.method, asked.path, asked.query["resource"]) == ("GET", "/msi/token", AUDIENCE)
    assert asked.headers["x-identity-header"] == "a-header"


def az(commands: Path, token: str) -> Path:
    """Install an `az` that is logged in, and return the file in which it notes what it was called with."""
    calls = commands / "calls"
    answer = {"accessToken": token, "expires_on": int(time.time()) + 3600, "expiresOn": "2100-01-01 00:00:00.000000"}
    script = commands / "az"
    script.write_text(f"#!/bin/sh\necho \"$@\" >> '{calls}'\necho '{json.dumps(answer)}'\n")
    script.chmod(0o755)
    return calls


@pytest.mark.parametrize("also", [(), ("tenant",)])
def test_who_is_logged_in_with_az_login_serves(azure, bare, monkeypatch, also):
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "dev")  # this machine may have an identity of its own
    calls = az(bare, azure.tokens.issue())
    assert read(azure, *also) == {"ok"}
    (call,) = calls.read_text().splitlines()
    assert call.startswith("account get-access-token --output json --resource https://management.azure.com")
    assert (f"--tenant {azure.settings['tenant']}" in call) == ("tenant" in also)


def test_who_is_not_logged_in_with_az_is_told_so(azure, bare, monkeypatch):
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "AzureCliCredential")
    script = bare / "az"
    script.write_text("#!/bin/sh\necho \"ERROR: Please run 'az login' to setup account.\" >&2\nexit 1\n")
    script.chmod(0o755)
    (record,) = AzCloud(**{name: azure.settings[name] for name in ("endpoint", "authority", "ca_cert")}).read()
    assert record["com"]["state"] == "failed"
    assert "az login" in record["com"]["error"]
    assert azure.requests == []
