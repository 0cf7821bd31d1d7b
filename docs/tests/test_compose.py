"""The file with the vendors' servers: what the guide says of it, as far as that can be seen without Docker."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

DOCS = Path(__file__).resolve().parent.parent
GUIDE = (DOCS / "stores.md").read_text()
SERVICES = yaml.safe_load((DOCS / "compose.yaml").read_text())["services"]


def test_it_has_the_services_that_the_guide_starts():
    assert re.findall(r"compose\.yaml up -d (\w+)", GUIDE) == list(SERVICES)


def test_each_has_an_image_and_listens_on_the_loopback_address_only():
    for name, service in SERVICES.items():
        assert re.fullmatch(r"[\w./-]+:[\w.]+", service["image"]), name
        assert all(re.fullmatch(r"127\.0\.0\.1:(\d+):\1", port) for port in service["ports"]), name


def test_the_ports_are_those_that_the_stores_go_to():
    ports = {name: {int(port.rpartition(":")[2]) for port in service["ports"]} for name, service in SERVICES.items()}
    assert 9200 in ports["elasticsearch"]
    assert 27017 in ports["mongodb"]
    assert 8088 in ports["splunk"]


def test_the_token_of_splunk_is_the_one_of_the_guide():
    assert f"token: {SERVICES['splunk']['environment']['SPLUNK_HEC_TOKEN']}" in GUIDE
