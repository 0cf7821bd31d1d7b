"""Names of resources: full ones that do not depend on the endpoint, and what can be read from them."""

from __future__ import annotations

import re
from urllib.parse import unquote

COMPUTE = "//compute.googleapis.com"
RESOURCE_MANAGER = "//cloudresourcemanager.googleapis.com"

_PROJECT_PATH = re.compile(r"(?:^|/)(projects/([^/?#]+)(?:/[^?#]*)?)$")
_LOCATION = re.compile(r"/(zones|regions)/([^/?#]+)")


def compute_name(link: str, project_id: str | None) -> str:
    """Return the full resource name that a link of Compute Engine stands for.

    Args:
        link: an absolute URL, whatever its host and version; or a path from ``projects/`` or from ``global/`` on.
        project_id: whose the last kind is.

    >>> compute_name("https://www.googleapis.com/compute/v1/projects/p/global/networks/n", "q")
    '//compute.googleapis.com/projects/p/global/networks/n'
    >>> compute_name("global/networks/n", "q")
    '//compute.googleapis.com/projects/q/global/networks/n'
    """
    match = _PROJECT_PATH.search(link)
    return f"{COMPUTE}/{unquote(match[1])}" if match else f"{COMPUTE}/projects/{project_id}/{link.lstrip('/')}"


def project_in(link: str) -> str | None:
    """Return the id or number of the project in a link, or None if there is none.

    >>> project_in("https://www.googleapis.com/compute/v1/projects/example.com:p/zones/z/instances/i")
    'example.com:p'
    """
    match = _PROJECT_PATH.search(link)
    return unquote(match[2]) if match else None


def zone_and_region(link: str) -> tuple[str | None, str | None]:
    """Return the zone and the region in a link or path; a zone is in the region that its name begins with.

    >>> zone_and_region("projects/p/zones/us-east1-b/instances/i")
    ('us-east1-b', 'us-east1')
    """
    match = _LOCATION.search(f"/{link}")
    if match is None:
        return None, None
    return (match[2], match[2].rpartition("-")[0] or None) if match[1] == "zones" else (None, match[2])


def last_part(link: str) -> str:
    """Return what comes after the last slash."""
    return link.rpartition("/")[2]
