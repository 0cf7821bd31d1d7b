"""MongoDBStore, against a server that others wrote."""

from __future__ import annotations

import copy
import itertools
import subprocess
import sys
import time
from typing import Any, ClassVar

import bson
import pytest
from cloudmarker.contracts import Incomplete
from cloudmarker.errors import ConfigError, PluginError
from cloudmarker.testing import MemoryRun, check_plugin, records
from cloudmarker_stores.mongodbstore import MongoDBStore

_numbers = itertools.count()


@pytest.fixture
def db(mongo):
    """The parameters for a database of its own, and the database."""
    name = f"test{next(_numbers)}"
    with mongo.client() as client:
        yield {"host": "localhost", "port": mongo.port, "db": name}, client[name]


def by_id(written: list[Any]) -> dict[str, Any]:
    return {record["com"]["record_id"]: record for record in written}


def stored(collection: Any) -> dict[str, Any]:
    return {document.pop("_id"): document for document in collection.find()}


# The contract


def test_it_conforms(db):
    check_plugin(MongoDBStore, db[0])


def test_the_module_imports_no_sdk():
    code = "import sys, cloudmarker_stores.mongodbstore; sys.exit('pymongo' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_documents_have_the_record_id_as_their_id_and_are_there_once(db, many, store_through):
    params, database = db
    written = many(25)
    for _ in range(2):
        run = store_through(MongoDBStore(**params, buffer_size=10), written)
        assert run.confirmed == set(range(25))
    assert stored(database.cloudmarker) == by_id(written)


def test_a_buffer_is_written_when_full_and_the_record_that_filled_it_is_kept(db, many):
    params, database = db
    store, run = MongoDBStore(**params, buffer_size=3), MemoryRun()
    store.begin(run)
    counts = []
    for number, record in enumerate(many(7), 1):
        run.hand()
        store.write(record)
        end = time.monotonic() + 10
        while (count := database.cloudmarker.count_documents({})) < number // 3 * 3 and time.monotonic() < end:
            time.sleep(0.01)  # a full buffer is on its way
        counts.append(count)
    store.done()
    assert counts == [0, 0, 3, 3, 3, 6, 6]
    assert database.cloudmarker.count_documents({}) == 7


def test_there_is_a_buffer_for_each_record_type(db):
    params, database = db
    store, run = MongoDBStore(**params, buffer_size=2), MemoryRun()
    store.begin(run)
    for record in records.stamped(records.mock(1), records.compute(), records.mock(2), records.disk()):
        run.hand()
        store.write(record)
    assert {document["com"]["record_type"] for document in database.cloudmarker.find()} == {"mock"}
    store.done()
    assert database.cloudmarker.count_documents({}) == 4


def test_the_record_type_can_decide_the_collection(db, store_through):
    params, database = db
    written = records.stamped(records.mock(1), records.compute(), records.disk(), records.compute())
    store = MongoDBStore(**params, collection="inventory_{record_type}")
    store_through(store, written)
    counts = {name: database[name].count_documents({}) for name in database.list_collection_names()}
    assert counts == {"inventory_mock": 1, "inventory_compute": 2, "inventory_disk": 1}
    assert len(list(store.outputs())) == 3


def test_every_type_of_record_is_stored_as_it_is(db, store_through):
    params, database = db
    written = records.stamped(*records.every_type())
    before = copy.deepcopy(written)
    run = store_through(MongoDBStore(**params), written)
    assert written == before
    assert run.rejected == {}
    assert stored(database.cloudmarker) == by_id(written)


def test_it_works_without_a_run_and_without_record_ids(db):
    params, database = db
    store = MongoDBStore(**params, buffer_size=2)
    for number in range(5):
        store.write({"raw": {"n": number}, "ext": {}, "com": {"record_type": "mock"}})
    store.done()
    assert database.cloudmarker.count_documents({}) == 5


def test_done_without_records_talks_to_nobody():
    MongoDBStore(port=1).done()


