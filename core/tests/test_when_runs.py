"""Filters in real audits: stores, events and alerts get what theirs lets through, and every record is accounted for."""

from __future__ import annotations

import json

import pytest


def plugin(name, **more):
    params = more.pop("params", {})
    return {"plugin": f"selective_plugins.{name}", "params": params, **more}


@pytest.fixture
def audit(command):
    """Runs an audit of three accounts with some entries changed; returns the result and what each store was given."""

    def run(plugins=None, *args, **more):
        def store(key):
            return {"plugin": "filestore", "params": {"path": str(command.directory / key)}}

        entries = {"cloud": plugin("Cloud"), "event": plugin("Event"), "stored": store("stored"), "told": store("told")}
        for key, changes in (plugins or {}).items():
            entries[key] = {**entries.get(key, {}), **changes}
        audits = {"a": {"clouds": ["cloud"], "stores": ["stored"], "events": ["event"], "alerts": ["told"]}}
        command.configure(entries, **{"audits": audits, **more})
        done = command.run("run", "--json", *args)
        assert done.stdout, done.stderr
        (result,) = json.loads(done.stdout)
        return result, done

    return run


def given(command, key):
    """The com of every record that a file store has."""
    folder = command.directory / key
    files = sorted(folder.glob("*.json")) if folder.exists() else []
    return [record["com"] for path in files for record in json.loads(path.read_bytes())]


def delivery(result, key, kind):
    (worker,) = (worker for worker in result["workers"] if (worker["key"], worker["kind"]) == (key, kind))
    return worker["delivery"]


def test_an_alert_gets_the_findings_of_its_severities_only(command, audit):
    result, done = audit({"told": {"when": {"min_severity": "high"}}})
    assert done.returncode == 0, done.stderr
    assert sorted({com["severity"] for com in given(command, "told")}) == ["critical", "high"]
    assert len(given(command, "told")) == 12
    assert result["severities"] == dict.fromkeys(("critical", "high", "medium", "low", "info"), 6)
    assert delivery(result, "told", "alert") == {
        "emitted": 12,
        "delivered": 12,
        "rejected": 0,
        "spooled": 0,
        "lost": 0,
    }


def test_a_store_gets_its_types_and_accounts_and_what_was_not_read(command, audit):
    result, done = audit(
        {
            "cloud": {"params": {"hole": "prod-1"}},
            "stored": {"when": {"record_types": ["firewall"], "accounts": ["prod-*"]}},
        }
    )
    assert done.returncode == 4
    found = given(command, "stored")
    assert [com["reference"] for com in found if com["record_type"] == "firewall"] == [
        "prod-1/firewall",
        "prod-2/firewall",
    ]
    assert sorted(
        (com["record_type"], com.get("account", "")) for com in found if com["record_type"] != "firewall"
    ) == [
        ("audit", ""),
        ("coverage", "prod-1"),
        ("coverage", "prod-2"),
    ]
    assert delivery(result, "stored", "store")["emitted"] == delivery(result, "stored", "store")["delivered"] == 5


def test_an_event_sees_what_its_filter_lets_through(command, audit):
    result, _ = audit({"event": {"when": {"accounts": ["TEST-1"], "record_types": ["compute"], "clouds": ["azure"]}}})
    assert {com["reference"] for com in given(command, "told")} == {"test-1/compute"}
    (event,) = (worker for worker in result["workers"] if worker["kind"] == "event")
    assert (event["records_in"], event["records_out"]) == (1, 5)


def test_two_entries_of_one_plugin_have_filters_of_their_own(command, audit):
    few = {"plugin": "filestore", "params": {"path": str(command.directory / "few")}, "when": {"severity": ["low"]}}
    audit(
        {"few": few}, audits={"a": {"clouds": ["cloud"], "stores": [], "events": ["event"], "alerts": ["told", "few"]}}
    )
    assert len(given(command, "told")) == 30
    assert len(given(command, "few")) == 6


def test_an_entry_has_its_filter_in_every_audit_and_place(command, audit):
    both = {"clouds": ["cloud"], "stores": ["told"], "events": ["event"], "alerts": ["told"]}
    audit({"told": {"when": {"accounts": ["test-1"]}}}, audits={"a": both})
    assert {com["account"] for com in given(command, "told") if com["record_type"] != "audit"} == {"test-1"}


