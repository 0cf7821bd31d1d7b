"""One tenant in two clouds: the same things give the same records and the same events.

The simulators' tenant ``twins`` has the same machines, networks, rules, buckets and databases in both clouds. Every
record of one has its twin in the other, the same field by field, but for what is listed here with the reason. So this
test says what the common model is: what may differ, and that nothing else may.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime

import pytest
from cloudmarker.events.firewallruleevent import FirewallRuleEvent
from cloudmarker.events.internetexposureevent import InternetExposureEvent
from cloudmarker.fields import validate
from cloudmarker_azure.azcloud import AzCloud
from cloudmarker_gcp.gcpcloud import GCPCloud
from cloudmarker_simulators import AzureSimulator, GCPSimulator, twins

ALWAYS = {
    "cloud_type": "it is another cloud",
    "account": "a subscription of one, a project of the other",
    "reference": "it has another id",
    "location": "each has regions of its own, and Google Cloud zones in them",
}
"""What differs in every record, and why."""

DIFFER = {
    "scope": {
        "scope_type": "the provider's word",
        "state": "the provider's word",
        "parent": "the tenant of one, a folder of the other",
        "created": "Azure does not say it of subscriptions",
    },
    "compute": {
        "host_encryption": "Google Cloud encrypts local disks always, Azure if it is asked to",
        "image": "Google Cloud says it of the disk",
        "password_login": "Google Cloud knows nothing of logins inside a machine",
        "size": "each has sizes of its own",
        "state": "Azure's list of machines does not say it",
    },
    "disk": {
        "guest_encryption": "Google Cloud knows nothing of it",
        "network_access": "only Azure's disks have links to fetch them by",
        "encryption_key": "Azure names a disk encryption set, Google Cloud the key",
    },
    "snapshot": {
        "guest_encryption": "Google Cloud knows nothing of it",
        "network_access": "only Azure's snapshots have links to fetch them by",
    },
    "public_ip": {"created": "Azure does not say it"},
    "network": {
        "address_ranges": "networks of Google Cloud have none, only their subnets do",
        "created": "Azure does not say it",
        "policies_first": "networks of Azure have no rules of their own",
    },
    "subnet": {
        "created": "Azure does not say it",
        "firewalls": "rules of Google Cloud belong to the network",
        "flow_logs": "flow logs of Azure are resources of their own",
        "parent": "a subnet of Azure is a part of its network, one of Google Cloud is in the project",
    },
    "firewall_rule": {
        "created": "Azure does not say it",
        "entry": "a rule of Azure is about one protocol",
        "firewall": "a rule of Azure is a part of a security group, one of Google Cloud is a firewall itself",
        "network": "rules of Azure are for what their group is attached to",
        "parent": "likewise",
    },
    "storage": {
        "encryption_key": "each names its key in its own way",
        "hosts": "each has names of its own",
        "https_only": "Google Cloud has no such setting",
        "local_auth": "Google Cloud has no such setting for one bucket",
        "minimum_tls": "Google Cloud has no such setting",
        "soft_delete_days": "Azure says it in a storage_service record",
        "storage_class": "the provider's word",
        "trusted_services": "Google Cloud has no such setting",
        "uniform_access": "Azure has no access lists of single objects",
        "versioning": "Azure says it in a storage_service record",
    },
    "key_vault": {
        "hosts": "key rings have no names of their own",
        "hsm": "any key ring may have keys in hardware, a vault must be of the premium kind",
        "purge_protection": "key rings cannot be deleted",
        "soft_delete_days": "key rings cannot be deleted",
        "trusted_services": "Google Cloud has no such setting",
    },
    "key": {
        "algorithm": "Azure's vaults have no symmetric keys, Google Cloud encrypts with such",
        "next_rotation": "Azure does not say it in the list of keys",
        "purpose": "Azure does not say it in the list of keys",
    },
    "secret": {
        "enabled": "in Google Cloud each version of a secret is, or is not",
        "key_vault": "Google Cloud has no vaults for secrets",
        "parent": "likewise",
    },
    "database_server": {
        "allowed_addresses": "those of Azure are resources of their own; both have them as network_rule records",
        "host": "Azure gives a name, Google Cloud an address",
        "public_addresses": "Azure gives a name, Google Cloud an address",
        "require_tls": "it is one of the parameters of the engine in Azure, which are records of their own",
        "size": "each has sizes of its own",
        "version": "the provider's word",
    },
    "dns_zone": {
        "created": "Azure does not say it",
        "dnssec": "Azure does not say it",
        "name": "a zone of Azure is named after its domain",
    },
}
"""What else differs, by record type, and why."""

ALONE = {
    "azure": {
        "network_interface": "interfaces of Google Cloud are parts of their machines; they are compared with these",
        "firewall": "Azure has groups of rules, Google Cloud has firewalls of one rule",
        "resource": "an overview of what other records say in full",
        "storage_service": "what Google Cloud says of each bucket",
        "storage_container": "accounts of Azure have containers with access of their own, buckets are their own",
        "postgresql_flexible_server_configuration": "what Google Cloud says of the server itself",
    },
    "gcp": {
        "firewall": "likewise",
        "iam_policy": "what Azure has as assignments of roles",
        "identity_binding": "who may read a bucket; accounts of Azure have a setting for it",
        "service": "Azure has no APIs to switch on",
        "compute_project": "Azure has no settings for all machines",
    },
}
"""Types whose records have no twin, and why. Scopes above the twins, and coverage, have none either."""

INTERFACE_FIELDS = ("networks", "subnets", "private_addresses", "public_addresses", "ip_forwarding")


class Twins:
    """The records of both clouds, and what stands for what."""

    def __init__(self, azure, gcp):
        self.azure, self.gcp = azure, gcp
        self.pairs = [(pair["record_type"], pair["azure"].lower(), pair["gcp"].lower()) for pair in twins()]
        self.names = {azure: gcp for _, azure, gcp in self.pairs}
        ((subscription, project),) = [pair[1:] for pair in self.pairs if pair[0] == "scope"]
        self.names[subscription.rpartition("/")[2]] = project.rpartition("/")[2]  # the accounts
        groups = {key[1] for key in self.index(azure) if key[0] == "scope" and key[1].startswith(f"{subscription}/")}
        self.names.update(dict.fromkeys(groups, project))  # a project is what a subscription with one group is
        for com in azure:
            if com["record_type"] == "network_interface":
                self.names[com["reference"].lower()] = self.mapped(com["attached_to"][0])

    @staticmethod
    def index(coms):
        return {(com["record_type"], com["reference"].lower()): com for com in coms if com["record_type"] != "coverage"}

    def mapped(self, value):
        """A value of Azure with Google's references in it."""
        if isinstance(value, list):
            return [self.mapped(item) for item in value]
        return self.names.get(value.lower(), value) if isinstance(value, str) else value

    def each(self):
        """Every pair of records, and in the end those that have no twin, of each cloud."""
        azure, gcp = self.index(self.azure), self.index(self.gcp)
        for record_type, left, right in self.pairs:
            yield azure.pop((record_type, left)), gcp.pop((record_type, right))
        for key in [key for key in azure if key[0] == "network_rule"]:  # found by what they are for
            ((other, com),) = [(k, c) for k, c in gcp.items() if k[0] == "network_rule" and self.alike(azure[key], c)]
            yield azure.pop(key), gcp.pop(other)
            assert com["record_type"] == "network_rule"
        yield list(azure.values()), list(gcp.values())

    def alike(self, one, other):
        return self.mapped(one["target"]) == other["target"].lower()

    def as_one(self, com):
        """A machine with what its interfaces and their addresses say."""
        if com["record_type"] != "compute" or not com["interfaces"]:
            return com
        interfaces = [self.index(self.azure)["network_interface", name.lower()] for name in com["interfaces"]]
        merged = {}
        for field in INTERFACE_FIELDS:
            values = [one[field] for one in interfaces]
            merged[field] = [item for value in values for item in value] if isinstance(values[0], list) else any(values)
        names = [name for one in interfaces for name in one["public_ips"]]
        addresses = [self.index(self.azure)["public_ip", name.lower()]["address"] for name in names]
        merged["public_addresses"] = list(dict.fromkeys([*merged["public_addresses"], *addresses]))
        return {**com, **merged, "interfaces": []}