def test_indexes_for_audit_and_type_are_there(db, many, store_through):
    params, database = db
    for _ in range(2):
        store_through(MongoDBStore(**params), many(1))
    keys = [tuple(index["key"]) for index in database.cloudmarker.list_indexes()]
    assert sorted(keys) == [
        ("_id",),
        ("com.audit_key", "com.audit_version", "com.record_type"),
        ("com.record_type", "com.cloud_type"),
    ]


def test_what_mongodb_has_no_form_for_is_rejected_alone(db, store_through):
    params, database = db
    poison = [{"n": 2**70}, {"a\0b": 1}, {"big": "x" * (17 * 1024 * 1024)}, {"nan": None}, {"a.b": 1, "$c": 2}]
    deep: Any = 0
    for _ in range(450):
        deep = [deep]
    written = records.stamped(*(records.mock(n, raw=raw) for n, raw in enumerate([*poison, {"deep": deep}])))
    run = store_through(MongoDBStore(**params), written)
    assert {0, 1, 2} <= set(run.rejected) <= {0, 1, 2, 5}
    assert run.unanswered == set()
    assert {3, 4} <= run.confirmed
    assert set(stored(database.cloudmarker)) == {written[n]["com"]["record_id"] for n in run.confirmed}


def test_records_of_old_runs_are_deleted_after_a_complete_one(db, store_through):
    params, database = db

    def store(version, end="done", key="audit"):
        made = records.stamped(records.mock(1), records.compute())
        for number, record in enumerate(made):
            record["com"].update(audit_key=key, audit_version=version, record_id=f"{key}{version}{number}")
        run = MemoryRun()
        run.audit_key, run.audit_version = key, version
        plugin = MongoDBStore(**params, collection="{record_type}", retention_days=10)
        plugin.begin(run)
        for record in made:
            run.hand()
            plugin.write(record)
        plugin.done() if end == "done" else plugin.abort(Incomplete({"audit_cloud": "cut off"}))

    def versions():
        return sorted({(d["com"]["audit_key"], d["com"]["audit_version"]) for d in database["compute"].find()})

    store("20250101_000000", key="other")
    store("20260101_000000")
    store("20260109_000000")
    store("20260112_000000", end="abort")
    assert len(versions()) == 4
    store("20260112_000001")
    assert versions() == [
        ("audit", "20260109_000000"),
        ("audit", "20260112_000000"),
        ("audit", "20260112_000001"),
        ("other", "20250101_000000"),
    ]
    assert database["mock"].count_documents({}) == 4


# What it is told


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"uri": "localhost"}, "uri"),
        ({"username": "me"}, "password"),
        ({"tls": False, "ca_cert": "x"}, "tls"),
        ({"collection": "{audit}"}, "collection"),
        ({"collection": ""}, "collection"),
        ({"buffer_size": 0}, "buffer_size"),
        ({"timeout_s": 0}, "timeout_s"),
    ],
)
def test_a_parameter_that_cannot_be_used_is_named(params, problem):
    with pytest.raises(ConfigError, match=problem):
        MongoDBStore(**params)


def test_a_uri_that_cannot_be_read_is_not_shown(many):
    store = MongoDBStore(uri="mongodb://me:hunter2@localhost:port")
    store.write(many(1)[0])
    with pytest.raises(PluginError) as caught:
        store.done()
    assert "hunter2" not in str(caught.value)


# TLS and logins


@pytest.fixture
def safe(safe_mongo, certificates):
    return {"host": "localhost", "port": safe_mongo.port, "ca_cert": str(certificates.authority)}


LOGIN = {"username": "me", "password": "hunter2"}


def count(safe_mongo, certificates, name):
    with safe_mongo.client(tls=True, tlsCAFile=str(certificates.authority), **LOGIN) as client:
        return client[name].cloudmarker.count_documents({})


