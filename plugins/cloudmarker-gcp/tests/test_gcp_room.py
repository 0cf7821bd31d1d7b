"""Room for answers: bounded, and never a dead end."""

from __future__ import annotations

import threading
import time

import pytest
from cloudmarker.reading import UnreadError
from cloudmarker_gcp import _room
from cloudmarker_gcp._room import UNKNOWN_BYTES, Room


def waiting(room, kind="list"):
    """Start a thread that waits for room; return the list that what it is given is added to."""
    given = []
    threading.Thread(target=lambda: given.append(room.enter(kind)), daemon=True).start()
    return given


def until(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    return condition()


def test_answers_of_unknown_size_are_taken_for_large_ones():
    room = Room(2 * UNKNOWN_BYTES, threading.Event())
    assert [room.enter("list"), room.enter("other")] == [UNKNOWN_BYTES] * 2
    given = waiting(room)
    time.sleep(0.05)
    assert given == []
    room.leave(UNKNOWN_BYTES)
    assert until(lambda: given == [UNKNOWN_BYTES])


def test_more_small_answers_have_room_than_large_ones():
    room = Room(10_000, threading.Event())
    room.learn("small", 1000)
    assert [room.enter("small") for _ in range(10)] == [1000] * 10
    given = waiting(room, "small")
    time.sleep(0.05)
    assert given == []
    room.leave(1000)
    assert until(lambda: given == [1000])


def test_the_largest_answer_counts_and_is_forgotten_by_and_by():
    room = Room(1, threading.Event())
    for size in (100, 1600, 0):
        room.learn("list", size)
    assert room.enter("list") == 1500


def test_one_answer_alone_has_room_whatever_its_size():
    room = Room(10, threading.Event())
    room.learn("list", 1000)
    assert room.enter("list") == 1000


def test_when_nobody_moves_somebody_is_let_in(monkeypatch):
    monkeypatch.setattr(_room, "PATIENCE_S", 0.05)
    room = Room(10, threading.Event())
    room.enter("list")
    given = waiting(room)
    assert until(lambda: given == [UNKNOWN_BYTES])


def test_who_waits_is_woken_when_reading_is_stopped():
    stop = threading.Event()
    room = Room(10, stop)
    room.enter("list")
    ended = []

    def wait():
        with pytest.raises(UnreadError, match="stopped"):
            room.enter("list")
        ended.append(1)

    threading.Thread(target=wait, daemon=True).start()
    stop.set()
    room.interrupt()
    assert until(lambda: ended == [1])
