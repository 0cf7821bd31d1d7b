"""Every bad configuration is one line that names the file, the key path and what to do; all problems come at once."""

import pytest
from cloudmarker import _oldnames
from cloudmarker.config import check, load
from cloudmarker.errors import ConfigError

PLUGINS = """
class NoPlugin:
    def __init__(self): ...

class Both:
    def __init__(self): ...
    def eval(self, record): return ()
    def write(self, record): ...
    def done(self): ...

class Needs:
    def __init__(self, place, *, port: int = 1, **rest): ...
    def read(self): return iter(())
    def done(self): ...

class Half:
    def __init__(self): ...
    def read(self, what): return iter(())

class Strict:
    def __init__(self, place, other, third=(), number: int = 0, maybe: "list[int] | None" = None, odd: "Unknown" = 1):
        pass
    def read(self): return iter(())
    def done(self): ...
"""

AUDIT = "audits: {daily: {clouds: [mine], stores: [filestore]}}\nrun: [daily]\n"


@pytest.fixture(autouse=True)
def plugin_modules(tmp_path, monkeypatch):
    """Modules that no distribution registers, in a directory that is on the path."""
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "acme_test_plugins.py").write_text(PLUGINS)
    (modules / "acme_broken_plugins.py").write_text("import acme_sdk_that_is_not_there\n")
    monkeypatch.syspath_prepend(str(modules))
    monkeypatch.chdir(tmp_path)


def problems(text):
    with open("audit.yaml", "w", encoding="utf-8") as file:
        file.write(text)
    return list(check(["audit.yaml"]).problems)


def cloud(params="{}", plugin="mockcloud"):
    return f"plugins: {{mine: {{plugin: {plugin}, params: {params}}}}}\n" + AUDIT


ODD_KEYS = (
    """
plugins:
  ../up: {plugin: mockcloud}
  a/b: {plugin: mockcloud}
  ".hidden": {plugin: mockcloud}
  "": {plugin: mockcloud}
  "nul\\0": {plugin: mockcloud}
  'back\\slash': {plugin: mockcloud}
audits:
  """
    + "x" * 101
    + """: {clouds: [mockcloud]}
  """
    + "ü" * 50
    + """: {clouds: [mockcloud]}
"""
)

