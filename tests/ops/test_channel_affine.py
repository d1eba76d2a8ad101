"""ChannelAffine: golden function against docs/contract.md in exact fractions, memories, errors."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bvit_hw.errors import ConfigError, FoldingError
from bvit_hw.ops.base import Params
from bvit_hw.ops.binarize import Binarize
from bvit_hw.ops.channel_affine import MID_LIMIT, SUM_LIMIT, ChannelAffine
from bvit_hw.ops.int_mvau import IntMVAU
from bvit_hw.targets import XC7
from tests.memory_words import unpack

AFFINE = ChannelAffine(
    tokens=3, channels=12, in_bits=(8, 7), multiply=(1, 0), shift=(0, 4), bias_bits=14, prelu=1, mid_shift=3,
    slope_shift=6, bias2_bits=18, out_shift=9, out_bits=8, pe=3,
)  # fmt: skip

STEM = IntMVAU(tokens=2, cols=12, rows=6, in_bits=8, acc_bits=20, simd=3, pe=2)


def random_inputs(op: ChannelAffine, rng: np.random.Generator) -> list[np.ndarray]:
    """Uniform over the widths."""
    return [rng.integers(s.low, s.high + 1, (s.tokens, s.channels)) for s in op.inputs]


@st.composite
def affines(draw: st.DrawFn) -> ChannelAffine:
    """Operators whose sums fit the contract whatever their parameters are."""
    n = draw(st.integers(1, 4))
    prelu = draw(st.integers(0, 1))
    tokens = draw(st.integers(1, 4))
    channels = draw(st.integers(1, 6))
    mid_shift = draw(st.integers(0, 4))
    by_token = st.sampled_from((1, tokens))
    return ChannelAffine(
        tokens=tokens,
        channels=channels,
        in_bits=tuple(draw(st.lists(st.integers(2, 6), min_size=n, max_size=n))),
        multiply=tuple(draw(st.lists(st.integers(0, 1), min_size=n, max_size=n))),
        shift=tuple(draw(st.lists(st.integers(0, 2), min_size=n, max_size=n))),
        coef_bits=draw(st.integers(2, 6)),
        bias_bits=draw(st.integers(5, 12)),
        bias_tokens=draw(by_token),
        prelu=prelu,
        mid_shift=mid_shift if prelu else 0,
        slope_bits=draw(st.integers(2, 6)),
        slope_shift=draw(st.integers(0, 4)),
        bias2_bits=draw(st.integers(5, 12)),
        bias2_tokens=draw(by_token),
        out_shift=draw(st.integers(0, 4)),
        out_bits=draw(st.integers(2, 10)),
    )


def half_up(value: Fraction) -> int:
    """Nearest integer, halves upwards."""
    return math.floor(value + Fraction(1, 2))


def affine_statement(op: ChannelAffine, params: Params, frames: list[np.ndarray], token: int, c: int) -> int:
    """One result from real numbers: the stored constants lose the halves that they hold, every shift rounds half up."""

    def constant(name: str, shift: int) -> Fraction:
        values = params[name]
        stored = int(values[token if len(values) > 1 else 0][c])
        return Fraction(stored) - (Fraction(2**shift, 2) if shift else 0)

    total = constant("bias", op.mid_shift if op.prelu else op.out_shift)
    for i, x in enumerate(frames):
        factor = int(params[f"coef{i}"][c]) if op.multiply[i] else 1
        total += Fraction(int(x[token, c]) * factor * 2 ** op.shift[i])
    value = total / 2**op.out_shift
    if op.prelu:
        m = half_up(total / 2**op.mid_shift) if op.mid_shift else int(total)
        slope = Fraction(int(params["slope"][c])) if m < 0 else Fraction(2**op.slope_shift)
        value = (m * slope + constant("bias2", op.out_shift)) / 2**op.out_shift
    result = half_up(value) if op.out_shift else int(value)
    return max(-(2 ** (op.out_bits - 1)), min(2 ** (op.out_bits - 1) - 1, result))


@given(op=affines(), seed=st.integers(0, 2**32 - 1))
def test_affine_is_the_contract(op: ChannelAffine, seed: int) -> None:
    rng = np.random.default_rng(seed)
    params, frames = op.random_params(rng), random_inputs(op, rng)
    op.check_params(params)
    (y,) = op.golden(params, *frames)
    expected = [
        [affine_statement(op, params, frames, token, c) for c in range(op.channels)] for token in range(op.tokens)
    ]
    assert y.tolist() == expected


def test_affine_rounds_halves_up_and_saturates() -> None:
    """By hand: (x + 2) >> 2 of -6, -2, 2, 6 (all half-way) and of both ends."""
    op = ChannelAffine(
        tokens=1, channels=6, in_bits=(8,), multiply=(0,), shift=(0,), bias_bits=3, out_shift=2, out_bits=4
    )
    (y,) = op.golden({"bias": np.full((1, 6), 2)}, np.array([[-6, -2, 2, 6, 127, -128]]))
    assert y.tolist() == [[-1, 0, 1, 2, 7, -8]]


def test_affine_slopes() -> None:
    """By hand: slopes 1.5, -0.5, 0 and 1 (grid 1/4) on m = -8, and m = +8 whatever the slope."""
    op = ChannelAffine(
        tokens=2, channels=4, in_bits=(8,), multiply=(0,), shift=(0,), bias_bits=1, prelu=1, slope_bits=4,
        slope_shift=2, bias2_bits=3, out_shift=2, out_bits=8,
    )  # fmt: skip
    params = {"bias": np.zeros((1, 4), int), "slope": np.array([6, -2, 0, 4]), "bias2": np.full((1, 4), 2)}
    (y,) = op.golden(params, np.array([[-8] * 4, [8] * 4]))
    assert y.tolist() == [[-12, 4, 0, -8], [8, 8, 8, 8]]


@given(op=affines(), seed=st.integers(0, 2**32 - 1))
def test_affine_widths_hold(op: ChannelAffine, seed: int) -> None:
    """Extreme values of all types stay within the widths that the RTL has, or golden would raise."""
    rng = np.random.default_rng(seed)
    params = {
        name: np.where(rng.random(spec.shape) < 0.5, *spec.range)
        for name, spec in op.param_specs.items()
    }
    frames = [np.where(rng.random((s.tokens, s.channels)) < 0.5, s.low, s.high) for s in op.inputs]
    op.golden(params, *frames)
    assert op.sum_bits <= SUM_LIMIT and op.result_bits <= SUM_LIMIT


def test_affine_widths_are_capped_by_the_contract() -> None:
    wide = replace(AFFINE, in_bits=(16, 7), coef_bits=16)
    assert wide.sum_bits == MID_LIMIT + wide.mid_shift and wide.mid_bits == MID_LIMIT
    rng = np.random.default_rng(0)
    params = wide.random_params(rng)
    params["coef0"][:] = 1 << 14
    frames = [np.full((3, 12), 1 << 14), np.zeros((3, 12), int)]
    with pytest.raises(ConfigError, match=r"t reaches .*20 bits"):
        wide.golden(params, *frames)


def test_affine_streams_and_foldings() -> None:
    assert [s.bits for s in AFFINE.inputs] == [8, 7] and AFFINE.outputs[0].bits == 8
    assert AFFINE.cycles == 12
    folded = list(AFFINE.foldings())
    assert [(f.pe, f.use_dsp) for f in folded[:3]] == [(1, 0), (1, 1), (2, 0)]
    assert [f.cycles for f in folded] == sorted((f.cycles for f in folded), reverse=True)
    plain = replace(AFFINE, multiply=(0, 0), prelu=0, mid_shift=0, out_shift=4)
    assert {f.use_dsp for f in plain.foldings()} == {0}
    assert ChannelAffine(**AFFINE.attributes()) == AFFINE
    lists = {k: list(v) if isinstance(v, tuple) else v for k, v in AFFINE.attributes().items()}
    assert ChannelAffine(**lists) == AFFINE and hash(AFFINE) == hash(ChannelAffine(**lists))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"multiply": (1,)}, "one entry for each"),
        ({"in_bits": (8,) * 5, "multiply": (1,) * 5, "shift": (0,) * 5}, "1 to 4 inputs"),
        ({"multiply": (1, 2)}, "allowed: 0, 1"),
        ({"shift": (0, -1)}, "shift"),
        ({"in_bits": (8, 1)}, "in_bits"),
        ({"coef_bits": 19}, "coef_bits=19"),
        ({"bias_tokens": 2}, "1 or 3"),
        ({"mid_shift": 24}, "mid_shift"),
        ({"out_shift": 24}, "out_shift"),
        ({"tokens": 0}, "tokens=0"),
    ],
)
def test_affine_rejects_shapes(change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(AFFINE, **change)  # type: ignore[arg-type]


def test_rejects_foldings() -> None:
    with pytest.raises(FoldingError, match=r"pe=5 does not divide 12 channels; allowed: \[1, 2, 3, 4, 6, 12\]"):
        AFFINE.fold(pe=5)
    with pytest.raises(FoldingError, match="use_dsp=2"):
        AFFINE.fold(use_dsp=2)
    with pytest.raises(FoldingError, match="pe=0"):
        Binarize(tokens=1, channels=4, in_bits=4, pe=0)
    with pytest.raises(FoldingError, match=r"simd=5 .* allowed: \[1, 2, 3, 4, 6, 12\]"):
        STEM.fold(simd=5)
    with pytest.raises(FoldingError, match="pe=4 does not divide 6 rows"):
        STEM.fold(pe=4)


def test_affine_rejects_params() -> None:
    params = AFFINE.random_params(np.random.default_rng(1))
    AFFINE.check_params(params)
    for name, value, message in (
        ("coef1", np.zeros(12, int), "given parameters"),
        ("bias", np.zeros(12, int), r"shape \(12,\); allowed: \(1, 12\)"),
        ("slope", np.full(12, 128), "128; allowed: -128 .. 127"),
        ("bias2", np.zeros((1, 12)), "float64"),
    ):
        with pytest.raises(ConfigError, match=message):
            AFFINE.check_params({**params, name: value})
    with pytest.raises(ConfigError, match="given parameters"):
        AFFINE.rtl({k: v for k, v in params.items() if k != "slope"})


def test_affine_memories() -> None:
    """Word = beat, lanes ascending, the multiplied inputs' coefficients side by side."""
    op = replace(AFFINE, in_bits=(8, 7, 6), multiply=(1, 0, 1), shift=(0, 4, 1), bias2_tokens=3)
    params = op.random_params(np.random.default_rng(2))
    instance = op.rtl(params)
    assert instance.inputs == ("s0_axis", "s1_axis", "s2_axis") and instance.outputs == ("m_axis",)
    assert instance.parameters["MULTIPLY"] == 0b101 and instance.parameters["BIAS2_PER_TOKEN"] == 1
    coef = unpack(instance.memories["COEF_FILE"], op.coef_bits)
    assert coef == [
        [int(params[f"coef{i}"][beat * 3 + lane]) for lane in range(3) for i in (0, 2)] for beat in range(4)
    ]
    assert np.ravel(unpack(instance.memories["BIAS_FILE"], 14)).tolist() == params["bias"][0].tolist()
    assert np.ravel(unpack(instance.memories["SLOPE_FILE"], 8)).tolist() == params["slope"].tolist()
    bias2 = unpack(instance.memories["BIAS2_FILE"], 18)
    assert len(bias2) == 12 and np.reshape(bias2, (3, 12)).tolist() == params["bias2"].tolist()
    assert replace(op, multiply=(0, 0, 0)).memory_shapes().keys() == {"BIAS", "SLOPE", "BIAS2"}


