"""The sections of the 0.1 tutorial on these stores, with the counts that it gives: 10 records, 4 events."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from hecserver import HECServer

STORES = {"esstore": "EsStore", "mongodbstore": "MongoDBStore"}


def audit(folder: Path, config: str, overlay: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """Run `cloudmarker -n` with a configuration of the tutorial, and what is particular to this machine."""
    (folder / "cloudmarker.yaml").write_text(config)
    here: dict[str, Any] = {
        "plugins": {"filestore": {"params": {"path": str(folder / "out")}}},
        "logger": {"handlers": {"file": {"filename": str(folder / "log")}}},
        "state": {"path": str(folder / "state")},
    }
    here["plugins"].update(overlay)
    (folder / "here.yaml").write_text(yaml.safe_dump(here))
    done = subprocess.run(
        [sys.executable, "-m", "cloudmarker", "-n", "-c", "cloudmarker.yaml", "here.yaml"],
        cwd=folder,
        env={**os.environ, "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


MINIMAL = """
audits:
  mockaudit:
    stores:
      - filestore
      - {store}
    alerts:
      - filestore
      - {store}
"""

ELASTICSEARCH = """
plugins:
  esstore:
    plugin: cloudmarker.stores.esstore.EsStore
    params:
      host: localhost
      port: 9200
      index: cloudmarker
"""

MONGODB = """
plugins:
  mongodbstore:
    plugin: cloudmarker.stores.mongodbstore.MongoDBStore
    params:
      host: localhost
      port: 27017
      db: cloudmarker
      collection: cloudmarker
      username: null
      password: null
      buffer_size: 1000
"""

SPLUNK = """
plugins:
  splunkstore:
    plugin: cloudmarker.stores.splunkhecstore.SplunkHECStore
    params:
      uri: https://localhost:8088/services/collector
      token: token123
      index: main
      ca_cert: false
audits:
  mockaudit:
    stores:
      - filestore
      - splunkstore
    alerts:
      - filestore
      - splunkstore
"""


def elasticsearch_counts(port: int) -> Counter[str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/cloudmarker/_search?size=100", timeout=10) as answer:
        hits = json.load(answer)["hits"]["hits"]
    return Counter(hit["_source"]["com"]["record_type"] for hit in hits)


@pytest.mark.parametrize("elaborate", ["", ELASTICSEARCH], ids=["minimal", "elaborate"])
def test_elasticsearch(noida, tmp_path, elaborate):
    request = urllib.request.Request(f"http://127.0.0.1:{noida}/cloudmarker", method="DELETE")
    with contextlib.suppress(urllib.error.HTTPError):  # it is not there
        urllib.request.urlopen(request, timeout=10).close()
    audit(tmp_path, elaborate + MINIMAL.format(store="esstore"), {"esstore": {"params": {"port": noida}}})
    counts = elasticsearch_counts(noida)
    assert (counts["mock"], counts["mock_event"]) == (10, 4)


@pytest.mark.parametrize("elaborate", ["", MONGODB], ids=["minimal", "elaborate"])
def test_mongodb(mongo, tmp_path, elaborate):
    with mongo.client() as client:
        client.drop_database("cloudmarker")
        overlay = {"mongodbstore": {"params": {"port": mongo.port}}}
        audit(tmp_path, elaborate + MINIMAL.format(store="mongodbstore"), overlay)
        found = client.cloudmarker.cloudmarker.find()
        counts = Counter(document["com"]["record_type"] for document in found)
    assert (counts["mock"], counts["mock_event"]) == (10, 4)


def test_splunk(certificates, tmp_path):
    with HECServer(tls=certificates.server) as server:
        uri = f"https://localhost:{server.port}/services/collector"
        audit(tmp_path, SPLUNK, {"splunkstore": {"params": {"uri": uri}}})
        found = [event["event"]["com"] for event in server.events if event["index"] == "main"]
    assert len([com for com in found if com["record_type"] == "mock"]) == 10
    events = [com for com in found if com["record_type"] == "mock_event"]
    assert len(events) == 4
    assert all(com["description"] for com in events)


def test_the_documented_stores_are_in_the_base_config():
    from cloudmarker.baseconfig import config_dict

    for key, name in STORES.items():
        assert config_dict["plugins"][key]["plugin"] == f"cloudmarker.stores.{key}.{name}"


def test_old_names_lead_to_the_same_classes():
    import cloudmarker_stores.esstore
    import cloudmarker_stores.mongodbstore
    import cloudmarker_stores.splunkhecstore
    from cloudmarker.stores.esstore import EsStore
    from cloudmarker.stores.mongodbstore import MongoDBStore
    from cloudmarker.stores.splunkhecstore import SplunkHECStore

    assert EsStore is cloudmarker_stores.esstore.EsStore
    assert MongoDBStore is cloudmarker_stores.mongodbstore.MongoDBStore
    assert SplunkHECStore is cloudmarker_stores.splunkhecstore.SplunkHECStore