BAD = {
    "unknown top-level key": (
        "audit: {}\nzzz: 1\n",
        [
            "audit: unknown key 'audit'; did you mean 'audits'?",
            "zzz: unknown key 'zzz'; the keys here are plugins, audits, run, logger, schedule, email, suppressions, "
            "state, metrics, health",
        ],
    ),
    "unknown key of a plugin": (
        "plugins: {mockcloud: {parms: {}, host: localhost}}\n",
        [
            "plugins.mockcloud.parms: unknown key 'parms'; did you mean 'params'?",
            "plugins.mockcloud.host: unknown key 'host'; the keys here are plugin, params, when",
        ],
    ),
    "unknown key of an audit": (
        "audits: {mockaudit: {cloud: [mockcloud]}}\n",
        ["audits.mockaudit.cloud: unknown key 'cloud'; did you mean 'clouds'?"],
    ),
    "sections of the wrong type": (
        "plugins: [a]\naudits: 5\nrun: mockaudit\nlogger: true\nemail: x\nstate: /var\n",
        [
            "plugins: expected a mapping, got a list",
            "audits: expected a mapping, got a number",
            "run: expected a list, got text; begin each of its entries with '- '",
            "logger: expected a mapping, got true or false",
            "email: expected a mapping, got text",
            "state: expected a mapping, got text",
        ],
    ),
    "sections with nothing in them": (
        "plugins:\naudits:\nrun:\nlogger:\nschedule:\n",
        [
            "plugins: expected a mapping, got null",
            "audits: expected a mapping, got null",
            "run: expected a list, got null; begin each of its entries with '- '",
            "logger: expected a mapping, got null",
            'schedule: expected a time of day in quotes, from "00:00" to "23:59", a cron expression, or a list of '
            "them, got null",
        ],
    ),
    "entries of the wrong type": (
        "plugins: {mockcloud: mockcloud, mockevent: {params: [1]}, filestore: {plugin: 5}}\naudits: {mockaudit: []}\n",
        [
            "plugins.mockcloud: expected a mapping, got text",
            "plugins.mockevent.params: expected a mapping, got a list",
            "plugins.filestore.plugin: expected text, got a whole number; put it in quotes",
            "audits.mockaudit: expected a mapping, got a list",
        ],
    ),
    "members of the wrong type": (
        "audits: {mockaudit: {clouds: mockcloud, stores: [1, null, {a: b}], events: {a: b}, alerts: ['']}}\n",
        [
            "audits.mockaudit.clouds: expected a list, got text; begin each of its entries with '- '",
            "audits.mockaudit.stores[0]: expected text, got a whole number; put it in quotes",
            "audits.mockaudit.stores[1]: expected text, got null",
            "audits.mockaudit.stores[2]: expected text, got a mapping",
            "audits.mockaudit.events: expected a list, got a mapping; begin each of its entries with '- '",
            "audits.mockaudit.alerts[0]: empty, but text is needed",
        ],
    ),
    "no audit to run": ("run: []\n", ["run: the list is empty; it needs at least one entry"]),
    "an audit to run that is not there": (
        "run: [mockaudti, zzz, 5]\n",
        [
            "run[0]: no audit named 'mockaudti'; did you mean 'mockaudit'?",
            "run[1]: no audit named 'zzz'; define it under audits",
            "run[2]: expected text, got a whole number; put it in quotes",
        ],
    ),
    "an audit to run twice": (
        "run: [mockaudit, mockaudit]\n",
        ["run[1]: the audit 'mockaudit' is named twice; name it once"],
    ),
    "an unquoted schedule that YAML takes for a number": (
        "schedule: 12:30\n",
        [
            'schedule: expected a time of day in quotes, from "00:00" to "23:59", a cron expression, or a list of '
            "them, got a number"
        ],
    ),
    "a schedule that is no time": (
        "schedule: '24:00'\n",
        ['schedule: \'24:00\' is not a time of day, from "00:00" to "23:59"'],
    ),
    "email": (
        "email: {from_addr: a@b, to_addrs: [], port: 'x', ssl_mode: tls, usrname: x, debug: yes, password: 5}\n",
        [
            "email: 'subject' is missing",
            "email.to_addrs: the list is empty; it needs at least one entry",
            "email.port: expected a number from 0 to 65535",
            "email.ssl_mode: expected one of 'ssl', 'starttls', 'disable'",
            "email.usrname: unknown key 'usrname'; did you mean 'username'?",
            "email.password: expected text or null, got a whole number; put it in quotes",
        ],
    ),
    "a port that is none": (
        "email: {from_addr: a, to_addrs: [b], subject: c, port: 70000}\n",
        ["email.port: expected a number from 0 to 65535, got 70000"],
    ),
    "state": (
        "state: {path: 5, dir: x}\n",
        [
            "state.path: expected text, got a whole number; put it in quotes",
            "state.dir: unknown key 'dir'; the keys here are path",
        ],
    ),
    "logger": (
        "logger: {version: 2, root: {handlers: [file, nope]}, handlers: {file: {formatter: fancy}},"
        " loggers: {x: {handlers: [gone]}}}\n",
        [
            "logger.version: expected 1, the only version of Python's logging configuration",
            "logger.root.handlers[1]: no handler named 'nope' under logger.handlers",
            "logger.handlers.file.formatter: no formatter named 'fancy' under logger.formatters",
            "logger.loggers.x.handlers[0]: no handler named 'gone' under logger.handlers",
        ],
    ),
    "an unknown plugin, with a suggestion": (
        "audits: {daily: {clouds: [mockclod], stores: [filestore, fielstore], events: [zzz]}}\n",
        [
            "audits.daily.clouds[0]: no plugin named 'mockclod'; did you mean 'mockcloud'?",
            "audits.daily.stores[1]: no plugin named 'fielstore'; did you mean 'filestore'?",
            "audits.daily.events[0]: no plugin named 'zzz'; see 'cloudmarker plugins list', or define it under plugins "
            "with the dotted name of its class",
        ],
    ),
    "a key of one's own, misspelt": (
        "plugins: {warehouse: {plugin: filestore}}\naudits: {mockaudit: {stores: [warehose]}}\n",
        ["audits.mockaudit.stores[0]: no plugin named 'warehose'; did you mean 'warehouse'?"],
    ),
    "an unknown plugin in a plugin entry, even if no audit uses it": (
        "plugins: {a: {plugin: mockclod}, b: {plugin: 'not a class.path'}, c: {}, d: {plugin: ''}}\n",
        [
            "plugins.a.plugin: no plugin named 'mockclod'; did you mean 'mockcloud'?",
            "plugins.b.plugin: 'not a class.path' is not the dotted name of a class, such as package.module.Class",
            "plugins.c: 'plugin' is missing; give the short name or the dotted name of a class",
            "plugins.d.plugin: empty, but text is needed",
        ],
    ),
    "plugins of a distribution that is not installed": (
        "plugins: {a: {plugin: ghoststore}, b: {plugin: cloudmarker.stores.ghoststore.GhostStore}}\n"
        "audits: {mockaudit: {stores: [b, ghoststore]}}\n",
        [
            "plugins.a.plugin: ghoststore is in the distribution cloudmarker-ghost, which is not installed: "
            "pip install 'cloudmarker[ghost]'",
            "plugins.b.plugin: cloudmarker.stores.ghoststore is in the distribution cloudmarker-ghost, which is not "
            "installed: pip install 'cloudmarker[ghost]'",
            "audits.mockaudit.stores[1]: ghoststore is in the distribution cloudmarker-ghost, which is not installed: "
            "pip install 'cloudmarker[ghost]'",
        ],
    ),
    "a class that is not in its module": (
        cloud(plugin="cloudmarker.clouds.mockcloud.MockClod"),
        [
            "plugins.mine.plugin: cloudmarker.clouds.mockcloud.MockClod: the module "
            "cloudmarker.clouds.mockcloud has no "
            "class 'MockClod'; did you mean 'MockCloud'?"
        ],
    ),
    "a module that cannot be imported": (
        cloud(plugin="acme_broken_plugins.Cloud"),
        [
            "plugins.mine.plugin: acme_broken_plugins.Cloud: importing acme_broken_plugins failed: "
            "ModuleNotFoundError: "
            "No module named 'acme_sdk_that_is_not_there'"
        ],
    ),
    "the same plugin twice in a list": (
        "audits: {mockaudit: {clouds: [mockcloud, mockcloud]}}\n",
        ["audits.mockaudit.clouds[1]: 'mockcloud' is named twice in this list; name it once"],
    ),
    "an audit without a cloud": (
        "audits: {daily: {stores: [filestore]}, nightly: {clouds: []}, weekly: }\n",
        [
            "audits.daily: an audit without a cloud reads nothing; name at least one under 'clouds'",
            "audits.nightly: an audit without a cloud reads nothing; name at least one under 'clouds'",
            "audits.weekly: expected a mapping, got null",
        ],
    ),
    "plugins of the wrong kind, in audits that do not run too": (
        "plugins: {ev: {plugin: mockevent}}\n"
        "audits: {daily: {clouds: [filestore], stores: [ev, mockcloud], events: [mockcloud], alerts: [mockevent]}}\n",
        [
            "audits.daily.clouds[0]: 'filestore' is a store plugin; it belongs under 'stores'",
            "audits.daily.stores[0]: 'ev' is an event plugin; it belongs under 'events'",
            "audits.daily.stores[1]: 'mockcloud' is a cloud plugin; it belongs under 'clouds'",
            "audits.daily.events[0]: 'mockcloud' is a cloud plugin; it belongs under 'clouds'",
            "audits.daily.alerts[0]: 'mockevent' is an event plugin; it belongs under 'events'",
        ],
    ),
    "classes nobody registered, of the wrong kind": (
        "plugins: {none: {plugin: acme_test_plugins.NoPlugin}, both: {plugin: acme_test_plugins.Both},"
        " old: {plugin: cloudmarker.events.mockevent.MockEvent}}\n"
        "audits: {mockaudit: {clouds: [both, mockcloud], stores: [none, both, old], events: [both], alerts: [both]}}\n",
        [
            "audits.mockaudit.clouds[0]: 'both' is a store or an event or an alert plugin; it belongs "
            "under 'stores' or "
            "'events' or 'alerts'",
            "audits.mockaudit.stores[0]: 'none' is no plugin: its class has none of the methods read, eval and write",
            "audits.mockaudit.stores[2]: 'old' is an event plugin; it belongs under 'events'",
        ],
    ),
    "a class that breaks the contract": (
        cloud(plugin="acme_test_plugins.Half"),
        [
            "audits.daily.clouds[0]: 'mine' cannot be used here: its class has read(self, what), which "
            "cannot be called as "
            "read()",
            "audits.daily.clouds[0]: 'mine' cannot be used here: its class has no method done()",
        ],
    ),
    "parameters that the class does not take": (
        cloud("{record_cuont: 5, zzz: 1}"),
        [
            "plugins.mine.params.record_cuont: MockCloud takes no parameter 'record_cuont'; did you mean "
            "'record_count'?",
            "plugins.mine.params.zzz: MockCloud takes no parameter 'zzz'; it takes record_count, record_types",
        ],
    ),
    "parameters for a class that takes none": (
        cloud("{x: 1}", "acme_test_plugins.NoPlugin"),
        [
            "plugins.mine.params.x: NoPlugin takes no parameter 'x'; it takes none",
            "audits.daily.clouds[0]: 'mine' is no plugin: its class has none of the methods read, eval and write",
        ],
    ),
    "parameters that are missing": (
        cloud("{third: []}", "acme_test_plugins.Strict"),
        ["plugins.mine: Strict needs the parameters 'place', 'other'; set them under 'params'"],
    ),
    "a parameter that is missing beside any others": (
        cloud("{anything: 1}", "acme_test_plugins.Needs"),
        ["plugins.mine: Needs needs the parameter 'place'; set it under 'params'"],
    ),
    "parameters of the wrong type": (
        cloud("{place: 1, other: {}, number: x, maybe: [1, secret-value], odd: 5}", "acme_test_plugins.Strict"),
        [
            "plugins.mine.params.number: expected a whole number, got text",
            "plugins.mine.params.maybe[1]: expected a whole number, got text",
        ],
    ),
    "keys that are no file names": (
        ODD_KEYS,
        [
            'plugins."../up": the key begins with a dot; it is used in file names: choose another',
            'plugins."a/b": the key has a slash, a backslash or a control character in it; it is used in file names: '
            "choose another",
            'plugins.".hidden": the key begins with a dot; it is used in file names: choose another',
            'plugins."": the key is empty; it is used in file names: choose another',
            'plugins."nul\\u0000": the key has a slash, a backslash or a control character in it; it is '
            "used in file names: "
            "choose another",
            'plugins."back\\\\slash": the key has a slash, a backslash or a control character in it; it is '
            "used in file "
            "names: choose another",
            f"audits.{'x' * 101}: the key is longer than 100 bytes; it is used in file names: choose another",
        ],
    ),
    "two origins of the same name": (
        "plugins: {b_c: {plugin: mockcloud}, c: {plugin: mockcloud}}\n"
        "audits: {a: {clouds: [b_c]}, a_b: {clouds: [c]}}\nrun: [a, a_b]\n",
        [
            "audits.a_b.clouds[0]: its records would be named 'a_b_c', like those of 'b_c' in the audit 'a'; "
            "choose another key"
        ],
    ),
    "an origin named like the framework's own": (
        "plugins: {audit: {plugin: mockcloud}, b_audit: {plugin: mockcloud}}\n"
        "audits: {a: {clouds: [audit, b_audit]}, a_b: {clouds: [mockcloud]}}\nrun: [a, a_b]\n",
        [
            "audits.a.clouds[0]: its records would be named 'a_audit', like cloudmarker's own of the "
            "audit 'a'; choose another key",
            "audits.a.clouds[1]: its records would be named 'a_b_audit', like cloudmarker's own of the "
            "audit 'a_b'; choose another key",
        ],
    ),
    "references that lead nowhere, and what is wrong besides": (
        cloud("{record_count: '${CLOUDMARKER_NONE}', record_cuont: '${'}") + "schedule: ${CLOUDMARKER_NONE}\nrum: 1\n",
        [
            "plugins.mine.params.record_count: the environment variable CLOUDMARKER_NONE is not set; set it, or write "
            "${CLOUDMARKER_NONE:-default}; a literal '${' is written '$${'",
            "plugins.mine.params.record_cuont: a '${' without its '}'; write '$${' for a literal '${'",
            "schedule: the environment variable CLOUDMARKER_NONE is not set; set it, or write "
            "${CLOUDMARKER_NONE:-default}; a literal '${' is written '$${'",
            "rum: unknown key 'rum'; did you mean 'run'?",
        ],
    ),
}


