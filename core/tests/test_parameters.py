"""Checks of parameters that many plugins have."""

import doctest
import math

import pytest
from cloudmarker import parameters
from cloudmarker.errors import PluginError
from cloudmarker.parameters import not_positive, readable_file


def test_the_documented_examples_hold():
    assert doctest.testmod(parameters).failed == 0


@pytest.mark.parametrize("value", [0, -1, -0.5, math.nan])
def test_what_is_not_more_than_0_is_named(value):
    assert not_positive(a=1, b=value, c=0.1) == ["b: must be more than 0"]


def test_a_file_is_found_below_the_home_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "ca.pem").touch()
    assert readable_file("~/ca.pem", "ca_cert") == str(tmp_path / "ca.pem")


def test_a_file_that_cannot_be_read_is_named_as_it_was_given(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(PluginError, match=r"^ca_cert: ~/ca\.pem: No such file"):
        readable_file("~/ca.pem", "ca_cert")
