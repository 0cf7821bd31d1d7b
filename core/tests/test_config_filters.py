"""Filters and suppressions in the configuration: every slip is one line, before anything starts."""

from __future__ import annotations

import jsonschema
import pytest
import yaml
from cloudmarker.config import check
from cloudmarker.config.schema import json_schema

PLUGINS = """
class Types:
    record_types = ("compute", "disk")
    def __init__(self): ...
    def eval(self, record): return ()
    def done(self): ...

class Together(Types):
    def finish(self): return iter(())

class Chosen(Types):
    @property
    def record_types(self): return ["compute"]
"""

BASE = """
audits: {daily: {clouds: [mockcloud], stores: [filestore], events: [mine], alerts: [told]}}
run: [daily]
plugins: {mine: {plugin: acme_filter_plugins.Types}, told: {plugin: filestore}}
"""


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    """A module of plugins on the path, and the base of each configuration in the working directory."""
    (tmp_path / "acme_filter_plugins.py").write_text(PLUGINS)
    (tmp_path / "base.yaml").write_text(BASE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)


def report(text):
    """The problems and warnings of BASE with *text* over it."""
    with open("it.yaml", "w", encoding="utf-8") as file:
        file.write(text)
    found = check(["base.yaml", "it.yaml"])
    return [
        [line.removeprefix("it.yaml: ") for line in lines if line.startswith("it.yaml: ")]
        for lines in (found.problems, found.config.warnings)
    ]


GOOD = {
    "all conditions": "plugins: {told: {when: {record_types: [mock_event], clouds: [mock], severity: [high, low], "
    "accounts: ['*-prod', 1a2b], status: [new, reopened, fixed]}}}",
    "a least severity": "plugins: {told: {when: {min_severity: high}}}",
    "no filter": "plugins: {told: {when: }}",
    "a condition taken back": "plugins: {told: {when: {min_severity: , accounts: }}}",
    "a store and an event": "plugins: {filestore: {when: {record_types: [compute]}}, mine: {when: {accounts: [a]}}}",
    "types of third parties": "plugins: {filestore: {when: {record_types: [acme_gadget, mock]}}}",
    "no suppressions": "suppressions: ",
    "suppressions": """
suppressions:
- {check: c, reference: '*', reason: r, owner: o, expires: never, audits: [daily]}
- {check: c, reference: a/b, reason: r, owner: o, expires: 2999-12-31, audits: }
- {fingerprint: 0a, reason: r, owner: o, expires: '2999-12-31'}
""",
    "references": "plugins: {told: {when: {min_severity: '${L:-low}', status: ['${S:-new}'], clouds: ['${C:-c}']}}}\n"
    "suppressions: [{fingerprint: '${F:-f}', reason: r, owner: o, expires: '${DAY:-never}'}]",
    "a type of the plugin": "plugins: {mine: {when: {record_types: [disk]}}}",
    "types that are known only when it runs": "plugins: {mine: {plugin: acme_filter_plugins.Chosen, "
    "when: {record_types: [disk]}}}",
}


@pytest.mark.parametrize("text", GOOD.values(), ids=list(GOOD))
def test_what_makes_sense_is_accepted(text):
    assert report(text) == [[], []]
    jsonschema.validate(yaml.safe_load(text), json_schema())


