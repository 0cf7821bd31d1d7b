"""The spool: what a store was given, what producers could not hand over, and what a crash leaves of both."""

from __future__ import annotations

import itertools
import os
import resource
import shutil
import stat
import threading
from collections.abc import Iterator
from multiprocessing import connection
from pathlib import Path

import pytest
from cloudmarker import _journal
from cloudmarker._handover import Handover
from cloudmarker._journal import DELIVERED, LEDGER, REJECTED, Journal
from cloudmarker._spooling import Spooling
from cloudmarker.channel import FanOut, Pipe, PipeInput
from cloudmarker.contracts import Record
from cloudmarker.records import Stamper, decode, encode
from cloudmarker.report import Report
from cloudmarker.results import AuditInfo
from cloudmarker.spool import Found, Owner, Spool, append, spools, spools_of, stamps
from cloudmarker.storerun import WorkerRun
from cloudmarker.testing import MemoryStore, records
from cloudmarker.when import Wanted, When
from cloudmarker.workers import run_store
from hypothesis import given, settings
from hypothesis import strategies as st

OWNER = Owner("a", "20260102_030405", "es", "store", ("a_cloud", "a_audit"))
ONLY_MOCK = {"record_types": ["mock"]}
LINES = [encode(record) for record in records.stamped(*(records.mock(n) for n in range(60)))]


def data(*numbers: int) -> bytes:
    return b"\n".join(LINES[n] for n in numbers)


def made(*record_types: str) -> list[Record]:
    return [records.mock(n) if name == "mock" else records.scope() for n, name in enumerate(record_types)]


def left(directory: Path) -> list[int]:
    """The numbers of the records that have no answer, as a replay finds them."""
    journal = Journal.load(directory)
    return [LINES.index(line) for name in journal.names for _, line in journal.unsettled(name)]


