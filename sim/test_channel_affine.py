"""ChannelAffine against its golden function: foldings, inputs, RPReLU, biases by token, both kinds of multiplier."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from harness import assert_caught, check_op, mutant, random_frame

from bvit_hw.ops.base import Params
from bvit_hw.ops.channel_affine import ChannelAffine
from tests.affine_kinds import CONTEXT, LAYER_SCALE, LOGITS, NORM, ODD, PLAIN, POOLED, QUERY, random_params


@dataclass
class Seen:
    """What a bench's frames make happen inside."""

    saturated_low: bool = False
    saturated_high: bool = False
    half_way: bool = False
    negative: bool = False
    negative_slope: bool = False
    steep_slope: bool = False

    def look(self, op: ChannelAffine, params: Params, frame: tuple[np.ndarray, ...]) -> None:
        """Note what happens in one frame."""
        t = np.zeros((op.tokens, op.channels), dtype=np.int64) + params["bias"]
        for i, x in enumerate(frame):
            t += (x * (params[f"coef{i}"] if op.multiply[i] else 1)) * 2 ** op.shift[i]
        v = t
        if op.prelu:
            m = t // 2**op.mid_shift
            negative = m < 0
            v = np.where(negative, m * params["slope"], m * 2**op.slope_shift) + params["bias2"]
            self.negative |= bool(negative.any())
            self.negative_slope |= bool((negative & (params["slope"] < 0)).any())
            self.steep_slope |= bool((negative & (params["slope"] > 2**op.slope_shift)).any())
        y = v // 2**op.out_shift
        self.saturated_low |= bool((y < -(2 ** (op.out_bits - 1))).any())
        self.saturated_high |= bool((y >= 2 ** (op.out_bits - 1)).any())
        # v holds the half already: exactly half-way before it was added means nothing left behind the shift
        self.half_way |= bool((v % 2**op.out_shift == 0).any())


def make(
    shape: dict[str, object], *, tokens: int, channels: int, pe: int, use_dsp: int, **more: int
) -> ChannelAffine:
    """The operator of a kind."""
    fields = {"out_bits": 8, **shape, **more}
    return ChannelAffine(tokens=tokens, channels=channels, pe=pe, use_dsp=use_dsp, **fields)  # type: ignore[arg-type]


def bench(op: ChannelAffine, *, seed: int, frames: int = 2, patterns: tuple[str, ...] | None = None) -> Seen:
    """Check an operator with random parameters and frames."""
    rng = np.random.default_rng(seed)
    params = random_params(op, rng)
    played = [random_frame(op, rng) for _ in range(frames)]
    seen = Seen()
    for frame in played:
        seen.look(op, params, frame)
    measured = check_op(op, params, played, seed=seed, **({"patterns": patterns} if patterns else {}))
    # In lookup tables a multiplication takes a cycle more.
    longer = 0 if op.use_dsp else any(op.multiply) + op.prelu
    assert measured.latency_first == 3 + sum(op.multiply) + 3 * op.prelu + longer
    assert set(measured.intervals) == {op.cycles}
    return seen


@pytest.mark.parametrize("use_dsp", [0, 1])
@pytest.mark.parametrize(
    ("shape", "pe"),
    [(NORM, 4), (QUERY, 1), (QUERY, 8), (POOLED, 4), (CONTEXT, 2), (LAYER_SCALE, 4), (PLAIN, 32)],
    ids=["norm", "query-pe1", "query-pe8", "pooled", "context", "layer-scale", "plain-one-beat"],
)
def test_tiny_network(shape: dict[str, object], pe: int, use_dsp: int) -> None:
    """64 tokens of 32 channels; saturation, half-way cases and every kind of slope happen."""
    op = make(shape, tokens=64, channels=32, pe=pe, use_dsp=use_dsp)
    seen = bench(op, seed=pe + use_dsp)
    assert seen.saturated_low and seen.saturated_high and seen.half_way
    if op.prelu:
        assert seen.negative and seen.negative_slope and seen.steep_slope


@pytest.mark.parametrize("channels", [32, 12])
def test_bias_by_token(channels: int) -> None:
    """The stem's bias and the transition's bias2 have a row for each token; 12 channels make counters wrap early."""
    bench(make(NORM, tokens=20, channels=channels, pe=4, use_dsp=1, bias_tokens=20), seed=1)
    bench(make(QUERY, tokens=20, channels=channels, pe=4, use_dsp=0, bias2_tokens=20), seed=2)
    both = make(CONTEXT, tokens=6, channels=channels, pe=2, use_dsp=1, bias_tokens=6, bias2_tokens=6)
    bench(both, seed=3)


