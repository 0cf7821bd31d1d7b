"""Dead letters: what is kept of a record that could not be passed on."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path

import pytest
from cloudmarker.deadletters import DeadLetters


def letters_of(directory: Path, key: str = "cloud", version: str = "v") -> DeadLetters:
    return DeadLetters(directory, "cloud", key, "a", version)


def lines(letters: DeadLetters) -> list[dict[str, object]]:
    return [json.loads(line) for line in letters.path.read_text().splitlines()]


def test_a_dead_letter_says_whose_record_it_was_when_and_why(tmp_path):
    letters = letters_of(tmp_path, version="20260102_030405")
    letters.add({"raw": {"owner": object()}, "com": {"reference": "r"}}, "raw.owner: object of type object is not JSON")
    (line,) = lines(letters)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", str(line.pop("time")))
    assert line == {
        "worker": "a_cloud",
        "store": None,
        "kind": "cloud",
        "audit_key": "a",
        "audit_version": "20260102_030405",
        "reason": "raw.owner: object of type object is not JSON",
        "record": {"raw": {"owner": "<object>"}, "com": {"reference": "r"}},
    }


@pytest.mark.parametrize(
    "record",
    [
        None,
        "text",
        object(),
        {1: {2: {3}}},
        [[]],
        dict.fromkeys(("\ud800", "\udfff"), "\ud800"),
        {None: 1, (1,): 2},
        {"a\nb": "c\nd"},
    ],
)
def test_any_value_becomes_one_line(tmp_path, record):
    letters = letters_of(tmp_path)
    letters.add(record, "of no use\nat all \ud800")
    assert len(lines(letters)) == 1


def test_letters_are_appended_to_those_of_earlier_runs(tmp_path):
    for version in ("one", "two"):
        letters = letters_of(tmp_path, version=version)
        letters.add(1, "first")
        letters.add(2, "second")
    assert [(line["audit_version"], line["record"]) for line in lines(letters)] == [
        ("one", 1),
        ("one", 2),
        ("two", 1),
        ("two", 2),
    ]


def test_nothing_is_made_before_the_first_letter(tmp_path):
    letters_of(tmp_path / "state")
    assert list(tmp_path.iterdir()) == []


def test_what_is_made_is_private(tmp_path):
    letters = letters_of(tmp_path / "state")
    before = os.umask(0o022)
    try:
        letters.add(1, "why")
    finally:
        os.umask(before)
    assert stat.S_IMODE(letters.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(letters.path.parent.stat().st_mode) == 0o700
    assert letters.path == tmp_path / "state" / "dead-letters" / "a_cloud.jsonl"


def test_a_link_in_the_place_of_the_file_is_not_followed(tmp_path):
    letters = letters_of(tmp_path)
    letters.path.parent.mkdir()
    letters.path.symlink_to(tmp_path / "victim")
    with pytest.raises(OSError, match="symbolic links"):
        letters.add(1, "why")
    assert not (tmp_path / "victim").exists()


def test_a_directory_that_cannot_be_made_is_an_os_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        letters_of(tmp_path / "file").add(1, "why")


def test_a_worker_is_never_a_way_out_of_the_directory(tmp_path):
    for key in ("../../x", "/etc/x", "a/b"):
        letters_of(tmp_path / "state", key).add(1, "why")
    assert [path.name for path in tmp_path.iterdir()] == ["state"]
    assert len(list((tmp_path / "state" / "dead-letters").iterdir())) == 3