def files(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(_journal, "PART_BYTES", 2 * len(LINES[0]))


# The journal


def test_what_was_received_is_in_files_at_once_and_private(tmp_path):
    journal = Journal(tmp_path)
    assert journal.receive(data(0, 1), 2) == 0
    assert journal.receive(data(2), 1) == 2
    assert (tmp_path / "000001.jsonl").read_bytes() == data(0, 1, 2) + b"\n"
    assert stat.S_IMODE((tmp_path / "000001.jsonl").stat().st_mode) == 0o600
    assert left(tmp_path) == [0, 1, 2]


def test_an_answer_counts_once_and_is_known_after_a_crash(tmp_path):
    journal = Journal(tmp_path)
    journal.receive(data(*range(10)), 10)
    assert journal.settle(2, 3, DELIVERED) == 3
    assert journal.settle(4, 2, REJECTED) == 1
    assert journal.is_settled(4)
    assert not journal.is_settled(6)
    assert left(tmp_path) == [0, 1, 6, 7, 8, 9]
    assert Journal.load(tmp_path).settled == {DELIVERED: 3, REJECTED: 1}


def test_a_part_leaves_when_all_of_it_has_its_answer_unless_it_is_the_last(tmp_path, small):
    journal = Journal(tmp_path)
    for number in range(6):
        journal.receive(data(number), 1)
    assert files(tmp_path) == {"000001.jsonl", "000002.jsonl", "000003.jsonl"}
    journal.settle(0, 6, DELIVERED)
    assert files(tmp_path) == {"000003.jsonl", LEDGER}
    journal.receive(data(6), 1)
    assert files(tmp_path) == {"000004.jsonl", LEDGER}
    assert left(tmp_path) == [6]


def test_confirming_leaves_what_was_taken(tmp_path, small):
    journal = Journal(tmp_path)
    journal.receive(data(*range(10)), 10)
    journal.receive(data(*range(10, 20)), 10)
    journal.take(8, 4)
    journal.settle(9, 1, DELIVERED)
    assert journal.confirm() == 16
    assert journal.close() == (3, 0)
    assert left(tmp_path) == [8, 10, 11]
    assert files(tmp_path) == {"000001~.jsonl", "000002~.jsonl"}


def test_a_journal_that_ended_well_leaves_nothing(tmp_path):
    journal = Journal(tmp_path)
    journal.receive(data(0, 1), 2)
    journal.skip(4, "x")
    journal.confirm()
    assert journal.close() == (0, 0)
    assert files(tmp_path) == set()


def test_a_journal_without_a_directory_only_counts():
    journal = Journal()
    assert not journal.on_disk
    journal.receive(data(*range(10)), 10)
    journal.take(0, 10)
    journal.settle(0, 4, DELIVERED)
    assert journal.close() == (0, 6)


@pytest.mark.parametrize("torn", range(1, 40, 13))
def test_torn_last_lines_are_no_records_and_no_answers(tmp_path, torn):
    journal = Journal(tmp_path)
    journal.receive(data(0, 1, 2), 3)
    journal.settle(0, 1, DELIVERED)
    journal.settle(1, 1, DELIVERED)
    part, ledger = tmp_path / "000001.jsonl", tmp_path / LEDGER
    part.write_bytes(part.read_bytes()[:-torn])
    ledger.write_bytes(ledger.read_bytes()[: -min(torn, 5)])
    assert left(tmp_path) == [1]


def test_a_crash_while_a_part_is_shortened_leaves_each_record_once(tmp_path):
    journal = Journal(tmp_path)
    journal.receive(data(0, 1, 2), 3)
    journal.settle(0, 2, DELIVERED)
    before = tmp_path / "before"
    before.mkdir()
    for name in ("000001.jsonl", LEDGER):
        shutil.copy(tmp_path / name, before)
    journal.close()
    shutil.copy(tmp_path / "000001~.jsonl", before)  # complete, but the longer one is still there
    assert left(before) == [2]
    assert left(tmp_path) == [2]


def test_a_full_disk_loses_no_answer_and_what_is_not_kept_is_counted(tmp_path, caplog):
    journal = Journal(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(data(0, 1, 2)) + 10, hard))
    try:
        journal.receive(data(0, 1, 2), 3)
        journal.receive(data(3, 4), 2)
        journal.receive(data(5), 1)
        journal.settle(0, 1, DELIVERED)
        journal.settle(3, 1, DELIVERED)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert journal.close() == (2, 2)
    assert left(tmp_path) == [1, 2]
    assert "what is not delivered now is lost" in caplog.text
    assert journal.problem.endswith("File too large")


@settings(max_examples=150, deadline=None)
@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("receive"), st.integers(1, 7), st.just(0)),
            st.tuples(st.sampled_from(["settle", "take"]), st.integers(0, 50), st.integers(1, 12)),
        ),
        max_size=25,
    ),
    part_bytes=st.integers(1, 10 * len(LINES[0])),
)
def test_what_is_left_is_what_was_received_and_has_no_answer(tmp_path_factory, steps, part_bytes):
    directory = tmp_path_factory.mktemp("journal")
    previous, _journal.PART_BYTES = _journal.PART_BYTES, part_bytes
    try:
        journal = Journal(directory)
        received, settled, taken = 0, set(), set()
        for step, first, count in steps:
            if step == "receive" and received + first <= len(LINES):
                assert journal.receive(data(*range(received, received + first)), first) == received
                received += first
            elif step != "receive":
                row = set(range(first, min(first + count, received)))
                if step == "settle":
                    assert journal.settle(first, count, DELIVERED) == len(row - settled)
                    settled |= row
                else:
                    journal.take(first, count)
                    taken |= row
            assert left(directory) == sorted(set(range(received)) - settled)  # as after a crash now
        journal.confirm()
        kept = sorted(taken - settled)
        assert journal.close() == (len(kept), 0)
        assert left(directory) == kept
    finally:
        _journal.PART_BYTES = previous


# Directories


