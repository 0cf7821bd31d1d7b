"""Run commands and measure whole runs: time, processor time and memory of a command and of every process it starts.

On Linux the benchmark adopts what a command leaves behind, so that the system's own accounting of each ended process
reaches it: processor time is that of all processes, memory that of the largest. Elsewhere both are of the processes
that the command itself has waited for.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

_PR_SET_CHILD_SUBREAPER = 36
_LEFT_BEHIND_S = 5.0
_MAXRSS_UNIT = 1024 if sys.platform == "linux" else 1


class BenchmarkError(Exception):
    """A benchmark cannot be run, or what it ran did not do its work."""


@dataclass(frozen=True)
class Run:
    """One run of a command.

    Attributes:
        wall_s: from its start to its end.
        cpu_s: processor time of all its processes, user and system.
        peak_mb: the most memory (resident, 10**6 bytes) that its largest process had.
    """

    wall_s: float
    cpu_s: float
    peak_mb: float


@dataclass(frozen=True)
class Command:
    """A command to measure.

    Attributes:
        arguments: the command and its arguments.
        environment: what is set besides this process's environment. Python keeps the bytecode of what it imports, as
            it does for most people, even if this process was told not to: installed packages have theirs from the
            start.
        prepare: called before each run.
        check: called after each run; raises BenchmarkError if the run did not do its work.
    """

    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[], None] = lambda: None
    check: Callable[[], None] = lambda: None


class Runs(list[Run]):
    """The runs of one command."""

    @property
    def best_s(self) -> float:
        """The shortest time: what else the machine does can only make a run longer."""
        return min(run.wall_s for run in self)

    @property
    def median_s(self) -> float:
        """The median time."""
        return statistics.median(run.wall_s for run in self)

    @property
    def cpu_s(self) -> float:
        """The median of the processor time."""
        return statistics.median(run.cpu_s for run in self)

    @property
    def peak_mb(self) -> float:
        """The most memory of any run."""
        return max(run.peak_mb for run in self)


def in_turn(commands: Mapping[str, Command], rounds: int) -> dict[str, Runs]:
    """Run commands in turn (A B C A B C …), so that a machine that gets slower does so for all of them alike."""
    runs = {name: Runs() for name in commands}
    for round_number in range(1, rounds + 1):
        for name, command in commands.items():
            run = measure(command)
            runs[name].append(run)
            say(f"  {round_number}/{rounds}  {name}: {run.wall_s:.2f} s, {run.cpu_s:.2f} s of processor time")
    return runs


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def measure(command: Command) -> Run:
    """Run a command to its end and to that of every process it started.

    Raises:
        BenchmarkError: it did not end with exit code 0, or its check failed.
    """
    _adopt_orphans()
    command.prepare()
    os.sync()  # no run waits for the disk on behalf of the one before
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            command.arguments,
            env={**_environment(), **command.environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        wall_s = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)  # what Popen would have found
        usages = [usage, *_bury(process.pid)]
        if process.returncode != 0:
            output.seek(0)
            text = output.read().decode(errors="replace")
            raise BenchmarkError(f"{' '.join(command.arguments)} ended with {process.returncode}:\n{text[-2000:]}")
    command.check()
    return Run(
        wall_s,
        sum(usage.ru_utime + usage.ru_stime for usage in usages),
        max(usage.ru_maxrss for usage in usages) * _MAXRSS_UNIT / 1e6,
    )


def _adopt_orphans() -> None:
    """Become the parent of processes whose parent has ended."""
    if sys.platform == "linux" and ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise BenchmarkError("the system does not let this process adopt others")


def _bury(group: int) -> list[resource.struct_rusage]:
    """Wait for the processes that a command left behind, and return what they used; kill what does not end."""
    usages: list[resource.struct_rusage] = []
    deadline = time.monotonic() + _LEFT_BEHIND_S
    while True:
        try:
            pid, _, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return usages
        if pid:
            usages.append(usage)
        elif time.monotonic() > deadline:
            os.killpg(group, signal.SIGKILL)
        else:
            time.sleep(0.002)


def say(text: str) -> None:
    """Tell whoever waits what happens, on standard error."""
    print(text, file=sys.stderr, flush=True)
