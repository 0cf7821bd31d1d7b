"""A cloud with several accounts and types, and an event of chosen severities, for the tests of filters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from cloudmarker.coverage import coverage
from cloudmarker.findings import finding

SEVERITIES = ("critical", "high", "medium", "low", "info")


class Cloud:
    """Yields, for each account, a compute and a firewall record, both clouds in turn; and coverage of each account.

    Args:
        accounts: the ids; the records of the first are of azure, of the second of gcp, and so on.
        hole: the account whose coverage is `denied`.
        gone: references of records that are not there any more.
    """

    def __init__(self, accounts: list[str] | None = None, hole: str = "", gone: Sequence[str] = ()) -> None:
        self.accounts = ["prod-1", "prod-2", "test-1"] if accounts is None else accounts
        self.hole = hole
        self.gone = gone

    def read(self) -> Iterator[dict[str, Any]]:
        for position, account in enumerate(self.accounts):
            cloud_type = ("azure", "gcp")[position % 2]
            for record_type in ("compute", "firewall"):
                if f"{account}/{record_type}" in self.gone:
                    continue
                yield {
                    "raw": {"filler": "x" * 100},
                    "ext": {"cloud_type": cloud_type, "record_type": "thing"},
                    "com": {
                        "cloud_type": cloud_type,
                        "record_type": record_type,
                        "reference": f"{account}/{record_type}",
                        "account": account,
                    },
                }
            state = "denied" if account == self.hole else "ok"
            yield coverage(cloud_type, account, "*", state, 2, "no" if state == "denied" else None, account=account)

    def done(self) -> None:
        pass


class Event:
    """Finds every record faulty, once in each severity that is asked for; `bare` findings have no memory.

    Args:
        severities: of the findings in each record.
        bare: leave out the fingerprint.
        fail_on: the reference of a record to fail on.
    """

    def __init__(self, severities: list[str] | None = None, bare: bool = False, fail_on: str = "") -> None:
        self.severities = list(SEVERITIES) if severities is None else severities
        self.bare = bare
        self.fail_on = fail_on

    def eval(self, record: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if record["com"]["reference"] == self.fail_on:
            raise RuntimeError("asked to fail")
        for severity in self.severities:
            event = finding(
                record,
                check_id=f"too_{severity}",
                record_type="selective_event",
                severity=severity,
                description=f"{severity} in {record['com']['reference']}",
                recommendation="None.",
            )
            if self.bare:
                del event["com"]["fingerprint"]
            yield event

    def done(self) -> None:
        pass


class DyingStore:
    """Accepts `count` records, then its process dies."""

    def __init__(self, count: int = 3) -> None:
        self.count = count

    def write(self, record: dict[str, Any]) -> None:
        import os

        self.count -= 1
        if self.count < 0:
            os._exit(9)

    def done(self) -> None:
        pass
