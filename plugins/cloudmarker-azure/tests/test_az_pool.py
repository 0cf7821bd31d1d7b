"""The pool: bounded, prompt to stop, and nothing left behind."""

import threading
import time
from functools import partial
from itertools import islice

import pytest
from cloudmarker_azure import _pool


def numbers(count, start=0):
    yield from range(start, start + count)


def run(jobs, threads, stop, ready_at=lambda key, ahead: 0.0, interrupt=lambda: None):
    schedule = _pool.Schedule(ready_at)
    schedule.feed(_pool.Job("key", "lane", job) for job in jobs)
    return _pool.run(schedule, threads, stop, interrupt)


def azure_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("azure-")]


def test_everything_every_job_yields_arrives_once():
    jobs = (partial(numbers, 50, start) for start in range(0, 1000, 50))
    assert sorted(run(jobs, 4, threading.Event())) == list(range(1000))
    assert azure_threads() == []


def test_no_jobs_and_no_threads_is_an_empty_result():
    assert list(run((), 0, threading.Event())) == []


def test_what_waits_to_be_read_is_bounded():
    made = []

    def endless():
        for number in range(1_000_000):
            made.append(number)
            yield number

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
        yield 1
        stop.wait(60)

    def calling():
        yield 2
        call.wait(60)

    results = run([waiting, calling], 2, stop, interrupt=call.set)
    assert {next(results), next(results)} == {1, 2}
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
        yield 1
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(run([broken], 1, threading.Event()))
    assert azure_threads() == []
