"""A small tenant of our own, in the simulator's format for recorded answers."""

import json

import pytest

ALPHA = "/subscriptions/11111111-1111-4111-8111-111111111111"
BETA = "/subscriptions/22222222-2222-4222-8222-222222222222"


def _subscription(path, name, state="Enabled"):
    return {"id": path, "subscriptionId": path.rpartition("/")[2], "displayName": name, "state": state}


def _group(path, name):
    return {"id": f"{path}/resourceGroups/{name}", "name": name, "location": "westeurope"}


def _nsg(path, name, ports):
    reference = f"{path}/resourceGroups/net/providers/Microsoft.Network/networkSecurityGroups/{name}"
    rules = [
        {
            "id": f"{reference}/securityRules/allow-{port}",
            "name": f"allow-{port}",
            "properties": {
                "access": "Allow",
                "direction": "Inbound",
                "priority": 100 + number,
                "protocol": "Tcp",
                "sourceAddressPrefix": "*",
                "sourcePortRange": "*",
                "destinationAddressPrefix": "*",
                "destinationPortRange": port,
            },
        }
        for number, port in enumerate(ports)
    ]
    return {"id": reference, "name": name, "location": "westeurope", "properties": {"securityRules": rules}}


@pytest.fixture
def small_tenant(tmp_path):
    """Return the path of a tenant: alpha has 2 groups, 3 NSGs and 6 rules; beta, disabled, one of each."""
    lists = {
        "/subscriptions": [_subscription(ALPHA, "alpha"), _subscription(BETA, "beta", "Disabled")],
        f"{ALPHA}/resourceGroups": [_group(ALPHA, "net"), _group(ALPHA, "app")],
        f"{BETA}/resourceGroups": [_group(BETA, "net")],
        f"{ALPHA}/providers/Microsoft.Network/networkSecurityGroups": [
            _nsg(ALPHA, "front", ["22", "443", "8000-8080"]),
            _nsg(ALPHA, "back", ["5432"]),
            _nsg(ALPHA, "empty", ["80", "81"]),
        ],
        f"{BETA}/providers/Microsoft.Network/networkSecurityGroups": [_nsg(BETA, "old", ["3389"])],
    }
    path = tmp_path / "tenant.jsonl"
    path.write_text("".join(json.dumps({"path": p, "body": {"value": v}}) + "\n" for p, v in lists.items()))
    return path
