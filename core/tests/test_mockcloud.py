from __future__ import annotations

import doctest
from itertools import islice

import pytest
from cloudmarker.clouds import mockcloud
from cloudmarker.clouds.mockcloud import MockCloud
from cloudmarker.contracts import Cloud


def test_the_documented_examples_hold():
    assert doctest.testmod(mockcloud).failed == 0


def test_it_is_a_cloud_plugin():
    assert isinstance(MockCloud(), Cloud)


def test_a_record_has_its_number_in_raw_and_its_type_in_ext():
    assert list(MockCloud(2).read()) == [
        {
            "raw": {"data": 0},
            "ext": {"cloud_type": "mock", "record_type": "foo"},
            "com": {"cloud_type": "mock", "record_type": "mock", "reference": "mock/0"},
        },
        {
            "raw": {"data": 1},
            "ext": {"cloud_type": "mock", "record_type": "bar"},
            "com": {"cloud_type": "mock", "record_type": "mock", "reference": "mock/1"},
        },
    ]


def test_record_types_are_used_in_turn():
    records = MockCloud(record_count=5, record_types=["apple", "ball", "cat"]).read()
    assert [record["ext"]["record_type"] for record in records] == ["apple", "ball", "cat", "apple", "ball"]


@pytest.mark.parametrize("count", [0, -1])
def test_a_count_below_one_gives_no_records(count):
    assert list(MockCloud(count).read()) == []


def test_records_share_nothing_that_a_consumer_could_change():
    first, second = MockCloud(2, ["foo"]).read()
    for bucket in ("raw", "ext", "com"):
        assert first[bucket] is not second[bucket]


def test_records_are_made_one_at_a_time():
    assert len(list(islice(MockCloud(10**15).read(), 3))) == 3


@pytest.mark.parametrize("record_types", [(), [], "foo"])
def test_record_types_that_are_no_list_of_names_are_refused(record_types):
    with pytest.raises(ValueError, match="record_types"):
        MockCloud(10, record_types)


def test_done_can_be_called_after_reading():
    cloud = MockCloud()
    list(cloud.read())
    cloud.done()
