"""The parameter ``record_types`` of both clouds: wrong ones are found before a run, and what they leave out is said."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from cloudmarker_azure.azcloud import AzCloud
from cloudmarker_gcp.gcpcloud import GCPCloud
from cloudmarker_simulators import AzureSimulator, GCPSimulator

CLOUDS = {"azcloud": ("nsgs", "nsg"), "gcpcloud": ("firewals", "firewall")}
"""Of each cloud a type that does not exist, and the one that was meant."""


def check(tmp_path, plugin, record_types, **params):
    """Run ``config check`` on an audit of one cloud."""
    config = {
        "plugins": {"cloud": {"plugin": plugin, "params": {"record_types": record_types, **params}}},
        "audits": {"one": {"clouds": ["cloud"], "stores": ["filestore"]}},
        "run": ["one"],
    }
    (tmp_path / "one.yaml").write_text(json.dumps(config))
    command = [sys.executable, "-m", "cloudmarker", "-c", "one.yaml", "config", "check"]
    return subprocess.run(
        command, cwd=tmp_path, env=os.environ, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("plugin", CLOUDS)
def test_types_that_do_not_exist_are_found_by_config_check(tmp_path, plugin):
    wrong, suggested = CLOUDS[plugin]
    done = check(tmp_path, plugin, [suggested, wrong])
    assert done.returncode == 2
    assert "one.yaml: plugins.cloud.params.record_types[1]: " in done.stderr
    assert f"did you mean {suggested!r}?" in done.stderr


@pytest.mark.parametrize("plugin", CLOUDS)
@pytest.mark.parametrize("value", ["one", [], [5]])
def test_what_is_no_list_of_types_is_found_too(tmp_path, plugin, value):
    done = check(tmp_path, plugin, value)
    assert done.returncode == 2
    assert "record_types" in done.stderr


@pytest.mark.parametrize("plugin", CLOUDS)
def test_types_that_exist_are_accepted(tmp_path, plugin):
    assert check(tmp_path, plugin, [CLOUDS[plugin][1]]).returncode == 0


@pytest.mark.parametrize(
    ("simulator", "cloud", "wanted", "always"),
    [(AzureSimulator, AzCloud, "nsg", "subscription"), (GCPSimulator, GCPCloud, "firewall", "project")],
)
def test_what_is_left_out_is_skipped_once_by_both_in_the_same_way(simulator, cloud, wanted, always):
    with simulator() as simulated:
        coms = [record["com"] for record in cloud(**simulated.settings, record_types=[wanted]).read()]
    coverage = [com for com in coms if com["record_type"] == "coverage"]
    left_out = [com for com in coverage if com["state"] == "skipped"]
    assert len({com["reference"] for com in coverage}) == len(coverage)
    assert len(left_out) > 50
    assert not {com["resource_type"] for com in left_out} & {wanted, always}
    assert len({com["scope"] for com in left_out}) == 1
    assert {com["error"] for com in left_out} == {"left out by the parameter record_types"}
    assert {com["account"] for com in left_out} == {None}
    assert all(len(com["record_types"]) == 1 for com in left_out)


def test_what_only_the_plugin_knows_to_be_wrong_is_found_as_well(tmp_path):
    done = check(tmp_path, "gcpcloud", None, zone="mars", projects=[])
    assert done.returncode == 2
    assert "plugins.cloud.params: zone: 'mars' is not the name of a zone" in done.stderr
    assert "projects: a list of ids is needed" in done.stderr
