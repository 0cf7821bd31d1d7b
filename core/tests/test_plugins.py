from __future__ import annotations

import inspect
import logging
import re
import sys

import pytest
from cloudmarker import hookspecs
from cloudmarker._contractcheck import contract_faults, kind_of
from cloudmarker._discovery import HOOKS, Source
from cloudmarker.config import check
from cloudmarker.errors import PluginError
from cloudmarker.hookspecs import PluginSpec
from cloudmarker.plugins import Registry, constructor_parameters, load_class, load_plugin, registry, suggest
from cloudmarker.results import AuditInfo

GOOD = """
    @hookimpl
    def cloudmarker_plugins():
        return [PluginSpec("cloud", "goodcloud", "good_plugins:GoodCloud", "Reads nothing.")]
"""


def problems_of(name: str) -> list[str]:
    return [line for line in registry().problems if name in line]


@pytest.fixture
def good(site):
    site.install("acme-good", GOOD)
    site.module("good_plugins", "class GoodCloud:\n    def __init__(self, size=3): self.size = size\n")
    return site


# The registry


def test_core_registers_its_own_plugins_first():
    names = list(registry().plugins)
    assert names[:5] == ["mockcloud", "mockevent", "firewallruleevent", "internetexposureevent", "filestore"]
    assert {registry().plugins[name].distribution for name in names[:4]} == {"cloudmarker"}
    assert registry().base_configs[0][0] == "cloudmarker"
    assert {"run", "plugins", "config"} <= set(registry().commands)


def test_core_has_no_problems():
    assert [line for line in registry().problems if line.startswith("cloudmarker ")] == []


def test_a_plugin_is_listed_with_its_distribution(good):
    plugin = registry().plugins["goodcloud"]
    assert (plugin.distribution, plugin.version, plugin.spec.kind) == ("acme-good", "1.5", "cloud")
    assert problems_of("acme") == []


def test_listing_plugins_imports_none(good):
    assert "goodcloud" in registry().plugins
    assert "good_plugins" not in sys.modules


def test_the_registry_is_made_once_per_process(good):
    assert registry() is registry()


def test_several_distributions_come_in_the_order_of_their_names(good):
    for name in ("acme-zulu", "acme-alpha"):
        site_text = GOOD.replace("goodcloud", name.replace("-", ""))
        good.install(name, site_text)
    assert [name for name in registry().plugins if name.startswith(("acme", "good"))] == [
        "acmealpha",
        "goodcloud",
        "acmezulu",
    ]


