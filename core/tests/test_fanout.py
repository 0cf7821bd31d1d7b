"""Fanning out: bounded, complete, quick to stop, and nobody waits who need not."""

from __future__ import annotations

import threading
import time
from functools import partial

import pytest
from cloudmarker.fanout import BACKLOG, WAITING, Job, fan_out


def run(jobs, threads, **options):
    return fan_out(jobs, threads, stop=options.pop("stop", threading.Event()), **options)


def numbers(first, last):
    yield from range(first, last)


def test_everything_that_jobs_yield_arrives_once():
    jobs = (Job(partial(numbers, n * 100, n * 100 + 100)) for n in range(50))
    assert sorted(run(jobs, 8)) == list(range(5000))


def test_no_jobs_is_no_results():
    assert list(run([], 4)) == []


def test_jobs_run_at_the_same_time_up_to_the_number_of_threads():
    barrier = threading.Barrier(5, timeout=10)

    def job():
        barrier.wait()
        yield 1

    assert list(run([Job(job)] * 1 + [Job(job) for _ in range(4)], 5)) == [1] * 5


def test_no_more_threads_are_started_than_there_are_jobs_for():
    names = set()

    def job():
        names.add(threading.current_thread().name)
        yield threading.active_count()

    before = threading.active_count()
    assert max(run([Job(job)], 64)) <= before + 2
    assert all(name.startswith("reader-") for name in names)


def test_a_slow_consumer_holds_the_jobs_back():
    made = 0

    def job():
        nonlocal made
        for _ in range(10_000):
            made += 1
            yield made

    results = run([Job(job)], 1)
    next(results)
    time.sleep(0.1)
    assert made <= WAITING + 3
    results.close()


def test_jobs_are_taken_as_they_are_needed():
    taken = 0

    def jobs():
        nonlocal taken
        while True:
            taken += 1
            yield Job(partial(numbers, 0, 1))

    results = run(jobs(), 2)
    next(results)
    time.sleep(0.1)
    assert taken <= WAITING + 5
    results.close()


def test_a_job_that_a_job_yields_is_run_and_not_yielded():
    def parent(n):
        yield n
        yield Job(partial(numbers, 100 * n, 100 * n + 3))
        yield -n

    found = sorted(run([Job(partial(parent, n)) for n in (1, 2)], 3))
    assert found == [-2, -1, 1, 2, 100, 101, 102, 200, 201, 202]


def test_what_follows_from_a_job_comes_before_the_next_one():
    order = []

    def parent(n):
        order.append(n)
        for m in range(2):
            yield Job(partial(child, f"{n}{m}"))

    def child(name):
        order.append(name)
        yield name

    list(run([Job(partial(parent, n)) for n in "ab"], 1))
    assert order == ["a", "a0", "a1", "b", "b0", "b1"]


def test_a_job_that_yields_more_jobs_than_are_run_has_to_wait():
    made = 0

    def parent():
        nonlocal made
        for n in range(20 * BACKLOG):
            made += 1
            yield Job(partial(numbers, n, n + 1))

    results = run([Job(parent)], 2)
    next(results)
    time.sleep(0.2)
    assert made <= BACKLOG + WAITING + 5
    results.close()


def test_a_job_that_had_to_wait_is_finished():
    def parent():
        for n in range(3 * BACKLOG):
            yield Job(partial(numbers, n, n + 1))

    assert sorted(run([Job(parent)], 2)) == list(range(3 * BACKLOG))


def test_a_job_whose_time_has_not_come_leaves_its_thread_to_others():
    begun = time.monotonic()
    opens = {"late": begun + 0.2}
    jobs = [Job(partial(numbers, 0, 2), "late"), Job(partial(numbers, 10, 12), "early")]
    found = []
    for number in run(jobs, 1, ready_at=lambda key, ahead: opens.get(key, 0.0)):
        found.append((number, time.monotonic() - begun >= 0.2))
    assert found == [(10, False), (11, False), (0, True), (1, True)]


def test_a_job_is_asked_for_between_its_steps_too():
    opens = {"a": 0.0}

    def job():
        yield 1
        opens["a"] = time.monotonic() + 0.1
        yield 2
        yield 3

    found = list(run([Job(job, "a"), Job(partial(numbers, 10, 11), "b")], 1, ready_at=lambda key, _: opens.get(key, 0)))
    assert found == [1, 2, 10, 3]


