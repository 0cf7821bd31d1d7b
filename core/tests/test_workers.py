"""The work of each plugin kind, with plugins that behave and plugins that do not."""

from __future__ import annotations

import inspect
import json
import multiprocessing
import queue
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import connection
from pathlib import Path
from typing import Any

import pytest
from cloudmarker import workers
from cloudmarker._journal import Journal
from cloudmarker._producer import Producer, Stop, Stopped
from cloudmarker.batches import RecordBatch
from cloudmarker.channel import FanOut, Pipe, PipeInput
from cloudmarker.clouds.mockcloud import MockCloud
from cloudmarker.coverage import coverage
from cloudmarker.errors import PluginError, RecordError
from cloudmarker.events.mockevent import MockEvent
from cloudmarker.records import Stamper
from cloudmarker.report import Report
from cloudmarker.storerun import WorkerRun
from cloudmarker.stores.filestore import FileStore
from cloudmarker.testing import MemoryStore, records
from cloudmarker.workers import Evaluator, run_cloud, run_events, run_store

QUEUES: Sequence[Callable[[], Any]] = (queue.Queue, multiprocessing.get_context("fork").Queue)
VERSION = "20260102_030405"


@pytest.fixture(params=QUEUES, ids=["queue", "multiprocessing"])
def make(request: pytest.FixtureRequest) -> Callable[[], Any]:
    return request.param


def filled(items: Sequence[Any], make: Callable[[], Any] = queue.Queue) -> Any:
    full = make()
    for item in items:
        full.put(item)
    return full


def emptied(full: Any) -> list[Any]:
    """Return everything in a queue."""
    full.put("the end")
    return list(iter(lambda: full.get(timeout=5), "the end"))


def mocks(count: int) -> list[Any]:
    return records.stamped(*(records.mock(number) for number in range(count)))


# The documented functions


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("cloud_worker", "audit_key audit_version plugin_key plugin output_queues"),
        ("event_worker", "audit_key audit_version plugin_key plugin input_queue output_queues"),
        ("store_worker", "audit_key audit_version plugin_key plugin input_queue"),
        ("alert_worker", "audit_key audit_version plugin_key plugin input_queue"),
    ],
)
def test_the_documented_functions_take_the_documented_arguments(name, arguments):
    assert list(inspect.signature(getattr(workers, name)).parameters) == arguments.split()


def test_a_cloud_worker_puts_every_record_stamped_into_each_queue_and_no_end(make):
    one, two = make(), make()
    workers.cloud_worker("audit", VERSION, "mockcloud", MockCloud(), [one, two])
    found = emptied(one)
    assert found == emptied(two)
    assert [record["raw"]["data"] for record in found] == list(range(10))
    assert found[3]["com"] == {
        "cloud_type": "mock",
        "record_type": "mock",
        "reference": "mock/3",
        "audit_key": "audit",
        "audit_version": VERSION,
        "origin_key": "mockcloud",
        "origin_class": "MockCloud",
        "origin_worker": "audit_mockcloud",
        "origin_type": "cloud",
        "record_id": f"audit_mockcloud_{VERSION}_4",
    }


def test_an_event_worker_puts_events_until_it_finds_none(make):
    source, one, two = filled([*mocks(10), None, "not looked at"], make), make(), make()
    workers.event_worker("audit", VERSION, "mockevent", MockEvent(5), source, [one, two])
    found = emptied(one)
    assert found == emptied(two)
    assert [record["ext"]["data"] for record in found] == [0, 5]
    assert {record["com"]["origin_worker"] for record in found} == {"audit_mockevent"}
    assert {record["com"]["origin_type"] for record in found} == {"event"}
    assert source.get(timeout=5) == "not looked at"


@pytest.mark.parametrize("function", [workers.store_worker, workers.alert_worker])
def test_a_store_worker_writes_every_record_and_calls_done_once(function, make):
    class Counting(MemoryStore):
        dones = 0

        def done(self) -> None:
            self.dones += 1
            super().done()

    store = Counting()
    given = mocks(10)
    function("audit", VERSION, "store", store, filled([*given, None], make))
    assert store.records == given
    assert (store.ended, store.dones) == ("done", 1)


