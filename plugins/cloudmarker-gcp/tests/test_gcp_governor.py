"""The governor: who may send, and who has to wait."""

from __future__ import annotations

import math
import threading
import time

import pytest
from cloudmarker.reading import Retry, UnreadError
from cloudmarker_gcp._apis import COMPUTE, DNS, KMS
from cloudmarker_gcp._governor import Governor, Target
from cloudmarker_gcp._outcome import RefusedError
from cloudmarker_gcp._scopes import Scope

ONE, TWO = (Target.of(Scope("project", name, number), DNS) for name, number in (("one", "1"), ("two", "2")))
RETRY = Retry(first_wait_s=0.1, max_wait_s=0.3, deadline_s=0.5)


def governor(share=1.0, retry=RETRY):
    stop = threading.Event()
    return Governor(retry, share, stop, {COMPUTE, DNS, KMS}), stop


def soon():
    return time.monotonic() + 5


def refusal(retry_after_s=None, consumer=None, limit=None):
    unread = RefusedError("throttled", "slow down", again=True, retry_after_s=retry_after_s, status=429)
    unread.consumer, unread.calls_per_minute = consumer, limit
    return unread


def may(gate, target):
    return gate.ready_at(target) <= time.monotonic()


def refuse(gate, target, **options):
    passed = gate.enter(target, soon())
    gate.leave(target, passed, refusal(**options))


def test_nothing_waits_as_long_as_nothing_is_refused():
    gate, _ = governor()
    for _ in range(200):
        gate.leave(ONE, gate.enter(ONE, soon()))
    assert gate.ready_at(ONE) == -math.inf


def test_a_refusal_makes_all_requests_of_that_project_and_api_wait_and_no_others():
    gate, _ = governor()
    refuse(gate, ONE, retry_after_s=0.2)
    assert not may(gate, ONE)
    assert may(gate, TWO)
    assert may(gate, Target.of(Scope("project", "one", "1"), COMPUTE))
    begun = time.monotonic()
    gate.enter(ONE, soon())
    assert 0.2 <= time.monotonic() - begun < 2


def test_no_wait_is_longer_than_the_longest_allowed():
    gate, _ = governor(retry=Retry(max_wait_s=0.1))
    refuse(gate, ONE, retry_after_s=3600)
    begun = time.monotonic()
    gate.enter(ONE, soon() + 60)
    assert time.monotonic() - begun < 2


def test_after_a_refusal_one_tries_and_the_others_wait_for_what_becomes_of_it():
    gate, _ = governor()
    refuse(gate, ONE, retry_after_s=0.01)
    probe = gate.enter(ONE, soon())
    assert not may(gate, ONE)
    gate.leave(ONE, probe)
    assert may(gate, ONE)


def test_an_answer_to_what_was_sent_before_the_refusal_opens_nothing():
    gate, _ = governor()
    earlier = gate.enter(ONE, soon())
    refuse(gate, ONE, retry_after_s=0.3)
    gate.leave(ONE, earlier)
    assert not may(gate, ONE)


def test_fewer_are_in_flight_after_a_refusal_and_more_with_each_answer():
    gate, _ = governor()
    passes = [gate.enter(ONE, soon()) for _ in range(9)]
    gate.leave(ONE, passes.pop(), refusal(retry_after_s=0))
    for passed in passes:
        gate.leave(ONE, passed)

    def most():
        passes = []
        while may(gate, ONE) and len(passes) < 50:
            passes.append(gate.enter(ONE, soon()))
        for passed in passes:
            gate.leave(ONE, passed)
        return len(passes)

    found = [most() for _ in range(6)]
    assert found[0] == 1
    assert found[1:] == sorted(found[1:])
    assert 4 <= found[1] < found[-1] < 50


def test_who_waited_for_long_enough_asks_all_the_same():
    gate, _ = governor(retry=Retry(deadline_s=0.2, max_wait_s=60))
    refuse(gate, ONE, retry_after_s=60)
    begun = time.monotonic()
    gate.enter(ONE, time.monotonic() + 0.2)
    assert 0.1 < time.monotonic() - begun < 2
    assert not gate.opens_in_time(ONE, soon())


def test_a_share_of_the_quota_that_a_refusal_tells_is_kept():
    gate, _ = governor(share=0.5)
    refuse(gate, ONE, retry_after_s=0, limit=8)
    sent = 1
    while may(gate, ONE):
        gate.leave(ONE, gate.enter(ONE, soon()))
        sent += 1
    assert sent == 4
    assert gate.ready_at(ONE) > time.monotonic() + 0.3  # the deadline is over before the minute
    assert may(gate, TWO)


def test_what_is_known_of_an_api_is_kept_from_the_start():
    gate, _ = governor(share=0.1)
    target = Target.of(Scope("project", "one", "1"), KMS)
    sent = 0
    while may(gate, target):
        gate.leave(target, gate.enter(target, soon()))
        sent += 1
    assert sent == KMS.calls_per_minute * 0.1


@pytest.mark.parametrize("consumer", ["projects/one", "projects/1"])
def test_a_refusal_for_the_project_that_is_read_is_for_that_one(consumer):
    gate, _ = governor()
    refuse(gate, ONE, retry_after_s=0.3, consumer=consumer)
    assert may(gate, TWO)


def test_a_refusal_for_the_project_of_the_caller_is_for_all_that_are_read():
    gate, _ = governor()
    refuse(gate, ONE, retry_after_s=0.2, consumer="projects/999")
    assert not may(gate, TWO)
    assert may(gate, Target.of(Scope("project", "two", "2"), COMPUTE))


def test_who_waits_is_woken_when_reading_is_stopped():
    gate, stop = governor(retry=Retry(max_wait_s=60))
    refuse(gate, ONE, retry_after_s=60)
    ended = []

    def wait():
        with pytest.raises(UnreadError, match="stopped"):
            gate.enter(ONE, soon() + 60)
        ended.append(1)

    thread = threading.Thread(target=wait)
    thread.start()
    stop.set()
    gate.interrupt()
    thread.join(5)
    assert ended == [1]
