"""The pool: bounded, prompt to stop, and nothing left behind."""

import threading
import time
from functools import partial
from itertools import islice

import pytest
from cloudmarker_azure import _pool


def numbers(count, start=0):
    for number in range(start, start + count):
        yield [number]


def flat(results):
    return sorted(number for result in results for number in result)


def run(jobs, threads, stop, ready_at=lambda key, ahead: 0.0, interrupt=lambda: None):
    schedule = _pool.Schedule(ready_at)
    schedule.feed(_pool.Job("key", "lane", job) for job in jobs)
    return _pool.run(schedule, threads, stop, interrupt)


def azure_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("azure-")]


def test_everything_every_job_yields_arrives_once():
    jobs = (partial(numbers, 50, start) for start in range(0, 1000, 50))
    assert flat(run(jobs, 4, threading.Event())) == list(range(1000))
    assert azure_threads() == []


def test_no_jobs_and_no_threads_is_an_empty_result():
    assert list(run((), 0, threading.Event())) == []


def test_what_waits_to_be_read_is_bounded():
    made = []

    def endless():
        for number in range(1_000_000):
            made.append(number)
            yield [number]

    results = run([endless, endless], 2, threading.Event())
    next(results)
    time.sleep(0.05)
    assert len(made) < 2 * _pool.WAITING
    results.close()


def test_closing_early_ends_the_jobs_and_joins_the_threads():
    closed = threading.Semaphore(0)

    def job():
        try:
            yield from numbers(1_000_000)
        finally:
            closed.release()

    results = run([job] * 3, 3, threading.Event())
    assert len(list(islice(results, 5))) == 5
    results.close()
    assert azure_threads() == []
    assert closed.acquire(timeout=1)


def test_a_job_that_waits_is_told_to_stop_and_one_in_a_call_is_interrupted():
    stop = threading.Event()
    call = threading.Event()

    def waiting():
        yield [1]
        stop.wait(60)

    def calling():
        yield [2]
        call.wait(60)

    results = run([waiting, calling], 2, stop, interrupt=call.set)
    assert flat([next(results), next(results)]) == [1, 2]
    began = time.monotonic()
    results.close()
    assert time.monotonic() - began < 2
    assert azure_threads() == []


def test_an_exception_thrown_in_ends_the_threads():
    results = run([partial(numbers, 1000)] * 2, 2, threading.Event())
    next(results)
    with pytest.raises(KeyboardInterrupt):
        results.throw(KeyboardInterrupt)
    assert azure_threads() == []


def test_what_a_job_raises_is_raised_to_the_reader():
    def broken():
        yield [1]
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(run([broken], 1, threading.Event()))
    assert azure_threads() == []


def test_a_job_that_gives_way_lets_another_go_on_and_is_resumed_when_it_may():
    opens_at = time.monotonic() + 0.2
    seen = []

    def slow():
        yield []
        seen.append("slow")
        yield [1]

    def quick():
        seen.append("quick")
        yield [2]

    schedule = _pool.Schedule(lambda key, ahead: opens_at if key == "slow" and "quick" not in seen else 0.0)
    schedule.feed([_pool.Job("slow", "a", slow), _pool.Job("quick", "b", quick)])
    assert flat(_pool.run(schedule, 1, threading.Event())) == [1, 2]
    assert seen == ["quick", "slow"]
    assert time.monotonic() >= opens_at
    assert azure_threads() == []


def test_jobs_that_may_not_go_on_hold_no_thread():
    closed = threading.Event()
    schedule = _pool.Schedule(lambda key, ahead: 0.0 if key or closed.is_set() else time.monotonic() + 0.01)
    shut = [_pool.Job(False, "shut", partial(numbers, 1, number)) for number in range(50)]
    free = [_pool.Job(True, "free", partial(numbers, 1, 100 + number)) for number in range(50)]
    schedule.feed([*shut, *free])
    results = _pool.run(schedule, 2, threading.Event())
    assert flat(islice(results, 50)) == list(range(100, 150))
    closed.set()
    assert flat(results) == list(range(50))


def test_a_job_is_told_how_many_of_its_lane_are_taking_a_step():
    told = []
    both = threading.Barrier(2, timeout=5)

    def job():
        both.wait()
        yield [1]

    schedule = _pool.Schedule(lambda key, ahead: told.append((key, ahead)) or 0.0)
    schedule.feed([_pool.Job("a", "lane", job), _pool.Job("b", "lane", job)])
    list(_pool.run(schedule, 2, threading.Event()))
    assert told == [("a", 0), ("b", 1)]


def test_a_job_may_add_jobs():
    schedule = _pool.Schedule()

    def parent():
        for start in (10, 20):
            schedule.add(_pool.Job("child", "lane", partial(numbers, 2, start)))
        yield [1]

    schedule.feed([_pool.Job("parent", "lane", parent)])
    assert flat(_pool.run(schedule, 3, threading.Event())) == [1, 10, 11, 20, 21]


def test_closing_early_closes_the_jobs_that_wait():
    begun, closed = [], []

    def waiting():
        try:
            yield [1]
            begun.append(True)
            yield []
            yield [2]
        finally:
            closed.append(True)

    schedule = _pool.Schedule(lambda key, ahead: time.monotonic() + 60 if begun else 0.0)
    schedule.feed([_pool.Job("key", "lane", waiting)])
    results = _pool.run(schedule, 1, threading.Event())
    assert next(results) == [1]
    while not schedule._parked:
        time.sleep(0.005)
    results.close()
    assert closed == [True]
    assert azure_threads() == []
