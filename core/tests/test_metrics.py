"""Numbers for Prometheus: what they are after runs, where they can be read, and what is in none of them."""

from __future__ import annotations

import socket
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from cloudmarker import netaddress
from cloudmarker.errors import ConfigError
from cloudmarker.metrics import Metrics
from cloudmarker.results import AuditInfo, AuditResult, Delivery, Finding, WorkerResult
from cloudmarker.scheduler import Plan, Scheduler
from cloudmarker.signals import Signals
from prometheus_client.parser import text_string_to_metric_families


class StoppedClock:
    def now(self) -> float:
        return 1_800_000_000.0

    def wait(self, seconds: float) -> None:
        raise AssertionError("nobody waits here")


def scheduler(*audits: str, state: str = "/no/such/place") -> Scheduler:
    config: dict[str, Any] = {
        "schedule": {"cron": "0 6 * * *", "timezone": "UTC"},
        "audits": {key: {} for key in audits},
        "run": list(audits),
        "state": {"path": state},
    }
    made = Scheduler(Plan.of(config), lambda *_: [], lambda: Plan.of(config), Signals(), StoppedClock())
    made.due = {key: schedule.next_after(StoppedClock().now()) for key, schedule in made.plan.schedules.items()}
    return made


def result(key: str, status: Any = "complete", **more: Any) -> AuditResult:
    fields: dict[str, Any] = {
        "workers": (
            WorkerResult(f"{key}_cloud", "cloud", "cloud", "ok", records_out=7),
            WorkerResult(f"{key}_store", "store", "store", "ok", delivery=Delivery(9, 5, 1, 2, 1)),
        ),
        "coverage": {"ok": 4, "denied": 2, "failed": 1, "disabled": 3},
        "holes": (),
        "severities": {"high": 2, "info": 1},
        "findings": (Finding("high", "secret-check", "/secret/reference", "secret words", "f"),),
        "started": 1_700_000_000.0,
        "duration_s": 2.5,
        "reason": "secret reason",
        **more,
    }
    return AuditResult(AuditInfo(key, "v", {}), status, **fields)


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def metrics(port) -> Iterator[Metrics]:
    made = Metrics()
    made.listen(str(port))
    yield made
    made.close()


