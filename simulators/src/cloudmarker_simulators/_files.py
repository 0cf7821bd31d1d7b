"""Reading the files that a simulator serves: tenants, which ship with this package, and recordings."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, TypedDict, TypeVar

from cloudmarker_simulators._http import JsonObject
from cloudmarker_simulators._sources import Refusal
from cloudmarker_simulators.faults import Fault

F = TypeVar("F")

TWINS = "twins"
"""The tenant that exists in both clouds. It is made of blueprints, as synthetic tenants are."""


class DataError(ValueError):
    """A tenant that does not exist or a file that is not what it should be; the message names it."""


class ExpectedFinding(TypedDict):
    """A firewall rule of the sample tenant that exposes well-known ports to everyone.

    Attributes:
        cloud: ``azure`` or ``gcp``.
        reference: id of the Azure security rule, or full resource name of the Google firewall.
        exposed_ports: those of 22, 1433, 1521, 3306, 3389 and 5432 that anyone can reach over TCP, sorted.
        why: what is special about the rule.
    """

    cloud: str
    reference: str
    exposed_ports: list[int]
    why: str


@dataclass(frozen=True)
class Recording:
    """One recorded answer.

    Attributes:
        path: path of the GET, without query.
        body: the JSON object answered.
        host: host asked, or ``""``.
        expand: value of ``$expand`` in the query, or ``""``.
    """

    path: str
    body: JsonObject
    host: str = ""
    expand: str = ""


def tenants() -> list[str]:
    """Return the names of the tenants that ship with this package, sorted."""
    return sorted([TWINS, *(entry.name for entry in _data().iterdir() if entry.is_dir())])


def load_tenant(cloud: str, name: str) -> dict[str, Any]:
    """Return the tenant file of *cloud* (``azure`` or ``gcp``) for the tenant *name*.

    Raises:
        DataError: no tenant has that name.
    """
    if name not in tenants():
        raise DataError(f"no tenant named {name!r}; there are: {', '.join(tenants())}")
    tenant: dict[str, Any] = json.loads(_data().joinpath(name, f"{cloud}.json").read_bytes())
    return tenant


def load_json(name: str) -> Any:
    """Return what the file *name* of the folder ``blueprints`` says, such as what synthetic tenants are made of."""
    return json.loads((resources.files("cloudmarker_simulators") / "blueprints" / f"{name}.json").read_bytes())


def expected_findings() -> list[ExpectedFinding]:
    """Return the firewall rules of the tenant ``sample`` that a check for exposed ports has to find.

    All others of its rules are harmless: whoever finds more has found something that is not there. A Google firewall
    that allows several protocols gives one entry for each of them that exposes a port.
    """
    findings: list[ExpectedFinding] = json.loads(_data().joinpath("sample", "expected.json").read_bytes())
    return findings


def load_recordings(path: Path) -> list[Recording]:
    """Return the answers recorded in *path*, a JSON object a line: ``path``, ``body``, maybe ``host`` and ``expand``.

    Raises:
        DataError: the file cannot be read or a line is not such an object.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as exc:
        raise DataError(f"{path}: {exc.strerror}") from exc
    return [_recording(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]


def _recording(path: Path, number: int, line: bytes) -> Recording:
    try:
        row = json.loads(line)
    except ValueError as exc:
        raise DataError(f"{path}:{number}: not JSON: {exc}") from exc
    if not isinstance(row, dict) or not isinstance(row.get("path"), str) or not isinstance(row.get("body"), dict):
        raise DataError(f"{path}:{number}: not an object with a path and a body")
    return Recording(row["path"], row["body"], row.get("host", ""), row.get("expand", ""))


def load_faults(path: Path, rule: Callable[[Any], F]) -> list[F]:
    """Return the fault rules in *path*, a JSON list of objects.

    Args:
        path: the file.
        rule: makes a rule of an object.

    Raises:
        DataError: the file cannot be read or is not such a list.
    """
    try:
        rules = json.loads(path.read_bytes())
        return [rule(each) for each in rules]
    except OSError as exc:
        raise DataError(f"{path}: {exc.strerror}") from exc
    except (ValueError, TypeError) as exc:
        raise DataError(f"{path}: not a JSON list of fault rules: {exc}") from exc


def refusals_and_faults(tenant: Mapping[str, Any]) -> tuple[list[Refusal], list[Fault]]:
    """Return what a tenant file says its reader is refused, and where its APIs misbehave."""
    return (
        [Refusal(**each) for each in tenant.get("refusals", [])],
        [Fault.from_json(each) for each in tenant.get("faults", [])],
    )


@cache
def _data() -> Any:
    return resources.files("cloudmarker_simulators") / "data"