def test_the_documented_functions_work_in_processes_of_their_own(tmp_path):
    context = multiprocessing.get_context("spawn")
    to_store, to_event, to_alert = context.Queue(), context.Queue(), context.Queue()
    processes = [
        context.Process(target=function, args=("a", VERSION, *args))
        for function, args in [
            (workers.cloud_worker, ("mockcloud", MockCloud(), [to_store, to_event])),
            (workers.event_worker, ("mockevent", MockEvent(), to_event, [to_alert])),
            (workers.store_worker, ("filestore", FileStore(str(tmp_path)), to_store)),
            (workers.alert_worker, ("filestore", FileStore(str(tmp_path)), to_alert)),
        ]
    ]
    for process in processes:
        process.start()
    for process, queues in zip(processes, [[to_store, to_event], [to_alert], [], []], strict=True):
        process.join(20)
        for ended in queues:
            ended.put(None)
    assert [process.exitcode for process in processes] == [0] * 4
    assert len(json.loads((tmp_path / "a_mockcloud.json").read_bytes())) == 10
    assert len(json.loads((tmp_path / "a_mockevent.json").read_bytes())) == 4


def test_nothing_but_the_end_leads_to_done(make):
    store = MemoryStore()
    workers.store_worker("audit", VERSION, "store", store, filled([None], make))
    assert (store.records, store.ended) == ([], "done")


# The loops, over pipes


class Way:
    """A producer's way to one reader, within this process; enough for what fits into a pipe."""

    def __init__(self) -> None:
        self.reader, writer = connection.Pipe(duplex=False)
        self.out = FanOut([Pipe("store", writer)])

    def producer(self, key: str = "cloud", *, own: bool = False) -> Producer:
        stamper = Stamper("a", VERSION, key, "Plugin", "cloud")
        report = Report(key, "cloud", stamper.worker)
        return Producer(stamper, self.out, report, stamper.for_audit() if own else None)

    def source(self, *origins: str) -> PipeInput:
        return PipeInput([(self.reader, origins or ("a_cloud",))])

    def received(self) -> tuple[list[Any], dict[str, str]]:
        store, source = MemoryStore(), self.source()
        run_store(store, source, Report("store", "store", "a_store"))
        return store.records, source.incomplete


class Cloud:
    """Yields what it is given; an exception among it is raised."""

    def __init__(self, *items: Any) -> None:
        self.items = items
        self.closed = 0

    def read(self) -> Iterator[Any]:
        for item in self.items:
            if isinstance(item, BaseException):
                raise item
            yield item

    def done(self) -> None:
        self.closed += 1


def read(plugin: Any, stop: Stop | None = None) -> tuple[Report, list[Any], dict[str, str]]:
    way = Way()
    producer = way.producer(own=True)
    run_cloud(plugin, producer, stop or Stop())
    found, incomplete = way.received()
    return producer.report, found, incomplete


def held(found: Sequence[Any], record_type: str) -> list[Any]:
    return [record for record in found if record["com"]["record_type"] == record_type]


def test_a_cloud_that_reports_no_coverage_gets_one_for_everything():
    report, found, incomplete = read(MockCloud(3))
    (own,) = held(found, "coverage")
    com = own["com"]
    assert (com["state"], com["resource_type"], com["count"], com["cloud_type"]) == ("ok", "*", 3, "mock")
    assert (com["origin_worker"], com["scope"]) == ("a_audit", "a_cloud")
    assert (report.records_out(), report.outcome, report.coverage["ok"], incomplete) == (3, "ok", 1, {})


def test_a_clouds_own_coverage_stands_alone_and_holes_make_its_stream_incomplete():
    plugin = Cloud(
        records.mock(), coverage("mock", "s", "mock", "ok", 1), coverage("mock", "s", "disk", "denied", 0, "no")
    )
    report, found, incomplete = read(plugin)
    assert [record["com"]["state"] for record in held(found, "coverage")] == ["ok", "denied"]
    assert incomplete == {"a_cloud": "coverage has holes: 1 denied"}
    assert (report.outcome, report.records_out(), plugin.closed) == ("ok", 1, 1)


