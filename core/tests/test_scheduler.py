"""Scheduled mode under a clock of its own: days pass in no time. What a signal, a sleep and a long run do to it."""

from __future__ import annotations

import logging
import math
import signal
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from typing import Any

import pytest
from cloudmarker.errors import ConfigError
from cloudmarker.results import AuditInfo, AuditResult
from cloudmarker.schedule import Schedule
from cloudmarker.scheduler import Plan, Scheduler
from cloudmarker.signals import Signals
from hypothesis import given, settings
from hypothesis import strategies as st

HOUR = 3600.0
DAY = 24 * HOUR


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp()


def shown(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%d %H:%M")


def at(time_of_day: str, zone: str = "UTC") -> dict[str, str]:
    """That time of every day, by the clock of a zone, whatever zone the tests run in."""
    hour, minute = time_of_day.split(":")
    return {"cron": f"{int(minute)} {int(hour)} * * *", "timezone": zone}


def config(schedule: object, **own: object) -> dict[str, Any]:
    """A configuration with the audit `a`, and those that have a schedule of their own."""
    audits: dict[str, Any] = {"a": {}, **{key: {"schedule": value} for key, value in own.items()}}
    return {"schedule": schedule, "audits": audits, "run": list(audits)}


class World:
    """A clock, and what happens at which time; a scheduler in it, whose audits only take time.

    Args:
        start: when it begins.
        end: when SIGTERM comes.
        config: the configuration.
        takes_s: how long a run of some audits takes.
    """

    def __init__(
        self, start: str, end: str, config: dict[str, Any], takes_s: Callable[[Sequence[str]], float] = lambda _: 60
    ) -> None:
        self.time = utc(start)
        self.runs: list[tuple[str, float, float]] = []
        self.slept: list[tuple[float, float]] = []
        self.configs: list[Any] = []
        self.config = config
        self.takes_s = takes_s
        self.signals = Signals()
        self._events: list[tuple[float, Callable[[], None]]] = []
        self._end = (utc(end), lambda: self.signals.note(signal.SIGTERM))
        self.scheduler = Scheduler(Plan.of(config), self._run, self._reload, self.signals, self)

    def happens(self, when: str, what: Callable[[], None]) -> None:
        """Let something happen at a time, such as a signal; what is first is to be said first."""
        self._events.append((utc(when), what))

    def sleeps(self, when: str, hours: float) -> None:
        """Let the machine sleep, or its clock be set if *hours* are negative."""

        def jump() -> None:
            self.slept.append((self.time, self.time + hours * HOUR))
            self.time += hours * HOUR

        self.happens(when, jump)

    def now(self) -> float:
        return self.time

    def wait(self, seconds: float) -> None:
        until = self.time + seconds
        when, what = self._events[0] if self._events else self._end
        if when <= until:
            if self._events:
                self._events.pop(0)
            else:
                self._end = (math.inf, self._end[1])
            self.time = max(self.time, when)
            what()
        else:
            self.time = until

    def serve(self) -> World:
        self.scheduler.serve()
        return self

    def begun(self, key: str = "a") -> list[str]:
        return [shown(begin) for name, begin, _ in self.runs if name == key]

    def _run(self, config: Any, keys: Sequence[str], tick: Callable[[], None]) -> list[AuditResult]:
        self.configs.append(config)
        begin = self.time
        left = self.takes_s(keys)
        while left > 0:
            tick()
            self.wait(min(30.0, left))
            left -= 30.0
        tick()
        self.runs += [(key, begin, self.time) for key in keys]
        return [
            AuditResult(AuditInfo(key, "", {}), "complete", (), {}, (), {}, (), begin, self.time - begin)
            for key in keys
        ]

    def _reload(self) -> Plan:
        if "broken" in self.config:
            raise ConfigError(["c.yaml: broken: unknown key"])
        return Plan.of(self.config)


@pytest.fixture(autouse=True)
def log(caplog):
    caplog.set_level(logging.INFO, "cloudmarker.scheduler")
    return caplog


# Days


def test_over_many_days_every_run_begins_at_its_time_and_none_is_doubled_or_lost():
    plan = config([at("06:00"), at("18:00")], b=at("06:00"), c="*/15 * * * *", d=at("02:30", "Europe/Berlin"))
    world = World("2026-03-20 12:07", "2026-04-19 12:07", plan).serve()
    assert world.begun("a") == [f"{text[8:10]} {text[11:]}" for text in _half_days(30)]
    assert len(world.begun("b")) == 30
    assert len(world.begun("c")) == 30 * 24 * 4
    assert len(world.begun("d")) == 30
    assert [text for text in world.begun("d") if text[:2] in ("28", "29", "30")] == ["28 01:30", "29 01:00", "30 00:30"]
    for key in "abcd":
        begins = [begin for name, begin, _ in world.runs if name == key]
        assert len(set(begins)) == len(begins)


def _half_days(days: int) -> list[str]:
    first = utc("2026-03-20 18:00")
    return [
        datetime.fromtimestamp(first + n * DAY / 2, timezone.utc).strftime("%Y-%m-%d %H:%M") for n in range(2 * days)
    ]


def test_audits_of_the_same_time_run_side_by_side_and_others_one_after_another():
    plan = config(at("06:00"), b=at("06:00"), c=at("06:01"))
    world = World("2026-03-20 00:00", "2026-03-20 12:00", plan, lambda keys: 600).serve()
    assert [(key, shown(begin)) for key, begin, _ in world.runs] == [
        ("a", "20 06:00"),
        ("b", "20 06:00"),
        ("c", "20 06:10"),
    ]


def test_what_is_next_is_said_at_the_start_and_after_each_run(log):
    lines: list[str] = []
    world = World("2026-03-20 00:00", "2026-03-20 12:00", config(at("06:00"), b=at("06:00"), c=at("18:00")))
    world.scheduler.say = lines.append
    world.serve()
    assert lines == [
        "next run of a, b: 2026-03-20 06:00 UTC",
        "next run of c: 2026-03-20 18:00 UTC",
        "next run of c: 2026-03-20 18:00 UTC",
        "next run of a, b: 2026-03-21 06:00 UTC",
    ]
    assert [record.getMessage() for record in log.records if "next run" in record.getMessage()] == lines


# What was missed


def test_a_run_that_was_missed_while_the_machine_slept_is_made_up_for_once(log):
    world = World("2026-03-20 00:00", "2026-03-25 00:00", config(at("06:00")))
    world.sleeps("2026-03-21 23:00", 2 * 24 + 11)  # to 10:00 on the 24th, over three runs
    world.serve()
    assert world.begun() == ["20 06:00", "21 06:00", "24 10:00"]
    assert "a was due at 2026-03-22 06:00 UTC, 187200 s ago: it begins now, once" in log.text


def test_a_run_that_lasts_beyond_the_next_ones_time_is_followed_by_one_run_at_once():
    durations = iter([50 * HOUR])
    world = World("2026-03-20 00:00", "2026-03-25 00:00", config(at("06:00")), lambda _: next(durations, 60))
    world.serve()
    assert world.begun() == ["20 06:00", "22 08:00", "23 06:00", "24 06:00"]


def test_a_long_audit_makes_others_wait_and_costs_them_none():
    plan = config(at("06:00"), b=at("07:00"))
    world = World("2026-03-20 00:00", "2026-03-22 12:00", plan, lambda keys: 3 * HOUR if keys == ["a"] else 60).serve()
    assert world.begun("b") == ["20 09:00", "21 09:00", "22 09:00"]


def test_a_clock_that_is_set_back_a_little_doubles_no_run():
    world = World("2026-03-20 00:00", "2026-03-22 00:00", config(at("06:00")))
    world.sleeps("2026-03-20 06:10", -0.5)
    world.serve()
    assert world.begun() == ["20 06:00", "21 06:00"]


def test_a_clock_that_was_far_ahead_and_is_set_right_does_not_stop_the_schedule(log):
    world = World("2026-06-28 12:00", "2026-03-22 12:00", config(at("06:00")))
    world.sleeps("2026-06-28 12:10", -24 * 100)
    world.serve()
    assert world.begun() == ["21 06:00", "22 06:00"]
    assert "the clock was set back" in log.text


def test_a_clock_that_is_set_right_during_a_run_does_not_stop_the_schedule():
    world = World("2026-06-28 05:00", "2026-03-22 12:00", config(at("06:00")), lambda keys: 10 * 60)
    world.sleeps("2026-06-28 06:05", -24 * 100)
    world.serve()
    assert world.begun() == ["28 06:00", "21 06:00", "22 06:00"]


def idle_s(world: World, since: float, until: float) -> float:
    """Return how long the machine was awake in that time and no audit ran."""
    found = 0.0
    for begin, end in sorted([*world.slept, *((begin, end) for _, begin, end in world.runs)]):
        found += max(0.0, min(begin, until) - since)
        since = max(since, end)
    return found + max(0.0, until - since)


@settings(max_examples=20)
@given(
    st.lists(
        st.sampled_from(["00:00", "00:01", "05:59", "06:00", "12:30", "23:59"]), min_size=1, max_size=4, unique=True
    ),
    st.lists(st.floats(0, 40 * HOUR), max_size=6),
    st.lists(st.tuples(st.integers(1, 6), st.floats(0.1, 40)), max_size=2),
)
def test_whatever_runs_last_and_however_the_machine_sleeps_nothing_overlaps_is_doubled_or_lost(of_day, takes, sleeps):
    durations = iter(takes)
    plan = config([at(text) for text in of_day], b=at("06:00"))
    world = World("2026-03-01 00:30", "2026-03-11 00:30", plan, lambda _: next(durations, 60.0))
    for day, hours in sorted(sleeps):
        world.sleeps(f"2026-03-{day:02d} 03:00", hours)
    start, end = world.time, utc("2026-03-11 00:30")
    world.serve()
    busy = any(until > end - 60 for _, _, until in world.runs)
    for key in "ab":
        runs = [(begin, until) for name, begin, until in world.runs if name == key]
        schedule = world.scheduler.plan.schedules[key]
        due: list[float] = [schedule.next_after(start).at]
        while due[-1] <= end:
            due.append(schedule.next_after(due[-1]).at)
        before = (start, start)
        for begin, until in runs:
            assert begin >= before[1], "it overlaps the one before"
            reasons = [moment for moment in due if before[0] < moment <= begin]
            assert reasons, "there was no reason for it"
            assert idle_s(world, reasons[0], begin) == 0, "it could have begun before"
            before = (begin, until)
        lost = [moment for moment in due if before[0] < moment <= end - 60]
        assert busy or not lost


# Signals


def test_a_signal_lets_the_running_audit_finish_and_begins_no_other(log):
    world = World("2026-03-20 00:00", "2026-03-20 06:30", config(at("06:00"), b=at("06:20")), lambda _: HOUR)
    world.serve()
    assert [(key, shown(begin), shown(end)) for key, begin, end in world.runs] == [("a", "20 06:00", "20 07:00")]
    assert world.signals.more == []
    assert "SIGTERM: no audit begins any more, and those that run are finished" in log.text
    assert log.text.count("next run") == 2


def test_a_second_signal_is_for_the_running_audit():
    world = World("2026-03-20 00:00", "2026-03-20 06:30", config(at("06:00")), lambda _: HOUR)
    world.happens("2026-03-20 06:20", lambda: world.signals.note(signal.SIGINT))
    world.serve()
    assert world.signals.more == [signal.SIGTERM]


def test_a_signal_while_waiting_ends_at_once(log):
    world = World("2026-03-20 00:00", "2026-03-20 05:59", config(at("06:00"))).serve()
    assert world.runs == []
    assert shown(world.time) == "20 05:59"
    assert "stopped by SIGTERM" in log.text


# Reading the configuration again


def reload(world: World, config: dict[str, Any]) -> Callable[[], None]:
    def happen() -> None:
        world.config = config
        world.signals.note(signal.SIGHUP)

    return happen


def test_a_reload_changes_the_schedule(log):
    world = World("2026-03-20 00:00", "2026-03-23 00:00", config(at("06:00"), b=at("07:00")))
    world.happens("2026-03-20 12:00", reload(world, config(at("18:00"), c=at("19:00"))))
    world.serve()
    assert world.begun("a") == ["20 06:00", "20 18:00", "21 18:00", "22 18:00"]
    assert world.begun("b") == ["20 07:00"]
    assert world.begun("c") == ["20 19:00", "21 19:00", "22 19:00"]
    assert "the configuration is reloaded" in log.text


def test_a_reload_that_cannot_be_used_changes_nothing_and_says_why(log):
    world = World("2026-03-20 00:00", "2026-03-22 00:00", config(at("06:00")))
    world.happens("2026-03-20 12:00", reload(world, {"broken": True}))
    world.serve()
    assert world.begun() == ["20 06:00", "21 06:00"]
    assert world.scheduler.problems == ("c.yaml: broken: unknown key",)
    assert "not reloaded: c.yaml: broken: unknown key" in log.text


def test_a_reload_during_an_audit_is_for_the_next_one():
    first, second = config(at("06:00")), {**config(at("06:00")), "new": True}
    world = World("2026-03-20 00:00", "2026-03-22 00:00", first, lambda _: HOUR)
    world.happens("2026-03-20 06:30", reload(world, second))
    world.serve()
    assert world.begun() == ["20 06:00", "21 06:00"]
    assert world.configs == [first, second]


def test_a_reload_forgets_no_run_that_has_come_due():
    plan = config(at("06:00"), b=at("06:20"))
    world = World("2026-03-20 00:00", "2026-03-20 12:00", plan, lambda keys: HOUR)
    world.happens("2026-03-20 06:30", reload(world, plan))
    world.serve()
    assert world.begun("b") == ["20 07:00"]


def test_a_run_that_cannot_begin_is_said_and_the_schedule_goes_on(log):
    told: list[tuple[Sequence[str], str]] = []

    class Observer:
        def looked(self, scheduler: Scheduler) -> None:
            pass

        def ended(self, keys: Sequence[str], results: Sequence[AuditResult], problem: str) -> None:
            told.append((keys, problem))

    def takes_s(_: Sequence[str]) -> float:
        if not told:
            raise ConfigError(["plugins.x.params: no", "plugins.y.params: no"])
        return 60

    world = World("2026-03-20 00:00", "2026-03-22 00:00", config(at("06:00")), takes_s)
    world.scheduler.observers = [Observer()]
    world.serve()
    assert world.begun() == ["21 06:00"]
    assert told == [(["a"], "plugins.x.params: no\nplugins.y.params: no"), (["a"], "")]
    assert "a could not be run: plugins.y.params: no" in log.text


# What a configuration says


def test_an_audit_without_a_schedule_has_that_of_all():
    everyday, own = at("06:00"), [at("07:00"), at("08:00")]
    plan = Plan.of(
        {"schedule": everyday, "audits": {"a": {"schedule": None}, "b": {"schedule": own}, "c": {}}, "run": ["b", "a"]}
    )
    assert plan.schedules == {"b": Schedule.parse(own), "a": Schedule.parse(everyday)}
