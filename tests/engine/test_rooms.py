"""Places in a memory: first fit as they come, and planned beforehand."""

from __future__ import annotations

import numpy as np
import pytest

from bvit_hw.engine.rooms import EndlessRoom, PlannedRoom, Room, RoomError, Stay, planned
from bvit_hw.errors import LoweringError


def test_room_is_given_back_and_its_end_is_told() -> None:
    room = Room("bits", 10)
    first, second = room.take(4), room.take(4)
    room.free(first)
    assert (second, room.take(3), room.peak) == (4, 0, 8)
    with pytest.raises(LoweringError, match=r"memory bits has 10 words; this network needs 13 of them"):
        room.take(5)


def test_words_from_the_end_are_apart_from_others_where_there_is_room() -> None:
    room = Room("values", 100)
    assert room.take(30) == 0
    first = room.take_highest(20, ())
    room.free(first)
    second = room.take_highest(20, [range(first, first + 20)])
    assert (first, second) == (80, 60) and room.peak == 70
    # Where there is none apart, the lowest will do.
    assert room.take_highest(25, [range(35, 60), range(80, 100)]) == 30
    with pytest.raises(RoomError, match="the memory values has 100 words; this network needs 125 of them at once"):
        room.take_highest(45, ())


#: takes and frees that are drawn
EVENTS = 300


def drawn(seed: int) -> EndlessRoom:
    """Takes and frees at random, some of them from the end."""
    rng, room = np.random.default_rng(seed), EndlessRoom("values")
    held: list[int] = []
    for _ in range(EVENTS):
        if held and rng.integers(0, 2):
            room.free(held.pop(int(rng.integers(0, len(held)))))
        elif rng.integers(0, 4):
            held.append(room.take(int(rng.integers(1, 40))))
        else:
            held.append(room.take_highest(int(rng.integers(1, 40)), ()))
    return room


def at_once(stays: list[Stay]) -> int:
    """The most words that are there at once."""
    return max(sum(s.words for s in stays if s.begin <= now < s.end) for now in range(EVENTS))


@pytest.mark.parametrize("seed", range(5))
def test_what_is_there_at_once_lies_apart(seed: int) -> None:
    """In little more words than are there at once; with fewer than these nothing can be done."""
    stays = drawn(seed).stays
    assert len(stays) > 100 and any(stay.loaded for stay in stays)
    least = at_once(stays)
    depth = least + least // 8
    places = planned("values", depth, stays)
    for i, (one, at) in enumerate(zip(stays, places, strict=True)):
        assert 0 <= at <= depth - one.words
        for other, there in zip(stays[:i], places[:i], strict=True):
            if other.begin < one.end and one.begin < other.end:
                assert at + one.words <= there or there + other.words <= at
    with pytest.raises(RoomError, match=f"has {least - 1} words; this network needs {least} of them at once"):
        planned("values", least - 1, stays)


def test_what_was_not_placed_is_not_told_as_needed() -> None:
    assert str(RoomError("bits", 8, 9)).endswith("has 8 words; this network needs 9 of them at once")
    told = str(RoomError("bits", 8, 9, at_once=8))
    assert told.endswith("has 8 words; this network has 8 at once, and they took 9 as they were placed")


def test_a_hole_that_first_fit_leaves_is_filled() -> None:
    """4 words, then 3 that stay; the 4 go, 5 come. First fit needs 12 words, 8 are there at once."""

    def played(room: Room) -> list[int]:
        first, second = room.take(4), room.take(3)
        room.free(first)
        return [first, second, room.take(5)]

    assert played(Room("bits", 12)) == [0, 4, 7]
    with pytest.raises(RoomError):
        played(Room("bits", 8))
    endless = EndlessRoom("bits")
    played(endless)
    assert [(s.words, s.begin, s.loaded) for s in endless.stays] == [(4, 0, False), (3, 1, False), (5, 3, False)]
    assert endless.stays[0].end == 2
    room = PlannedRoom("bits", 8, planned("bits", 8, endless.stays))
    first, second, third = played(room)
    assert third + 5 <= second or second + 3 <= third
    assert first + 4 <= second or second + 3 <= first
    assert room.peak == 8


def test_what_a_load_brings_has_its_place_sooner_where_that_fits() -> None:
    """The place of what went just before would make the LOAD wait."""
    stays = [Stay(4, 0, 2), Stay(4, 2, 4, loaded=True)]
    assert planned("values", 8, stays) in ([0, 4], [4, 0])
    assert planned("values", 4, stays) == [0, 0]
