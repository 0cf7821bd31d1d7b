"""From files to a configuration: which files, in which order, and what comes out."""

import os

import pytest
from cloudmarker.config import check, default_paths, load, load_config
from cloudmarker.config.base import base_config
from cloudmarker.errors import ConfigError


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home directory, and a working directory below it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


def write(path, text, mode=0o600):
    path = os.path.expanduser(path)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)


def test_the_default_files_are_the_documented_ones():
    assert default_paths() == (
        "/etc/cloudmarker.yaml",
        "~/.cloudmarker.yaml",
        "~/cloudmarker.yaml",
        "cloudmarker.yaml",
    )


def test_without_any_file_the_base_config_is_all_there_is():
    config = load([])
    assert config.files == ()
    assert config.written == config.base == base_config()[1]
    assert config.data["run"] == ["mockaudit"]


def test_default_files_are_merged_in_their_order_and_missing_ones_are_ignored():
    write("~/.cloudmarker.yaml", "schedule: '01:00'\nrun: [mockaudit]\nstate: {path: /a}\n")
    write("cloudmarker.yaml", "schedule: '02:00'\n")
    config = load()
    assert config.files[-2:] == ("~/.cloudmarker.yaml", "cloudmarker.yaml")
    assert config.data["schedule"] == "02:00"
    assert config.data["state"] == {"path": "/a"}
    assert config.origin(("schedule",)) == "cloudmarker.yaml"
    assert config.origin(("state", "path")) == "~/.cloudmarker.yaml"
    assert config.origin(("logger", "root", "level")) == "base config"


def test_named_files_replace_the_default_ones_and_the_last_has_the_highest_priority():
    write("cloudmarker.yaml", "schedule: '02:00'\n")
    write("foo.yaml", "audits: {fooaudit: {clouds: [mockcloud]}}\nrun: [mockaudit, fooaudit]\n")
    write("bar.yaml", "audits: {baraudit: {clouds: [mockcloud]}}\nrun: [baraudit]\n")
    config = load(["foo.yaml", "bar.yaml"])
    assert config.data["run"] == ["baraudit"]
    assert set(config.data["audits"]) == {"mockaudit", "fooaudit", "baraudit"}
    assert config.data["schedule"] == "00:00"


def test_a_named_file_that_is_missing_is_an_error_that_names_it():
    with pytest.raises(ConfigError) as caught:
        load(["gone.yaml", "gone/too.yaml"])
    assert caught.value.problems == (
        "gone.yaml: no such file; check the name given with --config",
        "gone/too.yaml: no such file; check the name given with --config",
    )
    assert load(["gone.yaml"], missing_ok=True).files == ()


def test_a_missing_default_file_can_be_made_an_error():
    with pytest.raises(ConfigError, match=r"~/cloudmarker\.yaml: no such file"):
        load(missing_ok=False)