@pytest.mark.parametrize(
    ("hooks", "entry_points", "said"),
    [
        ("import no_such_module", None, r"cannot be imported: ModuleNotFoundError: No module named 'no_such_module'"),
        ("1 / 0", None, r"cannot be imported: ZeroDivisionError"),
        ("raise SystemExit(3)", None, r"cannot be imported: SystemExit: 3"),
        ("def broken(:", None, r"cannot be imported: SyntaxError"),
        (
            None,
            "[cloudmarker]\nacme = not a module!\n",
            r"is not of the form 'name = package.module'|Invalid object reference",
        ),
        (None, "[cloudmarker]\nacme\n", r"metadata cannot be read"),
        ("", "[cloudmarker]\nacme = acme_broken_hooks:missing\n", r"cannot be imported: AttributeError"),
        ("", None, r"has no hook implementation"),
        (
            "@hookimpl\ndef cloudmarker_plugin(): return []",
            None,
            r"'cloudmarker_plugin', which does not exist; did you mean 'cloudmarker_plugins'\?",
        ),
        ("def cloudmarker_plugins(): return []", None, r"'cloudmarker_plugins' that is not marked"),
        ("@hookimpl\ndef cloudmarker_audit_end(outcome): pass", None, r"does not fit its specification.*'outcome'"),
        ("@hookimpl\ndef cloudmarker_plugins(): 1 / 0", None, r"hook cloudmarker_plugins failed: ZeroDivisionError"),
        ("@hookimpl\ndef cloudmarker_plugins(): yield 1 / 0", None, r"cloudmarker_plugins failed: ZeroDivisionError"),
        (
            "@hookimpl\ndef cloudmarker_plugins(): pass",
            None,
            r"cloudmarker_plugins failed: TypeError: it returned None",
        ),
        ("@hookimpl\ndef cloudmarker_plugins(): return 3", None, r"cloudmarker_plugins failed: TypeError"),
        ("@hookimpl\ndef cloudmarker_plugins(): return ['x']", None, r"returned str where a PluginSpec belongs"),
        ("@hookimpl\ndef cloudmarker_commands(): return [3]", None, r"returned int where a CommandSpec belongs"),
        ("@hookimpl\ndef cloudmarker_commands(): raise KeyError('x')", None, r"cloudmarker_commands failed: KeyError"),
        ("@hookimpl\ndef cloudmarker_base_config(): return {}", None, r"base_config failed: .* returned dict, not str"),
        (
            "@hookimpl\ndef cloudmarker_plugins(): return [PluginSpec('cloud', 'a.b', 'm:C', 's')]",
            None,
            r"PluginSpec whose name 'a\.b' is not of the form letters",
        ),
        (
            "@hookimpl\ndef cloudmarker_plugins(): return [PluginSpec('cloud', 'ab', 'm.C', 's')]",
            None,
            r"PluginSpec whose target 'm\.C' is not of the form 'package\.module:name'",
        ),
        (
            "@hookimpl\ndef cloudmarker_plugins(): return [PluginSpec('sink', 'ab', 'm:C', 's')]",
            None,
            r"'ab' of the unknown kind 'sink'",
        ),
        (
            "@hookimpl\ndef cloudmarker_plugins(): return [PluginSpec('cloud', 'ab', 'm:C', 'two\\nlines')]",
            None,
            r"'ab' whose summary is not one line",
        ),
    ],
)
def test_a_broken_distribution_is_one_line_and_takes_nothing_down(good, hooks, entry_points, said):
    good.install("acme-broken", hooks, entry_points=entry_points)
    (line,) = problems_of("acme")
    assert line.startswith("acme-broken")
    assert "\n" not in line
    assert re.search(said, line)
    assert {"goodcloud", "filestore"} <= set(registry().plugins)


def test_a_distribution_without_metadata_is_named(good):
    good.install("acme-broken", GOOD, metadata=False)
    assert problems_of("acme") == ["acme-broken: its metadata is missing; install it again"]
    assert "goodcloud" in registry().plugins


def test_entry_points_that_are_no_text_are_named(good):
    good.install("acme-broken", GOOD)
    next(good.path.glob("acme_broken*.dist-info/entry_points.txt")).write_bytes(b"[cloudmarker]\n\xff\xfe")
    registry.cache_clear()
    (line,) = problems_of("acme")
    assert line.startswith("acme-broken: its metadata cannot be read")


def test_of_two_installations_the_first_on_the_path_counts(good, tmp_path, monkeypatch):
    other = tmp_path / "other"
    info = other / "Acme.Good-0.1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Name: Acme.Good\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text("[cloudmarker]\nacme = no_such_hooks\n")
    monkeypatch.syspath_prepend(str(other))
    monkeypatch.setattr("sys.path", [entry for entry in sys.path if entry != str(other)] + [str(other)])
    registry.cache_clear()
    assert registry().plugins["goodcloud"].version == "1.5"
    assert problems_of("acme") == []


def test_what_an_uninstall_left_behind_hides_nothing(good, tmp_path, monkeypatch):
    (tmp_path / "other" / "acme_good-1.0.dist-info").mkdir(parents=True)
    monkeypatch.syspath_prepend(str(tmp_path / "other"))
    registry.cache_clear()
    assert "goodcloud" in registry().plugins


