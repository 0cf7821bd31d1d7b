"""The state directory and how files in it are written."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest
from cloudmarker.state import state_dir, write_whole


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


@pytest.fixture
def limited(tmp_path):
    """A file that may have 10 bytes, open to append to."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    fd = os.open(tmp_path / "file", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    yield fd, tmp_path / "file"
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    os.close(fd)


def test_what_does_not_fit_is_not_written_in_part(limited):
    fd, path = limited
    write_whole(fd, b"12345")
    with pytest.raises(OSError, match="too large"):
        write_whole(fd, b"123456")
    assert path.read_bytes() == b"12345"
    write_whole(fd, b"67890")
    assert path.read_bytes() == b"1234567890"