@pytest.fixture(scope="module")
def tenants():
    with AzureSimulator(tenant="twins") as azure, GCPSimulator(tenant="twins") as gcp:
        return Twins(
            [record["com"] for record in AzCloud(**azure.settings).read()],
            [record["com"] for record in GCPCloud(**gcp.settings).read()],
        )


def comparable(name, value):
    if name == "created" and value:
        return datetime.fromisoformat(value.replace("Z", "+00:00"))
    if isinstance(value, list):
        return [comparable(name, item) for item in value]
    return value.lower() if isinstance(value, str) and value.startswith("/") else value


def differing(tenants, one, other):
    assert set(one) == set(other), one["reference"]
    return {
        name
        for name in one
        if comparable(name, tenants.mapped(one[name])) != comparable(name, other[name]) and name not in ALWAYS
    }


def test_everything_was_read(tenants):
    for coms in (tenants.azure, tenants.gcp):
        coverage = [com for com in coms if com["record_type"] == "coverage"]
        assert {com["state"] for com in coverage} <= {"ok", "disabled"}
        assert [problem for com in coms for problem in validate(com)] == []


def test_every_record_has_a_twin_that_is_the_same_field_by_field(tenants):
    *pairs, (azure, gcp) = tenants.each()
    for one, other in pairs:
        record_type = one["record_type"]
        unexpected = differing(tenants, tenants.as_one(one), other) - set(DIFFER.get(record_type, ()))
        assert unexpected == set(), {name: (one[name], other[name]) for name in unexpected}
    assert {com["record_type"] for com in azure} - {"scope"} == set(ALONE["azure"])
    assert {com["record_type"] for com in gcp} - {"scope"} == set(ALONE["gcp"])


