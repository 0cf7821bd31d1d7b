"""Schedules: what they may say, and when they come, on the days on which the clock changes too."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone

import pytest
from cloudmarker.schedule import LocalZone, Schedule, ScheduleError
from hypothesis import given
from hypothesis import strategies as st

BERLIN = "CET-1CEST,M3.5.0,M10.5.0/3"  # as POSIX writes it: it needs no data base of time zones


@pytest.fixture
def local_clock(monkeypatch):
    """Set the time zone of this process."""

    def zone(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield zone
    monkeypatch.undo()
    time.tzset()


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp()


def times(schedule: object, after: str, count: int) -> list[str]:
    """The first *count* times after *after*, in UTC."""
    found: list[str] = []
    now = utc(after)
    for _ in range(count):
        now = Schedule.parse(schedule).next_after(now).at
        found.append(datetime.fromtimestamp(now, timezone.utc).strftime("%Y-%m-%d %H:%M"))
    return found


# Times of day


@pytest.mark.parametrize(
    ("schedule", "after", "expected"),
    [
        ("12:00", "2026-03-10 11:59:59", "2026-03-10 12:00"),
        ("12:00", "2026-03-10 12:00:00", "2026-03-11 12:00"),
        ("12:00", "2026-03-10 12:00:00.000001", "2026-03-11 12:00"),
        ("00:00", "2026-03-10 00:00:00", "2026-03-11 00:00"),
        ("00:00", "2026-03-09 23:59:59.999999", "2026-03-10 00:00"),
        ("23:59", "2026-03-10 00:00:00", "2026-03-10 23:59"),
        ("09:05", "2026-04-30 10:00:00", "2026-05-01 09:05"),
        ("09:05", "2026-12-31 10:00:00", "2027-01-01 09:05"),
        ("09:05", "2024-02-28 10:00:00", "2024-02-29 09:05"),
        ("09:05", "2026-02-28 10:00:00", "2026-03-01 09:05"),
    ],
)
def test_a_time_of_day_comes_when_a_clock_shows_it_next(schedule, after, expected, local_clock):
    local_clock("UTC")
    assert times(schedule, after, 1) == [expected]


@given(st.times(), st.datetimes(max_value=datetime(9998, 1, 1)))
def test_a_time_of_day_comes_within_a_day_and_is_what_the_clock_shows(at, after):
    schedule = Schedule.parse({"cron": f"{at.minute} {at.hour} * * *", "timezone": "UTC"})
    now = after.replace(tzinfo=timezone.utc)
    found = datetime.fromtimestamp(schedule.next_after(now.timestamp()).at, timezone.utc)
    assert now < found <= now + timedelta(days=1)
    assert (found.hour, found.minute, found.second, found.microsecond) == (at.hour, at.minute, 0, 0)


def test_a_time_of_day_is_that_of_the_clock_of_this_machine(local_clock):
    local_clock("XXX-05:30")
    assert times("12:00", "2026-03-10 00:00", 2) == ["2026-03-10 06:30", "2026-03-11 06:30"]
    assert Schedule.parse("12:00").next_after(utc("2026-03-10 00:00")).text == "2026-03-10 12:00 local time"


def test_of_a_list_comes_what_is_first(local_clock):
    local_clock("UTC")
    found = times(["18:30", "06:00", "0 12 * * 0"], "2026-03-07 00:00", 6)
    assert [text[8:] for text in found] == ["07 06:00", "07 18:30", "08 06:00", "08 12:00", "08 18:30", "09 06:00"]


def test_what_comes_twice_at_the_same_time_comes_once(local_clock):
    local_clock("UTC")
    assert times(["06:00", "0 6 * * *"], "2026-03-07 00:00", 2) == ["2026-03-07 06:00", "2026-03-08 06:00"]


# Cron expressions


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("0 3 * * 1-5", ["02 03:00", "03 03:00", "04 03:00", "05 03:00", "06 03:00", "09 03:00"]),
        ("0 3 * * mon", ["02 03:00", "09 03:00"]),
        ("0 3 * * 0", ["01 03:00", "08 03:00"]),
        ("0 3 * * 7", ["01 03:00", "08 03:00"]),
        ("*/20 5 1 * *", ["01 05:00", "01 05:20", "01 05:40"]),
        ("15,45 0-23/12 * * *", ["01 00:15", "01 00:45", "01 12:15", "01 12:45", "02 00:15"]),
        ("0 0 1,15 * *", ["15 00:00"]),
        ("0 0 13 * 5", ["06 00:00", "13 00:00", "20 00:00"]),
        ("0 0 L * *", ["31 00:00"]),
    ],
)
def test_a_cron_expression_means_what_it_means_to_cron(cron, expected):
    found = times({"cron": cron, "timezone": "UTC"}, "2026-03-01 00:00", len(expected))  # a Sunday
    assert [text[8:] for text in found] == expected


def test_a_cron_expression_can_have_a_time_zone(local_clock):
    local_clock("UTC")
    schedule = {"cron": "0 3 * * *", "timezone": "Asia/Tokyo"}
    assert times(schedule, "2026-03-10 00:00", 1) == ["2026-03-10 18:00"]
    assert Schedule.parse(schedule).next_after(utc("2026-03-10 00:00")).text == "2026-03-11 03:00 Asia/Tokyo"


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ("24:00", r"'24:00' is not a time of day, from \"00:00\" to \"23:59\""),
        ("6:30", r"'6:30' is not a time of day"),
        ("daily", r"'daily' is no cron expression: it needs five fields"),
        ("0 3 * *", r"it needs five fields, for minute, hour, day of the month, month and day of the week"),
        ("0 0 3 * * *", r"it needs five fields"),
        ("61 3 * * *", r"the minute of the cron expression '61 3 \* \* \*' is wrong"),
        ("0 3 * * 8", r"the day-of-week of the cron expression"),
        ("0 3 * * monday", r"the day-of-week"),
        ("0 0 30 2 *", r"the day-of-month"),
        ("0 5-3 * * *", r"the hour"),
        ("0 0 31 4 *", r"the day-of-month"),
        (
            {"cron": "0 3 * * *", "timezone": "Europe/Berln"},
            r"no time zone named 'Europe/Berln'; expected a name such as",
        ),
        ({"cron": "0 3 * * *", "timezone": "../../etc/passwd"}, r"no time zone named"),
        ({"cron": "0 3 * * *", "timezone": "Europe"}, r"no time zone named"),
        ({"cron": "06:30"}, r"'06:30' is not a time of day"),
        (["06:30", "x"], r"'x' is no cron expression"),
    ],
)
def test_what_is_no_schedule_is_refused_with_the_reason(schedule, message):
    with pytest.raises(ScheduleError, match=message):
        Schedule.parse(schedule)


# Days on which the clock changes: in Germany on 29 March 2026 at 02:00, and on 25 October 2026 at 03:00


@pytest.fixture(params=["this machine's", "a named one"])
def at_half_past_two(request, local_clock):
    """02:30 every day in Germany, by the clock of this machine and by name."""
    if request.param == "this machine's":
        local_clock(BERLIN)
        return "02:30"
    local_clock("UTC")
    return {"cron": "30 2 * * *", "timezone": "Europe/Berlin"}


def test_a_time_that_the_clock_leaves_out_comes_once_as_soon_as_it_goes_on(at_half_past_two):
    found = times(at_half_past_two, "2026-03-27 12:00", 3)
    assert found == ["2026-03-28 01:30", "2026-03-29 01:00", "2026-03-30 00:30"]


def test_a_time_that_the_clock_shows_twice_comes_the_first_time(at_half_past_two):
    found = times(at_half_past_two, "2026-10-23 12:00", 3)
    assert found == ["2026-10-24 00:30", "2026-10-25 00:30", "2026-10-26 01:30"]


@pytest.mark.parametrize("after", ["2026-10-25 00:45", "2026-10-25 01:00", "2026-10-25 01:15", "2026-10-25 01:45"])
def test_in_the_hour_that_comes_twice_what_has_come_does_not_come_again(at_half_past_two, after):
    assert times(at_half_past_two, after, 1) == ["2026-10-26 01:30"]


def test_two_times_that_fall_together_come_once(local_clock):
    local_clock(BERLIN)
    assert times(["02:15", "02:45", "03:00"], "2026-03-28 12:00", 2) == ["2026-03-29 01:00", "2026-03-30 00:15"]


def test_an_interval_follows_the_time_that_passes(local_clock):
    local_clock(BERLIN)
    assert [text[11:] for text in times("*/30 * * * *", "2026-10-24 23:30", 6)] == [
        *("00:00", "00:30", "01:00", "01:30", "02:00", "02:30"),
    ]
    assert [text[11:] for text in times("*/30 * * * *", "2026-03-29 00:00", 4)] == ["00:30", "01:00", "01:30", "02:00"]


@given(
    st.integers(int(utc("2026-01-01")), int(utc("2027-01-01"))),
    st.sampled_from(["00:00", "01:59", "02:00", "02:30", "03:00"]),
)
def test_every_day_has_its_run_and_none_two(after, schedule):
    entry = {"cron": f"{int(schedule[3:])} {int(schedule[:2])} * * *", "timezone": "Europe/Berlin"}
    first = Schedule.parse(entry).next_after(after).at
    second = Schedule.parse(entry).next_after(first).at
    assert timedelta(hours=23) <= timedelta(seconds=second - first) <= timedelta(hours=25)


@pytest.mark.parametrize("zone", [BERLIN, "UTC", "XXX+03:30", "EST5EDT,M3.2.0,M11.1.0"])
def test_the_clock_of_this_machine_is_read_back_as_it_was(zone, local_clock):
    local_clock(zone)
    for hour in range(0, 24 * 366):
        moment = datetime.fromtimestamp(utc("2026-01-01") + hour * 3600, timezone.utc)
        assert moment.astimezone(LocalZone()).astimezone(timezone.utc) == moment
