"""Servers that fail: nothing is lost, nothing is twice where the server knows ids, and a replay delivers the rest."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable

import pytest
from cloudmarker.errors import PluginError, RecordError
from cloudmarker.testing import MemoryRun, records
from cloudmarker.testing.servers import Fault
from hecserver import page
from targets import MongoTarget, check, dead, spooled

HTTP = ("elastic", "hec")
ALL = (*HTTP, "mongo")


every_store = pytest.mark.parametrize("target", ALL, indirect=True)
http_stores = pytest.mark.parametrize("target", HTTP, indirect=True)


class ActingRun(MemoryRun):
    """A run in which something happens when the store waits for the n-th time, counted from 1."""

    def __init__(self, actions: dict[int, Callable[[], None]]) -> None:
        super().__init__()
        self.actions = actions

    def wait(self, seconds: float) -> None:
        super().wait(seconds)
        self.actions.get(len(self.waits), lambda: None)()


# 1, 5: the server dies; answers that do not come


@every_store
def test_a_server_that_is_killed_and_restarted_has_everything_once(target, many, store_through):
    written = many(60)
    store, run = target.make(timeout_s=2), ActingRun({2: target.start})
    store.begin(run)
    for number, record in enumerate(written):
        if number == 25:
            target.kill()
        run.hand()
        store.write(record)
    store.done()
    check(target, run, written)
    assert run.rejected == {}
    assert len(target.ids()) == 60


def test_a_server_that_is_killed_while_it_writes_has_everything_once(own_mongo, many, store_through):
    target, written = MongoTarget(own_mongo), many(800, text="x" * 300)
    killer = threading.Timer(0.02, target.kill)

    class Killing(ActingRun):
        def delivered(self, position: int, count: int = 1) -> None:
            super().delivered(position, count)
            if killer.ident is None:  # the first buffer has been taken: it dies at one of the next
                killer.start()

    run = store_through(target.make(buffer_size=200, timeout_s=2), written, Killing({1: target.start}))
    killer.join()
    assert run.waits, "it was quicker than that"
    check(target, run, written)
    assert len(target.ids()) == 800


@http_stores
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault(reset=True), id="reset before it is stored"),
        pytest.param(Fault(reset=True, store=True), id="reset after it is stored"),
        pytest.param(Fault(truncate=True), id="answer cut off"),
    ],
)
def test_a_request_without_an_answer_is_sent_again(target, many, store_through, fault):
    written = many(30)
    target.server.faults = [fault]
    run = store_through(target.make(), written)
    check(target, run, written)
    assert len(run.waits) == 1
    if target.twice and (fault.store or fault.truncate):  # it has no ids: what a reader has to tell apart by event_id
        assert len(target.ids()) > 30
    else:
        assert len(target.ids()) == 30


# 2: storms


@http_stores
def test_a_storm_is_waited_out_as_the_server_asks(target, many, store_through):
    target.server.faults = [Fault(answer=target.busy) for _ in range(8)]
    run = store_through(target.make(), many(5))
    assert len(run.waits) == 8
    assert min(run.waits) >= 3.0
    assert len(target.ids()) == 5


@pytest.mark.parametrize("number", [91, 112, 13435])
def test_a_failover_is_waited_out(own_mongo, many, store_through, number):
    own_mongo.fail({"times": 2}, errorCode=number)
    target, written = MongoTarget(own_mongo), many(30)
    uri = f"mongodb://localhost:{own_mongo.port}/?heartbeatFrequencyMS=500"  # this server pushes no news
    run = store_through(target.make(uri=uri), written)
    check(target, run, written)
    assert len(run.waits) == 2


# 3: answers for single records; those of Elasticsearch and Splunk are in the tests of these stores


def test_a_document_that_mongodb_refuses_costs_no_neighbour(own_mongo, many, store_through):
    target, written = MongoTarget(own_mongo), many(30)
    with own_mongo.client() as client:
        client.cloudmarker.cloudmarker.create_index("raw.data", unique=True)
    for number in (7, 8, 25):
        written[number]["raw"]["data"] = 3
    run = store_through(target.make(), written)
    assert set(run.rejected) == {7, 8, 25}
    assert "code 11000" in run.rejected[7]
    check(target, run, written)


# 4: silence


@every_store
def test_a_silent_server_is_left_after_the_timeout_and_asked_again(target, many, store_through):
    written = many(10)
    store_through(target.make(), written[:1])  # it has been there
    store, run = target.make(timeout_s=0.5), ActingRun({1: target.go_on})
    store.begin(run)
    target.silence()
    started = time.monotonic()
    for record in written:
        run.hand()
        store.write(record)
    store.done()
    assert time.monotonic() - started < 10
    assert len(run.waits) >= 1
    check(target, run, written)


@http_stores
def test_a_server_that_answers_nobody_ends_the_store_after_the_deadline(target, many):
    target.server.always = Fault(answer=page(503))
    store, run = target.make(retry_deadline_s=0.01), MemoryRun()
    store.begin(run)
    run.hand()
    store.write(many(1)[0])
    with pytest.raises(PluginError, match=r"nothing could be delivered.*503"):
        store.done()
    assert run.unanswered == {0}


# 6: answers of something else


@pytest.mark.parametrize("target", ["elastic"], indirect=True)
def test_413_halves_the_request(target, many, store_through):
    written = many(40)
    target.server.faults = [Fault(answer=page(413)), Fault(answer=page(413))]
    run = store_through(target.make(buffer_size=1_000_000), written)
    check(target, run, written)
    assert run.waits == []
    assert len(target.server.written) == 5  # 40; 20; 10, 10; 20


@pytest.mark.parametrize("target", ["elastic"], indirect=True)
def test_a_page_is_no_success(target, many):
    answer = page(200)
    answer.headers["X-Elastic-Product"] = "Elasticsearch"
    target.server.always = Fault(answer=answer)
    store, run = target.make(), MemoryRun()
    store.begin(run)
    run.hand()
    store.write(many(1)[0])
    with pytest.raises(PluginError, match="no Elasticsearch"):
        store.done()
    assert run.confirmed == set()


@http_stores
def test_a_page_of_a_proxy_that_is_overloaded_is_waited_out(target, many, store_through):
    target.server.faults = [Fault(answer=page(502)), Fault(answer=page(503))]
    run = store_through(target.make(), many(3))
    assert run.confirmed == {0, 1, 2}
    assert len(run.waits) == 2


# 9: poison


@every_store
def test_poison_costs_no_neighbour(target):
    written = records.stamped(
        *(item for awkward in records.awkward() for item in (records.mock(1), awkward, records.mock(2)))
    )
    store, run = target.make(), MemoryRun()
    store.begin(run)
    refused = set()
    for position, record in enumerate(written):
        run.hand()
        try:
            store.write(record)
        except RecordError:
            refused.add(position)
    store.done()
    neighbours = {p for p, record in enumerate(written) if record["com"]["record_type"] == "mock"}
    assert run.unanswered == set()
    assert run.confirmed | set(run.rejected) | refused == set(range(len(written)))
    assert len(neighbours & run.confirmed) >= 2 * len(written) // 3
    assert set(target.ids()) == {written[position]["com"]["record_id"] for position in run.confirmed}


# 11: clocks


@pytest.mark.parametrize("target", ["hec"], indirect=True)
def test_the_time_of_an_event_is_that_of_the_run_whatever_the_clock_says(target, many, store_through, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 0.0)
    written = many(1)
    written[0]["com"]["audit_version"] = "20260102_030405"
    store_through(target.make(), written)
    assert target.server.events[0]["time"] == 1767323045


# 8, 14, and replay: whole audits in processes of their own


@every_store
def test_a_dead_store_beside_a_healthy_one_costs_nothing_and_replay_delivers_all(target, audits):
    audits.configure(retry_deadline_s=0.5, timeout_s=2)
    target.kill()
    code, result, worker = audits.run()
    assert code == 1
    assert result["status"] == "failed"
    everything = audits.emitted()
    assert len(everything) == 12
    assert worker["delivery"] == {"emitted": 12, "delivered": 0, "rejected": 0, "spooled": 12, "lost": 0}
    assert set(spooled(audits.state)) == everything
    target.start()
    audits.replay_delivers_the_rest()


@http_stores
def test_a_store_that_is_killed_while_the_server_is_silent_loses_nothing(target, audits):
    audits.configure(count=500)
    target.server.faults = [Fault(), Fault()]
    target.silence()
    process = audits.start("run", "--json")
    victim = int(audits.logged(r"a_server: started, process (\d+)")[1])
    end = time.monotonic() + 20
    while len(target.server.written) < 3 and time.monotonic() < end:
        time.sleep(0.02)
    os.kill(victim, signal.SIGKILL)
    code, (_,) = audits.ended(process)
    target.go_on()
    assert code == 1
    everything = audits.emitted()
    assert len(everything) == 502
    assert set(target.ids()) | set(spooled(audits.state)) | set(dead(audits.state)) == everything
    audits.replay_delivers_the_rest()


@pytest.mark.parametrize("target", ["elastic"], indirect=True)
def test_refused_records_are_in_the_dead_letters_and_replay_takes_them_from_there(target, audits):
    audits.configure()
    refused = {"type": "document_parsing_exception", "reason": "no"}
    target.server.refuse = lambda name: (400, refused) if name.endswith("7") else None
    code, _, worker = audits.run()
    assert code == 1
    assert worker["delivery"]["rejected"] == len(dead(audits.state)) > 0
    assert set(target.ids()) | set(dead(audits.state)) == audits.emitted()
    target.server.refuse = lambda name: None
    code, _ = audits.ended(audits.start("replay", "--json", "--dead-letters"))
    assert code == 0
    assert set(target.ids()) == audits.emitted()
    assert len(target.ids()) == 12


@pytest.mark.parametrize("target", ["hec"], indirect=True)
def test_wrong_credentials_end_the_store_at_once_and_the_right_ones_deliver_the_rest(target, audits):
    audits.configure(token="wrong-token")
    code, result, worker = audits.run()
    assert code == 1
    assert "code 4: Invalid token" in worker["message"]
    assert "wrong-token" not in json.dumps(result)
    assert "wrong-token" not in (audits.folder / "log").read_text()
    assert len(target.server.requests) == 1
    audits.configure()
    audits.replay_delivers_the_rest()
