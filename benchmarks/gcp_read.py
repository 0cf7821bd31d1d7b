"""How fast, and in how much memory, Google Cloud is read.

A simulated organization of 100 projects, whose every answer takes 50 ms, is read with 601 calls: six types of Compute
Engine from each project. The plugin is compared with a bare loop that has the same number of threads and does nothing
with what it gets, and with google-api-python-client, one call after the other. Memory is that of a process that reads
1,000,000 machines and encodes their records as the worker of an audit does, while other processes serve them.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from _measuring import BenchmarkError, say
from _results import Claim, Options, Results, Table

PROJECTS = 100
LATENCY_MS = 50
TYPES = ("firewall", "network", "snapshot", "instance", "disk", "subnetwork")
MACHINES = 1_000_000
LIMIT_MB = 150.0
SENDER = Path(__file__).with_name("_gcp_sender.py")


def main(options: Options) -> Results:
    """Run the benchmark."""
    rounds = options.rounds or (1 if options.quick else 5)
    projects = max(options.size(PROJECTS), 4)
    runs: dict[str, list[Run]] = {"plugin": [], "loop": [], "client": []}
    with simulator("--projects", str(projects), "--latency", str(LATENCY_MS)) as settings:
        for number in range(1, rounds + 1):
            for way in ("plugin", "loop"):
                runs[way].append(reading(way, settings, *TYPES))
                say(f"  {number}/{rounds}  {way}: {runs[way][-1].wall_s:.2f} s")
        say("  one call after the other")
        runs["client"].append(reading("client", settings, *TYPES))
    if len({run.resources for way in runs.values() for run in way}) != 1:
        raise BenchmarkError(f"not all ways read the same: {runs}")
    machines = max(options.size(MACHINES), PROJECTS)
    with simulator("--projects", str(PROJECTS), "--scale", str(machines // PROJECTS)) as settings:
        say(f"  {machines:,} machines")
        memory = reading("plugin", settings, "instance")
    if memory.resources != machines:
        raise BenchmarkError(f"{memory.resources} machines were read, not {machines}")
    names = {
        "plugin": "plugin, 32 threads",
        "loop": "bare loop, 32 threads",
        "client": "google-api-python-client, one by one",
    }
    best = {way: min(run.wall_s for run in runs[way]) for way in runs}
    speed = Table(
        ("way", "best s", "median s", "processor s", "memory MB"),
        [(names[way], *_figures(best[way], runs[way])) for way in names],
        f"{projects} projects x {len(TYPES)} types x {LATENCY_MS} ms; the login and imports are included.",
    )
    size = Table(
        ("machines", "s", "processor s", "memory MB"),
        [(f"{memory.resources:,}", f"{memory.wall_s:.0f}", f"{memory.cpu_s:.0f}", f"{memory.peak_mb:.0f}")],
    )
    ratio, gain = best["plugin"] / best["loop"], best["client"] / best["plugin"]
    full = not options.quick
    return Results(
        (speed, size),
        (
            Claim("at most 1.5 times a bare loop", f"{ratio:.2f} times", ratio <= 1.5 if full else None),
            Claim("at least 10 times the sequential client", f"{gain:.1f} times", gain >= 10 if full else None),
            Claim(
                f"memory under {LIMIT_MB:.0f} MB at {MACHINES:,} records",
                f"{memory.peak_mb:.0f} MB at {machines:,}",
                memory.peak_mb < LIMIT_MB if full else None,
            ),
        ),
    )


def _figures(best_s: float, runs: list[Run]) -> tuple[str, ...]:
    median_s = statistics.median(run.wall_s for run in runs)
    cpu_s = statistics.median(run.cpu_s for run in runs)
    return f"{best_s:.2f}", f"{median_s:.2f}", f"{cpu_s:.2f}", f"{max(run.peak_mb for run in runs):.0f}"


@dataclass(frozen=True)
class Run:
    """One reading, in a process of its own.

    Attributes:
        resources: how many came.
        wall_s: how long it took.
        cpu_s: processor time of the process.
        peak_mb: the most memory (resident, 10**6 bytes) that it had.
    """

    resources: int
    wall_s: float
    cpu_s: float
    peak_mb: float


def reading(way: str, settings: str, *types: str) -> Run:
    """Read *types* in one of the ways that the sender knows.

    Raises:
        BenchmarkError: it failed.
    """
    done = subprocess.run(
        (sys.executable, str(SENDER), way, settings, *types), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise BenchmarkError(f"{way}: {done.stderr[-2000:]}")
    return Run(**json.loads(done.stdout))


@contextmanager
def simulator(*arguments: str) -> Iterator[str]:
    """Serve a simulated organization in another process; give what it says of itself."""
    server = subprocess.Popen(
        (sys.executable, "-m", "cloudmarker_simulators", "gcp", *arguments), stdout=subprocess.PIPE, text=True
    )
    try:
        line = server.stdout.readline() if server.stdout else ""
        if not line:
            raise BenchmarkError("the simulator did not start")
        settings = json.loads(line)
        settings.pop("cloud")
        yield json.dumps(settings)
    finally:
        server.terminate()
        server.wait()
