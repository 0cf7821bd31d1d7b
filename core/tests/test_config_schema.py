"""The JSON Schema accepts what loads and rejects what an editor should mark."""

from pathlib import Path

import jsonschema
import pytest
import yaml
from cloudmarker.config import check
from cloudmarker.config.base import base_config
from cloudmarker.config.schema import json_schema
from cloudmarker.plugins import registry

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "audit.yaml"

FIRST_EXAMPLE = """
plugins:
  mymockcloud:
    plugin: cloudmarker.clouds.mockcloud.MockCloud
    params:
      record_count: 5
      record_types:
        - apple
        - ball
        - cat
audits:
  mymockaudit:
    clouds:
      - mymockcloud
    stores:
      - filestore
    events:
      - mockevent
    alerts:
      - filestore
run:
  - mymockaudit
"""

GOOD = {
    "the first example": FIRST_EXAMPLE,
    "an override of the base config": "plugins: {mockcloud: {params: {record_count: 20, record_types: [foo, bar]}}}",
    "ports": "plugins: {firewallruleevent: {params: {ports: [22, 3389, '80-90']}}}",
    "a path": "plugins: {filestore: {params: {path: ~/cloudmarker}}}",
    "lists with nothing in them": "audits: {mockaudit: {events: , alerts: [filestore]}}",
    "the logger": "logger: {handlers: {file: {filename: log/cloudmarker.log}}}",
    "email": "email: {from_addr: a@b, to_addrs: [c@d], subject: s, host: smtp.example.com}",
    "email taken back": "email: ",
    "schedule": "schedule: '23:59'",
    "state": "state: {path: /var/lib/cloudmarker}",
    "references": "plugins: {mockcloud: {params: {record_count: '${COUNT}'}}}\nschedule: ${TIME}",
    "a class of somebody else with any parameters": "plugins: {x: {plugin: acme.Cloud, params: {any: [1]}}}",
}

BAD = {
    "unknown section": "audit: {}",
    "unknown key of a plugin": "plugins: {mockcloud: {parms: {}}}",
    "unknown plugin": "plugins: {x: {plugin: mockclod}}",
    "unknown parameter by key": "plugins: {mockcloud: {params: {record_cuont: 1}}}",
    "unknown parameter by short name": "plugins: {x: {plugin: mockcloud, params: {record_cuont: 1}}}",
    "unknown parameter by class": "plugins: {x: {plugin: cloudmarker.clouds.mockcloud.MockCloud, params: {x: 1}}}",
    "parameter of the wrong type": "plugins: {mockcloud: {params: {record_count: many}}}",
    "text for a list": "audits: {mockaudit: {clouds: mockcloud}}",
    "unknown list": "audits: {mockaudit: {cloud: [mockcloud]}}",
    "no audit": "run: []",
    "schedule": "schedule: '24:00'",
    "schedule that YAML takes for a number": "schedule: 12:30",
    "ssl_mode": "email: {ssl_mode: tls}",
}


@pytest.fixture(scope="module")
def validator():
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    return jsonschema.Draft202012Validator(schema)


def test_the_base_config_is_valid(validator):
    validator.validate(base_config()[1])


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD.keys())
def test_what_a_file_may_hold_is_valid(validator, text):
    validator.validate(yaml.safe_load(text))


@pytest.mark.skipif(not EXAMPLE.exists(), reason="needs a checkout")
def test_the_example_of_the_repository_is_valid():
    text = EXAMPLE.read_text("utf-8")
    missing = {entry["plugin"] for entry in yaml.safe_load(text)["plugins"].values()} - set(registry().plugins)
    if missing:
        pytest.skip(f"not installed: {missing}")
    jsonschema.Draft202012Validator(json_schema()).validate(yaml.safe_load(text))


@pytest.mark.parametrize("text", BAD.values(), ids=BAD.keys())
def test_what_a_file_may_not_hold_is_invalid(validator, text, tmp_path, monkeypatch):
    assert not validator.is_valid(yaml.safe_load(text))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").write_text(text + "\n")
    report = check(["a.yaml"])
    # The two do not diverge. Parameters are checked for plugins in use only, which `x` is not.
    assert report.problems or "plugins: {x:" in text


def test_every_plugin_has_its_short_name_its_summary_and_its_parameters(validator):
    plugin = validator.schema["$defs"]["Plugin"]
    named = {option["const"]: option["description"] for option in plugin["properties"]["plugin"]["anyOf"][:-1]}
    assert named["mockcloud"] == "Makes up records, to try things out with."
    count = validator.schema["properties"]["plugins"]["properties"]["mockcloud"]["then"]["properties"]["params"]
    assert count["properties"]["record_count"]["default"] == 10


def test_a_plugin_that_cannot_be_imported_is_left_open(site):
    site.install(
        "acme-gone",
        """
        @hookimpl
        def cloudmarker_plugins():
            return [PluginSpec("cloud", "gonecloud", "no_such_module:GoneCloud", "Is gone.")]
        """,
    )
    validator = jsonschema.Draft202012Validator(json_schema())
    validator.validate({"plugins": {"x": {"plugin": "gonecloud", "params": {"a": 1}}, "gonecloud": {"params": None}}})