@pytest.mark.parametrize("error", [RuntimeError("went\naway"), PluginError("went away"), KeyError("went away")])
def test_a_cloud_that_raises_keeps_what_it_gave_and_says_what_is_missing(error):
    plugin = Cloud(records.mock(0), records.mock(1), error, records.mock(2))
    report, found, incomplete = read(plugin)
    assert len(held(found, "mock")) == 2
    (hole,) = held(found, "coverage")
    assert hole["com"]["state"] == "failed"
    assert "went away" in hole["com"]["error"]
    assert "went away" in incomplete["a_cloud"]
    assert (report.outcome, plugin.closed) == ("failed", 1)
    assert report.message.startswith("reading ended: ")


def test_a_cloud_whose_read_raises_or_is_no_generator_is_read_all_the_same():
    class Eager(Cloud):
        def read(self) -> Any:
            return list(self.items)

    assert len(held(read(Eager(records.mock(), records.mock()))[1], "mock")) == 2

    class Broken(Cloud):
        def read(self) -> Any:
            raise PermissionError("no key")

    report, _, incomplete = read(Broken())
    assert report.message == "reading ended: PermissionError: no key"
    assert "a_cloud" in incomplete


def test_a_cloud_that_raises_in_done_has_failed_after_all_its_records():
    class Leaving(Cloud):
        def done(self) -> None:
            raise OSError("cannot log out")

    report, found, incomplete = read(Leaving(records.mock()))
    assert len(held(found, "mock")) == 1
    assert (report.outcome, report.message, incomplete) == ("failed", "closing: OSError: cannot log out", {})


def test_a_stop_between_two_records_ends_the_reading():
    stop = Stop()

    class Stopping(Cloud):
        def read(self) -> Iterator[Any]:
            yield records.mock(0)
            stop.requested = "stopped by SIGTERM"
            yield records.mock(1)
            yield records.mock(2)

    report, found, incomplete = read(Stopping(), stop)
    assert len(held(found, "mock")) == 2
    assert held(found, "coverage")[0]["com"]["state"] == "skipped"
    assert (report.outcome, incomplete) == ("stopped", {"a_cloud": "stopped by SIGTERM"})


@pytest.mark.parametrize("eager", [False, True])
def test_a_stop_while_the_plugin_waits_is_let_through(eager):
    stop = Stop()

    def interrupt() -> None:
        assert stop.reading
        stop.requested, stop.reading = "stopped by SIGTERM", False
        raise Stopped

    class Waiting(Cloud):
        def read(self) -> Any:
            return [interrupt()] if eager else (interrupt() for _ in range(2))

    report, _, incomplete = read(Waiting(), stop)
    assert (report.outcome, incomplete) == ("stopped", {"a_cloud": "stopped by SIGTERM"})


def test_a_stop_waits_for_what_must_not_be_left_half_done():
    stop = Stop(reading=True)
    done = []

    def logging_plugin() -> None:
        with stop.hold():
            stop.requested = "stopped by SIGTERM"
            stop.interrupt()
            done.append("the message")
        done.append("never")

    with pytest.raises(Stopped):
        logging_plugin()
    assert done == ["the message"]
    assert (stop.reading, stop.held) == (False, False)


@pytest.mark.parametrize(
    "bad",
    [
        None,
        "text",
        7,
        [],
        {},
        {"com": {}},
        {"com": None},
        {"com": {"record_type": 3}},
        {"com": {"record_type": None}},
        {"com": [("record_type", "x")]},
        {"raw": object(), "com": {"record_type": "mock"}},
        {"com": {"record_type": "mock", "owner": object()}},
        {"com": {"record_type": "coverage", "state": object()}},
    ],
)
def test_what_is_no_record_is_counted_and_kept_aside_and_its_neighbours_arrive(bad):
    letters: list[tuple[object, str]] = []
    way = Way()
    producer = way.producer()
    producer.report = Report("cloud", "cloud", "a_cloud", lambda record, reason: letters.append((record, reason)))
    run_cloud(Cloud(records.mock(1), bad, records.mock(2)), producer, Stop())
    found, _ = way.received()
    assert [record["raw"]["data"] for record in found] == [1, 2]
    assert (producer.report.rejected_out, producer.report.errors) == (1, 1)
    ((record, reason),) = letters
    assert record is bad
    assert "must be a dict" in reason or "is not JSON" in reason


