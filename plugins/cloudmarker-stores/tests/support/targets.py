"""The three stores with their servers, so that one test can be of all of them."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

from cloudmarker.testing import MemoryRun
from cloudmarker.testing.servers import Answer, Fault
from cloudmarker_stores.esstore import EsStore
from cloudmarker_stores.mongodbstore import MongoDBStore
from cloudmarker_stores.splunkhecstore import SplunkHECStore
from elasticserver import ElasticServer
from hecserver import HECServer, code


class Target:
    """A store and its server.

    Attributes:
        plugin: the class.
        twice: whether the server can have a record twice.
        params: for the constructor.
    """

    plugin: Any
    twice = False
    params: dict[str, Any]

    def make(self, **more: Any) -> Any:
        return self.plugin(**{**self.params, **more})

    def ids(self) -> list[str]:
        raise NotImplementedError

    def count(self) -> int:
        return len(self.ids())

    def kill(self) -> None:
        raise NotImplementedError

    def start(self) -> None:
        raise NotImplementedError

    def silence(self) -> None:
        """Let it take requests and answer none, until it is told to go on."""
        raise NotImplementedError

    def go_on(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        self.kill()


class HTTPTarget(Target):
    server: Any
    busy: Answer
    """The answer that says: later, and not before 3 s."""

    def kill(self) -> None:
        self.server.kill()

    def start(self) -> None:
        self.server.start()

    def silence(self) -> None:
        self._event = threading.Event()
        self.server.always = Fault(wait=self._event)

    def go_on(self) -> None:
        self.server.always = None
        self._event.set()


class ElasticTarget(HTTPTarget):
    plugin = EsStore
    busy = Answer(429, {"error": {"type": "es_rejected_execution_exception", "reason": "busy"}}, {"Retry-After": "3"})

    def __init__(self) -> None:
        self.server = ElasticServer()
        self.params = {"host": "127.0.0.1", "port": self.server.port, "buffer_size": 5000}

    def ids(self) -> list[str]:
        return list(self.server.documents)


class HECTarget(HTTPTarget):
    plugin = SplunkHECStore
    twice = True
    busy = code(26, retry_after=3)

    def __init__(self) -> None:
        self.server = HECServer()
        uri = f"http://127.0.0.1:{self.server.port}/services/collector"
        self.params = {"uri": uri, "token": "token123", "index": "main", "ca_cert": False, "buffer_size": 10}

    def ids(self) -> list[str]:
        return self.server.ids()


class MongoTarget(Target):
    plugin = MongoDBStore

    def __init__(self, server: Any) -> None:
        self.server = server
        self.params = {"host": "localhost", "port": server.port, "buffer_size": 10}

    def ids(self) -> list[str]:
        with self.server.client() as client:
            return [document["_id"] for document in client.cloudmarker.cloudmarker.find({}, {"_id": 1})]

    def kill(self) -> None:
        self.server.kill()

    def start(self) -> None:
        self.server.start()

    def silence(self) -> None:
        os.kill(self.server.process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        os.kill(self.server.process.pid, signal.SIGCONT)


def check(target: Target, run: MemoryRun, written: list[Any]) -> None:
    """Check that each record is in the server or refused, and that the store has said which."""
    ids = [record["com"]["record_id"] for record in written]
    assert run.unanswered == set()
    assert {ids[position] for position in run.confirmed} <= set(target.ids())
    assert set(target.ids()) | {ids[position] for position in run.rejected} == set(ids)
    if not target.twice:
        assert len(target.ids()) == len(set(target.ids()))


def spooled(state: Path) -> list[str]:
    """Return the ids of the records in the spool."""
    from cloudmarker._journal import Journal
    from cloudmarker.spool import spools, stamps

    journals = [Journal.load(path) for path in spools(state)]
    return [stamps(line).record_id for j in journals for name in j.names for _, line in j.unsettled(name)]


def dead(state: Path) -> list[str]:
    """Return the ids of the records in the dead letters of stores."""
    found = []
    for path in (state / "dead-letters").glob("*.jsonl"):
        found += [json.loads(row)["record"]["com"]["record_id"] for row in path.read_text().splitlines()]
    return found