BAD = {
    "plugins: {told: {when: {severity: [hihg]}}}": "plugins.told.when.severity[0]: expected one of 'critical', 'high', "
    "'medium', 'low', 'info'; did you mean 'high'?",
    "plugins: {told: {when: {min_severity: 3}}}": "plugins.told.when.min_severity: expected one of 'critical', 'high', "
    "'medium', 'low', 'info'",
    "plugins: {told: {when: {status: [opne]}}}": "plugins.told.when.status[0]: expected one of 'new', 'open', "
    "'reopened', 'fixed'; did you mean 'open'?",
    "plugins: {told: {when: {acounts: [a]}}}": "plugins.told.when.acounts: unknown key 'acounts'; did you mean "
    "'accounts'?",
    "plugins: {told: {when: {accounts: a}}}": "plugins.told.when.accounts: expected a list, got text; begin each of "
    "its entries with '- '",
    "plugins: {told: {when: {clouds: []}}}": "plugins.told.when.clouds: the list is empty; it needs at least one entry",
    "plugins: {told: {when: [high]}}": "plugins.told.when: expected a mapping, got a list",
    "plugins: {told: {when: {severity: [low], min_severity: high}}}": "plugins.told.when: 'severity' and "
    "'min_severity' exclude each other; keep one of them",
    "plugins: {mockcloud: {when: {accounts: [a]}}}": "plugins.mockcloud.when: a cloud takes no filter: put it at the "
    "stores, events and alerts that get its records, or choose with its 'params' what it reads",
    "plugins: {filestore: {when: {min_severity: high}}}": "plugins.filestore.when.min_severity: only findings have "
    "that, and under 'stores' it is given the records of the clouds: none would come through; for 'alerts', make an "
    "entry of its own",
    "plugins: {mine: {when: {status: [new]}}}": "plugins.mine.when.status: only findings have that, and under 'events' "
    "it is given the records of the clouds: none would come through; for 'alerts', make an entry of its own",
    "plugins: {mine: {when: {record_types: [firewall]}}}": "plugins.mine.when.record_types: Types takes records of "
    "compute, disk only: none would come through",
    "suppressions: {check: c}": "suppressions: expected a list, got a mapping; begin each of its entries with '- '",
    "suppressions: [{check: c, reason: r, owner: o, expires: never}]": "suppressions[0]: 'reference' is missing; to "
    "suppress the check everywhere, write reference: '*'",
    "suppressions: [{reason: r, owner: o, expires: never}]": "suppressions[0]: give either 'check' with 'reference', "
    "or 'fingerprint'",
    "suppressions: [{check: c, fingerprint: f, reference: a, reason: r, owner: o, expires: never}]": "suppressions[0]: "
    "give either 'check' with 'reference', or 'fingerprint'",
    "suppressions: [{fingerprint: f, reference: a, reason: r, owner: o, expires: never}]": "suppressions[0].reference: "
    "a fingerprint is of one finding already; leave the reference out",
    "suppressions: [{fingerprint: f, owner: o, expires: never}]": "suppressions[0]: 'reason' is missing",
    "suppressions: [{fingerprint: f, reason: r, owner: '', expires: never}]": "suppressions[0].owner: empty, but text "
    "is needed",
    "suppressions: [{fingerprint: f, reason: r, owner: o}]": "suppressions[0]: 'expires' is missing",
    "suppressions: [{fingerprint: f, reason: r, owner: o, expires: }]": "suppressions[0].expires: expected a day, such "
    "as 2030-12-31, or never",
    "suppressions: [{fingerprint: f, reason: r, owner: o, expires: soon}]": "suppressions[0].expires: expected a day, "
    "such as 2030-12-31, or never",
    "suppressions: [{fingerprint: f, reason: r, owner: o, expires: never, audits: [dialy]}]": "suppressions[0]."
    "audits[0]: no audit named 'dialy'; did you mean 'daily'?",
    "suppressions: [{fingerprint: 12, reason: r, owner: o, expires: never}]": "suppressions[0].fingerprint: expected "
    "text or null, got a whole number; put it in quotes",
}


@pytest.mark.parametrize(("text", "line"), BAD.items(), ids=list(BAD))
def test_each_slip_is_one_line_that_says_what_to_do(text, line):
    assert report(text)[0] == [line]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "plugins: {mine: {when: {record_types: [disk, compte]}}}",
            "plugins.mine.when.record_types[1]: Types takes no records of this type; did you mean 'compute'?",
        ),
        (
            "plugins: {filestore: {when: {record_types: [firewall_rul]}}}",
            "plugins.filestore.when.record_types[0]: this com.record_type is not a known one; did you mean "
            "'firewall_rule'?",
        ),
        (
            "plugins: {mine: {plugin: acme_filter_plugins.Together, when: {record_types: [disk]}}}",
            "plugins.mine.when.record_types: Together judges records together; what it says may be wrong without "
            "compute",
        ),
        (
            "suppressions: [{fingerprint: f, reason: r, owner: Jo, expires: 2020-02-29}]",
            "suppressions[0]: it expired on 2020-02-29 and suppresses nothing; renew or remove it; ask Jo",
        ),
    ],
)
def test_what_works_but_hardly_as_meant_is_a_warning(text, line):
    assert report(text) == [[], [line]]


def test_what_a_reference_stands_for_is_not_shown(monkeypatch):
    monkeypatch.setenv("OWNER", "s3cret")
    entry = "{fingerprint: f, reason: r, owner: '${OWNER}', expires: 2020-02-29}"
    (warning,) = report(f"suppressions: [{entry}]")[1]
    assert "s3cret" not in warning


def test_an_audit_that_is_not_run_is_checked_for_filters_that_cannot_work():
    plugins = "plugins: {low: {plugin: filestore, when: {status: [new]}}}"
    assert len(report(f"audits: {{other: {{clouds: [mockcloud], stores: [low]}}}}\n{plugins}")[0]) == 1


@pytest.mark.parametrize(
    "text",
    [
        "plugins: {told: {when: {severity: [hihg]}}}",
        "plugins: {told: {when: {min_severity: 3}}}",
        "plugins: {told: {when: {status: [opne]}}}",
        "plugins: {told: {when: {acounts: [a]}}}",
        "plugins: {told: {when: {clouds: []}}}",
        "suppressions: [{fingerprint: f, reason: r, owner: o, expires: soon}]",
        "suppressions: [{fingerprint: 12, reason: r, owner: o, expires: never}]",
        "suppressions: [{finger: f}]",
    ],
)
def test_an_editor_marks_slips(text):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(text), json_schema())
