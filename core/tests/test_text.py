from __future__ import annotations

import doctest

import pytest
from cloudmarker import text
from cloudmarker.errors import CloudmarkerError
from cloudmarker.text import PluralizeError, friendly_list, friendly_string, pluralize, wrap_paragraphs
from hypothesis import given
from hypothesis import strategies as st


def test_the_documented_examples_hold():
    assert doctest.testmod(text).failed == 0


def test_a_list_may_come_from_any_iterable_of_anything():
    assert friendly_list(number for number in (1, 2)) == "1 and 2"
    assert friendly_list(()) == "none"


def test_a_string_without_a_translation_stays():
    assert friendly_string("AZURE") == "AZURE"
    assert friendly_string("") == ""


@pytest.mark.parametrize("count", [0, 2, -1, 1.5])
def test_every_count_but_one_takes_the_plural(count):
    assert pluralize(count, "port") == "ports"


@pytest.mark.parametrize("count", [1, 1.0])
def test_a_count_of_one_takes_the_singular(count):
    assert pluralize(count, "sky", "y", "ies") == "sky"


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_surplus_suffix_is_refused_whatever_the_count(count):
    with pytest.raises(PluralizeError, match="'c'"):
        pluralize(count, "x", "a", "b", "c")


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_suffix_that_is_not_there_cannot_be_removed(count):
    with pytest.raises(PluralizeError, match="'sky' does not end in 'z'"):
        pluralize(count, "sky", "z", "ies")


def test_an_empty_suffix_to_remove_removes_nothing():
    assert pluralize(2, "potato", "", "es") == "potatoes"
    assert pluralize(2, "sheep", "") == "sheep"


def test_a_pluralize_error_is_an_error_of_cloudmarker():
    assert issubclass(PluralizeError, CloudmarkerError)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ""),
        ("  foo bar\n\n  baz qux  \n", "foo bar\n\nbaz qux"),
        ("x\n \ny", "x\n\ny"),
        ("one\ntwo", "one two"),
        ("a\n\n\n\nb", "a\n\n\n\nb"),
        ("  a\n\n    b", "a\n\n  b"),
    ],
)
def test_paragraphs_stay_apart_and_lose_their_common_indentation(before, after):
    assert wrap_paragraphs(before) == after


@given(
    st.lists(st.text(alphabet="abc ", max_size=300), max_size=5).map("\n\n".join),
    st.integers(min_value=1, max_value=80),
)
def test_no_line_is_longer_than_the_width_and_no_letter_is_lost(before, width):
    after = wrap_paragraphs(before, width)
    assert all(len(line) <= width for line in after.splitlines())
    assert "".join(after.split()) == "".join(before.split())
