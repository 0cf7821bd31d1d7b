"""The sample tenant holds what its list of expected findings says, by a reading of the raw answers of its own."""

import pytest
from cloudmarker_simulators import DataError, GCPSimulator, expected_findings, tenants

PORTS = (22, 1433, 1521, 3306, 3389, 5432)
ANYWHERE = {"*", "Internet", "0.0.0.0/0", "::/0"}


def exposed(ranges):
    """Return the well-known ports in *ranges*, which are given as providers write them."""
    found = set()
    for text in ranges:
        low, _, high = ("0-65535" if text == "*" else text).partition("-")
        found |= {port for port in PORTS if int(low) <= port <= int(high or low)}
    return sorted(found)


def azure_findings(client):
    for subscription in client.items("/subscriptions"):
        url = f"{subscription['id']}/providers/Microsoft.Network/networkSecurityGroups"
        if client.read(url)[0] == 409:
            continue
        for nsg in client.items(url):
            properties = nsg["properties"]
            for rule in properties["securityRules"] + properties["defaultSecurityRules"]:
                its = rule["properties"]
                sources = {its.get("sourceAddressPrefix"), *its.get("sourceAddressPrefixes", [])}
                ports = [its.get("destinationPortRange"), *its.get("destinationPortRanges", [])]
                open_ports = exposed(filter(None, ports))
                open_to_all = (its["access"], its["direction"]) == ("Allow", "Inbound") and sources & ANYWHERE
                if open_to_all and its["protocol"].lower() in ("tcp", "*") and open_ports:
                    yield rule["id"], open_ports


def google_findings(client):
    for project in client.items("/v1/projects", "projects"):
        url = f"/compute/v1/projects/{project['projectId']}/global/firewalls"
        if client.call(url)[0] == 403:
            continue
        for firewall in client.items(url):
            if firewall["disabled"] or firewall["direction"] != "INGRESS":
                continue
            if not ANYWHERE & set(firewall.get("sourceRanges", [])):
                continue
            for entry in firewall.get("allowed", []):
                open_ports = exposed(entry.get("ports", ["*"]))
                if entry["IPProtocol"] in ("tcp", "6", "all") and open_ports:
                    yield (
                        f"//compute.googleapis.com/projects/{project['projectId']}/global/firewalls/{firewall['name']}",
                        open_ports,
                    )


@pytest.mark.parametrize("cloud", ["azure", "gcp"])
def test_the_expected_findings_are_those_in_the_data(sample_azure, sample_google, cloud):
    expected = [
        (finding["reference"], finding["exposed_ports"]) for finding in expected_findings() if finding["cloud"] == cloud
    ]
    found = list(azure_findings(sample_azure) if cloud == "azure" else google_findings(sample_google))
    assert sorted(found) == sorted(expected)
    assert len(expected) == 11


def test_only_the_states_that_leave_an_audit_complete_occur(sample_azure, sample_google):
    """No permission is missing and nothing fails in the sample: providers and APIs are in use or they are not."""
    assert not sample_azure.simulator.faults
    assert not sample_google.simulator.faults
    refusals = [*sample_azure.simulator.source.refusals, *sample_google.simulator.source.refusals]
    assert {refusal.kind for refusal in refusals} == {"disabled"}


def test_the_tenants_are_listed_and_others_are_an_error():
    assert tenants() == ["holes", "sample", "twins"]
    with pytest.raises(DataError, match="no tenant named 'smaple'; there are: holes, sample"):
        GCPSimulator(tenant="smaple")