@pytest.mark.parametrize("batches", [True, False])
def test_what_a_filter_keeps_out_is_not_spooled_and_a_replay_delivers_the_rest(command, audit, batches):
    (command.directory / "server").mkdir()
    (command.directory / "server" / "faults").write_text('{"down": true}')
    server = {
        "plugin": "server_store.ServerStore",
        "params": {"path": str(command.directory / "server"), "give_up_after_s": 0.1, "batches": batches},
        "when": {"severity": ["critical", "low"]},
    }
    audits = {"a": {"clouds": ["cloud"], "stores": [], "events": ["event"], "alerts": ["server"]}}
    result, done = audit({"server": server}, audits=audits)
    assert done.returncode == 1
    assert delivery(result, "server", "alert") == {
        "emitted": 12,
        "delivered": 0,
        "rejected": 0,
        "spooled": 12,
        "lost": 0,
    }

    (command.directory / "server" / "faults").unlink()
    text = (command.directory / "c.yaml").read_text()
    (command.directory / "c.yaml").write_text(text.replace("- critical\n", ""))
    replayed = command.run("replay", "--json")
    assert replayed.returncode == 0, replayed.stderr
    (outcome,) = json.loads(replayed.stdout)
    assert (outcome["delivered"], outcome["left"]) == (6, 0)  # by the filter as it is now
    assert len((command.directory / "server" / "documents").read_text().split()) == 6


def test_what_a_store_that_died_did_not_get_is_counted_by_its_filter(command, audit):
    accounts = [f"{'prod' if number % 2 else 'test'}-{number}" for number in range(200)]
    entries = {
        "cloud": {"params": {"accounts": accounts}},
        "dying": plugin("DyingStore", when={"accounts": ["prod-*"]}),
    }
    audits = {"a": {"clouds": ["cloud"], "stores": ["dying"], "events": [], "alerts": []}}
    result, done = audit(entries, audits=audits)
    assert done.returncode == 1
    # the 2 records and the coverage of each of 100 accounts, and the audit's own record
    assert delivery(result, "dying", "store") == {
        "emitted": 301,
        "delivered": 0,
        "rejected": 0,
        "spooled": 301,
        "lost": 0,
    }


@pytest.mark.parametrize(
    ("before", "after", "fixed"),
    [
        (None, None, 2),
        (None, {"accounts": ["test-*"]}, 0),
        (None, {"clouds": ["gcp"]}, 0),
        (None, {"record_types": ["firewall"]}, 0),
        (None, {"record_types": ["compute", "firewall"]}, 0),  # it may have come from a type that is now kept out
        ({"record_types": ["compute"]}, {"record_types": ["compute", "firewall"]}, 2),
        ({"record_types": ["compute"]}, None, 2),
        ({"record_types": ["compute"], "accounts": ["prod-1"]}, {"clouds": ["azure"], "record_types": ["compute"]}, 2),
    ],
)
def test_what_a_filter_keeps_from_an_event_is_not_fixed(command, audit, before, after, fixed):
    severities = {"params": {"severities": ["high", "low"]}}
    told = {"when": {"status": ["fixed"]}}
    audit({"event": {**severities, "when": before}, "told": told})
    audit({"event": {**severities, "when": after}, "told": told, "cloud": {"params": {"gone": ["prod-1/compute"]}}})
    assert [com["reference"] for com in given(command, "told")] == ["prod-1/compute"] * fixed


def test_a_hole_that_a_filter_keeps_from_an_event_does_not_keep_it_from_seeing_what_is_fixed(command, audit):
    event = {"when": {"accounts": ["prod-1", "test-1"]}}
    told = {"when": {"status": ["fixed"], "severity": ["high"]}}
    audit({"event": event, "told": told})
    cloud = {"params": {"gone": ["prod-1/compute", "prod-2/compute"], "hole": "prod-2"}}
    audit({"event": event, "told": told, "cloud": cloud})
    assert [com["reference"] for com in given(command, "told")] == ["prod-1/compute"]


def test_an_alert_for_changes_hears_of_findings_without_a_memory_every_time(command, audit):
    entries = {"event": {"params": {"severities": ["low"], "bare": True}}, "told": {"when": {"status": ["new"]}}}
    for _ in range(2):
        audit(entries)
        assert len(given(command, "told")) == 6
