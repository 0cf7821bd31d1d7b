"""Records on their way between workers: over pipes, and over plain queues."""

from __future__ import annotations

import bisect
import contextlib
import json
import multiprocessing
import os
import queue
import signal
import threading
import tracemalloc
from collections.abc import Iterator, Sequence
from multiprocessing import connection
from typing import Any

import pytest
from cloudmarker.batches import BATCH_BYTES, BATCH_RECORDS, Decoder, RecordBatch
from cloudmarker.channel import FanOut, Pipe, PipeInput, QueueInput, QueueOutput
from cloudmarker.records import Stamper, Stamps, decode
from cloudmarker.testing.records import StampedOrigin
from hypothesis import given, settings
from hypothesis import strategies as st

FORK = multiprocessing.get_context("fork")


class Line:
    """One way from a :class:`FanOut` to its readers, in this process."""

    def __init__(self, readers: int = 1) -> None:
        ends = [connection.Pipe(duplex=False) for _ in range(readers)]
        self.readers = [reader for reader, _ in ends]
        self.pipes = [Pipe(f"store{number}", writer) for number, (_, writer) in enumerate(ends)]
        self.out = FanOut(self.pipes)
        self._origins: dict[str, StampedOrigin] = {}

    def put(self, number: int, record_type: str = "mock", origin: str = "a_cloud", size: int = 0) -> None:
        self.out.put(json.dumps({"n": number, "x": "x" * size}).encode(), record_type, self.origin(origin))

    def origin(self, worker: str = "a_cloud") -> StampedOrigin:
        return self._origins.setdefault(worker, StampedOrigin(worker))

    def source(self, reader: int = 0, origins: Sequence[str] = ("a_cloud",)) -> PipeInput:
        return PipeInput([(self.readers[reader], origins)])

    def batches(self, reader: int = 0) -> list[RecordBatch]:
        return list(self.source(reader).batches())


def numbers(batches: Sequence[RecordBatch]) -> list[int]:
    decoder = Decoder()
    return [record["n"] for batch in batches for record in decoder.records(batch)]


def drained(reader: connection.Connection) -> tuple[threading.Thread, list[RecordBatch]]:
    """Read a pipe in a thread; the list is whole once the thread has ended."""
    found: list[RecordBatch] = []
    thread = threading.Thread(target=lambda: found.extend(PipeInput([(reader, ("a_cloud",))]).batches()))
    thread.start()
    return thread, found


@contextlib.contextmanager
def flushed_all_the_time(line: Line) -> Iterator[None]:
    """Flush from another thread, within the context."""
    done = threading.Event()

    def flush() -> None:
        while not done.is_set():
            line.out.flush()

    flushing = threading.Thread(target=flush)
    flushing.start()
    yield
    done.set()
    flushing.join()


# Batches


def test_nothing_is_sent_before_a_batch_is_full_or_flushed():
    line = Line()
    line.put(1)
    assert not line.readers[0].poll(0)
    line.out.flush()
    assert line.readers[0].poll(0)
    line.out.end({})
    assert numbers(line.batches()) == [1]


def test_a_flush_of_nothing_sends_nothing():
    line = Line()
    line.out.flush()
    assert not line.readers[0].poll(0)


def test_a_batch_holds_so_many_records_at_most():
    line = Line()
    for number in range(BATCH_RECORDS + 1):
        line.put(number)
    line.out.end({})
    batches = line.batches()
    assert [batch.count for batch in batches] == [BATCH_RECORDS, 1]
    assert numbers(batches) == list(range(BATCH_RECORDS + 1))


