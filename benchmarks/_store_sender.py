"""Send records to a server, in turn through a store of ours and by the bare client; print what each turn took.

python _store_sender.py STORE RECORDS ROUNDS PORT

A line is printed for each turn: the way (store, bare), the seconds that it took, and its processor time. Both ways send
the same records, in requests of the same size, from one process, with the garbage collector set as in a worker. What
the store is given are the batches that the pipeline would hand it, and it keeps them in a spool meanwhile, as in an
audit. What the bare client is given has the form that goes over the network, made before the clock starts; only
compression is part of its turn, as it is of the store's. Nobody looks at what it is answered for single records.
"""

from __future__ import annotations

import gc
import gzip
import logging
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from cloudmarker._journal import Journal
from cloudmarker.batches import RecordBatch
from cloudmarker.records import decode, encode
from cloudmarker.report import Report
from cloudmarker.storerun import WorkerRun
from cloudmarker.testing import records

BATCH = 500
"""Records in what the pipeline hands to a store at a time."""

Send = Callable[[], object]


def lines(count: int) -> list[bytes]:
    """Return the JSON of firewall rules, no two alike, some 1,500 bytes each."""
    dice = random.Random(0)
    (like,) = records.stamped(records.firewall_rule())
    found = []
    for number in range(count):
        name = f"rule-{dice.getrandbits(64):016x}"
        project = f"project-{dice.randrange(100)}"
        ports = sorted(str(dice.randrange(65536)) for _ in range(3))
        source = f"{dice.randrange(256)}.{dice.randrange(256)}.0.0/16"
        where = f"https://www.googleapis.com/compute/v1/projects/{project}/global"
        like["raw"] = {
            "kind": "compute#firewall",
            "id": str(dice.getrandbits(63)),
            "name": name,
            "network": f"{where}/networks/net-{dice.randrange(1000)}",
            "priority": dice.randrange(65536),
            "sourceRanges": [source],
            "targetTags": [f"tag-{dice.getrandbits(32):08x}"],
            "allowed": [{"IPProtocol": "tcp", "ports": ports}],
            "direction": "INGRESS",
            "selfLink": f"{where}/firewalls/{name}",
        }
        like["com"] |= {
            "reference": f"//compute.googleapis.com/projects/{project}/global/firewalls/{name}",
            "source_addresses": [source],
            "destination_ports": ports,
            "priority": like["raw"]["priority"],
            "target_tags": like["raw"]["targetTags"],
            "record_id": f"audit_cloud_20260102_030405_{number}",
        }
        found.append(encode(like))
    return found


def chunks(rows: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Yield rows in batches."""
    return (rows[at : at + size] for at in range(0, len(rows), size))


def through(make: Callable[[], Any], batches: Sequence[RecordBatch]) -> None:
    """Hand batches to a store as a worker does."""
    with tempfile.TemporaryDirectory() as folder:
        report = Report("store", "store", "audit_store")
        store, run = (
            make(),
            WorkerRun(report, Journal(Path(folder)), audit_key="audit", audit_version="20260102_030405"),
        )
        store.begin(run)
        for batch in batches:
            run.receive(batch)
            store.write_batch(batch)
        store.done()
        run.end()
    total = sum(batch.count for batch in batches)
    if report.delivered != total:
        raise SystemExit(f"only {report.delivered} of {total} records are delivered")


def esstore(rows: list[bytes], port: int) -> tuple[Callable[[], Any], list[Send]]:
    """Elasticsearch, 5 MB a request."""
    from cloudmarker_stores.esstore import EsStore
    from elasticsearch import Elasticsearch

    client = Elasticsearch(f"http://127.0.0.1:{port}", max_retries=0)
    client.info()
    requests: list[Any] = []
    for part in chunks(list(enumerate(rows)), 5_000_000 // (len(rows[0]) + 160)):
        operations: list[Any] = []
        requests.append(operations)
        for number, row in part:
            operations += (b'{"create":{"_id":"audit_cloud_20260102_030405_%d"}}' % number, row)
    return lambda: EsStore("127.0.0.1", port), [partial(client.bulk, index="x", operations=r) for r in requests]


def splunkhecstore(rows: list[bytes], port: int) -> tuple[Callable[[], Any], list[Send]]:
    """Splunk, 1 MiB a request, compressed."""
    import requests
    from cloudmarker_stores._hec import _GZIP_LEVEL
    from cloudmarker_stores.splunkhecstore import SplunkHECStore

    uri = f"http://127.0.0.1:{port}/services/collector"
    session = requests.Session()
    session.headers.update({"Authorization": "Splunk token", "Content-Encoding": "gzip"})
    fixed = {
        "host": "machine",
        "index": "main",
        "sourcetype": "cloudmarker",
        "time": 1767323045,
        "source": "audit_cloud",
    }
    events = []
    for row in rows:
        record = decode(row)
        event = {"com": record.pop("com"), **record}
        events.append(encode({**fixed, "fields": {"event_id": event["com"]["record_id"]}, "event": event}))
    bodies = [b"\n".join(part) for part in chunks(events, 1024 * 1024 // (len(rows[0]) + 600))]

    def send(body: bytes) -> None:
        session.post(uri, gzip.compress(body, _GZIP_LEVEL, mtime=0)).raise_for_status()

    return lambda: SplunkHECStore(uri, "token", "main", False, len(rows)), [partial(send, body) for body in bodies]


def mongodbstore(rows: list[bytes], port: int) -> tuple[Callable[[], Any], list[Send]]:
    """MongoDB, 1000 records a request."""
    import bson
    import pymongo
    from bson.raw_bson import RawBSONDocument
    from cloudmarker_stores.mongodbstore import MongoDBStore

    client: Any = pymongo.MongoClient("127.0.0.1", port, directConnection=True)
    client.admin.command("ping")
    documents = []
    for row in rows:
        record = decode(row)
        name = record["com"]["record_id"]
        documents.append((name, bson.encode({"_id": name, **record})))

    def write(part: Sequence[tuple[str, bytes]]) -> None:
        operations: list[Any] = [
            pymongo.ReplaceOne({"_id": name}, RawBSONDocument(data), upsert=True) for name, data in part
        ]
        client.a.b.bulk_write(operations, ordered=False)

    return lambda: MongoDBStore("127.0.0.1", port), [partial(write, part) for part in chunks(documents, 1000)]


def main(store: str, count: int, rounds: int, port: int) -> None:
    """Take turns."""
    rows = lines(count)
    batches = [
        RecordBatch("audit_cloud", [("firewall_rule", len(part))], b"\n".join(part)) for part in chunks(rows, BATCH)
    ]
    make, calls = {"esstore": esstore, "mongodbstore": mongodbstore, "splunkhecstore": splunkhecstore}[store](
        rows, port
    )

    def bare() -> None:
        for call in calls:
            call()

    del rows
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    for _ in range(rounds):
        for way, send in (("store", partial(through, make, batches)), ("bare", bare)):
            started, before = time.perf_counter(), time.process_time()
            send()
            print(way, time.perf_counter() - started, time.process_time() - before, flush=True)


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    main(sys.argv[1], *map(int, sys.argv[2:]))
