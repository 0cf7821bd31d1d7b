"""Reading JSON that may hold anything."""

import pytest
from cloudmarker_azure import _json


@pytest.mark.parametrize(
    "item", [None, 7, "text", [], {}, {"a": None}, {"a": "text"}, {"a": {"b": None}}, {"a": ["b"]}]
)
def test_what_is_not_there_is_none_or_empty(item):
    assert _json.at(item, "a", "b") is None
    assert _json.text(item, "a", "b") is None
    assert _json.flag(item, "a", "b") is None
    assert _json.whole(item, "a", "b") is None
    assert _json.objects(item, "a", "b") == []
    assert _json.texts(item, "a", "b") == []
    assert _json.ids(item, "a", "b") == []
    assert _json.id_of(item, "a", "b") == []


@pytest.mark.parametrize(
    ("value", "truth"),
    [(True, True), (False, False), ("Enabled", True), ("true", True), ("OFF", False), ("maybe", None), (1, None)],
)
def test_truth_is_also_written_as_text(value, truth):
    assert _json.flag({"a": value}, "a") is truth


@pytest.mark.parametrize(
    ("value", "number"),
    [(7, 7), (7.9, 7), (True, None), ("7", None), (2**63, None), (float("inf"), None), (float("nan"), None), (-3, -3)],
)
def test_whole_numbers_fit_64_bits(value, number):
    assert _json.whole({"a": value}, "a") == number


def test_ids_are_each_once_letter_case_aside_in_their_first_spelling():
    entries = [{"id": "/A"}, {"id": "/a"}, {"id": "/b"}, {"id": ""}, {}, "text", None]
    assert _json.ids({"x": entries}, "x") == ["/A", "/b"]


@pytest.mark.parametrize(
    ("value", "days"),
    [
        ("P90D", 90),
        ("P1Y", 365),
        ("P2M", 60),
        ("P1W", 7),
        ("P1Y1D", 366),
        ("PT5H", None),
        ("P", None),
        ("x", None),
        (3, None),
    ],
)
def test_periods_in_days(value, days):
    assert _json.period_days(value) == days


@pytest.mark.parametrize(
    ("value", "version"),
    [
        ("TLS1_2", "1.2"),
        ("TLSv1_3", "1.3"),
        ("Tls12", "1.2"),
        ("1.0", "1.0"),
        ("None", "none"),
        ("TLSEnforcementDisabled", "none"),
        ("SSL3", None),
        (None, None),
        (1.2, None),
    ],
)
def test_versions_of_tls_in_every_spelling(value, version):
    assert _json.tls(value) == version