def test_it_logs_in_over_tls(safe, safe_mongo, certificates, many, store_through):
    store_through(MongoDBStore(**safe, **LOGIN, db="one"), many(3))
    uri = f"mongodb://me:hunter2@localhost:{safe['port']}/?tls=true"
    store_through(MongoDBStore(uri=uri, ca_cert=safe["ca_cert"], db="two"), many(3))
    store_through(MongoDBStore("localhost", safe["port"], verify=False, db="three", **LOGIN), many(3))
    assert [count(safe_mongo, certificates, name) for name in ("one", "two", "three")] == [3, 3, 3]


@pytest.mark.parametrize("login", [{"username": "me", "password": "wrong-word"}, {}])
def test_a_login_that_is_refused_ends_it(safe, many, login):
    store = MongoDBStore(**{**safe, **login})
    store.write(many(1)[0])
    with pytest.raises(PluginError, match=r"MongoDB: .*\(code (13|18)\)") as caught:
        store.done()
    assert "wrong-word" not in str(caught.value)


def test_a_certificate_that_is_not_trusted_ends_it(safe, many):
    store = MongoDBStore("localhost", safe["port"], tls=True, timeout_s=1, **LOGIN)
    store.write(many(1)[0])
    with pytest.raises(PluginError, match="certificate is not trusted"):
        store.done()


def test_the_user_may_be_of_another_database(safe, safe_mongo, certificates, many, store_through):
    store_through(MongoDBStore(**safe, **LOGIN, auth_source="admin", db="four"), many(2))
    assert count(safe_mongo, certificates, "four") == 2
    store = MongoDBStore(**safe, **LOGIN, auth_source="elsewhere")
    store.write(many(1)[0])
    with pytest.raises(PluginError, match="auth_source"):
        store.done()


# Answers


def test_documents_are_upserted_by_id_in_any_order_and_a_majority_has_to_have_them(db, many, store_through):
    from pymongo import monitoring

    class Listener(monitoring.CommandListener):
        commands: ClassVar[list[Any]] = []

        def started(self, event: Any) -> None:
            if event.command_name == "update" and event.database_name == db[0]["db"]:
                self.commands.append(event.command)

        def succeeded(self, event: Any) -> None:
            pass

        failed = succeeded

    monitoring.register(Listener())
    store_through(MongoDBStore(**db[0]), many(3))
    (command,) = Listener.commands
    assert command["ordered"] is False
    assert command["writeConcern"] == {"w": "majority", "j": True}
    updates = [bson.decode(update.raw) for update in command["updates"]]
    assert [(update["q"], update["upsert"]) for update in updates] == [
        ({"_id": record["com"]["record_id"]}, True) for record in many(3)
    ]


def test_a_connection_that_is_lost_again_and_again_costs_nothing(own_mongo, many, store_through):
    written = many(30)
    for times in (1, 2, 3):
        own_mongo.fail({"times": times}, closeConnection=True)
        params = {"host": "localhost", "port": own_mongo.port, "db": f"lost{times}", "buffer_size": 10}
        run = store_through(MongoDBStore(**params), written)
        assert run.confirmed == set(range(30))
        with own_mongo.client() as client:
            assert stored(client[f"lost{times}"].cloudmarker) == by_id(written)


def test_a_write_that_a_majority_has_not_confirmed_is_made_again(own_mongo, many, store_through):
    own_mongo.fail({"times": 1}, writeConcernError={"code": 64, "errmsg": "waiting for replication timed out"})
    run = store_through(MongoDBStore("localhost", own_mongo.port), many(5))
    assert run.confirmed == set(range(5))
    assert len(run.waits) == 1
    with own_mongo.client() as client:
        assert client.cloudmarker.cloudmarker.count_documents({}) == 5


def test_a_server_that_has_no_right_to_offer_ends_it_and_costs_no_record(own_mongo, many):
    own_mongo.fail("alwaysOn", errorCode=13)
    store, run = MongoDBStore("localhost", own_mongo.port), MemoryRun()
    store.begin(run)
    run.hand()
    store.write(many(1)[0])
    with pytest.raises(PluginError, match="code 13"):
        store.done()
    assert run.rejected == {}
    assert run.unanswered == {0}
