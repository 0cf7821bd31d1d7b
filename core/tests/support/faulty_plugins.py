"""Plugins that misbehave on purpose, for the tests that run audits in real processes."""

from __future__ import annotations

import datetime
import decimal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cloudmarker.coverage import coverage
from cloudmarker.errors import PluginError, RecordError


def record(number: int, **raw: Any) -> dict[str, Any]:
    return {
        "raw": {"data": number, **raw},
        "ext": {"cloud_type": "mock", "record_type": "foo"},
        "com": {"cloud_type": "mock", "record_type": "mock", "reference": f"mock/{number}"},
    }


class Cloud:
    """Yields `count` records, waiting `delay_s` before each; raises after `fail_at`; hangs after `hang_at`."""

    def __init__(
        self, count: int = 10, delay_s: float = 0, fail_at: int = -1, hang_at: int = -1, size: int = 0, holes: str = ""
    ) -> None:
        self.settings = (count, delay_s, fail_at, hang_at, size, holes)

    def read(self) -> Iterator[dict[str, Any]]:
        count, delay_s, fail_at, hang_at, size, holes = self.settings
        filler = "x" * size
        for number in range(count):
            if delay_s:
                time.sleep(delay_s)
            if number == fail_at:
                raise RuntimeError("the cloud went away")
            while number == hang_at:
                time.sleep(60)
            yield record(number, filler=filler)
        if holes:
            yield coverage("mock", "scope-1", "mock", holes, count, "no permission to list mocks")

    def done(self) -> None:
        pass


class StubbornCloud(Cloud):
    """Does not let itself be interrupted."""

    def read(self) -> Iterator[dict[str, Any]]:
        yield record(0)
        while True:
            try:
                time.sleep(60)
            except BaseException:  # noqa: BLE001  what it is about
                continue


class PoisonCloud:
    """Yields one healthy record before and after each value that is not plain JSON."""

    def read(self) -> Iterator[Any]:
        nested: Any = 1
        for _ in range(300):
            nested = [nested]
        bottomless: Any = 1
        for _ in range(100_000):
            bottomless = [bottomless]
        values: dict[str, Any] = {
            "set": {1},
            "bytes": b"\x00\xff",
            "date": datetime.date(2026, 11, 23),
            "decimal": decimal.Decimal("1.10"),
            "nan": float("nan"),
            "big": 2**70,
            "keys": {1: "one", 2.5: "two and a half"},
            "surrogate": "a\ud800b",
            "long": "x" * 16_000_000,
            "nested": nested,
            "object": object(),
            "bottomless": bottomless,
            "twice": {1: "a", "1": "b", (1, 2): "c"},
        }
        for number, (name, value) in enumerate(values.items()):
            yield record(number)
            poisoned = record(number, name=name, value=value)
            poisoned["com"]["reference"] = f"poison/{name}"
            yield poisoned
        yield "no record"
        yield None
        yield {"com": "no bucket"}
        yield {"raw": 1}
        yield {"com": {"record_type": ["not", "a", "string"]}}
        yield record(len(values))

    def done(self) -> None:
        pass


class Event:
    """Raises on every `every`-th record; raises PluginError at `fail_at`."""

    def __init__(self, every: int = 0, fail_at: int = -1) -> None:
        self.every, self.fail_at = every, fail_at

    def eval(self, record: dict[str, Any]) -> Iterator[dict[str, Any]]:
        number = record["raw"]["data"]
        if number == self.fail_at:
            raise PluginError("this event cannot go on")
        if self.every and number % self.every == 0:
            raise ValueError(f"cannot evaluate {number}")
        yield {"ext": {}, "com": {"record_type": "seen", "severity": "low", "reference": record["com"]["reference"]}}

    def done(self) -> None:
        pass


class FinishingEvent:
    """Says at the end how many records it saw, and of which types."""

    record_types = ("mock", "coverage")

    def __init__(self) -> None:
        self.seen: dict[str, int] = {}

    def eval(self, record: dict[str, Any]) -> tuple[()]:
        kind = record["com"]["record_type"]
        self.seen[kind] = self.seen.get(kind, 0) + 1
        return ()

    def finish(self) -> Iterator[dict[str, Any]]:
        yield {"com": {"record_type": "total", "reference": "all", "seen": self.seen}}

    def done(self) -> None:
        pass


class Store:
    """Appends a line per record to a file; slow, or raising on every `every`-th record, or at `fail_at`, or in done."""

    def __init__(
        self, path: str, delay_s: float = 0, every: int = 0, fail_at: int = -1, fail_done: bool = False
    ) -> None:
        self.path, self.delay_s, self.every, self.fail_at, self.fail_done = (
            Path(path),
            delay_s,
            every,
            fail_at,
            fail_done,
        )
        self.count = 0

    def write(self, record: dict[str, Any]) -> None:
        time.sleep(self.delay_s)
        self.count += 1
        if self.count == self.fail_at:
            raise PluginError("the server is gone")
        if self.every and self.count % self.every == 0:
            raise RecordError("refused")
        with self.path.open("a") as file:
            file.write(record["com"]["record_id"] + "\n")

    def done(self) -> None:
        if self.fail_done:
            raise OSError("could not flush")
        with self.path.open("a") as file:
            file.write("done\n")

    def abort(self, reason: object) -> None:
        with self.path.open("a") as file:
            file.write(f"aborted: {reason}\n")


class BadParams:
    def __init__(self, level: int = 3) -> None:
        if level > 3:
            raise ValueError("level: at most 3")

    def read(self) -> Iterator[dict[str, Any]]:
        yield from ()

    def done(self) -> None:
        pass


class MoodyEvent:
    """What it says of itself cannot be read."""

    @property
    def record_types(self) -> list[str]:
        raise RuntimeError("not in the mood")

    def eval(self, record: Any) -> Iterator[dict[str, Any]]:
        yield from ()

    def done(self) -> None:
        pass