def test_dead_letters_that_cannot_be_kept_cost_no_other_record(caplog):
    def full(record: object, reason: str) -> None:
        raise OSError(28, "No space left on device")

    way = Way()
    producer = way.producer()
    producer.report = Report("cloud", "cloud", "a_cloud", full)
    run_cloud(Cloud(None, records.mock(1), None, records.mock(2)), producer, Stop())
    assert len(way.received()[0]) == 2
    assert (producer.report.outcome, producer.report.rejected_out) == ("ok", 2)
    assert caplog.text.count("dead letters cannot be written: OSError: [Errno 28] No space left on device") == 1


def test_findings_and_holes_have_a_bounded_length_and_text():
    producer = Way().producer()
    producer.output = FanOut([])
    for number in range(150):
        producer.put(records.event(description="d" * 10_000, reference=f"r{number}"))
        producer.put(coverage("mock", f"s{number}", "mock", "failed", error="e" * 10_000))
    snapshot = producer.report.snapshot()
    assert (len(snapshot.findings), len(snapshot.holes)) == (100, 100)
    assert snapshot.severities == {"high": 150}
    assert max(len(finding.description) for finding in snapshot.findings) < 2100
    assert max(len(hole.error or "") for hole in snapshot.holes) < 2100
    assert producer.report.snapshot().findings == []


@pytest.mark.parametrize("severity", ["urgent", "", None, 7, ["high"], {"high": 1}])
def test_a_severity_that_does_not_exist_counts_as_info(severity):
    producer = Way().producer()
    producer.put(records.event(severity=severity))
    snapshot = producer.report.snapshot()
    assert snapshot.severities == {"info": 1}
    assert snapshot.findings[0].severity == "info"


@pytest.mark.parametrize("state", ["odd", None, ["ok"], 1])
def test_a_coverage_state_that_does_not_exist_counts_as_failed(state):
    producer = Way().producer()
    record = coverage("mock", "s", "mock", "ok")
    record["com"]["state"] = state
    producer.put(record)
    assert producer.report.snapshot().coverage == {"failed": 1}


# Events


class Event:
    def __init__(self, **given: Any) -> None:
        vars(self).update(given)
        self.seen: list[Any] = []
        self.closed = 0

    def eval(self, record: Any) -> Any:
        self.seen.append(record)
        return ()

    def done(self) -> None:
        self.closed += 1


def evaluate(plugins: Sequence[Any], given: Sequence[Any], incomplete: dict[str, str] | None = None):
    """Show records to event plugins as one worker; return their reports, the events, and what of those is missing."""
    source, target = Way(), Way()
    for batch in records.batches(records.stamped(*given)):
        lines, origin = iter(batch.data.split(b"\n")), records.StampedOrigin(batch.origin_worker)
        for record_type, count in batch.runs:
            for _ in range(count):
                source.out.put(next(lines), record_type, origin)
    source.out.end(incomplete or {})
    producers = [target.producer(f"event{number}") for number in range(len(plugins))]
    run_events([Evaluator(p, producer) for p, producer in zip(plugins, producers, strict=True)], source.source())
    return [producer.report for producer in producers], *target.received()


GIVEN = [records.mock(0), records.firewall(), records.mock(1), records.coverage(), records.compute()]


def types(plugin: Event) -> list[str]:
    return [record["com"]["record_type"] for record in plugin.seen]


def test_each_event_sees_the_types_it_wants_in_order_and_coverage_only_by_name():
    every, some, none, cover = Event(), Event(record_types=["mock", "compute"]), Event(record_types=[]), Event()
    cover.record_types = ("coverage",)
    reports, _, _ = evaluate([every, some, none, cover], GIVEN)
    assert types(every) == ["mock", "firewall", "mock", "compute"]
    assert types(some) == ["mock", "mock", "compute"]
    assert types(none) == []
    assert types(cover) == ["coverage"]
    assert [report.records_in for report in reports] == [4, 3, 0, 1]
    assert [plugin.closed for plugin in (every, some, none, cover)] == [1] * 4


def test_an_event_that_reads_some_buckets_is_handed_at_least_those():
    com, raw = Event(buckets=("com",)), Event(buckets=("raw",))
    evaluate([com], GIVEN)
    assert all(set(record) == {"com"} for record in com.seen)
    evaluate([com, raw], GIVEN)
    assert all({"com", "raw"} <= set(record) for record in raw.seen)


