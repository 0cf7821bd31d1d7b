from __future__ import annotations

import copy

import pytest
from cloudmarker.contracts import Incomplete
from cloudmarker.fields import RECORD_TYPES, Stamps, fields, validate
from cloudmarker.records import decode, encode, plain
from cloudmarker.testing import MemoryRun, MemoryStore, records

FACTORIES = {record_type: getattr(records, record_type) for record_type in RECORD_TYPES}


def test_there_is_a_record_of_every_type():
    assert {record["com"]["record_type"] for record in records.every_type()} == {*RECORD_TYPES, "gadget"}


@pytest.mark.parametrize("record_type", FACTORIES)
def test_a_record_is_complete_and_valid_by_default(record_type):
    record = FACTORIES[record_type]()
    assert record["com"]["record_type"] == record_type
    assert validate(record["com"]) == []
    assert record["ext"]["cloud_type"] == record["com"]["cloud_type"]
    assert plain(record) == record


@pytest.mark.parametrize("record_type", FACTORIES)
def test_keywords_replace_fields_of_the_com_bucket(record_type):
    assert FACTORIES[record_type](reference="other/two")["com"]["reference"] == "other/two"


def test_the_name_follows_the_reference():
    assert records.compute(reference="a/b/c")["com"]["name"] == "c"
    assert records.compute(reference="a/b/c", name=None)["com"]["name"] is None


def test_raw_and_ext_can_be_given():
    record = records.compute(raw={"a": 1}, ext={"zone": "z", "record_type": "instance"})
    assert record["raw"] == {"a": 1}
    assert record["ext"] == {"cloud_type": "example", "record_type": "instance", "zone": "z"}
    assert record["com"]["record_type"] == "compute"


def test_factories_share_nothing_between_records():
    first = records.firewall_rule()
    kept = copy.deepcopy(first)
    second = records.firewall_rule()
    second["com"]["source_addresses"].append("x")
    second["com"]["tags"]["x"] = "y"
    assert first == kept


def test_awkward_records_are_plain_json():
    for record in records.awkward():
        assert decode(encode(record)) == record
        assert validate(record["com"]) == []


def test_stamped_records_have_every_stamp_and_ids_of_their_own():
    stamped = records.stamped(*records.every_type())
    for record in stamped:
        assert fields(Stamps).keys() <= record["com"].keys()
        assert validate(record["com"]) == []
        assert record["com"]["origin_worker"] == "audit_cloud"
    assert len({record["com"]["record_id"] for record in stamped}) == len(stamped)


def test_batches_hold_all_records_in_order_one_origin_each():
    mixed = [*records.stamped(records.mock(0), records.mock(1)), *records.stamped(records.mock(2), plugin_key="other")]
    batches = list(records.batches(mixed))
    assert [(batch.origin_worker, batch.count) for batch in batches] == [("audit_cloud", 2), ("audit_other", 1)]
    assert [decode(line) for batch in batches for line in batch.data.split(b"\n")] == mixed


class Batches(MemoryStore):
    """A store that takes batches and is told of its run."""

    def begin(self, run):
        self.run = run

    def write_batch(self, batch):
        positions = range(self.run.position, self.run.position + batch.count)
        for position, line in zip(positions, batch.data.split(b"\n"), strict=True):
            self.run.take(position)
            self.write(decode(line))
            self.run.delivered(position)


def test_a_run_serves_a_store_from_its_beginning_to_its_end():
    written = [
        *records.stamped(records.mock(0), records.mock(1)),
        *records.stamped(records.mock(2), plugin_key="other"),
    ]
    plain, run, batched = MemoryStore(), MemoryRun(), Batches()
    MemoryRun().serve(plain, written)
    run.serve(batched, written, in_batches=True)
    assert plain.records == batched.records == written
    assert plain.ended == batched.ended == "done"
    assert (run.confirmed, run.unanswered) == ({0, 1, 2}, set())


def test_a_run_says_why_records_are_incomplete():
    store, why = MemoryStore(), Incomplete({"audit_cloud": "it broke off"})
    MemoryRun().serve(store, records.stamped(records.mock(0)), why)
    assert (len(store.records), store.ended, store.reason) == (1, "abort", why)


def test_the_memory_store_keeps_copies():
    store = MemoryStore()
    record = records.mock(1)
    store.write(record)
    record["com"]["reference"] = "changed"
    assert store.records == [records.mock(1)]
    assert store.ended is None
    store.done()
    assert store.ended == "done"