def text(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return str(answer.read().decode())


def samples(port: int) -> dict[tuple[str, ...], float]:
    """The value of each sample, by its name and the values of its labels, in the order of their names."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text(port))
        for sample in family.samples
    }


def test_runs_records_findings_and_holes_are_counted(metrics, port):
    metrics.looked(scheduler("a", "b"))
    metrics.ended(["a", "b"], [result("a"), result("b", "failed")], "")
    metrics.ended(["a"], [result("a", "incomplete", severities={"low": 1}, suppressed=5)], "")
    found = samples(port)
    assert [found["cloudmarker_runs_total", "a", status] for status in ("complete", "incomplete", "failed")] == [
        1,
        1,
        0,
    ]
    assert found["cloudmarker_runs_total", "b", "failed"] == 1
    assert found["cloudmarker_run_duration_seconds_count", "a"] == 2
    assert found["cloudmarker_run_duration_seconds_sum", "a"] == 5
    assert found["cloudmarker_records_read_total", "a", "cloud"] == 14
    assert found["cloudmarker_deliveries_total", "a", "store", "spooled", "store"] == 4
    assert found["cloudmarker_findings", "a", "low"] == 1
    assert found["cloudmarker_findings", "a", "high"] == 0, "those of the last run"
    assert found["cloudmarker_findings", "b", "high"] == 2
    assert found["cloudmarker_findings_suppressed", "a"] == 5
    assert found["cloudmarker_findings_suppressed", "b"] == 0
    assert found["cloudmarker_coverage", "a", "denied"] == 2
    assert found["cloudmarker_coverage_holes", "a"] == 3, "what is not in use is no hole"
    assert found["cloudmarker_last_run_timestamp_seconds", "a", "complete"] == 1_700_000_000


def test_a_run_that_could_not_begin_counts_as_failed(metrics, port):
    metrics.ended(["a"], [], "plugins.x.params: no")
    assert samples(port)["cloudmarker_runs_total", "a", "failed"] == 1


def test_runs_are_0_before_the_first(metrics, port):
    metrics.looked(scheduler("a"))
    assert samples(port)["cloudmarker_runs_total", "a", "failed"] == 0


def test_the_next_run_of_each_audit_is_there_while_the_audit_is(metrics, port):
    metrics.looked(scheduler("a", "b"))
    assert ("cloudmarker_next_run_timestamp_seconds", "b") in samples(port)
    metrics.looked(scheduler("a"))
    found = samples(port)
    assert found["cloudmarker_next_run_timestamp_seconds", "a"] > 1_800_000_000
    assert ("cloudmarker_next_run_timestamp_seconds", "b") not in found


def test_an_audit_that_is_run_no_more_keeps_its_counts_and_nothing_else(metrics, port):
    metrics.looked(scheduler("a", "b"))
    metrics.ended(["a", "b"], [result("a"), result("b", suppressed=1)], "")
    metrics.looked(scheduler("a"))
    found = samples(port)
    assert {name for name, *labels in found if "b" in labels} == {
        "cloudmarker_runs_total",
        "cloudmarker_run_duration_seconds_count",
        "cloudmarker_run_duration_seconds_sum",
        "cloudmarker_records_read_total",
        "cloudmarker_deliveries_total",
    }
    assert found["cloudmarker_coverage_holes", "a"] == 3
    metrics.looked(scheduler("a", "b"))
    metrics.ended(["b"], [result("b")], "")
    assert samples(port)["cloudmarker_coverage_holes", "b"] == 3


def test_a_configuration_that_cannot_be_used_shows(metrics, port):
    broken = scheduler("a")
    metrics.looked(broken)
    assert samples(port)["cloudmarker_config_valid",] == 1
    broken.problems = ("zzz: unknown key",)
    metrics.looked(broken)
    assert samples(port)["cloudmarker_config_valid",] == 0


def test_the_size_of_the_spool_is_what_it_is_when_asked(metrics, port, tmp_path):
    metrics.looked(scheduler("a", state=str(tmp_path)))
    assert samples(port)["cloudmarker_spool_bytes",] == 0
    folder = tmp_path / "spool" / "a_store" / "v-store"
    folder.mkdir(parents=True)
    (folder / "000001.jsonl").write_bytes(b"x" * 1000)
    (folder / "settled").write_bytes(b"x" * 10)
    assert samples(port)["cloudmarker_spool_bytes",] == 1010


def test_no_number_is_labelled_with_what_was_read(metrics, port):
    metrics.looked(scheduler("a"))
    metrics.ended(["a"], [result("a")], "secret problem")
    shown = text(port)
    assert "secret" not in shown
    before = len(shown.splitlines())
    for _ in range(5):
        metrics.ended(["a"], [result("a")], "")
    assert len(text(port).splitlines()) == before, "a further run adds no series"


# Where


def test_by_default_nothing_listens(port):
    metrics = Metrics()
    metrics.listen(None)
    metrics.ended(["a"], [result("a")], "")
    with pytest.raises(OSError, match="refused"):
        text(port)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("9464", ("127.0.0.1", 9464)),
        ("127.0.0.1:9464", ("127.0.0.1", 9464)),
        ("0.0.0.0:9464", ("0.0.0.0", 9464)),
        ("[::1]:9464", ("::1", 9464)),
        ("metrics.example.com:80", ("metrics.example.com", 80)),
    ],
)
def test_a_port_alone_is_one_of_this_machine_only(address, expected):
    assert netaddress.split(address) == expected


@pytest.mark.parametrize(
    "address", ["", ":9464", "localhost", "localhost:", "localhost:0", "h:65536", "h:\u0661", "a b:1"]
)
def test_what_is_no_address_is_refused(address):
    with pytest.raises(ValueError, match="is no address; expected HOST:PORT"):
        netaddress.split(address)


def test_another_address_takes_the_place_of_the_one_before_and_the_counts_stay(metrics, port):
    metrics.ended(["a"], [result("a")], "")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        other = int(free.getsockname()[1])
    metrics.listen(f"127.0.0.1:{other}")
    assert samples(other)["cloudmarker_runs_total", "a", "complete"] == 1
    with pytest.raises(OSError, match="refused"):
        text(port)


def test_the_same_address_in_other_words_stays(metrics, port):
    metrics.listen(f"127.0.0.1:{port}")
    assert "cloudmarker_build_info" in text(port)


def test_an_address_that_is_taken_leaves_the_one_before(metrics, port):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        other = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"^metrics.address: 127.0.0.1, port {other}: .*in use"):
            metrics.listen(str(other))
    assert "cloudmarker_build_info" in text(port)


def test_without_prometheus_client_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "prometheus_client", None)
    with pytest.raises(ConfigError, match=r"pip install 'cloudmarker\[metrics\]'"):
        Metrics().listen("9464")
