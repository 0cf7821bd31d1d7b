"""What a benchmark gives: tables, claims and whether they hold; and their form in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """How to run benchmarks.

    Attributes:
        rounds: how often to run what is compared; None leaves it to the benchmark.
        quick: do a hundredth of the work, to see that the benchmark itself works; the figures say nothing.
        folder: an empty directory to write to.
    """

    rounds: int | None
    quick: bool
    folder: Path

    def size(self, full: int) -> int:
        """Return how much to do of what is *full* work."""
        return max(1, full // 100) if self.quick else full


@dataclass(frozen=True)
class Table:
    """A table of figures.

    Attributes:
        columns: their headings; all but the first are aligned to the right.
        rows: the cells, as text.
        note: what has to be said of it.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""

    def markdown(self) -> Iterator[str]:
        """Yield the lines of the table."""
        yield "| " + " | ".join(self.columns) + " |"
        yield "|---|" + "---:|" * (len(self.columns) - 1)
        for row in self.rows:
            yield "| " + " | ".join(row) + " |"
        yield ""
        if self.note:
            yield self.note
            yield ""


@dataclass(frozen=True)
class Claim:
    """A statement on performance that a benchmark can confirm or not.

    Attributes:
        text: the statement.
        measured: what was measured.
        holds: whether that confirms it; None if it could not be measured.
    """

    text: str
    measured: str
    holds: bool | None

    @property
    def verdict(self) -> str:
        """The verdict in a word or two."""
        return {True: "holds", False: "does not hold", None: "not measured"}[self.holds]


@dataclass(frozen=True)
class Results:
    """What one benchmark gives."""

    tables: Sequence[Table] = field(default_factory=tuple)
    claims: Sequence[Claim] = field(default_factory=tuple)

    def markdown(self) -> str:
        """Return tables and claims."""
        lines = [line for table in self.tables for line in table.markdown()]
        lines += Table(
            ("claim", "measured", "verdict"), [(c.text, c.measured, c.verdict) for c in self.claims]
        ).markdown()
        return "\n".join(lines).strip() + "\n"
