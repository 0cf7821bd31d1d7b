"""Running simulators as a command does: until a signal comes, or as long as a child process lives."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from types import FrameType
from typing import Any, Protocol, TextIO

NOT_EXECUTABLE = 126
NOT_FOUND = 127
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Running(AbstractContextManager[Any], Protocol):
    """What can be run: a simulator, whatever it speaks; see :class:`~cloudmarker_simulators._simulator.Simulator`."""

    cloud: str
    settings: dict[str, str]

    @property
    def environment(self) -> dict[str, str]:
        """The settings as environment variables."""
        ...

    @property
    def refused(self) -> int:
        """Number of calls refused because they were not reads."""
        ...


def serve_until_stopped(simulator: Running, ready: TextIO) -> None:
    """Run *simulator* until SIGINT, SIGTERM or SIGHUP, after writing its settings to *ready* as one line of JSON."""
    stopped = threading.Event()
    with _on_signals(lambda _number: stopped.set()), simulator:
        ready.write(json.dumps({"cloud": simulator.cloud, **simulator.settings}) + "\n")
        ready.flush()
        stopped.wait()
    _report_refusals(simulator)


def run_with(simulators: Sequence[Running], command: Sequence[str]) -> int:
    """Run *command* as a child while *simulators* answer, with their settings in its environment.

    SIGTERM, SIGINT and SIGHUP go to the child, and we end when it does.

    Returns:
        The child's exit code; 128 and the number of the signal when one ended it; 127 when there is no such command and
        126 when it cannot be run.
    """
    child = _Child()
    with contextlib.ExitStack() as stack:
        stack.enter_context(_on_signals(child.forward))
        for simulator in simulators:
            stack.enter_context(simulator)
        try:
            code = child.run(command, child_environment(os.environ, simulators))
        except FileNotFoundError:
            print(f"cloudmarker-simulate: {command[0]}: command not found", file=sys.stderr)
            return NOT_FOUND
        except OSError as exc:
            print(f"cloudmarker-simulate: {command[0]}: {exc.strerror}", file=sys.stderr)
            return NOT_EXECUTABLE
    for simulator in simulators:
        _report_refusals(simulator)
    return code


def child_environment(inherited: Mapping[str, str], simulators: Sequence[Running]) -> dict[str, str]:
    """Return *inherited* with the simulators' settings, and with loopback exempt from any proxy."""
    environment = dict(inherited)
    for name in ("NO_PROXY", "no_proxy"):
        environment[name] = ",".join(filter(None, [inherited.get(name), "localhost,127.0.0.1"]))
    for simulator in simulators:
        environment.update(simulator.environment)
    return environment


class _Child:
    """A child process, and the signals that reach us meanwhile."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []

    def forward(self, number: int) -> None:
        if self._process is None:
            self._early.append(number)
        elif number != signal.SIGINT or not _is_foreground():
            self._process.send_signal(number)
        # else: the terminal has sent its Ctrl-C to the child as well, and twice would mean "at once"

    def run(self, command: Sequence[str], environment: Mapping[str, str]) -> int:
        if self._early:
            return 128 + self._early[0]
        self._process = subprocess.Popen(command, env=environment)  # noqa: S603 (running the user's command is the point)
        for number in self._early:
            self._process.send_signal(number)
        code = self._process.wait()
        return 128 - code if code < 0 else code


def _is_foreground() -> bool:
    """Say whether we are what a terminal's Ctrl-C goes to."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


@contextlib.contextmanager
def _on_signals(action: Callable[[int], object]) -> Iterator[None]:
    def handle(number: int, _frame: FrameType | None) -> None:
        action(number)

    hang_up = [] if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN else [signal.SIGHUP]  # nohup
    before = {number: signal.signal(number, handle) for number in (*STOP_SIGNALS, *hang_up)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _report_refusals(simulator: Running) -> None:
    if simulator.refused:
        print(
            f"cloudmarker-simulate: {simulator.cloud}: refused {simulator.refused} calls that were not reads",
            file=sys.stderr,
        )
