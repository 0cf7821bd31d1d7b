"""Disks that are full, servers that are slower than the clouds, and stores that are killed."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
from cloudmarker.testing import MemoryRun
from targets import ElasticTarget, check, dead, spooled

every_store = pytest.mark.parametrize("target", ["elastic", "hec", "mongo"], indirect=True)
IDENTITY = ("delivered", "rejected", "spooled", "lost")


def limit() -> None:
    """Let no file become larger than this, as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))


# 7: full disks


@every_store
def test_a_full_disk_under_the_spool_costs_nothing_while_the_server_takes_everything(target, audits):
    audits.configure(count=2000, stores=["server"])
    code, _, worker = audits.run(limit=limit)
    assert (code, worker["delivery"]["delivered"]) == (0, 2002)
    assert len(set(target.ids())) == 2002
    assert "the spool cannot be written" in (audits.folder / "log").read_text()


def some_are_lost_of(count, worker) -> dict[str, int]:
    """Return what became of the records, of which none was delivered, and check that each is counted once."""
    numbers = worker["delivery"]
    assert numbers["emitted"] == count == sum(numbers[name] for name in IDENTITY)
    assert numbers["lost"] > 0
    assert numbers["delivered"] == 0
    return numbers


@every_store
def test_with_a_full_disk_and_a_dead_server_what_is_lost_is_counted(target, audits):
    audits.configure(count=2000, stores=["server"], retry_deadline_s=0.2, timeout_s=1)
    target.kill()
    code, _, worker = audits.run(limit=limit)
    assert code == 1
    numbers = some_are_lost_of(2002, worker)
    assert len(spooled(audits.state)) == numbers["spooled"] > 0
    target.start()
    code, _ = audits.ended(audits.start("replay", "--json"))
    assert code == 0
    assert len(set(target.ids())) == numbers["spooled"]
    assert spooled(audits.state) == []


@pytest.fixture
def in_a_small_one(audits) -> list[str]:
    """What a command line begins with for the state directory to be a file system of 64 KiB."""
    script = f'mount -t tmpfs -o size=64k none "{audits.state}" && exec "$@"'
    before = ["unshare", "-rm", "sh", "-c", script, "sh"]
    audits.state.mkdir(mode=0o700)
    if not shutil.which("unshare") or subprocess.run([*before, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this system lets nobody mount a file system of their own")
    return before


@every_store
def test_a_file_system_without_room_under_the_spool_costs_nothing_either(target, audits, in_a_small_one):
    audits.configure(count=500, stores=["server"])
    code, _, worker = audits.run(before=in_a_small_one)
    assert (code, worker["delivery"]["delivered"]) == (0, 502)
    assert len(set(target.ids())) == 502
    assert "No space left on device" in (audits.folder / "log").read_text()


@every_store
def test_what_neither_the_server_nor_a_small_file_system_takes_is_counted_as_lost(target, audits, in_a_small_one):
    audits.configure(count=500, stores=["server"], retry_deadline_s=0.2, timeout_s=1)
    target.kill()
    code, _, worker = audits.run(before=in_a_small_one)
    assert code == 1
    some_are_lost_of(502, worker)
    assert "No space left on device" in (audits.folder / "log").read_text()


# 8: a store that is killed


@every_store
def test_a_store_that_is_killed_while_it_waits_for_its_server_loses_nothing(target, audits):
    audits.configure(count=500)
    target.silence()
    try:
        process = audits.start("run", "--json")
        victim = int(audits.logged(r"a_server: started, process (\d+)")[1])
        end = time.monotonic() + 20
        while not has_records(audits.state) and time.monotonic() < end:
            time.sleep(0.02)
        os.kill(victim, signal.SIGKILL)
        code, _ = audits.ended(process)
    finally:
        target.go_on()
    assert code == 1
    everything = audits.emitted()
    assert len(everything) == 502
    assert set(target.ids()) | set(spooled(audits.state)) | set(dead(audits.state)) == everything
    audits.replay_delivers_the_rest()


@every_store
def test_a_stop_while_the_server_is_silent_costs_no_record_and_no_other_store(target, audits):
    audits.configure(count=500, timeout_s=60, retry_deadline_s=3600)
    target.silence()
    try:
        process = audits.start("run", "--json")
        end = time.monotonic() + 20
        while not has_records(audits.state) and time.monotonic() < end:
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        code, (result,) = audits.ended(process)
        took = time.monotonic() - begun
    finally:
        target.go_on()
    assert took < 20
    assert code == 1
    workers = {worker["key"]: worker for worker in result["workers"]}
    assert "when the audit was stopped" in workers["server"]["message"]
    assert workers["server"]["delivery"]["lost"] == 0
    assert workers["filestore"]["outcome"] == "ok"
    audits.replay_delivers_the_rest()


def has_records(state: Path) -> bool:
    return any(part.stat().st_size for part in state.glob("spool/a_server/*/0*.jsonl"))


# 12: a server that is slower than what comes


@every_store
def test_a_server_that_is_slow_holds_back_what_writes(target, many):
    written = many(400)
    store, run = target.make(timeout_s=60), MemoryRun()
    store.begin(run)
    for record in written[:50]:
        run.hand()
        store.write(record)
    target.silence()
    accepted, writing = 50, threading.Event()

    def write() -> None:
        nonlocal accepted
        for record in written[50:]:
            run.hand()
            store.write(record)
            accepted += 1
            writing.set()
        store.done()

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    assert writing.wait(10)
    before = -1
    while before != accepted:
        before = accepted
        time.sleep(0.3)
    assert accepted < 50 + 3 * (1 + biggest_buffer(target, written))  # one that fills, and two under way
    target.go_on()
    writer.join(30)
    assert not writer.is_alive()
    check(target, run, written)


def biggest_buffer(target, written) -> int:
    """Records that a buffer of the store holds at most."""
    size = target.params["buffer_size"]
    return size // 300 if isinstance(target, ElasticTarget) else size
