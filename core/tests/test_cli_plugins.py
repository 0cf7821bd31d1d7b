"""``cloudmarker plugins``."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from cloudmarker.cli._describe import as_text, describe
from cloudmarker.cli._docstring import Doc, class_doc, parse
from cloudmarker.plugins import load_class, registry

SDKS = {"azure", "msal", "google", "googleapiclient", "elasticsearch", "pymongo", "splunklib", "slack_sdk", "requests"}

ODD = '''
    class OddStore:
        """Store things oddly.

        It has ``code``, a :class:`~json.JSONEncoder` and *stress*.

        Args:
            path: where to: put it,
                on two lines.
            _limit (int): for tests.

        Raises:
            OSError: not a parameter.
        """

        def __init__(self, path, size: int = 3, words=("a", "b"), marker=object(), _limit=0, **rest):
            """Make one.

            Args:
                size: of each.
                **rest: whatever else.
            """

        def write(self, record): ...

        def done(self): ...
'''


@pytest.fixture
def odd(site):
    site.install(
        "acme-odd",
        """
        @hookimpl
        def cloudmarker_plugins():
            return [
                PluginSpec("store", "oddstore", "acme_odd:OddStore", "Stores things oddly" + 6 * ", and at length"),
            ]
        """,
    )
    site.module("acme_odd", ODD)
    return site


# list


def test_list_shows_every_plugin_with_kind_distribution_and_summary_in_80_columns(odd):
    result = odd.run("plugins", "list")
    assert result.returncode == 0
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert any(line.split() == ["store", "oddstore", "acme-odd", "1.5"] for line in lines)
    words = result.stdout.split()
    for name in registry().plugins:
        assert name in words


def test_list_can_be_limited_to_a_kind(odd):
    result = odd.invoke("plugins", "list", "--kind", "store")
    kinds = {line.split()[0] for line in result.stdout.splitlines() if not line.startswith(" ")}
    assert kinds == {"store"}
    assert odd.invoke("plugins", "list", "--kind", "sink").returncode == 2


def test_list_as_json_has_all_fields(odd):
    listed = json.loads(odd.run("plugins", "list", "--json").stdout)
    (row,) = [row for row in listed["plugins"] if row["name"] == "oddstore"]
    assert row.pop("summary").startswith("Stores things oddly")
    assert row == {
        "kind": "store",
        "name": "oddstore",
        "class": "acme_odd.OddStore",
        "distribution": "acme-odd",
        "version": "1.5",
    }


def test_problems_are_listed_on_standard_error_and_in_the_json(odd):
    odd.install("acme-broken", "import no_such_module")
    result = odd.run("plugins", "list", "--json")
    assert result.returncode == 0
    (line,) = [line for line in result.stderr.splitlines() if "acme-broken" in line]
    assert line.startswith("Problem: acme-broken 1.5: ")
    assert line.removeprefix("Problem: ") in json.loads(result.stdout)["problems"]


def test_list_imports_no_sdk_and_no_plugin(odd):
    code = f"""
