"""The engine's units against the golden machine: drawn commands, memories before and after."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from engine_bench import DEPTHS, check_core, filled
from engine_commands import attention, compute
from harness import mutant

from bvit_hw.engine.config import EngineConfig

CONFIGS = [
    EngineConfig(tokens=5, rows=16, channels=8, **DEPTHS),
    EngineConfig(tokens=2, rows=16, channels=16, **DEPTHS),
    EngineConfig(tokens=1, rows=8, channels=8, **DEPTHS),
]
#: for mutants, of which each needs a model: two groups, two stages of turns, lanes that leave columns of keys over
LEAST = CONFIGS[0]
#: that of a PYNQ-Z2 but for its depths, others at the borders
LARGE = [
    EngineConfig(tokens=7, rows=32, channels=8, **DEPTHS),
    EngineConfig(tokens=2, rows=64, channels=32, **DEPTHS),
    EngineConfig(tokens=33, rows=8, channels=8, **DEPTHS),
]


def name_of(config: EngineConfig) -> str:
    return f"{config.tokens}x{config.rows}x{config.channels}"


def check(config: EngineConfig, folder: Path, override: Path | None = None, count: int = 30, seed: int = 1) -> None:
    """COMPUTE, then KEYS, ATTEND and VALUES."""
    rng = np.random.default_rng(seed)
    machine = filled(config, rng)
    cycles = max(20_000, 500 * count)
    check_core(machine, compute(machine, rng, count), folder, override, cycles)
    check_core(machine, attention(machine, rng, count // 2), folder, override, cycles)


@pytest.mark.parametrize("config", CONFIGS, ids=name_of)
def test_commands_leave_the_memories_that_the_golden_machine_leaves(config: EngineConfig, tmp_path: Path) -> None:
    check(config, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("config", LARGE, ids=name_of)
def test_large_engines(config: EngineConfig, tmp_path: Path) -> None:
    check(config, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 6))
def test_more_commands(seed: int, tmp_path: Path) -> None:
    check(CONFIGS[0], tmp_path, count=200, seed=seed)


def test_one_step_and_one_tap_a_cycle(tmp_path: Path) -> None:
    """A turn takes as long as its steps, or as its taps and what is to be written: the longer of the two."""
    rng = np.random.default_rng(3)
    machine = filled(CONFIGS[0], rng)
    commands = compute(machine, rng, 40)
    for command, cycles in zip(commands, check_core(machine, commands, tmp_path), strict=True):
        slots = max(command.tap_count, command.out_bytes) * command.groups
        turns, turn = command.n0 * command.n1 * command.n2, max(command.step_count, slots)
        least = command.step_count + (turns - 1) * turn + slots
        assert least < cycles <= least + 36, f"{cycles} cycles, at least {least}: {command}"


MUTATIONS = [
    ("bvit_engine_ram.sv", "if (we[column]) ", "if (|we) "),
    ("bvit_engine_stages.sv", "if (RESET && rst) line_q <= '0;\n    else line_q", "line_q"),
    ("bvit_engine_loops.sv", "else if (begins) left1_q <= less1_q;", ""),
    ("bvit_engine_loops.sv", "twice && !again_q", "1'b0"),
    ("bvit_engine_view.sv", "2'd1: {from, stride} = {middle_q", "2'd1: {from, stride} = {inner_q"),
    ("bvit_engine_view.sv", "default: {from, stride} = {middle_q", "default: {from, stride} = {outer_q"),
    ("bvit_engine_steps.sv", "slot_left_q == 16'd1 && groups_end_q &&", "slot_left_q == 16'd1 &&"),
    ("bvit_engine_steps.sv", "gap_left_q <= GAP_BITS'(GAP);", "gap_left_q <= GAP_BITS'(GAP - 1);"),
    ("bvit_engine_matrix.sv", "doubles ? {half_q[HALF-2:0], 1'b0} : half_q", "half_q"),
    ("bvit_engine_matrix.sv", "if (adds && closes)", "if (adds)"),
    ("bvit_engine_matrix.sv", "(bits[token] & counted) | ones_mask", "bits[token] | ones_mask"),
    ("bvit_engine_turns.sv", "if (go) beyond_q <= '0;\n      else", ""),
    ("bvit_engine_turns.sv", "tap <= slot_q < tap_count", "tap <= 1'b1"),
    ("bvit_engine_lane.sv", "mid_q <= SUM'(before_q >>> ", "mid_q <= SUM'(before_q >> "),
    ("bvit_engine_lane.sv", "2'd1: x_q <= SUM'(byte_in) <<< 8", "2'd1: x_q <= SUM'(byte_in)"),
    ("bvit_engine_lane.sv", "before_q[WIDE-1] ? slope : one", "one"),
    ("bvit_engine_lane.sv", "(shifted_q ^ {RESULT{shifted_q[RESULT-1]}}) & above", "shifted_q & above"),
    ("bvit_engine_vector.sv", "prelu ? FACTOR'($signed(params[2][channel][15:0])) : one_q",
     "FACTOR'($signed(params[2][channel][15:0]))"),
    ("bvit_engine_vector.sv", "if (!takes) factor_q[channel] <= '0;\n      else ", ""),
    ("bvit_engine_vector.sv", "turned_q >> 2 * stage", "turned_q"),
    ("bvit_engine_vector.sv", "distance == '0 || ", ""),
    ("bvit_engine_vector.sv", "told[3][SIGNED_AT] & ", ""),
    ("bvit_engine_values_out.sv", "late_base + scaled_q", "late_base + places[FOLDING]"),
    ("bvit_engine_vector.sv", "[COMPARE-1:0]) >= ", "[COMPARE-1:0]) > "),
    ("bvit_engine_rule.sv", "(flags[SUMS-1][1] ? '0 : sum_q)", "sum_q"),
    ("bvit_engine_rule.sv", "!there_q[key] || ", ""),
    ("bvit_engine_rule.sv", " || equal_q[token][key][6]", ""),
    ("bvit_engine_mover.sv", "slot_there && ", ""),
    ("bvit_engine_mover.sv", "16'(COLUMNS - FILLED + 1)", "16'd1"),
    ("bvit_engine_core.sv", "if (no_steps_q) group_sums_q[i][token] <= '0;\n        else", ""),
    ("bvit_engine_core.sv", "if (tap_count > out_bytes) slots", "if (tap_count > '0) slots"),
    ("bvit_engine_core.sv", "int BESIDE = 9 + FOLDING;", "int BESIDE = 17;"),
    ("bvit_engine_memories.sv", "!rst && (vector_writes ?", "!rst && (vector_writes && vector_reads ?"),
    ("bvit_engine_memories.sv", "? octet / LANE_BEATS == 32'(octet_addr[2:0]) / LANE_BEATS", "? 1'b1"),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("file", "old", "new"), MUTATIONS)
def test_mutations_are_caught(file: str, old: str, new: str, tmp_path: Path) -> None:
    changed = mutant(tmp_path / "mutant", file, old, new)
    with pytest.raises(AssertionError, match=r"differ|simulation failed|has not finished"):
        check(LEAST, tmp_path, changed, 60)
