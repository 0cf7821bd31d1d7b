"""Real audits with servers, stores and disks that fail: each record is delivered, rejected or spooled."""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from cloudmarker._journal import Journal
from cloudmarker.spool import spools, stamps

sys.path.insert(0, str(Path(__file__).parent / "support"))
from server_store import Server

sys.path.pop(0)


class Case:
    """An audit `a` with the cloud `cloud` and the store `server`, whose server is reachable from here."""

    def __init__(self, command: Any) -> None:
        self.command = command
        self.server = Server(str(command.directory / "server"))
        self.state = command.directory / "state"

    def configure(self, store: str = "ServerStore", stores: tuple[str, ...] = ("server",), **cloud: Any) -> None:
        params = {"path": str(self.server.directory)}
        self.command.configure(
            {
                "cloud": {"plugin": "faulty_plugins.Cloud", "params": cloud},
                "server": {"plugin": f"server_store.{store}", "params": params},
            },
            audits={"a": {"stores": list(stores), "events": [], "alerts": []}},
        )

    def run(self, **more: Any) -> tuple[int, dict[str, Any]]:
        return self.ended(self.command.start("run", "--json", **more))

    def ended(self, process: Any) -> tuple[int, dict[str, Any]]:
        out, _ = process.communicate(timeout=90)
        (result,) = json.loads(out)
        self.result = result
        return process.returncode, next(w for w in result["workers"] if w["key"] == "server")

    def replay(self, *args: str) -> tuple[int, list[Any]]:
        done = self.command.run("replay", "--json", *args)
        return done.returncode, json.loads(done.stdout)

    def spooled(self) -> list[str]:
        """The ids of the records in the spool, and a check that all of it is private."""
        for path in self.state.rglob("*"):
            assert path.stat().st_mode & 0o077 == 0, path
        found: list[str] = []
        for path in spools(self.state):
            journal = Journal.load(path)
            found += [stamps(line).record_id for name in journal.names for _, line in journal.unsettled(name)]
        return found

    def letters(self) -> list[str]:
        path = self.state / "dead-letters" / "a_server.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line)["record"]["com"]["record_id"] for line in lines]

    def emitted(self, worker: dict[str, Any], count: int) -> set[str]:
        """The ids of everything that was emitted, after a check that each is somewhere and that the numbers say so."""
        numbers = worker["delivery"]
        assert numbers["emitted"] == sum(numbers[name] for name in ("delivered", "rejected", "spooled", "lost"))
        assert (numbers["emitted"], numbers["lost"]) == (count + 2, 0)
        spooled, letters = self.spooled(), self.letters()
        assert len(spooled) == len(set(spooled)) == numbers["spooled"]
        assert len(letters) == len(set(letters)) == numbers["rejected"]
        everything = set(spooled) | set(letters) | set(self.server.ids())
        assert len(everything) == numbers["emitted"]
        return everything

    def replay_delivers_all(self, everything: set[str], *, twice: bool = False) -> None:
        """Check that a replay empties the spool, and that the server then has everything but what it refused."""
        self.server.behave()
        code, results = self.replay()
        assert (code, sum(result["left"] for result in results)) == (0, 0), results
        assert self.spooled() == []
        assert not any((self.state / "spool").iterdir())
        assert set(self.server.ids()) == everything - set(self.letters())
        if not twice:
            assert max(Counter(self.server.ids()).values()) == 1
        assert self.replay() == (0, [])


@pytest.fixture
def case(command):
    return Case(command)


def test_without_faults_everything_is_delivered_and_the_spool_is_empty(case):
    case.configure(count=500)
    code, worker = case.run()
    assert code == 0
    assert worker["delivery"] == {"emitted": 502, "delivered": 502, "rejected": 0, "spooled": 0, "lost": 0}
    assert len(case.server.ids()) == 502
    assert list((case.state / "spool").iterdir()) == []


@pytest.mark.parametrize("store", ["ServerStore", "PlainStore"])
@pytest.mark.parametrize(
    ("cloud", "slow_s"),
    [
        pytest.param({"count": 400, "delay_s": 0.005}, 0, id="while the cloud is read"),
        pytest.param({"count": 3000}, 0.002, id="when the cloud has ended"),
        pytest.param({"count": 4000, "size": 2000}, 0.002, id="while the pipe is full"),
    ],
)
def test_a_killed_store_loses_nothing(case, store, cloud, slow_s):
    case.configure(store, ("filestore", "server"), **cloud)
    case.server.behave(slow_s=slow_s * 50 if store == "ServerStore" else slow_s)
    process = case.command.start("run", "--json")
    pid = int(case.command.logged(r"a_server: started, process (\d+)")[1])
    case.command.logged("Audit a begins")
    time.sleep(0.7)
    os.kill(pid, signal.SIGKILL)
    code, worker = case.ended(process)
    assert (code, worker["outcome"]) == (1, "killed")
    assert worker["delivery"]["spooled"] > 0
    everything = case.emitted(worker, cloud["count"])
    assert len(json.loads((case.command.out / "a_cloud.json").read_bytes())) == cloud["count"]
    case.replay_delivers_all(everything, twice=True)  # what was under way at the kill may have got through


