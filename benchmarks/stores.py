"""Stores on servers, against the bare client of each.

A null server on the same machine says yes to everything and keeps nothing. Each store gets the batches that the
pipeline would hand it; the bare client gets bytes that were made before the clock started, in requests of the same
size, and nobody looks at what is answered for single records. So this is what the store itself costs: ids, verdicts,
the form that the server wants. Splunk's requests are compressed in both cases.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from _measuring import BenchmarkError, say
from _results import Claim, Options, Results, Table

FOLDER = Path(__file__).resolve().parent
PROTOCOLS = {"esstore": "elasticsearch", "mongodbstore": "mongodb", "splunkhecstore": "splunk"}
RECORDS = 100_000
ROUNDS = 5
SHARE = 0.7


def main(options: Options) -> Results:
    """Measure, and return the table and claims."""
    records = options.size(RECORDS)
    rows, claims = [], []
    for store, protocol in PROTOCOLS.items():
        best = _compare(store, protocol, records, options.rounds or (1 if options.quick else ROUNDS))
        share = best["bare"] / best["store"]
        for way, name in (("store", f"`{store}`"), ("bare", "its client alone")):
            rows.append((name, f"{records:,}", f"{best[way]:.2f}", f"{records / best[way]:,.0f}"))
        claims.append(Claim(f"`{store}` has {SHARE:.0%} of its client's speed", f"{share:.0%}", share >= SHARE))
    return Results((Table(("", "records", "best, s", "records/s"), rows),), claims)


def _compare(store: str, protocol: str, records: int, rounds: int) -> dict[str, float]:
    """Return the best time of each way, in seconds; they are run in turn, each in a process of its own."""
    server = subprocess.Popen(
        [sys.executable, str(FOLDER / "_null_server.py"), protocol],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    best: dict[str, float] = {}
    with server:
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        try:
            for number in range(1, rounds + 1):
                for way in ("store", "bare"):
                    arguments = [sys.executable, str(FOLDER / "_store_sender.py"), store, way, str(records), port]
                    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
                    if done.returncode != 0:
                        raise BenchmarkError(f"{store}, {way}: {done.stderr[-2000:]}")
                    took_s = float(done.stdout)
                    say(f"  {number}/{rounds}  {store}, {way}: {took_s:.2f} s")
                    best[way] = min(took_s, best.get(way, took_s))
        finally:
            server.kill()
    return best