def test_a_batch_is_sent_with_the_record_that_filled_it():
    line = Line()
    thread, batches = drained(line.readers[0])
    for number in range(5):
        line.put(number, size=BATCH_BYTES // 2 if number < 4 else BATCH_BYTES * 40)
    line.out.end({})
    thread.join(10)
    assert [batch.count for batch in batches] == [2, 2, 1]
    assert numbers(batches) == list(range(5))


def test_records_put_together_go_the_way_of_records_put_one_by_one():
    line = Line()
    thread, batches = drained(line.readers[0])
    lines = [json.dumps({"com": {"number": number}}).encode() for number in range(2 * BATCH_RECORDS)]
    line.put(-1, "b")
    line.out.put_all(lines, "a", line.origin())
    line.out.put_all([b"{}" * BATCH_BYTES] * 3, "a", line.origin())
    line.out.put_all([], "c", line.origin())
    line.out.end({})
    thread.join(10)
    assert sum(batch.count for batch in batches) == 2 * BATCH_RECORDS + 4
    assert max(batch.count for batch in batches) <= BATCH_RECORDS
    assert batches[0].runs[0] == ("b", 1)
    assert {run[0] for batch in batches for run in batch.runs} == {"a", "b"}
    assert b"\n".join(batch.data for batch in batches).split(b"\n")[1 : 2 * BATCH_RECORDS + 1] == lines


def test_a_batch_is_of_one_origin():
    line = Line()
    for number, origin in enumerate(["a_cloud", "a_cloud", "a_audit", "a_cloud"]):
        line.put(number, origin=origin)
    line.out.end({})
    batches = line.batches()
    assert [(batch.origin_worker, batch.count) for batch in batches] == [("a_cloud", 2), ("a_audit", 1), ("a_cloud", 1)]
    assert numbers(batches) == [0, 1, 2, 3]


def test_a_header_names_the_record_types_as_runs():
    line = Line()
    for number, record_type in enumerate(["a", "a", "b", "a", "ü\ud800"]):
        line.put(number, record_type)
    line.out.end({})
    (batch,) = line.batches()
    assert batch.runs == [("a", 2), ("b", 1), ("a", 1), ("ü\ufffd", 1)]
    assert batch.count == 5


def test_runs_begin_anew_in_each_batch():
    line = Line()
    for number in range(BATCH_RECORDS + 2):
        line.put(number, "a" if number < BATCH_RECORDS - 1 else "b")
    line.out.flush()
    line.put(0, "b")
    line.out.end({})
    assert [batch.runs for batch in line.batches()] == [[("a", BATCH_RECORDS - 1), ("b", 1)], [("b", 2)], [("b", 1)]]


sendings = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "ö"]), st.sampled_from(["x", "y"]), st.sampled_from([0, 0, 0, 40_000]), st.booleans()
    ),
    max_size=30,
)


@settings(max_examples=50, deadline=None)
@given(sendings)
def test_every_reader_gets_every_record_in_order_with_its_type_and_origin(sent):
    line = Line(readers=2)
    threads = [drained(reader) for reader in line.readers]
    for number, (record_type, origin, size, flush) in enumerate(sent):
        line.put(number, record_type, origin, size)
        if flush:
            line.out.flush()
    line.out.end({})
    for thread, batches in threads:
        thread.join(10)
        assert numbers(batches) == list(range(len(sent)))
        types = [name for batch in batches for name, count in batch.runs for _ in range(count)]
        origins = [batch.origin_worker for batch in batches for _ in range(batch.count)]
        assert list(zip(types, origins, strict=True)) == [(record_type, origin) for record_type, origin, _, _ in sent]
        assert all(0 < batch.count == len(batch.data.split(b"\n")) for batch in batches)
    assert [(pipe.sent, pipe.dropped) for pipe in line.pipes] == [(len(sent), 0)] * 2


def test_two_threads_may_put_and_flush_at_once():
    line = Line()
    reading, batches = drained(line.readers[0])
    with flushed_all_the_time(line):
        for number in range(5000):
            line.put(number, "ab"[number % 3 == 0])
    line.out.end({})
    reading.join(10)
    assert numbers(batches) == list(range(5000))
    types = [record_type for batch in batches for record_type, count in batch.runs for _ in range(count)]
    assert types == ["ab"[number % 3 == 0] for number in range(5000)]


# Ends and deaths


def test_the_end_mark_carries_what_is_incomplete():
    line = Line()
    line.put(1)
    line.out.end({"a_cloud": "access denied"})
    source = line.source()
    assert numbers(list(source.batches())) == [1]
    assert source.incomplete == {"a_cloud": "access denied"}


def test_an_end_without_a_reason_is_complete():
    line = Line()
    line.out.end({})
    source = line.source()
    assert list(source.batches()) == []
    assert source.incomplete == {}


def test_a_writer_that_closes_without_an_end_mark_has_died():
    line = Line()
    line.put(1)
    line.out.flush()
    line.pipes[0].close()
    source = line.source(origins=("a_e1", "a_e2"))
    assert numbers(list(source.batches())) == [1]
    assert source.incomplete == {"a_e1": "its process died", "a_e2": "its process died"}


def test_a_reader_that_goes_away_costs_only_its_own_records():
    line = Line(readers=2)
    line.put(1)
    line.out.flush()
    line.readers[0].close()
    for number in range(2, 5):
        line.put(number)
        line.out.flush()
    line.out.end({})
    assert numbers(line.batches(1)) == [1, 2, 3, 4]
    assert [(pipe.target, pipe.sent, pipe.dropped) for pipe in line.pipes] == [("store0", 1, 3), ("store1", 4, 0)]


