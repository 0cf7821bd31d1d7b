"""The mock audit: the whole command, against version 0.1.0 and against a bare loop.

The audit reads mock records, writes all of them to a file store, and shows all of them to MockEvent, which finds every
third one; the events go to a file alert. What is measured is the whole command, from its start to its end: finding
plugins, reading the configuration, starting the processes, and in the end bringing the files to the disk (which 0.1.0
leaves to the system). After each run the records in the files are counted.

This version remembers findings: in the first round all of them are new and are written to its memory, which has a line
of its own in the table; in the rounds after that it knows them, as it does in nearly all runs over a real tenant.

Version 0.1.0 is the one from PyPI, in an environment of its own, with the same configuration. It reads fewer records,
as it takes longer for each; its start-up is a small part of its time.

The bare loop is the least that a program in Python can do: one process that makes the same records, stamps them,
encodes them with the same JSON library and writes one file. It evaluates nothing, has no pipes and no supervision, and
nobody counts what it loses.
"""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from _measuring import BenchmarkError, Command, Runs, in_turn, say
from _results import Claim, Options, Results, Table

RECORDS = 500_000
MANY_RECORDS = 2_000_000
OLD_RECORDS = 100_000
OLD_VERSION = "0.1.0"
OLD_ENVIRONMENT = Path(__file__).resolve().parent / f".venv-{OLD_VERSION}"
BARE_LOOP = Path(__file__).resolve().parent / "_bare_loop.py"

TIMES_FASTER = 20.0
TIMES_THE_LOOP = 2.0
PEAK_MB = 100.0
SAME_MB = 5.0
ROUNDS = 8


@dataclass(frozen=True)
class Subject:
    """Something that reads records, and its runs."""

    records: int
    runs: Runs

    @property
    def rate(self) -> float:
        """Records per second in the best run."""
        return self.records / self.runs.best_s

    def row(self, name: str, base: Subject) -> tuple[str, ...]:
        """Return the row of the table: the last cell compares with *base*."""
        runs = self.runs
        return (
            name,
            f"{self.records:,}",
            f"{runs.best_s:.2f}",
            f"{runs.median_s:.2f}",
            f"{self.rate:,.0f}",
            f"{1e6 * runs.cpu_s / self.records:.1f}",
            f"{runs.peak_mb:.0f}",
            f"{self.rate / base.rate:.2f}",
        )


def main(options: Options) -> Results:
    """Measure, and return the tables and claims."""
    records, many, old_records = (options.size(count) for count in (RECORDS, MANY_RECORDS, OLD_RECORDS))
    this_command = Path(sysconfig.get_path("scripts")) / "cloudmarker"
    this, old, loop = "this version", f"version {OLD_VERSION}", "bare loop"
    counts = {this: records, old: old_records, loop: records}
    commands = {this: _audit(this_command, options.folder / "this", records)}
    if old_command := _old_command():
        commands[old] = _audit(old_command, options.folder / "old", old_records)
    commands[loop] = _loop(options.folder / "loop", records)
    measured = in_turn(commands, max(options.rounds or ROUNDS, 2))
    more = "this version, more records"
    measured |= in_turn({more: _audit(this_command, options.folder / "many", many)}, 2)
    peaks = [measured[name].peak_mb for name in (this, more)]  # of the first round, too
    first = Subject(records, Runs(measured[this][:1]))
    for name in (this, more):
        del measured[name][0]
    counts[more] = many
    subjects = {name: Subject(counts[name], runs) for name, runs in measured.items()}
    subjects["this version, first run"] = first
    columns = ("", "records", "best, s", "median, s", "records/s", "processor time, µs a record", "largest process, MB")
    table = Table(
        (*columns, f"speed, times {old if old in subjects else loop}"),
        [subject.row(name, subjects.get(old, subjects[loop])) for name, subject in subjects.items()],
        "Records per second and the speed are those of the best run; processor time is of all processes together.",
    )
    return Results((table,), list(_claims(subjects[this], subjects.get(old), subjects[loop], subjects[more], *peaks)))


