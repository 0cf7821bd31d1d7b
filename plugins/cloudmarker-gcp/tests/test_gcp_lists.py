"""Pages: items flat and by zone, whose they are, and what they say is missing."""

from __future__ import annotations

import pytest
from cloudmarker_gcp._lists import Gaps, items_of
from cloudmarker_gcp._outcome import UnreadError
from cloudmarker_gcp._records import Scope
from cloudmarker_gcp._table import TABLE

SCOPE = Scope("shop", "1234")
FIREWALLS, INSTANCES = TABLE


def flat(page):
    gaps = Gaps()
    return items_of(page, FIREWALLS, "list", SCOPE, gaps), gaps


def aggregated(page):
    gaps = Gaps()
    return items_of(page, INSTANCES, "aggregatedList", SCOPE, gaps), gaps


def test_items_of_all_zones_are_given():
    items, gaps = aggregated(
        {
            "items": {
                "zones/a-1": {"instances": [1, 2]},
                "zones/b-1": {"warning": {"code": "NO_RESULTS_ON_PAGE", "message": "none"}},
                "zones/c-1": {"instances": [3]},
            }
        }
    )
    assert items == [1, 2, 3]
    assert (gaps.state, str(gaps)) == ("ok", "")


@pytest.mark.parametrize("page", [{}, {"items": None}, {"items": {}}])
def test_an_empty_aggregated_page_is_empty(page):
    assert aggregated(page)[0] == []


def test_zones_that_were_not_reached_are_named_once():
    _, gaps = aggregated(
        {
            "items": {
                "zones/a-1": {"warning": {"code": "UNREACHABLE", "message": "cannot"}},
                "zones/b-1": {"warning": {"code": "UNREACHABLE"}, "instances": []},
            },
            "unreachables": ["projects/shop/zones/a-1", "zones/b-1", "c-1"],
        }
    )
    assert (gaps.state, str(gaps)) == ("failed", "zones/a-1, zones/b-1, zones/c-1: unreachable")


def test_a_warning_that_is_not_known_to_be_harmless_is_a_gap():
    items, gaps = flat({"items": [1], "warning": {"code": "PARTIAL_SUCCESS", "message": "some are missing"}})
    assert items == [1]
    assert (gaps.state, str(gaps)) == ("failed", "PARTIAL_SUCCESS: some are missing")


@pytest.mark.parametrize("warning", ["odd", {}, {"message": "odd"}])
def test_a_warning_of_odd_shape_is_a_gap(warning):
    assert flat({"items": [], "warning": warning})[1].state == "failed"


@pytest.mark.parametrize(
    ("page", "call"),
    [
        ({"items": {}}, flat),
        ({"items": "x"}, flat),
        ({"items": []}, aggregated),
        ({"items": {"zones/a-1": []}}, aggregated),
        ({"items": {"zones/a-1": {"instances": {}}}}, aggregated),
    ],
)
def test_a_page_of_another_shape_is_not_an_empty_one(page, call):
    with pytest.raises(UnreadError, match="no page of a"):
        call(page)


@pytest.mark.parametrize(
    "page",
    [
        {"id": "projects/other/global/firewalls", "items": [1]},
        {"selfLink": "https://www.googleapis.com/compute/v1/projects/other/global/firewalls", "items": [1]},
    ],
)
def test_the_page_of_another_project_is_refused_whole(page):
    with pytest.raises(UnreadError, match="not of this project, but of project other") as caught:
        flat(page)
    assert caught.value.state == "failed"


@pytest.mark.parametrize("owner", ["shop", "1234"])
def test_a_page_may_name_its_project_by_id_or_number(owner):
    assert flat({"id": f"projects/{owner}/global/firewalls", "items": [1]})[0] == [1]


def test_a_page_with_an_item_of_another_project_is_refused_whole():
    own, other = ({"selfLink": f"https://x/projects/{name}/global/firewalls/a"} for name in ("shop", "other"))
    assert flat({"items": [own, {"name": "a"}, "odd"]})[0] == [own, {"name": "a"}, "odd"]
    with pytest.raises(UnreadError, match="not of this project, but of project other"):
        flat({"items": [own, other]})
    with pytest.raises(UnreadError, match="not of this project, but of project other"):
        aggregated({"items": {"zones/a-1": {"instances": [own]}, "zones/b-1": {"instances": [other]}}})


def test_gaps_name_places_and_the_worst_state():
    gaps = Gaps()
    gaps.add("denied", "no", "zones/a-1")
    gaps.add("denied", "no", "zones/b-1")
    assert (gaps.state, str(gaps)) == ("denied", "zones/a-1, zones/b-1: no")
    gaps.add("failed", "broken")
    assert (gaps.state, str(gaps)) == ("failed", "zones/a-1, zones/b-1: no; broken")