def test_without_a_reader_left_everything_is_counted_as_dropped():
    line = Line(readers=1)
    line.readers[0].close()
    for number in range(3 * BATCH_RECORDS):
        line.put(number)
    line.out.end({})
    assert (line.pipes[0].sent, line.pipes[0].dropped) == (0, 3 * BATCH_RECORDS)


def test_an_input_that_is_closed_names_what_had_not_ended_and_gives_writers_a_broken_pipe():
    first, second = Line(), Line()
    first.out.end({"a_one": "had its own reason"})
    second.put(1)
    second.out.flush()
    source = PipeInput([(first.readers[0], ("a_one",)), (second.readers[0], ("a_two", "a_three"))])
    for _ in source.batches():
        break
    source.close("the store failed")
    assert source.incomplete == {
        "a_one": "had its own reason",
        "a_two": "the store failed",
        "a_three": "the store failed",
    }
    second.put(2)
    second.out.flush()
    assert second.pipes[0].dropped == 1
    assert list(source.batches()) == []


def test_input_comes_from_whichever_writer_has_some():
    first, second = Line(), Line()
    source = PipeInput([(first.readers[0], ("a",)), (second.readers[0], ("b",))])
    batches = source.batches()
    second.put(1)
    second.out.flush()
    assert numbers([next(batches)]) == [1]
    first.put(2)
    first.out.end({})
    assert numbers([next(batches)]) == [2]
    second.put(3)
    second.out.end({"b": "holes"})
    assert numbers(list(batches)) == [3]
    assert source.incomplete == {"b": "holes"}


@pytest.fixture
def other() -> Iterator[list[Any]]:
    """Processes that a test starts."""
    started: list[Any] = []
    yield started
    for process in started:
        process.kill()
        process.join(10)


def write(line: Line, count: int, then: str) -> None:
    for number in range(count):
        line.put(number, size=1000)
    if then == "die":
        line.out.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    line.out.end({})
    os._exit(0)


def test_records_cross_to_another_process_and_the_pipe_holds_the_writer_back(other):
    line = Line()
    process = FORK.Process(target=write, args=(line, 3000, "end"))
    process.start()
    other.append(process)
    line.pipes[0].close()
    process.join(0.2)
    assert process.is_alive()  # 3 MB do not fit into a pipe
    assert numbers(line.batches()) == list(range(3000))
    process.join(10)
    assert process.exitcode == 0


def test_a_writer_killed_in_another_process_is_told_from_one_that_ended(other):
    line = Line()
    process = FORK.Process(target=write, args=(line, 10, "die"))
    process.start()
    other.append(process)
    line.pipes[0].close()
    source = line.source()
    assert numbers(list(source.batches())) == list(range(10))
    assert source.incomplete == {"a_cloud": "its process died"}


def test_a_writer_killed_in_the_middle_of_a_message_is_noticed():
    line = Line()
    line.put(1)
    line.out.flush()
    writer = line.pipes[0]._conn
    assert writer is not None
    os.write(writer.fileno(), b"\x00\x00\x40\x00" + b"half a message")
    line.pipes[0].close()
    source = line.source()
    assert numbers(list(source.batches())) == [1]
    assert source.incomplete == {"a_cloud": "its process died"}


# Parts of batches


def batch(*types: str) -> RecordBatch:
    runs: list[tuple[str, int]] = []
    for name in types:
        if runs and runs[-1][0] == name:
            runs[-1] = (name, runs[-1][1] + 1)
        else:
            runs.append((name, 1))
    data = b"\n".join(json.dumps({"n": n, "type": name}).encode() for n, name in enumerate(types))
    return RecordBatch("a_cloud", runs, data)


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=12), st.sets(st.sampled_from("abcd")))
def test_only_keeps_the_records_of_some_types_in_order(types, wanted):
    whole = batch(*types)
    part = whole.only(wanted)
    expected = [(n, name) for n, name in enumerate(types) if name in wanted]
    if part is None:
        assert expected == []
        return
    assert [(record["n"], record["type"]) for record in Decoder().records(part)] == expected
    assert (part.count, part.origin_worker) == (len(expected), "a_cloud")
    assert part.only(wanted) is part


def test_only_of_everything_is_the_batch_itself():
    whole = batch("a", "b")
    assert whole.only({"a", "b", "c"}) is whole


