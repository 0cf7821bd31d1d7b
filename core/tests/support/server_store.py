"""A store with an unreliable server: a directory that is read and written like one, for tests of delivery."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

from cloudmarker.contracts import Batch, Record, StoreRun
from cloudmarker.delivery import DELIVERED, Delivery, Item, Rejected, Retry, Verdict
from cloudmarker.errors import PluginError, RecordError, TooLargeError, TransientError


class Server:
    """What the server has, in the file `documents`; how it behaves, in the file `faults`, a JSON object.

    Faults: down (true: no connection), slow_s, refuse_every (n: each n-th number is not valid), busy (requests to
    answer with 503), busy_items (percentage of items to put off once), limit_bytes (of a body), lose_answer (requests
    to store and not to answer), denied (true), whole (true: an item that is not valid spoils its request).
    """

    def __init__(self, directory: str) -> None:
        self.directory = Path(directory)
        self.directory.mkdir(exist_ok=True)

    def behave(self, **faults: object) -> None:
        temporary = self.directory / "faults.tmp"
        temporary.write_text(json.dumps(faults))
        temporary.rename(self.directory / "faults")

    def ids(self) -> list[str]:
        """The ids of all documents as often as they were stored."""
        path = self.directory / "documents"
        return path.read_text().split() if path.exists() else []

    @property
    def faults(self) -> dict[str, object]:
        path = self.directory / "faults"
        return json.loads(path.read_text()) if path.exists() else {}

    def store(self, items: Sequence[Item]) -> None:
        with (self.directory / "documents").open("a") as file:
            os.write(file.fileno(), "".join(f"{item.record_id}\n" for item in items).encode())

    def once(self, fault: str, key: str, times: int) -> bool:
        """Return whether something is to happen now that happens `times` times for `key`."""
        path = self.directory / f"{fault}-{key.replace('/', '_')}"
        done = path.stat().st_size if path.exists() else 0
        if done < times:
            with path.open("a") as file:
                file.write("x")
        return done < times


class ServerStore:
    """Delivers to a :class:`Server`."""

    def __init__(self, path: str, batch_records: int = 50, give_up_after_s: float = 1.0, batches: bool = True) -> None:
        self.server = Server(path)
        self.delivery = Delivery(
            self._send,
            batch_records=batch_records,
            give_up_after_s=give_up_after_s,
            first_wait_s=0.01,
            max_wait_s=0.1,
        )
        if batches:
            self.write_batch = self._write_batch

    def begin(self, run: StoreRun) -> None:
        self.delivery.begin(run)

    def write(self, record: Record) -> None:
        self.delivery.write(record)

    def _write_batch(self, batch: Batch) -> None:
        self.delivery.write_batch(batch)

    def done(self) -> None:
        self.delivery.finish()

    def _send(self, items: Sequence[Item]) -> list[Verdict] | None:
        faults, server = self.server.faults, self.server
        time.sleep(faults.get("slow_s", 0))
        if faults.get("denied"):
            raise PluginError("the server says: wrong password")
        if faults.get("down"):
            raise TransientError("connection refused")
        if server.once("busy", "request", faults.get("busy", 0)):
            raise TransientError("503", retry_after_s=0.05)
        if sum(len(item.line) for item in items) > faults.get("limit_bytes", 1e9):
            raise TooLargeError("413")
        verdicts = [self._verdict(item, faults) for item in items]
        if faults.get("whole") and any(isinstance(verdict, Rejected) for verdict in verdicts):
            raise RecordError("one of the records is not valid")
        server.store([item for item, verdict in zip(items, verdicts, strict=True) if verdict is DELIVERED])
        if server.once("lose_answer", "request", faults.get("lose_answer", 0)):
            raise TransientError("the connection was reset")
        return verdicts

    def _verdict(self, item: Item, faults: dict[str, object]) -> Verdict:
        number = _number(item)
        every = faults.get("refuse_every", 0)
        if every and number is not None and number % every == 0:
            return Rejected(f"number {number} is not valid")
        share = faults.get("busy_items", 0)
        if share and number is not None and number % 100 < share and self.server.once("item", item.record_id, 1):
            return Retry("429", after_s=0.01)
        return DELIVERED


def _number(item: Item) -> int | None:
    head, _, tail = item.com["reference"].rpartition("/")
    return int(tail) if head == "mock" else None


class PlainStore:
    """A third party's store with the two documented methods: delivers the ids of its records to a server when done."""

    def __init__(self, path: str) -> None:
        self.server = Server(path)
        self.ids: list[str] = []

    def write(self, record: Record) -> None:
        time.sleep(self.server.faults.get("slow_s", 0))
        self.ids.append(record["com"]["record_id"])

    def done(self) -> None:
        if self.server.faults.get("down"):
            raise OSError("connection refused")
        with (self.server.directory / "documents").open("a") as file:
            file.writelines(f"{name}\n" for name in self.ids)
