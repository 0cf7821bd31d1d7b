"""The pool: bounded, complete, and quick to stop."""

from __future__ import annotations

import threading
import time

import pytest
from cloudmarker_gcp._pool import run


def test_everything_that_jobs_yield_arrives_once():
    def job(number):
        yield from range(number * 100, number * 100 + 100)

    jobs = (lambda number=number: job(number) for number in range(50))
    assert sorted(run(jobs, 8, threading.Event())) == list(range(5000))


def test_no_jobs_is_no_results():
    assert list(run([], 4, threading.Event())) == []


def test_jobs_run_at_the_same_time_up_to_the_number_of_threads():
    barrier = threading.Barrier(5, timeout=10)

    def job():
        barrier.wait()
        yield 1

    assert list(run([job] * 5, 5, threading.Event())) == [1] * 5


def test_a_slow_consumer_holds_the_jobs_back():
    made = 0

    def job():
        nonlocal made
        for _ in range(10_000):
            made += 1
            yield made

    results = run([job], 1, threading.Event())
    next(results)
    time.sleep(0.1)
    assert made <= 5
    results.close()


def test_closing_ends_the_jobs_and_the_threads():
    before = threading.active_count()
    closed = []

    def job():
        try:
            while True:
                yield 1
        finally:
            closed.append(1)

    stop = threading.Event()
    results = run([job] * 4, 4, stop)
    next(results)
    results.close()
    assert stop.is_set()
    assert 1 <= len(closed) <= 4
    assert threading.active_count() == before


def test_a_job_that_hangs_does_not_hold_up_the_end():
    release = threading.Event()

    def quick():
        yield 1

    def hangs():
        release.wait(30)
        yield 2

    results = run([quick, hangs], 2, threading.Event(), join_s=0.1)
    next(results)
    begun = time.monotonic()
    results.close()
    assert time.monotonic() - begun < 5
    release.set()


def test_what_a_job_raises_is_raised_where_results_are_read():
    def job():
        yield 1
        raise RuntimeError("odd")

    with pytest.raises(RuntimeError, match="odd"):
        list(run([job], 2, threading.Event()))


def test_what_the_list_of_jobs_raises_is_raised_where_results_are_read():
    def job():
        yield 1

    def jobs():
        yield job
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        list(run(jobs(), 2, threading.Event()))