@pytest.mark.parametrize("buckets", [(), ("com",), ("raw", "com"), ("ext",), ("raw", "ext", "com")])
def test_only_the_buckets_that_are_read_are_decoded(buckets):
    record = {"raw": {"a": [1, {"b": None}]}, "ext": {"c": "ü"}, "com": {"d": 2**70}, "more": 1}
    data = json.dumps(record).encode() + b"\n" + json.dumps({"com": {"e": 1}}).encode()
    records = Decoder(buckets).records(RecordBatch("o", [("a", 2)], data))
    if len(buckets) == 3:
        assert records == [record, {"com": {"e": 1}}]
        return
    assert records == [
        {name: value for name, value in record.items() if name in buckets},
        {"com": {"e": 1}} if "com" in buckets else {},
    ]


def test_single_fields_of_com_are_decoded_unless_all_are_wanted():
    data = b'{"raw":1,"com":{"a":1,"b":2,"c":{"d":3}}}\n{"com":{"b":1}}\n{"raw":2}'
    received = RecordBatch("o", [("a", 3)], data)
    fields = Decoder({"com.a", "com.c"}).records(received)
    assert fields == [{"com": {"a": 1, "c": {"d": 3}}}, {"com": {}}, {}]
    assert Decoder({"com.a", "com"}).records(received)[0] == {"com": {"a": 1, "b": 2, "c": {"d": 3}}}
    assert Decoder({"com.b", "raw"}).records(received)[::2] == [{"raw": 1, "com": {"b": 2}}, {"raw": 2}]


def test_a_record_nested_as_deep_as_a_stack_allows_is_read_from_a_deeper_one():
    def line(depth: int) -> bytes:
        return b'{"raw":' + b"[" * depth + b"]" * depth + b',"com":{}}'

    def fits(depth: int) -> bool:
        try:
            decode(b"[" + line(depth) + b"]")
        except RecursionError:
            return False
        return True

    deepest = bisect.bisect_left(range(1, 200_000), True, key=lambda depth: not fits(depth))

    def records_below(frames: int) -> list[Any]:
        if frames:
            return records_below(frames - 1)
        return Decoder().records(RecordBatch("o", [("a", 2)], line(deepest) + b'\n{"com":{"a":1}}'))

    assert records_below(30)[1] == {"com": {"a": 1}}


def test_records_put_while_others_are_flushed_have_each_a_number_in_order():
    line, stamper = Line(), Stamper("a", "v", "cloud", "Plugin", "cloud")
    reading, batches = drained(line.readers[0])
    with flushed_all_the_time(line):
        for number in range(0, 6000, 3):
            line.out.put(stamper.encode({"com": {"n": number}}), "ab"[number % 2], stamper)
            line.out.put_all([stamper.encode({"com": {"n": number + more}}) for more in (1, 2)], "a", stamper)
    line.out.end({})
    reading.join(10)
    coms = [record["com"] for batch in batches for record in Decoder().records(batch)]
    assert [(com["n"], com["record_id"]) for com in coms] == [(n, f"a_cloud_v_{n + 1}") for n in range(6000)]


# Stamps, which travel beside the records

names = st.text(max_size=20)
values = st.none() | st.integers(-5, 2**53) | names | st.lists(names, max_size=2) | st.just('}}\n{"com":{')
made = st.fixed_dictionaries(
    {"com": st.dictionaries(names, values, max_size=3).map(lambda com: {**com, "n": 0})},
    optional={"raw": values | st.dictionaries(names, values, max_size=2), "ext": st.just({})},
)


@given(st.lists(st.tuples(made, st.sampled_from("ab")), min_size=1, max_size=12), st.integers(0, 5), names)
def test_records_arrive_with_the_stamps_of_their_origin_however_they_are_read(given_records, before, key):
    stampers = [Stamper("a", "v", key, "Plugin", "cloud") for _ in range(2)]
    expected = []
    line = Line()
    for stamper in stampers:
        stamper.take(before)
    for record, record_type in given_records:
        expected.append(decode(stampers[0].line(record)))
        line.out.put(stampers[1].encode(record), record_type, stampers[1])
    line.out.end({})
    (sent,) = line.batches()
    stamped = copied(sent)
    assert [decode(each) for each in stamped.data.split(b"\n")] == expected
    for received in (sent, stamped):  # before and after somebody wanted the lines
        assert Decoder().records(received) == expected
        assert [record for part in received.split() for record in Decoder().records(part)] == expected
        assert [decode(each) for part in received.split() for each in part.data.split(b"\n")] == expected
        for record_type in "ab":
            part = copied(received).only({record_type})
            wanted = [record for record, (_, its) in zip(expected, given_records, strict=True) if its == record_type]
            assert (Decoder().records(part) if part else []) == wanted
        few = Decoder({"com.n", "com.record_id", "com.origin_worker"}).records(received)
        assert few == [
            {"com": {name: record["com"][name] for name in ("n", "record_id", "origin_worker")}} for record in expected
        ]
        assert Decoder({"com.n"}).records(received) == [{"com": {"n": record["com"]["n"]}} for record in expected]


