"""The names of the 0.1 series, with made-up distributions in the place of the real ones."""

from __future__ import annotations

import importlib
import pickle
import sys
from unittest import mock

import pytest
from cloudmarker import _oldnames, clouds
from cloudmarker._oldnames import TABLE
from cloudmarker.errors import PluginError
from cloudmarker.plugins import load_class

GCPCLOUD = "class GCPCloud:\n    def __init__(self): self.zone = 'a'\n"


@pytest.fixture
def bare(site):
    """A site that hides whatever plugin distributions are installed, by its module ``hide``."""
    site.module(
        "hide",
        """
        import sys
        from importlib.machinery import PathFinder

        class Hide(PathFinder):
            hidden = {"cloudmarker_azure", "cloudmarker_gcp", "cloudmarker_stores", "cloudmarker_alerts"}

            @classmethod
            def find_spec(cls, name, path=None, target=None):
                return None if name in cls.hidden else super().find_spec(name, path, target)

        sys.meta_path[:] = [Hide if finder is PathFinder else finder for finder in sys.meta_path]
        """,
    )
    return site


@pytest.fixture
def gcp(site, monkeypatch):
    """A site with a cloudmarker_gcp of its own."""
    for name in [name for name in sys.modules if name.startswith("cloudmarker_gcp")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "cloudmarker.clouds.gcpcloud", raising=False)
    monkeypatch.delattr(clouds, "gcpcloud", raising=False)
    site.module("cloudmarker_gcp.gcpcloud", GCPCLOUD)
    yield site
    sys.modules.pop("cloudmarker.clouds.gcpcloud", None)
    vars(clouds).pop("gcpcloud", None)


def test_the_table_is_what_was_released():
    assert {row.old: (row.new, row.plugin, row.distribution, row.extra) for row in TABLE} == {
        "cloudmarker.clouds.azcloud": ("cloudmarker_azure.azcloud", "AzCloud", "cloudmarker-azure", "azure"),
        "cloudmarker.clouds.azvm": ("cloudmarker_azure.azvm", "AzVM", "cloudmarker-azure", "azure"),
        "cloudmarker.clouds.gcpcloud": ("cloudmarker_gcp.gcpcloud", "GCPCloud", "cloudmarker-gcp", "gcp"),
        "cloudmarker.events.azvmosdiskencryptionevent": (
            "cloudmarker_azure.azvmosdiskencryptionevent",
            "AzVMOSDiskEncryptionEvent",
            "cloudmarker-azure",
            "azure",
        ),
        "cloudmarker.events.azvmdatadiskencryptionevent": (
            "cloudmarker_azure.azvmdatadiskencryptionevent",
            "AzVMDataDiskEncryptionEvent",
            "cloudmarker-azure",
            "azure",
        ),
        "cloudmarker.stores.esstore": ("cloudmarker_stores.esstore", "EsStore", "cloudmarker-stores", "es"),
        "cloudmarker.stores.mongodbstore": (
            "cloudmarker_stores.mongodbstore",
            "MongoDBStore",
            "cloudmarker-stores",
            "mongodb",
        ),
        "cloudmarker.stores.splunkhecstore": (
            "cloudmarker_stores.splunkhecstore",
            "SplunkHECStore",
            "cloudmarker-stores",
            "splunk",
        ),
        "cloudmarker.alerts.emailalert": ("cloudmarker_alerts.emailalert", "EmailAlert", "cloudmarker-alerts", "email"),
        "cloudmarker.alerts.slackalert": ("cloudmarker_alerts.slackalert", "SlackAlert", "cloudmarker-alerts", "slack"),
    }


def test_an_old_name_is_the_new_module(gcp):
    old = importlib.import_module("cloudmarker.clouds.gcpcloud")
    assert old is importlib.import_module("cloudmarker_gcp.gcpcloud")
    assert old.__name__ == "cloudmarker_gcp.gcpcloud"
    assert old.__spec__.name == "cloudmarker_gcp.gcpcloud"
    assert sys.modules["cloudmarker.clouds.gcpcloud"] is old


def test_every_form_of_import_works(gcp):
    import cloudmarker.clouds.gcpcloud
    import cloudmarker_gcp.gcpcloud as new
    from cloudmarker.clouds import gcpcloud as first
    from cloudmarker.clouds.gcpcloud import GCPCloud

    assert cloudmarker.clouds.gcpcloud is first is new
    assert GCPCloud is new.GCPCloud


def test_a_class_path_of_the_old_series_loads(gcp):
    assert load_class("cloudmarker.clouds.gcpcloud.GCPCloud").__module__ == "cloudmarker_gcp.gcpcloud"


def test_reload_reloads_the_one_module(gcp):
    old = importlib.import_module("cloudmarker.clouds.gcpcloud")
    gcp.module("cloudmarker_gcp.gcpcloud", GCPCLOUD + "ADDED = True\n")
    assert importlib.reload(old) is old
    assert old.ADDED
    assert sys.modules["cloudmarker_gcp.gcpcloud"] is old
    assert importlib.import_module("cloudmarker.clouds.gcpcloud") is old


