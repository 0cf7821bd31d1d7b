"""The file store: what it writes, where, and what it leaves alone."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import resource
import stat
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import Any

import pytest
from cloudmarker._filenames import file_stem
from cloudmarker.batches import RecordBatch
from cloudmarker.contracts import Incomplete
from cloudmarker.errors import ConfigError, PluginError
from cloudmarker.report import Report
from cloudmarker.storerun import WorkerRun
from cloudmarker.stores.filestore import FileStore
from cloudmarker.testing import records
from hypothesis import example, given, settings
from hypothesis import strategies as st

ROOT = os.geteuid() == 0
NOBODY = 65534


def fill(store: FileStore, *numbers: int, key: str = "cloud") -> None:
    for record in records.stamped(*(records.mock(number) for number in numbers), plugin_key=key):
        store.write(record)


def batch(origin: str, *values: Any) -> RecordBatch:
    return RecordBatch(origin, [("mock", len(values))], b"\n".join(json.dumps(value).encode() for value in values))


def run(*origins: str) -> WorkerRun:
    return WorkerRun(Report("store", "store", "audit_store"), origins=origins)


def names(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir())


def numbers(path: Path) -> list[int]:
    return [record["raw"]["data"] for record in json.loads(path.read_bytes())]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def store(out: Path) -> FileStore:
    return FileStore(str(out))


# Names and contents


def test_records_go_to_a_file_named_after_their_origin_worker(store, out):
    fill(store, 1, 2)
    fill(store, 3, key="other")
    assert names(out) == ["audit_cloud.tmp", "audit_other.tmp"]
    store.done()
    assert names(out) == ["audit_cloud.json", "audit_other.json"]
    assert numbers(out / "audit_cloud.json") == [1, 2]
    assert list(store.outputs()) == [str(out / "audit_cloud.json"), str(out / "audit_other.json")]


def test_a_record_without_an_origin_goes_to_a_file_of_its_own(store, out):
    store.write({"raw": 1})
    store.done()
    assert json.loads((out / "no_worker.json").read_bytes()) == [{"raw": 1}]


def test_a_file_is_an_array_with_one_record_a_line(store, out):
    store.write_batch(batch("a", {"n": 1}, {"n": 2}))
    store.write_batch(batch("a", {"n": "three\nlines\n"}))
    store.done()
    text = (out / "a.json").read_bytes()
    assert text == b'[\n{"n": 1},\n{"n": 2},\n{"n": "three\\nlines\\n"}\n]\n'
    assert json.loads(text) == [{"n": 1}, {"n": 2}, {"n": "three\nlines\n"}]


def test_records_and_batches_of_them_make_the_same_file(tmp_path):
    made = records.stamped(*records.every_type(), *records.awkward())
    one, two = FileStore(str(tmp_path / "one")), FileStore(str(tmp_path / "two"))
    for record in made:
        one.write(record)
    for part in records.batches(made):
        two.write_batch(part)
    one.done()
    two.done()
    text = (tmp_path / "one" / "audit_cloud.json").read_bytes()
    assert text == (tmp_path / "two" / "audit_cloud.json").read_bytes()
    assert json.loads(text) == made


def test_origins_that_yield_nothing_leave_empty_arrays_in_the_place_of_old_files(store, out):
    fill(store, 1)
    store.done()
    again = FileStore(str(out))
    again.begin(run("audit_cloud", "audit_new"))
    assert numbers(out / "audit_cloud.json") == [1]  # the old one, until the new one is complete
    again.done()
    assert (out / "audit_cloud.json").read_bytes() == b"[\n]\n"
    assert json.loads((out / "audit_new.json").read_bytes()) == []


def test_nothing_at_all_makes_no_directory(store, out):
    store.done()
    assert not out.exists()
    assert list(store.outputs()) == []


def test_a_tilde_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    store = FileStore("~/below/out")
    fill(store, 1)
    store.done()
    assert list(store.outputs()) == [str(tmp_path / "below" / "out" / "audit_cloud.json")]


def test_what_is_made_is_private(store, out):
    fill(store, 1)
    store.done()
    fill(store, 1)
    store.abort(Incomplete({"audit_cloud": "denied"}))
    assert stat.S_IMODE(out.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in out.iterdir()} == {0o600}
    assert len(names(out)) == 2


# What is incomplete


def test_an_incomplete_stream_leaves_the_last_complete_file_and_is_put_beside_it(store, out):
    fill(store, 1, 2)
    store.done()
    fill(store, 3)
    fill(store, 4, key="other")
    store.abort(Incomplete({"audit_cloud": "denied", "audit_store": "of no interest here"}))
    assert names(out) == ["audit_cloud.json", "audit_cloud.partial.json", "audit_other.json"]
    assert numbers(out / "audit_cloud.json") == [1, 2]
    assert numbers(out / "audit_cloud.partial.json") == [3]
    assert list(store.outputs())[-2:] == [str(out / "audit_cloud.partial.json"), str(out / "audit_other.json")]


def test_the_next_complete_file_removes_the_partial_one(store, out):
    for end in (lambda: store.abort(Incomplete({"audit_cloud": "denied"})), store.done):
        fill(store, 1)
        end()
    assert names(out) == ["audit_cloud.json"]


def test_a_leftover_of_a_run_that_died_is_replaced(store, out):
    out.mkdir()
    (out / "audit_cloud.tmp").write_text('[\n{"half a rec')
    fill(store, 1)
    store.done()
    assert names(out) == ["audit_cloud.json"]
    assert numbers(out / "audit_cloud.json") == [1]


# Two at once


def test_a_second_writer_of_a_file_is_told_to_wait_and_harms_nothing(store, out):
    fill(store, 1)
    other = FileStore(str(out))
    message = rf"{out}/audit_cloud\.tmp: another run is writing it; wait for that one"
    with pytest.raises(PluginError, match=message):
        fill(other, 2)
    with pytest.raises(PluginError, match=message):
        other.begin(run("audit_cloud"))
    other.abort(Incomplete({"audit_cloud": "locked out"}))
    fill(store, 3)
    store.done()
    assert numbers(out / "audit_cloud.json") == [1, 3]
    assert names(out) == ["audit_cloud.json"]


def test_two_writers_may_write_different_files_of_a_directory(store, out):
    other = FileStore(str(out))
    fill(store, 1)
    fill(other, 2, key="other")
    store.done()
    other.done()
    assert names(out) == ["audit_cloud.json", "audit_other.json"]


def test_a_file_that_someone_put_in_the_place_of_the_one_being_written_is_not_taken_for_it(store, out):
    fill(store, 1)
    store.done()
    fill(store, 2)
    (out / "audit_cloud.tmp").unlink()
    (out / "audit_cloud.tmp").write_text("[]")
    with pytest.raises(PluginError, match=r"audit_cloud\.tmp: was replaced while it was being written"):
        store.done()
    assert numbers(out / "audit_cloud.json") == [1]


# Shared directories and planted links


@pytest.mark.parametrize("name", ["audit_cloud.tmp", "audit_cloud.json", "audit_cloud.partial.json"])
@pytest.mark.parametrize("kind", ["link", "dangling link", "hard link"])
@pytest.mark.parametrize("complete", [True, False])
def test_a_link_planted_in_the_place_of_a_file_is_not_followed(store, out, tmp_path, name, kind, complete):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    out.mkdir()
    if kind == "hard link":
        os.link(victim, out / name)
    else:
        (out / name).symlink_to(victim if kind == "link" else tmp_path / "not there")
    fill(store, 1)
    store.abort(Incomplete({} if complete else {"audit_cloud": "denied"}))
    assert victim.read_text() == "precious"
    assert not (tmp_path / "not there").exists()
    written = out / ("audit_cloud.json" if complete else "audit_cloud.partial.json")
    assert not written.is_symlink()
    assert numbers(written) == [1]


@pytest.mark.skipif(not ROOT, reason="only root can make a link that belongs to someone else")
def test_a_directory_that_is_someone_elses_link_is_refused(out, tmp_path):
    (tmp_path / "mine").mkdir()
    out.symlink_to(tmp_path / "mine")
    os.lchown(out, NOBODY, NOBODY)
    with pytest.raises(PluginError, match=f"{out}: is a link that another user made"):
        fill(FileStore(str(out)), 1)
    assert names(tmp_path / "mine") == []


@pytest.mark.skipif(not ROOT, reason="only root can make a directory that belongs to someone else")
@pytest.mark.parametrize("mode", [0o700, 0o755, 0o777])
def test_a_directory_of_someone_else_is_refused(out, mode):
    out.mkdir()
    out.chmod(mode)
    os.chown(out, NOBODY, NOBODY)
    with pytest.raises(PluginError, match=f"{out}: belongs to another user"):
        fill(FileStore(str(out)), 1)
    assert names(out) == []


def test_ones_own_link_to_a_directory_is_followed(out, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    out.symlink_to(tmp_path / "elsewhere")
    store = FileStore(str(out))
    fill(store, 1)
    store.done()
    assert numbers(tmp_path / "elsewhere" / "audit_cloud.json") == [1]


def test_a_shared_directory_in_which_nobody_can_take_ones_files_is_used(out):
    out.mkdir()
    out.chmod(0o1777)
    store = FileStore(str(out))
    fill(store, 1)
    store.done()
    assert numbers(out / "audit_cloud.json") == [1]


# What cannot be written


@pytest.mark.parametrize("place", ["a file", "below a file", "a dangling link"])
def test_a_path_that_cannot_be_a_directory_is_named(tmp_path, place):
    path = tmp_path / "here"
    if place == "a dangling link":
        path.symlink_to(tmp_path / "not there")
    else:
        path.write_text("")
    if place == "below a file":
        path /= "sub"
    with pytest.raises(PluginError, match=f"^{path}: "):
        fill(FileStore(str(path)), 1)


def python(script: str, *args: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *map(str, args)],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


@pytest.fixture
def locked():
    """A directory that the user nobody can see but not write, which root has to be to be kept out."""
    with tempfile.TemporaryDirectory() as top:
        path = Path(top) / "locked"
        path.mkdir()
        path.chmod(0o500)
        if ROOT:
            Path(top).chmod(0o711)
            os.chown(path, NOBODY, NOBODY)
        yield path


def test_a_directory_that_may_not_be_written_is_named(locked):
    script = """
        import os, sys
        from cloudmarker.stores.filestore import FileStore
        from cloudmarker.errors import PluginError
        if os.geteuid() == 0:
            os.seteuid(65534)
        try:
            FileStore(sys.argv[1]).write({"com": {"origin_worker": "a_cloud"}})
        except PluginError as exc:
            print(exc)
    """
    ran = python(script, locked)
    assert ran.stdout == f"{locked}/a_cloud.tmp: Permission denied\n", ran.stderr


FULL = """
    import resource, sys
    from cloudmarker.batches import RecordBatch
    from cloudmarker.contracts import Incomplete
    from cloudmarker.stores.filestore import FileStore
    from cloudmarker.errors import PluginError

    line = b'{"x":"%s"}' % (b"x" * 1000)
    store = FileStore(sys.argv[1])
    store.write_batch(RecordBatch("small", [("mock", 1)], line))
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
    batch = RecordBatch("big", [("mock", 100)], b"\\n".join([line] * 100))
    for number in range(10):
        try:
            store.write_batch(batch)
        except PluginError as exc:
            print("write:", exc)
    try:
        store.done()
    except PluginError as exc:
        print("done:", exc)
    print(*store.outputs())