def test_a_directory_is_private_locked_and_gone_when_it_is_removed(tmp_path):
    spool = Spool.create(tmp_path, OWNER)
    assert spool.path == tmp_path / "spool" / "a_es" / "20260102_030405-store"
    for path in (tmp_path / "spool").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
    assert list(spools(tmp_path)) == spools_of(tmp_path, "a_es") == [spool.path]
    assert Spool.open(spool.path) is None
    spool.remove()
    assert list((tmp_path / "spool").iterdir()) == []
    assert Spool.open(spool.path) is None


def test_two_runs_that_begin_in_one_second_have_a_directory_each(tmp_path):
    first, second = Spool.create(tmp_path, OWNER), Spool.create(tmp_path, OWNER)
    assert first.path != second.path


def test_what_is_known_at_the_end_of_a_run_is_kept(tmp_path):
    spool = Spool.create(tmp_path, OWNER)
    spool.keep({"a_cloud": "it was stopped"})
    again = Spool.open(spool.path)
    assert again is not None
    assert again.owner.incomplete == {"a_cloud": "it was stopped"}
    assert (again.owner.worker, again.owner.origins) == ("a_es", OWNER.origins)


def test_names_cannot_lead_out_of_the_spool(tmp_path):
    spool = Spool.create(tmp_path, Owner("..", "../../x", "../../../etc", "store", ()))
    assert spool.path.resolve().parent.parent == (tmp_path / "spool").resolve()
    assert spool.part_from("../../../../etc/passwd").parent == spool.path


# After the death of a store


def test_what_was_on_its_way_counts_once(tmp_path):
    spool = Spool.create(tmp_path, OWNER)
    journal = Journal(spool.path)
    journal.receive(data(*range(10)), 10)
    journal.receive(data(20, 21), 2)
    journal.settle(0, 4, DELIVERED)
    journal.settle(4, 1, REJECTED)
    append(spool.part_from("a_cloud (cloud)"), data(8, 9, 10, 11))
    append(spool.part_from("a_cloud (cloud)"), data(12))
    append(spool.part_from("a_other (cloud)"), data(21, 22))
    assert spool.has_leftovers()
    assert spool.recover(Wanted(None).wants) == Found(delivered=4, rejected=1, unwanted=0, spooled=11)
    assert sorted(left(spool.path)) == [5, 6, 7, 8, 9, 10, 11, 12, 20, 21, 22]


def test_what_the_store_does_not_want_is_not_kept_for_it(tmp_path):
    spool = Spool.create(tmp_path, OWNER)
    journal = Journal(spool.path)
    journal.receive(data(0), 1)
    journal.skip(7, "x")
    other = encode(records.stamped(records.scope())[0])
    append(spool.part_from("a_cloud (cloud)"), other + b"\n" + data(1))
    assert spool.recover(Wanted({"mock"}).wants) == Found(delivered=0, rejected=0, unwanted=8, spooled=2)


@pytest.mark.parametrize("key", ["cloud", "two\nlines, \u20ac"])
@pytest.mark.parametrize("rest_is_kept", [False, True])
def test_what_the_store_did_not_want_of_the_batch_in_its_hands_counts_once(tmp_path, key, rest_is_kept):
    batch = [encode(record) for record in records.stamped(*made("scope", "mock", "scope", "scope"), plugin_key=key)]
    later = [encode(record) for record in records.stamped(*made("scope", "mock"), plugin_key="later")]
    spool = Spool.create(tmp_path, OWNER)
    journal = Journal(spool.path)
    journal.skip(5, "the batch before")
    journal.skip(3, stamps(batch[0]).record_id)
    if rest_is_kept:
        journal.receive(batch[1], 1)
    append(spool.part_from("a_cloud (cloud)"), b"\n".join([*batch, *later]))
    append(spool.part_from("a_other (cloud)"), b"\n".join(later[:1]))
    assert spool.recover(Wanted({"mock"}).wants) == Found(delivered=0, rejected=0, unwanted=10, spooled=2)


# Handing over


