"""What cloud plugins share when they read lists."""

from __future__ import annotations

import threading
import tracemalloc

import pytest
from cloudmarker.coverage import STATES
from cloudmarker.reading import PLACES, REASON_LENGTH, Novelty, Retry, Tally, UnreadError
from hypothesis import given
from hypothesis import strategies as st


def outcome(tally, **options):
    com = tally.coverage("example", "//scope", "thing", **options)["com"]
    return com["state"], com["count"], com["error"]


def test_a_list_that_was_read_to_its_end_is_ok():
    tally = Tally()
    assert [tally.admit(), tally.admit()] == [True, True]
    assert outcome(tally) == ("ok", 2, None)
    assert tally.coverage("example", "//scope", "thing")["com"]["reference"] == "//scope#thing"


def test_what_is_beyond_the_limit_is_said():
    tally = Tally(2, "_max_recs")
    assert [tally.admit() for _ in range(3)] == [True, True, False]
    assert tally.full
    assert outcome(tally) == ("skipped", 2, "limited to 2 by _max_recs")


def test_a_limit_that_is_just_enough_cuts_nothing_off():
    tally = Tally(1, "_max_recs")
    tally.admit()
    assert not tally.full
    assert outcome(tally)[0] == "ok"


def test_items_of_odd_shape_are_a_failure_and_the_first_is_named():
    tally = Tally(1, "x")
    for problem in ("first", "second"):
        tally.admit()
        tally.malformed(problem)
    assert outcome(tally) == ("failed", 1, "2 items of unexpected shape: first")


def test_gaps_name_places_once_and_the_worst_state():
    tally = Tally()
    for state, reason, place in (
        ("denied", "no", "a"),
        ("denied", "no", "b"),
        ("denied", "no", "a"),
        ("ok", "note", ""),
    ):
        tally.gap(state, reason, place)
    assert outcome(tally) == ("denied", 0, "a, b: no; note")
    tally.gap("failed", "broken")
    assert outcome(tally)[0] == "failed"


@pytest.mark.parametrize("state", STATES)
def test_any_state_can_be_that_of_a_gap(state):
    tally = Tally()
    tally.gap(state, "because")
    assert outcome(tally) == (state, 0, "because")


def test_of_many_places_some_are_named_and_the_others_counted():
    tally = Tally()
    for n in range(PLACES + 3):
        tally.gap("failed", "no", f"p{n}")
    assert outcome(tally)[2] == "p0, p1, p2, p3, p4, 3 more: no"


def test_nothing_at_all_can_mean_that_something_is_not_seen():
    assert outcome(Tally(), if_empty="give it a role") == ("denied", 0, "give it a role")


def test_threads_may_count_together():
    tally = Tally(5000, "x")

    def count():
        for _ in range(2000):
            tally.admit()

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcome(tally) == ("skipped", 5000, "limited to 5000 by x")


def test_a_reason_is_one_line_of_bounded_length():
    assert str(UnreadError("failed", "a\n b\r\n\tc")) == "a b c"
    assert len(str(UnreadError("failed", "x" * 10_000))) == REASON_LENGTH


def test_waits_double_are_never_less_than_asked_for_and_are_capped():
    retry = Retry(first_wait_s=1.0, max_wait_s=10.0)
    assert 1.0 <= retry.wait_s(1, None) <= 1.25
    assert 2.0 <= retry.wait_s(2, None) <= 2.5
    assert 5.0 <= retry.wait_s(1, 5.0) <= 6.25
    assert 10.0 <= retry.wait_s(50, None) <= 12.5
    assert 10.0 <= retry.wait_s(1, 3600.0) <= 12.5


def test_what_was_seen_is_not_new():
    is_new = Novelty()
    assert [is_new("a"), is_new("b"), is_new("a"), is_new("\ud800")] == [True, True, False, True]


def test_many_are_known_again_and_take_little_memory():
    tracemalloc.start()
    try:
        is_new = Novelty()
        assert all(is_new(f"/projects/{number}") for number in range(50_000))
        assert not any(is_new(f"/projects/{number}") for number in range(0, 50_000, 7))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 30 * 50_000


@given(st.lists(st.text(max_size=3), max_size=300))
def test_a_reference_is_new_once(references):
    is_new, seen = Novelty(), set()
    for reference in references:
        assert is_new(reference) is (reference not in seen)
        seen.add(reference)
