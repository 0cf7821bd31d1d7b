"""When audits begin: times of day and cron expressions, by the clock of this machine or of a time zone.

A schedule is evaluated on the wall clock of its place, as cron does. On the day on which the clock goes forward, a time
that it leaves out comes at the first minute that there is; on the day on which it goes back, a time that it shows twice
comes the first time only. Expressions that begin with ``*`` in the minutes or in the hours mean intervals, and follow
the time that has really passed.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any

TIME_OF_DAY = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_FIELDS = 5
_SOME_DAY = datetime(2024, 1, 1)


class ScheduleError(ValueError):
    """It is no schedule; the message says why."""


class LocalZone(tzinfo):
    """The time zone of this machine, with all changes of its clock that the system knows of."""

    def utcoffset(self, dt: datetime | None) -> timedelta | None:
        """Return what the clock is ahead of UTC at *dt*, ``fold`` heeded."""
        if dt is None:
            return None
        local = dt.replace(tzinfo=None)
        return local - datetime.fromtimestamp(local.timestamp(), timezone.utc).replace(tzinfo=None)

    def dst(self, dt: datetime | None) -> timedelta | None:
        """Return None: nobody asks."""
        return None

    def tzname(self, dt: datetime | None) -> str | None:
        """Return the zone's name at *dt*, such as ``CEST``."""
        return None if dt is None else time.localtime(dt.timestamp()).tm_zone

    def fromutc(self, dt: datetime) -> datetime:
        """Return what the clock shows at *dt*, a time in UTC."""
        return datetime.fromtimestamp(dt.replace(tzinfo=timezone.utc).timestamp()).replace(tzinfo=self)


@dataclass(frozen=True)
class Due:
    """When something begins.

    Attributes:
        at: seconds since the epoch.
        text: the same on the clock of the schedule, for a person.
    """

    at: float
    text: str


@dataclass(frozen=True)
class Entry:
    """One time of day or cron expression.

    Attributes:
        cron: five fields.
        zone: name of a time zone; empty for the machine's own.
    """

    cron: str
    zone: str = ""

    @classmethod
    def parse(cls, value: Any) -> Entry:
        """Return what ``schedule``, or an entry of it, says.

        Args:
            value: ``"HH:MM"``, a cron expression, or a mapping with ``cron`` and perhaps ``timezone``.

        Raises:
            ScheduleError: it is none of these, or never comes.
        """
        if isinstance(value, dict):
            entry = cls(str(value.get("cron", "")), value.get("timezone") or "")
        elif match := TIME_OF_DAY.fullmatch(str(value)):
            return cls(f"{int(match[2])} {int(match[1])} * * *")
        else:
            entry = cls(str(value))
        if ":" in entry.cron and len(entry.cron.split()) < _FIELDS:
            raise ScheduleError(f'{entry.cron!r} is not a time of day, from "00:00" to "23:59"')
        entry._check()
        return entry

    def next_after(self, now: float) -> Due:
        """Return when it comes next after *now*, in seconds since the epoch."""
        from cronsim import CronSim  # only here: an audit that is run right now has no use for it

        zone = _zone(self.zone)
        for found in CronSim(self.cron, datetime.fromtimestamp(now, zone)):
            at = found.timestamp()
            if at > now:  # a time that has come already is found once more in an hour that the clock shows twice
                return Due(at, f"{found:%Y-%m-%d %H:%M} {self.zone or 'local time'}")
        raise ScheduleError(f"the cron expression {self.cron!r} does not come any more")

    def _check(self) -> None:
        from cronsim import CronSim, CronSimError

        if len(self.cron.split()) != _FIELDS:
            raise ScheduleError(
                f"{self.cron!r} is no cron expression: it needs five fields, "
                "for minute, hour, day of the month, month and day of the week"
            )
        try:
            next(CronSim(self.cron, _SOME_DAY))
        except CronSimError as exc:
            field = str(exc).lower().removeprefix("bad ")
            raise ScheduleError(f"the {field} of the cron expression {self.cron!r} is wrong") from exc
        except StopIteration:
            raise ScheduleError(f"the cron expression {self.cron!r} never comes") from None
        _zone(self.zone)


@dataclass(frozen=True)
class Schedule:
    """All that a ``schedule`` says: whatever of it comes first."""

    entries: tuple[Entry, ...]

    @classmethod
    def parse(cls, value: Any) -> Schedule:
        """Return what ``schedule`` says: an entry, or a list of entries.

        Raises:
            ScheduleError: an entry is wrong.
        """
        return cls(tuple(Entry.parse(entry) for _, entry in entries(value)))

    def next_after(self, now: float) -> Due:
        """Return when it comes next after *now*, in seconds since the epoch."""
        return min((entry.next_after(now) for entry in self.entries), key=lambda due: due.at)


def entries(value: Any) -> Iterator[tuple[tuple[int, ...], Any]]:
    """Yield the entries of ``schedule``, each with its position if it is a list."""
    if isinstance(value, list):
        yield from (((position,), entry) for position, entry in enumerate(value))
    else:
        yield (), value


def _zone(name: str) -> tzinfo:
    if not name:
        return LocalZone()
    if name == "UTC":
        return timezone.utc
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise ScheduleError(
            f"no time zone named {name!r}; expected a name such as Europe/Berlin "
            "(where the system has no time zones: pip install tzdata)"
        ) from exc
