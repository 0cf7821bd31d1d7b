"""The least work: make mock records, stamp them, encode them, write them to one file, in one process.

python _bare_loop.py COUNT FILE
"""

from __future__ import annotations

import os
import sys
from itertools import cycle

import msgspec

STAMPS = {
    "audit_key": "bench",
    "audit_version": "20260101_000000",
    "origin_key": "cloud",
    "origin_class": "MockCloud",
    "origin_worker": "bench_cloud",
    "origin_type": "cloud",
}


def main(count: int, path: str) -> None:
    """Write *count* records to *path*."""
    encode = msgspec.json.Encoder().encode
    with open(path, "wb") as file:
        file.write(b"[\n")
        separator = b""
        for number, record_type in zip(range(count), cycle(("foo", "bar"))):
            com = {"cloud_type": "mock", "record_type": "mock", "reference": f"mock/{number}"}
            record = {
                "raw": {"data": number},
                "ext": {"cloud_type": "mock", "record_type": record_type},
                "com": com,
            }
            com.update(STAMPS, record_id=f"bench_cloud_20260101_000000_{number}")
            file.write(separator)
            file.write(encode(record))
            separator = b",\n"
        file.write(b"\n]\n")
        file.flush()
        os.fsync(file.fileno())


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