def test_a_misspelt_hook_leaves_the_others_of_its_distribution_at_work(good):
    good.install(
        "acme-typo", GOOD.replace("goodcloud", "typocloud") + "\n    @hookimpl\n    def cloudmarker_comands(): pass\n"
    )
    assert "typocloud" in registry().plugins
    assert len(problems_of("acme-typo")) == 1


def test_an_optional_hook_of_another_version_is_no_problem(good):
    good.install("acme-new", "@hookimpl(optionalhook=True)\ndef cloudmarker_later(): pass")
    assert problems_of("acme") == []


def test_a_malformed_spec_leaves_its_neighbours(good):
    good.install("acme-half", GOOD.replace("goodcloud", "halfcloud").replace("return [", "return [None, "))
    assert "halfcloud" in registry().plugins
    assert len(problems_of("acme-half")) == 1


def test_a_short_name_claimed_twice_names_both_and_means_neither(good):
    good.install("acme-twin", GOOD)
    (line,) = problems_of("acme")
    assert "acme-good 1.5 and acme-twin 1.5" in line
    assert "goodcloud" in line
    assert "goodcloud" not in registry().plugins
    with pytest.raises(PluginError, match=r"acme-good 1.5 and acme-twin 1.5.*class path"):
        load_class("goodcloud")


def test_a_short_name_of_core_claimed_by_another_stops_the_audits_that_use_it_and_no_other(site, tmp_path):
    site.install("acme-mock", GOOD.replace("goodcloud", "mockcloud"))

    def problems(*lines: str) -> tuple[str, ...]:
        path = tmp_path / "audit.yaml"
        path.write_text("\n".join(lines))
        return tuple(line.replace(str(path), "audit.yaml") for line in check([str(path)]).problems)

    audit = ("audits: {a: {clouds: [mine]}}", "run: [a]")
    assert problems("plugins: {mine: {plugin: cloudmarker.clouds.mockcloud.MockCloud}}", *audit) == ()
    (own,) = problems("plugins: {mine: {plugin: mockcloud}}", *audit)
    assert re.match("audit.yaml: plugins.mine.plugin: cloudmarker .* and acme-mock 1.5: more than one", own)
    for lines in (
        ("run: [mockaudit]",),
        ("plugins: {mockcloud: {params: {}}}", "audits: {a: {clouds: [mockcloud]}}", "run: [a]"),
    ):
        (used,) = problems(*lines)
        assert re.match("base config: plugins.mockcloud.plugin: cloudmarker .* and acme-mock 1.5: more than one", used)


def test_a_short_name_claimed_twice_by_one_distribution_names_it_once(good):
    good.install("acme-double", GOOD.replace("goodcloud", "double").replace("return [", "return 2 * ["))
    (line,) = problems_of("acme-double")
    assert line.count("acme-double") == 1


def test_no_distribution_can_take_over_a_command_of_core(good):
    hooks = "@hookimpl\ndef cloudmarker_commands(): return [CommandSpec('plugins', 'm:c', 'Mine.')]"
    good.install("acme-greedy", hooks)
    assert registry().commands["plugins"].target == "cloudmarker.cli.plugins:plugins"
    assert "acme-greedy 1.5" in problems_of("acme")[0]


def test_base_configs_come_with_the_names_of_their_distributions(good):
    good.install("acme-conf", "@hookimpl\ndef cloudmarker_base_config(): return 'plugins: {}'")
    assert ("acme-conf", "plugins: {}") in registry().base_configs


def test_the_audit_hooks_reach_every_distribution_and_their_exceptions_are_logged(good, caplog):
    caplog.set_level(logging.INFO)
    good.install("acme-bad", "@hookimpl\ndef cloudmarker_audit_begin(audit): raise OSError('no network')")
    good.install(
        "acme-log", "import logging\n@hookimpl\ndef cloudmarker_audit_begin(audit): logging.info('saw %s', audit.key)"
    )
    registry().audit_begin(AuditInfo("daily", "20260101_000000", {"cloud": ("a", "b")}))
    assert "Audit daily begins: version 20260101_000000, 2 plugins" in caplog.messages
    assert "saw daily" in caplog.messages
    assert "acme-bad 1.5: the hook cloudmarker_audit_begin failed: OSError: no network" in caplog.messages


