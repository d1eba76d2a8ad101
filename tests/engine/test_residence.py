"""Contents of memories: what stays, what makes room, and that a command finds what it needs."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest

from bvit_hw.engine.commands import Command, Kind, Memory, View
from bvit_hw.engine.config import EngineConfig
from bvit_hw.engine.residence import Content, Contents, Draft, placed

CONFIG = EngineConfig(taps=16, weights=16)


def taps(contents: Contents, value: int, words: int) -> Content:
    return contents.of(Memory.TAPS, np.full(words, value, dtype="<u8"), 1)


def loaded(drafts: Sequence[Draft]) -> int:
    """Words that LOADs bring, when each command finds its own."""
    found = placed(drafts, CONFIG)
    memory, words, done = [-1] * CONFIG.taps, 0, 0
    for draft, behind in zip(drafts, found.behind, strict=True):
        for command in found.commands[done : behind - 1]:
            data = np.frombuffer(found.data, "<u8", command.words, command.address)
            memory[command.weights.base : command.weights.base + command.words] = [int(x) for x in data]
            words += command.words
        command, done = found.commands[behind - 1], behind
        (content,) = draft.contents
        assert memory[command.tap_base : command.tap_base + content.words] == [content.data[0]] * content.words
        assert command.tap_base + content.words <= CONFIG.taps
    return words


def drafts(*contents: Content, turns: int = 1) -> list[Draft]:
    return [Draft(Command(kind=Kind.COMPUTE, n0=turns, groups=1), (content,)) for content in contents]


def test_equal_contents_are_one() -> None:
    contents = Contents()
    assert taps(contents, 1, 4) is taps(contents, 1, 4) is not taps(contents, 2, 4)


def test_what_fits_is_loaded_once() -> None:
    contents = Contents()
    a, b = taps(contents, 1, 8), taps(contents, 2, 8)
    assert loaded(drafts(a, b, a, b, a, b)) == 16


def test_what_is_needed_again_last_makes_room() -> None:
    """Three of eight words in turn, in sixteen: of three each time one stays."""
    contents = Contents()
    a, b, c = (taps(contents, value, 8) for value in (1, 2, 3))
    assert loaded(drafts(a, b, c, a, b, c)) == 4 * 8


def test_what_nobody_needs_makes_room_before_what_somebody_does() -> None:
    contents = Contents()
    a, b, c = (taps(contents, value, 8) for value in (1, 2, 3))
    assert loaded(drafts(a, b, c, a)) == 3 * 8


@pytest.mark.parametrize("turns", [1, 100, 10_000])
@pytest.mark.parametrize("seed", range(20))
def test_each_command_finds_its_own(seed: int, turns: int) -> None:
    """However much of what comes next is loaded early."""
    draw, contents = random.Random(seed), Contents()
    some = [taps(contents, value, draw.randint(1, 16)) for value in range(1, 9)]
    given = [draw.choice(some) for _ in range(40)]
    once = sum(content.words for content in set(given))
    words = loaded(drafts(*given, turns=turns))
    assert once <= words and (turns > 1 or words <= sum(content.words for content in given))


@pytest.mark.parametrize("turns", [1, 10_000])
def test_what_comes_next_is_loaded_while_the_units_have_much_to_do(turns: int) -> None:
    """Both contents of the later drafts, in front of the second, and nothing that lies there is lost."""
    contents = Contents()
    some = [taps(contents, value, 4) for value in (1, 2, 3)]
    kinds = [command.kind.name for command in placed(drafts(*some, turns=turns), CONFIG).commands]
    if turns == 1:
        assert kinds == ["LOAD", "COMPUTE"] * 3
    else:
        assert kinds == ["LOAD", "COMPUTE", "LOAD", "LOAD", "COMPUTE", "COMPUTE"]


def test_what_a_command_makes_is_made_again_where_it_had_to_make_room() -> None:
    keys = Content(Memory.WEIGHTS, 10, maker=Command(kind=Kind.KEYS, n0=3))
    other = Content(Memory.WEIGHTS, 10, bytes(80), 1)
    found = placed(drafts(keys, other, keys), CONFIG)
    assert [command.kind.name for command in found.commands] == [
        "KEYS", "COMPUTE", "LOAD", "COMPUTE", "KEYS", "COMPUTE",
    ]  # fmt: skip
    assert all(command.n0 == 3 for command in found.commands if command.kind == Kind.KEYS)


def test_addresses_are_moved_and_strides_are_not() -> None:
    first = Content(Memory.WEIGHTS, 3, bytes(24), 1)
    second = Content(Memory.WEIGHTS, 4, bytes(32), 1)
    command = Command(kind=Kind.COMPUTE, weights=View(1, 2, 3, 4))
    found = placed([*drafts(first), Draft(command, (second,)), *drafts(first)], CONFIG)
    assert found.commands[3].weights == View(4, 2, 3, 4) and found.peaks[Memory.WEIGHTS] == 7
