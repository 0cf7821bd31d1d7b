"""What the tests of this distribution share: reading a simulated cloud, and clouds of any size."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from cloudmarker_gcp.gcpcloud import GCPCloud
from cloudmarker_simulators import GCPSimulator

sys.path.insert(0, str(Path(__file__).parent / "support"))  # its modules have names of no other module

BASIC = ("project", "firewall", "firewall_rule", "instance")
"""What is read unless a test says otherwise."""


class Read:
    """What was read from a simulator."""

    def __init__(self, simulator: GCPSimulator, **params: Any) -> None:
        params = {"retry_deadline_s": 3.0, "record_types": BASIC, **simulator.settings, **params}
        self.records = list(GCPCloud(**params).read())

    def of(self, record_type: str, project: str | None = None) -> list[dict[str, Any]]:
        """Records by ``ext.record_type``, and by project."""
        return [
            record
            for record in self.records
            if record["ext"]["record_type"] == record_type and project in (None, record["ext"].get("project_id"))
        ]

    @property
    def coverage(self) -> dict[tuple[str, str], tuple[str, int]]:
        """State and count by project ("" for the list of projects) and resource type; each must be there once.

        Folders and organizations go by their paths. Types that are not asked for are left out.
        """
        found = {}
        for com in (record["com"] for record in self.of("coverage")):
            if com["error"] == "left out by the parameter record_types":
                continue
            path = com["scope"].removeprefix("//cloudresourcemanager.googleapis.com").lstrip("/")
            key = (path.removeprefix("projects/"), com["resource_type"])
            assert key not in found
            found[key] = (com["state"], com["count"])
        return found

    def error(self, project: str, resource_type: str) -> str:
        """The error of one coverage record."""
        (error,) = [
            record["com"]["error"]
            for record in self.of("coverage")
            if record["com"]["scope"].rpartition("googleapis.com")[2].lstrip("/").removeprefix("projects/") == project
            and record["com"]["resource_type"] == resource_type
        ]
        return error


@pytest.fixture
def start() -> Iterator[Callable[..., GCPSimulator]]:
    """A function that starts a simulator, which ends with the test."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(GCPSimulator(**options))


@pytest.fixture
def tenant(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a file of answers for projects: id → (firewalls, instances by zone)."""

    def write(projects: dict[str, tuple[list[Any], dict[str, list[Any]]]], **states: str) -> Path:
        listed = [
            {
                "projectId": name,
                "projectNumber": str(1000 + number),
                "name": name,
                "lifecycleState": states.get(name, "ACTIVE"),
            }
            for number, name in enumerate(projects)
        ]
        bodies = {"/v1/projects": {"projects": listed}}
        for name, (firewalls, zones) in projects.items():
            root = f"/compute/v1/projects/{name}"
            bodies[f"{root}/global/firewalls"] = {"items": firewalls}
            for zone, instances in zones.items():
                bodies[f"{root}/zones/{zone}/instances"] = {"items": instances}
        path = tmp_path / "answers.jsonl"
        lines = (json.dumps({"host": "", "path": key, "body": body}) for key, body in bodies.items())
        path.write_text("\n".join(lines))
        return path

    return write


@pytest.fixture(scope="session")
def read() -> type[Read]:
    """Reads a simulator with given parameters."""
    return Read
