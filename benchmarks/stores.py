"""Stores on servers, against the bare client of each.

A null server on the same machine says yes to everything and keeps nothing. Each store gets the batches that the
pipeline would hand it, and keeps them in its spool until they are confirmed; the bare client gets the bytes that go
over the network, made before the clock starts, in requests of the same size, one after the other, and nobody looks at
what is answered for single records. For MongoDB these bytes are BSON, so that turning JSON into BSON counts as the
store's own work; Splunk's requests are compressed in both cases. The two take turns in one process, and each turn of
the store is compared with the turn of the client after it; the median counts. A store has two requests under way at a
time: it makes one while the server works on the other, if there is a core for that. Processor time counts both.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from pathlib import Path

from _measuring import BenchmarkError, say
from _results import Claim, Options, Results, Table

FOLDER = Path(__file__).resolve().parent
PROTOCOLS = {"esstore": "elasticsearch", "mongodbstore": "mongodb", "splunkhecstore": "splunk"}
RECORDS = 50_000
ROUNDS = 9
SHARE = 0.7

Turns = dict[str, list[tuple[float, float]]]
"""Seconds and processor seconds of each turn, by way."""


def main(options: Options) -> Results:
    """Measure, and return the table and claims."""
    records = options.size(RECORDS)
    rows, claims = [], []
    for store, protocol in PROTOCOLS.items():
        turns = _compare(store, protocol, records, options.rounds or (1 if options.quick else ROUNDS))
        for way, name in (("store", f"`{store}`"), ("bare", "its client alone")):
            best, busy = (min(turn[column] for turn in turns[way]) for column in (0, 1))
            rows.append((name, f"{best:.2f}", f"{records / best:,.0f}", f"{busy:.2f}"))
        share, of_processor = (
            statistics.median(
                bare[column] / ours[column] for ours, bare in zip(turns["store"], turns["bare"], strict=True)
            )
            for column in (0, 1)
        )
        measured = f"{share:.0%}; by processor time {of_processor:.0%}"
        claims.append(Claim(f"`{store}` has {SHARE:.0%} of its client's speed", measured, share >= SHARE))
    table = Table(
        ("", "best, s", "records/s", "processor, best, s"),
        rows,
        f"{records:,} records of some 1,500 bytes of JSON each.",
    )
    return Results((table,), claims)


def _compare(store: str, protocol: str, records: int, rounds: int) -> Turns:
    server = subprocess.Popen(
        [sys.executable, str(FOLDER / "_null_server.py"), protocol],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    turns: Turns = {"store": [], "bare": []}
    with server:
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        arguments = [sys.executable, str(FOLDER / "_store_sender.py"), store, str(records), str(rounds), port]
        try:
            done = subprocess.run(arguments, capture_output=True, text=True, check=False)
        finally:
            server.kill()
    if done.returncode != 0:
        raise BenchmarkError(f"{store}: {done.stderr[-2000:]}")
    for line in done.stdout.splitlines():
        way, took_s, busy_s = line.split()
        say(f"  {store}, {way}: {float(took_s):.2f} s, {float(busy_s):.2f} s of processor time")
        turns[way].append((float(took_s), float(busy_s)))
    return turns
