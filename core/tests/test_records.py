"""What becomes of a record at its producer's edge."""

from __future__ import annotations

import base64
import dataclasses
import datetime
import decimal
import enum
import json
import math
import types
import uuid
from collections import OrderedDict, UserDict, deque
from typing import Any

import pytest
from cloudmarker.errors import RecordError
from cloudmarker.records import MAX_NESTING, Stamper, decode, diagnose, encode, plain
from hypothesis import given, settings
from hypothesis import strategies as st

STAMPS = {
    "audit_key": "daily",
    "audit_version": "20260102_030405",
    "origin_key": "mycloud",
    "origin_class": "MyCloud",
    "origin_worker": "daily_mycloud",
    "origin_type": "cloud",
}


FEW = settings(max_examples=100, deadline=None)
SURROGATES = ("\ud800", "\ud801")


class Colour(enum.Enum):
    RED = "red"
    TWO = 2


@dataclasses.dataclass
class Disk:
    name: str
    size: Any


class Client:
    """Something that has no JSON form."""


class Bag(dict):  # type: ignore[type-arg]
    pass


def stamper() -> Stamper:
    return Stamper("daily", "20260102_030405", "mycloud", "MyCloud", "cloud")


# Values and the forms that docs/records.md gives them, written down a second time as a model


def unicode_only(text: str) -> str:
    """Return *text* with each surrogate that has no partner replaced, each pair joined."""
    kept, at = [], 0
    while at < len(text):
        char, follower = text[at], text[at + 1 : at + 2]
        if "\ud800" <= char <= "\udbff" and "\udc00" <= follower <= "\udfff":
            kept.append(chr(0x10000 + ((ord(char) - 0xD800) << 10) + (ord(follower) - 0xDC00)))
            at += 2
            continue
        kept.append("\ufffd" if "\ud800" <= char <= "\udfff" else char)
        at += 1
    return "".join(kept)


