"""The contracts of :mod:`cloudmarker.contracts` as checks, for any plugin class.

A plugin's whole basic test::

    def test_conforms():
        check_plugin(MyCloud, {"path": "sample.csv"})
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cloudmarker.batches import BUCKETS, Decoder, RecordBatch
from cloudmarker.contracts import Incomplete, Record
from cloudmarker.errors import RecordError
from cloudmarker.fields import Stamps, fields, validate
from cloudmarker.records import decode, encode, plain
from cloudmarker.testing import records as factory
from cloudmarker.testing._subject import Subject
from cloudmarker.testing.stores import MemoryRun

_MAX_KEPT = 1000
"""How many of the records that a cloud yields are looked at again at the end."""


def check_plugin(cls: type, params: Mapping[str, Any] | None = None, *, records: Iterable[Record] = ()) -> None:
    """Check that a class keeps the contract of its plugin kind, which is found by its methods.

    The class is used as the framework uses it, several times over, in this process: a cloud reads what its parameters
    name, a store or alert writes where they say. Use parameters made for tests.

    Args:
        cls: the plugin class.
        params: its constructor parameters, as in the configuration.
        records: for events, stores and alerts: records to use besides those of :mod:`cloudmarker.testing.records`,
            without stamps. An event must find something in them.

    Raises:
        AssertionError: a rule is broken; the message is one line that names the class, the method and the rule.
    """
    subject = Subject(cls, params)
    extra = list(records)
    if subject.kind == "cloud":
        _check_cloud(subject)
    elif subject.kind == "event":
        _check_event(subject, extra)
    else:
        _check_store(subject, extra)


def _check_cloud(subject: Subject) -> None:
    subject.done(subject.make(), "before read()")

    plugin = subject.make()
    first = next(_yielded(subject, "read()", plugin.read), None)
    if first is None:
        subject.fail(".read() yields nothing: give it parameters with which it finds something")
    subject.done(plugin, "after an unfinished read()")

    plugin = subject.make()
    kept: list[tuple[Record, bytes]] = []
    for record in _yielded(subject, "read()", plugin.read):
        line = _check_record(subject, "read()", record)
        if len(kept) < _MAX_KEPT:
            kept.append((record, line))
    subject.done(plugin, "after read()")
    for record, line in kept:
        if encode(record) != line:
            subject.fail(f".read() changed a record after it had yielded it: {line[:80]!r}")


def _check_event(subject: Subject, extra: Sequence[Record]) -> None:
    _evaluate(subject, [])
    own = factory.stamped(*extra, plugin_key="extra")
    everything = [*factory.stamped(*factory.every_type(), *factory.awkward()), *own]
    if _evaluate(subject, everything) != _evaluate(subject, everything):
        subject.fail("two runs over the same records give different events; an event is a function of the records")
    if own and not _evaluate(subject, own):
        subject.fail("finds nothing in the records given to this check")


def _evaluate(subject: Subject, records: Sequence[Record]) -> list[bytes]:
    """Return the events of a new plugin object for *records*, as JSON, in order."""
    plugin = subject.make()
    decoder = Decoder(getattr(plugin, "buckets", BUCKETS))
    found: list[list[bytes]] = []
    for record in subject.wanted(plugin, records) if records else ():
        (shown,) = decoder.records(RecordBatch("", [("", 1)], encode(record)))
        before = encode(shown)
        events = _yielded(subject, "eval()", plugin.eval, shown)
        found.append([_check_record(subject, "eval()", event, event=True) for event in events])
        subject.check_unchanged("eval()", record, shown, before)
    if hasattr(plugin, "finish"):
        method = "finish()" if records else "finish() without any eval()"
        events = _yielded(subject, method, plugin.finish)
        found.append([_check_record(subject, method, event, event=True) for event in events])
    subject.done(plugin, "after the last record" if records else "before eval()")
    _check_fingerprints(subject, found)
    return list(itertools.chain.from_iterable(found))


def _check_fingerprints(subject: Subject, calls: Sequence[Sequence[bytes]]) -> None:
    """Check that events of one call, and events about different things, have different fingerprints."""
    seen: dict[str, tuple[int, str]] = {}
    for number, events in enumerate(calls):
        for line in events:
            com = decode(line)["com"]
            fingerprint, reference = com["fingerprint"], com["reference"]
            earlier_number, earlier_reference = seen.setdefault(fingerprint, (-1, reference))
            if earlier_number == number or earlier_reference != reference:
                subject.fail(f"two events for {reference} have one fingerprint, {fingerprint}; use a discriminator")
            seen[fingerprint] = number, reference


def _check_store(subject: Subject, extra: Sequence[Record]) -> None:
    subject.done(subject.make(), "before write()")
    ordinary = [*factory.every_type(), *extra]
    records = [plain(record) for record in factory.stamped(*ordinary, *factory.awkward())]
    origins = tuple(dict.fromkeys(record["com"]["origin_worker"] for record in records))
    must = {record["com"]["record_id"] for record in records[: len(ordinary)]}

    plugin, run = _begun(subject, origins)
    wanted = subject.wanted(plugin, records)
    _write(subject, plugin, run, wanted, must)
    subject.done(plugin, "after write()")
    _check_answers(subject, run, wanted, must)
    complete = _contents(subject, plugin)

    if hasattr(plugin, "abort"):
        plugin, run = _begun(subject, origins)
        _write(subject, plugin, run, wanted[:2], must)
        with subject.calling("abort()"):
            plugin.abort(Incomplete(dict.fromkeys(origins, "the audit was stopped")))
        _contents(subject, plugin)
        for path in complete:
            if _content(path) != complete[path]:
                subject.fail(f".abort() replaced the complete {path} with a partial one")

    if hasattr(plugin, "write_batch"):
        plugin, run = _begun(subject, origins)
        for batch in factory.batches(wanted):
            run.hand(batch.count)
            with subject.calling("write_batch()"):
                plugin.write_batch(batch)
        subject.done(plugin, "after write_batch()")
        _check_answers(subject, run, wanted, must)
        if _contents(subject, plugin) != complete:
            subject.fail(".write_batch() and write() of the same records give different outputs")


def _begun(subject: Subject, origins: tuple[str, ...]) -> tuple[Any, MemoryRun]:
    plugin, run = subject.make(), MemoryRun(origins)
    if hasattr(plugin, "begin"):
        with subject.calling("begin()"):
            plugin.begin(run)
    return plugin, run


def _check_answers(subject: Subject, run: MemoryRun, records: Sequence[Record], must: set[str]) -> None:
    """Check that the plugin has answered for each record that it took, and has refused no ordinary one."""
    if run.unanswered:
        subject.fail(f".done() left {len(run.unanswered)} records without an answer that the plugin had taken")
    for position, reason in run.rejected.items():
        com = records[position]["com"]
        if com["record_id"] in must:
            subject.fail(f"refused an ordinary {com['record_type']} record: {reason}")


def _write(subject: Subject, plugin: Any, run: MemoryRun, records: Sequence[Record], must: set[str]) -> None:
    """Write records; those with an id in *must* have to be accepted, others may be refused with RecordError."""
    for record in records:
        run.hand()
        before = encode(record)
        try:
            with subject.calling("write()", allowed=(RecordError,)):
                plugin.write(record)
        except RecordError as exc:
            if record["com"]["record_id"] in must:
                subject.fail(f".write() refused an ordinary {record['com']['record_type']} record: {exc}")
        subject.check_unchanged("write()", record, record, before)


def _contents(subject: Subject, plugin: Any) -> dict[Path, Any]:
    """Return what is in each file that the plugin names as its output."""
    if hasattr(plugin, "display"):
        with subject.calling("display()"):
            shown = plugin.display()
        if not isinstance(shown, str):
            subject.fail(f".display() must give a string, not {shown!r}")
    if not hasattr(plugin, "outputs"):
        return {}
    with subject.calling("outputs()"):
        outputs = list(plugin.outputs())
    if not all(isinstance(output, str) for output in outputs):
        subject.fail(f".outputs() must give strings, not {outputs!r}")
    return {Path(output): _content(Path(output)) for output in outputs if Path(output).is_file()}


def _content(path: Path) -> Any:
    """Return what a file holds: bytes, or a value if it is JSON, as layout does not count; None if there is no file."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        return json.loads(data)
    except ValueError:
        return data


