from __future__ import annotations

import doctest
from itertools import pairwise

import pytest
from cloudmarker.firewall import (
    compress_ports,
    covers_port,
    expand_port_ranges,
    normalise_ports,
    port_intervals,
    ports,
    ports_within,
)
from hypothesis import example, given
from hypothesis import strategies as st

numbers = st.integers(min_value=0, max_value=65535)
ranges = st.builds("{}-{}".format, numbers, numbers)
spellings = st.one_of(
    st.none(),
    numbers,
    st.integers(),
    numbers.map(str),
    ranges,
    st.text(max_size=20),
    st.text(alphabet="0123456789-*, ", max_size=20),
    st.sampled_from(["*", "any", "ssh", "0-65535", "1-65535", "-1"]),
)


def expanded(values: list[int | str | None]) -> set[int]:
    """The same by brute force: every port that a list of plain numbers and ranges stands for."""
    found = set()
    for value in values:
        first, _, last = str(value).partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found


def test_the_documented_examples_hold():
    assert doctest.testmod(ports).failed == 0


@pytest.mark.parametrize(
    ("spelling", "canonical"),
    [
        (22, ["22"]),
        ("22", ["22"]),
        (" 22 ", ["22"]),
        ("0022", ["22"]),
        ("22-25", ["22-25"]),
        (" 22 - 25 ", ["22-25"]),
        ("22-22", ["22"]),
        ("0", ["0"]),
        ("0-65535", ["*"]),
        ("1-65535", ["*"]),
        ("2-65535", ["2-65535"]),
        ("0-99999", ["*"]),
        ("60000-99999", ["60000-65535"]),
        ("*", ["*"]),
        ("Any", ["*"]),
        ("all", ["*"]),
        (-1, ["*"]),
        ("80, 443,8000-8080", ["80", "443", "8000-8080"]),
    ],
)
def test_a_spelling_has_one_canonical_form(spelling, canonical):
    assert normalise_ports([spelling]) == canonical


@pytest.mark.parametrize("nothing", [None, [], [None], [""], [" , "], ""])
def test_no_ports_at_all_means_every_port(nothing):
    assert normalise_ports(nothing) == ["*"]
    assert port_intervals(nothing) == ((0, 65535),)


def test_an_empty_value_beside_a_port_means_nothing():
    assert normalise_ports([None, "", "22"]) == ["22"]


@pytest.mark.parametrize(
    "word", ["ssh", "8081a", "25-22", "70000", "70000-80000", "1-2-3", "+22", "2_2", "٢٢", "9" * 999]
)
def test_what_is_no_port_is_kept_and_stands_for_no_port(word):
    assert normalise_ports([word]) == [word]
    assert port_intervals([word]) == ()
    assert expand_port_ranges([word]) == set()


def test_order_is_kept_and_nothing_is_merged():
    assert normalise_ports(["443", "22-25", "23", "443", 443]) == ["443", "22-25", "23"]


def test_a_bare_number_or_string_is_a_list_of_one():
    assert normalise_ports(22) == ["22"]
    assert normalise_ports("22-25") == ["22-25"]


@given(st.lists(spellings, max_size=8))
@example(["\ud800"])
def test_a_canonical_form_is_its_own_canonical_form(values):
    once = normalise_ports(values)
    assert normalise_ports(once) == once
    assert port_intervals(once) == port_intervals(values)


@given(st.lists(st.one_of(numbers, numbers.map(str), ranges), min_size=1, max_size=8), st.sets(numbers, max_size=20))
def test_intervals_hold_the_same_ports_as_the_expanded_set(values, probes):
    whole = expanded(values)
    intervals = port_intervals(values)
    if intervals != ((0, 65535),):  # port 0 may come with ports 1 to 65535
        assert {port for first, last in intervals for port in range(first, last + 1)} == whole
    assert expand_port_ranges(values) == whole
    probes -= {0}
    assert ports_within(intervals, sorted(probes)) == sorted(whole & probes)
    assert all(covers_port(values, probe) == (probe in whole) for probe in probes)


@given(st.lists(spellings, max_size=8))
def test_intervals_are_ascending_and_apart(values):
    intervals = port_intervals(values)
    assert all(0 <= first <= last <= 65535 for first, last in intervals)
    assert all(before[1] + 1 < after[0] for before, after in pairwise(intervals))


@given(st.sets(numbers, max_size=30))
def test_compressed_ports_expand_to_the_same_ports(values):
    assert expand_port_ranges(compress_ports(values)) == values


def test_a_run_of_two_is_no_range():
    assert compress_ports([81, 80]) == ["80", "81"]


def test_words_for_every_port_are_neither_ports_nor_ranges_to_expand():
    assert expand_port_ranges(["*", "any", None, "-1"]) == set()
