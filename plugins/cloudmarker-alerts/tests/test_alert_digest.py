from __future__ import annotations

import csv
import gzip
import io
import json
import subprocess
import sys

import pytest
from cloudmarker_alerts._digest import OTHERS, Digest
from cloudmarker_alerts._files import csv_row, pack
from hypothesis import given, settings
from hypothesis import strategies as st

WORDS = st.text(st.characters(codec="utf-8"), max_size=60)
VALUES = st.one_of(st.none(), WORDS, st.integers(), st.booleans(), st.lists(WORDS, max_size=2))


def line(com):
    return json.dumps({"com": com}).encode()


def digest_of(*coms, **options):
    digest = Digest(**options)
    for com in coms:
        digest.add(line(com), com)
    return digest


def test_findings_are_counted_and_what_is_fixed_is_counted_apart():
    digest = digest_of(
        {"severity": "high", "cloud_type": "azure", "account": "a", "check_id": "c", "status": "new"},
        {"severity": "high", "cloud_type": "gcp", "account": "b", "check_id": "c", "status": "open"},
        {"severity": "low", "cloud_type": "gcp", "account": "b", "check_id": "d", "status": "fixed"},
    )
    assert (digest.total, digest.open, digest.fixed) == (3, 2, 1)
    assert digest.severities == {"high": 2}
    assert digest.clouds == {"azure": 1, "gcp": 1}
    assert digest.accounts == {"a": 1, "b": 1}
    assert digest.checks == {"c": 2}
    assert digest.statuses == {"new": 1, "open": 1, "fixed": 1}
    assert [finding.check_id for finding in digest.gone()] == ["d"]


@pytest.mark.parametrize("com", [{}, {"severity": None}, {"severity": "grave"}, {"severity": ["high"]}])
def test_an_event_of_another_shape_is_unrated_and_counted(com):
    digest = digest_of(com)
    assert digest.severities == {"unrated": 1}
    assert [(group.severity, group.account, group.count) for group in digest.groups()] == [("unrated", "", 1)]


def test_groups_come_worst_first_and_then_the_largest():
    digest = digest_of(
        {"severity": "low", "account": "a"},
        *[{"severity": "high", "account": "b"}] * 2,
        *[{"severity": "high", "account": "a"}] * 3,
        {"severity": "critical", "account": "c"},
    )
    assert [(group.severity, group.account, group.count) for group in digest.groups()] == [
        ("critical", "c", 1),
        ("high", "a", 3),
        ("high", "b", 2),
        ("low", "a", 1),
    ]


def test_what_is_new_is_kept_in_place_of_what_is_not():
    old = [{"severity": "high", "account": "a", "status": "open", "reference": f"old-{n}"} for n in range(50)]
    new = [{"severity": "high", "account": "a", "status": "new", "reference": f"new-{n}"} for n in range(3)]
    (group,) = digest_of(*old, *new, per_group=5, per_severity=5).groups()
    assert [finding.reference for finding in group.findings] == ["new-0", "new-1", "new-2", "old-0", "old-1"]
    assert group.count == 53


def test_one_account_does_not_take_the_room_of_the_others():
    coms = [{"severity": "high", "account": "loud"}] * 100 + [{"severity": "high", "account": "quiet"}]
    groups = digest_of(*coms, per_group=10, per_severity=40).groups()
    assert [(group.account, len(group.findings)) for group in groups] == [("loud", 10), ("quiet", 1)]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.fixed_dictionaries({}, optional={
    "severity": st.sampled_from(["critical", "high", "medium", "low", "info", "x"]),
    "status": st.sampled_from(["new", "open", "reopened", "fixed"]),
    "account": st.sampled_from(["a", "b", "c"]),
}), max_size=60))  # fmt: skip
def test_nothing_is_counted_twice_or_not_at_all(coms):
    with digest_of(*coms, per_group=3, per_severity=5) as digest:
        assert sum(digest.severities.values()) + digest.fixed == digest.total == len(coms)
        groups = digest.groups()
        assert sum(group.count for group in groups) == digest.open
        for group in groups:
            assert len(group.findings) <= min(3, group.count)
        assert len(list(digest.lines())) == len(coms)


