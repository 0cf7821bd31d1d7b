"""Read a simulated Google Cloud in one of several ways, and print what that took, as JSON.

python _gcp_sender.py WAY SETTINGS TYPE …

WAY is `plugin`, `loop` (a bare loop in threads over the same lists) or `client` (google-api-python-client, one call
after the other); SETTINGS is what the simulator says of itself, JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

THREADS = 32

COLLECTIONS = {
    "firewall": ("firewalls", "global"),
    "network": ("networks", "global"),
    "snapshot": ("snapshots", "global"),
    "instance": ("instances", "aggregated"),
    "disk": ("disks", "aggregated"),
    "subnetwork": ("subnetworks", "aggregated"),
}


def plugin(settings: dict[str, Any], types: list[str]) -> int:
    """Read through the plugin, and encode each record as the worker of an audit does."""
    from cloudmarker.records import encode
    from cloudmarker_gcp.gcpcloud import GCPCloud

    count = size = 0
    given: dict[str, Any] = {**settings, "record_types": types, "threads": THREADS}
    for record in GCPCloud(**given).read():
        size += len(encode(record))
        count += record["ext"]["record_type"] in types
    return count


def loop(settings: dict[str, Any], types: list[str]) -> int:
    """Read all lists in threads, with nothing around it: a connection for each thread, and JSON to objects."""
    import httplib2

    token = _token(settings)
    local = threading.local()

    def get(path: str) -> dict[str, Any]:
        if not hasattr(local, "http"):
            local.http = httplib2.Http(timeout=60)
        _, body = local.http.request(settings["endpoint"] + path, headers={"authorization": f"Bearer {token}"})
        answer: dict[str, Any] = json.loads(body)
        return answer

    def read(project: str, record_type: str) -> int:
        collection, place = COLLECTIONS[record_type]
        path = f"/compute/v1/projects/{project}/{place}/{collection}?maxResults=500"
        found, token = 0, ""
        while True:
            page = get(f"{path}&pageToken={token}" if token else path)
            items = page.get("items", {})
            parts = [items] if place == "global" else [part.get(collection, []) for part in items.values()]
            found += sum(map(len, parts))
            token = page.get("nextPageToken", "")
            if not token:
                return found

    projects = [project["projectId"] for project in get("/v3/projects:search?pageSize=500")["projects"]]
    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(lambda task: read(*task), [(name, each) for name in projects for each in types]))


def client(settings: dict[str, Any], types: list[str]) -> int:
    """Read with google-api-python-client, one call after the other."""
    from google.oauth2.credentials import Credentials
    from googleapiclient.discovery import build

    endpoint = settings["endpoint"]
    options: dict[str, Any] = {
        "credentials": Credentials(_token(settings)),  # type: ignore[no-untyped-call]
        "static_discovery": True,
        "cache_discovery": False,
    }
    compute = build("compute", "v1", client_options={"api_endpoint": f"{endpoint}/compute/v1/"}, **options)
    manager = build("cloudresourcemanager", "v3", client_options={"api_endpoint": f"{endpoint}/"}, **options)
    count = 0
    for project in manager.projects().search(pageSize=500).execute()["projects"]:
        for record_type in types:
            name, place = COLLECTIONS[record_type]
            collection = getattr(compute, name)()
            method = "aggregatedList" if place == "aggregated" else "list"
            request = getattr(collection, method)(project=project["projectId"], maxResults=500)
            while request is not None:
                page = request.execute()
                items = page.get("items", {})
                parts = [items] if place == "global" else [part.get(name, []) for part in items.values()]
                count += sum(map(len, parts))
                request = getattr(collection, f"{method}_next")(request, page)
    return count


def _token(settings: dict[str, Any]) -> str:
    """Return a token for the simulator."""
    import google_auth_httplib2
    import httplib2
    from google.oauth2 import service_account

    scopes = ["https://www.googleapis.com/auth/cloud-platform"]
    credentials = service_account.Credentials.from_service_account_file(  # type: ignore[no-untyped-call]
        settings["key_file_path"], scopes=scopes
    )
    assert urlsplit(settings["endpoint"]).hostname == "127.0.0.1"
    credentials.refresh(google_auth_httplib2.Request(httplib2.Http(timeout=60)))
    return str(credentials.token)


def main() -> None:
    """Read, and print the number of resources, the seconds, and the most memory (resident, 10**6 bytes)."""
    read = {"plugin": plugin, "loop": loop, "client": client}[sys.argv[1]]
    begun = time.perf_counter()
    resources = read(json.loads(sys.argv[2]), sys.argv[3:])
    wall_s = time.perf_counter() - begun
    usage = resource.getrusage(resource.RUSAGE_SELF)
    unit = 1024 if sys.platform == "linux" else 1
    print(
        json.dumps(
            {
                "resources": resources,
                "wall_s": wall_s,
                "cpu_s": usage.ru_utime + usage.ru_stime,
                "peak_mb": usage.ru_maxrss * unit / 1e6,
            }
        )
    )


if __name__ == "__main__":
    main()
