"""Which processes an audit has, and the pipes between them."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping
from multiprocessing import connection

from cloudmarker._process import Inlet, Outlet
from cloudmarker.channel import Pipe
from cloudmarker.contracts import Kind
from cloudmarker.results import AuditInfo
from cloudmarker.spool import Spool

KINDS: tuple[Kind, ...] = ("cloud", "event", "store", "alert")
PIPE_BYTES = 1024 * 1024
"""The size asked for each pipe; the system may give less. A pipe that holds some batches keeps both ends busy."""


class Plan:
    """The processes of one audit, with the ends of their pipes.

    Args:
        info: the audit.
        spools: for the names of those stores and alerts that have one, their directory in the spool.

    Attributes:
        processes: (kind, keys of its plugins) of each process.
    """

    def __init__(self, info: AuditInfo, spools: Mapping[str, Spool]) -> None:
        self._audit = info.key
        self._spools = spools
        self.processes: list[tuple[Kind, tuple[str, ...]]] = []
        for kind in KINDS:
            keys = info.plugins[kind]
            groups = [keys[i :: _cores()] for i in range(_cores())] if kind == "event" else [(key,) for key in keys]
            self.processes += [(kind, tuple(group)) for group in groups if group]
        self._inlets: dict[str, list[Inlet]] = {}
        self._outlets: dict[str, list[Outlet]] = {}
        self._own = f"{info.key}_audit"
        self._make_pipes()

    def name(self, kind: Kind, keys: tuple[str, ...]) -> str:
        """Return the name of a worker process."""
        return process_name(self._audit, kind, keys)

    def inputs(self, name: str) -> list[Inlet]:
        """Return the readers' ends of a process."""
        return self._inlets.get(name, [])

    def outputs(self, name: str) -> list[Outlet]:
        """Return the writers' ends of a process."""
        return self._outlets.get(name, [])

    def own_pipes(self) -> list[Pipe]:
        """Return the supervisor's own pipes, one to each store."""
        return [outlet.pipe() for outlet in self._outlets.get(self._own, [])]

    def close_ends(self) -> None:
        """Close, in this process, every end that a worker has."""
        ends: list[Inlet | Outlet] = [inlet for inlets in self._inlets.values() for inlet in inlets]
        ends += [outlet for name, outlets in self._outlets.items() if name != self._own for outlet in outlets]
        for end in ends:
            end.conn.close()
            if end.answers is not None:
                end.answers.close()

    def _make_pipes(self) -> None:
        routes: dict[Kind, tuple[Kind, ...]] = {"cloud": ("store", "event"), "event": ("alert",)}
        for kind, keys in self.processes:
            origins = tuple(f"{self._audit}_{key}" for key in keys)
            for target_kind, target_keys in self.processes:
                if target_kind in routes.get(kind, ()):
                    self._join(self.name(kind, keys), origins, self.name(target_kind, target_keys))
        for kind, keys in self.processes:
            if kind == "store":
                self._join(self._own, (self._own,), self.name(kind, keys))

    def _join(self, source: str, origins: tuple[str, ...], target: str) -> None:
        reader, writer = connection.Pipe(duplex=False)
        _enlarge(writer)
        answered: connection.Connection | None = None
        answering: connection.Connection | None = None
        part = ""
        if target in self._spools:
            answered, answering = connection.Pipe(duplex=False)
            part = str(self._spools[target].part_from(source))
        self._inlets.setdefault(target, []).append(Inlet(reader, origins, answering, source == self._own))
        self._outlets.setdefault(source, []).append(Outlet(target, writer, answered, part))


def process_name(audit_key: str, kind: Kind, keys: tuple[str, ...]) -> str:
    """Return the name of a worker process, unique in its audit: a store may also serve as an alert."""
    return f"{audit_key}_{'+'.join(keys)} ({kind})"


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _enlarge(conn: connection.Connection) -> None:
    """Ask for a larger pipe where the system can; a smaller one only costs more switches between processes."""
    if sys.platform == "linux":
        import fcntl

        f_setpipe_sz = 1031  # fcntl.F_SETPIPE_SZ has a name only since Python 3.10.? builds with newer headers
        with contextlib.suppress(OSError):
            fcntl.fcntl(conn.fileno(), f_setpipe_sz, PIPE_BYTES)
