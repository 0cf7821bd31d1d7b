"""The shape of Google API paths: the service's root, the project, and whether a list or a resource is named."""

from __future__ import annotations

import re
from dataclasses import dataclass

COMPUTE = "https://www.googleapis.com/compute/v1"
"""How resources name themselves in the compute API, whatever host was asked."""

_PROJECT = re.compile(r"(?P<root>(?:/[^/]+)*)/projects/(?P<project>[^/:]+)(?P<rest>[/:].*)?")


@dataclass(frozen=True)
class GooglePath:
    """What a path names.

    Attributes:
        path: the path itself.
        root: what comes before ``/projects``, such as ``/compute/v1``; ``""`` for paths without a project.
        project: id or number, or ``""``.
        rest: what follows the project, without a slash before it.
        is_list: whether it ends in a collection's name, and not in a resource's.
    """

    path: str
    root: str
    project: str
    rest: str
    is_list: bool

    @classmethod
    def parse(cls, path: str) -> GooglePath:
        """Take *path* apart."""
        match = _PROJECT.fullmatch(path)
        if match is None:
            return cls(path, "", "", "", is_list=False)
        rest = (match["rest"] or "").removeprefix("/")
        names = rest.split("/") if rest else []
        if names and names[0] in ("global", "aggregated"):
            del names[0]
        return cls(path, match["root"], match["project"], rest, is_list=len(names) % 2 == 1 and ":" not in names[-1])

    @property
    def is_compute(self) -> bool:
        """Say whether the path is one of the compute API."""
        return self.root == "/compute/v1"

    @property
    def scope(self) -> str:
        """Zone or region in a compute path as ``zones/Z`` or ``regions/R``, ``global``, or ``""``."""
        names = self.rest.split("/")
        if names[0] == "global":
            return "global"
        return "/".join(names[:2]) if names[0] in ("zones", "regions") and len(names) > 2 else ""

    @property
    def collection(self) -> str:
        """Name of the collection that the path ends in, such as ``firewalls``."""
        return self.path.rpartition("/")[2]


def singular(collection: str) -> str:
    """Return the name of one item of *collection*: ``firewall`` for ``firewalls``, ``address`` for ``addresses``."""
    for ending, replacement in (("ies", "y"), ("sses", "ss"), ("s", "")):
        if collection.endswith(ending):
            return collection.removesuffix(ending) + replacement
    return collection


_SERVICES = tuple(
    (re.compile(pattern), f"{name}.googleapis.com")
    for pattern, name in (
        (r"/compute/", "compute"),
        (r"/storage/", "storage"),
        (r"/sql/", "sqladmin"),
        (r"/dns/", "dns"),
        (r"/bigquery/", "bigquery"),
        (r"/v3/.+/(alertPolicies|notificationChannels|timeSeries)", "monitoring"),
        (r"/v1/[^/]+/[^/]+/assets$", "cloudasset"),
        (r"/serviceAccounts|/roles$", "iam"),
        (r"/locations$|/keyRings", "cloudkms"),
        (r"/clusters", "container"),
        (r"/v2/.+/(sinks|metrics)", "logging"),
        (r"/functions", "cloudfunctions"),
        (r"/locations/[^/]+/services", "run"),
        (r"/secrets", "secretmanager"),
        (r"/topics", "pubsub"),
        (r"/locations/global/keys", "apikeys"),
        (r"/contacts", "essentialcontacts"),
        (r"/v1/[^/]+/[^/]+/services", "serviceusage"),
    )
)


def service_of(path: str) -> str:
    """Return the service that answers *path*, such as ``compute.googleapis.com``; its host may lead the path."""
    host, slash, _ = path[1:].partition("/")
    if slash and host.endswith(".googleapis.com"):
        return host
    named = (name for pattern, name in _SERVICES if pattern.search(path))
    return next(named, "cloudresourcemanager.googleapis.com")
