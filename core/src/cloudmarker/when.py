"""The filter that ``when`` puts before a store, event or alert: which of the records there are it is to be given.

Conditions are anded, the values of one are ored. Record types are known of a batch without decoding it; for the other
conditions only the fields of ``com`` that they speak of are decoded, and the lines stay as they are.

Records of the framework say what was not read, so a filter lets them through: the audit record always, coverage unless
it is about an account or a cloud that the filter keeps out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import compress
from typing import Any

import msgspec

from cloudmarker.batches import Decoder, RecordBatch
from cloudmarker.coverage import FRAMEWORK_TYPES
from cloudmarker.findings import at_or_above, severity_of, status_of
from cloudmarker.text import any_of


class When:
    """A filter.

    Args:
        conditions: the mapping under ``when``, checked: ``record_types``, ``clouds``, ``accounts``, ``severity`` or
            ``min_severity``, ``status``; a condition that is null or not there is none.

    Attributes:
        record_types: the ``com.record_type`` that are let through, besides the framework's; None for all.
        fields: the buckets, as a Decoder takes them, of what the other conditions need; empty if there are none.
    """

    def __init__(self, conditions: Mapping[str, Any]) -> None:
        given = {name: value for name, value in conditions.items() if value is not None}
        self.record_types: frozenset[str] | None = None
        if "record_types" in given:
            self.record_types = frozenset(given["record_types"])
        clouds = frozenset(name.casefold() for name in given.get("clouds", ()))
        self._clouds: Callable[[str], bool] | None = clouds.__contains__ if "clouds" in given else None
        self._accounts = any_of(given["accounts"]) if "accounts" in given else None
        self._severities: frozenset[str] | None = None
        if "severity" in given:
            self._severities = frozenset(given["severity"])
        elif "min_severity" in given:
            self._severities = frozenset(at_or_above(given["min_severity"]))
        self._statuses = frozenset(given["status"]) if "status" in given else None
        needed = {
            "com.cloud_type": self._clouds,
            "com.account": self._accounts,
            "com.severity": self._severities,
            "com.status": self._statuses,
        }
        fields = {name for name, condition in needed.items() if condition is not None}
        self.fields = frozenset(fields | {"com.record_type"} if fields else ())

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> When | None:
        """Return the filter of a plugin's configuration, None if it has none."""
        return cls(entry["when"]) if entry.get("when") else None

    def wants_type(self, record_type: str) -> bool:
        """Return whether records of a type may be let through."""
        return self.record_types is None or record_type in self.record_types or record_type in FRAMEWORK_TYPES

    def narrowed(self, record_types: Collection[str] | None) -> Collection[str] | None:
        """Return those of some record types, None for all, that may be let through."""
        if self.record_types is None or record_types is None:
            return record_types if self.record_types is None else self.record_types | FRAMEWORK_TYPES
        return frozenset(filter(self.wants_type, record_types))

    def fulfils(self, com: Mapping[str, Any]) -> bool:
        """Return whether the ``com`` of a record fulfils all conditions but that on types, which comes first.

        Args:
            com: of the record, with at least :attr:`fields`.
        """
        record_type = com.get("record_type")
        if record_type in FRAMEWORK_TYPES:
            return record_type == "audit" or self.lets_through(com.get("cloud_type"), com.get("account"), general=True)
        if self._severities is not None and severity_of(com) not in self._severities:
            return False
        if self._statuses is not None and status_of(com) not in self._statuses:
            return False
        return self.lets_through(com.get("cloud_type"), com.get("account"))

    def lets_through(self, cloud_type: object, account: object, *, general: bool = False) -> bool:
        """Return whether records of a cloud and an account may be let through.

        Args:
            cloud_type: ``com.cloud_type``.
            account: ``com.account``; None for what is in no account.
            general: whether what has no cloud or account is about all of them, as coverage is.
        """
        if self._clouds is not None and not (self._clouds(str(cloud_type).casefold()) if cloud_type else general):
            return False
        return self._accounts is None or (self._accounts(str(account)) if account else general)


class Wanted:
    """What a store or alert is to be given: the types its class wants, and what its filter lets through.

    Args:
        record_types: the ``record_types`` of the plugin, None for all.
        when: its filter, None for none.
    """

    def __init__(self, record_types: Iterable[str] | None, when: When | None = None) -> None:
        self._types: Collection[str] | None = None if record_types is None else frozenset(record_types)
        if when is not None and when.record_types is not None:
            let_through = when.record_types | FRAMEWORK_TYPES
            self._types = let_through if self._types is None else let_through.intersection(self._types)
        self._when = when if when is not None and when.fields else None
        if self._when is not None:
            self._decoder = Decoder(self._when.fields)

    def part(self, batch: RecordBatch) -> RecordBatch | None:
        """Return the part of a batch that is wanted, the batch itself if that is all of it, None if there is none."""
        rest = batch if self._types is None else batch.only(self._types)
        if rest is None or self._when is None:
            return rest
        fulfils = self._when.fulfils
        kept = [fulfils(record["com"]) for record in self._decoder.records(rest)]
        if all(kept):
            return rest
        at = 0
        runs: list[tuple[str, int]] = []
        for record_type, count in rest.runs:
            if left := sum(kept[at : at + count]):
                runs.append((record_type, left))
            at += count
        if not runs:
            return None
        return RecordBatch(rest.origin_worker, runs, b"\n".join(compress(rest.data.split(b"\n"), kept)))

    def wants(self, record_type: str, line: bytes) -> bool:
        """Return whether one record, given its type and its JSON, is wanted."""
        if self._types is not None and record_type not in self._types:
            return False
        return self._when is None or self._when.fulfils(_com(line).com)


class _Line(msgspec.Struct):
    com: dict[str, Any]


_com = msgspec.json.Decoder(_Line).decode
