"""What is imported, which hosts are asked for, and what is said about secrets; each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from cloudmarker_simulators import Fault, GCPSimulator

SDK = ("google", "googleapiclient", "google_auth_httplib2", "httplib2", "requests", "cryptography")

READ = """
import json, logging, socket, sys, threading
hosts, real = set(), socket.getaddrinfo
def lookup(host, *args, **kwargs):
    hosts.add(host)
    return real(host, *args, **kwargs)
socket.getaddrinfo = lookup
logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
from cloudmarker_gcp.gcpcloud import GCPCloud
records = list(GCPCloud(**json.loads(sys.argv[1])).read())
for thread in threading.enumerate():
    if thread is not threading.current_thread():
        thread.join(5)
print(json.dumps({"hosts": sorted(hosts), "records": records}))
"""


def run(code: str, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *args], capture_output=True, text=True, timeout=60, check=True, env=env or None
    )


@pytest.mark.parametrize("module", ["cloudmarker_gcp", "cloudmarker_gcp._hooks", "cloudmarker_gcp.gcpcloud"])
def test_importing_what_the_main_process_imports_loads_no_sdk(module):
    code = f"import sys, {module}; print([name for name in {SDK!r} if name in sys.modules])"
    assert run(code).stdout.strip() == "[]"


def test_constructing_the_plugin_loads_no_sdk_and_asks_nobody():
    code = "import sys\nfrom cloudmarker_gcp.gcpcloud import GCPCloud\nGCPCloud('key.json', 'us-east1-b')\n"
    assert run(f"{code}print([name for name in {SDK!r} if name in sys.modules])").stdout.strip() == "[]"


@pytest.mark.parametrize("account", [None, "reader@tidewater-web.iam.gserviceaccount.com"])
def test_with_an_endpoint_no_other_host_is_looked_up(account):
    with GCPSimulator() as simulator:
        result = json.loads(run(READ, json.dumps({**simulator.settings, "impersonate": account})).stdout)
    assert result["hosts"] == ["127.0.0.1"]
    assert len(result["records"]) > 20


def test_a_proxy_is_not_asked_for_this_machine():
    with GCPSimulator() as simulator:
        proxies = {"http_proxy": "http://proxy.invalid:3128", "https_proxy": "http://proxy.invalid:3128"}
        result = json.loads(run(READ, json.dumps(simulator.settings), **proxies).stdout)
    assert result["hosts"] == ["127.0.0.1"]
    assert len(result["records"]) > 20


def test_no_secret_is_in_records_or_logs_even_if_answers_repeat_it():
    with GCPSimulator() as simulator:
        with open(simulator.settings["key_file_path"]) as file:
            key = json.load(file)["private_key"]
        echo = json.dumps({"error": {"message": f"you sent {key}"}})
        simulator.faults.append(Fault("/tidewater-web/global/firewalls", status=400, body=echo))
        done = run(READ, json.dumps(simulator.settings))
    said = done.stdout + done.stderr
    assert "you sent ***" in said
    for line in key.splitlines():
        assert line not in said
    assert "Bearer" not in said
    assert "assertion" not in said