def _claims(
    this: Subject, old: Subject | None, loop: Subject, more: Subject, peak: float, peak_of_more: float
) -> Iterator[Claim]:
    faster = this.rate / old.rate if old else None
    yield Claim(
        f"at least {TIMES_FASTER:.0f} times the records per second of version {OLD_VERSION}",
        f"{faster:.1f} times" if faster else "that version could not be installed",
        faster >= TIMES_FASTER if faster else None,
    )
    longer = loop.rate / this.rate
    yield Claim(
        f"at most {TIMES_THE_LOOP:.0f} times the time of the bare loop", f"{longer:.2f} times", longer <= TIMES_THE_LOOP
    )
    yield Claim(f"no process has {PEAK_MB:.0f} MB of memory", f"{peak:.0f} MB", peak < PEAK_MB)
    yield Claim(
        f"as much memory for {more.records:,} records, within {SAME_MB:.0f} MB",
        f"{peak_of_more:.0f} MB",
        abs(peak_of_more - peak) <= SAME_MB,
    )


def _audit(command: Path, folder: Path, records: int) -> Command:
    """Return the mock audit as a command; both versions take the same configuration."""
    folder.mkdir()
    store, alert = folder / "store", folder / "alert"
    file_store = "cloudmarker.stores.filestore.FileStore"
    config = {
        "plugins": {
            "cloud": {"plugin": "cloudmarker.clouds.mockcloud.MockCloud", "params": {"record_count": records}},
            "event": {"plugin": "cloudmarker.events.mockevent.MockEvent", "params": {"n": 3}},
            "store": {"plugin": file_store, "params": {"path": str(store)}},
            "alert": {"plugin": file_store, "params": {"path": str(alert)}},
        },
        "audits": {"bench": {"clouds": ["cloud"], "events": ["event"], "stores": ["store"], "alerts": ["alert"]}},
        "run": ["bench"],
        "logger": {"handlers": {"file": {"filename": str(folder / "cloudmarker.log")}}},
    }
    path = folder / "cloudmarker.yaml"
    path.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
    expected = {store / "bench_cloud.json": records, alert / "bench_event.json": (records + 2) // 3}
    return Command((str(command), "-n", "-c", str(path)), {"XDG_STATE_HOME": str(folder)}, *_care(expected))


def _loop(folder: Path, records: int) -> Command:
    folder.mkdir()
    path = folder / "records.json"
    return Command((sys.executable, str(BARE_LOOP), str(records), str(path)), {}, *_care({path: records}))


def _care(expected: Mapping[Path, int]) -> tuple[Callable[[], None], Callable[[], None]]:
    """Return what removes the files before a run, and what counts their records after it."""

    def remove() -> None:
        for path in expected:
            path.unlink(missing_ok=True)

    def count() -> None:
        for path, records in expected.items():
            with path.open("rb") as lines:
                found = sum(line.startswith(b"{") for line in lines)
            if found != records:
                raise BenchmarkError(f"{path} has {found} records, not {records}")

    return remove, count


def _old_command() -> Path | None:
    """Return the command of the old version, installed if need be; None, saying why, if that fails."""
    command = OLD_ENVIRONMENT / "bin" / "cloudmarker"
    if command.exists():
        return command
    say(f"  installing cloudmarker {OLD_VERSION} in {OLD_ENVIRONMENT}")
    # Without its dependencies: the versions it asks for do not build any more, and its mock audit needs only these two.
    install = ("-m", "pip", "install", "--quiet", "--no-deps", f"cloudmarker=={OLD_VERSION}", "PyYAML", "schedule")
    for arguments in (
        (sys.executable, "-m", "venv", "--clear", str(OLD_ENVIRONMENT)),
        (str(OLD_ENVIRONMENT / "bin" / "python"), *install),
    ):
        done = subprocess.run(arguments, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            say(f"  that failed; its figures will be missing:\n{done.stdout}{done.stderr}")
            return None
    return command