def test_what_several_events_of_one_worker_find_is_stamped_and_numbered_for_each_of_them():
    class Finding(Event):
        def eval(self, record: Any) -> Iterator[Any]:
            found = {"com": {}}
            for number in range(self.each):
                found["com"] = {"record_type": "ab"[number % 2], "reference": record["com"]["record_id"]}
                yield found
            yield records.coverage()

    given = [records.mock(number) for number in range(30)]
    _, found, _ = evaluate([Finding(each=1), Finding(each=3)], given)
    seen = [record["com"]["record_id"] for record in records.stamped(*given)]
    for number, each in ((0, 1), (1, 3)):
        own = [record["com"] for record in found if record["com"]["origin_key"] == f"event{number}"]
        assert [com["record_id"] for com in own] == [f"a_event{number}_{VERSION}_{n + 1}" for n in range(len(own))]
        assert {com["origin_worker"] for com in own} == {f"a_event{number}"}
        assert [com["reference"] for com in own if com["record_type"] != "coverage"] == [
            reference for reference in seen for _ in range(each)
        ]
    assert Counter(record["com"]["record_type"] for record in found) == {"a": 90, "b": 30, "coverage": 60}


@pytest.mark.parametrize("result", [None, (), [], iter(())])
def test_an_event_may_find_nothing_in_any_way(result):
    class Finding(Event):
        def eval(self, record: Any) -> Any:
            return result

    (report,), events, _ = evaluate([Finding()], GIVEN)
    assert (events, report.errors, report.outcome) == ([], 0, "ok")


def test_an_event_that_raises_loses_that_record_only():
    class Picky(Event):
        def eval(self, record: Any) -> Iterator[Any]:
            yield records.event(reference="before")
            if record["com"]["record_type"] == "mock":
                raise ValueError("not a mock")

    (report,), events, incomplete = evaluate([Picky()], GIVEN)
    assert (len(events), report.errors, report.outcome, incomplete) == (4, 2, "ok", {})


def test_an_event_that_cannot_go_on_ends_alone():
    class Ending(Event):
        finished = 0

        def eval(self, record: Any) -> Iterator[Any]:
            self.seen.append(record)
            raise PluginError("no more")
            yield

        def finish(self) -> Iterator[Any]:
            self.finished += 1
            yield records.event()

    ending, other = Ending(), Event()
    (failed, fine), events, incomplete = evaluate([ending, other], GIVEN)
    assert (len(ending.seen), ending.closed, ending.finished) == (1, 1, 0)
    assert (failed.outcome, failed.message) == ("failed", "evaluating: no more")
    assert incomplete == {"a_event0": "evaluating: no more"}
    assert (len(other.seen), fine.outcome, events) == (4, "ok", [])


def test_finish_yields_events_after_the_last_record_also_of_an_incomplete_stream():
    class Counting(Event):
        def finish(self) -> Iterator[Any]:
            yield records.event(reference=str(len(self.seen)))

    (report,), events, incomplete = evaluate([Counting()], GIVEN, {"a_cloud": "access denied"})
    assert [event["com"]["reference"] for event in events] == ["4"]
    assert incomplete == {"a_event0": "its input is incomplete (a_cloud: access denied)"}
    assert report.outcome == "ok"


@pytest.mark.parametrize("method", ["finish", "done"])
def test_an_event_that_raises_at_its_end_has_failed(method):
    class Failing(Event):
        pass

    def fail(self: Any) -> None:
        raise RuntimeError("at the end")

    setattr(Failing, method, fail)
    (report,), _, incomplete = evaluate([Failing()], GIVEN)
    assert report.outcome == "failed"
    assert report.message.endswith(": RuntimeError: at the end")
    assert incomplete == {"a_event0": report.message}


def test_what_an_event_yields_besides_records_is_counted():
    class Careless(Event):
        def eval(self, record: Any) -> Any:
            return {"com": 1, "ext": 2}  # a record where an iterable of records is due

    (report,), events, _ = evaluate([Careless()], [records.mock()])
    assert (events, report.rejected_out) == ([], 2)


# Stores


