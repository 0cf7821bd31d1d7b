"""The files of docs/deploy: as far as can be said without a machine to deploy them on, they are right."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from cloudmarker.config import load
from cloudmarker.health import STALE_S
from cloudmarker.schedule import Schedule
from cloudmarker.supervisor import STOP_LAST_S

DEPLOY = Path(__file__).parent.parent / "deploy"
STATE = "/var/lib/cloudmarker"
CONFIG = "/etc/cloudmarker/cloudmarker.yaml"


class Unit(configparser.RawConfigParser):
    """A unit file: keys keep their case."""

    def optionxform(self, optionstr: str) -> str:
        return optionstr


@pytest.fixture(scope="module")
def service() -> configparser.SectionProxy:
    unit = Unit()
    unit.read(DEPLOY / "cloudmarker.service")
    return unit["Service"]


@pytest.fixture(scope="module")
def containerfile() -> str:
    return (DEPLOY / "Containerfile").read_text().replace("\\\n", "")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
def test_systemd_takes_the_unit(tmp_path):
    text = (DEPLOY / "cloudmarker.service").read_text()
    path = tmp_path / "cloudmarker.service"
    path.write_text(re.sub(r"^ExecStart=\S+", f"ExecStart={sys.executable}", text, flags=re.MULTILINE))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def minutes(text: str) -> int:
    found = re.search(r"\b(\d+)m", text)
    assert found
    return int(found[1])


def test_the_unit_lets_an_audit_finish_and_leaves_time_for_a_second_signal(service):
    assert service["KillMode"] == "mixed", "its workers must not get the signals of the main process"
    waits_s, limit_s = minutes(service["ExecStop"]) * 60, minutes(service["TimeoutStopSec"]) * 60
    assert limit_s - waits_s > STOP_LAST_S
    assert service["ExecReload"].split()[1] == "-HUP"


def test_the_unit_does_not_try_a_wrong_configuration_again(service):
    assert service["RestartPreventExitStatus"] == "2"


def test_the_configuration_can_be_used_and_everybody_means_the_same_places(service, containerfile):
    config = load([str(DEPLOY / "cloudmarker.yaml")]).data
    assert Schedule.parse(config["schedule"]).entries[0].zone == "Europe/Berlin"
    assert (config["state"]["path"], config["health"]["file"]) == (STATE, f"{STATE}/health.json")
    assert service["StateDirectory"] == Path(STATE).name
    assert service["ExecStart"].endswith(f"-c {CONFIG}")
    assert f'CMD ["-c", "{CONFIG}"]' in containerfile
    assert f"VOLUME {STATE}" in containerfile
    assert yaml.safe_load((DEPLOY / "cloudmarker.yaml").read_text())["logger"]["handlers"]["file"] is None


def test_the_container_is_sick_when_its_health_file_is_old(containerfile, tmp_path):
    check = re.search(r"HEALTHCHECK .*?CMD (.*)", containerfile)
    assert check
    assert minutes(check[1].replace("-mmin -2", "2m")) * 60 >= STALE_S
    command = check[1].replace(STATE, str(tmp_path))
    (tmp_path / "health.json").touch()
    assert subprocess.run(["sh", "-c", command], check=False).returncode == 0
    subprocess.run(["touch", "-d", "3 minutes ago", str(tmp_path / "health.json")], check=True)
    assert subprocess.run(["sh", "-c", command], check=False).returncode != 0
