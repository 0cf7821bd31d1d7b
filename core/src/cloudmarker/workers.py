"""The work of each plugin kind: take records in, call the plugin, pass records on, count.

The functions ending in ``_worker`` are the documented ones; they run over anything that has ``put`` and ``get``, with
None as the end of input. The pipeline runs the same loops (:func:`run_cloud`, :func:`run_events`, :func:`run_store`)
over pipes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cloudmarker._producer import Producer, Stop, Stopped, reference_of
from cloudmarker.batches import BUCKETS, Decoder, RecordBatch
from cloudmarker.channel import Input, Queue, QueueInput, QueueOutput
from cloudmarker.contracts import Cloud, Event, Incomplete, Record, Store
from cloudmarker.coverage import is_about_holes, with_holes
from cloudmarker.errors import PluginError
from cloudmarker.records import OriginType, Stamper
from cloudmarker.report import Report
from cloudmarker.storerun import WorkerRun
from cloudmarker.when import Wanted, When

_MAX_DISPLAY = 100_000


def run_cloud(plugin: Cloud, producer: Producer, stop: Stop) -> None:
    """Read everything a cloud plugin yields and put it; end the output, with the reason if it is incomplete."""
    report = producer.report
    incomplete = ""
    try:
        put = producer.put
        stop.reading = True  # before it is looked at, here and below: what is requested after that interrupts
        for record in () if stop.requested else plugin.read():
            stop.reading = False
            put(record)
            stop.reading = True
            if stop.requested:
                break
        stop.reading = False  # still in here, where an interruption is expected
    except Stopped:
        pass
    except Exception as exc:  # a plugin's read may raise anything; that ends the reading, and the audit says so
        stop.reading = False
        report.failed("reading ended", exc)
        incomplete = report.message
        producer.cover_all("failed", report.message)
    stop.reading = False
    if stop.requested:
        report.outcome, report.message = "stopped", stop.requested
        producer.cover_all("skipped", stop.requested)
        incomplete = stop.requested
    _close(plugin, report)
    if not report.coverage:
        producer.cover_all("ok")
    if not incomplete and (holes := report.holes()):
        incomplete = with_holes(holes)
    report.incomplete = incomplete
    report.ok()
    producer.output.end({producer.stamper.worker: incomplete} if incomplete else {})


@dataclass
class Evaluator:
    """One event plugin and where its events go."""

    plugin: Event
    producer: Producer
    when: When | None = None
    record_types: frozenset[str] | None = field(init=False)
    buckets: frozenset[str] = field(init=False)
    ended: bool = False

    def __post_init__(self) -> None:
        wanted = getattr(self.plugin, "record_types", None)
        self.record_types = None if wanted is None else frozenset(wanted)
        self.buckets = frozenset(getattr(self.plugin, "buckets", BUCKETS))
        if self.when is not None:
            self.buckets |= self.when.fields

    def wants(self, record_type: str) -> bool:
        """Return whether the plugin is to see records of this type; coverage is for those that ask for it by name."""
        if self.when is not None and not self.when.wants_type(record_type):
            return False
        if self.record_types is None:
            return not self.ended and record_type != "coverage"
        return not self.ended and record_type in self.record_types

    def evaluate(self, records: Sequence[Record]) -> None:
        """Evaluate records; an exception costs one record, a PluginError ends the plugin."""
        if self.ended:
            return
        if self.when is not None and self.when.fields:
            records = [record for record in records if self.when.fulfils(record["com"])]
        evaluate, put, report = self.plugin.eval, self.producer.put, self.producer.report
        report.records_in += len(records)
        for record in records:
            try:
                for event in evaluate(record) or ():
                    put(event)
            except PluginError as exc:
                self._fail("evaluating", exc)
                break
            except Exception as exc:  # whatever one record makes a plugin raise costs that record only
                report.error("evaluating", reference_of(record), exc)
        self.producer.release()

    def finish(self, incomplete: Mapping[str, str], rejected: int = 0) -> None:
        """Let the plugin yield its last events, close it, end its output.

        Args:
            incomplete: origins whose stream is incomplete, with the reason.
            rejected: records that the plugin would have been shown if they were JSON.
        """
        report = self.producer.report
        finish = getattr(self.plugin, "finish", None)
        if finish is not None and not self.ended:
            try:
                for event in finish() or ():
                    self.producer.put(event)
            except Exception as exc:  # as for any other method of a plugin: this branch fails, the others go on
                self._fail("finishing", exc)
        self.producer.release()
        _close(self.plugin, report)
        lost = report.errors + rejected
        whole = report.outcome is None and not lost and all(map(is_about_holes, incomplete.values()))
        self.producer.remember(complete=whole)
        reason = report.message if report.outcome == "failed" else ""
        if not reason and incomplete:
            reason = f"its input is incomplete ({Incomplete(incomplete)})"
        report.incomplete = reason
        report.ok()

    def _fail(self, doing: str, exc: BaseException) -> None:
        self.producer.report.failed(doing, exc)
        self.ended = True


def run_events(evaluators: Sequence[Evaluator], source: Input) -> None:
    """Show every record to every event plugin that wants its type, decoding each record once; then end the outputs."""
    buckets = frozenset[str]().union(*(evaluator.buckets for evaluator in evaluators))
    decoder = Decoder(buckets)
    remembering = [evaluator.producer for evaluator in evaluators if evaluator.producer.remembers]
    of_com = Decoder(("com",))
    for batch in source.batches():
        if remembering and (about := batch.only({"coverage"})) is not None:
            for record in of_com.records(about):
                for producer in remembering:
                    producer.saw_coverage(record["com"])
        for part, wanting in _parts(batch, evaluators):
            records = decoder.records(part)
            for evaluator in wanting:
                evaluator.evaluate(records)
    for evaluator in evaluators:
        evaluator.finish(source.incomplete, source.rejected)
    outputs = {id(evaluator.producer.output): evaluator.producer.output for evaluator in evaluators}
    incomplete = {
        evaluator.producer.stamper.worker: evaluator.producer.report.incomplete
        for evaluator in evaluators
        if evaluator.producer.report.incomplete
    }
    for output in outputs.values():
        output.end(incomplete)


def _parts(batch: RecordBatch, evaluators: Sequence[Evaluator]) -> Iterator[tuple[RecordBatch, list[Evaluator]]]:
    """Yield (part of the batch, the evaluators that want all of it), in order; parts that nobody wants are left out."""
    types = dict.fromkeys(record_type for record_type, _ in batch.runs)
    wanting = {record_type: [e for e in evaluators if e.wants(record_type)] for record_type in types}
    groups = list(wanting.values())
    if all(group == groups[0] for group in groups):
        if groups[0]:
            yield batch, groups[0]
        return
    for part in batch.split():
        if wanted_by := wanting[part.runs[0][0]]:
            yield part, wanted_by


def run_store(
    plugin: Store | None, source: Input, report: Report, run: WorkerRun | None = None, when: When | None = None
) -> None:
    """Give a store or alert every record that it wants, then let it deliver.

    Args:
        plugin: the store or alert; None if it could not be loaded: its records are only kept.
        source: where the records come from.
        report: what is counted.
        run: keeps the records; None keeps nothing.
        when: the filter before it.
    """
    run = run or WorkerRun(report)
    batches = _wanted(Wanted(getattr(plugin, "record_types", None), when), source, report, run)
    if plugin is not None:
        begin = getattr(plugin, "begin", None)
        try:
            if begin is not None:
                begin(run)
            write = _batch_writer(plugin, report, run)
            for batch in batches:
                write(batch)
        except PluginError as exc:
            report.failed("writing", exc)
        except Exception as exc:  # begin, or a reader's fault: the branch ends, the others go on
            report.failed("writing", exc)
    if report.outcome == "failed" and run.spools:
        for _ in batches:
            pass  # each has been kept by now
    if plugin is not None:
        _end_store(plugin, source, report, run)
    run.end()
    report.ok()


def _wanted(wanted: Wanted, source: Input, report: Report, run: WorkerRun) -> Iterator[RecordBatch]:
    """Yield the batches with the records that are wanted, each after it has been kept."""
    for received in source.batches():
        report.records_in += received.count
        batch = wanted.part(received)
        if batch is not received:
            run.skip(received.count - (batch.count if batch else 0), received.first_id())
        if batch is not None:
            run.receive(batch)
            yield batch


def _batch_writer(plugin: Store, report: Report, run: WorkerRun) -> Callable[[RecordBatch], None]:
    decoder = Decoder()
    write_batch = getattr(plugin, "write_batch", None)
    if write_batch is not None:

        def write_whole(batch: RecordBatch) -> None:
            try:
                write_batch(batch)
            except PluginError:
                raise
            except Exception as exc:  # the contract: any other exception rejects what was given
                for position, record in enumerate(decoder.records(batch), run.position):
                    run.refuse(position, record, exc)
            else:
                report.accepted += batch.count

        return write_whole

    write = plugin.write

    def write_each(batch: RecordBatch) -> None:
        position = run.position
        for record in decoder.records(batch):
            run.position = position
            try:
                write(record)
            except PluginError:
                raise
            except Exception as exc:  # the contract: any other exception rejects this record
                run.refuse(position, record, exc)
            else:
                report.accepted += 1
            position += 1

    return write_each


def _end_store(plugin: Store, source: Input, report: Report, run: WorkerRun) -> None:
    abort = getattr(plugin, "abort", None)
    if report.outcome == "failed":
        source.close(report.message)  # what has not been taken by now makes its origins incomplete
    incomplete = dict(source.incomplete)
    if report.outcome == "failed":
        if run.spools:  # the streams have been read to their ends since, but not by the plugin
            incomplete = {**dict.fromkeys(run.origins, report.message), **incomplete}
        incomplete[report.worker] = report.message
    try:
        if incomplete and abort is not None:
            abort(Incomplete(incomplete))
        else:
            plugin.done()
    except Exception as exc:  # delivery of what was accepted is in doubt: it stays in the spool
        report.failed("delivering", exc)
    outputs = getattr(plugin, "outputs", None)
    if outputs is not None and report.outcome != "failed":
        try:
            report.outputs = [str(output) for output in outputs()]
        except Exception as exc:  # all is delivered, but where is not known
            report.error("naming", "its outputs", exc)
    display = getattr(plugin, "display", None)
    if display is not None and report.outcome != "failed":
        try:
            report.display = str(display())[:_MAX_DISPLAY]
        except Exception as exc:  # likewise
            report.error("showing", "the findings", exc)
    report.incomplete = str(Incomplete(incomplete)) if incomplete else ""


def _close(plugin: Any, report: Report) -> None:
    try:
        plugin.done()
    except Exception as exc:  # all records are out; the worker's failure is still to be seen
        report.failed("closing", exc)


# The documented functions.


def cloud_worker(
    audit_key: str, audit_version: str, plugin_key: str, plugin: Cloud, output_queues: Sequence[Queue]
) -> None:
    """Put every record that a cloud plugin yields into each queue.

    No end mark is put: other workers may feed the same queues, so whoever made them puts the None.

    Args:
        audit_key: key of the audit in the configuration.
        audit_version: version of the run, ``%Y%m%d_%H%M%S``.
        plugin_key: key of the plugin in the configuration.
        plugin: the cloud plugin.
        output_queues: queues to put records into.
    """
    producer = _queue_producer(audit_key, audit_version, plugin_key, plugin, "cloud", output_queues)
    run_cloud(plugin, producer, Stop())


def event_worker(
    audit_key: str,
    audit_version: str,
    plugin_key: str,
    plugin: Event,
    input_queue: Queue,
    output_queues: Sequence[Queue],
) -> None:
    """Evaluate every record of a queue and put the events into each output queue, until None is found.

    Args:
        audit_key: key of the audit in the configuration.
        audit_version: version of the run, ``%Y%m%d_%H%M%S``.
        plugin_key: key of the plugin in the configuration.
        plugin: the event plugin.
        input_queue: queue to get records from.
        output_queues: queues to put event records into.
    """
    producer = _queue_producer(audit_key, audit_version, plugin_key, plugin, "event", output_queues)
    run_events([Evaluator(plugin, producer)], QueueInput(input_queue))


def store_worker(audit_key: str, audit_version: str, plugin_key: str, plugin: Store, input_queue: Queue) -> None:
    """Write every record of a queue to a store plugin, until None is found; then call its ``done``.

    Args:
        audit_key: key of the audit in the configuration.
        audit_version: version of the run, ``%Y%m%d_%H%M%S``.
        plugin_key: key of the plugin in the configuration.
        plugin: the store plugin.
        input_queue: queue to get records from.
    """
    run_store(plugin, QueueInput(input_queue), Report(plugin_key, "store", f"{audit_key}_{plugin_key}"))


def alert_worker(audit_key: str, audit_version: str, plugin_key: str, plugin: Store, input_queue: Queue) -> None:
    """Write every event of a queue to an alert plugin, until None is found; then call its ``done``.

    Args:
        audit_key: key of the audit in the configuration.
        audit_version: version of the run, ``%Y%m%d_%H%M%S``.
        plugin_key: key of the plugin in the configuration.
        plugin: the alert plugin.
        input_queue: queue to get event records from.
    """
    run_store(plugin, QueueInput(input_queue), Report(plugin_key, "alert", f"{audit_key}_{plugin_key}"))


def _queue_producer(
    audit_key: str, audit_version: str, plugin_key: str, plugin: object, kind: OriginType, queues: Sequence[Queue]
) -> Producer:
    stamper = Stamper(audit_key, audit_version, plugin_key, type(plugin).__name__, kind)
    report = Report(plugin_key, "cloud" if kind == "cloud" else "event", stamper.worker)
    return Producer(stamper, QueueOutput(queues), report)
