"""The state directory, and the dead letters in it."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path

import pytest
from cloudmarker.state import DeadLetters, state_dir


def lines(letters: DeadLetters) -> list[dict[str, object]]:
    return [json.loads(line) for line in letters.path.read_text().splitlines()]


def test_the_configuration_names_the_state_directory_and_a_tilde_is_expanded(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert state_dir({"state": {"path": "/var/lib/cloudmarker"}}) == Path("/var/lib/cloudmarker")
    assert state_dir({"state": {"path": "~/state"}}) == tmp_path / "state"


@pytest.mark.parametrize(
    "config", [{}, {"state": None}, {"state": {}}, {"state": {"path": None}}, {"state": {"path": ""}}]
)
def test_without_one_it_is_the_users_own(config, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    assert state_dir(config) == tmp_path / "xdg" / "cloudmarker"


def test_a_dead_letter_says_whose_record_it_was_when_and_why(tmp_path):
    letters = DeadLetters(tmp_path, "a_cloud", "20260102_030405")
    letters.add({"raw": {"owner": object()}, "com": {"reference": "r"}}, "raw.owner: object of type object is not JSON")
    (line,) = lines(letters)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", str(line.pop("time")))
    assert line == {
        "worker": "a_cloud",
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
    letters = DeadLetters(tmp_path, "a_cloud", "v")
    letters.add(record, "of no use\nat all \ud800")
    assert len(lines(letters)) == 1


def test_letters_are_appended_to_those_of_earlier_runs(tmp_path):
    for version in ("one", "two"):
        letters = DeadLetters(tmp_path, "a_cloud", version)
        letters.add(1, "first")
        letters.add(2, "second")
    assert [(line["audit_version"], line["record"]) for line in lines(letters)] == [
        ("one", 1),
        ("one", 2),
        ("two", 1),
        ("two", 2),
    ]


def test_nothing_is_made_before_the_first_letter(tmp_path):
    DeadLetters(tmp_path / "state", "a_cloud", "v")
    assert list(tmp_path.iterdir()) == []


def test_what_is_made_is_private(tmp_path):
    letters = DeadLetters(tmp_path / "state", "a_cloud", "v")
    before = os.umask(0o022)
    try:
        letters.add(1, "why")
    finally:
        os.umask(before)
    assert stat.S_IMODE(letters.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(letters.path.parent.stat().st_mode) == 0o700
    assert letters.path == tmp_path / "state" / "dead-letters" / "a_cloud.jsonl"


def test_a_link_in_the_place_of_the_file_is_not_followed(tmp_path):
    letters = DeadLetters(tmp_path, "a_cloud", "v")
    letters.path.parent.mkdir()
    letters.path.symlink_to(tmp_path / "victim")
    with pytest.raises(OSError, match="symbolic links"):
        letters.add(1, "why")
    assert not (tmp_path / "victim").exists()


def test_a_directory_that_cannot_be_made_is_an_os_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        DeadLetters(tmp_path / "file", "a_cloud", "v").add(1, "why")
