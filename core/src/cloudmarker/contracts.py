"""What a plugin is: one :class:`typing.Protocol` per plugin kind, and the types that pass between them.

A plugin is a plain class with the documented methods; nothing has to be inherited or registered to be used by its
dotted name. The framework calls all methods of one plugin object in one process, one call at a time, in the main
thread of that process. Constructor arguments are the ``params`` of the configuration.

Besides the documented methods the framework looks for a few optional attributes. They are listed in the ``Optional…``
protocols below; a plugin that has none of them works.

**Data ownership.** A record that a plugin yields belongs to the framework from then on. A record that a plugin is
handed is shared with other plugins of the process: read it, copy from it, never change it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypedDict, runtime_checkable

Kind = Literal["cloud", "store", "event", "alert"]
Bucket = Literal["raw", "ext", "com"]
Severity = Literal["critical", "high", "medium", "low", "info"]
FindingStatus = Literal["new", "open", "reopened", "fixed"]

SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low", "info")
"""The severities, worst first."""


class Record(TypedDict, total=False):
    """One record: plain JSON values in three buckets.

    Attributes:
        raw: what the cloud answered, unmodified.
        ext: metadata in the words of that cloud (tenant, subscription, project, zone, …).
        com: the common model, the same words for every cloud; ``docs/records.md`` lists its fields.
    """

    raw: Any
    ext: dict[str, Any]
    com: dict[str, Any]


@dataclass(frozen=True)
class Incomplete:
    """Why what a plugin was given is not everything it should have been given.

    Attributes:
        origins: for each origin worker whose stream is incomplete (as in ``com.origin_worker``), the reason in
            one line.
    """

    origins: Mapping[str, str]

    def __str__(self) -> str:
        return "; ".join(f"{origin}: {reason}" for origin, reason in sorted(self.origins.items()))


@runtime_checkable
class Cloud(Protocol):
    """Reads inventory."""

    def read(self) -> Iterator[Record]:
        """Yield records until there are no more.

        Called once. May block on the network for as long as it likes; records yielded before a wait are delivered
        meanwhile. Yield :func:`cloudmarker.coverage.coverage` records for what was and was not read.

        Raises:
            Exception: reading ends here. What was yielded is delivered, the audit is marked incomplete.
        """
        ...

    def done(self) -> None:
        """Release what the plugin holds. Called once after :meth:`read`, also when that raised."""
        ...


@runtime_checkable
class Event(Protocol):
    """Evaluates records."""

    def eval(self, record: Record) -> Iterable[Record]:
        """Yield an event record for each problem found in *record*.

        Called once per record that the plugin wants (see :class:`OptionalEvent`), in the order the cloud yielded them.
        The record is shared: do not change it. :func:`cloudmarker.findings.finding` makes event records.

        Raises:
            Exception: this record is counted as an error and logged with its reference; the next one is evaluated.
            PluginError: the plugin ends here; its branch of the audit is marked failed.
        """
        ...

    def done(self) -> None:
        """Release what the plugin holds. Called once after the last call of any other method."""
        ...


class OptionalEvent(Protocol):
    """What an event plugin may have besides :class:`Event`.

    Attributes:
        record_types: the values of ``com.record_type`` it wants; None or absent means all.
        buckets: the buckets :meth:`Event.eval` reads, or single fields of the common model as ``com.reference``; the
            others may be absent from the record it is handed. Absent means all three. Naming only ``("com",)`` saves
            decoding the provider's JSON, the dear half of the work.
    """

    record_types: Sequence[str] | None
    buckets: Sequence[str]

    def finish(self) -> Iterator[Record]:
        """Yield the events that needed to have seen every record.

        Called once, after the last call of :meth:`Event.eval` and before :meth:`Event.done`, also when the records
        were incomplete.
        """
        ...


@runtime_checkable
class Store(Protocol):
    """Keeps records, or sends events out: stores and alerts have the same methods."""

    def write(self, record: Record) -> None:
        """Accept *record*.

        Called once per record. The record is shared: do not change it. It may be buffered; once :meth:`done` has
        returned, every accepted record is delivered or has been reported.

        Raises:
            RecordError: this record cannot be stored; it is counted, goes to the dead letters, and the audit goes on.
            Exception: likewise for any other exception but PluginError.
            PluginError: no further record can be stored; what is not confirmed and what is still to come is kept in the
                spool, and the audit is marked failed.
        """
        ...

    def done(self) -> None:
        """Deliver what is buffered and release what the plugin holds. Called once, after the last record.

        Raises:
            Exception: what was accepted may not have been delivered; the audit is marked failed.
        """
        ...


Alert = Store
"""Alerts have the methods of stores; a store can serve as an alert."""


class Batch(Protocol):
    r"""Some records of one origin, as the JSON their producer made of them.

    Attributes:
        origin_worker: the ``com.origin_worker`` that all of them carry.
        count: how many records there are, at least 1.
    """

    origin_worker: str
    count: int

    @property
    def data(self) -> bytes:
        r"""Return the records' JSON (UTF-8), one record a line, separated by ``\n``, no newline at the end."""
        ...

    @property
    def runs(self) -> Sequence[tuple[str, int]]:
        """Return (``com.record_type``, how many records of it in a row), in order; any attribute will do for it."""
        ...