def _yielded(subject: Subject, method: str, call: Any, *args: Any) -> Iterator[Any]:
    """Yield what the generator method of a plugin yields; closing this closes that."""
    with subject.calling(method):
        made = call(*args)
    if isinstance(made, Mapping) or not isinstance(made, Iterable):
        subject.fail(f".{method} must yield records or return an iterable of them, not {type(made).__name__}")
    iterator = iter(made)
    try:
        while True:
            with subject.calling(method):
                item = next(iterator, _END)
            if item is _END:
                return
            yield item
    finally:
        if hasattr(iterator, "close"):
            with subject.calling(method):
                iterator.close()


_END = object()


def _check_record(subject: Subject, method: str, record: Any, *, event: bool = False) -> bytes:
    """Check the shape of a record that the plugin yielded; return its JSON."""
    try:
        line = encode(record)
    except RecordError as exc:
        subject.fail(f".{method} yielded a record that is not JSON: {exc}")
    for problem in itertools.islice(_problems(plain(record), event), 1):
        subject.fail(f".{method} yielded a record that is not well-formed: {problem}: {line[:200].decode()}")
    return line


def _problems(record: Any, event: bool) -> Iterator[str]:
    if not isinstance(record, dict):
        yield f"it is a {type(record).__name__}, not a dict"
        return
    yield from (f"{key!r} is no bucket; there are {', '.join(BUCKETS)}" for key in record if key not in BUCKETS)
    for bucket in ("ext", "com"):
        if not isinstance(record.get(bucket), dict):
            yield f"its {bucket} bucket must be a dict"
            return
    ext, com = record["ext"], record["com"]
    yield from validate(com, event=event)
    if not event and com["cloud_type"] == "":
        yield "com.cloud_type must not be empty"
    yield from (f"com.{name} is for the framework to set" for name in fields(Stamps) if name in com)
    if ext.get("cloud_type") != com.get("cloud_type"):
        yield f"ext.cloud_type must be com.cloud_type, not {ext.get('cloud_type')!r}"
    if not isinstance(ext.get("record_type"), str) or not ext["record_type"]:
        yield "ext.record_type must be the provider's word for the type"
