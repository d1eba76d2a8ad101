"""The model of cycles, against what docs/engine_design.md says of the units, counted by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bvit_hw.engine.commands import Command, Kind, Memory
from bvit_hw.engine.config import EngineConfig
from bvit_hw.engine.cycles import Clock, Cycles, Rules, cycles_of, frame_cycles

CONFIG = EngineConfig(tokens=7, rows=32, channels=8)
RULES = Rules(
    latency=40, compute=10, attend=20, moving=30, address=3, fetch=4, issue=2, load=7, store=12, ahead=2, window=128,
    turn=5, settle=6, gap=0,
)  # fmt: skip

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
    assert cycles_of(CONFIG, RULES, command) == Cycles(wanted, filling, 0, 16)


def test_more_taps_a_cycle_round_up_for_each_group() -> None:
    command = COMMANDS["taps"][0]
    assert cycles_of(CONFIG, Rules(taps=2), command).computing == 24 * 8
    # the steps, then
    assert cycles_of(CONFIG, Rules(taps=4), command).computing == 24 * 5


@pytest.mark.parametrize("kind", [Kind.LOAD, Kind.STORE])
def test_a_beat_of_dram_a_cycle(kind: Kind) -> None:
    command = Command(kind=kind, words=8, slices=6)
    assert cycles_of(CONFIG, RULES, command) == Cycles(0, 0, 48, 16)
    wide = EngineConfig(tokens=7, rows=32, channels=16, port=128)
    assert cycles_of(wide, RULES, command) == Cycles(0, 0, 24, 8)


def test_what_may_be_under_way_bounds_the_beats() -> None:
    """128 beats are under way; the addresses of more wait for the end of those."""
    command = Command(kind=Kind.LOAD, words=512, slices=1)
    assert cycles_of(CONFIG, RULES, command).loading == 512
    assert cycles_of(CONFIG, replace(RULES, latency=140), command).loading == 512 + 3 * (140 + 5 - 128)


#: 1,000 beats
LONG = Command(kind=Kind.LOAD, memory=Memory.PARAMS, words=1000, slices=1)
#: 160 cycles and 10 to fill
STEPS = COMMANDS["steps"][0]
END = Command(kind=Kind.END)
#: The first command is asked for at once: 3 cycles, 40 of latency, 16 beats, 4 until it may be decoded, then 2.
FIRST = 3 + 40 + 16 + 4 + 2


def test_commands_are_fetched_beforehand() -> None:
    """The units have been given 160 cycles to do; of the next command nothing is left to be waited for."""
    assert frame_cycles(CONFIG, RULES, [STEPS, END]) == FIRST + 170
    assert frame_cycles(CONFIG, RULES, [STEPS] * 10 + [END]) == FIRST + 10 * 170


def test_the_words_of_a_command_come_one_by_one() -> None:
    """Commands that do nothing: 16 words each, 2 cycles until it begins, and one until the next one is taken."""
    none = Command(kind=Kind.LOAD, memory=Memory.PARAMS)
    short = replace(RULES, latency=0, load=0, ahead=8)
    first = 3 + 16 + 4 + 2
    assert frame_cycles(CONFIG, short, [none] * 5 + [END]) == first + 5 * 19


def test_loading_lies_beside_the_units() -> None:
    """The LOAD is taken 17 cycles behind the units' start; one more command is asked for then, and comes before it."""
    taken = FIRST + 1 + 16
    wanted = taken + 3 + 40 + 16 + 1000 + 7
    assert frame_cycles(CONFIG, RULES, [STEPS, LONG, END]) == wanted
    # What needs it begins when it has ended.
    assert frame_cycles(CONFIG, RULES, [STEPS, LONG, STEPS, END]) == wanted + 170


def test_loads_follow_one_another() -> None:
    """Their beats come without a gap, but for commands that were asked for in between."""
    clock = Clock(CONFIG, replace(RULES, ahead=8))
    clock.run([LONG] * 5)
    # Nine commands and more than four LOADs are asked for before the last one's first beat.
    assert clock.now <= 3 + 40 + 16 + 4 + 2 + 3 + 40 + 5 * 1000 + 13 * 16 + 7
    assert clock.spent == Cycles(0, 0, 5000, 5 * 16)


def test_a_load_that_must_waits_for_the_units() -> None:
    load = replace(LONG, wait=True)
    assert frame_cycles(CONFIG, RULES, [STEPS, load, END]) == FIRST + 170 + 3 + 40 + 1000 + 7


@pytest.mark.parametrize("memory", [Memory.BITS, Memory.VALUES])
def test_a_load_to_results_waits_until_all_is_written(memory: Memory) -> None:
    """Behind a COMPUTE that is six cycles later; behind KEYS nothing is left then."""
    load = replace(LONG, memory=memory, wait=memory == Memory.VALUES)
    assert frame_cycles(CONFIG, RULES, [STEPS, load, END]) == FIRST + 170 + 6 + 3 + 40 + 1000 + 7
    keys = COMMANDS["keys"][0]
    assert frame_cycles(CONFIG, RULES, [keys, load, END]) == FIRST + 28 * 7 + 30 + 3 + 40 + 1000 + 7


def test_a_load_to_values_comes_where_the_units_do_not_write() -> None:
    """A COMPUTE writes in one of four cycles: of 100 beats none is late for that, but they take a third longer."""
    load = replace(LONG, memory=Memory.VALUES, words=75)
    command = replace(STEPS, step_count=16, groups=4, out_bytes=1, n2=100)
    taken = FIRST + 1 + 16 + 3 + 40 + 16
    clock = Clock(CONFIG, RULES)
    clock.run([command, load])
    assert clock.loads == taken + 100 + 7
    # Of 2,000 more beats what does not come beside it comes behind it, when all is written.
    longer = Clock(CONFIG, RULES)
    longer.run([command, replace(load, words=2000)])
    end = FIRST + 1600 + 10 + 6
    beside = int((end - taken) * 0.75)
    assert longer.loads == end + 2000 - beside + 7


def test_a_cycle_passes_behind_each_request() -> None:
    """Beats of LOADs and of commands, one after another."""
    found = [frame_cycles(CONFIG, replace(RULES, gap=gap), [LONG] * 5 + [END]) for gap in (0, 1)]
    assert 5 <= found[1] - found[0] <= 5 + 6 + 2


def test_no_load_lies_beside_keys() -> None:
    keys = COMMANDS["keys"][0]
    assert frame_cycles(CONFIG, RULES, [keys, LONG, END]) == FIRST + 28 * 7 + 30 + 3 + 40 + 1000 + 7