def test_every_hook_has_a_typed_method():
    wrapped = "".join(inspect.getdoc(method) or "" for _, method in inspect.getmembers(Source, inspect.isfunction))
    assert [hook for hook in HOOKS if f"hookspecs.{hook}`" not in wrapped] == []


def test_a_registry_of_nothing_is_empty():
    empty = Registry(())
    assert (dict(empty.plugins), dict(empty.commands), empty.base_configs, empty.problems) == ({}, {}, (), ())


# Classes


@pytest.mark.parametrize("name", ["goodcloud", "good_plugins.GoodCloud", "good_plugins:GoodCloud"])
def test_a_class_has_a_short_name_and_a_path(good, name):
    assert load_class(name).__name__ == "GoodCloud"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("goodclod", r"^no plugin named 'goodclod'; did you mean 'goodcloud'\?"),
        ("qqqqqqq", r"^no plugin named 'qqqqqqq'; see 'cloudmarker plugins list', or give a class path"),
        ("good_plugins.GoodClod", r"module good_plugins has no class 'GoodClod'; did you mean 'GoodCloud'\?"),
        ("good_pluginz.GoodCloud", r"no module 'good_pluginz'; did you mean 'good_plugins.GoodCloud'\?"),
        ("nowhere.at.all.Cloud", r"no module 'nowhere'; is its distribution installed"),
        ("good_plugins.CONSTANT", r"good_plugins.CONSTANT is not a class but int"),
        ("needs_sdk.Cloud", r"importing needs_sdk failed: ModuleNotFoundError: No module named 'the_sdk'"),
        ("raises.Cloud", r"importing raises failed: RuntimeError: not on this system"),
        (".relative.Cloud", r"'.relative.Cloud' is not a class path"),
        ("good_plugins.", r"is not a class path"),
        (":GoodCloud", r"is not a class path"),
        ("", r"a plugin is named by"),
        (None, r"a plugin is named by .*, not by None"),
    ],
)
def test_a_name_that_leads_to_no_class_says_what_to_do(good, name, said):
    good.module("good_plugins", "class GoodCloud: pass\nCONSTANT = 3\n")
    good.module("needs_sdk", "import the_sdk\nclass Cloud: pass\n")
    good.module("raises", "raise RuntimeError('not on this system')")
    with pytest.raises(PluginError, match=said):
        load_class(name)


def test_a_missing_sdk_keeps_its_own_error_as_the_cause(good):
    good.module("needs_sdk", "import the_sdk\nclass Cloud: pass\n")
    with pytest.raises(PluginError) as caught:
        load_class("needs_sdk.Cloud")
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)
    assert caught.value.__cause__.name == "the_sdk"


def test_problems_are_mentioned_where_a_name_is_unknown(good):
    good.install("acme-broken", "import no_such_module")
    with pytest.raises(PluginError, match="some installed distributions have problems"):
        load_class("qqqqqqq")


def test_a_suggestion_is_made_only_if_something_is_alike():
    assert suggest("estore", ["esstore", "filestore"]) == "esstore"
    assert suggest("zebra", ["esstore", "filestore"]) is None


# Objects