class Bare:
    """A store with the documented methods only."""

    def __init__(self) -> None:
        self.written: list[Any] = []
        self.dones = 0

    def write(self, record: Any) -> None:
        self.written.append(record)

    def done(self) -> None:
        self.dones += 1


def store(
    plugin: Any, *given: Any, incomplete: dict[str, str] | None = None, origins: Sequence[str] = ("a_cloud",)
) -> tuple[Report, PipeInput]:
    way = Way()
    for batch in records.batches(records.stamped(*given)):
        lines, origin = iter(batch.data.split(b"\n")), records.StampedOrigin(batch.origin_worker)
        for record_type, count in batch.runs:
            for _ in range(count):
                way.out.put(next(lines), record_type, origin)
    way.out.end(incomplete or {})
    report = Report("store", "store", "a_store")
    source = way.source(*origins)
    run_store(plugin, source, report, WorkerRun(report, origins=tuple(origins)))
    return report, source


def test_a_store_needs_the_documented_methods_only():
    bare = Bare()
    report, _ = store(bare, *GIVEN, incomplete={"a_cloud": "denied"})
    assert (len(bare.written), bare.dones) == (5, 1)
    assert (report.records_in, report.accepted, report.skipped, report.outcome) == (5, 5, 0, "ok")
    assert report.incomplete == "a_cloud: denied"


def test_a_store_gets_the_types_it_wants():
    class Some(Bare):
        record_types = ("mock", "coverage")

    some = Some()
    report, _ = store(some, *GIVEN)
    assert [record["com"]["record_type"] for record in some.written] == ["mock", "mock", "coverage"]
    assert (report.records_in, report.accepted, report.skipped) == (5, 3, 2)


