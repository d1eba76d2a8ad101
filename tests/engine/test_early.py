"""LOADs to values beside working units: what a command touches, how far in front a LOAD goes, and when it waits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bvit_hw.engine.commands import MATRIX, Command, Kind, Memory, Tap, View
from bvit_hw.engine.compiler import compile_network
from bvit_hw.engine.config import EngineConfig
from bvit_hw.engine.cycles import RULES, written_part
from bvit_hw.engine.early import ALL, early, reads, writes
from bvit_hw.engine.residence import Contents, Draft
from tests.engine.test_compiler import network

CONFIG = EngineConfig()


def load(base: int, words: int = 8) -> Draft:
    return Draft(Command(kind=Kind.LOAD, memory=Memory.VALUES, weights=View(base), words=words, slices=7), data=b"x")


def compute(out: int, *taps: Tap, **fields: Any) -> Draft:
    words = np.array([tap.word for tap in taps], dtype="<u8")
    content = Contents().of(Memory.TAPS, words, 1)
    given = {"groups": 2, "n1": 100, "tap_count": len(taps), "out_bytes": 1, "out_group": 1} | fields
    return Draft(Command(kind=Kind.COMPUTE, values_out=View(out), **given), (content,))


def test_what_a_command_reads_is_the_reach_of_its_taps() -> None:
    near, far = Tap(0, 0), Tap(0, 10)
    draft = compute(900, near, far, Tap(MATRIX), n1=4, n2=3, operand0=View(100, 0, 8, 0xFFFE), group0=1)
    # three steps of -2, then lines of 8, two groups and an offset of 10
    assert reads(draft) == [range(100 - 4, 100 + 3 * 8 + 1 + 10 + 1)]
    assert writes(draft) == [range(900, 902)]


def test_pieces_of_words_are_written_from_their_base_on() -> None:
    """Eight pieces of half a word each, of two bytes."""
    draft = compute(6, Tap(0), n1=1, n2=4, groups=2, out_fold=1, out_bytes=2, fold_base=50)
    moved = Draft(draft.command.__class__(**{**draft.command.__dict__, "values_out": View(6, 0, 0, 2)}), draft.contents)
    assert writes(moved) == [range(50 + 3 * 2, 50 + 6 * 2 + 2)]


def test_what_goes_around_may_be_any_word() -> None:
    assert reads(compute(0, Tap(0), operand0=View(2, 0, 0xFFF0), n1=3)) == [ALL]


@pytest.mark.parametrize(("taps", "steps", "bytes_", "part"), [(1, 0, 1, 1.0), (4, 0, 1, 0.25), (1, 32, 2, 4 / 32),
                                                               (1, 0, 0, 0.0)])  # fmt: skip
def test_in_what_part_of_its_cycles_a_command_writes(taps: int, steps: int, bytes_: int, part: float) -> None:
    command = Command(kind=Kind.COMPUTE, groups=2, tap_count=taps, step_count=steps, out_bytes=bytes_)
    assert written_part(command) == part


def order(*drafts: Draft) -> tuple[list[int], list[bool]]:
    found, places = early(drafts, CONFIG, RULES)
    assert sorted(places) == list(range(len(drafts)))
    return places, [draft.command.wait for draft in found if draft.command.kind == Kind.LOAD]


def test_a_load_goes_beside_the_nearest_command_that_takes_long_enough() -> None:
    long, short = compute(0, *[Tap(0)] * 4), compute(0, Tap(0), n1=1)
    assert order(long, long, short, short, load(500)) == ([0, 1, 4, 2, 3], [False])


def test_a_load_stays_behind_what_touches_its_words_and_waits_for_it() -> None:
    long, mine = compute(0, *[Tap(0)] * 4), compute(500, *[Tap(0)] * 4, n1=1)
    assert order(long, mine, load(500)) == ([0, 1, 2], [True])
    # What the command before that one writes may still be written.
    assert order(mine, long, load(500)) == ([0, 1, 2], [True])
    # What it reads has been read.
    reader = compute(0, *[Tap(0)] * 4, operand0=View(500))
    assert order(reader, long, load(500)) == ([0, 1, 2], [False])


def test_a_command_hides_no_more_than_it_has_cycles_for() -> None:
    """Two LOADs: the second one goes beside the other command."""
    long = compute(0, *[Tap(0)] * 2, n1=60)
    places, waits = order(long, long, load(500), load(600))
    assert places == [0, 3, 1, 2] and waits == [False, False]


def test_a_network_s_loads_to_values_do_not_all_wait() -> None:
    """A machine in which those that do not wait come before the command in front gives the same: see
    test_residence_beside.py."""
    compiled = compile_network(network("tiny-digits")[0], CONFIG, fused=True)
    loads = [c for c in compiled.programme.commands if c.kind == Kind.LOAD and c.memory == Memory.VALUES]
    assert any(not c.wait for c in loads)
