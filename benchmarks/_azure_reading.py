"""Read a simulated Azure tenant in one of several ways, and say on the last line, in JSON, what came and what it took.

python _azure_reading.py plugin|loop|sdk PARAMETERS

PARAMETERS is JSON: ``settings``, which is what the simulator said; ``types``, the record types; and ``more``, further
parameters of the plugin. It runs in the environment of whom it measures, so it imports nothing at its top that only one
of these has.
"""

from __future__ import annotations

import gc
import json
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

THREADS = 16
LISTS = {
    "virtual_machine": ("Microsoft.Compute/virtualMachines", "2024-07-01"),
    "vm_scale_set": ("Microsoft.Compute/virtualMachineScaleSets", "2024-07-01"),
    "snapshot": ("Microsoft.Compute/snapshots", "2024-03-02"),
    "image": ("Microsoft.Compute/images", "2024-07-01"),
    "nic": ("Microsoft.Network/networkInterfaces", "2024-05-01"),
    "lb": ("Microsoft.Network/loadBalancers", "2024-05-01"),
    "nsg": ("Microsoft.Network/networkSecurityGroups", "2024-05-01"),
    "route_table": ("Microsoft.Network/routeTables", "2024-05-01"),
    "app_gateway": ("Microsoft.Network/applicationGateways", "2024-05-01"),
    "storage_account": ("Microsoft.Storage/storageAccounts", "2023-05-01"),
}
"""The lists of these record types."""


def plugin(settings: Mapping[str, str], types: list[str], more: Mapping[str, Any]) -> Iterator[str]:
    """Yield the type of each record of the plugin, and ``hole`` for each type of a subscription that was not read."""
    from cloudmarker_azure import _session
    from cloudmarker_azure.azcloud import AzCloud

    send = _session.Session._send

    def counted(session: Any, request: Any) -> Any:
        response = send(session, request)
        STATUSES[response.status_code] += 1
        return response

    _session.Session._send = counted  # type: ignore[method-assign, assignment]  # the only place that sees every answer
    given: dict[str, Any] = {**settings, "record_types": types, **more}
    for record in AzCloud(**given).read():
        if "raw" in record:
            yield record["ext"]["record_type"]
        elif record["com"]["state"] not in ("ok", "skipped"):
            yield "hole"


def loop(settings: Mapping[str, str], types: list[str], more: Mapping[str, Any]) -> Iterator[str]:
    """Yield as many types as there are items: a session of requests, a pool of threads, and nothing else."""
    from concurrent.futures import ThreadPoolExecutor

    import requests
    from requests.adapters import HTTPAdapter

    session = requests.Session()
    session.trust_env = False  # or a bundle named in the environment would replace the one given here
    session.verify = settings["ca_cert"]
    session.mount("https://", HTTPAdapter(pool_maxsize=THREADS))
    form = {
        "grant_type": "client_credentials",
        "client_id": settings["client"],
        "client_secret": settings["secret"],
        "scope": "https://management.azure.com/.default",
    }
    token = session.post(f"{settings['authority']}/{settings['tenant']}/oauth2/v2.0/token", data=form).json()
    session.headers["Authorization"] = f"Bearer {token['access_token']}"

    def items(path: str, version: str) -> list[Any]:
        found: list[Any] = []
        url = f"{settings['endpoint']}{path}?api-version={version}"
        while url:
            page = session.get(url).json()
            found += page["value"]
            url = page.get("nextLink")
        return found

    def read(job: tuple[str, str]) -> list[str]:
        subscription, record_type = job
        name, version = LISTS[record_type]
        return [record_type] * len(items(f"{subscription}/providers/{name}", version))

    subscriptions = [item["id"] for item in items("/subscriptions", "2022-12-01")]
    with ThreadPoolExecutor(THREADS) as pool:
        for found in pool.map(read, [(each, kind) for kind in types for each in subscriptions]):
            yield from found


def sdk(settings: Mapping[str, str], types: list[str], more: Mapping[str, Any]) -> Iterator[str]:
    """Yield the type of each of the SDK's models, list after list, as a program would that knows nothing better."""
    from azure.identity import ClientSecretCredential
    from azure.mgmt.compute import ComputeManagementClient
    from azure.mgmt.network import NetworkManagementClient
    from azure.mgmt.resource.subscriptions import SubscriptionClient
    from azure.mgmt.storage import StorageManagementClient

    trust = {"connection_verify": settings["ca_cert"]}
    login = (settings["tenant"], settings["client"], settings["secret"])
    credential = ClientSecretCredential(
        *login, authority=settings["authority"], disable_instance_discovery=True, **trust
    )
    where = {"base_url": settings["endpoint"], **trust}
    for subscription in SubscriptionClient(credential, **where).subscriptions.list():
        compute = ComputeManagementClient(credential, subscription.subscription_id, **where)
        network = NetworkManagementClient(credential, subscription.subscription_id, **where)
        storage = StorageManagementClient(credential, subscription.subscription_id, **where)
        lists = {
            "virtual_machine": compute.virtual_machines.list_all,
            "vm_scale_set": compute.virtual_machine_scale_sets.list_all,
            "snapshot": compute.snapshots.list,
            "image": compute.images.list,
            "nic": network.network_interfaces.list_all,
            "lb": network.load_balancers.list_all,
            "nsg": network.network_security_groups.list_all,
            "route_table": network.route_tables.list_all,
            "app_gateway": network.application_gateways.list_all,
            "storage_account": storage.storage_accounts.list,
        }
        for record_type in types:
            for model in lists[record_type]():
                model.as_dict()
                yield record_type


STATUSES: Counter[int] = Counter()
WAYS = {"plugin": plugin, "loop": loop, "sdk": sdk}


def main() -> None:
    """Read, and print what came."""
    parameters = json.loads(sys.argv[2])
    began = time.perf_counter()
    gc.set_threshold(50_000, 20, 50)  # as in the workers of an audit, and for whoever is compared with them
    found = Counter(WAYS[sys.argv[1]](parameters["settings"], parameters["types"], parameters["more"]))
    unit = 1024 if sys.platform == "linux" else 1
    said = {
        "wall_s": time.perf_counter() - began,
        "cpu_s": time.process_time(),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6,
        "found": found,
        "statuses": STATUSES,
    }
    print(json.dumps(said))


if __name__ == "__main__":
    main()
