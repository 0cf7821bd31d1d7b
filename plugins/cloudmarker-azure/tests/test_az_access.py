"""Parameters: what is refused, and where they lead."""

import subprocess
import sys

import pytest
from cloudmarker.contracts import Cloud
from cloudmarker.errors import ConfigError
from cloudmarker_azure.azcloud import AzCloud


def problems(**parameters):
    with pytest.raises(ConfigError) as caught:
        AzCloud(**parameters)
    return caught.value.problems


def test_no_parameter_is_needed():
    assert isinstance(AzCloud(), Cloud)


def test_documented_parameters_may_be_positional_and_null():
    AzCloud(None, None, None, 1, 2)


@pytest.mark.parametrize("name", ["endpoint", "authority"])
def test_an_unencrypted_address_is_refused(name):
    (problem,) = problems(**{name: "http://localhost:8080"})
    assert problem.startswith(f"{name}: ")
    assert "use https://" in problem


@pytest.mark.parametrize(
    "url", ["localhost:8443", "ftp://a", "https://", "https://a:b@c", "https://a?b=c", "https://a:port", "//a", "[::1"]
)
def test_what_is_no_https_address_is_refused(url):
    (problem,) = problems(endpoint=url)
    assert problem.startswith("endpoint: ")


def test_a_secret_needs_tenant_and_client():
    assert problems(secret="s3cret") == (
        "secret: it needs tenant and client beside it; leave it out to use the ambient credential",
    )


def test_all_problems_are_named_at_once(tmp_path):
    found = problems(
        secret="s3cret", tenant="t", cloud="moon", authority="http://a", ca_cert=str(tmp_path / "none.pem")
    )
    assert [problem.partition(":")[0] for problem in found] == ["secret", "cloud", "authority", "ca_cert"]
    assert "s3cret" not in " ".join(found)


def test_threads_and_subscriptions_are_checked():
    assert "threads" in problems(threads=0)[0]
    assert "subscriptions" in problems(subscriptions="prod")[0]


@pytest.mark.parametrize(
    ("cloud", "scope"),
    [
        ("public", "https://management.azure.com/.default"),
        ("usgov", "https://management.usgovcloudapi.net/.default"),
        ("china", "https://management.chinacloudapi.cn/.default"),
    ],
)
def test_the_token_is_asked_for_the_cloud_whatever_the_endpoint(cloud, scope):
    assert AzCloud(cloud=cloud, endpoint="https://arm.example/")._settings.access.scope == scope


def test_the_secret_is_not_in_the_repr():
    assert "s3cret" not in repr(AzCloud("t", "c", "s3cret")._settings)


@pytest.mark.parametrize("module", ["cloudmarker_azure", "cloudmarker_azure._hooks", "cloudmarker_azure.azcloud"])
def test_import_and_construction_import_no_sdk(module):
    code = (
        f"import sys, {module}; "
        "m = sys.modules.get('cloudmarker_azure.azcloud'); m and m.AzCloud('t', 'c', 's'); "
        "print(sorted({n.partition('.')[0] for n in sys.modules} & {'azure', 'msal', 'requests', 'urllib3'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
