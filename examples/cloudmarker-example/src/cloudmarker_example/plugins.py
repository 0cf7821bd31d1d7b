"""A cloud, an event and a store: for machines that no provider's API knows, because somebody keeps a list of them."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile

from cloudmarker.contracts import Incomplete, Record
from cloudmarker.coverage import coverage
from cloudmarker.fields import InventoryCom
from cloudmarker.findings import finding


class CSVCloud:
    """Read machines from a CSV file.

    Args:
        path: the file. It has the columns name and location; every other column is a tag.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path).expanduser()

    def read(self) -> Iterator[Record]:
        """Yield a record for each line that has a name, then say what was covered."""
        count = nameless = 0
        with self._path.open(newline="", encoding="utf-8") as lines:
            for row in csv.DictReader(lines, restkey="extra"):
                if row["name"]:
                    count += 1
                    yield _machine(row, self._path.name)
                else:
                    nameless += 1
        error = f"{nameless} lines have no name" if nameless else None
        yield coverage("csv", str(self._path), "machine", "failed" if nameless else "ok", count, error)

    def done(self) -> None:
        """Do nothing: read() closes the file."""


def _machine(row: dict[str, str], file_name: str) -> Record:
    com: InventoryCom = {
        "cloud_type": "csv",
        "record_type": "machine",
        "reference": f"{file_name}/{row['name']}",
        "account": None,
        "name": row["name"],
        "location": row["location"] or None,
        "tags": {key: str(value) for key, value in row.items() if value and key not in ("name", "location")},
        "parent": None,
        "created": None,
    }
    return {"raw": row, "ext": {"cloud_type": "csv", "record_type": "machine"}, "com": {**com}}


class MissingTagEvent:
    """Find resources that lack a tag, in any cloud.

    Args:
        tags: the tags that every resource must have.
    """

    buckets = ("com",)

    def __init__(self, tags: Sequence[str] = ("owner",)) -> None:
        self._tags = tags

    def eval(self, record: Record) -> Iterator[Record]:
        """Yield an event for each tag that *record* should have and has not."""
        com = record["com"]
        for tag in self._tags:
            if "tags" in com and not com["tags"].get(tag):
                yield finding(
                    record,
                    check_id="missing_tag",
                    record_type="missing_tag_event",
                    severity="low",
                    description=f"{com['reference']} has no tag {tag!r}.",
                    recommendation=f"Find out who is responsible for it, and set the tag {tag!r}.",
                    discriminator=tag,
                )

    def done(self) -> None:
        """Do nothing: nothing is held."""


class CSVStore:
    """Write one line per record to a CSV file, which is replaced when all records have come.

    Args:
        path: the file. Its directory must exist.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path).expanduser()
        columns = ("origin_worker", "record_type", "reference", "severity", "description")
        directory = self._path.parent
        self._file = NamedTemporaryFile("w", newline="", encoding="utf-8", dir=directory, delete=False)  # noqa: SIM115
        self._lines = csv.DictWriter(self._file, columns, extrasaction="ignore")
        self._lines.writeheader()

    def write(self, record: Record) -> None:
        """Write the line for *record*."""
        self._lines.writerow(record["com"])

    def done(self) -> None:
        """Put what was written in the place of the file."""
        self._file.close()
        Path(self._file.name).replace(self._path)

    def abort(self, reason: Incomplete) -> None:
        """Leave the file as it is, and put what was written beside it."""
        self._path = self._path.with_suffix(".partial.csv")
        self.done()

    def outputs(self) -> list[str]:
        """Return the file that was written."""
        return [str(self._path)]