class Whole(Bare):
    """A store with every optional method."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Any] = []

    def begin(self, run: Any) -> None:
        self.calls.append(("begin", run.origins))

    def write_batch(self, batch: RecordBatch) -> None:
        self.calls.append(("write_batch", batch.count))

    def abort(self, reason: Any) -> None:
        self.calls.append(("abort", dict(reason.origins)))

    def done(self) -> None:
        self.calls.append("done")

    def outputs(self) -> list[Any]:
        return [Path("there"), 7]


def test_the_optional_methods_are_called_in_their_order():
    whole = Whole()
    report, _ = store(whole, *GIVEN, origins=("a_cloud", "a_audit", "a_cloud"))
    assert whole.calls == [("begin", ("a_cloud", "a_audit", "a_cloud")), ("write_batch", 5), "done"]
    assert (report.accepted, report.outputs, whole.written) == (5, ["there", "7"], [])


def test_an_incomplete_stream_ends_in_abort_instead_of_done():
    whole = Whole()
    store(whole, *GIVEN, incomplete={"a_cloud": "denied"})
    assert whole.calls[-1] == ("abort", {"a_cloud": "denied"})


@pytest.mark.parametrize("error", [RecordError("refused"), ValueError("refused"), KeyError("refused")])
def test_a_record_that_is_refused_is_counted_and_the_next_is_written(error):
    class Picky(Bare):
        def write(self, record: Any) -> None:
            if record["com"]["record_type"] == "mock":
                raise error
            super().write(record)

    picky = Picky()
    report, _ = store(picky, *GIVEN)
    assert (len(picky.written), picky.dones) == (3, 1)
    assert (report.accepted, report.rejected, report.errors, report.outcome) == (3, 2, 2, "ok")


def test_a_batch_that_is_refused_is_counted_record_by_record():
    class Picky(Whole):
        def write_batch(self, batch: RecordBatch) -> None:
            raise ValueError("refused")

    letters: list[object] = []
    way = Way()
    run_cloud(MockCloud(), way.producer(), Stop())
    report = Report("store", "store", "a_store", lambda record, _: letters.append(record))
    run_store(Picky(), way.source(), report)
    assert (report.rejected, report.accepted, report.outcome) == (10, 0, "ok")
    assert [letter["raw"]["data"] for letter in letters] == list(range(10))


@pytest.mark.parametrize("method", ["begin", "write_batch"])
def test_a_store_that_fails_is_told_that_no_stream_is_complete(method):
    class Failing(Whole):
        pass

    def fail(self: Any, _: Any) -> None:
        raise PluginError("the disk is full")

    setattr(Failing, method, fail)
    failing = Failing()
    first, second = Way(), Way()
    run_cloud(MockCloud(), first.producer(), Stop())
    report = Report("store", "store", "a_store")
    source = PipeInput([(first.reader, ("a_cloud",)), (second.reader, ("a_other",))])
    run_store(failing, source, report, WorkerRun(report, origins=("a_cloud", "a_other")))
    reason = "writing: the disk is full"
    assert failing.calls[-1] == ("abort", {"a_cloud": reason, "a_other": reason, "a_store": reason})
    assert (report.outcome, report.message, report.outputs) == ("failed", reason, [])
    second.out.put(b"{}", "mock", records.StampedOrigin("a_other"))
    second.out.end({})
    assert second.out.pipes[0].dropped == 1  # nobody waits for a store that has given up


def test_a_store_with_a_spool_that_fails_is_told_the_same_and_what_comes_is_kept(tmp_path):
    class Failing(Whole):
        def write_batch(self, batch: RecordBatch) -> None:
            raise PluginError("the disk is full")

    failing = Failing()
    way = Way()
    run_cloud(MockCloud(), way.producer(), Stop())
    report = Report("store", "store", "a_store")
    run = WorkerRun(report, Journal(tmp_path), origins=("a_cloud",))
    run_store(failing, way.source(), report, run)
    reason = "writing: the disk is full"
    assert failing.calls[-1] == ("abort", {"a_cloud": reason, "a_store": reason})
    assert (report.spooled, report.lost, report.delivered) == (10, 0, 0)


def test_a_store_that_fails_on_a_queue_lets_the_writers_of_the_queue_end():
    class Failing(Whole):
        def write_batch(self, batch: RecordBatch) -> None:
            raise PluginError("the disk is full")

    failing = Failing()
    source = filled([*mocks(3), None, "not looked at"])
    workers.store_worker("a", VERSION, "store", failing, source)
    ((_, incomplete),) = (call for call in failing.calls if call[0] == "abort")
    assert set(incomplete) == {"audit_cloud", "a_store"}
    assert source.get_nowait() == "not looked at"


@pytest.mark.parametrize("method", ["done", "abort"])
def test_a_store_that_fails_at_its_end_has_delivered_nothing_for_sure(method):
    class Failing(Whole):
        pass

    def fail(self: Any, *_: Any) -> None:
        raise OSError("connection reset")

    setattr(Failing, method, fail)
    report, _ = store(Failing(), *GIVEN, incomplete={"a_cloud": "denied"} if method == "abort" else {})
    assert (report.outcome, report.message) == ("failed", "delivering: OSError: connection reset")


def test_a_store_that_cannot_name_its_outputs_has_delivered_all_the_same():
    class Lost(Whole):
        def outputs(self) -> list[Any]:
            raise RuntimeError("where was it")

    report, _ = store(Lost(), *GIVEN)
    assert (report.outcome, report.accepted, report.errors, report.outputs) == ("ok", 5, 1, [])


def test_what_an_alert_displays_is_reported_up_to_a_bound():
    class Shown(Whole):
        def display(self) -> str:
            return "high  Port 22\n" + "x" * 200_000

    report, _ = store(Shown(), *GIVEN)
    assert report.snapshot().display.startswith("high  Port 22\nxxx")
    assert len(report.display) == 100_000


def test_an_alert_that_cannot_display_anything_has_delivered_all_the_same():
    class Lost(Whole):
        def display(self) -> str:
            raise RuntimeError("no terminal")

    report, _ = store(Lost(), *GIVEN)
    assert (report.outcome, report.accepted, report.errors, report.display) == ("ok", 5, 1, "")


def test_errors_of_one_type_are_logged_ten_times_and_counted_always(caplog):
    class Refusing(Bare):
        def write(self, record: Any) -> None:
            raise RecordError(f"no room for {record['com']['reference']}\x1b[31m\nsecond line")

    report, _ = store(Refusing(), *(records.mock(number) for number in range(30)))
    assert report.errors == 30
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0] == "a_store: writing mock/0: no room for mock/0\\x1b[31m second line"
    assert lines[10:] == ["a_store: further errors of type RecordError are counted, not logged"]