class StoreRun(Protocol):
    """The run that a store or alert serves: what it may need to know of it, and where it answers for single records.

    A plugin that only has ``write`` and ``done`` needs none of this: what ``write`` accepted counts as delivered once
    ``done`` has returned, as rejected if ``write`` raised, and stays in the spool otherwise. A plugin that learns of
    each record what became of it says so here. Most leave that to :class:`cloudmarker.delivery.Delivery`.

    Records are known by their position: the number of records that were handed to the plugin before.

    Attributes:
        worker: the plugin's own worker, ``<audit>_<plugin key>``.
        audit_key: key of the audit.
        audit_version: version of the run, ``%Y%m%d_%H%M%S``.
        origins: the origin workers that records may come from, the only ones; one that yields nothing is known only
            from here. Empty if they are not known.
        replay: the records come from the spool or the dead letters of a run that has ended; they are not all of it.
        position: of the record that is being handed; of the first one of the batch in
            :meth:`OptionalStore.write_batch`.
        deadline: the time, as by :meth:`now`, at which the plugin is to have ended because the audit is being stopped;
            None while it is not.
    """

    worker: str
    audit_key: str
    audit_version: str
    origins: tuple[str, ...]
    replay: bool
    position: int
    deadline: float | None

    def take(self, position: int, count: int = 1) -> None:
        """Undertake to answer for the *count* records from *position* on: ``done`` no longer does so.

        Each that is not answered for by the end stays in the spool.
        """
        ...

    def delivered(self, position: int, count: int = 1) -> None:
        """Say that the *count* records from *position* on are where they belong; they leave the spool."""
        ...

    def reject(self, position: int, record: Record | bytes, reason: str) -> None:
        """Say that the record at *position* is refused for good; it goes to the dead letters.

        Args:
            position: where it came.
            record: the record, or its JSON.
            reason: why, in one line without secrets.
        """
        ...

    def now(self) -> float:
        """Return the seconds on a clock that only goes forward: :func:`time.monotonic`, or in a test its own."""
        ...

    def wait(self, seconds: float) -> None:
        """Wait, but return at once when the audit begins to be stopped."""
        ...


class OptionalStore(Protocol):
    """What a store or alert may have besides :class:`Store`.

    Attributes:
        record_types: the values of ``com.record_type`` it wants; None or absent means all.
        spool: False, as an attribute of the class, if what could not be delivered shall not be kept for a replay: for
            stores that write local files, which a replay could not complete. It counts as lost.
    """

    record_types: Sequence[str] | None
    spool: bool

    def begin(self, run: StoreRun) -> None:
        """Prepare for the records of *run*. Called once, before the first record.

        Raises:
            Exception: the plugin ends here; the audit is marked failed.
        """
        ...

    def write_batch(self, batch: Batch) -> None:
        """Accept a batch as bytes; called instead of :meth:`Store.write`, with the same duties.

        Raises:
            PluginError: as in :meth:`Store.write`.
            Exception: the whole batch counts as rejected.
        """
        ...

    def abort(self, reason: Incomplete) -> None:
        """Deliver what is buffered and release what the plugin holds; what came is not everything.

        Called instead of :meth:`Store.done` when some stream that feeds the plugin is incomplete. Streams that are not
        in ``reason.origins`` are complete. What is partial must not replace what was complete.
        """
        ...

    def outputs(self) -> Iterable[str]:
        """Return where what was delivered can be found (paths, URLs), for the summary. Called after done or abort."""
        ...

    def display(self) -> str:
        """Return what a person at the terminal is to see of the findings. Called once, after done or abort.

        It is shown in the summary, in place of the findings that would be listed there. A worker must not write to the
        terminal itself: the progress of all audits is shown there. Lines of plain text, as wide as
        :func:`shutil.get_terminal_size` says; one that begins with a severity has that in its colour. What would do
        something to the terminal is shown as an escape sequence. At most 100,000 characters are shown.
        """
        ...