@settings(deadline=None, max_examples=50)
@given(VALUES, VALUES)
def test_texts_of_findings_are_single_lines_without_anything_that_acts(description, account):
    with digest_of({"description": description, "account": account}) as digest:
        (finding,) = digest.worst(1)
    for text in (finding.description, finding.account):
        assert text.isprintable()
        assert len(text) <= 1000


def test_texts_are_cut_to_length():
    (finding,) = digest_of({"description": "x" * 5000}, max_text=100).worst(1)
    assert finding.description == "x" * 99 + "…"


def test_lines_come_worst_first_and_as_they_were():
    coms = [{"severity": "low", "n": 1}, {"severity": "high", "n": 2}, {"n": 3}, {"severity": "low", "n": 4}]
    with digest_of(*coms) as digest:
        assert [json.loads(text)["com"]["n"] for text in digest.lines()] == [2, 1, 4, 3]
        digest.add(line({"n": 5}), {"n": 5})
        assert len(list(digest.lines())) == 5


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
@pytest.mark.parametrize("limit", [100, 10_000, 100_000, 500_000])
def test_a_file_never_exceeds_its_limit_and_knows_what_is_in_it(kind, limit):
    import random

    noise = random.Random(2)
    coms = [{"severity": "high", "reference": noise.randbytes(200).hex()} for _ in range(1000)]
    with digest_of(*coms) as digest:
        file = digest.jsonl(limit) if kind == "jsonl" else digest.csv(limit)
    assert len(file.data) <= limit
    text = gzip.decompress(file.data) if file.compressed else file.data
    rows = text.splitlines() if kind == "jsonl" else list(csv.reader(io.StringIO(text.decode("utf-8-sig"))))[1:]
    assert (len(rows), file.total) == (file.count, 1000)
    assert file.whole == (file.count == 1000)
    for row, com in zip(rows, coms, strict=False):
        assert (json.loads(row)["com"]["reference"] if kind == "jsonl" else row[4]) == com["reference"]


def test_a_file_over_a_megabyte_is_compressed_and_whole():
    rows = [b"x" * 999 + b"\n"] * 3000
    file = pack("jsonl", b"", iter(rows), 3000, 2_000_000)
    assert (file.name, file.count, file.whole) == ("findings.jsonl.gz", 3000, True)
    assert gzip.decompress(file.data) == b"".join(rows)


@settings(deadline=None, max_examples=50)
@given(st.one_of(VALUES, st.sampled_from(["=1+1", "+1", "-1", "@x", " =1", "\t=1", "\r\n=1", "\uff1d1", "\x00=1"])))
def test_no_cell_of_a_table_is_a_formula(value):
    ((_, _, _, _, cell, *_),) = csv.reader(io.StringIO(csv_row(line({"reference": value})).decode()))
    assert not cell.lstrip().startswith(("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20"))
    assert cell.isprintable()


def test_more_names_than_can_be_told_apart_are_counted_together():
    digest = digest_of(*({"account": f"a-{n}", "severity": "low"} for n in range(6000)))
    assert len(digest.accounts) == 5001
    assert digest.accounts[OTHERS] == 1000
    assert sum(group.count for group in digest.groups()) == 6000


def test_temporary_files_are_private_and_have_no_name(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with digest_of({"severity": "low"}) as digest:
        assert list(tmp_path.iterdir()) == []
        assert list(digest.lines())


MANY = """
import json, resource, sys, tracemalloc
from cloudmarker_alerts._digest import Digest
digest, count = Digest(), int(sys.argv[1])
tracemalloc.start()
for n in range(count):
    com = {"severity": ("high", "low")[n % 2], "account": f"account-{n % 7}", "reference": f"r-{n}", "status": "open",
           "description": "x" * 400, "recommendation": "y" * 400}
    digest.add(json.dumps({"com": com}).encode(), com)
for file in (digest.jsonl(5_000_000), digest.csv(5_000_000)):
    assert file.whole, file
print(tracemalloc.get_traced_memory()[1])
"""


def test_memory_does_not_grow_with_the_number_of_events():
    def peak(count):
        done = subprocess.run([sys.executable, "-c", MANY, str(count)], check=True, capture_output=True, text=True)
        return int(done.stdout)

    assert peak(20_000) < peak(5_000) + 2_000_000
