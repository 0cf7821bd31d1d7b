from __future__ import annotations

import doctest
import subprocess
import sys

import pytest
from cloudmarker import errors, text, util

NAMES = [
    "PluginError",
    "PluralizeError",
    "expand_port_ranges",
    "friendly_list",
    "friendly_string",
    "load_config",
    "load_plugin",
    "merge_dicts",
    "parse_cli",
    "pluralize",
    "send_email",
    "wrap_paragraphs",
]


def test_the_documented_examples_hold():
    assert doctest.testmod(util).failed == 0


def test_it_has_every_documented_name_and_no_other():
    assert util.__all__ == NAMES
    assert set(NAMES) <= set(dir(util))


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_the_same_object_each_time(name):
    found = getattr(util, name)
    assert callable(found)
    assert getattr(util, name) is found


def test_its_exceptions_are_those_that_the_framework_raises():
    assert util.PluginError is errors.PluginError
    assert util.PluralizeError is text.PluralizeError


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nonsense"):
        util.nonsense  # noqa: B018


def test_importing_it_loads_neither_mail_nor_the_command_line():
    code = "import sys, cloudmarker.util; print(*{'smtplib', 'click', 'yaml', 'pluggy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_a_star_import_gives_every_name():
    names: dict[str, object] = {}
    exec("from cloudmarker.util import *", names)
    assert set(NAMES) <= set(names)
