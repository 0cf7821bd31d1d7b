"""Clients of the simulators made of the standard library alone, and the recorded answers where they are present."""

import base64
import json
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from cloudmarker_simulators import AzureSimulator, GCPSimulator
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

RECORDINGS = Path(__file__).parents[3] / "shared" / "recordings"


class Client:
    """Calls one simulator, with a token once it has one."""

    def __init__(self, simulator, context=None):
        self.simulator = simulator
        self.root = simulator.settings["endpoint"]
        self.context = context
        self.token = None

    def call(self, path, *, method="GET", data=None, headers=None):
        url = path if "://" in path else self.root + path
        headers = dict(headers or {})
        if self.token is not None:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        body = urllib.parse.urlencode(data).encode() if isinstance(data, dict) else data
        request = urllib.request.Request(url, data=body, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, context=self.context, timeout=10) as answer:
                return answer.status, json.loads(answer.read()), answer.headers
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read() or b"null"), error.headers

    def get(self, path):
        status, body, _ = self.call(path)
        assert status == 200, body
        return body


class AzureClient(Client):
    def __init__(self, simulator):
        super().__init__(simulator, ssl.create_default_context(cafile=simulator.settings["ca_cert"]))

    def log_in(self, **changes):
        settings = self.simulator.settings
        form = {
            "grant_type": "client_credentials",
            "client_id": settings["client"],
            "client_secret": settings["secret"],
            "scope": "https://management.azure.com/.default",
        }
        tenant = changes.pop("tenant", settings["tenant"])
        status, body, _ = self.call(f"/{tenant}/oauth2/v2.0/token", method="POST", data={**form, **changes})
        if status == 200:
            self.token = body["access_token"]
        return status, body

    def read(self, path):
        return self.call(f"{path}?api-version=2024-05-01")

    def pages(self, path, **query):
        url = f"{path}?{urllib.parse.urlencode({'api-version': '2024-05-01', **query})}"
        while url:
            page = self.get(url)
            yield page
            url = page.get("nextLink")

    def items(self, path):
        return [item for page in self.pages(path) for item in page["value"]]


class GoogleClient(Client):
    def assertion(self, **changes):
        key = json.loads(Path(self.simulator.settings["key_file_path"]).read_text())
        now = int(time.time())
        claims = {
            "iss": key["client_email"],
            "aud": "https://oauth2.googleapis.com/token",
            "iat": now,
            "exp": now + 3600,
            "scope": "https://www.googleapis.com/auth/cloud-platform",
            **changes,
        }
        header = {"alg": "RS256", "typ": "JWT", "kid": key["private_key_id"]}
        signed = b".".join(_base64(json.dumps(part).encode()) for part in (header, claims))
        private_key = serialization.load_pem_private_key(key["private_key"].encode(), None)
        signature = private_key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
        return (signed + b"." + _base64(signature)).decode()

    def log_in(self, assertion=None, **changes):
        form = {
            "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "assertion": assertion or self.assertion(**changes),
        }
        status, body, _ = self.call("/token", method="POST", data=form)
        if status == 200:
            self.token = body["access_token"]
        return status, body

    def pages(self, path, **query):
        token = None
        while True:
            parameters = {**query, **({"pageToken": token} if token else {})}
            page = self.get(f"{path}?{urllib.parse.urlencode(parameters)}")
            yield page
            token = page.get("nextPageToken")
            if token is None:
                return

    def items(self, path, key="items", **query):
        return [item for page in self.pages(path, **query) for item in page.get(key, [])]


def _base64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


@pytest.fixture
def azure_client():
    return AzureClient


@pytest.fixture(scope="session")
def azure_client_class():
    return AzureClient


@pytest.fixture(scope="session")
def google_client_class():
    return GoogleClient


@pytest.fixture
def google_client():
    return GoogleClient


@pytest.fixture(scope="session")
def sample_azure():
    with AzureSimulator() as simulator:
        client = AzureClient(simulator)
        client.log_in()
        yield client


@pytest.fixture(scope="session")
def sample_google():
    with GCPSimulator() as simulator:
        client = GoogleClient(simulator)
        client.log_in()
        yield client


@pytest.fixture(scope="session")
def recordings():
    if not RECORDINGS.is_dir():
        pytest.skip("no recorded answers beside the repository (../shared/recordings)")
    return RECORDINGS
