"""What was seen is known again, whatever there is of it."""

import tracemalloc

from cloudmarker_azure._novelty import Novelty
from hypothesis import given
from hypothesis import strategies as st


@given(st.lists(st.text(max_size=8), max_size=300))
def test_a_reference_is_new_once(references):
    is_new, seen = Novelty(), set()
    for reference in references:
        assert is_new(reference) is (reference.casefold() not in seen)
        seen.add(reference.casefold())


def test_letter_case_makes_nothing_new_and_what_has_no_reference_is_always_new():
    is_new = Novelty()
    assert [is_new("/A/b"), is_new("/a/B"), is_new(None), is_new(None), is_new("\ud800")] == [
        True,
        False,
        True,
        True,
        True,
    ]


def test_many_references_take_little_memory():
    tracemalloc.start()
    try:
        is_new = Novelty()
        assert all(is_new(f"/subscriptions/{number}") for number in range(50_000))
        assert not any(is_new(f"/subscriptions/{number}") for number in range(0, 50_000, 7))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 30 * 50_000
