"""What becomes of findings from run to run, over the simulators: each run is the whole command, the tenant changes.

Each case says where a rule that opens a port stands in the simulator's data, and which requests answer 403 for its
account to be out of sight.
"""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from cloudmarker_simulators import AzureSimulator, Fault, GCPSimulator

CLI = [sys.executable, "-m", "cloudmarker"]
SUBSCRIPTION = "3d1a5c70-6e2f-4f83-8b19-c05e7d94a2b1"
PROJECT = "tidewater-web"


@dataclass
class Tenant:
    """A simulated tenant whose rules can be changed.

    Attributes:
        account: the ``com.account`` that things happen in.
        out_of_sight: matches the requests about it.
    """

    cloud: dict[str, Any]
    simulator: Any
    account: str
    out_of_sight: str
    rules: list[Any]
    rule: dict[str, Any]

    def open_a_rule(self) -> None:
        """Open a port to the whole Internet that no rule opens yet."""
        self.rules.append(self.rule)

    def close_it(self) -> None:
        self.rules.remove(self.rule)

    def hide(self) -> None:
        self.simulator.faults.append(Fault(self.out_of_sight, status=403))

    def show(self) -> None:
        self.simulator.faults.clear()


def azure(simulator: AzureSimulator) -> Tenant:
    groups = simulator.source.collection(
        f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Network/networkSecurityGroups"
    )
    group = next(item for item in groups.items if item["name"] == "empty-nsg")
    rules = group["properties"]["securityRules"]
    rule = {
        "id": f"{group['id']}/securityRules/opened",
        "name": "opened",
        "type": "Microsoft.Network/networkSecurityGroups/securityRules",
        "properties": {
            "provisioningState": "Succeeded",
            "protocol": "Tcp",
            "sourcePortRange": "*",
            "destinationPortRange": "22",
            "sourceAddressPrefix": "*",
            "destinationAddressPrefix": "*",
            "access": "Allow",
            "priority": 4000,
            "direction": "Inbound",
        },
    }
    cloud = {"plugin": "azcloud", "params": {**simulator.settings, "retry_deadline_s": 3}}
    return Tenant(cloud, simulator, SUBSCRIPTION, f"/subscriptions/{SUBSCRIPTION}/", rules, rule)


def gcp(simulator: GCPSimulator) -> Tenant:
    found = [
        simulator.source.collection(f"/compute/v1/projects/{project['projectId']}/global/firewalls")
        for project in simulator.source.collection("/v3/projects:search").items
    ]
    rules = next(each.items for each in found if each is not None and each.items)
    project = rules[0]["selfLink"].split("/projects/")[1].split("/")[0]
    rule = copy.deepcopy(rules[0])
    rule |= {
        "name": "opened",
        "id": "4711",
        "selfLink": rule["selfLink"].rpartition("/")[0] + "/opened",
        "direction": "INGRESS",
        "disabled": False,
        "priority": 1000,
        "sourceRanges": ["0.0.0.0/0"],
        "allowed": [{"IPProtocol": "tcp", "ports": ["22"]}],
    }
    for key in ("denied", "sourceTags", "sourceServiceAccounts", "targetTags", "targetServiceAccounts"):
        rule.pop(key, None)
    cloud = {"plugin": "gcpcloud", "params": {**simulator.settings, "retry_deadline_s": 3}}
    return Tenant(cloud, simulator, project, f"/projects/{project}/", rules, rule)


@pytest.fixture(params=["azure", "gcp"])
def tenant(request: pytest.FixtureRequest) -> Iterator[Tenant]:
    if request.param == "azure":
        with AzureSimulator(tenant="sample") as simulator:
            yield azure(simulator)
    else:
        with GCPSimulator(tenant="sample") as simulator:
            yield gcp(simulator)


