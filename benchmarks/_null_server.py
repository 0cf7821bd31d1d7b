"""Servers that say yes to everything and keep nothing, as fast as they can be written in Python.

python _null_server.py PROTOCOL

PROTOCOL is elasticsearch, splunk or mongodb. The port is printed once it listens; it ends with its standard input.
"""

from __future__ import annotations

import asyncio
import functools
import struct
import sys
from typing import Any

import bson


@functools.cache
def elasticsearch(documents: int) -> bytes:
    """Return the answer to a request with so many documents, or to one of another kind."""
    item = b'{"create":{"status":201}}'
    return b'{"errors":false,"version":{"number":"9.0.0"},"items":[%b]}' % b",".join([item] * documents)


async def http(protocol: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer requests."""
    while True:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
        except asyncio.IncompleteReadError:
            break
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        body = await reader.readexactly(length)
        answer = b'{"text":"Success","code":0}'
        if protocol == "elasticsearch":
            answer = elasticsearch(body.count(b"\n") // 2 if b"_bulk" in head[:200] else 0)
        lines = b"HTTP/1.1 200 OK\r\nX-Elastic-Product: Elasticsearch\r\nContent-Type: application/json\r\n"
        writer.write(b"%bContent-Length: %d\r\n\r\n%b" % (lines, len(answer), answer))
        await writer.drain()
    writer.close()


HELLO = {
    "ismaster": True,
    "helloOk": True,
    "maxBsonObjectSize": 16 * 1024 * 1024,
    "maxMessageSizeBytes": 48_000_000,
    "maxWriteBatchSize": 100_000,
    "minWireVersion": 0,
    "maxWireVersion": 21,
    "readOnly": False,
}


async def mongodb(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer messages of MongoDB's wire protocol."""
    while True:
        try:
            size, request, _, opcode = struct.unpack("<iiii", await reader.readexactly(16))
        except asyncio.IncompleteReadError:
            break
        message = await reader.readexactly(size - 16)
        answer: dict[str, Any] = {"ok": 1.0, **HELLO}
        if opcode == 2004:  # OP_QUERY: the first greeting
            reply = struct.pack("<iqii", 8, 0, 0, 1) + bson.encode(answer)
            opcode = 1
        else:
            if writes := count(message):
                answer = {"ok": 1.0, "n": writes, "nModified": 0}
            reply = struct.pack("<ib", 0, 0) + bson.encode(answer)
        writer.write(struct.pack("<iiii", 16 + len(reply), request, request, opcode) + reply)
        await writer.drain()
    writer.close()


def count(message: bytes) -> int:
    """Return how many documents the sequences of a message hold."""
    place, found = 4, 0
    while place < len(message):
        kind = message[place]
        size = int.from_bytes(message[place + 1 : place + 5], "little")
        if kind == 1:
            at, end = message.index(b"\0", place + 5) + 1, place + 1 + size
            while at < end:
                at += int.from_bytes(message[at : at + 4], "little")
                found += 1
        place += 1 + size
    return found


async def main(protocol: str) -> None:
    """Serve until standard input ends."""
    handler = mongodb if protocol == "mongodb" else functools.partial(http, protocol)
    server = await asyncio.start_server(handler, "127.0.0.1", 0, limit=2**22)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
