"""The base config has the documented keys and values, as YAML and as a dictionary."""

import subprocess
import sys

import pytest
import yaml
from cloudmarker import baseconfig


def test_the_yaml_and_the_dictionary_are_the_same():
    assert yaml.safe_load(baseconfig.config_yaml) == baseconfig.config_dict


@pytest.mark.parametrize("name", ["mockcloud", "filestore", "firewallruleevent", "mockevent"])
def test_the_documented_plugins_are_there_under_their_short_names(name):
    assert baseconfig.config_dict["plugins"][name] == {"plugin": name}


def test_the_mock_audit_is_what_runs():
    config = baseconfig.config_dict
    assert config["audits"] == {
        "mockaudit": {
            "clouds": ["mockcloud"],
            "stores": ["filestore"],
            "events": ["mockevent"],
            "alerts": ["filestore"],
        }
    }
    assert config["run"] == ["mockaudit"]
    assert config["schedule"] == "00:00"


def test_the_logger_is_the_documented_one():
    assert baseconfig.config_dict["logger"] == {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "simple": {
                "format": "%(asctime)s [%(process)s] %(levelname)s %(name)s:%(lineno)d - %(message)s",
                "datefmt": "%Y-%m-%d %H:%M:%S",
            }
        },
        "handlers": {
            "console": {"class": "logging.StreamHandler", "formatter": "simple", "stream": "ext://sys.stdout"},
            "file": {
                "class": "logging.handlers.TimedRotatingFileHandler",
                "formatter": "simple",
                "filename": "/tmp/cloudmarker.log",
                "when": "midnight",
                "encoding": "utf8",
                "backupCount": 5,
            },
        },
        "loggers": {"adal-python": {"level": "WARNING"}},
        "root": {"level": "INFO", "handlers": ["console", "file"]},
    }


def test_another_attribute_is_an_attribute_error():
    with pytest.raises(AttributeError, match="config_jaml"):
        baseconfig.config_jaml  # noqa: B018
    assert {"config_yaml", "config_dict"} <= set(dir(baseconfig))


def test_importing_the_configuration_imports_no_yaml_and_no_msgspec():
    code = (
        "import sys, cloudmarker.baseconfig, cloudmarker.config, cloudmarker.cli.config\n"
        "print([name for name in ('yaml', 'msgspec', 'jsonschema', 'importlib_metadata') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
