from __future__ import annotations

import doctest

import pytest
from cloudmarker.clouds.mockcloud import MockCloud
from cloudmarker.contracts import Event
from cloudmarker.events import mockevent
from cloudmarker.events.mockevent import MockEvent
from cloudmarker.fields import validate
from cloudmarker.findings import fingerprint


def test_the_documented_examples_hold():
    assert doctest.testmod(mockevent).failed == 0


def test_it_is_an_event_plugin():
    assert isinstance(MockEvent(), Event)


def test_an_event_tells_what_was_found_in_which_record():
    (event,) = MockEvent().eval(
        {"raw": {"data": 6}, "ext": {}, "com": {"cloud_type": "mock", "record_type": "mock", "reference": "mock/6"}}
    )
    assert event["ext"] == {"cloud_type": "mock", "record_type": "mock_event", "data": 6, "n": 3}
    assert event["com"]["description"] == "6 is a multiple of 3."
    assert event["com"]["reference"] == "mock/6"
    assert event["com"]["severity"] == "info"
    assert event["com"]["check_id"] == "mock_event"
    assert event["com"]["fingerprint"] == fingerprint("mock_event", "mock/6")
    assert validate(event["com"], event=True) == []


@pytest.mark.parametrize(
    ("count", "n", "numbers"), [(10, 3, [0, 3, 6, 9]), (5, 3, [0, 3]), (11, 5, [0, 5, 10]), (3, -2, [0, 2])]
)
def test_multiples_of_n_are_found(count, n, numbers):
    event = MockEvent(n)
    assert [found["ext"]["data"] for record in MockCloud(count).read() for found in event.eval(record)] == numbers


@pytest.mark.parametrize("record", [{}, {"raw": {}}, {"raw": None}, {"raw": []}, {"raw": "text"}])
def test_a_record_without_a_number_counts_as_number_one(record):
    assert list(MockEvent().eval(record)) == []
    assert [event["ext"]["data"] for event in MockEvent(1).eval(record)] == [1]


@pytest.mark.parametrize("data", [None, "3", "%d", 3.5, [3], {"a": 3}, True])
def test_what_is_no_integer_is_no_multiple(data):
    assert list(MockEvent(1).eval({"raw": {"data": data}})) == []


@pytest.mark.parametrize("n", [0, "3", None, 1.5, True])
def test_an_n_that_has_no_multiples_is_refused(n):
    with pytest.raises(ValueError, match=r"^n: "):
        MockEvent(n)


def test_the_record_is_left_as_it_was():
    record = {"raw": {"data": 3}, "ext": {}, "com": {"cloud_type": "mock", "reference": "mock/3"}}
    list(MockEvent().eval(record))
    assert record == {"raw": {"data": 3}, "ext": {}, "com": {"cloud_type": "mock", "reference": "mock/3"}}