@pytest.mark.parametrize(("text", "expected"), BAD.values(), ids=BAD.keys())
def test_each_problem_is_one_line_and_all_are_reported(text, expected, monkeypatch):
    row = _oldnames.OldName(
        "cloudmarker.stores.ghoststore", "cloudmarker_ghost.ghoststore", "GhostStore", "cloudmarker-ghost", "ghost"
    )
    monkeypatch.setitem(_oldnames.BY_SHORT_NAME, row.short_name, row)
    monkeypatch.setitem(_oldnames.BY_MODULE, row.old, row)
    assert problems(text) == [f"audit.yaml: {line}" for line in expected]


GOOD = {
    "a comment and one key": "# mine\nschedule: '23:59'\n",
    "nothing after a list's key": "audits: {mockaudit: {events: , alerts: }}\n",
    "an event for events, a store for alerts": "audits: {mockaudit: {events: [mockevent], alerts: [filestore]}}\n",
    "a short name without an entry": "audits: {mockaudit: {events: [firewallruleevent]}}\n",
    "an entry whose key is the short name": "plugins: {firewallruleevent: {params: {ports: [22, '80-90']}}}\n",
    "a dotted name": cloud(plugin="cloudmarker.clouds.mockcloud.MockCloud"),
    "a class path with a colon": cloud(plugin="'cloudmarker.clouds.mockcloud:MockCloud'"),
    "any parameter, if the class takes any": cloud("{place: x, anything: 1}", "acme_test_plugins.Needs"),
    "null for a parameter whose default it is": cloud("{place: 1, other: 2, maybe: }", "acme_test_plugins.Strict"),
    "text from a reference for a number": cloud("{record_count: '${CLOUDMARKER_NONE:-5}'}"),
    "a plugin that no audit to be run uses need not be importable": "plugins: {x: {plugin: acme_gone.Cloud}}\n",
    "the same plugin as store and alert": "audits: {mockaudit: {stores: [filestore], alerts: [filestore]}}\n",
    "two audits with the same plugins": (
        "audits: {a: {clouds: [mockcloud], events: [mockevent]}, b: {clouds: [mockcloud], events: [mockevent]}}\n"
        "run: [a, b]\n"
    ),
    "equal names in audits that do not run together": (
        "plugins: {b_c: {plugin: mockcloud}, c: {plugin: mockcloud}}\naudits: {a: {clouds: [b_c]}, "
        "a_b: {clouds: [c]}}\n"
    ),
    "a documented email": (
        "email: {from_addr: C <c@example.com>, to_addrs: [a@example.com, b@example.com], subject: S, "
        "host: smtp.example.com}\n"
    ),
    "an email taken back": "email:\n",
    "a state directory": "state: {path: ~/cloudmarker-state}\n",
    "a key of 50 two-byte characters": f"audits: {{{'ü' * 50}: {{clouds: [mockcloud]}}}}\n",
}


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD.keys())
def test_what_is_right_has_no_problems(text):
    assert problems(text) == []


