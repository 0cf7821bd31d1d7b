"""The plugins of core keep the contracts that every plugin keeps."""

from __future__ import annotations

from cloudmarker.clouds.mockcloud import MockCloud
from cloudmarker.events.firewallruleevent import FirewallRuleEvent
from cloudmarker.events.internetexposureevent import InternetExposureEvent
from cloudmarker.events.mockevent import MockEvent
from cloudmarker.stores.filestore import FileStore
from cloudmarker.testing import check_plugin, records


def test_mockcloud_conforms():
    check_plugin(MockCloud)
    check_plugin(MockCloud, {"record_count": 1, "record_types": ["apple"]})


def test_mockevent_conforms():
    check_plugin(MockEvent, {"n": 5}, records=[records.mock(10)])


def test_firewallruleevent_conforms():
    check_plugin(FirewallRuleEvent, records=[records.firewall_rule(destination_ports=["3000-4000"])])
    check_plugin(FirewallRuleEvent, {"ports": [80]}, records=[records.firewall_rule(destination_ports=["*"])])


def test_internetexposureevent_conforms():
    machine = records.compute(networks=["net"], interfaces=[], public_addresses=["192.0.2.9"])
    rule = records.firewall_rule(network="net", destination_ports=["*"])
    check_plugin(InternetExposureEvent, records=[machine, rule])
    check_plugin(InternetExposureEvent, {"ports": [80, "8000-8080"]}, records=[rule, machine])


def test_filestore_conforms(tmp_path):
    check_plugin(FileStore, {"path": str(tmp_path / "out")})