def test_an_eager_job_is_asked_for_only_when_a_step_gave_nothing():
    opens = {"a": 0.0}

    def job():
        yield [1]
        opens["a"] = time.monotonic() + 0.1
        yield [2]
        yield []
        yield [3]

    def other():
        yield [10]

    jobs = [Job(job, "a"), Job(other, "b")]
    assert list(run(jobs, 1, ready_at=lambda key, _: opens.get(key, 0), eager=True)) == [[1], [2], [10], [3]]


def test_an_earlier_moment_is_not_slept_through():
    begun = time.monotonic()
    opens = {"a": begun + 5, "b": begun}

    def job():
        yield 1
        opens["b"] = time.monotonic() + 0.1
        yield 2
        yield 3

    results = run([Job(partial(numbers, 9, 10), "a"), Job(job, "b")], 3, ready_at=lambda key, _: opens[key])
    assert [next(results) for _ in range(3)] == [1, 2, 3]
    assert time.monotonic() - begun < 3
    results.close()


def test_the_number_of_jobs_of_the_same_lane_is_told():
    told = set()

    def ready_at(key, ahead):
        told.add(ahead)
        return 0.0 if ahead < 2 else time.monotonic() + 0.02

    running = 0
    most = 0
    lock = threading.Lock()

    def job():
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1
        yield 1

    jobs = [Job(job, key=n, lane="lane") for n in range(12)]
    assert sum(run(jobs, 6, ready_at=ready_at)) == 12
    assert most == 2
    assert told >= {0, 1, 2}


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
    results = run([Job(job) for _ in range(4)], 4, stop=stop)
    next(results)
    results.close()
    assert stop.is_set()
    assert 1 <= len(closed) <= 4
    assert threading.active_count() == before


def test_a_job_that_waits_for_its_time_is_closed_at_the_end():
    closed = []
    opens = [0.0]

    def job():
        try:
            opens[0] = time.monotonic() + 100
            yield 1
            yield 2
        finally:
            closed.append(1)

    results = run([Job(job)], 1, ready_at=lambda key, ahead: opens[0])
    next(results)
    results.close()
    assert closed == [1]


def test_a_blocked_call_is_interrupted_and_one_that_cannot_be_does_not_hold_up_the_end():
    release = threading.Event()
    hangs_on = threading.Event()

    def quick():
        yield 1

    def blocked():
        release.wait(30)
        yield 2

    def hangs():
        hangs_on.wait(30)
        yield 3

    results = run([Job(quick), Job(blocked), Job(hangs)], 3, interrupt=release.set, join_s=0.1)
    next(results)
    begun = time.monotonic()
    results.close()
    assert release.is_set()
    assert time.monotonic() - begun < 5
    hangs_on.set()


def test_what_a_job_raises_is_raised_where_results_are_read():
    def job():
        yield 1
        raise RuntimeError("odd")

    with pytest.raises(RuntimeError, match="odd"):
        list(run([Job(job)], 2))


def test_what_the_list_of_jobs_raises_is_raised_where_results_are_read():
    def jobs():
        yield Job(partial(numbers, 0, 1))
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        list(run(jobs(), 2))


def test_what_is_thrown_in_where_results_are_read_ends_the_threads():
    before = threading.active_count()
    results = run([Job(partial(numbers, 0, 1000)) for _ in range(2)], 2)
    next(results)
    with pytest.raises(KeyboardInterrupt):
        results.throw(KeyboardInterrupt)
    assert threading.active_count() == before


def test_jobs_whose_time_has_not_come_hold_no_thread():
    opened = threading.Event()
    late = [Job(partial(numbers, n, n + 1), "late") for n in range(50)]
    free = [Job(partial(numbers, n, n + 1), "free") for n in range(100, 150)]

    def ready_at(key, ahead):
        return time.monotonic() + 0.01 if key == "late" and not opened.is_set() else 0.0

    results = run([*late, *free], 2, ready_at=ready_at)
    assert sorted(next(results) for _ in free) == list(range(100, 150))
    opened.set()
    assert sorted(results) == list(range(50))
