"""What became of an audit, as text for a person: at most 80 columns, but for what must not be cut."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from cloudmarker.contracts import SEVERITIES, Severity
from cloudmarker.results import FINDING_STATES, AuditResult, WorkerResult
from cloudmarker.text import friendly_list, visible, visible_line

Style = Callable[[str, str], str]
"""Takes a text and the name of a colour, returns the text in it."""

_WIDTH = 80
_COLOURS: dict[str, str] = {
    "complete": "green",
    "incomplete": "yellow",
    "failed": "red",
    "critical": "red",
    "high": "red",
    "medium": "yellow",
    "low": "cyan",
    "info": "blue",
    "ok": "green",
}
_SHOWN: dict[Severity, int] = {"critical": 20, "high": 20, "medium": 10, "low": 5, "info": 3}
"""How many findings of each severity are shown; the stores have all of them."""
_SHOWN_HOLES = 20
"""How many reasons for not having read something are shown, each with the types and the scope that it is about."""
_SHOWN_TYPES = 6
_SHOWN_SUPPRESSIONS = 20
"""How many suppressions that do their work are shown; all that do not are."""
_ITEM = ("  - ", "    ")


def render(results: Sequence[AuditResult], style: Style = lambda text, _colour: text) -> str:
    """Return the summary of some audits."""
    return "\n\n".join("\n".join(_audit(result, style)) for result in results)


def _audit(result: AuditResult, style: Style) -> Iterator[str]:
    status = style(result.status.upper(), _COLOURS[result.status])
    yield f"Audit {result.audit.key}, version {result.audit.version}: {status} in {duration(result.duration_s)}"
    if result.reason:
        yield from _wrapped(result.reason, "  ")
    yield from _records(result)
    yield from _findings(result, style)
    yield from _suppressions(result, style)
    yield from _coverage(result, style)
    yield from _deliveries(result, style)
    yield from _problems(result, style)


def _records(result: AuditResult) -> Iterator[str]:
    types: Counter[str] = Counter()
    for worker in result.workers:
        if worker.kind == "cloud":
            types.update(worker.record_types)
    yield ""
    yield f"Records read: {sum(types.values()):,}"
    for record_type, count in sorted(types.items(), key=lambda item: (-item[1], item[0])):
        yield f"  {visible(record_type):<40} {count:>12,}"


def _findings(result: AuditResult, style: Style) -> Iterator[str]:
    total = sum(result.severities.values())
    displays = [worker.display for worker in result.workers if worker.display]
    yield ""
    yield f"Findings: {total:,}"
    if result.statuses:
        counts = ", ".join(
            f"{result.statuses[state]:,} {state}" for state in FINDING_STATES if state in result.statuses
        )
        yield f"  {counts}"
    for severity in SEVERITIES:
        count = result.severities.get(severity, 0)
        if not count:
            continue
        yield f"  {style(f'{severity:<40}', _COLOURS[severity])} {count:>12,}"
        if displays:
            continue
        listed = [finding for finding in result.findings if finding.severity == severity][: _SHOWN[severity]]
        for finding in listed:
            yield from _wrapped(finding.description or finding.check_id, "    - ", "      ")
            if finding.reference:
                yield f"      {visible(finding.reference)}"
        if count > len(listed):
            yield f"    - and {count - len(listed):,} more"
    for display in displays:
        yield ""
        for line in display.splitlines():
            word, space, rest = visible(line).partition(" ")
            yield style(word, _COLOURS[word]) + space + rest if word in SEVERITIES else visible(line)


def _suppressions(result: AuditResult, style: Style) -> Iterator[str]:
    """Show what each suppression kept from the alerts, and those that someone should look at."""
    uses = result.suppressions
    if not uses:
        return
    yield ""
    yield f"Suppressed findings: {result.suppressed:,}"
    used = [use for use in uses if use.state == "used"]
    for use in used[:_SHOWN_SUPPRESSIONS]:
        until = "for good" if use.expires == "never" else f"until {use.expires}"
        yield from _wrapped(f"{use.suppressed:,}: {use.what} ({until}, {use.owner}): {use.reason}", *_ITEM)
    if len(used) > _SHOWN_SUPPRESSIONS:
        yield f"    - and {len(used) - _SHOWN_SUPPRESSIONS:,} more"
    for use in uses:
        if use.state == "expired":
            left = f"; findings that it is for: {use.matched:,}" if use.matched else ""
            text = f"{use.what}: expired on {use.expires}, ask {use.owner}{left}"
            yield from _coloured(_wrapped(text, *_ITEM), style)
        elif use.state == "unmatched":
            text = f"{use.what}: matches no finding; {use.owner} may remove it"
            yield from _coloured(_wrapped(text, *_ITEM), style)


def _coloured(lines: Sequence[str], style: Style) -> Iterator[str]:
    return (style(line, "yellow") for line in lines)


def _coverage(result: AuditResult, style: Style) -> Iterator[str]:
    yield ""
    yield f"Coverage (scopes x resource types): {sum(result.coverage.values()):,}"
    for state, count in result.coverage.items():
        yield f"  {style(f'{state:<40}', _COLOURS.get(state, 'yellow'))} {count:>12,}"
    groups: dict[tuple[str, str, str], list[str]] = {}
    for hole in result.holes:
        groups.setdefault((hole.state, hole.scope, hole.error or ""), []).append(hole.resource_type)
    shown = 0
    for (outcome, scope, error), types in list(groups.items())[:_SHOWN_HOLES]:
        named = types if len(types) <= _SHOWN_TYPES else [*types[:_SHOWN_TYPES], f"{len(types) - _SHOWN_TYPES} more"]
        what = f"{outcome}: {friendly_list(named)} in {scope}" + (f": {error}" if error else "")
        yield from _wrapped(what, "    - ", "      ")
        shown += len(types)
    unshown = sum(count for state, count in result.coverage.items() if state != "ok") - shown
    if unshown > 0:
        yield f"    - and {unshown:,} more"


def _deliveries(result: AuditResult, style: Style) -> Iterator[str]:
    yield ""
    titles = ("emitted", "delivered", "rejected", "spooled", "lost")
    yield f"{'Stores and alerts':<30}" + "".join(f"{title:>10}" for title in titles)
    for worker in result.workers:
        if worker.delivery is None:
            continue
        numbers = worker.delivery
        bad = "".join(f"{number:>10,}" for number in (numbers.rejected, numbers.spooled, numbers.lost))
        wrong = numbers.rejected or numbers.spooled or numbers.lost
        line = f"  {f'{visible(worker.key)} ({worker.kind})':<28}{numbers.emitted:>10,}{numbers.delivered:>10,}"
        yield line + (style(bad, "red") if wrong else bad)
        if numbers.spooled:
            yield f"    deliver what is spooled with: cloudmarker replay --store {visible(worker.key)}"
        for output in worker.outputs:
            yield f"    {visible(output)}"


def _problems(result: AuditResult, style: Style) -> Iterator[str]:
    problems = [line for worker in result.workers for line in _worker_problems(worker)]
    if problems:
        yield ""
        yield style("Problems", "red")
        for problem in problems:
            yield from _wrapped(problem, "  - ", "    ")


def _worker_problems(worker: WorkerResult) -> Iterator[str]:
    if worker.outcome != "ok":
        yield f"{worker.name} ({worker.kind}) {worker.outcome}: {worker.message}"
    if worker.rejected_out:
        yield f"{worker.name} yielded {worker.rejected_out:,} records that are not JSON; they are in the dead letters"
    errors = worker.errors - worker.rejected_out
    if errors > 0:
        yield f"{worker.name} ({worker.kind}) failed on {errors:,} records; the log names the first ones"


def _wrapped(text: str, first: str, rest: str | None = None) -> list[str]:
    return textwrap.wrap(
        visible_line(text),
        _WIDTH,
        initial_indent=first,
        subsequent_indent=first if rest is None else rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def duration(duration_s: float) -> str:
    """Return how long something took, e.g. ``1:40 min``."""
    if duration_s < 60:
        return f"{duration_s:.1f} s"
    minutes, seconds = divmod(round(duration_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d} h" if hours else f"{minutes}:{seconds:02d} min"
