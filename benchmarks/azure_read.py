"""Reading Azure: against a bare loop, against the SDK's models, under quotas, and a million records.

A simulated tenant is read on the same machine, the simulator in a process of its own. Each way of reading is a process,
too; its time is that from before its first import to its last record, so that loading a library counts. All of them
look for garbage as rarely as a worker of an audit does.

- The plugin, through which all of it goes: login, subscriptions, lists, records, coverage, and a governor that is asked
  for every request. The bare loop is a session of `requests` and as many threads that read the same URLs, decode the
  JSON, and count. The SDK reads them with its clients and models, one list after the other, in an environment of its
  own. 40 subscriptions with 10 lists of 20 resources each, every answer 50 ms late.
- Quotas: 500 subscriptions, each of which gives 4 calls at once, and then one every 16 seconds. What they allow at best
  is the time after which the last of a subscription's 10 lists can be read. The plugin knows nothing of them but what
  Azure's headers say.
- Memory: a million records of four types, in lists of 12,500.
"""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from _measuring import BenchmarkError, say
from _results import Claim, Options, Results, Table

READING = Path(__file__).resolve().with_name("_azure_reading.py")
SDK_ENVIRONMENT = Path(__file__).resolve().parent / ".venv-azure-sdk"
SDK_PACKAGES = (
    "azure-identity",
    "azure-mgmt-compute==39.0.0",
    "azure-mgmt-network==33.1.0",
    "azure-mgmt-storage==25.3.0",
    "azure-mgmt-resource-subscriptions==1.0.0",
)
TYPES = (
    "virtual_machine", "vm_scale_set", "snapshot", "image", "nic", "lb", "nsg", "route_table", "app_gateway",
    "storage_account",
)  # fmt: skip
SUBSCRIPTIONS, RESOURCES, LATENCY_MS = 40, 20, 50
TIMES_THE_LOOP, TIMES_FASTER = 1.5, 8.0

MANY_SUBSCRIPTIONS, QUOTA_CALLS, QUOTA_PER_S = 500, 4, 0.0625
REFUSED_SHARE, TIMES_ALLOWED = 0.02, 1.3

BIG_TYPES = ("snapshot", "image", "route_table", "vm_scale_set")
BIG_SUBSCRIPTIONS, BIG_RESOURCES = 20, 12_500
PEAK_MB = 150.0
ROUNDS = 5


def main(options: Options) -> Results:
    """Measure, and return the tables and claims."""
    speed, speed_claims = _speed(options)
    quotas, quota_claims = _quotas(options)
    memory, memory_claim = _memory(options)
    return Results((speed, quotas, memory), (*speed_claims, *quota_claims, memory_claim))


def _speed(options: Options) -> tuple[Table, list[Claim]]:
    plugin, loop, sdk = "the plugin", "bare loop", "the SDK's models, one list after the other"
    subscriptions = 4 if options.quick else SUBSCRIPTIONS
    runs: dict[str, list[Mapping[str, Any]]] = {plugin: [], loop: [], sdk: []}
    sdk_python = _sdk_python()
    rounds = options.rounds or (1 if options.quick else ROUNDS)
    with _simulator("--subscriptions", subscriptions, "--scale", RESOURCES, "--latency", LATENCY_MS) as settings:
        for number in range(1, rounds + 1):
            runs[plugin].append(_read("plugin", settings, TYPES, rate_limit=1))
            runs[loop].append(_read("loop", settings, TYPES))
            if sdk_python and number <= 2:
                runs[sdk].append(_read("sdk", settings, TYPES, python=sdk_python))
            say(
                f"  {number}/{rounds}  "
                + ", ".join(f"{name}: {each[-1]['wall_s']:.2f} s" for name, each in runs.items() if each)
            )
    expected = subscriptions * len(TYPES) * RESOURCES
    for name, each in runs.items():
        for run in each:
            if sum(run["found"].values()) != expected:
                raise BenchmarkError(f"{name}: {run['found']} is not {expected:,} records")
    best = {name: min(run["wall_s"] for run in each) for name, each in runs.items() if each}
    rows = [
        (
            name,
            f"{best[name]:.2f}",
            f"{min(run['cpu_s'] for run in each):.2f}",
            f"{expected / best[name]:,.0f}",
            f"{max(run['peak_mb'] for run in each):.0f}",
            f"{best[name] / best[plugin]:.2f}",
        )
        for name, each in runs.items()
        if each
    ]
    table = Table(
        ("", "best, s", "processor time, s", "records/s", "memory, MB", "best, times the plugin's"),
        rows,
        f"{subscriptions * len(TYPES)} lists, {expected:,} records.",
    )
    longer = best[plugin] / best[loop]
    faster = best[sdk] / best[plugin] if sdk in best else None
    return table, [
        Claim(
            f"at most {TIMES_THE_LOOP} times the time of the bare loop", f"{longer:.2f} times", longer <= TIMES_THE_LOOP
        ),
        Claim(
            f"at least {TIMES_FASTER:.0f} times as fast as the SDK's models",
            f"{faster:.1f} times" if faster else "the SDK could not be installed",
            faster >= TIMES_FASTER if faster else None,
        ),
    ]


