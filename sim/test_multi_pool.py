"""MultiPool in RTL against its golden function, over grids, foldings and both kinds of multiplier."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from harness import assert_caught, check_op, find_sources, mutant, random_frame

from bvit_hw.flows.verilator import lint
from bvit_hw.flows.yosys import job_of, synthesize
from bvit_hw.ops.multi_pool import MultiPool
from bvit_hw.targets.xcup import TARGET as XCUP


def pool(height: int, width: int, channels: int, pe: int, use_dsp: int = 1, **fields: int) -> MultiPool:
    widths = {"in_bits": 8, "coef_bits": 8, "bias_bits": 16, "out_shift": 8, "out_bits": 8, **fields}
    return MultiPool(height=height, width=width, channels=channels, pe=pe, use_dsp=use_dsp, **widths)


def check(op: MultiPool, frames: int = 3, **options: object) -> None:
    rng = np.random.default_rng(op.height * 1000 + op.width * 100 + op.channels + op.pe)
    measured = check_op(op, op.random_params(rng), [random_frame(op, rng) for _ in range(frames)], **options)  # type: ignore[arg-type]
    # exactly, not within 2 %: frames follow each other without a bubble
    assert measured.cycles_per_frame == op.cycles
    rows, tokens = min(2, op.height - 1), min(2, op.width - 1)
    if op.height > 2:
        assert measured.latency_first == (rows * op.width + tokens) * op.channels // op.pe + 9


@pytest.mark.parametrize("pe", [1, 6])
@pytest.mark.parametrize(
    ("height", "width"),
    [(1, 1), (1, 2), (2, 1), (2, 2), (1, 5), (5, 1), (2, 3), (3, 2), (3, 3), (4, 4), (5, 7), (7, 7)],
)
def test_grids(height: int, width: int, pe: int) -> None:
    check(pool(height, width, 6, pe, use_dsp=(height + width) % 2))


@pytest.mark.parametrize(("side", "channels"), [(8, 32), (4, 64), (2, 128), (1, 256)])
@pytest.mark.parametrize("pe", [1, 8])
def test_tiny_network(side: int, channels: int, pe: int) -> None:
    check(pool(side, side, channels, pe))


@pytest.mark.parametrize(("side", "channels"), [(8, 32), (2, 128)])
def test_all_channels_at_once(side: int, channels: int) -> None:
    check(pool(side, side, channels, channels))


@pytest.mark.parametrize(
    "fields",
    [
        {"in_bits": 4, "coef_bits": 5, "bias_bits": 9, "out_shift": 3, "out_bits": 6},
        {"in_bits": 9, "coef_bits": 7, "bias_bits": 22, "out_shift": 0, "out_bits": 24},
        {"out_shift": 14, "out_bits": 16},
        {"out_shift": 3, "out_bits": 1},
    ],
)
def test_widths(fields: dict[str, int]) -> None:
    check(pool(3, 4, 4, 2, use_dsp=0, **fields))


@pytest.mark.parametrize("seed", [2, 3, 4, 5])
def test_traffic(seed: int) -> None:
    """More seeds where most can go wrong: grids whose frames overlap in many ways with short pauses between."""
    check(pool(3, 3, 4, 4), frames=6, min_frames=12, seed=seed)
    check(pool(2, 2, 4, 2), frames=6, min_frames=12, seed=seed)


@pytest.mark.parametrize(("side", "channels", "pe"), [(56, 64, 1), (56, 64, 8), (28, 128, 16), (7, 512, 32)])
def test_full_size(side: int, channels: int, pe: int) -> None:
    patterns = ("full",) if pe == 1 else ("full", "both", "reset")
    check(pool(side, side, channels, pe), frames=2, min_frames=2 if pe == 1 else 4, patterns=patterns)


@pytest.mark.parametrize(
    ("height", "width", "pe"), [(1, 1, 6), (1, 5, 3), (2, 1, 1), (2, 2, 6), (2, 5, 2), (3, 3, 1), (5, 7, 6), (7, 7, 2)]
)
def test_rows_in_ultraram(height: int, width: int, pe: int) -> None:
    """Both banks of rows in one word, or a single one; delays of more than three steps."""
    check(pool(height, width, 6, pe, ultra=1), min_frames=8)


def test_ultraram_is_inferred(tmp_path: Path) -> None:
    """Yosys makes as many URAM288 as predicted, block RAM for tokens alone, and as much logic as with block RAM."""
    pools = [pool(8, 7, channels, pe) for channels, pe in ((64, 1), (72, 2), (144, 4), (288, 8))]
    ops = {f"{op.pe} {ultra}": op.fold(ultra=ultra).on(XCUP) for op in pools for ultra in (0, 1)}
    rng = np.random.default_rng(1)
    jobs = [job_of(name, op, op.random_params(rng)) for name, op in ops.items()]
    counts = synthesize(jobs, target=XCUP, work=tmp_path / "work", processes=1)
    for op, urams in zip(pools, (2, 2, 2, 4), strict=True):
        counted, before = counts[f"{op.pe} 1"], counts[f"{op.pe} 0"]
        predicted = op.fold(ultra=1).on(XCUP).resources()
        assert (counted.uram, predicted.uram) == (urams, urams)
        assert counted.bram18 == predicted.bram18 < before.bram18
        assert counted.lut == pytest.approx(before.lut, rel=0.02)
        assert counted.ff == pytest.approx(before.ff, abs=2)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 2), (1, 5), (5, 7)])
def test_lint(height: int, width: int) -> None:
    """Verilator -Wall has nothing to say, least of all about what small grids do not use."""
    op = pool(height, width, 6, 2)
    parameters = op.rtl(op.random_params(np.random.default_rng(1))).parameters
    lint(find_sources(op.rtl_sources), "bvit_multi_pool", parameters)


MUTATIONS = [
    ("bvit_pool_rows.sv", "up2_q <= int'(y_q) > 1", "up2_q <= int'(y_q) > 0"),
    ("bvit_pool_rows.sv", "down1_q <= !last_read_row", "down1_q <= 1'b1"),
    ("bvit_pool_rows.sv", "int'(y_q) < HEIGHT - 2", "int'(y_q) < HEIGHT - 1"),
    ("bvit_pool_tokens.sv", "left1_valid && !tap_edge[REACH+1]", "left1_valid"),
    ("bvit_pool_tokens.sv", "right1_valid && !tap_edge[REACH-2]", "right1_valid"),
    ("bvit_pool_rows.sv", "edge1_q <= first_column_q", "edge1_q <= row_start_q"),
    ("bvit_multi_pool.sv", "&& !clear3_q", "&& 1'b1"),
    ("bvit_pool_rows.sv", "(en && row_start_q) || ", ""),
    ("bvit_pool_rows.sv", "assign take = en && !clear_q && (whole ||", "assign take = en && !clear_q && (1'b0 ||"),
    ("bvit_pool_rows.sv", "!clear_q && (!full || en)", "!clear_q"),
    ("bvit_multi_pool.sv", "!valid_q || m_axis_tready", "1'b1"),
    ("bvit_pool_rows.sv", "      wrote_last_q <= 1'b0;\n", ""),
    ("bvit_multi_pool.sv", ".step(en && out4_q)", ".step(en && out3)"),
    ("bvit_beat_counter.sv", "if (rst) beat_q <= '0;\n      else if", "if"),
    ("bvit_multi_pool.sv", "right1_4q <= right1_valid;", "right1_4q <= 1'b1;"),
    ("bvit_saturate.sv", "if (!fits)", "if (1'b0)"),
    ("bvit_delay.sv", "STEPS - 1", "STEPS - 2"),
]  # fmt: skip
#: with rows in UltraRAM
ULTRA_MUTATIONS = [
    ("bvit_pool_rows.sv", "{write && write_bank_q, write && !write_bank_q}", "{write && !write_bank_q, write_bank_q}"),
    ("bvit_pool_rows.sv", "{write && write_bank_q, write && !write_bank_q}", "{2{write}}"),
    ("bvit_pool_rows.sv", ".rdata({word[1], word[0]})", ".rdata({word[0], word[1]})"),
    ("bvit_pool_rows.sv", "assign row_mid = word[bank1_q]", "assign row_mid = word[0]"),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ultra", "file", "old", "new"),
    [*((0, *mutation) for mutation in MUTATIONS), *((1, *mutation) for mutation in ULTRA_MUTATIONS)],
)
def test_mutations_are_caught(ultra: int, file: str, old: str, new: str, tmp_path: Path) -> None:
    op = pool(5, 6, 16, 2, ultra=ultra)
    rng = np.random.default_rng(1)
    params, frames = op.random_params(rng), [random_frame(op, rng) for _ in range(4)]
    assert_caught(op, params, frames, mutant(tmp_path, file, old, new))
