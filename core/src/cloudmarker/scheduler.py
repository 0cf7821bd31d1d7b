"""Scheduled mode: run each audit when its schedule says so, in the foreground, until told to stop.

Audits that are due at the same time run side by side, as they do with ``-n``; what comes due meanwhile runs when they
have ended, once, however often it came due. So no audit overlaps itself or, by its schedule, another one. A run that
was missed because the machine slept is made up for once, as soon as it is awake.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from cloudmarker.errors import CloudmarkerError, ConfigError
from cloudmarker.results import AuditResult
from cloudmarker.schedule import Due, Schedule
from cloudmarker.signals import Signals

LOOK_S = 30.0
"""The clock is looked at this often, so that a clock that is set, or a machine that sleeps, costs no more than this."""
LATE_S = 90.0
"""A run that begins this much after its time is said to be late."""
SET_BACK_S = 3600.0
"""A clock that is set back by more than this was wrong before: what is next is reckoned anew."""

log = logging.getLogger("cloudmarker.scheduler")


@dataclass(frozen=True)
class Plan:
    """What is to be run, and when.

    Attributes:
        config: the whole configuration, checked.
        schedules: when, by the keys of the audits.
    """

    config: Mapping[str, Any]
    schedules: Mapping[str, Schedule]

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Plan:
        """Return what *config* says: the audits under ``run``, each by its own ``schedule`` or by that of all.

        Raises:
            ScheduleError: a schedule is none; a configuration that was checked has no such.
        """
        everyday = config["schedule"]
        return cls(
            config, {key: Schedule.parse(config["audits"][key].get("schedule") or everyday) for key in config["run"]}
        )


class Clock(Protocol):
    """What the time is, and waiting for it to pass."""

    def now(self) -> float:
        """Return the seconds since the epoch."""

    def wait(self, seconds: float) -> None:
        """Wait this long, or until a signal has come."""


class Observer(Protocol):
    """What is told how it goes. None of its methods may raise or block."""

    def looked(self, scheduler: Scheduler) -> None:
        """Take note of how things are: called at every change, and every half minute in between."""

    def ended(self, keys: Sequence[str], results: Sequence[AuditResult], problem: str) -> None:
        """Take note that audits have ended.

        Args:
            keys: which.
            results: of each; none if they could not be started.
            problem: why not; else empty.
        """


class SystemClock:
    """The clock of this machine; signals end its waiting."""

    def __init__(self, signals: Signals) -> None:
        self._signals = signals

    def now(self) -> float:
        """Return the seconds since the epoch."""
        return time.time()

    def wait(self, seconds: float) -> None:
        """Wait this long, or until a signal has come."""
        self._signals.wait(seconds)


@dataclass
class Scheduler:
    """Waits for audits to be due, and runs them.

    Args:
        plan: what to run, and when.
        run: runs some audits of a configuration side by side to their ends. It is given their keys, and what to call
            some times a second meanwhile.
        reload: returns what to do from now on, by the configuration as it is now; it raises ConfigError if that cannot
            be used.
        signals: what has been asked for by signals.
        clock: the time.
        observers: what is told how it goes.
        say: prints a line that says what is next; it is logged, too.

    Attributes:
        due: when each audit begins next.
        running: the audits that run now.
        problems: why the configuration cannot be used that a reload found; empty if it can.
        loaded: when the configuration in use was read, in seconds since the epoch.
    """

    plan: Plan
    run: Callable[[Mapping[str, Any], Sequence[str], Callable[[], None]], Sequence[AuditResult]]
    reload: Callable[[], Plan]
    signals: Signals
    clock: Clock
    observers: Sequence[Observer] = ()
    say: Callable[[str], None] = lambda _line: None
    due: dict[str, Due] = field(init=False, default_factory=dict)
    running: tuple[str, ...] = field(init=False, default=())
    problems: tuple[str, ...] = field(init=False, default=())
    loaded: float = field(init=False, default=0.0)
    _looked: float = field(init=False, default=0.0)
    _told: float = field(init=False, default=0.0)
    _said_stopping: bool = field(init=False, default=False)

    def serve(self) -> None:
        """Run audits when they are due, until SIGTERM or SIGINT."""
        self.loaded = self.clock.now()
        self._reckon(self.loaded)
        self._announce()
        while not self.signals.stopping:
            if self.signals.take_reload():
                self._reload()
                continue
            now = self._look()
            keys = [key for key, due in self.due.items() if due.at <= now]
            if keys:
                self._run(keys, now)
            else:
                self._tell()
                self.clock.wait(min(LOOK_S, min(due.at for due in self.due.values()) - now))
        self._tell()
        log.info("stopped by %s", self.signals.stopping)

    @property
    def state(self) -> str:
        """Return what it is doing: waiting, running, stopping (running for the last time) or stopped."""
        if self.signals.stopping:
            return "stopping" if self.running else "stopped"
        return "running" if self.running else "waiting"

    def _look(self) -> float:
        """Return the time; reckon anew if the clock has been set back far."""
        now = self.clock.now()
        if now < self._looked - SET_BACK_S:
            log.warning("the clock was set back: what is next is reckoned from what it shows now")
            self.due.clear()
            self._reckon(now)
            self._announce()
        self._looked = now
        return now

    def _reckon(self, now: float) -> None:
        """Find out when each audit begins next, where that is not known."""
        self.due = {key: self.due.get(key) or schedule.next_after(now) for key, schedule in self.plan.schedules.items()}

    def _run(self, keys: Sequence[str], now: float) -> None:
        for key in keys:
            if (late_s := now - self.due[key].at) > LATE_S:
                log.warning("%s was due at %s, %d s ago: it begins now, once", key, self.due[key].text, late_s)
            del self.due[key]
        self._reckon(now)  # from its beginning: if this run lasts beyond the next one's time, that follows at once
        self.running = tuple(keys)
        self._tell()
        results: Sequence[AuditResult] = ()
        problem = ""
        try:
            results = self.run(self.plan.config, keys, self._tick)
        except (CloudmarkerError, OSError) as exc:
            problem = str(exc)
            for line in problem.splitlines() or [type(exc).__name__]:
                log.error("%s could not be run: %s", ", ".join(keys), line)
        self._tick()
        self.running = ()
        for observer in self.observers:
            observer.ended(keys, results, problem)
        if not self.signals.stopping:
            self._announce()

    def _tick(self) -> None:
        """Do what has to be done while audits run."""
        if self.signals.stopping and not self._said_stopping:
            self._said_stopping = True
            log.warning(
                "%s: no audit begins any more, and those that run are finished; another signal stops their reading",
                self.signals.stopping,
            )
            self._tell()
        now = self.clock.now()
        if not self._told <= now < self._told + LOOK_S:
            self._tell()

    def _tell(self) -> None:
        self._told = self.clock.now()
        for observer in self.observers:
            observer.looked(self)

    def _announce(self) -> None:
        """Say what is next."""
        by_time: dict[Due, list[str]] = {}
        for key, due in self.due.items():
            by_time.setdefault(due, []).append(key)
        for due in sorted(by_time, key=lambda due: due.at):
            line = f"next run of {', '.join(by_time[due])}: {due.text}"
            log.info("%s", line)
            self.say(line)

    def _reload(self) -> None:
        try:
            plan = self.reload()
        except ConfigError as exc:
            self.problems = exc.problems
            for problem in exc.problems:
                log.error("not reloaded: %s", problem)
            log.error("the configuration cannot be used as it is now; the one before stays in use")
            return
        kept = {key for key, schedule in plan.schedules.items() if self.plan.schedules.get(key) == schedule}
        self.due = {key: due for key, due in self.due.items() if key in kept}
        self.plan, self.problems, self.loaded = plan, (), self.clock.now()
        log.info("the configuration is reloaded")
        self._reckon(self.loaded)
        self._announce()