class Way:
    """A pipe whose writer keeps what its reader has not dealt with."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.reader, writer = connection.Pipe(duplex=False)
        answered, self.answering = connection.Pipe(duplex=False)
        self.pipe = Pipe("store", writer, Handover(answered, path))
        self.out = FanOut([self.pipe])
        self.origin = records.StampedOrigin("a_cloud")
        self.source = PipeInput([(self.reader, ("a_cloud",))], {self.reader: self.answering})

    def put(self, *numbers: int) -> None:
        for number in numbers:
            self.out.put(LINES[number], "mock", self.origin)
        self.out.flush()

    def die(self) -> None:
        """End as a reader does that is killed."""
        self.reader.close()
        self.answering.close()

    def kept(self) -> list[int]:
        return [LINES.index(line) for line in self.path.read_bytes().splitlines()] if self.path.exists() else []


@pytest.fixture
def way(tmp_path) -> Iterator[Way]:
    return Way(tmp_path / "part.jsonl")


def test_a_reader_that_takes_everything_leaves_nothing_to_keep(way):
    reading = threading.Thread(target=lambda: list(way.source.batches()))
    reading.start()
    way.put(0, 1)
    way.put(2)
    way.out.end({})
    way.out.settle()
    reading.join()
    assert way.kept() == []
    assert (way.pipe.sent, way.pipe.dropped) == (3, 0)


def test_what_a_dead_reader_left_in_the_pipe_is_kept_even_if_the_writer_has_ended(way):
    way.put(0, 1)
    way.put(2, 3)
    way.put(4)
    way.out.end({})
    batches = way.source.batches()
    next(batches)
    next(batches)  # the first is dealt with, the second in hand
    way.die()
    way.out.settle()
    assert way.kept() == [2, 3, 4]
    assert way.pipe.sent + way.pipe.dropped == 5
    assert way.path.stat().st_mode & 0o777 == 0o600


def test_what_comes_after_the_death_of_the_reader_is_kept_too(way):
    way.put(0)
    way.die()
    way.put(1)
    way.put(2, 3)
    way.out.end({})
    way.out.settle()
    assert way.kept() == [0, 1, 2, 3]
    assert (way.pipe.sent, way.pipe.dropped) == (1, 3)


def test_what_is_kept_for_a_dead_reader_has_the_stamps_that_it_would_have_had(way):
    stamper = Stamper("a", "20260102_030405", "cloud", "Plugin", "cloud")
    for number in range(4):
        way.out.put(stamper.encode(records.mock(number)), "mock", stamper)
        if number % 2:
            way.out.flush()
        if number == 2:
            way.die()
    way.out.end({})
    way.out.settle()
    kept = way.path.read_bytes()
    assert kept.endswith(b"}}\n")
    found = [decode(line) for line in kept.splitlines()]
    assert [(record["raw"]["data"], record["com"]["record_id"]) for record in found] == [
        (number, f"a_cloud_20260102_030405_{number + 1}") for number in range(4)
    ]
    assert {record["com"]["origin_worker"] for record in found} == {"a_cloud"}


def test_what_is_kept_in_memory_is_bounded_by_what_the_reader_has_not_taken(way):
    taken = threading.Semaphore(0)

    def read() -> None:
        for _ in way.source.batches():
            taken.release()

    reading = threading.Thread(target=read)
    reading.start()
    large = encode({**records.stamped(records.mock())[0], "raw": "x" * 300_000})
    most = 0
    for _ in range(60):
        way.out.put(large, "mock", way.origin)
        most = max(most, way.pipe._handover._bytes)
    way.out.end({})
    way.out.settle()
    reading.join()
    assert most < 5 * len(large)


def test_a_spool_that_cannot_be_written_is_said_once(tmp_path, caplog):
    way = Way(tmp_path / "missing" / "part.jsonl")
    way.die()
    way.put(0)
    way.put(1)
    way.out.end({})
    way.out.settle()
    assert way.pipe.dropped == 2
    assert caplog.text.count("what is not delivered now is lost") == 1


def test_every_moment_of_death_leaves_each_record_in_one_place(tmp_path):
    """The reader dies after n batches, or in the middle of dealing with the next one."""
    for dealt, journaled in itertools.product(range(5), (False, True)):
        spool = Spool.create(tmp_path, OWNER)
        way = Way(spool.part_from("a_cloud (cloud)"))
        journal = Journal(spool.path)
        for first in range(0, 20, 4):
            way.put(*range(first, first + 4))
        way.out.end({})
        batches = way.source.batches()
        for _ in range(dealt):
            batch = next(batches)
            journal.receive(batch.data, batch.count)
        if journaled and dealt < 5:
            batch = next(batches)
            journal.receive(batch.data, batch.count)
        way.die()
        way.out.settle()
        found = spool.recover(Wanted(None).wants)
        assert (found.spooled, sorted(left(spool.path))) == (20, list(range(20)))
        spool.remove()


def test_every_moment_of_death_of_a_filtered_store_counts_each_record_once(tmp_path, monkeypatch):
    """The store dies after any of its notes of what it was given, before it has said that it has the batch."""

    class Killed(BaseException):
        """In the place of SIGKILL."""

    lives = 0

    def dying(method: str) -> None:
        noting = getattr(Journal, method)

        def note(journal: Journal, *args: object) -> object:
            nonlocal lives
            noted = noting(journal, *args)
            lives -= 1
            if not lives:
                raise Killed
            return noted

        monkeypatch.setattr(Journal, method, note)

    dying("skip")
    dying("receive")
    batches = [("scope", "mock", "scope"), ("scope", "scope"), ("mock",), ("scope", "mock", "mock"), ("scope",)]
    given = [encode(record) for record in records.stamped(*made(*itertools.chain(*batches)))]
    for death in range(1, 8):
        spool = Spool.create(tmp_path, OWNER)
        way = Way(spool.part_from("a_cloud (cloud)"))
        lines = iter(given)
        for batch in batches:
            for record_type in batch:
                way.out.put(next(lines), record_type, way.origin)
            way.out.flush()
        way.out.end({})
        report = Report("store", "store", "a_store")
        lives = death
        with pytest.raises(Killed):
            run_store(MemoryStore(), way.source, report, WorkerRun(report, Journal(spool.path)), When(ONLY_MOCK))
        way.die()
        way.out.settle()
        found = spool.recover(Wanted(None, When(ONLY_MOCK)).wants)
        assert (found.unwanted, found.spooled) == (6, 4), death
        spool.remove()


def test_the_end_of_the_audit_comes_last(tmp_path):
    del tmp_path
    first, second = connection.Pipe(duplex=False), connection.Pipe(duplex=False)
    own, cloud = FanOut([Pipe("store", first[1])]), FanOut([Pipe("store", second[1])])
    own.put(LINES[0], "audit", records.StampedOrigin("a_audit"))
    own.end({})
    for number in (1, 2):
        cloud.put(LINES[number], "mock", records.StampedOrigin("a_cloud"))
        cloud.flush()
    cloud.end({})
    source = PipeInput([(first[0], ("a_audit",)), (second[0], ("a_cloud",))], last=first[0])
    assert [batch.origin_worker for batch in source.batches()] == ["a_cloud", "a_cloud", "a_audit"]


def test_lines_are_appended_whole_or_not_at_all(tmp_path):
    path = tmp_path / "part.jsonl"
    append(path, data(0))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(LINES[0]) + 20, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            append(path, data(1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == data(0) + b"\n"
    assert os.path.getsize(path) == len(LINES[0]) + 1


def test_what_is_a_store_and_an_alert_of_one_run_is_not_an_earlier_run(tmp_path, caplog):
    plugins = {"cloud": ("c",), "store": ("both",), "event": ("e",), "alert": ("both",)}
    Spooling(AuditInfo("a", "20260102_030405", plugins), tmp_path, lambda _: True)
    assert caplog.text == ""
    Spooling(AuditInfo("a", "20260103_030405", plugins), tmp_path, lambda _: True)
    assert caplog.text.count("the spool has records of 2 earlier runs") == 2