def test_a_killed_alert_loses_nothing(case):
    case.configure(count=9000, delay_s=0.0002)
    case.command.configure(
        {
            "cloud": {"plugin": "faulty_plugins.Cloud", "params": {"count": 9000, "delay_s": 0.0002}},
            "server": {"plugin": "server_store.ServerStore", "params": {"path": str(case.server.directory)}},
        },
        audits={"a": {"stores": [], "events": ["mockevent", "firewallruleevent"], "alerts": ["server"]}},
    )
    case.server.behave(slow_s=0.1)
    process = case.command.start("run", "--json")
    pid = int(case.command.logged(r"a_server: started, process (\d+)")[1])
    case.command.logged("Audit a begins")
    time.sleep(1)
    os.kill(pid, signal.SIGKILL)
    code, worker = case.ended(process)
    assert (code, worker["kind"], worker["outcome"]) == (1, "alert", "killed")
    case.replay_delivers_all(case.emitted(worker, 3000 - 2), twice=True)


def test_a_record_that_neither_the_server_nor_the_dead_letters_take_stays_in_the_spool(case):
    case.configure(count=100)
    (case.state / "dead-letters").mkdir(parents=True, mode=0o700)
    (case.state / "dead-letters" / "a_server.jsonl").symlink_to("/dev/full")
    case.state.chmod(0o700)
    case.server.behave(refuse_every=50)
    code, worker = case.run()
    assert code == 1
    assert worker["delivery"] == {"emitted": 102, "delivered": 100, "rejected": 0, "spooled": 2, "lost": 0}
    (case.state / "dead-letters" / "a_server.jsonl").unlink()
    case.replay_delivers_all(case.emitted(worker, 100))


def test_a_server_that_is_gone_beside_a_healthy_store_costs_that_one_nothing(case):
    case.configure("ServerStore", ("server", "filestore"), count=3000)
    case.server.behave(down=True)
    code, worker = case.run()
    assert code == 1
    assert worker["message"].startswith("writing: nothing could be delivered for ")
    assert worker["delivery"] == {"emitted": 3002, "delivered": 0, "rejected": 0, "spooled": 3002, "lost": 0}
    assert len(json.loads((case.command.out / "a_cloud.json").read_bytes())) == 3000
    case.replay_delivers_all(case.emitted(worker, 3000))


def test_a_store_that_ends_half_way_leaves_only_what_it_did_not_deliver(case):
    case.configure(count=3000, delay_s=0.0005)
    process = case.command.start("run", "--json")
    end = time.monotonic() + 20
    while len(case.server.ids()) < 100 and time.monotonic() < end:
        time.sleep(0.01)
    case.server.behave(denied=True)
    code, worker = case.ended(process)
    assert (code, worker["message"]) == (1, "writing: the server says: wrong password")
    assert 100 <= worker["delivery"]["delivered"] == len(case.server.ids())
    assert worker["delivery"]["spooled"] > 0
    case.replay_delivers_all(case.emitted(worker, 3000))


def test_a_done_that_raises_leaves_everything_in_the_spool(case):
    case.configure("PlainStore", count=100)
    case.server.behave(down=True)
    code, worker = case.run()
    assert (code, worker["message"]) == (1, "delivering: OSError: connection refused")
    assert worker["delivery"]["spooled"] == 102
    case.replay_delivers_all(case.emitted(worker, 100))


def test_a_constructor_that_raises_leaves_everything_in_the_spool(case):
    case.configure("ServerStore", count=100)
    (case.server.directory / "documents").parent.rename(case.command.directory / "away")
    (case.command.directory / "server").write_text("not a directory")
    code, worker = case.run()
    assert (code, worker["outcome"]) == (1, "failed")
    assert worker["delivery"] == {"emitted": 102, "delivered": 0, "rejected": 0, "spooled": 102, "lost": 0}
    assert len(case.spooled()) == 102


def test_storms_of_busy_answers_and_lost_answers_are_ridden_out(case):
    case.configure(count=500)
    case.server.behave(busy=4, busy_items=20, lose_answer=1, limit_bytes=30_000)
    code, worker = case.run()
    assert code == 0
    assert worker["delivery"]["delivered"] == 502
    assert len(set(case.server.ids())) == 502