class Audit:
    """Runs one audit again and again. What its alerts were sent is read from their files."""

    def __init__(self, directory: Path, cloud: dict[str, Any], event: str = "firewallruleevent") -> None:
        self._directory = directory
        changes = {"status": ["new", "reopened", "fixed"]}
        config = {
            "plugins": {
                "cloud": cloud,
                "all": {"plugin": "filestore", "params": {"path": str(directory / "all")}},
                "changes": {
                    "plugin": "filestore",
                    "params": {"path": str(directory / "changes")},
                    "when": changes,
                },
            },
            "audits": {
                "a": {
                    "clouds": ["cloud"],
                    "events": [event],
                    "stores": ["all"],
                    "alerts": ["all", "changes"],
                }
            },
            "run": ["a"],
            "state": {"path": str(directory / "state")},
            "logger": {"handlers": {"file": {"filename": str(directory / "log")}}},
        }
        (directory / "c.yaml").write_text(yaml.safe_dump(config))

    def run(self) -> dict[str, int]:
        """Run it, and return its findings by status."""
        now = time.strftime("%S")
        while time.strftime("%S") == now:
            time.sleep(0.05)  # the run before may have begun in this second, and a version has no more
        ran = self._cloudmarker("run", "--json")
        assert ran.returncode in (0, 4), ran.stderr
        self.status = json.loads(ran.stdout)[0]["status"]
        return json.loads(ran.stdout)[0]["statuses"]

    def alerted(self, name: str) -> list[dict[str, Any]]:
        """Return the events that an alert was sent in the latest run."""
        folder = self._directory / name
        found = sorted(folder.glob("a_firewallruleevent*.json"), key=lambda path: path.stat().st_mtime_ns)
        return [record["com"] for record in json.loads(found[-1].read_bytes())] if found else []

    def diff(self) -> list[dict[str, Any]]:
        """Return what ``cloudmarker diff`` says of the latest two runs."""
        ran = self._cloudmarker("diff", "--json")
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)["changes"]

    def clear(self) -> None:
        for path in [*self._directory.glob("all/*"), *self._directory.glob("changes/*")]:
            path.unlink()

    def _cloudmarker(self, *args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*CLI, "-c", "c.yaml", *args], cwd=self._directory, capture_output=True, text=True, check=False, timeout=60
        )


def test_findings_are_told_when_they_change_and_are_fixed_only_when_they_were_looked_for(tmp_path, tenant):
    audit = Audit(tmp_path, tenant.cloud)
    first = audit.run()
    known = first["new"]
    assert set(first) == {"new"}
    assert known > 3

    audit.clear()
    assert audit.run() == {"open": known}
    assert Counter(com["status"] for com in audit.alerted("all")) == {"open": known}
    assert audit.alerted("changes") == []
    assert audit.diff() == []

    tenant.open_a_rule()
    audit.clear()
    assert audit.run() == {"new": 1, "open": known}
    (opened,) = audit.alerted("changes")
    assert (opened["status"], opened["account"]) == ("new", tenant.account)
    assert "opened" in opened["reference"]
    assert [(change["status"], change["fingerprint"]) for change in audit.diff()] == [("new", opened["fingerprint"])]

    there = sum(com["account"] == tenant.account for com in audit.alerted("all"))
    tenant.hide()
    audit.clear()
    hidden = audit.run()
    assert audit.status == "incomplete"
    assert hidden == {"open": known + 1 - there, "unknown": there}
    assert audit.alerted("changes") == []
    assert {change["status"] for change in audit.diff()} == {"unknown"}
    assert all(com["account"] != tenant.account for com in audit.alerted("all"))

    tenant.show()
    audit.clear()
    assert audit.run() == {"open": known + 1}
    assert audit.alerted("changes") == []

    tenant.close_it()
    audit.clear()
    assert audit.run() == {"open": known, "fixed": 1}
    (fixed,) = audit.alerted("changes")
    assert (fixed["status"], fixed["fingerprint"]) == ("fixed", opened["fingerprint"])
    assert fixed["first_seen"] == opened["first_seen"] < fixed["last_seen"]
    assert fixed["description"] == opened["description"]

    audit.clear()
    assert audit.run() == {"open": known}
    assert audit.alerted("changes") == []

    tenant.open_a_rule()
    audit.clear()
    assert audit.run() == {"reopened": 1, "open": known}
    assert [com["status"] for com in audit.alerted("changes")] == ["reopened"]


def test_what_is_in_zones_that_are_no_longer_read_is_not_fixed(tmp_path):
    with GCPSimulator(projects=2) as simulator:
        params: dict[str, Any] = {**simulator.settings, "retry_deadline_s": 3}
        everywhere = Audit(tmp_path, {"plugin": "gcpcloud", "params": params}, "internetexposureevent")
        known = everywhere.run()["new"]
        params["zone"] = "us-east1-b"
        here = Audit(tmp_path, {"plugin": "gcpcloud", "params": params}, "internetexposureevent")
        seen = here.run()
        assert here.status == "complete"
        assert set(seen) - {"open"} == {"unknown"}
        assert sum(seen.values()) == known
        params["zone"] = None
        everywhere = Audit(tmp_path, {"plugin": "gcpcloud", "params": params}, "internetexposureevent")
        assert everywhere.run() == {"open": known}
