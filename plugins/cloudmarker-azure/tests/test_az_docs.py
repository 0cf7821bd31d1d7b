"""What is written about the plugin is so."""

import inspect
import re
from pathlib import Path

import pytest
import yaml
from cloudmarker.contracts import Cloud
from cloudmarker_azure._hooks import cloudmarker_plugins
from cloudmarker_azure.azcloud import AzCloud

DISTRIBUTION = Path(__file__).parents[1]
PAGE = DISTRIBUTION.parents[1] / "docs" / "azure.md"
TEXTS = [path for path in (DISTRIBUTION / "README.md", PAGE) if path.is_file()]


def test_every_registered_plugin_can_be_loaded_and_is_what_it_says():
    (spec,) = cloudmarker_plugins()
    assert (spec.kind, spec.name, spec.target) == ("cloud", "azcloud", "cloudmarker_azure.azcloud:AzCloud")
    assert isinstance(AzCloud(), Cloud)


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_every_configuration_shown_can_be_used(path):
    blocks = re.findall(r"```yaml\n(.*?)```", path.read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        for plugin in yaml.safe_load(block)["plugins"].values():
            assert plugin["plugin"] == "azcloud"
            AzCloud(**plugin["params"])


@pytest.mark.skipif(not PAGE.is_file(), reason="the documentation is not here")
def test_the_page_lists_every_parameter_with_its_default_and_no_other():
    rows = dict(
        re.findall(r"^\| `(\w+)` \| `?([^|`]+)`? \|", PAGE.read_text().partition("## What is read")[0], re.MULTILINE)
    )
    parameters = inspect.signature(AzCloud).parameters
    assert set(rows) == set(parameters)
    for name, parameter in parameters.items():
        if parameter.default is not None:
            assert rows[name].strip() == f"{parameter.default:g}" if name != "cloud" else parameter.default


def test_every_parameter_is_described_in_the_class():
    for name in inspect.signature(AzCloud).parameters:
        assert re.search(rf"^ +{name}: ", AzCloud.__doc__, re.MULTILINE)