def test_problems_are_in_the_order_of_files_and_of_keys_and_name_the_file_that_set_the_value():
    with open("one.yaml", "w") as file:
        file.write("zzz: 1\naudits: {mockaudit: {stores: [nope]}}\nrun: [gone]\n")
    with open("two.yaml", "w") as file:
        file.write("schedule: 'x'\naudits: {mockaudit: {clouds: [filestore]}}\n")
    report = check(["one.yaml", "two.yaml"])
    assert [line.split(": ")[:2] for line in report.problems] == [
        ["one.yaml", "zzz"],
        ["one.yaml", "audits.mockaudit.stores[0]"],
        ["one.yaml", "run[0]"],
        ["two.yaml", "schedule"],
        ["two.yaml", "audits.mockaudit.clouds[0]"],
    ]


def test_what_the_base_config_set_is_said_to_be_there():
    # The audit of the base config now runs a plugin whose class another file has changed.
    assert problems("plugins: {mockcloud: {plugin: mockevent}}\n") == [
        "base config: audits.mockaudit.clouds[0]: 'mockcloud' is an event plugin; it belongs under 'events'"
    ]


def test_no_message_holds_the_value_of_a_reference(monkeypatch):
    for number in range(9):
        monkeypatch.setenv(f"CLOUDMARKER_S{number}", f"hunter2x{number}")
    found = problems(
        "plugins:\n"
        "  mine: {plugin: '${CLOUDMARKER_S0}', params: {a: '${CLOUDMARKER_S1}'}}\n"
        "  dotted: {plugin: 'acme.${CLOUDMARKER_S2}', params: {a: '${CLOUDMARKER_S1}'}}\n"
        "  mockcloud: {params: {record_count: '${CLOUDMARKER_S3}', nope: '${CLOUDMARKER_S4}'}}\n"
        "audits: {mockaudit: {clouds: [mockcloud, '${CLOUDMARKER_S5}', dotted], stores: '${CLOUDMARKER_S6}'}}\n"
        "run: ['${CLOUDMARKER_S7}', mockaudit]\n"
        "schedule: '${CLOUDMARKER_S8}'\n"
    )
    assert len(found) == 7
    assert not [line for line in found if "hunter2" in line]
    assert "audit.yaml: plugins.mine.plugin: no plugin named '${CLOUDMARKER_S0}'; see" in "\n".join(found)