def test_logits() -> None:
    """Ten channels, no multiplier, 24 bits out: sums that leave 24 bits saturate."""
    seen = bench(make(LOGITS, tokens=1, channels=10, pe=1, use_dsp=0), seed=4, frames=40)
    assert seen.saturated_low and seen.saturated_high


@pytest.mark.parametrize("use_dsp", [0, 1])
def test_odd_widths(use_dsp: int) -> None:
    """Odd coefficient widths, a slope narrower than 1.0 needs, a shift wider than some sums, no saturation needed."""
    seen = bench(make(ODD, tokens=7, channels=9, pe=3, use_dsp=use_dsp), seed=5)
    assert not seen.saturated_low and not seen.saturated_high


def test_block_ram() -> None:
    """1024 beats a token: the wide memories go to block RAM."""
    op = make(QUERY, tokens=3, channels=1024, pe=1, use_dsp=1)
    blocks = {name for name, value in op.rtl(random_params(op, np.random.default_rng(0))).parameters.items()
              if name.endswith("_BLOCK") and value}  # fmt: skip
    assert {"BIAS_BLOCK", "BIAS2_BLOCK"} <= blocks
    bench(op, seed=6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "tokens", "channels", "pe"),
    [(NORM, 3136, 64, 4), (CONTEXT, 196, 256, 4), (QUERY, 49, 2048, 16), (LAYER_SCALE, 3136, 64, 16)],
    ids=["stage0-norm", "stage2-context", "stage3-f", "stage0-layer-scale"],
)
def test_full_size(shape: dict[str, object], tokens: int, channels: int, pe: int) -> None:
    """Shapes of small/4/224, all tokens."""
    bench(make(shape, tokens=tokens, channels=channels, pe=pe, use_dsp=1), seed=7, patterns=("full", "both"))


@pytest.mark.slow
def test_full_size_position_embedding() -> None:
    """The stem of small/4/224: 3136 tokens of 64 channels, a bias for each."""
    op = make(NORM, tokens=3136, channels=64, pe=16, use_dsp=1, bias_tokens=3136)
    bench(op, seed=8, frames=1, patterns=("full", "both"))


_SELF = "bvit_channel_affine.sv"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        (_SELF, "if (rst) valid_q <= '0;\n    else if (en)", "if (en)"),
        (_SELF, "en = m_axis_tready | ~valid_q[STAGES-1]", "en = 1'b1"),
        (_SELF, "assign fire = en & all_valid;", "assign fire = all_valid;"),
        (_SELF, "t[SUM_BITS-1] ?", "t[SUM_BITS-2] ?"),
        ("bvit_saturate.sv", "(&w[W_BITS-1:OUT_BITS-1])", "(&w[W_BITS-1:OUT_BITS])"),
        (_SELF, "partial[i][SHIFT-1:0];", "'0;"),
        (_SELF, ".addr(addr_q[BIAS2_STAGE]),", ".addr(addr_q[BIAS2_STAGE-1]),"),
        (_SELF, "c_q[d] <= c_q[d-1];", "c_q[d] <= c_q[0];"),
        ("bvit_booth_mul.sv", "| (~digit[2] & digit[1] & digit[0])", ""),
        ("bvit_booth_mul.sv", "gen_row[k-1].sum >>> 2", "gen_row[k-1].sum >> 2"),
        ("bvit_booth_mul.sv", "gen_row[k-1].seen >>> 2", "gen_row[k-1].sum >>> 2"),
        (_SELF, "base_q[d][p] <= base_q[d-1][p]", "base_q[d][p] <= base_q[0][p] + 1'b1"),
        ("bvit_beat_counter.sv", "BEAT_BITS'(BEATS - 1)", "BEAT_BITS'(BEATS - 2)"),
        ("bvit_beat_counter.sv", "if (rst) beat_q <= '0;\n      else if", "if"),
    ],
)
def test_mutations(tmp_path: Path, file: str, old: str, new: str) -> None:
    """The bench notices faults put into the RTL on purpose."""
    rng = np.random.default_rng(9)
    dsp = 0 if file == "bvit_booth_mul.sv" or "base_q" in old else 1
    # wide results, so that an error in the lowest bit is seen, except where saturation is at stake
    wide = {} if "&w[" in old else {"out_shift": 0, "out_bits": 24}
    op = make({**CONTEXT, "shift": (2, 3, 1, 0), **wide}, tokens=6, channels=12, pe=2, use_dsp=dsp)
    frames = [random_frame(op, rng) for _ in range(2)]
    assert_caught(op, random_params(op, rng), frames, mutant(tmp_path, file, old, new))
