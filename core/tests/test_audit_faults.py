"""Audits in real processes, with plugins that misbehave and workers that are killed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

SUPPORT = Path(__file__).parent / "support"
CLI = [sys.executable, "-m", "cloudmarker"]
BASE = {"clouds": ["cloud"], "stores": ["filestore"], "events": ["mockevent"], "alerts": ["filestore"]}


class Run:
    """One audit named `a` as a command in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.out = directory / "out"

    def configure(self, plugins: dict[str, Any] | None = None, audit: dict[str, Any] | None = None) -> None:
        entries: dict[str, Any] = {"filestore": {"params": {"path": str(self.out)}}}
        entries.update(plugins or {})
        entries.setdefault("cloud", {"plugin": "mockcloud"})
        config = {
            "plugins": entries,
            "audits": {"a": {**BASE, **(audit or {})}},
            "run": ["a"],
            "state": {"path": str(self.directory / "state")},
            "logger": {"handlers": {"file": {"filename": str(self.directory / "log")}}},
        }
        (self.directory / "c.yaml").write_text(yaml.safe_dump(config))

    def start(self, command: Sequence[str] = CLI) -> subprocess.Popen[str]:
        environ = {**os.environ, "PYTHONPATH": str(SUPPORT), "HOME": str(self.directory)}
        return subprocess.Popen(
            [*command, "-c", "c.yaml", "run", "--json"],
            cwd=self.directory,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def finish(self, process: subprocess.Popen[str], timeout_s: float = 30) -> tuple[int, Any, str]:
        try:
            out, err = process.communicate(timeout=timeout_s)
        finally:
            process.kill()
        result = json.loads(out)[0] if out.startswith("[") else None
        return process.returncode, result, err

    def run(self, plugins: dict[str, Any] | None = None, **audit: Any) -> tuple[int, Any, str]:
        self.configure(plugins, audit)
        return self.finish(self.start())

    def records(self, name: str) -> list[Any]:
        found = json.loads((self.out / f"a_{name}.json").read_bytes())
        assert isinstance(found, list)
        return found

    def logged(self, pattern: str, timeout_s: float = 15) -> re.Match[str]:
        """Wait until the log has a line like *pattern*."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            log = self.directory / "log"
            found = re.search(pattern, log.read_text() if log.exists() else "")
            if found:
                return found
            time.sleep(0.02)
        raise AssertionError(f"no log line like {pattern!r}")

    def pid(self, worker: str) -> int:
        return int(self.logged(rf"a_{worker}: started, process (\d+)")[1])


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def plugin(cls: str, **params: Any) -> dict[str, Any]:
    return {"plugin": f"faulty_plugins.{cls}", "params": params}


def worker(result: Any, name: str, kind: str) -> Any:
    return next(w for w in result["workers"] if w["key"] == name and w["kind"] == kind)


def alive_in_session(session: int) -> list[str]:
    """Return the processes of a session that are alive, as `ps` shows them."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] not in "ZX":
            found.append(stat.parent.name)
    return found


def assert_nothing_left(process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 5
    while alive_in_session(process.pid) and time.monotonic() < end:
        time.sleep(0.05)
    assert alive_in_session(process.pid) == []


@pytest.fixture(params=["cloud", "mockevent", "filestore"])
def victim(request: pytest.FixtureRequest) -> str:
    return request.param  # type: ignore[no-any-return]


# Kill -9


def test_a_killed_worker_is_named_and_the_other_branches_keep_their_output(
    run: Run, tmp_path: Path, victim: str
) -> None:
    lines = tmp_path / "lines"
    run.configure(
        {"cloud": plugin("Cloud", count=400, delay_s=0.005), "lines": plugin("Store", path=str(lines))},
        {"stores": ["filestore", "lines"], "alerts": []},
    )
    process = run.start()
    pid = run.pid(victim)
    run.logged("Audit a begins")
    time.sleep(0.3)
    os.kill(pid, signal.SIGKILL)
    begun = time.monotonic()
    code, result, err = run.finish(process)
    assert time.monotonic() - begun < 10
    assert code == 1
    assert result["status"] == "failed"
    assert f"a_{victim} killed: its process was killed by SIGKILL" in result["reason"]
    assert "Traceback" not in err
    assert_nothing_left(process)
    for path in run.out.glob("*.json"):
        json.loads(path.read_bytes())
    written = lines.read_text().splitlines()
    if victim == "cloud":
        assert written[-1].startswith("aborted: a_cloud: its process died")
        assert not (run.out / "a_cloud.json").exists()
        assert len(json.loads((run.out / "a_cloud.partial.json").read_bytes())) == len(written) - 2
    else:
        assert len([line for line in written if line.startswith("a_cloud_")]) == 400
        assert written[-1] == "done"


def test_a_killed_supervisor_leaves_no_process(run: Run) -> None:
    run.configure({"cloud": plugin("Cloud", count=10, hang_at=5)})
    process = run.start()
    run.pid("cloud")
    run.logged("Audit a begins")
    process.kill()
    process.wait()
    assert_nothing_left(process)


# Signals


def test_a_store_that_hangs_when_all_is_stopped_does_not_cost_the_others(run: Run, tmp_path: Path) -> None:
    hanging = plugin("Store", path=str(tmp_path / "lines"), delay_s=100)
    run.configure({"hanging": hanging}, {"stores": ["filestore", "hanging"], "events": [], "alerts": []})
    sooner = "STOP_READING_S, s.STOP_ALL_S, s.STOP_REST_S, s.STOP_LAST_S = 0.5, 1, 15, 20"
    script = f"import cloudmarker.supervisor as s; s.{sooner}; from cloudmarker.cli import main; main()"
    process = run.start([sys.executable, "-c", script])
    run.logged("a_hanging: started")
    process.send_signal(signal.SIGTERM)
    code, result, _ = run.finish(process)
    assert (code, worker(result, "hanging", "store")["outcome"]) == (1, "killed")
    kept = worker(result, "filestore", "store")
    assert (kept["outcome"], kept["delivery"]["delivered"], kept["delivery"]["lost"]) == ("ok", 12, 0)
    assert [len(run.records(origin)) for origin in ("cloud", "audit")] == [10, 2]
    assert_nothing_left(process)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_what_was_read_and_marks_the_audit_incomplete(run: Run, signum: signal.Signals) -> None:
    run.configure({"cloud": plugin("Cloud", count=10, hang_at=7)})
    process = run.start()
    run.pid("cloud")
    run.logged("Audit a begins")
    time.sleep(0.5)
    os.killpg(process.pid, signum)  # as a terminal does on Ctrl-C, and a service manager on stop
    code, result, err = run.finish(process)
    assert (code, result["status"], result["interrupted"]) == (4, "incomplete", True)
    assert "Traceback" not in err
    assert len(json.loads((run.out / "a_cloud.partial.json").read_bytes())) == 7
    assert worker(result, "filestore", "store")["delivery"]["lost"] == 0
    own = run.records("audit")
    assert own[-1]["com"]["record_type"] == "audit"
    assert own[-1]["com"]["status"] == "incomplete"
    assert_nothing_left(process)


def test_a_second_signal_ends_at_once(run: Run) -> None:
    run.configure({"cloud": plugin("StubbornCloud")})
    process = run.start()
    run.pid("cloud")
    run.logged("Audit a begins")
    process.send_signal(signal.SIGTERM)
    run.logged("reading stops")
    process.send_signal(signal.SIGTERM)
    begun = time.monotonic()
    code, _, err = run.finish(process)
    assert time.monotonic() - begun < 5
    assert code == 1
    assert "Traceback" not in err
    assert_nothing_left(process)


# Plugins that raise


def test_a_cloud_that_fails_half_way_delivers_what_it_gave_and_the_audit_is_incomplete(run: Run) -> None:
    code, result, _ = run.run({"cloud": plugin("Cloud", count=10, fail_at=6)})
    assert (code, result["status"]) == (4, "incomplete")
    assert worker(result, "cloud", "cloud")["message"] == "reading ended: RuntimeError: the cloud went away"
    assert len(json.loads((run.out / "a_cloud.partial.json").read_bytes())) == 6
    states = [record["com"]["state"] for record in run.records("audit")[:-1]]
    assert states == ["failed"]


def test_an_incomplete_run_leaves_the_last_complete_file_alone_and_the_next_complete_one_replaces_it(run: Run) -> None:
    run.run({"cloud": plugin("Cloud", count=10)})
    run.run({"cloud": plugin("Cloud", count=20, fail_at=6)})
    assert len(run.records("cloud")) == 10
    assert (run.out / "a_cloud.partial.json").exists()
    assert (run.out / "a_mockevent.partial.json").exists()
    code, _, _ = run.run({"cloud": plugin("Cloud", count=20)})
    assert code == 0
    assert len(run.records("cloud")) == 20
    assert sorted(path.name for path in run.out.iterdir()) == ["a_audit.json", "a_cloud.json", "a_mockevent.json"]


@pytest.mark.parametrize(
    ("state", "code"), [("denied", 4), ("throttled", 4), ("failed", 4), ("disabled", 0), ("skipped", 0)]
)
def test_coverage_decides_the_exit_code(run: Run, state: str, code: int) -> None:
    found, result, _ = run.run({"cloud": plugin("Cloud", holes=state)})
    assert found == code
    assert result["coverage"] == {state: 1}
    assert result["holes"][0]["error"] == "no permission to list mocks"


def test_an_event_that_raises_on_some_records_costs_only_those(run: Run) -> None:
    code, result, err = run.run(
        {"cloud": plugin("Cloud", count=1000), "event": plugin("Event", every=100)}, events=["event"]
    )
    assert (code, result["status"]) == (1, "failed")
    assert worker(result, "event", "event")["errors"] == 10
    assert len(run.records("event")) == 990
    assert "a_event: evaluating mock/100: ValueError: cannot evaluate 100" in err


def test_an_event_that_cannot_go_on_ends_alone(run: Run) -> None:
    code, result, _ = run.run(
        {"cloud": plugin("Cloud", count=100), "event": plugin("Event", fail_at=50)}, events=["mockevent", "event"]
    )
    assert code == 1
    assert worker(result, "event", "event")["message"] == "evaluating: this event cannot go on"
    assert len(run.records("mockevent")) == 34
    assert len(json.loads((run.out / "a_event.partial.json").read_bytes())) == 50


def test_every_event_plugin_sees_every_record_however_many_there_are(run: Run) -> None:
    names = [f"event{number}" for number in range(9)]
    plugins = {name: plugin("Event") for name in names}
    code, _, _ = run.run({"cloud": plugin("Cloud", count=2500), **plugins}, events=names)
    assert code == 0
    for name in names:
        assert [r["com"]["reference"] for r in run.records(name)] == [f"mock/{number}" for number in range(2500)]


def test_an_event_may_yield_its_last_events_when_it_has_seen_everything(run: Run) -> None:
    run.run({"cloud": plugin("Cloud", holes="disabled"), "event": plugin("FinishingEvent")}, events=["event"])
    (total,) = run.records("event")
    assert total["com"]["seen"] == {"mock": 10, "coverage": 1}


def test_a_store_that_refuses_some_records_keeps_the_others_and_the_numbers_add_up(run: Run, tmp_path: Path) -> None:
    lines = tmp_path / "lines"
    code, result, _ = run.run(
        {"cloud": plugin("Cloud", count=1000), "lines": plugin("Store", path=str(lines), every=100)}, stores=["lines"]
    )
    assert code == 1
    assert worker(result, "lines", "store")["delivery"] == {
        "emitted": 1002,
        "delivered": 992,
        "rejected": 10,
        "spooled": 0,
        "lost": 0,
    }
    letters = (tmp_path / "state" / "dead-letters" / "a_lines.jsonl").read_text().splitlines()
    assert len(letters) == 10
    assert json.loads(letters[0])["reason"] == "refused"


def test_a_store_that_is_gone_does_not_cost_the_other_stores_anything(run: Run, tmp_path: Path) -> None:
    code, result, _ = run.run(
        {"cloud": plugin("Cloud", count=5000), "lines": plugin("Store", path=str(tmp_path / "lines"), fail_at=10)},
        stores=["lines", "filestore"],
    )
    assert code == 1
    assert worker(result, "lines", "store")["message"] == "writing: the server is gone"
    delivery = worker(result, "lines", "store")["delivery"]
    assert delivery == {"emitted": 5002, "delivered": 0, "rejected": 0, "spooled": 5002, "lost": 0}
    assert len(run.records("cloud")) == 5000


def test_a_store_that_fails_in_done_has_delivered_nothing_for_sure(run: Run, tmp_path: Path) -> None:
    code, result, _ = run.run({"lines": plugin("Store", path=str(tmp_path / "l"), fail_done=True)}, stores=["lines"])
    assert code == 1
    assert worker(result, "lines", "store")["delivery"]["spooled"] == 12
    assert worker(result, "lines", "store")["message"] == "delivering: OSError: could not flush"


def test_parameters_that_a_constructor_refuses_are_a_configuration_error_before_anything_is_read(run: Run) -> None:
    code, result, err = run.run({"cloud": plugin("BadParams", level=4)})
    assert (code, result) == (2, None)
    assert "plugins.cloud.params: ValueError: level: at most 3" in err
    assert not run.out.exists()


# Records that are not JSON


def test_poison_values_have_their_documented_form_and_harm_no_neighbour(run: Run) -> None:
    code, result, _ = run.run({"cloud": plugin("PoisonCloud")})
    assert code == 1
    records = run.records("cloud")
    healthy = [r["raw"]["data"] for r in records if r["com"]["reference"].startswith("mock/")]
    assert healthy == list(range(14))
    values = {r["raw"]["name"]: r["raw"]["value"] for r in records if r["com"]["reference"].startswith("poison/")}
    assert len(values.pop("long")) == 16_000_000
    nested = values.pop("nested")
    for _ in range(300):
        (nested,) = nested
    assert nested == 1
    assert values == {
        "set": [1],
        "bytes": "AP8=",
        "date": "2026-11-23",
        "decimal": "1.10",
        "nan": None,
        "big": 2**70,
        "keys": {"1": "one", "2.5": "two and a half"},
        "surrogate": "a\ufffdb",
    }
    assert worker(result, "cloud", "cloud")["rejected_out"] == 8
    letters = (run.directory / "state" / "dead-letters" / "a_cloud.jsonl").read_text().splitlines()
    reasons = [json.loads(letter)["reason"] for letter in letters]
    assert reasons[0] == "raw.value: object of type object is not JSON"
    assert "nested more than" in reasons[1]
    assert (run.directory / "state" / "dead-letters" / "a_cloud.jsonl").stat().st_mode & 0o777 == 0o600


# Back-pressure and time


def most_memory(session: int) -> dict[str, int]:
    """Return how much memory each process of a session has held at most so far, in kilobytes, by its number."""
    found = {}
    for number in alive_in_session(session):
        with contextlib.suppress(OSError):  # it has ended by now
            if peak := re.search(r"^VmHWM:\s+(\d+) kB$", Path(f"/proc/{number}/status").read_text(), re.MULTILINE):
                found[number] = int(peak[1])
    return found


def test_a_slow_store_holds_the_cloud_back_and_memory_stays_flat(run: Run, tmp_path: Path) -> None:
    count, size, times = 1400, 64_000, 100
    audit = {"stores": ["store"], "events": [], "alerts": []}

    def configure(count: int, delay_s: float) -> Path:
        lines = tmp_path / f"lines-{count}"
        store = plugin("Store", path=str(lines), delay_s=delay_s)
        run.configure({"cloud": plugin("Cloud", count=count, size=size), "store": store}, audit)
        return lines

    configure(2 * count, 0)  # how long the cloud works on a record if nothing holds it back
    code, _, err = run.finish(run.start())
    assert code == 0, err
    cloud_s = float(run.logged(r"a_cloud: ended, (\S+) s of processor time")[1]) / (2 * count)
    (run.directory / "log").unlink()

    lines = configure(count, times * cloud_s)
    process = run.start()
    early: dict[str, int] = {}
    peaks: dict[str, int] = {}
    end = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < end:
        peaks |= most_memory(process.pid)
        if not early and lines.exists() and len(lines.read_text().splitlines()) > count / 10:
            early = dict(peaks)
        time.sleep(0.05)
    code, result, err = run.finish(process, 1)
    assert code == 0, err
    took = {name: worker(result, name, kind)["duration_s"] for name, kind in (("cloud", "cloud"), ("store", "store"))}
    assert took["store"] / count >= times * cloud_s
    assert took["cloud"] > 0.8 * took["store"]  # it was held back to the end
    assert {str(process.pid), str(run.pid("cloud")), str(run.pid("store"))} <= early.keys()
    assert max(peaks.values()) < 60_000  # the records alone are 90 MB
    assert max(peaks[number] - early[number] for number in early) < 5_000
    own = re.findall(r"a_\w+: ended, .* (\d+) MB", (run.directory / "log").read_text())
    assert len(own) == 2
    assert max(map(int, own)) < 60


def test_a_slow_cloud_is_delivered_within_a_second(run: Run, tmp_path: Path) -> None:
    lines = tmp_path / "lines"
    run.configure(
        {"cloud": plugin("Cloud", count=3, hang_at=2), "lines": plugin("Store", path=str(lines))}, {"stores": ["lines"]}
    )
    process = run.start()
    run.logged("Audit a begins")
    end = time.monotonic() + 5
    while not (lines.exists() and len(lines.read_text().splitlines()) == 2) and time.monotonic() < end:
        time.sleep(0.02)
    assert len(lines.read_text().splitlines()) == 2
    process.send_signal(signal.SIGTERM)
    run.finish(process)


def test_what_a_process_dies_of_is_in_the_log_and_not_printed(run: Run) -> None:
    code, result, err = run.run({"moody": plugin("MoodyEvent")}, events=["moody"])
    assert (code, result["status"]) == (1, "failed")
    assert "RuntimeError: not in the mood" in (run.directory / "log").read_text()
    assert "Process a_moody" not in err