"""


@pytest.mark.parametrize("room", [0, 1, 150_000, 300_000])
def test_a_full_disk_ends_the_store_and_keeps_the_last_complete_file(store, out, room):
    store.write_batch(batch("big", "the last complete one"))
    store.write_batch(batch("small", "the last complete one"))
    store.done()
    ran = python(FULL, out, room)
    assert "write: " in ran.stdout, ran.stderr
    assert f"done: {out}/" in ran.stdout
    assert json.loads((out / "big.json").read_bytes()) == ["the last complete one"]
    assert json.loads((out / "small.json").read_bytes()) is not None
    for path in out.glob("*.json"):
        json.loads(path.read_bytes())
    if room > 100_000:
        kept = json.loads((out / "big.partial.json").read_bytes())
        assert 0 < len(kept) < room // 1000
        assert len(kept) % 100 == 0
        assert {len(record["x"]) for record in kept} == {1000}
        assert "File too large" in ran.stdout


def test_a_disk_that_is_full_at_the_last_moment_keeps_the_last_complete_file(store, out):
    store.write_batch(batch("big", "the last complete one"))
    store.done()
    script = (
        FULL.replace("range(10)", "range(1)")
        .replace("[line] * 100", "[line] * 10")
        .replace('("mock", 100)', '("mock", 10)')
    )
    ran = python(script, out, 5000)  # all of it is still in memory when done is called
    assert "write: " not in ran.stdout, ran.stderr
    assert f"done: {out}/big.tmp: File too large" in ran.stdout
    assert json.loads((out / "big.json").read_bytes()) == ["the last complete one"]
    assert json.loads((out / "big.partial.json").read_bytes()) == []
    assert len(json.loads((out / "small.json").read_bytes())) == 1


def test_a_file_is_on_the_disk_before_it_takes_its_name(store, out):
    calls: list[str] = []

    def on_call(frame: Any, event: str, function: Any) -> None:
        if event == "c_call" and getattr(function, "__module__", "") == "posix":
            calls.append(function.__name__)

    fill(store, 1)
    sys.setprofile(on_call)
    try:
        store.done()
    finally:
        sys.setprofile(None)
    kept = [call for call in calls if call in ("write", "fsync", "rename", "link", "replace")]
    assert kept == ["write", "write", "fsync", "rename", "fsync"]  # the records, the bracket, the file, the directory


# Names that would be somewhere else

HOSTILE = [
    "../x",
    "/etc/x",
    "a/b",
    "a\0b",
    ".",
    "..",
    "",
    "...",
    ".hidden",
    "x" * 5000,
    "é" * 300,
    "名前",
    "%",
    "%2E",
    "a%2Fb",
    "a\nb",
    "\ud800",
    "~",
    "~root",
    "con",
    "x.partial",
    "x",
    "x.tmp",
    "x.json",
    ".partial",
    "-rf",
    "a\\b",
]


def test_whatever_an_origin_is_called_its_file_is_in_the_directory(store, out, tmp_path):
    for number, origin in enumerate(HOSTILE):
        store.write_batch(batch(origin, {"n": number, "origin": number}))
    store.done()
    assert names(tmp_path) == ["out"]
    found = {json.loads(path.read_bytes())[0]["n"] for path in out.iterdir()}
    assert found == set(range(len(HOSTILE)))
    assert len(names(out)) == len(HOSTILE)
    assert all(not name.startswith(".") for name in names(out))


@pytest.mark.parametrize("origins", [("x", "x.partial"), ("x.partial", "x")])
def test_the_partial_file_of_one_origin_is_never_the_file_of_another(out, origins):
    for end in ("abort", "done"):
        store = FileStore(str(out))
        for origin in origins:
            store.write_batch(batch(origin, origin))
        if end == "abort":
            store.abort(Incomplete({"x": "denied"}))
        else:
            store.done()
    assert sorted(json.loads(path.read_bytes()) for path in out.iterdir()) == [["x"], ["x.partial"]]


alphabets = st.text(st.sampled_from("ab./%~2EpP\0é\ud800"), max_size=12) | st.text(
    st.characters(codec=None), max_size=300
)
stems = alphabets | st.sampled_from(HOSTILE)


@settings(max_examples=300, deadline=None)
@given(stems | st.builds(lambda stem: stem + ".partial", stems), stems)
@example("x" * 300, "x" * 301)
@example("x.partial", "x%2Epartial")
@example("", "%")
def test_a_stem_is_a_plain_file_name_and_different_for_each_origin(one, two):
    stem = file_stem(one)
    assert stem
    assert len(os.fsencode(f"{stem}.partial.json")) <= 255
    assert stem.isascii()
    assert stem.isprintable()
    assert "/" not in stem
    assert not stem.startswith(".")
    assert not stem.endswith(".partial")
    assert (stem == file_stem(two)) is (one == two)


def test_the_documented_name_of_a_normal_origin_is_kept():
    assert file_stem("my-audit_my.cloud 2") == "my-audit_my.cloud 2"


def test_no_descriptor_is_left_open(out):
    fds = set(os.listdir("/proc/self/fd"))
    for _ in range(3):
        store = FileStore(str(out))
        fill(store, 1)
        store.done()
    other = FileStore(str(out))
    fill(store, 1)
    with contextlib.suppress(PluginError):
        fill(other, 1)
    other.done()
    store.abort(Incomplete({"audit_cloud": "denied"}))
    assert set(os.listdir("/proc/self/fd")) == fds


def test_memory_does_not_grow_with_what_is_written(store, out):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    line = batch("big", *(["x" * 1000] * 1000))
    for _ in range(60):
        store.write_batch(line)
    store.done()
    assert (out / "big.json").stat().st_size > 60_000_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # kilobytes


# Formats


@pytest.mark.parametrize(("form", "open_"), [("jsonl", open), ("jsonl.gz", gzip.open)])
def test_json_lines_have_one_record_a_line_and_nothing_else(out, form, open_):
    store = FileStore(str(out), format=form)
    store.begin(run("audit_cloud", "audit_none"))
    fill(store, 1, 2)
    store.write_batch(batch("audit_cloud", {"raw": {"data": 3}}, {"raw": {"data": 4}}))
    store.done()
    assert names(out) == [f"audit_cloud.{form}", f"audit_none.{form}"]
    with open_(out / f"audit_cloud.{form}", "rt") as file:
        lines = file.read()
    assert lines.endswith("\n")
    assert [json.loads(line)["raw"]["data"] for line in lines.splitlines()] == [1, 2, 3, 4]
    with open_(out / f"audit_none.{form}", "rb") as file:
        assert file.read() == b""


@pytest.mark.parametrize("form", ["jsonl", "jsonl.gz"])
def test_a_partial_file_in_any_format_leaves_the_complete_one_alone(out, form):
    for end in ("done", "abort"):
        store = FileStore(str(out), format=form)
        fill(store, 1)
        store.done() if end == "done" else store.abort(Incomplete({"audit_cloud": "it broke off"}))
    assert names(out) == [f"audit_cloud.{form}", f"audit_cloud.partial.{form}"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in out.iterdir()} == {0o600}


def test_what_was_written_before_the_process_died_can_be_read_in_a_compressed_file(out):
    store = FileStore(str(out), format="jsonl.gz")
    store.write_batch(batch("audit_cloud", *({"raw": "x" * 1000} for _ in range(100))))
    assert gzip.decompress((out / "audit_cloud.tmp").read_bytes()).count(b"\n") == 99


def test_a_format_that_is_not_known_is_refused():
    with pytest.raises(ConfigError, match=r"format: must be one of json, jsonl, jsonl\.gz, not xml"):
        FileStore(format="xml")  # type: ignore[arg-type]