def test_whatever_is_wrong_with_the_files_is_reported_for_all_of_them_at_once(home):
    os.mkdir("directory")
    write("empty.yaml", "")
    write("twice.yaml", "run: [a]\nrun: [b]\n")
    with open("latin.yaml", "wb") as file:
        file.write(b"a: 1\nb: \xe9\n")
    write("wrong.yaml", "zzz: 1\n")
    names = ["directory", "empty.yaml", "twice.yaml", "latin.yaml", "wrong.yaml", "new\nline"]
    assert check(names).problems == (
        "directory: cannot be read: Is a directory",
        "empty.yaml: the file is empty; write at least one key, or remove the file",
        "twice.yaml: run: set twice, on line 1 and on line 2; keep one",
        "latin.yaml: line 2: not UTF-8 text; save the file as UTF-8",
        "'new\\nline': no such file; check the name given with --config",
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read every file")
def test_a_default_file_that_may_not_be_read_is_an_error():
    write("cloudmarker.yaml", "run: [mockaudit]\n", mode=0)
    with pytest.raises(ConfigError, match=r"cloudmarker\.yaml: cannot be read: Permission denied"):
        load()


def test_a_byte_order_mark_is_no_part_of_the_first_key():
    with open("bom.yaml", "wb") as file:
        file.write("\ufeffschedule: '03:00'\n".encode())
    assert load(["bom.yaml"]).data["schedule"] == "03:00"


def test_a_tilde_in_a_name_is_the_home_directory():
    write("~/mine.yaml", "schedule: '03:00'\n")
    config = load(["~/mine.yaml"])
    assert config.data["schedule"] == "03:00"
    assert config.files == ("~/mine.yaml",)


def test_references_are_replaced_after_merging_and_only_if_they_are_still_there(monkeypatch):
    monkeypatch.setenv("CLOUDMARKER_PATH", "/data")
    write("one.yaml", "plugins: {filestore: {params: {path: '${CLOUDMARKER_NOT_SET}'}}}\n")
    write("two.yaml", "plugins: {filestore: {params: {path: '${CLOUDMARKER_PATH}/x'}}}\n")
    config = load(["one.yaml", "two.yaml"])
    assert config.data["plugins"]["filestore"]["params"] == {"path": "/data/x"}
    assert config.written["plugins"]["filestore"]["params"] == {"path": "${CLOUDMARKER_PATH}/x"}
    assert "/data" not in repr(config)


def test_what_may_be_left_out_is_filled_in_for_whoever_runs_the_config():
    write(
        "a.yaml",
        "plugins: {filestore: {params: }, mine: {plugin: mockcloud}}\n"
        "audits: {a: {clouds: [mine], events: , stores: [filestore]}}\nrun: [a]\n",
    )
    data = load(["a.yaml"]).data
    assert data["audits"]["a"] == {"clouds": ["mine"], "events": [], "stores": ["filestore"], "alerts": []}
    assert data["plugins"]["mine"] == {"plugin": "mockcloud", "params": {}}
    assert data["plugins"]["filestore"] == {"plugin": "filestore", "params": {}}


SPARE = """
    @hookimpl
    def cloudmarker_plugins():
        return [PluginSpec("cloud", "sparecloud", "spare_plugins:SpareCloud", "Reads nothing.")]
"""


def test_a_short_name_in_an_audit_is_an_entry_of_its_own(site):
    site.install("acme-spare", SPARE)
    site.module("spare_plugins", "from cloudmarker.clouds.mockcloud import MockCloud as SpareCloud\n")
    write("a.yaml", "audits: {a: {clouds: [sparecloud]}}\nrun: [a]\n")
    write("b.yaml", "plugins: {sparecloud: {params: {record_count: 5}}}\n")
    assert load(["a.yaml"]).data["plugins"]["sparecloud"] == {"plugin": "sparecloud", "params": {}}
    assert load(["a.yaml", "b.yaml"]).data["plugins"]["sparecloud"] == {
        "params": {"record_count": 5},
        "plugin": "sparecloud",
    }
    assert "sparecloud" not in load(["a.yaml"]).written["plugins"]


def test_a_distribution_adds_plugins_to_the_base_config(site):
    hook = "@hookimpl\ndef cloudmarker_base_config():\n    return '''plugins:\n  spare:\n    plugin: mockcloud\n'''\n"
    site.install("acme-base", hook)
    assert load([]).data["plugins"]["spare"] == {"plugin": "mockcloud", "params": {}}
    text = site.run("--print-base-config").stdout
    assert "\n  spare:\n    plugin: mockcloud\n" in text[: text.index("\naudits:\n")]
    assert text.startswith("# Base configuration\n")


@pytest.mark.parametrize(
    ("yaml", "problem"),
    [
        ("run: [x]", "it may hold 'plugins' only"),
        ("plugins: []", "it may hold 'plugins' only"),
        ("plugins: {mockcloud: {plugin: mockevent}}", "it sets plugins.mockcloud, which is set already"),
        ("", "the file is empty; write at least one key, or remove the file"),
    ],
)
def test_a_part_of_the_base_config_that_cannot_be_used_is_left_out_with_a_warning(site, yaml, problem):
    site.install("acme-base", f"@hookimpl\ndef cloudmarker_base_config():\n    return {yaml!r}\n")
    config = load([])
    assert config.data["plugins"]["mockcloud"]["plugin"] == "mockcloud"
    assert f"acme-base: its base config is left out: {problem}" in config.warnings


def test_a_broken_distribution_is_a_warning_not_an_error(site):
    site.install("acme-bad", "import no_such_module\n")
    assert [line for line in load([]).warnings if line.startswith("acme-bad 1.5")]


def test_a_secret_that_others_can_read_is_a_warning():
    write("a.yaml", "plugins: {x: {plugin: mockcloud, params: {token: hunter2}}}\n", mode=0o644)
    (warning,) = [line for line in check(["a.yaml"]).config.warnings if line.startswith("a.yaml")]
    assert warning.startswith("a.yaml: plugins.x.params.token: a secret in a file that others can read (mode 0644)")
    assert "hunter2" not in warning
    os.chmod("a.yaml", 0o600)
    assert not [line for line in check(["a.yaml"]).config.warnings if line.startswith("a.yaml")]


def test_loading_twice_gives_equal_configs_that_share_nothing():
    first = load([])
    first.data["plugins"].clear()
    first.base["run"].clear()
    assert load([]).data["plugins"]
    assert load([]).base["run"] == ["mockaudit"]


def test_load_config_ignores_missing_files_and_returns_a_dictionary(monkeypatch):
    monkeypatch.setenv("CLOUDMARKER_PATH", "/data")
    write("a.yaml", "foo: {bar: '${CLOUDMARKER_PATH}'}\nrun: [nothing]\n")
    config = load_config(["gone.yaml", "a.yaml"])
    assert config["foo"] == {"bar": "/data"}
    assert config["run"] == ["nothing"]
    assert config["plugins"]["mockcloud"] == {"plugin": "mockcloud", "params": {}}


def test_load_config_still_reports_what_it_cannot_read():
    write("a.yaml", "a: [1\n")
    write("b.yaml", "a: ${CLOUDMARKER_NOT_SET}\n")
    with pytest.raises(ConfigError) as caught:
        load_config(["a.yaml", "b.yaml"])
    assert [line.split(":")[0] for line in caught.value.problems] == ["a.yaml", "b.yaml"]