def test_an_alert_plugin_under_stores_is_allowed_with_a_warning(site):
    site.install(
        "acme-alert",
        """
        @hookimpl
        def cloudmarker_plugins():
            return [PluginSpec("alert", "acmealert", "acme_test_plugins:Both", "Tells somebody.")]
        """,
    )
    assert problems("audits: {mockaudit: {stores: [filestore, acmealert]}}\n") == []
    assert check(["audit.yaml"]).config.warnings[-1] == (
        "audit.yaml: audits.mockaudit.stores[1]: 'acmealert' is an alert plugin: here it sends out every record of the "
        "clouds, not the events; did you mean 'alerts'?"
    )


def test_loading_raises_all_problems():
    with open("audit.yaml", "w") as file:
        file.write("zzz: 1\nyyy: 2\n")
    with pytest.raises(ConfigError) as caught:
        load(["audit.yaml"])
    assert caught.value.problems == check(["audit.yaml"]).problems
    assert len(caught.value.problems) == 2


def test_an_email_section_has_a_warning_only_if_something_is_wrong_with_it(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("email: {from_addr: a@example.com, to_addrs: [b@example.com], subject: Audit, ca_cert: ca.pem}\n")
    assert load([str(path)]).warnings == ()


def test_the_section_of_the_old_example_is_told_its_name(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("emailalert: {from_addr: a@example.com, to_addrs: [b@example.com], subject: Audit}\n")
    (problem,) = check([str(path)]).problems
    assert problem == f"{path}: emailalert: unknown key 'emailalert'; did you mean 'email'?"
