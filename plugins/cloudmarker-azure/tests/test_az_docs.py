"""What is written about the plugin is so."""

import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from cloudmarker.baseconfig import config_dict
from cloudmarker.contracts import Cloud, Event
from cloudmarker_azure._graph_types import HELD
from cloudmarker_azure._hooks import cloudmarker_base_config, cloudmarker_plugins
from cloudmarker_azure._table import TABLE
from cloudmarker_azure.azcloud import AzCloud
from cloudmarker_azure.azvm import AzVM

DISTRIBUTION = Path(__file__).parents[1]
PAGE = DISTRIBUTION.parents[1] / "docs" / "azure.md"
TEXTS = [path for path in (DISTRIBUTION / "README.md", PAGE) if path.is_file()]


CLASSES = {spec.name: spec for spec in cloudmarker_plugins()}


def plugin_class(name):
    module, _, attribute = CLASSES[name].target.partition(":")
    return getattr(import_module(module), attribute)


@pytest.mark.parametrize("spec", CLASSES.values(), ids=CLASSES)
def test_every_registered_plugin_can_be_loaded_and_is_what_it_says(spec):
    contract = {"cloud": Cloud, "event": Event}[spec.kind]
    assert isinstance(plugin_class(spec.name)(), contract)
    assert spec.name == plugin_class(spec.name).__name__.lower()


def test_the_base_config_has_the_events_under_the_keys_that_they_always_had():
    (plugins,) = yaml.safe_load(cloudmarker_base_config()).values()
    assert plugins == {key: {"plugin": key} for key in ("azvmosdiskencryptionevent", "azvmdatadiskencryptionevent")}
    from_registry = config_dict["plugins"]
    assert {key: from_registry[key] for key in plugins} == plugins


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_every_configuration_shown_can_be_used(path):
    blocks = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", path.read_text(), re.DOTALL)]
    assert blocks
    for block in blocks:
        for plugin in block["plugins"].values():
            plugin_class(plugin["plugin"])(**plugin["params"])
        for audit in block.get("audits", {}).values():
            assert set(audit["events"]) <= {"firewallruleevent", *CLASSES}


@pytest.mark.skipif(not PAGE.is_file(), reason="the documentation is not here")
def test_the_page_lists_every_parameter_with_its_default_and_no_other():
    rows = dict(
        re.findall(r"^\| `(\w+)` \| `?([^|`]+)`? \|", PAGE.read_text().partition("## What is read")[0], re.MULTILINE)
    )
    parameters = inspect.signature(AzCloud).parameters
    assert set(rows) == set(parameters)
    for name, parameter in parameters.items():
        if parameter.default is not None:
            default = parameter.default
            assert rows[name].strip() == (default if isinstance(default, str) else f"{default:g}")


def test_both_clouds_have_the_same_parameters_but_for_what_only_lists_have():
    both = [inspect.signature(cloud).parameters for cloud in (AzCloud, AzVM)]
    assert set(both[0]) - set(both[1]) == {"record_types", "source"}
    assert set(both[1]) <= set(both[0])
    assert all(both[0][name].default == parameter.default for name, parameter in both[1].items())


@pytest.mark.skipif(not PAGE.is_file(), reason="the documentation is not here")
def test_the_page_lists_what_comes_through_the_graph():
    _, _, section = PAGE.read_text().partition("Through it come ")
    listed = re.findall(r"`(\w+)`", section.partition(", and what comes inside them")[0])
    assert set(listed) == {kind.record_type for row in TABLE if row.record_type in HELD for kind in row.own_kinds}


@pytest.mark.parametrize("plugin", [AzCloud, AzVM])
def test_every_parameter_is_described_in_the_class(plugin):
    for name in inspect.signature(plugin).parameters:
        assert re.search(rf"^ +{name}: ", plugin.__doc__, re.MULTILINE)
