"""Send mock records to a server, through a store of ours or by the bare client; print the seconds that it took.

python _store_sender.py STORE WAY RECORDS PORT

The records, and for the bare client all bytes that it sends, are made before the clock starts.
"""

from __future__ import annotations

import gzip
import importlib
import itertools
import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from cloudmarker.channel import RecordBatch
from cloudmarker.records import encode
from cloudmarker.testing import MemoryRun, records

BATCH = 500
"""Records in what the pipeline hands to a store at a time."""


def lines(count: int) -> list[bytes]:
    """Return the JSON of records of a firewall rule's size, some 600 bytes."""
    like = records.stamped(records.firewall_rule())[0]
    found = []
    for number in range(count):
        like["com"]["record_id"] = f"audit_cloud_20260102_030405_{number}"
        found.append(encode(like))
    return found


def chunks(rows: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Yield rows in batches."""
    return (rows[at : at + size] for at in range(0, len(rows), size))


def through(store: Any, client: str, rows: list[bytes]) -> float:
    """Hand batches to a store as a worker does; its *client* has been imported before, as the bare one has."""
    importlib.import_module(client)
    batches = [RecordBatch("audit_cloud", [("x", len(part))], b"\n".join(part)) for part in chunks(rows, BATCH)]
    run = MemoryRun()
    started = time.perf_counter()
    store.begin(run)
    for batch in batches:
        run.hand(batch.count)
        store.write_batch(batch)
    store.done()
    took = time.perf_counter() - started
    if len(run.confirmed) != len(rows):
        raise SystemExit(f"only {len(run.confirmed)} of {len(rows)} records are delivered")
    return took


def timed(calls: Sequence[Callable[[], Any]]) -> float:
    """Make the calls."""
    started = time.perf_counter()
    for call in calls:
        call()
    return time.perf_counter() - started


def esstore(way: str, rows: list[bytes], port: int) -> float:
    """Elasticsearch, 5 MB a request."""
    if way == "store":
        from cloudmarker_stores.esstore import EsStore

        return through(EsStore("127.0.0.1", port), "elasticsearch", rows)
    from elasticsearch import Elasticsearch

    client = Elasticsearch(f"http://127.0.0.1:{port}", max_retries=0)
    client.info()
    size = 5_000_000 // (len(rows[0]) + 160)
    requests = []
    for part in chunks(list(enumerate(rows)), size):
        named = ((b'{"create":{"_id":"audit_cloud_20260102_030405_%d"}}' % number, row) for number, row in part)
        requests.append(list(itertools.chain.from_iterable(named)))
    return timed([lambda r=r: client.bulk(index="x", operations=r) for r in requests])  # type: ignore[misc]


def splunkhecstore(way: str, rows: list[bytes], port: int) -> float:
    """Splunk, 1 MiB a request, compressed."""
    uri = f"http://127.0.0.1:{port}/services/collector"
    if way == "store":
        from cloudmarker_stores.splunkhecstore import SplunkHECStore

        return through(SplunkHECStore(uri, "token", "main", False, 100_000), "requests", rows)
    import requests
    from cloudmarker_stores._hec import _GZIP_LEVEL

    session = requests.Session()
    headers = {"Authorization": "Splunk token"}
    extra = b'{"host":"a","index":"main","sourcetype":"cloudmarker","time":1767323045,"source":"a_b","event":%b}'
    bodies = [b"\n".join(extra % row for row in part) for part in chunks(rows, 1024 * 1024 // (len(rows[0]) + 600))]
    if way == "bare":
        headers["Content-Encoding"] = "gzip"
        return timed(
            [lambda b=b: session.post(uri, gzip.compress(b, _GZIP_LEVEL), headers=headers) for b in bodies]  # type: ignore[misc]
        )
    return timed([lambda b=b: session.post(uri, b, headers=headers) for b in bodies])  # type: ignore[misc]


def mongodbstore(way: str, rows: list[bytes], port: int) -> float:
    """MongoDB, 1000 records a request."""
    if way == "store":
        from cloudmarker_stores.mongodbstore import MongoDBStore

        return through(MongoDBStore("127.0.0.1", port), "pymongo", rows)
    import bson
    import pymongo
    from bson.raw_bson import RawBSONDocument
    from cloudmarker.records import decode

    client: Any = pymongo.MongoClient("127.0.0.1", port, directConnection=True)
    client.admin.command("ping")
    documents = [(str(n), bson.encode({"_id": str(n), **decode(row)})) for n, row in enumerate(rows)]

    def write(part: Sequence[tuple[str, bytes]]) -> None:
        operations = [pymongo.ReplaceOne({"_id": name}, RawBSONDocument(data), upsert=True) for name, data in part]
        client.a.b.bulk_write(operations, ordered=False)

    return timed([lambda p=p: write(p) for p in chunks(documents, 1000)])  # type: ignore[misc]


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    send = {"esstore": esstore, "mongodbstore": mongodbstore, "splunkhecstore": splunkhecstore}[sys.argv[1]]
    print(send(sys.argv[2], lines(int(sys.argv[3])), int(sys.argv[4])))