def test_instances_are_pickled_under_either_name(gcp):
    from cloudmarker.clouds.gcpcloud import GCPCloud

    data = pickle.dumps(GCPCloud(), protocol=0)
    assert pickle.loads(data).zone == "a"
    old = data.replace(b"cloudmarker_gcp.gcpcloud", b"cloudmarker.clouds.gcpcloud")
    assert old != data
    assert type(pickle.loads(old)) is GCPCloud


def test_patching_by_the_old_name_patches_the_new_module(gcp):
    import cloudmarker_gcp.gcpcloud as new

    with mock.patch("cloudmarker.clouds.gcpcloud.GCPCloud", "patched"):
        assert new.GCPCloud == "patched"
    assert new.GCPCloud != "patched"


def test_a_real_module_of_an_old_name_comes_first(gcp, monkeypatch):
    gcp.module("overlay.gcpcloud", "REAL = True\n")
    monkeypatch.setattr(clouds, "__path__", [str(gcp.path / "overlay"), *clouds.__path__])
    assert importlib.import_module("cloudmarker.clouds.gcpcloud").REAL


def test_installing_twice_adds_one_finder():
    before = list(sys.meta_path)
    _oldnames.install()
    assert sys.meta_path == before


def test_names_that_never_were_are_not_found():
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'cloudmarker.clouds.nowhere'"):
        importlib.import_module("cloudmarker.clouds.nowhere")


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.short_name)
def test_the_distribution_that_is_missing_is_named(bare, row):
    module, _, name = row.old.rpartition(".")
    expected = (
        f"{row.old} is in the distribution {row.distribution}, which is not installed: "
        f"pip install 'cloudmarker[{row.extra}]'"
    )
    code = f"""
import hide, importlib
for statement in ("import {row.old}", "from {module} import {name}", "from {row.old} import {row.plugin}"):
    try:
        exec(statement)
    except ModuleNotFoundError as exc:
        print(exc)
"""
    assert bare.python("-c", code).stdout.splitlines() == [expected] * 3


def test_load_class_names_the_distribution_that_is_missing(bare):
    code = """
import hide
from cloudmarker.plugins import load_class
for name in ("cloudmarker.stores.esstore.EsStore", "esstore"):
    try:
        load_class(name)
    except Exception as exc:
        print(type(exc).__name__, exc)
"""
    assert bare.python("-c", code).stdout.splitlines() == [
        "PluginError cloudmarker.stores.esstore is in the distribution cloudmarker-stores, which is not installed: "
        "pip install 'cloudmarker[es]'",
        "PluginError esstore is in the distribution cloudmarker-stores, which is not installed: "
        "pip install 'cloudmarker[es]'",
    ]


def test_a_missing_sdk_in_an_installed_plugin_keeps_its_own_error(gcp):
    gcp.module("cloudmarker_gcp.gcpcloud", "import googleapiclient_of_the_future\n")
    with pytest.raises(ModuleNotFoundError, match=r"^No module named 'googleapiclient_of_the_future'$"):
        importlib.import_module("cloudmarker.clouds.gcpcloud")
    with pytest.raises(PluginError, match="No module named 'googleapiclient_of_the_future'"):
        load_class("cloudmarker.clouds.gcpcloud.GCPCloud")


def test_a_distribution_too_old_to_have_the_module_is_to_be_upgraded(gcp):
    (gcp.path / "cloudmarker_gcp" / "gcpcloud.py").unlink()
    with pytest.raises(ModuleNotFoundError, match=r"does not have it: pip install --upgrade 'cloudmarker\[gcp\]'"):
        importlib.import_module("cloudmarker.clouds.gcpcloud")


def test_modules_that_stayed_in_core_are_real():
    for name in ("clouds.mockcloud", "events.mockevent", "events.firewallruleevent", "stores.filestore"):
        assert importlib.import_module(f"cloudmarker.{name}").__name__ == f"cloudmarker.{name}"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (
            ["plugins", "info", "webhookalert"],
            "webhookalert is in the distribution cloudmarker-alerts, which is not installed: "
            "pip install 'cloudmarker[webhook]'",
        ),
        (
            ["plugins", "info", "consolealert"],
            "consolealert is in the distribution cloudmarker-alerts, which is not installed: "
            "pip install cloudmarker-alerts",
        ),
        (
            ["query", "select 1"],
            "The command 'query' is in the distribution cloudmarker-stores, which is not installed: "
            "pip install 'cloudmarker[query]'",
        ),
    ],
)
def test_what_came_later_names_its_distribution_too(bare, args, said):
    code = f"import hide, sys; sys.argv[1:] = {args}; from cloudmarker.cli import main; main()"
    assert said in bare.python("-c", code).stderr