@pytest.mark.parametrize("whole", [False, True])
def test_records_that_the_server_refuses_are_dead_letters_and_can_be_delivered_once_the_cause_is_mended(case, whole):
    case.configure(count=200)
    case.server.behave(refuse_every=50, whole=whole)
    code, worker = case.run()
    assert code == 1
    assert worker["delivery"] == {"emitted": 202, "delivered": 198, "rejected": 4, "spooled": 0, "lost": 0}
    everything = case.emitted(worker, 200)
    code, (result,) = case.replay("--dead-letters")  # not mended yet
    assert (code, result["delivered"], result["rejected"], result["left"]) == (1, 0, 4, 0)
    assert len(case.letters()) == 4
    case.server.behave()
    code, (result,) = case.replay("--dead-letters")
    assert (code, result["delivered"], result["left"]) == (0, 4, 0)
    assert sorted(case.server.ids()) == sorted(everything)
    assert case.letters() == []


def test_a_full_disk_under_the_spool_is_said_loudly_and_what_is_not_kept_is_counted(case):
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    case.configure(count=5000)
    case.server.behave(denied=True)
    process = case.command.start("run", "--json", preexec_fn=limit)
    code, worker = case.ended(process)
    assert code == 1
    numbers = worker["delivery"]
    assert numbers["emitted"] == 5002 == numbers["spooled"] + numbers["lost"]
    assert numbers["lost"] > 0
    assert len(case.spooled()) == numbers["spooled"] > 0
    assert "the spool cannot be written" in worker["message"]
    assert "the spool cannot be written, what is not delivered now is lost" in case.command.log.read_text()


def test_a_full_disk_under_the_spool_is_no_fault_while_the_server_takes_everything(case):
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))

    case.configure(count=5000)
    code, worker = case.ended(case.command.start("run", "--json", preexec_fn=limit))
    assert (code, worker["delivery"]["delivered"]) == (0, 5002)
    assert "the spool cannot be written" in case.command.log.read_text()


def test_a_stop_while_the_server_is_gone_spools_in_bounded_time(case):
    case.configure(count=20_000, delay_s=0.0005)
    case.command.configure(
        {
            "cloud": {"plugin": "faulty_plugins.Cloud", "params": {"count": 100_000, "delay_s": 0.001}},
            "server": {
                "plugin": "server_store.ServerStore",
                "params": {"path": str(case.server.directory), "give_up_after_s": 3600},
            },
        },
        audits={"a": {"stores": ["server"], "events": [], "alerts": []}},
    )
    case.server.behave(down=True)
    process = case.command.start("run", "--json")
    case.command.logged("to be sent again")
    process.send_signal(signal.SIGTERM)
    begun = time.monotonic()
    code, worker = case.ended(process)
    assert time.monotonic() - begun < 35
    assert code == 1
    assert "when the audit was stopped: connection refused" in worker["message"]
    numbers = worker["delivery"]
    assert (numbers["delivered"], numbers["lost"], numbers["spooled"]) == (0, 0, numbers["emitted"])
    assert len(case.spooled()) == numbers["spooled"]


def test_a_killed_supervisor_leaves_what_was_given_to_its_stores_in_the_spool(case):
    case.configure("PlainStore", count=4000, delay_s=0.005)
    process = case.command.start("run", "--json")
    case.command.logged("Audit a begins")
    end = time.monotonic() + 15
    while not case.spooled() and time.monotonic() < end:
        time.sleep(0.05)
    process.kill()
    process.communicate()
    given = len(case.spooled())
    assert 0 < given < 4000
    case.replay_delivers_all(set(case.spooled()))
    assert len(case.server.ids()) == given


def test_a_state_directory_that_cannot_be_used_is_a_configuration_error(case):
    case.configure(count=10)
    case.state.write_text("a file")
    done = case.command.run("run")
    assert done.returncode == 2
    assert "state.path: " in done.stderr
    assert "Traceback" not in done.stderr


def test_the_summary_says_what_is_spooled_and_how_to_deliver_it(case):
    case.configure("PlainStore", count=100)
    case.server.behave(down=True)
    done = case.command.run("run")
    assert done.returncode == 1
    assert "server (store)                     102         0         0       102         0" in done.stdout
    assert "cloudmarker replay --store server" in done.stdout
    done = case.command.run("replay", "--store", "server")
    assert done.returncode == 1
    assert "0 delivered, 0 rejected, 102 left: delivering: OSError: connection refused" in done.stdout
    again = case.command.run("run")
    assert "the spool has records of 1 earlier run;" in again.stderr + case.command.log.read_text()
