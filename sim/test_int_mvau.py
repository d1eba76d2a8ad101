"""IntMVAU against its golden function."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from harness import assert_caught, check_op, mutant, random_frame

from bvit_hw.contract.interval import signed_bits
from bvit_hw.ops.base import Params
from bvit_hw.ops.int_mvau import IntMVAU


def make(
    *,
    tokens: int,
    cols: int,
    rows: int,
    simd: int,
    pe: int,
    use_dsp: int = 0,
    in_signed: int = 0,
    weight_bits: int = 8,
    serial: int = 0,
) -> IntMVAU:
    """A unit whose accumulator is just wide enough for any weights."""
    most = cols * (255 if not in_signed else 128) << (weight_bits - 1)
    return IntMVAU(
        tokens=tokens, cols=cols, rows=rows, in_bits=8, in_signed=in_signed, weight_bits=weight_bits,
        acc_bits=signed_bits(-most, most), simd=simd, pe=pe, use_dsp=use_dsp, serial=serial,
    )  # fmt: skip


def material(op: IntMVAU, seed: int, frames: int = 2) -> tuple[Params, list[tuple[np.ndarray, ...]]]:
    """Random weights with an all-lowest and an all-highest row, random frames with extreme tokens."""
    rng = np.random.default_rng(seed)
    params = op.random_params(rng)
    params["weights"][0], params["weights"][-1] = op.param_specs["weights"].range
    played = [random_frame(op, rng) for _ in range(frames)]
    played[0][0][0], played[-1][0][-1] = op.inputs[0].high, op.inputs[0].low
    return params, played


@pytest.mark.parametrize("use_dsp", [0, 1])
@pytest.mark.parametrize(
    ("simd", "pe"),
    [(1, 1), (3, 4), (12, 1), *(pytest.param(*f, marks=pytest.mark.slow) for f in ((1, 8), (4, 2), (48, 2), (6, 32)))],
)
def test_tiny_stem(simd: int, pe: int, use_dsp: int) -> None:
    """48 pixels to 32 channels."""
    op = make(tokens=6, cols=48, rows=32, simd=simd, pe=pe, use_dsp=use_dsp)
    params, frames = material(op, seed=simd)
    measured = check_op(op, params, frames)
    assert set(measured.intervals) == {op.cycles}


@pytest.mark.parametrize("use_dsp", [0, 1])
@pytest.mark.parametrize(("simd", "pe"), [(6, 2), (2, 6), (6, 6)])
def test_one_round_or_beat(simd: int, pe: int, use_dsp: int) -> None:
    """A vector of one beat, a single round (nothing to replay), and both."""
    op = make(tokens=6, cols=6, rows=6, simd=simd, pe=pe, use_dsp=use_dsp)
    params, frames = material(op, seed=simd)
    measured = check_op(op, params, frames)
    assert set(measured.intervals) == {op.cycles}


@pytest.mark.parametrize("use_dsp", [0, 1])
@pytest.mark.parametrize(("simd", "pe", "weight_bits"), [(4, 2, 8), (8, 1, 5)])
def test_classifier(simd: int, pe: int, weight_bits: int, use_dsp: int) -> None:
    """Signed input, one token a frame, neither beats nor rounds a power of two."""
    op = make(tokens=1, cols=240, rows=10, simd=simd, pe=pe, use_dsp=use_dsp, in_signed=1, weight_bits=weight_bits)
    params, frames = material(op, seed=simd, frames=3)
    check_op(op, params, frames, min_frames=6)


@pytest.mark.parametrize(
    ("cols", "rows", "simd", "pe", "in_signed"),
    [
        (12, 16, 3, 2, 0),  # one phase
        (12, 16, 1, 1, 0),  # two; a beat a column, no gap between the last beat of a token and the next one's first
        (7, 48, 7, 2, 1),  # three phases, one beat a token, columns left over, signed
        *(pytest.param(*f, marks=pytest.mark.slow) for f in ((48, 32, 6, 4, 0), (48, 32, 3, 2, 0), (48, 32, 2, 1, 0))),
    ],
)
def test_serial(cols: int, rows: int, simd: int, pe: int, in_signed: int) -> None:
    """Bit planes instead of multipliers."""
    op = make(tokens=6, cols=cols, rows=rows, simd=simd, pe=pe, in_signed=in_signed, serial=1)
    params, frames = material(op, seed=pe)
    measured = check_op(op, params, frames)
    assert set(measured.intervals) == {op.cycles}


def test_block_ram() -> None:
    """A long vector and a deep weight memory both go to block RAM."""
    op = make(tokens=2, cols=512, rows=8, simd=1, pe=2, use_dsp=1, in_signed=1)
    params, frames = material(op, seed=3)
    parameters = op.rtl(params).parameters
    assert parameters["WEIGHT_BLOCK"] == 1
    wide = make(tokens=2, cols=2048, rows=4, simd=8, pe=2, use_dsp=1, in_signed=1)
    wide_params, wide_frames = material(wide, seed=4)
    assert wide.rtl(wide_params).parameters["BUFFER_BLOCK"] == 1
    check_op(op, params, frames)
    check_op(wide, wide_params, wide_frames)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tokens", "cols", "rows", "simd", "pe"), [(3136, 48, 64, 12, 16), (1, 512, 1000, 8, 8), (196, 768, 384, 16, 24)]
)
def test_full_size(tokens: int, cols: int, rows: int, simd: int, pe: int) -> None:
    """Stem and classifier of small/4/224 and the patch embedding of DeiT-S/16, all tokens."""
    op = make(tokens=tokens, cols=cols, rows=rows, simd=simd, pe=pe, use_dsp=1, in_signed=int(tokens == 1))
    params, frames = material(op, seed=5, frames=1)
    check_op(op, params, frames, patterns=("full",))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("bvit_int_mvau.sv", "first[SUM_STAGE] ? '0 : acc_q", "acc_q"),
        ("bvit_int_mvau.sv", "if (en && valid[SUM_STAGE]) acc_q", "if (en) acc_q"),
        ("bvit_int_mvau.sv", "en = out_free |", "en = 1'b1 |"),
        ("bvit_int_mvau.sv", "assign wait_q[0] = {1'b0, x[APART][s]};",
         "assign wait_q[0] = {x[APART][s][IN_BITS-1], x[APART][s]};"),
        ("bvit_replay.sv", "raddr != waddr || full", "1'b1"),
        ("bvit_replay.sv", "s_axis_tready = !full", "s_axis_tready = 1'b1"),
        ("bvit_replay.sv", "s_axis_tready = !full", "s_axis_tready = !full && first_outer"),
        ("bvit_replay.sv", "s_axis_tready = !full", "s_axis_tready = used_q < COUNT_BITS'(WORDS - 1)"),
        ("bvit_replay.sv", "step && last_inner && last_outer", "step && last_inner"),
        ("bvit_replay.sv", "if (group_end) read_bank_q", "if (step_outer) read_bank_q"),
        ("bvit_replay.sv", "        used_q <= '0;\n", ""),
        ("bvit_replay.sv", "first <= first_beat", "first <= 1'b0"),
        ("bvit_replay.sv", "addr = {outer, place}", "addr = '0 & {outer, place}"),
    ],
)
def test_mutations(tmp_path: Path, file: str, old: str, new: str) -> None:
    """The bench notices faults put into the RTL on purpose, among them an input that waits during the replays."""
    op = make(tokens=4, cols=12, rows=6, simd=3, pe=3, use_dsp=1)
    params, frames = material(op, seed=6)
    assert_caught(op, params, frames, mutant(tmp_path, file, old, new))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("s_axis_tready = ~full_q | take", "s_axis_tready = 1'b1"),
        ("take = en & full_q", "take = full_q"),
        ("(~busy_q | (last_step & last_phase))", "(~busy_q | last_step)"),
        ("if (rst) full_q <= 1'b0;\n    else if", "if"),
        ("if (rst) valid_q <= '0;\n    else if", "if"),
        ("      step_q <= '0;\n    end else if", "    end else if"),
        ("if (rst) phase_q <= '0;\n      else if", "if"),
        ("if (rst) m_axis_tvalid <= 1'b0;\n    else if", "if"),
        ("clear = last | ~valid_q[STAGES+g]", "clear = last"),
        ("minus = IN_SIGNED & last", "minus = 1'b0"),
        ("assign en = m_axis_tready | ~m_axis_tvalid", "assign en = 1'b1"),
        ("seen[c] = tap_q[STAGE+:IN_BITS]", "seen[c] = tap_q[0+:IN_BITS]"),
    ],
)
def test_serial_mutations(tmp_path: Path, old: str, new: str) -> None:
    """Likewise in the serial unit, with two phases, signed inputs, and tokens of one beat that mostly have to wait."""
    op = make(tokens=4, cols=12, rows=32, simd=12, pe=2, in_signed=1, serial=1)
    params, frames = material(op, seed=8)
    assert_caught(op, params, frames, mutant(tmp_path, "bvit_serial_mvau.sv", old, new))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("value[i] <= {SIGNED & left[W-2], left};", "value[i] <= '0;"),
        ("if (en) value[i] <= {SIGNED & left[W-2], left} +", "value[i] <= {SIGNED & left[W-2], left} +"),
    ],
)
def test_tree_mutations(tmp_path: Path, old: str, new: str) -> None:
    """Likewise in the adder tree, with an odd number of lanes."""
    op = make(tokens=4, cols=12, rows=6, simd=3, pe=3, use_dsp=0)
    params, frames = material(op, seed=7)
    assert_caught(op, params, frames, mutant(tmp_path, "bvit_adder_tree.sv", old, new))
