"""Virtual machines with their instance view, and how their disks are encrypted.

Three lists of a subscription give nearly all of it: the machines, the same with ``statusOnly=true``, which has what is
known of them at run time, and the disks. A machine that the second list says nothing of is asked for by itself.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from functools import partial
from typing import Any
from urllib.parse import quote

from cloudmarker.contracts import Record
from cloudmarker.coverage import State, coverage
from cloudmarker.errors import RecordError
from cloudmarker.fanout import Job
from cloudmarker.reading import REASON_LENGTH, UnreadError
from cloudmarker.text import one_line

from cloudmarker_azure._client import Client
from cloudmarker_azure._com_compute import virtual_machine
from cloudmarker_azure._disks import Volume, disk_encryption, in_all
from cloudmarker_azure._governor import Target
from cloudmarker_azure._json import at, objects, text
from cloudmarker_azure._reader import ABSENT, CHUNK, Work
from cloudmarker_azure._records import CLOUD_TYPE, Kind, Scope, record
from cloudmarker_azure._table import COMPUTE, COMPUTE_VERSION, DISK_VERSION

_LOGGER = logging.getLogger(__name__)

VIEW = Kind("vm_instance_view", "compute", virtual_machine)
DISKS = "disk"
_IN_PATHS = "/!$&'()*+,;=:@"


class MachinePlan:
    """The machines of every subscription.

    Args:
        limit: machines of a subscription at most; 0 for all.
    """

    record_types: Sequence[str] = (VIEW.record_type, DISKS)
    with_subscriptions = False

    def __init__(self, limit: int = 0) -> None:
        self._limit = limit

    def jobs(self, client: Client, scopes: Sequence[Scope]) -> Iterable[Work]:
        """Yield one job for each subscription; see :class:`cloudmarker_azure._tenant.Plan`."""
        return (_Machines(client, scope, self._limit).job() for scope in scopes)


class _Machines:
    """The machines of one subscription. Threads share it."""

    def __init__(self, client: Client, scope: Scope, limit: int) -> None:
        self._client = client
        self._scope = scope
        self._limit = limit
        self._target = Target.of(f"{scope.id}{COMPUTE}/virtualMachines")
        self._volumes: dict[str, Volume] | None = None
        self._lock = threading.Lock()
        self._open = 1
        """What is not read to its end: the list, and machines that are asked for by themselves."""
        self._count = 0
        self._cut = False
        self._malformed: list[str] = []
        self._unread: UnreadError | None = None
        self._lone: list[UnreadError] = []
        """Why the instance views of machines could not be had."""

    def job(self) -> Work:
        """Return the job that reads them."""
        return Job(self._read, self._target, self._target.subscription)

    def _read(self) -> Generator[list[Record] | Work, None, None]:
        """Yield records, and at the end coverage."""
        volumes: dict[str, Volume] = {}
        unread = yield from self._keep(f"{COMPUTE}/disks", DISK_VERSION, volumes, Volume.of)
        self._volumes = volumes if unread is None else None
        state: State = unread.state if unread else "ok"
        why = f"{unread}; whether guests encrypt the disks is not known"
        error = one_line(why, REASON_LENGTH) if unread else None
        yield [self._coverage(DISKS, state, len(volumes), error)]
        views: dict[str, Any] = {}
        machines = f"{COMPUTE}/virtualMachines"
        unread = yield from self._keep(f"{machines}?statusOnly=true", COMPUTE_VERSION, views, _view)
        if unread and unread.state != "disabled":
            _LOGGER.info("%s: no status in bulk, so one request per machine: %s", self._scope.reference, unread)
        unread = None
        try:
            for page in self._client.pages(f"{self._scope.id}{machines}", COMPUTE_VERSION):
                yield from self._chunks(page, views)
                if self._cut:
                    break
        except UnreadError as exc:
            unread = exc
        yield self._end(unread)

    def _keep(
        self, path: str, api_version: str, kept: dict[str, Any], extract: Callable[[Any], Any]
    ) -> Generator[list[Record], None, UnreadError | None]:
        """Fill *kept*, by id in lower case, with what is extracted from each item of a list; return why not all is."""
        try:
            for page in self._client.pages(f"{self._scope.id}{path}", api_version):
                kept.update((reference.lower(), extract(item)) for item in page if (reference := text(item, "id")))
                if not page:
                    yield []
        except UnreadError as exc:
            return exc
        return None

    def _chunks(self, page: list[Any], views: dict[str, Any]) -> Generator[list[Record] | Work, None, None]:
        chunk: list[Record] = []
        for machine in page:
            if self._limit and self._count >= self._limit:
                self._cut = True
                break
            self._count += 1
            view = views.pop((text(machine, "id") or "").lower(), None)
            if objects(view, "statuses"):
                properties = {**(machine.get("properties") or {}), "instanceView": view}
                chunk += self._record({**machine, "properties": properties})
            elif isinstance(machine, dict) and (text(machine, "id") or "").startswith("/"):
                with self._lock:
                    self._open += 1
                yield Job(partial(self._ask, machine), self._target, self._target.subscription)
            else:
                self._malformed.append("an item is no object with an id")
            if len(chunk) >= CHUNK:
                yield chunk
                chunk = []
        yield chunk

    def _ask(self, machine: dict[str, Any]) -> Generator[list[Record], None, None]:
        """Yield the record of a machine of which the list of status says nothing."""
        path = f"{quote(machine['id'], _IN_PATHS)}?$expand=instanceView"
        try:
            full = yield from self._client.object(path, COMPUTE_VERSION)
            yield self._record(full)
        except UnreadError as exc:
            if exc.code.lower() in ABSENT:
                _LOGGER.info("%s has gone since it was listed", machine["id"])
                with self._lock:
                    self._count -= 1
            else:
                with self._lock:
                    self._lone.append(exc)
                yield self._record(machine)
        yield self._end(None)

    def _record(self, machine: dict[str, Any]) -> list[Record]:
        """Return the record of a machine, if it has one."""
        try:
            made = record(self._scope, VIEW, machine)
        except RecordError as exc:
            self._malformed.append(str(exc))
            return []
        disks = disk_encryption(machine, self._volumes)
        made["ext"] |= {
            "power_state": _power(at(machine, "properties", "instanceView")),
            "os_disk_encrypted": in_all(disks, "os"),
            "all_data_disks_encrypted": in_all(disks, "data"),
        }
        made["com"]["disk_encryption"] = disks
        return [made]

    def _end(self, unread: UnreadError | None) -> list[Record]:
        """Say that the list, or a machine, was read; return the coverage of the machines once all are."""
        with self._lock:
            self._unread = self._unread or unread
            self._open -= 1
            if self._open:
                return []
        state: State = "ok"
        error = None
        if self._unread:
            state, error = self._unread.state, str(self._unread)
        elif self._malformed:
            plural = "s" if len(self._malformed) > 1 else ""
            state, error = "failed", f"{len(self._malformed)} item{plural} of unexpected shape: {self._malformed[0]}"
        elif self._lone:
            state, error = self._lone[0].state, f"{len(self._lone)} without instance view: {self._lone[0]}"
        elif self._cut:
            state, error = "skipped", f"limited to {self._limit} by _max_recs"
        error = one_line(error, REASON_LENGTH) if error else None
        return [self._coverage(VIEW.record_type, state, self._count, error)]

    def _coverage(self, resource_type: str, state: State, count: int, error: str | None) -> Record:
        return coverage(
            CLOUD_TYPE,
            self._scope.reference,
            resource_type,
            state,
            count,
            error,
            account=self._scope.account,
            record_types=[VIEW.com_type],  # what machines' records say depends on the disks, too
        )


def _view(machine: Any) -> Any:
    return at(machine, "properties", "instanceView")


def _power(view: Any) -> str | None:
    """Return the power state in Azure's word, lower case: ``running``, ``deallocated``, …; None if it is not known."""
    for status in objects(view, "statuses"):
        kind, _, state = (text(status, "code") or "").lower().partition("/")
        if kind == "powerstate":
            return state or None
    return None
