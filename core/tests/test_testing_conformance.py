"""The kit passes plugins that keep the contract, and names the rule for each way of breaking it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from cloudmarker.coverage import coverage
from cloudmarker.errors import RecordError
from cloudmarker.findings import finding
from cloudmarker.testing import MemoryStore, check_plugin, records


class GoodCloud:
    def __init__(self, n=2):
        self.n = n

    def read(self):
        for number in range(self.n):
            yield records.compute(reference=f"example/{number}")
        yield coverage("example", "one", "compute", "ok", self.n)

    def done(self):
        pass


class GoodEvent:
    record_types = ("firewall_rule",)
    buckets = ("com",)

    def __init__(self):
        self.seen = []

    def eval(self, record):
        assert record.keys() == {"com"}
        self.seen.append(record)
        yield self.event(record, "one")

    def finish(self):
        for record in self.seen[-1:]:
            yield self.event(record, "last")

    def event(self, record, discriminator, **change):
        return finding(
            record,
            check_id="good",
            record_type="good_event",
            severity="low",
            description="A rule is there.",
            recommendation="Look at it.",
            discriminator=discriminator,
            **change,
        )

    def done(self):
        pass


class GoodStore:
    """Writes lines as they are in batches, so that both ways can be compared."""

    def __init__(self, path):
        self.path = Path(path)
        self.lines = []

    def write(self, record):
        for batch in records.batches([record]):
            self.write_batch(batch)

    def write_batch(self, batch):
        self.lines.append(batch.data)

    def done(self):
        self.path.write_bytes(b"\n".join(self.lines))

    def abort(self, reason):
        self.path = self.path.with_suffix(".partial")
        self.done()

    def outputs(self):
        return [str(self.path)]


def test_plugins_that_keep_the_contract_pass(tmp_path):
    check_plugin(GoodCloud, {"n": 1})
    check_plugin(GoodEvent, records=[records.firewall_rule(reference="example/other")])
    check_plugin(GoodStore, {"path": str(tmp_path / "out")})
    check_plugin(MemoryStore)


class NoMethods:
    pass


class TwoKinds(GoodCloud):
    def write(self, record):
        pass


class NoDone:
    def read(self):
        yield records.mock()


class PositionalOnly(GoodCloud):
    def __init__(self, n, /):
        pass


class Raising(GoodCloud):
    def read(self):
        yield records.mock()
        raise KeyError("name")


class Printing(GoodCloud):
    def read(self):
        print("reading …")
        yield from super().read()


class ChangingParams(GoodCloud):
    def __init__(self, options):
        super().__init__()
        options.pop("a")


class NeedingAnArgument(GoodCloud):
    def read(self, session):
        yield session


class YieldingNothing(GoodCloud):
    def read(self):
        return iter(())


class ReturningARecord(GoodCloud):
    def read(self):
        return records.mock()


class YieldingAList(GoodCloud):
    def read(self):
        yield [records.mock()]


class YieldingAnObject(GoodCloud):
    def read(self):
        yield records.mock(1, owner=object())


class YieldingAnotherBucket(GoodCloud):
    def read(self):
        yield {**records.mock(), "data": 1}


class YieldingNoExt(GoodCloud):
    def read(self):
        yield {"com": records.mock()["com"]}


class YieldingNoReference(GoodCloud):
    def read(self):
        record = records.compute()
        del record["com"]["reference"]
        yield record


class YieldingNoCloud(GoodCloud):
    def read(self):
        yield records.mock(cloud_type="")


class YieldingAWrongType(GoodCloud):
    def read(self):
        yield records.compute(tags=["a"])


class YieldingStamps(GoodCloud):
    def read(self):
        yield records.mock(origin_worker="me")


class YieldingAnotherCloudInExt(GoodCloud):
    def read(self):
        yield records.mock(ext={"cloud_type": "other"})


class ReusingTheRecord(GoodCloud):
    def read(self):
        record = records.mock(0)
        for number in range(3):
            record["com"]["reference"] = f"mock/{number}"
            yield record


class DoneNeedsRead(GoodCloud):
    def read(self):
        self.session = "open"
        yield records.mock()

    def done(self):
        del self.session


class HoldingTheEnd(GoodCloud):
    def read(self):
        self.session = "open"
        yield from super().read()
        self.session = None

    def done(self):
        if getattr(self, "session", None):
            raise RuntimeError("still open")


class LeavingAThread(GoodCloud):
    stop = threading.Event()

    def read(self):
        threading.Thread(target=self.stop.wait, args=(30,), name="poller").start()
        yield from super().read()


BROKEN_CLOUDS = [
    (NoMethods, {}, "NoMethods: a plugin has exactly one of the methods read, eval and write; this class has none"),
    (TwoKinds, {}, "this class has read and write"),
    (NoDone, {}, "NoDone: has no method done()"),
    (
        GoodCloud,
        {"m": 1},
        "GoodCloud.__init__() does not take these parameters: got an unexpected keyword argument 'm'",
    ),
    (PositionalOnly, {"n": 1}, "PositionalOnly.__init__() parameter n cannot be given by name"),
    (ChangingParams, {"options": {"a": 1}}, "ChangingParams.__init__() changed the parameters"),
    (Raising, {}, "Raising.read() raised KeyError: 'name'"),
    (Printing, {}, "Printing.read() printed 'reading …\\n'; use logging"),
    (NeedingAnArgument, {}, "has read(self, session), which cannot be called as read()"),
    (YieldingNothing, {}, "YieldingNothing.read() yields nothing"),
    (ReturningARecord, {}, "must yield records or return an iterable of them, not dict"),
    (YieldingAList, {}, "not well-formed: it is a list, not a dict"),
    (YieldingAnObject, {}, "yielded a record that is not JSON: com.owner: object of type object is not JSON"),
    (YieldingAnotherBucket, {}, "'data' is no bucket; there are raw, ext, com"),
    (YieldingNoExt, {}, "its ext bucket must be a dict"),
    (YieldingNoReference, {}, "com.reference is missing"),
    (YieldingNoCloud, {}, "com.cloud_type must not be empty"),
    (YieldingAWrongType, {}, "com.tags must be map of string, not ['a']"),
    (YieldingStamps, {}, "com.origin_worker is"),
    (YieldingAnotherCloudInExt, {}, "ext.cloud_type must be com.cloud_type, not 'other'"),
    (ReusingTheRecord, {}, "ReusingTheRecord.read() changed a record after it had yielded it"),
    (DoneNeedsRead, {}, "DoneNeedsRead.done() before read() raised AttributeError"),
    (HoldingTheEnd, {}, "HoldingTheEnd.done() after an unfinished read() raised RuntimeError: still open"),
]


class EventWithoutGenerator(GoodEvent):
    def eval(self, record):
        return None


class ChangingTheRecord(GoodEvent):
    def eval(self, record):
        record["com"].pop("name")
        return ()


class NeedingRaw(GoodEvent):
    record_types = None
    buckets = ("raw", "com")

    def eval(self, record):
        return [self.event(record, str(record["raw"]))]


class NoSeverity(GoodEvent):
    def eval(self, record):
        event = self.event(record, "")
        del event["com"]["severity"]
        yield event


class SameFingerprint(GoodEvent):
    def finish(self):
        for record in self.seen[-1:]:
            yield self.event(record, "last")
            yield self.event(record, "last", note="again")


class Remembering(GoodEvent):
    made = 0

    def eval(self, record):
        Remembering.made += 1
        yield self.event(record, str(Remembering.made))


class FinishNeedsEval(GoodEvent):
    def finish(self):
        yield self.event(self.seen[-1], "last")


class Silent(GoodEvent):
    def eval(self, record):
        return ()

    def finish(self):
        return ()


class WrongBuckets(GoodEvent):
    buckets = ("common",)


class WrongTypes(GoodEvent):
    record_types = "firewall_rule"


class OtherTypes(GoodEvent):
    record_types = ("teapot",)


BROKEN_EVENTS = [
    (
        EventWithoutGenerator,
        "EventWithoutGenerator.eval() must yield records or return an iterable of them, not NoneType",
    ),
    (ChangingTheRecord, "ChangingTheRecord.eval() changed the record firewall_rule //example/projects/sample/"),
    (NeedingRaw, "NeedingRaw.eval() raised KeyError: 'raw'"),
    (NoSeverity, "com.severity is missing"),
    (
        SameFingerprint,
        "two events for //example/projects/sample/firewall_rules/one have one fingerprint",
    ),
    (Remembering, "Remembering: two runs over the same records give different events"),
    (FinishNeedsEval, "FinishNeedsEval.finish() without any eval() raised IndexError"),
    (WrongBuckets, "WrongBuckets: has buckets = ('common',), which may hold only raw, ext, com and com.FIELD"),
    (WrongTypes, "WrongTypes: has record_types = 'firewall_rule', which is not a list or tuple of strings"),
    (OtherTypes, "OtherTypes: wants only teapot records: pass some as records=[…]"),
]


class Refusing(MemoryStore):
    def write(self, record):
        if record["com"]["record_type"] == "compute":
            raise RecordError("no machines here")


class RefusingAwkward(MemoryStore):
    def write(self, record):
        if record["com"]["record_type"] == "gadget" and record.get("raw") is None:
            raise RecordError("raw is missing")


class Failing(MemoryStore):
    def write(self, record):
        raise OSError("disk full")


class Stamping(MemoryStore):
    def write(self, record):
        record["_id"] = record["com"]["record_id"]


class FailingAtTheEnd(MemoryStore):
    def done(self):
        if self.records:
            raise OSError("disk full")


class FailingToAbort(MemoryStore):
    def abort(self, reason):
        raise ValueError(str(reason))


class ReplacingOnAbort(GoodStore):
    def abort(self, reason):
        self.done()


class OtherBatches(GoodStore):
    def write_batch(self, batch):
        self.lines.append(b"batch")

    def write(self, record):
        self.lines.append(b"record")


class PathOutputs(GoodStore):
    def outputs(self):
        return [self.path]


class BytesDisplay(GoodStore):
    def display(self):
        return b"high"


BROKEN_STORES = [
    (Refusing, "Refusing.write() refused an ordinary compute record: no machines here"),
    (Failing, "Failing.write() raised OSError: disk full"),
    (Stamping, "Stamping.write() changed the record scope"),
    (FailingAtTheEnd, "FailingAtTheEnd.done() after write() raised OSError: disk full"),
    (FailingToAbort, "FailingToAbort.abort() raised ValueError: audit_cloud: the audit was stopped"),
    (ReplacingOnAbort, "ReplacingOnAbort.abort() replaced the complete"),
    (OtherBatches, "OtherBatches.write_batch() and write() of the same records give different outputs"),
    (PathOutputs, "PathOutputs.outputs() must give strings"),
    (BytesDisplay, "BytesDisplay.display() must give a string"),
]


def broken(cls, params=None, **kwargs):
    with pytest.raises(AssertionError) as caught:
        check_plugin(cls, params, **kwargs)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(("cls", "params", "rule"), BROKEN_CLOUDS, ids=lambda value: getattr(value, "__name__", ""))
def test_each_rule_for_clouds_is_named_when_broken(cls, params, rule):
    assert rule in broken(cls, params)


@pytest.mark.parametrize(("cls", "rule"), BROKEN_EVENTS, ids=lambda value: getattr(value, "__name__", ""))
def test_each_rule_for_events_is_named_when_broken(cls, rule):
    assert rule in broken(cls)


@pytest.mark.parametrize(("cls", "rule"), BROKEN_STORES, ids=lambda value: getattr(value, "__name__", ""))
def test_each_rule_for_stores_is_named_when_broken(cls, rule, tmp_path):
    params = {"path": str(tmp_path / "out")} if issubclass(cls, GoodStore) else {}
    assert rule in broken(cls, params)


def test_an_event_must_find_something_in_the_records_given():
    check_plugin(Silent)
    assert "finds nothing in the records given" in broken(Silent, records=[records.firewall_rule()])


def test_records_given_may_have_the_references_of_the_kit_s_own():
    check_plugin(GoodEvent, records=[records.firewall_rule(), records.firewall_rule(enabled=False)])


def test_records_given_are_used_for_types_that_the_kit_does_not_know():
    check_plugin(OtherTypes, records=[records.record("teapot")])


def test_a_store_may_refuse_awkward_records_with_record_error():
    check_plugin(RefusingAwkward)


def test_a_thread_left_running_is_named(monkeypatch):
    monkeypatch.setattr("cloudmarker.testing._subject._GRACE_S", 0.01)
    try:
        assert "LeavingAThread.done() after an unfinished read() left threads running: poller" in broken(LeavingAThread)
    finally:
        LeavingAThread.stop.set()


def test_a_class_that_cannot_be_named_in_a_configuration_is_refused():
    class Local(GoodCloud):
        pass

    assert "cannot be loaded as" in broken(Local)
