"""The model of cycles, against what docs/engine.md says of the units, counted by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bvit_hw.engine.commands import Command, Kind, Memory
from bvit_hw.engine.config import EngineConfig
from bvit_hw.engine.cycles import Clock, Cycles, Rules, cycles_of, frame_cycles

CONFIG = EngineConfig(tokens=7, rows=32, channels=8)
RULES = Rules(latency=40, compute=10, attend=20, moving=30, fetch=4, load=7, store=12, issue=0)

COMMANDS = {
    # 2 x 3 x 4 turns, each of 4 groups with 3 taps
    "taps": (Command(kind=Kind.COMPUTE, groups=4, n0=2, n1=3, n2=4, step_count=5, tap_count=3, out_bytes=1), 24 * 12),
    "steps": (Command(kind=Kind.COMPUTE, groups=4, n2=10, step_count=16, tap_count=3, out_bytes=1), 10 * 16),
    "bytes": (Command(kind=Kind.COMPUTE, groups=4, n2=10, tap_count=2, out_bytes=4), 10 * 16),
    # the table's entries; 6 queries: 4 rows of keys, of 4 groups, twice, and the sum's way to the limit
    "attend": (Command(kind=Kind.ATTEND, n0=2, n1=3, n2=4, step_count=1), 65 + 6 * (2 * 16 + 7)),
    # a row a cycle
    "keys": (Command(kind=Kind.KEYS, n0=28, count=8), 28 * 7),
    # 28 slots are four words of nine, for each octet
    "values": (Command(kind=Kind.VALUES, n0=28, count=8), 8 * 4 * 9),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_cycles_of_a_unit(name: str) -> None:
    command, wanted = COMMANDS[name]
    filling = {Kind.COMPUTE: 10, Kind.ATTEND: 20}.get(command.kind, 30)
    assert cycles_of(CONFIG, RULES, command) == Cycles(wanted, filling, 0, 16 + 40 + 4)


def test_more_taps_a_cycle_round_up_for_each_group() -> None:
    command = COMMANDS["taps"][0]
    assert cycles_of(CONFIG, Rules(taps=2), command).computing == 24 * 8
    # the steps, then
    assert cycles_of(CONFIG, Rules(taps=4), command).computing == 24 * 5


@pytest.mark.parametrize(("kind", "more"), [(Kind.LOAD, 7), (Kind.STORE, 12)])
def test_a_beat_of_dram_a_cycle(kind: Kind, more: int) -> None:
    command = Command(kind=kind, words=8, slices=7)
    assert cycles_of(CONFIG, RULES, command) == Cycles(0, 0, 56 + 40 + more, 60)
    found = cycles_of(CONFIG, replace(RULES, beats=4), command)
    assert found == Cycles(0, 0, 14 + 40 + more, 4 + 40 + 4)


def test_what_may_be_under_way_bounds_the_beats() -> None:
    """64 beats are under way; the addresses of more wait for the end of those."""
    command = Command(kind=Kind.LOAD, words=256, slices=1)
    assert cycles_of(CONFIG, RULES, command).loading == 256 + 40 + 7
    assert cycles_of(CONFIG, replace(RULES, latency=100), command).loading == 256 + 100 + 7 + 3 * (100 + 19 - 64)


#: 1,047 cycles, and as for all commands 60 to fetch it
LONG = Command(kind=Kind.LOAD, memory=Memory.PARAMS, words=1000, slices=1)
#: 160 cycles and 10 to fill
STEPS = COMMANDS["steps"][0]
END = Command(kind=Kind.END)


def test_one_behind_the_other_commands_add_up() -> None:
    clock = Clock(CONFIG, replace(RULES, beside=False))
    assert clock.run([LONG, STEPS, LONG, END]) == 4 * 60 + 2 * 1047 + 170 == clock.now
    assert clock.spent == Cycles(160, 10, 2 * 1047, 4 * 60)


def test_loading_lies_beside_the_units() -> None:
    """The units work from 60 to 230; the LOAD begins at 120, and what is behind it when that ends."""
    assert frame_cycles(CONFIG, RULES, [STEPS, LONG, END]) == 120 + 1047 + 60
    # Commands are fetched beside them as well.
    assert frame_cycles(CONFIG, RULES, [STEPS, STEPS, STEPS]) == 60 + 3 * 170


@pytest.mark.parametrize("load", [
    replace(LONG, wait=True), replace(LONG, memory=Memory.BITS), replace(LONG, memory=Memory.VALUES),
])  # fmt: skip
def test_a_load_that_must_waits_for_the_units(load: Command) -> None:
    assert frame_cycles(CONFIG, RULES, [STEPS, load, END]) == 230 + 1047 + 60


def test_no_load_lies_beside_keys() -> None:
    keys = COMMANDS["keys"][0]
    assert frame_cycles(CONFIG, RULES, [keys, LONG, END]) == 60 + 28 * 7 + 30 + 1047 + 60