def test_memory_style() -> None:
    """Shallow or narrow memories stay in LUTs; a memory of 512 x 36 fits one block RAM, and takes it."""
    memories = XC7.memories
    halves, in_block, luts = memories.table_halves, memories.table_in_block, memories.table_luts
    assert halves(36, 512) == 1 and halves(37, 512) == 2 and halves(1, 16384) == 1
    assert not in_block(36, 32) and not in_block(8, 64) and in_block(36, 512)
    assert luts(20, 32) == 20 and luts(20, 1) == 0


@pytest.mark.parametrize("use_dsp", [0, 1])
def test_resources(use_dsp: int) -> None:
    """DSP blocks are counted exactly; more lanes cost more; DSP blocks save LUTs."""
    affine = AFFINE.fold(use_dsp=use_dsp)
    assert affine.resources().dsp == use_dsp * 3 * 2
    assert 20 < 2 * affine.fold(pe=1).resources().lut < affine.fold(pe=12).resources().lut
    assert AFFINE.fold(use_dsp=1).resources().lut < AFFINE.fold(use_dsp=0).resources().lut
    stem = STEM.fold(use_dsp=use_dsp)
    assert stem.resources().dsp == use_dsp * 6
    assert STEM.fold(use_dsp=1).resources().lut < STEM.fold(use_dsp=0).resources().lut
    embedded = ChannelAffine(
        tokens=64, channels=32, in_bits=(18,), multiply=(0,), shift=(0,), bias_bits=20, bias_tokens=64, out_shift=8,
        out_bits=8,
    )  # fmt: skip
    # 41 kbit of biases by token: block RAM, not LUTs
    assert embedded.resources().bram18 >= 3 and embedded.resources().lut < 200
    assert Binarize(tokens=1, channels=64, in_bits=8, pe=8).resources().lut < 300