def documented(value: Any) -> Any:
    """Return the documented JSON form of *value*; a set becomes a frozenset of its forms, as it has no order."""
    if isinstance(value, enum.Enum):
        return documented(value.value)
    if isinstance(value, str):
        return unicode_only(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode()
    if isinstance(value, (uuid.UUID, decimal.Decimal)):
        return str(value)
    if isinstance(value, datetime.datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if dataclasses.is_dataclass(value):
        return {field.name: documented(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {documented(key) if isinstance(key, str) else str(key): documented(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [documented(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return frozenset(documented(item) for item in value)
    return value


def same(found: Any, expected: Any) -> bool:
    """Return whether *found*, read from JSON, is *expected*, types included."""
    if isinstance(expected, frozenset):
        return isinstance(found, list) and len(found) >= len(expected) and frozenset(found) == expected
    if isinstance(expected, dict):
        return (
            isinstance(found, dict)
            and found.keys() == expected.keys()
            and all(same(found[k], expected[k]) for k in found)
        )
    if isinstance(expected, list):
        return isinstance(found, list) and len(found) == len(expected) and all(map(same, found, expected))
    return type(found) is type(expected) and found == expected


texts = st.text(st.characters(codec=None), max_size=8) | st.text(
    st.sampled_from('a\n\r\0"\\\u2028\ud800\udc00é'), max_size=5
)
zones = st.sampled_from([None, datetime.timezone.utc, datetime.timezone(datetime.timedelta(hours=5, minutes=30))])
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=-(2**200), max_value=2**200),
    st.floats(),
    texts,
    st.binary(max_size=8),
    st.uuids(),
    st.decimals(allow_nan=False, places=3),
    st.datetimes(timezones=zones),
    st.dates(),
    st.times(),
    st.sampled_from(Colour),
    st.sets(st.integers(max_value=2**70) | texts, max_size=3),
)
keys = texts | st.integers(min_value=0)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        st.dictionaries(keys, inner, max_size=4),
        st.builds(Disk, texts, inner),
    ),
    max_leaves=12,
)


def keys_meet(value: Any) -> bool:
    """Return whether two keys of some object in *value* have the same form."""
    if isinstance(value, Disk):
        return keys_meet(value.size)
    if isinstance(value, dict):
        forms = [unicode_only(key) if isinstance(key, str) else str(key) for key in value]
        return len(set(forms)) < len(forms) or any(map(keys_meet, value.values()))
    return isinstance(value, (list, tuple)) and any(map(keys_meet, value))


@FEW
@given(values)
def test_a_value_becomes_one_line_in_its_documented_form(value):
    try:
        line = encode(value)
    except RecordError:
        assert keys_meet(value)
        return
    assert b"\n" not in line
    assert b"\r" not in line
    line.decode("utf-8")
    if not keys_meet(value):
        assert same(decode(line), documented(value))


@FEW
@given(values)
def test_plain_values_stay_as_they_are(value):
    try:
        once = plain(value)
    except RecordError:
        return
    assert plain(once) == once
    assert encode(once) == encode(plain(once))
    assert json.loads(encode(once)) == once


@FEW
@given(values, st.sampled_from([Client(), object(), Client, len, deque([1]), 1j, ..., range(2)]))
def test_one_value_without_a_json_form_is_named_with_its_place(neighbour, foreign):
    with pytest.raises(RecordError) as refused:
        encode({"raw": {"before": 1, "list": [0, {"owner": foreign}]}, "ext": {}})
    assert str(refused.value) == f"raw.list[1].owner: object of type {type(foreign).__qualname__} is not JSON"


@pytest.mark.parametrize("value", [Client(), {1, object}, {"a": Client()}, [deque()], Disk("a", Client())])
def test_an_error_is_a_record_error_whatever_the_value(value):
    with pytest.raises(RecordError, match="is not JSON"):
        encode(value)


@pytest.mark.parametrize("key", [None, True, (1, 2), Client()])
def test_a_key_without_a_json_form_is_named_with_its_place(key):
    with pytest.raises(RecordError, match=rf"^raw\.tags: key of type {type(key).__qualname__} is not JSON$"):
        encode({"raw": {"tags": {key: 1}}})


def test_two_keys_that_become_one_are_refused_when_they_are_seen():
    with pytest.raises(RecordError, match=r"^raw: two keys become '\ufffd'$"):
        encode({"raw": dict.fromkeys(SURROGATES, 1)})


@pytest.mark.parametrize(
    "mapping",
    [UserDict(a=1), types.MappingProxyType({"a": 1}), OrderedDict(a=1), Bag(a=1)],
    ids=lambda m: type(m).__name__,
)
def test_any_mapping_becomes_an_object(mapping):
    assert plain({"raw": mapping}) == {"raw": {"a": 1}}


def test_a_number_too_long_to_be_written_is_refused():
    with pytest.raises(RecordError):
        encode({"raw": 10**5000})


def nested(depth: int, bottom: object = 1) -> object:
    value = bottom
    for level in range(depth):
        value = {"a": value} if level % 2 else [value]
    return value


@pytest.mark.parametrize("bottom", [1, "\ud800", {1}, UserDict(a=1)], ids=["plain", "surrogate", "set", "mapping"])
def test_the_documented_depth_is_kept_whatever_is_at_the_bottom(bottom):
    line = encode(nested(MAX_NESTING - 1, bottom))
    assert decode(line) is not None


@pytest.mark.parametrize("depth", [5000, 200_000])
@pytest.mark.parametrize("bottom", [1, Client()])
def test_a_record_nested_too_deep_is_refused(depth, bottom):
    value: object = bottom
    for _ in range(depth * (4 if depth < 10_000 else 1)):
        value = [value]
    with pytest.raises(RecordError, match="nested more than"):
        encode({"raw": value})
    while isinstance(value, list):  # taken apart by hand: some interpreters run out of stack doing it
        (value,) = value


def test_a_place_deep_down_or_with_long_names_stays_a_short_message():
    with pytest.raises(RecordError) as refused:
        encode({"raw": {"k" * 100_000: nested(200, Client())}})
    assert len(str(refused.value)) < 300


# Dead letters show what cannot be kept


@FEW
@given(
    st.recursive(scalars | st.builds(Client), lambda inner: st.lists(inner) | st.dictionaries(keys | st.none(), inner))
)
def test_everything_can_be_shown_in_a_dead_letter(value):
    assert plain(diagnose(value)) == diagnose(value)


def test_what_has_no_json_form_is_shown_as_its_type():
    shown = diagnose({"raw": [Client(), {None: 1, (1, 2): 2, **dict.fromkeys(SURROGATES, 3)}], "com": {"n": 1}})
    assert shown == {"raw": ["<Client>", {"<NoneType>": 1, "<tuple>": 2, "\ufffd": 3}], "com": {"n": 1}}


# Stamps


def merged(record: Any, number: int) -> Any:
    """Return *record* with its stamps, put together the plain way."""
    if not set(record.get("com", {})) - {*STAMPS, "record_id"}:
        raise RecordError("nothing of its own")
    com = {**record["com"], **STAMPS, "record_id": f"daily_mycloud_20260102_030405_{number}"}
    return plain({**record, "com": com})


coms = st.dictionaries(keys | st.sampled_from([*STAMPS, "record_id", "record_type"]), values, max_size=5)
buckets = st.dictionaries(st.sampled_from(["raw", "ext", "com2"]), values, max_size=3)
wraps = st.sampled_from([dict, Bag, OrderedDict, UserDict, types.MappingProxyType])


@FEW
@given(buckets, coms, wraps, wraps, st.booleans(), st.booleans())
def test_stamps_are_added_in_every_shape_of_record_and_the_record_is_not_changed(
    others, com, wrap, wrap_com, com_first, no_com
):
    parts = (
        dict(others) if no_com else {"com": wrap_com(com), **others} if com_first else {**others, "com": wrap_com(com)}
    )
    record = wrap(parts)
    before = [(key, id(value)) for part in (record, record.get("com", {})) for key, value in part.items()]
    try:
        expected = merged(record, 1)
    except RecordError:
        with pytest.raises(RecordError):
            stamper().line(record)
        return
    line = stamper().line(record)
    assert b"\n" not in line
    assert decode(line) == expected
    assert json.loads(line) == expected
    after = [(key, id(value)) for part in (record, record.get("com", {})) for key, value in part.items()]
    assert after == before


def test_a_record_made_from_another_ones_com_gets_its_own_stamps():
    read = decode(Stamper("other", "v", "x", "X", "event").line({"com": {"record_type": "mock"}}))
    line = stamper().line({"com": {**read["com"], "record_type": "copied"}})
    assert decode(line)["com"] == {"record_type": "copied", **STAMPS, "record_id": "daily_mycloud_20260102_030405_1"}
    assert line.count(b"record_id") == 1


@pytest.mark.parametrize("record", [None, "text", 1, [], {"com": None}, {"com": "text"}, {"com": [1]}, {"com": 1}])
def test_what_is_no_record_is_refused_in_words_for_its_author(record):
    with pytest.raises(RecordError, match=r"^a record must be a dict whose com bucket is a dict"):
        stamper().line(record)


def test_record_ids_are_unique_in_a_run():
    first, second = stamper(), Stamper("daily", "20260102_030405", "mycloud_1", "MyCloud", "cloud")
    own = Stamper("daily", "20260102_030405", "audit", "Audit", "audit")
    makers = [first, second, own, first.for_audit(), second.for_audit()]
    lines = [
        maker.line({"com": com})
        for maker in makers
        for com in ({"a": 1}, {"b": {}}, {"record_id": 1, "a": 1})
        for _ in range(15)
    ]
    ids = [decode(line)["com"]["record_id"] for line in lines]
    assert len(set(ids)) == len(ids) == 5 * 45


def test_record_ids_are_the_same_when_the_same_records_are_made_again():
    def ids():
        maker = stamper()
        return [decode(maker.line({"com": {"n": n}}))["com"]["record_id"] for n in range(3)]

    assert ids() == ids()


def test_a_refused_record_does_not_give_its_id_to_the_next():
    maker = stamper()
    with pytest.raises(RecordError):
        maker.line({"raw": Client(), "com": {"a": 1}})
    assert decode(maker.line({"com": {"a": 1}}))["com"]["record_id"].endswith("_2")


def test_what_a_producer_passes_on_for_the_audit_is_of_the_audits_origin():
    com = decode(stamper().for_audit().line({"com": {"a": 1}}))["com"]
    assert (com["origin_worker"], com["origin_type"], com["origin_key"]) == ("daily_audit", "audit", "audit")
    assert stamper().for_audit().worker == "daily_audit"


@pytest.mark.parametrize("before", [0, 1, 998, 999, 1000, 1998, 12_345, 999_500])
@pytest.mark.parametrize("count", [1, 2, 999, 1000, 2001])
def test_stamps_put_into_many_lines_count_on_from_any_number(before, count):
    maker = stamper()
    maker.take(before)
    lines = b"\n".join([maker.encode({"com": {"n": 1}})] * count)
    ids = [decode(line)["com"]["record_id"] for line in maker.take(count).put_into(lines).split(b"\n")]
    assert ids == [f"daily_mycloud_20260102_030405_{before + number}" for number in range(1, count + 1)]