def copied(batch: RecordBatch) -> RecordBatch:
    return RecordBatch(batch.origin_worker, batch.runs, *batch.unstamped())


def test_a_batch_holds_its_lines_once_with_or_without_stamps():
    stamper, line = Stamper("a", "v", "cloud", "Plugin", "cloud"), Line()
    line.out.put(stamper.encode({"com": {"n": 1}}), "mock", stamper)
    line.out.end({})
    (received,) = line.batches()
    assert received.unstamped() == (b'{"com":{"n":1}}', stamps_from(1))
    data = received.data
    assert received.unstamped() == (data, None)
    assert received.data is data


def test_a_large_record_is_copied_once_to_get_its_stamps_and_then_held_once():
    stamper, size = Stamper("a", "v", "cloud", "Plugin", "cloud"), 8_000_000
    received = RecordBatch(stamper.worker, [("a", 1)], stamper.encode({"com": {"n": "x" * size}}), stamper.take(1))
    tracemalloc.start()
    try:
        assert len(received.data) > size
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 1.1 * size
    assert peak < 1.1 * size  # beside the lines without stamps, which were there before
    assert received.unstamped() == (received.data, None)


def stamps_from(first: int) -> Stamps:
    """Return the stamps of records of the plugin ``cloud`` that begin with a number."""
    return Stamper("a", "v", "cloud", "Plugin", "cloud").take(9).after(first - 1)


def test_ids_go_on_from_batch_to_batch_and_from_type_to_type():
    stamper, line = Stamper("a", "v", "cloud", "Plugin", "cloud"), Line()
    for number in range(9):
        line.out.put(stamper.encode({"com": {"n": number}}), "ab"[number % 2], stamper)
        if number % 4 == 3:
            line.out.flush()
    line.out.end({})
    records = [record for batch in line.batches() for record in Decoder().records(batch)]
    assert [record["com"]["record_id"] for record in records] == [f"a_cloud_v_{number}" for number in range(1, 10)]


# Plain queues


@pytest.mark.parametrize("make", [queue.Queue, FORK.Queue], ids=["queue", "multiprocessing"])
def test_a_queue_carries_records_as_dicts_until_none(make):
    one, two = make(), make()
    out = QueueOutput([one, two])
    out.put(b'{"com":{"record_type":"mock","origin_worker":"a_cloud"}}', "mock", StampedOrigin("a_cloud"))
    out.end({"a_cloud": "is for pipes"})
    two.put(None)
    assert one.get(timeout=5) == {"com": {"record_type": "mock", "origin_worker": "a_cloud"}}
    source = QueueInput(two)
    (found,) = source.batches()
    assert (found.origin_worker, found.runs, found.count) == ("a_cloud", [("mock", 1)], 1)
    assert source.incomplete == {}


def test_each_queue_gets_its_own_dict():
    one, two = queue.Queue[Any](), queue.Queue[Any]()
    QueueOutput([one, two]).put(b'{"com":{}}', "mock", StampedOrigin("a_cloud"))
    assert one.get() is not two.get()


def test_records_without_stamps_come_through_a_queue():
    source: queue.Queue[Any] = queue.Queue()
    for item in ({}, {"com": None}, {"raw": {1, 2}}, None):
        source.put(item)
    found = list(QueueInput(source).batches())
    assert [(part.origin_worker, part.runs) for part in found] == [("", [("", 1)])] * 3


def test_a_queue_that_is_closed_is_emptied_so_that_its_writers_can_end():
    source: queue.Queue[Any] = queue.Queue(maxsize=1)
    writer = threading.Thread(
        target=lambda: [
            source.put(item) for item in ({"com": {"origin_worker": "a"}}, {"com": {"origin_worker": "b"}}, 1, None)
        ]
    )
    writer.start()
    taken = QueueInput(source)
    next(taken.batches())
    taken.close("the store failed")
    writer.join(5)
    assert not writer.is_alive()
    assert taken.incomplete == {"a": "the store failed", "b": "the store failed", "": "the store failed"}
    taken.close("twice")
