"""Which subscriptions are read: by id and name, by management group, and what is said of the others."""

import json
import logging

import pytest
from cloudmarker.errors import ConfigError
from cloudmarker_azure._records import Scope
from cloudmarker_azure._selection import Selection
from cloudmarker_azure.azcloud import AzCloud
from cloudmarker_azure.azvm import AzVM
from cloudmarker_simulators import AzureSimulator, Fault

GROUP = "/providers/Microsoft.Management/managementGroups/prod"
DESCENDANTS = f"{GROUP}/descendants"


def scope(number, name):
    return Scope("t", f"/subscriptions/{number}", str(number), name, "Enabled")


SCOPES = [scope("a1", "Prod one"), scope("a2", "Prod two"), scope("b1", "Test [one]"), scope("c1", None)]


def chosen(**parameters):
    selection = Selection(**parameters)
    return [each.subscription_id for each in SCOPES if selection.refuse(each) is None], selection


def test_all_are_read_unless_told_otherwise():
    assert chosen()[0] == ["a1", "a2", "b1", "c1"]


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [(["A1"], ["a1"]), (["prod *"], ["a1", "a2"]), (["Test [one]"], ["b1"]), (["?1"], ["a1", "b1", "c1"]), ([], [])],
)
def test_ids_and_names_choose_whatever_their_case(wanted, ids):
    assert chosen(wanted=wanted)[0] == ids


def test_what_is_excluded_is_left_out_of_what_is_chosen():
    ids, selection = chosen(wanted=["prod *"], unwanted=["*two", "a9"])
    assert ids == ["a1"]
    assert selection.missing() == []


def test_an_entry_that_excludes_nothing_is_warned_of(caplog):
    _, selection = chosen(unwanted=["Prod three"])
    selection.missing()
    assert "no subscription has the id or name 'Prod three'" in caplog.text


def test_limits_count_only_what_is_chosen():
    assert chosen(unwanted=["a1"], at_most=2)[0] == ["a2", "b1"]


def test_a_management_group_limits_and_what_of_it_is_not_seen_is_missing():
    selection = Selection(management_group="prod")
    selection.limit_to(["A2", "d7"])
    reasons = [selection.refuse(each) for each in SCOPES]
    assert reasons == ["not in the management group prod", None, *["not in the management group prod"] * 2]
    ((missing, reason),) = selection.missing()
    assert missing == "d7"
    assert "the credential cannot see it" in reason


def test_a_member_that_is_excluded_is_not_missing():
    selection = Selection(management_group="prod", unwanted=["d7"])
    selection.limit_to(["a1", "d7"])
    assert selection.refuse(SCOPES[0]) is None
    assert selection.missing() == []


@pytest.fixture
def tenant():
    with AzureSimulator(subscriptions=3, scale=1) as simulator:
        yield simulator


def subscriptions(simulator):
    rows = simulator.source.rows(None, "resourcecontainers", ("subscriptionId", "name", "type"), None)
    return [row for row in rows if row["type"] == "microsoft.resources/subscriptions"]


def descendants(*ids):
    items = [{"id": f"{GROUP}-child", "type": "Microsoft.Management/managementGroups", "name": "prod-child"}]
    items += [{"id": f"/subscriptions/{id_}", "type": "/subscriptions", "name": id_} for id_ in ids]
    return Fault(DESCENDANTS, status=200, body=json.dumps({"value": items}))


def coverage(records):
    found = [record["com"] for record in records if "raw" not in record]
    return {(com["scope"], com["resource_type"]): (com["state"], com["error"]) for com in found}


@pytest.mark.parametrize("plugin", [AzCloud, AzVM])
def test_only_subscriptions_of_the_management_group_are_read(tenant, plugin):
    ids = [row["subscriptionId"] for row in subscriptions(tenant)]
    tenant.faults.append(descendants(ids[1].upper(), "00000000-0000-4000-8000-000000000000"))
    records = list(plugin(**tenant.settings, management_group="prod").read())
    assert {record["ext"]["subscription_id"] for record in records if "raw" in record} - {None} == {ids[1]}
    covered = coverage(records)
    assert covered["/subscriptions/00000000-0000-4000-8000-000000000000", "subscription"][0] == "failed"
    assert {state for (place, _), (state, _) in covered.items() if ids[0] in place} == {"skipped"}
    assert not [path for _, path in tenant.requests if ids[0] in path]


def test_the_management_groups_of_the_tenant_are_followed_to_their_subscriptions(tenant):
    (root, *_) = [
        record["com"]["reference"]
        for record in AzCloud(**tenant.settings, record_types=["management_group"]).read()
        if "raw" in record
    ]
    group = root.rpartition("/")[2]
    records = list(AzCloud(**tenant.settings, record_types=["subscription"], management_group=group).read())
    assert {state for state, _ in coverage(records).values()} <= {"ok", "skipped"}
    assert [record for record in records if "raw" in record]


@pytest.mark.parametrize(("status", "state"), [(403, "denied"), (404, "failed"), (500, "failed")])
def test_a_management_group_that_cannot_be_read_is_a_hole_and_nothing_is_read(tenant, status, state):
    tenant.faults.append(Fault(DESCENDANTS, status=status))
    records = list(AzCloud(**tenant.settings, management_group="prod", retry_deadline_s=0.1).read())
    ((key, (found, _)),) = coverage(records).items()
    assert key == (GROUP, "subscription")
    assert found == state
    assert [record for record in records if "raw" in record] == []


def test_exclude_subscriptions_skips_by_name(tenant, caplog):
    caplog.set_level(logging.WARNING)
    name = subscriptions(tenant)[0]["name"]
    records = list(
        AzCloud(**tenant.settings, exclude_subscriptions=[name, "no such"], record_types=["resource_group"]).read()
    )
    skipped = {error for state, error in coverage(records).values() if state == "skipped"}
    assert "left out by the parameter exclude_subscriptions" in skipped
    assert "'no such'" in caplog.text


@pytest.mark.parametrize("plugin", [AzCloud, AzVM])
@pytest.mark.parametrize(
    ("parameters", "word"),
    [
        ({"exclude_subscriptions": "prod"}, "exclude_subscriptions: a list"),
        ({"subscriptions": [7]}, "subscriptions: a list"),
        ({"management_group": "a/b"}, "management_group: 'a/b'"),
        ({"rate_limit": 0}, "rate_limit: a share"),
        ({"rate_limit": 1.5}, "rate_limit: a share"),
        ({"retry_deadline_s": -1}, "retry_deadline_s"),
    ],
)
def test_what_cannot_be_used_is_refused(plugin, parameters, word):
    with pytest.raises(ConfigError) as caught:
        plugin(**parameters)
    assert caught.value.problems[0].startswith(word)
