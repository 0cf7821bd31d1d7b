"""The delivery helper: batches, an answer for each record, retries."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import msgspec
import pytest
from cloudmarker.batches import RecordBatch
from cloudmarker.delivery import DELIVERED, Delivery, Item, Rejected, Retry, Verdict, record_ids
from cloudmarker.errors import PluginError, RecordError, TooLargeError, TransientError
from cloudmarker.records import decode, encode
from cloudmarker.testing import MemoryRun, records
from hypothesis import given, settings
from hypothesis import strategies as st

RECORDS = records.stamped(*(records.mock(n, raw={"data": n}) for n in range(40)))
LINES = [encode(record) for record in RECORDS]
SIZE = max(len(line) for line in LINES)


class Server:
    """Takes requests, and answers each as the next of its plans says, then with success."""

    def __init__(self, *plans: Any) -> None:
        self.plans = list(plans)
        self.requests: list[list[int]] = []
        self.ids: list[str] = []

    def __call__(self, items: Sequence[Item]) -> Iterable[Verdict] | None:
        self.requests.append([item.position for item in items])
        plan = self.plans.pop(0) if self.plans else None
        if isinstance(plan, Exception):
            raise plan
        if plan is None:
            self.ids += [item.record_id for item in items]
            return None
        verdicts = [plan(item) for item in items]
        self.ids += [item.record_id for item, verdict in zip(items, verdicts, strict=True) if verdict is DELIVERED]
        return verdicts


def deliver(server: Any, count: int = 10, **limits: Any) -> tuple[MemoryRun, Delivery]:
    run, delivery = MemoryRun(), Delivery(server, **limits)
    delivery.begin(run)
    for record in RECORDS[:count]:
        run.hand()
        delivery.write(record)
    delivery.finish()
    return run, delivery


def numbers(*positions: int) -> set[int]:
    return set(positions)


# Batches


def test_a_batch_is_sent_when_full_and_the_record_that_filled_it_is_kept():
    server = Server()
    run, delivery = deliver(server, 10, batch_records=4)
    assert server.requests == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert run.confirmed == set(range(10))
    assert delivery.delivered == 10


def test_a_batch_never_has_more_bytes_than_it_may_and_the_record_that_did_not_fit_begins_the_next():
    server = Server()
    deliver(server, 9, batch_bytes=3 * (len(LINES[0]) + 10), item_extra_bytes=10)
    assert server.requests == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    server = Server()
    deliver(server, 9, batch_bytes=3 * (len(LINES[0]) + 10) - 1, item_extra_bytes=10)
    assert server.requests == [[0, 1], [2, 3], [4, 5], [6, 7], [8]]


def test_a_record_larger_than_a_batch_is_sent_alone():
    server = Server()
    deliver(server, 3, batch_bytes=10)
    assert server.requests == [[0], [1], [2]]


def test_a_record_over_the_limit_is_rejected_without_an_attempt():
    server = Server()
    run, _ = deliver(server, 3, item_limit_bytes=10)
    assert server.requests == []
    assert set(run.rejected) == {0, 1, 2}
    assert "the limit is 10" in run.rejected[0]


def test_the_bytes_of_the_producer_are_sent_as_they_are():
    seen: list[Item] = []
    run, delivery = MemoryRun(), Delivery(seen.extend)
    delivery.begin(run)
    line = b'{ "com" : {"record_id":"x","record_type":"mock"}, "raw":"\\u00e4"}'
    run.hand(2)
    delivery.write_batch(RecordBatch("audit_cloud", [("mock", 2)], line + b"\n" + line))
    delivery.finish()
    assert [item.line for item in seen] == [line, line]
    assert (seen[0].record_id, seen[0].com["record_type"], seen[0].record["raw"]) == ("x", "mock", "ä")
    assert run.confirmed == {0, 1}


def test_items_may_go_to_different_buffers_of_one_run():
    first, second = Server(), Server()
    run, one, two = MemoryRun(), Delivery(first), Delivery(second)
    one.begin(run)
    two.begin(run)
    run.hand(4)
    for item in one.items(RecordBatch("audit_cloud", [("mock", 4)], b"\n".join(LINES[:4]))):
        (one if item.record["raw"]["data"] % 2 else two).add(item)
    one.finish()
    two.finish()
    assert (first.requests, second.requests) == ([[1, 3]], [[0, 2]])
    assert run.unanswered == set()


def test_a_record_that_is_not_json_is_refused_by_write():
    with pytest.raises(RecordError):
        Delivery(Server()).write({"raw": object()})


# Answers


def test_only_what_was_put_off_is_sent_again():
    def busy(item: Item) -> Verdict:
        return Retry("429") if item.position in (2, 5) else DELIVERED

    server = Server(busy)
    run, _ = deliver(server)
    assert server.requests == [list(range(10)), [2, 5]]
    assert run.confirmed == set(range(10))


def test_a_rejected_record_costs_no_neighbour():
    server = Server(lambda item: Rejected("no such field") if item.position == 3 else DELIVERED)
    run, delivery = deliver(server)
    assert run.rejected == {3: "no such field"}
    assert run.confirmed == set(range(10)) - {3}
    assert (delivery.delivered, delivery.rejected) == (9, 1)


def test_a_batch_that_is_refused_for_one_of_its_records_is_halved_until_that_one_is_alone():
    def send(items: Sequence[Item]) -> None:
        if any(item.position in (3, 7) for item in items):
            raise RecordError("not valid")

    run, _ = deliver(send)
    assert run.rejected == {3: "not valid", 7: "not valid"}
    assert run.confirmed == set(range(10)) - {3, 7}


def test_a_batch_that_is_too_large_is_halved_and_later_ones_are_smaller():
    server = Server(TooLargeError("413"))
    deliver(server, 40, batch_bytes=200_000, batch_records=20)
    assert [len(request) for request in server.requests] == [20, 10, 10, 20]
    sizes: list[int] = []

    def send(items: Sequence[Item]) -> None:
        size = sum(len(item.line) for item in items)
        sizes.append(size)
        if size > 50_000:
            raise TooLargeError("413")

    delivery = Delivery(send, batch_bytes=400_000)
    large = encode(records.stamped(records.mock(1, raw="x" * 9_000))[0])
    for _ in range(10):
        delivery.write_batch(RecordBatch("audit_cloud", [("mock", 20)], b"\n".join([large] * 20)))
    delivery.finish()
    assert sum(size > 50_000 for size in sizes) <= 4  # not once for each batch
    assert delivery.delivered == 200


def test_a_record_that_is_too_large_alone_is_rejected():
    def send(items: Sequence[Item]) -> None:
        if any(item.position == 4 for item in items):
            raise TooLargeError("413")

    run, _ = deliver(send)
    assert run.rejected == {4: "413"}
    assert run.confirmed == set(range(10)) - {4}


@pytest.mark.parametrize("answer", [[DELIVERED], [DELIVERED] * 11])
def test_a_wrong_number_of_answers_ends_the_plugin_and_confirms_nothing(answer):
    run, delivery = MemoryRun(), Delivery(lambda _: answer)
    delivery.begin(run)
    run.hand(10)
    delivery.write_batch(RecordBatch("audit_cloud", [("mock", 10)], b"\n".join(LINES[:10])))
    with pytest.raises(PluginError, match="answers for 10 records"):
        delivery.finish()
    assert run.unanswered == set(range(10))


@pytest.mark.parametrize("error", [ValueError("odd"), KeyError("odd"), PluginError("odd")])
def test_any_other_exception_ends_the_plugin_and_what_has_no_answer_stays_without_one(error):
    server = Server(None, error)
    run, delivery = MemoryRun(), Delivery(server, batch_records=4)
    delivery.begin(run)
    run.hand(10)
    with pytest.raises(PluginError, match="odd"):
        delivery.write_batch(RecordBatch("audit_cloud", [("mock", 10)], b"\n".join(LINES[:10])))
    delivery.finish()  # says nothing more, and sends nothing more
    assert server.requests == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert run.unanswered == {4, 5, 6, 7, 8, 9}


# Trying again


def test_an_unknown_outcome_is_tried_again_with_everything():
    server = Server(TransientError("reset"), TransientError("timed out"))
    run, _ = deliver(server)
    assert server.requests == [list(range(10))] * 3
    assert run.confirmed == set(range(10))


def test_nothing_more_is_tried_while_the_server_is_gone():
    server = Server(RecordError("one is bad"), TransientError("refused"))
    deliver(server, 8)
    assert server.requests[:3] == [list(range(8)), [0, 1, 2, 3], list(range(8))]


def test_waits_double_up_to_the_longest_and_have_a_random_part():
    server = Server(*[TransientError("refused")] * 6)
    run, _ = deliver(server, first_wait_s=1, max_wait_s=8)
    assert len(run.waits) == 6
    for wait, most in zip(run.waits, (1, 2, 4, 8, 8, 8), strict=True):
        assert most / 2 <= wait <= most
    other, _ = deliver(Server(*[TransientError("refused")] * 6), first_wait_s=1, max_wait_s=8)
    assert other.waits != run.waits


def test_waits_begin_anew_once_something_was_taken():
    put_off = Server(
        *[lambda item: DELIVERED if item.position % 2 else Retry("429")], TransientError("x"), TransientError("x")
    )
    run, _ = deliver(put_off, first_wait_s=1)
    assert run.waits[0] <= 1
    assert run.waits[1] <= 2


def test_the_server_is_granted_the_time_it_asks_for_up_to_a_limit():
    server = Server(TransientError("429", retry_after_s=7), TransientError("429", retry_after_s=3600))
    run, _ = deliver(server, first_wait_s=0.1, max_retry_after_s=20)
    assert run.waits == [7, 20]
    items = Server(lambda item: Retry("429", after_s=float(item.position)))
    run, _ = deliver(items, first_wait_s=0.1)
    assert run.waits == [9]


def test_when_nothing_was_taken_for_too_long_the_plugin_ends():
    server = Server(*[TransientError("connection refused")] * 1000)
    run, delivery = MemoryRun(), Delivery(server, give_up_after_s=60, max_wait_s=10)
    delivery.begin(run)
    run.hand(10)
    delivery.write_batch(RecordBatch("audit_cloud", [("mock", 10)], b"\n".join(LINES[:10])))
    with pytest.raises(PluginError, match=r"nothing could be delivered for \d+ s: connection refused"):
        delivery.finish()
    assert 45 < sum(run.waits) <= 60
    assert run.unanswered == set(range(10))
    assert len(server.requests) < 20


def test_a_record_that_is_put_off_for_too_long_is_left_and_the_others_go_on():
    def send(items: Sequence[Item]) -> list[Verdict]:
        return [Retry("shard 3 is red") if item.position == 3 else DELIVERED for item in items]

    run, delivery = MemoryRun(), Delivery(send, give_up_after_s=60, batch_records=5)
    delivery.begin(run)
    for record in RECORDS[:20]:
        run.hand()
        delivery.write(record)
    with pytest.raises(PluginError, match="1 record could not be delivered: shard 3 is red"):
        delivery.finish()
    assert run.unanswered == {3}
    assert sum(run.waits) <= 60


def test_many_records_that_are_put_off_for_ever_do_not_each_cost_the_whole_time():
    def send(items: Sequence[Item]) -> list[Verdict]:
        return [Retry("shard 3 is red") if item.position % 5 == 3 else DELIVERED for item in items]

    run, delivery = MemoryRun(), Delivery(send, give_up_after_s=60, batch_records=5)
    delivery.begin(run)
    for record in RECORDS:
        run.hand()
        delivery.write(record)
    with pytest.raises(PluginError, match="8 records could not be delivered"):
        delivery.finish()
    assert run.unanswered == set(range(3, 40, 5))
    assert sum(run.waits) <= 2 * 60


def test_a_stop_bounds_the_time():
    run = MemoryRun()

    def send(_: Sequence[Item]) -> None:
        if run.waits:
            run.deadline = run.now() + 5
        raise TransientError("connection refused")

    delivery = Delivery(send, first_wait_s=1)
    delivery.begin(run)
    run.hand()
    delivery.write(RECORDS[0])
    with pytest.raises(PluginError, match=r"1 record still to be delivered when the audit was stopped"):
        delivery.finish()
    assert sum(run.waits) < 15


@pytest.mark.parametrize("answered", [0, 3])
def test_an_answer_that_does_not_come_is_not_waited_for_when_the_time_of_a_stop_is_over(answered):
    go_on, run, before = threading.Event(), MemoryRun(), set(threading.enumerate())

    def send(items: Sequence[Item]) -> Any:
        def silent() -> None:
            run.deadline = run.now()
            go_on.wait(30)

        return silent if items[0].position >= answered else lambda: None

    def write() -> None:
        for record in RECORDS[:8]:
            run.hand()
            delivery.write(record)

    delivery = Delivery(send, batch_records=1, parallel=2)
    begun = time.monotonic()
    delivery.begin(run)
    with pytest.raises(PluginError, match="1 record still to be delivered when the audit was stopped: there was no"):
        write()
    delivery.finish()
    assert time.monotonic() - begun < 10
    assert run.confirmed == set(range(answered))
    go_on.set()
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
        assert not thread.is_alive()


# Without a run


def test_without_a_run_what_is_not_delivered_is_an_error_at_the_end():
    delivery = Delivery(Server(lambda item: Rejected("no") if item.position == 1 else DELIVERED))
    for record in RECORDS[:3]:
        delivery.write(record)
    with pytest.raises(PluginError, match="1 record rejected: no"):
        delivery.finish()
    fine = Delivery(Server())
    fine.write(RECORDS[0])
    fine.finish()
    assert fine.delivered == 1


# Several batches under way


class Slow:
    """A server that answers when it is told to; it notes how many requests were under way at a time."""

    def __init__(self) -> None:
        self.requests: list[list[int]] = []
        self.under_way = self.most = 0
        self.go_on = threading.Event()
        self.reached = threading.Event()
        self.lock = threading.Lock()
        self.faults: dict[int, Exception] = {}

    def __call__(self, items: Sequence[Item]) -> Any:
        return partial(self.take, [item.position for item in items])

    def take(self, positions: list[int]) -> None:
        with self.lock:
            self.requests.append(positions)
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            fault = self.faults.pop(positions[0], None)
            if self.under_way == 2:
                self.reached.set()
        if positions[0] > 0:  # the first is alone
            assert self.go_on.wait(10)
        with self.lock:
            self.under_way -= 1
        if fault:
            raise fault


def hand(delivery: Delivery, run: MemoryRun, count: int) -> None:
    run.hand(count)
    delivery.write_batch(RecordBatch("audit_cloud", [("mock", count)], b"\n".join(LINES[:count])))


def test_no_more_batches_are_under_way_than_may_be_and_the_first_is_alone():
    server = Slow()
    run, delivery = MemoryRun(), Delivery(server, batch_records=2, parallel=2)
    delivery.begin(run)
    release = threading.Thread(target=lambda: (server.reached.wait(10), server.go_on.set()))
    release.start()
    hand(delivery, run, 11)
    delivery.finish()
    release.join()
    assert server.requests[0] == [0, 1]
    assert server.most == 2
    assert sorted(server.requests) == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9], [10]]
    assert run.confirmed == set(range(11))
    assert run.unanswered == set()


def test_a_batch_that_fails_beside_another_is_sent_again_alone():
    server = Slow()
    server.go_on.set()
    server.faults = {2: TransientError("reset"), 6: TooLargeError("large")}
    run, delivery = MemoryRun(), Delivery(server, batch_records=2, parallel=3)
    delivery.begin(run)
    hand(delivery, run, 12)
    delivery.finish()
    assert run.confirmed == set(range(12))
    assert run.unanswered == set()
    assert len(run.waits) == 1
    assert [6] in server.requests


def test_when_the_plugin_ends_what_was_delivered_beside_is_known():
    server = Slow()
    server.go_on.set()
    server.faults = {2: PluginError("no access")}
    before = set(threading.enumerate())
    run, delivery = MemoryRun(), Delivery(server, batch_records=2, parallel=3)
    delivery.begin(run)
    with pytest.raises(PluginError, match="no access"):
        hand(delivery, run, 12)
    delivery.finish()
    sent = {position for positions in server.requests for position in positions}
    assert run.confirmed == sent - {2, 3}
    assert {2, 3} <= run.unanswered
    assert set(threading.enumerate()) <= before


# Whatever the server does

ANSWERS = st.one_of(
    st.just("delivered"),
    st.just("retry"),
    st.just("rejected"),
    st.just("transient"),
    st.just("refused"),
    st.just("large"),
)


@settings(max_examples=200, deadline=None)
@given(
    plan=st.lists(ANSWERS, max_size=60),
    batch_records=st.integers(1, 20),
    batch_bytes=st.integers(1, 12 * SIZE),
    sizes=st.lists(st.integers(1, 12), min_size=1, max_size=8),
    parallel=st.integers(1, 3),
)
def test_every_record_has_one_answer_and_none_is_confirmed_that_the_server_does_not_have(
    plan, batch_records, batch_bytes, sizes, parallel
):
    answers = iter(plan)
    stored: list[int] = []
    over = 0

    def send(items: Sequence[Item]) -> list[Verdict]:
        nonlocal over
        over += len(items) > 1 and sum(len(item.line) for item in items) > batch_bytes
        assert len(items) <= max(batch_records, 1)
        verdicts: list[Verdict] = []
        for item in items:
            answer = next(answers, "delivered")
            if answer == "transient":
                raise TransientError("reset")
            if answer == "refused":
                raise RecordError("refused")
            if answer == "large":
                raise TooLargeError("large")
            verdicts.append({"delivered": DELIVERED, "retry": Retry("later"), "rejected": Rejected("no")}[answer])
            if answer == "delivered":
                stored.append(item.position)
        return verdicts

    delivery = Delivery(
        lambda items: partial(send, items), batch_records=batch_records, batch_bytes=batch_bytes, parallel=parallel
    )
    delivery.begin(run := MemoryRun())
    total = 0
    for size in sizes:
        run.hand(size)
        lines = [LINES[(total + index) % len(LINES)] for index in range(size)]
        delivery.write_batch(RecordBatch("audit_cloud", [("mock", size)], b"\n".join(lines)))
        total += size
    delivery.finish()
    assert over == 0
    assert run.taken == set(range(total))
    assert run.unanswered == set()
    assert run.confirmed.isdisjoint(run.rejected)
    assert run.confirmed <= set(stored)
    assert (delivery.delivered, delivery.rejected, delivery.left) == (len(run.confirmed), len(run.rejected), 0)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(st.sampled_from('a"\\{}[],:com'), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["com", "a", ',"com":{']), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(buckets=st.permutations(["raw", "ext", "com"]), values=st.tuples(JSON, JSON), more=JSON)
def test_com_is_found_wherever_it_is_and_whatever_is_beside_it(buckets, values, more):
    com = {"record_id": "mine", "com": more, "record_type": "mock"}
    bucket = dict(zip(("raw", "ext"), values, strict=True)) | {"com": com}
    record = {name: bucket[name] for name in buckets}
    for whole in (record, {"com": com}, {"a": {"record_id": "other", "com": {"record_id": "other"}}, "com": com}):
        item = Item(encode(whole), 0)
        assert (item.com, item.record_id, record_ids([item])) == (com, "mine", ["mine"])
        found, pieces = item.com_first(msgspec.json.Decoder(dict[str, Any]))
        assert (found, decode(b"".join(pieces))) == (com, whole)
    for without in ({"a": {"record_id": "other"}}, {"raw": {"com": com, "b": {"com": com}}}):
        with pytest.raises(msgspec.DecodeError):
            Item(encode(without), 0).com  # noqa: B018


def test_items_decode_what_their_lines_hold():
    (line,) = LINES[:1]
    item = Item(line, 0)
    assert (item.record, item.com, item.record_id) == (decode(line), RECORDS[0]["com"], RECORDS[0]["com"]["record_id"])