def _quotas(options: Options) -> tuple[Table, list[Claim]]:
    subscriptions = 10 if options.quick else MANY_SUBSCRIPTIONS
    per_s = 2.0 if options.quick else QUOTA_PER_S
    allowed_s = (len(TYPES) - QUOTA_CALLS) / per_s
    quota = f"{QUOTA_CALLS}/{per_s}"
    # All subscriptions fit into one page: the tenant has no more calls than each of them.
    size = ("--subscriptions", subscriptions, "--scale", 1, "--page-size", 1000)
    with _simulator(*size, "--quota", quota) as settings:
        run = _read("plugin", settings, TYPES, rate_limit=1)
    if run["found"].get("hole"):
        raise BenchmarkError(f"under quotas {run['found']['hole']} lists were not read")
    calls = sum(run["statuses"].values())
    refused = run["statuses"].get("429", 0)
    say(f"  quotas: {run['wall_s']:.1f} s, {refused} of {calls} calls refused")
    table = Table(
        ("under quotas", "calls", "refused (429)", "allowed at best, s", "taken, s"),
        [("the plugin", f"{calls:,}", f"{refused:,}", f"{allowed_s:.0f}", f"{run['wall_s']:.0f}")],
    )
    times = run["wall_s"] / allowed_s
    return table, [
        Claim(
            f"less than {REFUSED_SHARE:.0%} of the calls are refused",
            f"{refused / calls:.1%}",
            refused < REFUSED_SHARE * calls,
        ),
        Claim(
            f"at most {TIMES_ALLOWED} times the time that the quotas allow",
            f"{times:.2f} times",
            times <= TIMES_ALLOWED,
        ),
    ]


def _memory(options: Options) -> tuple[Table, Claim]:
    resources = options.size(BIG_RESOURCES)
    with _simulator("--subscriptions", BIG_SUBSCRIPTIONS, "--scale", resources) as settings:
        few = _read("plugin", settings, BIG_TYPES[:1], rate_limit=1, _max_recs=100)
        many = _read("plugin", settings, BIG_TYPES, rate_limit=1)
    records = sum(many["found"].values())
    if records != BIG_SUBSCRIPTIONS * len(BIG_TYPES) * resources:
        raise BenchmarkError(f"{many['found']} are not all records")
    say(f"  memory: {records:,} records, {many['peak_mb']:.0f} MB, {many['wall_s']:.0f} s")
    rows = [(f"{sum(run['found'].values()):,}", f"{run['peak_mb']:.0f}", f"{run['wall_s']:.0f}") for run in (few, many)]
    table = Table(("records", "memory of the process, MB", "taken, s"), rows)
    return table, Claim(
        f"under {PEAK_MB:.0f} MB of memory at {records:,} records",
        f"{many['peak_mb']:.0f} MB",
        many["peak_mb"] < PEAK_MB,
    )


@contextmanager
def _simulator(*arguments: object) -> Iterator[dict[str, str]]:
    """Run the simulator with these arguments; give what a client needs to know."""
    command = Path(sysconfig.get_path("scripts")) / "cloudmarker-simulate"
    process = subprocess.Popen((str(command), "azure", *map(str, arguments)), stdout=subprocess.PIPE, text=True)
    try:
        ready = process.stdout.readline() if process.stdout else ""
        if not ready:
            raise BenchmarkError(f"the simulator does not start with {arguments}")
        settings: dict[str, str] = json.loads(ready)
        yield {name: value for name, value in settings.items() if name != "cloud"}
    finally:
        process.terminate()
        process.wait(10)


def _read(
    way: str, settings: Mapping[str, str], types: Sequence[str], *, python: str = sys.executable, **more: Any
) -> dict[str, Any]:
    parameters = json.dumps({"settings": settings, "types": types, "more": more})
    done = subprocess.run((python, str(READING), way, parameters), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchmarkError(f"{way} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


def _sdk_python() -> str | None:
    """Return the interpreter that has the SDK, installed if need be; None, saying why, if that fails."""
    python = SDK_ENVIRONMENT / "bin" / "python"
    if (SDK_ENVIRONMENT / "complete").exists():
        return str(python)
    say(f"  installing the SDK in {SDK_ENVIRONMENT}")
    for arguments in (
        (sys.executable, "-m", "venv", "--clear", str(SDK_ENVIRONMENT)),
        (str(python), "-m", "pip", "install", "--quiet", *SDK_PACKAGES),
    ):
        done = subprocess.run(arguments, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            say(f"  that failed; its figures will be missing:\n{done.stdout}{done.stderr}")
            return None
    (SDK_ENVIRONMENT / "complete").touch()
    return str(python)