def test_every_difference_that_is_listed_is_one(tenants):
    *pairs, _ = tenants.each()
    found = {record_type: set() for record_type in DIFFER}
    for one, other in pairs:
        if one["record_type"] in found:
            found[one["record_type"]] |= differing(tenants, tenants.as_one(one), other)
    assert found == {record_type: set(reasons) for record_type, reasons in DIFFER.items()}


def test_every_type_of_the_twins_is_compared(tenants):
    *pairs, _ = tenants.each()
    assert {one["record_type"] for one, _ in pairs} == {record_type for record_type, _, _ in tenants.pairs} | {
        "network_rule"
    }


def events(tenants, make, coms, mapped):
    """What events say: Azure's with Google's references, and without what differs always and ids made of it."""
    event = make()
    found = [one["com"] for com in coms for one in event.eval({"com": com})]
    found += [one["com"] for one in getattr(event, "finish", tuple)()]
    result = []
    for com in found:
        one = {name: tenants.mapped(value) if mapped else value for name, value in com.items()}
        one = {name: comparable(name, value) for name, value in one.items()}
        for name in ("cloud_type", "fingerprint", "description"):
            assert one.pop(name)
        result.append(one)
    return sorted(result, key=lambda one: one["reference"])


@pytest.mark.parametrize("make", [FirewallRuleEvent, InternetExposureEvent])
def test_both_give_the_same_events(tenants, make):
    of_azure, of_gcp = events(tenants, make, tenants.azure, True), events(tenants, make, tenants.gcp, False)
    assert of_azure == of_gcp
    assert of_azure


def test_the_events_are_those_that_the_tenant_was_made_for(tenants):
    rules = events(tenants, FirewallRuleEvent, tenants.gcp, False)
    assert [(one["reference"].rpartition("/")[2], one["exposed_ports"]) for one in rules] == [
        ("open-database", [5432]),
        ("open-ssh", [22]),
    ]
    (machine,) = events(tenants, InternetExposureEvent, tenants.gcp, False)
    assert machine["reference"].endswith("/instances/web-1")
    assert machine["exposed_tcp_ports"] == ["22", "443", "5430-5440"]
    assert machine["public_addresses"] == ["198.51.100.10"]
    opened_by = Counter(reference.rpartition("/")[2] for reference in machine["opened_by"])
    assert opened_by == Counter(["allow-https", "open-database", "open-ssh"])
