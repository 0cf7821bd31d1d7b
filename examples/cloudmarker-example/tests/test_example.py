from __future__ import annotations

import csv
import json
import subprocess
import sys

from cloudmarker.testing import check_plugin, records
from cloudmarker_example.plugins import CSVCloud, CSVStore, MissingTagEvent

MACHINES = "name,location,owner\nweb,hall 1,alice\ndb,hall 2,\n"


def test_the_plugins_conform(tmp_path):
    (tmp_path / "machines.csv").write_text(MACHINES)
    check_plugin(CSVCloud, {"path": str(tmp_path / "machines.csv")})
    check_plugin(MissingTagEvent, {"tags": ["owner"]}, records=[records.compute(tags={})])
    check_plugin(CSVStore, {"path": str(tmp_path / "out.csv")})


def test_an_audit_finds_the_machine_without_an_owner(tmp_path):
    (tmp_path / "machines.csv").write_text(MACHINES)
    config = {
        "plugins": {
            "machines": {"plugin": "csvcloud", "params": {"path": "machines.csv"}},
            "findings": {"plugin": "csvstore", "params": {"path": "findings.csv"}},
        },
        "audits": {"daily": {"clouds": ["machines"], "events": ["missingtagevent"], "alerts": ["findings"]}},
        "logger": {"handlers": {"file": {"filename": "audit.log"}}},
        "run": ["daily"],
    }
    (tmp_path / "audit.yaml").write_text(json.dumps(config))
    subprocess.run([sys.executable, "-m", "cloudmarker", "-n", "-c", "audit.yaml"], cwd=tmp_path, check=True)
    with (tmp_path / "findings.csv").open() as lines:
        events = [row for row in csv.DictReader(lines) if row["severity"]]
    assert [event["description"] for event in events] == ["machines.csv/db has no tag 'owner'."]
