"""Names of resources: full ones that do not depend on the endpoint, and what can be read from them."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import unquote

COMPUTE = "//compute.googleapis.com"
RESOURCE_MANAGER = "//cloudresourcemanager.googleapis.com"
KMS = "//cloudkms.googleapis.com"

_PATH = re.compile(r"(?:^|/)((?:projects|locations)/([^/?#]+)(?:/[^?#]*)?)$")
_PROJECT = re.compile(r"(?:^|/)projects/((?:[^/?#:]+\.[^/?#:]+:)?[^/?#:]+)")
_IN_PLACE = re.compile(
    r"(?:(?P<kind>zone|region)s/(?P<place>[^/]+)|global)/(?P<collection>[a-z][A-Za-z]*)/(?P<name>[^/]+)"
)
_LOCATION = re.compile(r"/(zones|regions|locations)/([^/?#]+)")


@lru_cache(maxsize=4096)
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
    match = _PATH.search(link)
    return f"{COMPUTE}/{unquote(match[1])}" if match else f"{COMPUTE}/projects/{project_id}/{link.lstrip('/')}"


def project_in(link: str) -> str | None:
    """Return the id or number of the project in a link, or None if there is none.

    >>> project_in("https://www.googleapis.com/compute/v1/projects/example.com:p/zones/z/instances/i")
    'example.com:p'
    """
    match = _PROJECT.search(unquote(link))
    return match[1] if match else None


@lru_cache(maxsize=4096)
def zone_and_region(link: str) -> tuple[str | None, str | None]:
    """Return the zone and the region in a link or path; a zone is in the region that its name begins with.

    A location is a zone if its name ends in a single letter; ``global`` and ``-`` are none.

    >>> zone_and_region("projects/p/zones/us-east1-b/instances/i")
    ('us-east1-b', 'us-east1')
    >>> zone_and_region("projects/p/locations/us-east1/clusters/c")
    (None, 'us-east1')
    """
    match = _LOCATION.search(f"/{link}")
    return place(match[2]) if match else (None, None)


def place(name: str) -> tuple[str | None, str | None]:
    """Return the zone and the region that a location, whatever it is, stands for.

    >>> place("us-east1-b"), place("europe-west4"), place("global")
    (('us-east1-b', 'us-east1'), (None, 'europe-west4'), (None, None))
    """
    region, _, letter = name.rpartition("-")
    if name in ("global", "-", ""):
        return None, None
    if len(letter) == 1 and "-" in region:
        return name, region
    return None, name


def key_name(link: str | None) -> str | None:
    """Return the full resource name of the key that a link to one of its versions, or to itself, stands for.

    >>> key_name("projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1")
    '//cloudkms.googleapis.com/projects/p/locations/l/keyRings/r/cryptoKeys/k'
    """
    if not link:
        return None
    return f"{KMS}/{link.removeprefix(f'{KMS}/').partition('/cryptoKeyVersions/')[0]}"


def in_place(path: str) -> tuple[str, dict[str, str]]:
    """Return the collection of Compute Engine, and the arguments of its methods, that a path below a project leads to.

    Both are empty for a path of another form.

    >>> in_place("zones/us-east1-b/instanceGroups/web")
    ('instanceGroups', {'zone': 'us-east1-b', 'instanceGroup': 'web'})
    >>> in_place("regions/us-east1/instanceGroups/web")
    ('regionInstanceGroups', {'region': 'us-east1', 'instanceGroup': 'web'})
    >>> in_place("global/networkEndpointGroups/web")
    ('globalNetworkEndpointGroups', {'networkEndpointGroup': 'web'})
    """
    match = _IN_PLACE.fullmatch(path)
    if not match:
        return "", {}
    kind, place_name, collection, name = match["kind"], match["place"], match["collection"], match["name"]
    arguments = {collection.removesuffix("s"): name}
    if kind == "zone":
        return collection, {"zone": place_name, **arguments}
    collection = collection[0].upper() + collection[1:]
    return (f"region{collection}", {"region": place_name, **arguments}) if kind else (f"global{collection}", arguments)


def last_part(link: str) -> str:
    """Return what comes after the last slash."""
    return link.rpartition("/")[2]
