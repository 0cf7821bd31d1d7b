"""The state directory."""

from __future__ import annotations

from pathlib import Path

import pytest
from cloudmarker.state import state_dir


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
