"""Pages: items flat and by zone, whose they are, and what they say is missing."""

from __future__ import annotations

import json

import pytest
from cloudmarker.reading import Tally, UnreadError
from cloudmarker_gcp._pages import Page, check_item, decoded
from cloudmarker_gcp._scopes import Scope

SCOPE = Scope("project", "shop", "1234")


def page(content):
    return Page(json.dumps(content).encode())


def plain(items):
    return [decoded(memoryview(item)) for item in items]


def flat(content):
    """Items of a flat page, and its gaps as coverage has them."""
    read = page(content)
    items, gaps = read.items("items")
    return plain(items), told([*read.gaps(), *gaps])


def aggregated(content):
    read = page(content)
    items, gaps = read.items("items", "instances")
    return plain(items), told([*read.gaps(), *gaps])


def told(gaps):
    tally = Tally()
    for gap in gaps:
        tally.gap(*gap)
    com = tally.coverage("gcp", "s", "t")["com"]
    return com["state"], com["error"]


def test_items_of_all_zones_are_given():
    items, gaps = aggregated(
        {
            "items": {
                "zones/a-1": {"instances": [1, 2]},
                "zones/b-1": {"warning": {"code": "NO_RESULTS_ON_PAGE", "message": "none"}},
                "zones/c-1": {"instances": [{"x": "é"}]},
            }
        }
    )
    assert items == [1, 2, {"x": "é"}]
    assert gaps == ("ok", None)


@pytest.mark.parametrize("content", [{}, {"items": None}, {"items": {}}])
def test_an_empty_aggregated_page_is_empty(content):
    assert aggregated(content)[0] == []


def test_zones_that_were_not_reached_are_named_once():
    _, gaps = aggregated(
        {
            "items": {
                "zones/a-1-b": {"warning": {"code": "UNREACHABLE", "message": "cannot"}},
                "zones/b-1-b": {"warning": {"code": "UNREACHABLE"}, "instances": []},
            },
            "unreachables": ["projects/shop/zones/a-1-b", "zones/b-1-b", "c-1-b"],
        }
    )
    assert gaps == ("failed", "zones/a-1-b, zones/b-1-b, zones/c-1-b: unreachable")


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ({"unreachable": ["projects/shop/locations/us-east1"]}, "locations/us-east1: unreachable"),
        ({"missingZones": ["us-east1-b"]}, "zones/us-east1-b: unreachable"),
        (
            {"warnings": [{"code": "REGION_UNREACHABLE", "message": "down", "region": "us-east1"}]},
            "regions/us-east1: REGION_UNREACHABLE: down",
        ),
        ({"warning": {"code": "PARTIAL_SUCCESS", "message": "some are missing"}}, "PARTIAL_SUCCESS: some are missing"),
    ],
)
def test_what_any_api_says_is_missing_is_a_gap(content, error):
    items, gaps = flat({"items": [1], **content})
    assert items == [1]
    assert gaps == ("failed", error)


@pytest.mark.parametrize("warning", ["odd", {}, {"message": "odd"}])
def test_a_warning_of_odd_shape_is_a_gap(warning):
    assert flat({"items": [], "warning": warning})[1][0] == "failed"


@pytest.mark.parametrize(
    ("content", "call"),
    [
        ({"items": {}}, flat),
        ({"items": "x"}, flat),
        ({"items": []}, aggregated),
        ({"items": {"zones/a-1": []}}, aggregated),
        ({"items": {"zones/a-1": {"instances": {}}}}, aggregated),
        ({"unreachable": "x"}, flat),
    ],
)
def test_a_page_of_another_shape_is_not_an_empty_one(content, call):
    with pytest.raises(UnreadError, match="no page of a"):
        call(content)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b'{"a":', b'"x"', b"[" * 100_000])
def test_what_is_no_object_is_worth_another_try(body):
    with pytest.raises(UnreadError) as caught:
        Page(body, "text/html")
    assert (caught.value.state, caught.value.again) == ("failed", True)


def test_half_a_character_is_kept():
    read = Page(b'{"items": [{"name": "\\ud800"}]}')
    assert read.items("items")[0] == [{"name": "\ud800"}]


@pytest.mark.parametrize(
    "content",
    [
        {"id": "projects/other/global/firewalls"},
        {"selfLink": "https://www.googleapis.com/compute/v1/projects/other/global/firewalls"},
    ],
)
def test_the_page_of_another_project_is_refused(content):
    with pytest.raises(UnreadError, match="not of this project, but of project other") as caught:
        page(content).check_owner(SCOPE)
    assert caught.value.state == "failed"


@pytest.mark.parametrize("owner", ["shop", "1234"])
def test_a_page_may_name_its_project_by_id_or_number(owner):
    page({"id": f"projects/{owner}/global/firewalls"}).check_owner(SCOPE)


@pytest.mark.parametrize(
    ("item", "own"),
    [
        ({"selfLink": "https://x/projects/shop/global/firewalls/a"}, True),
        ({"selfLink": "https://x/projects/other/global/firewalls/a"}, False),
        ({"projectNumber": "1234"}, True),
        ({"projectNumber": "999"}, False),
        ({"name": "a"}, True),
        ({"selfLink": 5}, True),
        ("odd", True),
    ],
)
def test_an_item_of_another_project_is_refused(item, own):
    if own:
        check_item(item, SCOPE)
    else:
        with pytest.raises(UnreadError, match="not of this project"):
            check_item(item, SCOPE)


@pytest.mark.parametrize(
    ("content", "following"),
    [
        ({"nextPageToken": "x"}, ("pageToken", "x")),
        ({"nextPageToken": ""}, None),
        ({"metadata": {"continue": "y"}}, ("continue", "y")),
        ({"metadata": {}}, None),
        ({}, None),
    ],
)
def test_the_next_page_is_asked_for_as_the_api_wants_it(content, following):
    assert page(content).following() == following