def test_load_plugin_makes_an_object_with_and_without_params(good):
    assert load_plugin({"plugin": "goodcloud", "params": {"size": 5}}).size == 5  # type: ignore[attr-defined]
    assert load_plugin({"plugin": "good_plugins.GoodCloud"}).size == 3  # type: ignore[attr-defined]
    assert load_plugin({"plugin": "goodcloud", "params": None}).size == 3  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"plugin": "good_plugins.NoSuchCloud"}, "has no class"),
        ({"plugin": "good_plugins"}, "no plugin named"),
        ({"params": {}}, "the key 'plugin'"),
        ("goodcloud", "is a mapping"),
        ({"plugin": "goodcloud", "params": [3]}, "params is a mapping .*, not list"),
        ({"plugin": "goodcloud", "params": {"sise": 5}}, "goodcloud: .*'sise'; it takes size"),
    ],
)
def test_load_plugin_refuses_what_is_no_plugin_configuration(good, config, said):
    with pytest.raises(PluginError, match=said):
        load_plugin(config)


def test_what_the_constructor_raises_is_passed_on(good):
    good.module("picky", "class Cloud:\n    def __init__(self): raise TypeError('my own')")
    with pytest.raises(TypeError, match="my own"):
        load_plugin({"plugin": "picky.Cloud"})


def test_constructor_parameters_are_those_that_can_be_given_by_name():
    class Plugin:
        def __init__(self, a, /, b, c=3, *args, d: int, **rest):
            pass

    assert list(constructor_parameters(Plugin)) == ["b", "c", "d", "rest"]
    assert list(constructor_parameters(type("Bare", (), {}))) == []


# Contracts


class Cloud:
    def read(self):
        return iter(())

    def done(self):
        pass


class Event:
    def eval(self, record):
        return ()

    def done(self):
        pass


class Store:
    def write(self, record):
        pass

    def done(self):
        pass


@pytest.mark.parametrize(("cls", "kinds"), [(Cloud, ["cloud"]), (Event, ["event"]), (Store, ["store", "alert"])])
def test_a_class_keeps_the_contract_of_its_kind_and_no_other(cls, kinds):
    assert kind_of(cls) == kinds[0]
    keeps = [kind for kind in ("cloud", "event", "store", "alert") if not list(contract_faults(cls, kind))]
    assert keeps == kinds


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"write": None}, "has no method write(record)"),
        ({"write": 3}, "has write, which is not a method"),
        ({"write": lambda self: None}, "has write(self), which cannot be called as write(record)"),
        ({"abort": lambda self: None}, "has abort(self), which cannot be called as abort(reason)"),
        ({"record_types": "disk"}, "has record_types = 'disk', which is not a list or tuple of strings"),
        ({"write": lambda self, record, flag: None}, "has write(self, record, flag), which cannot be called as"),
    ],
)
def test_a_store_that_breaks_its_contract_is_told_how(body, fault):
    faults = list(contract_faults(type("Odd", (Store,), body), "store"))
    assert len(faults) == 1
    assert faults[0].startswith(fault)


def test_an_event_may_ask_only_for_buckets_that_exist():
    faults = list(contract_faults(type("Odd", (Event,), {"buckets": ("com", "cpm")}), "event"))
    assert faults == ["has buckets = ('com', 'cpm'), which may hold only raw, ext, com and com.FIELD"]


def test_async_methods_are_no_methods_of_a_plugin():
    async def read(self):
        yield {}

    assert "async" in next(contract_faults(type("Odd", (Cloud,), {"read": read}), "cloud"))


def test_methods_with_further_optional_parameters_static_ones_and_properties_are_fine():
    class Odd(Event):
        record_types = property(lambda self: ["disk"])

        @staticmethod
        def eval(record, verbose=False):
            return ()

        @classmethod
        def done(cls):
            pass

    assert list(contract_faults(Odd, "event")) == []


def test_every_registered_target_loads_and_keeps_its_contract():
    for plugin in registry().plugins.values():
        assert list(contract_faults(load_class(plugin.spec.name), plugin.spec.kind)) == []


def test_hook_specs_have_no_logic():
    for hook in HOOKS:
        source = inspect.getsource(getattr(hookspecs, hook))
        assert source.rstrip().endswith('"""'), hook
    assert PluginSpec("cloud", "a", "m:C", "s").name == "a"