import sys
from cloudmarker.cli import main
main(["plugins", "list", "--json"], standalone_mode=False)
from cloudmarker.plugins import registry
targets = {{plugin.spec.target.partition(":")[0] for plugin in registry().plugins.values()}}
print(sorted((targets | {SDKS!r}) & set(sys.modules)), file=sys.stderr)
"""
    assert odd.python("-c", code).stderr.splitlines()[-1] == "[]"


# info


def test_info_shows_class_parameters_and_their_texts(odd):
    result = odd.invoke("plugins", "info", "oddstore")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == (
        "oddstore: store plugin of acme-odd 1.5\n"
        "acme_odd.OddStore\n"
        "\n"
        "Store things oddly.\n"
        "\n"
        "It has code, a json.JSONEncoder and stress.\n"
        "\n"
        "Parameters:\n"
        "  path (required)\n"
        "      where to: put it, on two lines.\n"
        "  size: int = 3\n"
        "      of each.\n"
        "  words = ('a', 'b')\n"
        f"  marker = {marker(result.stdout)}\n"
        "  _limit = 0\n"
        "      for tests.\n"
        "  **rest\n"
        "      whatever else.\n"
        "\n"
        "Filter: 'when', beside 'params', narrows what it is given, by record_types,\n"
        "clouds, accounts, and as an alert by severity, min_severity, status.\n"
        "\n"
        "Example:\n"
        "\n"
        "  plugins:\n"
        "    myoddstore:\n"
        "      plugin: oddstore\n"
        "      params:\n"
        "        path: null  # required\n"
        "        size: 3\n"
        '        words: ["a", "b"]\n'
        "        # marker: its default cannot be written in YAML\n"
    )


def marker(text: str) -> str:
    (line,) = [line for line in text.splitlines() if line.startswith("  marker = ")]
    return line.removeprefix("  marker = ")


def test_info_as_json_has_the_same(odd):
    info = json.loads(odd.invoke("plugins", "info", "oddstore", "--json").stdout)
    assert (info["class"], info["kind"], info["version"]) == ("acme_odd.OddStore", "store", "1.5")
    assert info["parameters"][0] == {
        "name": "path",
        "annotation": "",
        "required": True,
        "default": None,
        "text": "where to: put it, on two lines.",
    }
    assert info["parameters"][2]["value"] == ["a", "b"]


def test_info_takes_a_class_path(odd):
    info = json.loads(odd.invoke("plugins", "info", "acme_odd.OddStore", "--json").stdout)
    assert (info["kind"], info["distribution"]) == ("store", None)
    assert yaml.safe_load(info["example"])["plugins"]["myoddstore"]["plugin"] == "acme_odd.OddStore"


def test_info_of_an_unknown_plugin_suggests_one(odd):
    result = odd.invoke("plugins", "info", "odstore")
    assert result.returncode == 1
    assert result.stderr.startswith("Error: no plugin named 'odstore'; did you mean 'oddstore'?")


@pytest.mark.parametrize("name", sorted(registry().plugins))
def test_the_example_of_every_plugin_is_a_configuration_of_it(name):
    info = describe(name)
    ((_, config),) = yaml.safe_load(info["example"])["plugins"].items()
    assert config["plugin"] == name
    assert set(config.get("params", {})) <= {par["name"] for par in info["parameters"]}


@pytest.mark.parametrize("name", sorted(registry().plugins))
def test_every_plugin_documents_every_parameter(name):
    assert [par["name"] for par in describe(name)["parameters"] if not par["text"]] == []
    assert load_class(name).__doc__
    assert max(map(len, as_text(describe(name), 80))) <= 120


# docstrings


def test_a_docstring_without_sections_is_a_description():
    assert parse("Do it.\n\n    Then rest.") == Doc("Do it.\n\nThen rest.", {})
    assert parse(None) == Doc("", {})


def test_only_entries_at_the_indentation_of_the_section_are_parameters():
    doc = parse(
        "Do.\n\nArgs:\n    one: first:\n        two: not one\n    three (str, optional): third\n\nafter: text\n"
    )
    assert doc == Doc("Do.", {"one": "first: two: not one", "three": "third"})


def test_parameters_of_base_classes_are_found():
    class Base:
        """Base.

        Args:
            one: from the base.
            two: from the base.
        """

    class Derived(Base):
        """Derived.

        Args:
            two: from the derived.
        """

    assert class_doc(Derived) == Doc("Derived.", {"one": "from the base.", "two": "from the derived."})


# check


def test_check_passes_what_keeps_its_contract(odd):
    result = odd.invoke("plugins", "check", "oddstore", "filestore", "acme_odd.OddStore")
    assert (result.returncode, result.stderr) == (0, "")
    assert len(result.stdout.splitlines()) == 3


def test_check_names_every_fault_and_exits_with_1(odd):
    odd.install(
        "acme-bad",
        """
        @hookimpl
        def cloudmarker_plugins():
            return [
                PluginSpec("cloud", "wrongkind", "acme_odd:OddStore", "Is a store."),
                PluginSpec("cloud", "nowhere", "acme_odd:Nowhere", "Is not there."),
            ]

        @hookimpl
        def cloudmarker_comands(): pass
        """,
    )
    result = odd.run("plugins", "check")
    assert result.returncode == 1
    assert "acme-bad 1.5: wrongkind: OddStore has no method read()\n" in result.stderr
    assert "acme-bad 1.5: nowhere: acme_odd:Nowhere: the module acme_odd has no class 'Nowhere'\n" in result.stderr
    assert "'cloudmarker_comands', which does not exist" in result.stderr
    assert any(line.split()[:3] == ["ok", "store", "filestore"] for line in result.stdout.splitlines())


def test_check_of_a_class_that_is_no_plugin(odd):
    result = odd.invoke("plugins", "check", "json.JSONEncoder")
    assert result.returncode == 1
    assert "JSONEncoder has the methods of no kind of plugin" in result.stderr


# new


@pytest.mark.parametrize("kind", ["cloud", "event", "store", "alert"])
def test_a_new_plugin_is_registered_keeps_its_contract_and_passes_its_test(site, tmp_path, kind):
    name = f"Acme{kind.capitalize()}"
    short = name.lower()
    result = site.invoke("plugins", "new", name, "--kind", kind, "--directory", str(tmp_path / "new"))
    assert (result.returncode, result.stderr) == (0, "")
    root = tmp_path / "new" / f"cloudmarker-{short}"
    install(site, root)
    assert site.invoke("plugins", "check", short).returncode == 0
    params = yaml.safe_load((root / "README.md").read_text().split("```")[1].removeprefix("yaml"))["plugins"]
    assert params[f"my{short}"]["plugin"] == short
    tests = site.python("-m", "pytest", "-q", "-p", "no:cacheprovider", str(root), cwd=root)
    assert tests.returncode == 0, tests.stdout
    assert "1 passed" in tests.stdout


def install(site, root: Path) -> None:
    """Do what ``pip install -e`` does, without the network: the folder on the path, and its entry points."""
    project = (root / "pyproject.toml").read_text()
    points = re.search(r'\[project\.entry-points\.cloudmarker\]\n(\w+) = "(.+)"\n', project)
    site.install(root.name, entry_points=f"[cloudmarker]\n{points[1]} = {points[2]}\n")
    for package in (root / "src").iterdir():
        (site.path / package.name).symlink_to(package)


def test_new_overwrites_nothing(site, tmp_path):
    args = ("plugins", "new", "AcmeCloud", "--kind", "cloud", "--directory", str(tmp_path))
    assert site.invoke(*args).returncode == 0
    readme = tmp_path / "cloudmarker-acmecloud" / "README.md"
    readme.write_text("mine")
    again = site.invoke(*args)
    assert again.returncode == 1
    assert "File exists" in again.stderr
    assert readme.read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("file-store", "cannot be a class name"),
        ("none", "cannot be a class name"),
        ("../x", "cannot be a class name"),
        ("FileStore", "'filestore' is installed already, with cloudmarker"),
    ],
)
def test_new_refuses_names_that_cannot_be_used(site, tmp_path, name, said):
    result = site.invoke("plugins", "new", name, "--kind", "store", "--directory", str(tmp_path / "new"))
    assert result.returncode == 2
    assert said in " ".join(result.stderr.split())
    assert not (tmp_path / "new").exists()
