"""Golden functions and checks of the pools and of the operators that copy or gather tokens."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bvit_hw.errors import ConfigError, FoldingError
from bvit_hw.ops.base import HwOp, divisors
from bvit_hw.ops.channel_pool import ChannelPool
from bvit_hw.ops.channel_repeat import ChannelRepeat
from bvit_hw.ops.first_token import FirstToken
from bvit_hw.ops.multi_pool import MultiPool
from bvit_hw.ops.patch_gather import PatchGather
from bvit_hw.ops.prepend_token import PrependToken
from bvit_hw.ops.registry import from_attributes
from bvit_hw.ops.spatial_pool import SpatialPool
from bvit_hw.ops.upsample import Upsample
from bvit_hw.targets.xcup import TARGET as XCUP

Draw = Callable[[st.SearchStrategy[int]], int]

sizes = st.integers(1, 6)


def frame_of(op: HwOp, seed: int) -> np.ndarray:
    (s,) = op.inputs
    return np.random.default_rng(seed).integers(s.low, s.high, (s.tokens, s.channels), endpoint=True)


def check_streams(op: HwOp, params: dict[str, np.ndarray], frame: np.ndarray) -> np.ndarray:
    """The golden output, which must fit its stream; cycles are the beats of the busier side."""
    (out,) = op.golden(params, frame)
    (stream,) = op.outputs
    assert out.dtype == np.int64 and out.shape == (stream.tokens, stream.channels)
    assert np.array_equal(stream.unpack(stream.pack(out)), out)
    assert op.cycles == max(op.inputs[0].beats, stream.beats)
    assert from_attributes(op.op_type, op.attributes()) == op
    return out


def draw_pe(draw: Draw, channels: int) -> int:
    return draw(st.sampled_from(divisors(channels)))


@st.composite
def multi_pools(draw: Draw) -> MultiPool:
    channels = draw(sizes)
    return MultiPool(
        height=draw(sizes), width=draw(sizes), channels=channels, in_bits=draw(st.integers(2, 9)),
        coef_bits=draw(st.integers(2, 9)), bias_bits=draw(st.integers(1, 20)), out_shift=draw(st.integers(0, 12)),
        out_bits=draw(st.integers(1, 16)), pe=draw_pe(draw, channels), use_dsp=draw(st.integers(0, 1)),
    )  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(multi_pools(), st.integers(0, 1 << 30))
def test_multi_pool_is_four_zero_padded_pools(op: MultiPool, seed: int) -> None:
    """Token by token in Python integers: the definition in docs/contract.md, with no arrays to get shapes wrong in."""
    params, frame = op.random_params(np.random.default_rng(seed)), frame_of(op, seed)
    out = check_streams(op, params, frame)

    def at(y: int, x: int, c: int) -> int:
        inside = 0 <= y < op.height and 0 <= x < op.width
        return int(frame[y * op.width + x, c]) if inside else 0

    for y, x, c in product(range(op.height), range(op.width), range(op.channels)):
        sums = [
            sum(at(y + d, x, c) for d in (-1, 0, 1)),
            sum(at(y, x + d, c) for d in (-1, 0, 1)),
            sum(at(y + d, x, c) for d in (-2, -1, 0, 1, 2)),
            sum(at(y, x + d, c) for d in (-2, -1, 0, 1, 2)),
        ]
        total = int(params["bias"][c]) + sum(int(k) * s for k, s in zip(params["coef"][:, c], sums, strict=True))
        floored = total // (1 << op.out_shift)
        half = 1 << (op.out_bits - 1)
        assert out[y * op.width + x, c] == min(max(floored, -half), half - 1)


def test_multi_pool_averages() -> None:
    """With c = 2^s / 3 and 2^s / 5 a constant image keeps its value inside and loses what hangs over the border."""
    op = MultiPool(
        height=7, width=7, channels=1, in_bits=8, coef_bits=16, bias_bits=16, out_shift=14, out_bits=12, pe=1, use_dsp=0
    )
    third, fifth = round(2**14 / 3), round(2**14 / 5)
    params = {"coef": np.array([[third], [third], [fifth], [fifth]]), "bias": np.array([1 << 13])}
    (out,) = op.golden(params, np.full((49, 1), 60))
    grid = out.reshape(7, 7)
    assert grid[3, 3] == 4 * 60  # four full averages
    assert grid[0, 3] == 40 + 60 + 36 + 60  # h3 and h5 lose a third and two fifths
    assert grid[1, 3] == 60 + 60 + 48 + 60
    assert grid[0, 0] == 40 + 40 + 36 + 36


def test_multi_pool_memory_words() -> None:
    """Lane PE-1 .. lane 0 from high to low; a lane is bias, c_h5, c_h3 and c_w5, c_w3."""
    op = MultiPool(
        height=4, width=4, channels=4, in_bits=8, coef_bits=8, bias_bits=16, out_shift=8, out_bits=8, pe=2, use_dsp=1
    )
    coef = np.array([[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12], [-1, -2, -3, -4]])
    memories = op.rtl({"coef": coef, "bias": np.array([256, 257, 258, -2])}).memories
    assert [f"{w:016x}" for w in memories["V_FILE"].words] == ["01010a0201000901", "fffe0c0401020b03"]
    assert [f"{w:08x}" for w in memories["W_FILE"].words] == ["fe06ff05", "fc08fd07"]
    small = MultiPool(**{**op.attributes(), "height": 2, "width": 1})
    memories = small.rtl({"coef": coef, "bias": np.array([256, 257, 258, -2])}).memories
    # one coefficient of nine bits for both windows
    assert memories["W_FILE"].width == 18 and memories["W_FILE"].words[0] == 4 | 4 << 9
    assert memories["V_FILE"].words[0] == (10 | 256 << 9) | (12 | 257 << 9) << 25


@settings(deadline=None, max_examples=60)
@given(sizes, sizes, sizes, sizes, sizes, st.integers(1, 9), st.integers(0, 1 << 30))
def test_spatial_pool(rows: int, columns: int, h: int, w: int, channels: int, bits: int, seed: int) -> None:
    op = SpatialPool(
        height=rows * h, width=columns * w, channels=channels, window_h=h, window_w=w, in_bits=bits, pe=channels
    )
    frame = frame_of(op, seed)
    out = check_streams(op, {}, frame)
    expected = np.zeros_like(out)
    for token, values in enumerate(frame):
        y, x = divmod(token, op.width)
        expected[(y // h) * columns + x // w] += values
    assert np.array_equal(out, expected)


@pytest.mark.parametrize("value", [-8, 7])
def test_spatial_pool_holds_the_extreme_sum(value: int) -> None:
    op = SpatialPool(height=3, width=3, channels=1, window_h=3, window_w=3, in_bits=4, pe=1)
    assert check_streams(op, {}, np.full((9, 1), value)).item() == 9 * value


@settings(deadline=None, max_examples=60)
@given(sizes, sizes, sizes, st.integers(1, 9), st.integers(0, 1 << 30), st.data())
def test_channel_pool(tokens: int, groups: int, group: int, bits: int, seed: int, data: st.DataObject) -> None:
    slowest = ChannelPool(tokens=tokens, channels=groups * group, group=group, in_bits=bits, pe=1)
    op = data.draw(st.sampled_from(list(slowest.foldings())))
    frame = frame_of(op, seed)
    out = check_streams(op, {}, frame)
    for t, g in product(range(tokens), range(groups)):
        assert out[t, g] == sum(int(v) for v in frame[t, g * group : (g + 1) * group])


@settings(deadline=None, max_examples=60)
@given(sizes, sizes, sizes, st.integers(1, 9), st.integers(0, 1), st.integers(0, 1 << 30), st.data())
def test_channel_repeat(
    tokens: int, channels: int, repeat: int, bits: int, signed: int, seed: int, data: st.DataObject
) -> None:
    slowest = ChannelRepeat(tokens=tokens, channels=channels, repeat=repeat, bits=bits, signed=signed, pe=1)
    op = data.draw(st.sampled_from(list(slowest.foldings())))
    assert op.cycles == max(tokens * channels // op.pe, tokens * repeat * channels // op.pe // op.copies)
    frame = frame_of(op, seed)
    out = check_streams(op, {}, frame)
    for t, r, c in product(range(tokens), range(repeat), range(channels)):
        assert out[t, r * channels + c] == frame[t, c]


def test_channel_repeat_takes_whole_tokens_side_by_side_alone() -> None:
    with pytest.raises(FoldingError, match="copies=2 with pe=3; allowed: 1, or pe=6, a whole token"):
        ChannelRepeat(tokens=4, channels=6, repeat=4, bits=3, signed=1, pe=3, copies=2)
    with pytest.raises(FoldingError, match=r"copies=3 does not divide 4 copies of a token; allowed: \[1, 2, 4\]"):
        ChannelRepeat(tokens=4, channels=6, repeat=4, bits=3, signed=1, pe=6, copies=3)


@settings(deadline=None, max_examples=60)
@given(sizes, sizes, sizes, st.integers(1, 4), st.integers(1, 9), st.integers(0, 1), st.integers(0, 1 << 30))
def test_upsample(rows: int, columns: int, channels: int, f: int, bits: int, signed: int, seed: int) -> None:
    op = Upsample(
        height=rows * f, width=columns * f, channels=channels, factor=f, bits=bits, signed=signed, pe=channels
    )
    frame = frame_of(op, seed)
    out = check_streams(op, {}, frame)
    for y, x in product(range(op.height), range(op.width)):
        assert np.array_equal(out[y * op.width + x], frame[(y // f) * columns + x // f])


@settings(deadline=None, max_examples=60)
@given(sizes, sizes, sizes, sizes, sizes, st.integers(1, 8), st.integers(0, 1), st.integers(0, 1 << 30))
def test_patch_gather(
    rows: int, columns: int, h: int, w: int, channels: int, bits: int, signed: int, seed: int
) -> None:
    op = PatchGather(
        height=rows * h, width=columns * w, channels=channels, window_h=h, window_w=w, bits=bits, signed=signed,
        pe=channels,
    )  # fmt: skip
    frame = frame_of(op, seed)
    out = check_streams(op, {}, frame)
    for y, x, ky, kx, c in product(range(rows), range(columns), range(h), range(w), range(channels)):
        assert out[y * columns + x, (ky * w + kx) * channels + c] == frame[(y * h + ky) * op.width + x * w + kx, c]


@settings(deadline=None, max_examples=60)
@given(sizes, sizes, st.integers(1, 9), st.integers(0, 1), st.integers(0, 1 << 30), st.data())
def test_a_token_before_the_others_and_the_first_one(
    tokens: int, channels: int, bits: int, signed: int, seed: int, data: st.DataObject
) -> None:
    """What the one puts in front the other takes out; the others stay, in order."""
    shape = {"channels": channels, "bits": bits, "signed": signed, "pe": draw_pe(data.draw, channels)}
    prepend, first = PrependToken(tokens=tokens, **shape), FirstToken(tokens=tokens + 1, **shape)
    params, frame = prepend.random_params(np.random.default_rng(seed)), frame_of(prepend, seed)
    longer = check_streams(prepend, params, frame)
    assert [row.tolist() for row in longer] == [params["token"].tolist(), *(row.tolist() for row in frame)]
    assert check_streams(first, {}, longer).tolist() == [params["token"].tolist()]


def test_stored_token_memory_words() -> None:
    """Two beats of three channels of four bits, channel 0 in the low bits."""
    op = PrependToken(tokens=2, channels=6, bits=4, signed=1, pe=3)
    (memory,) = op.rtl({"token": np.array([1, -1, 2, -8, 7, 0])}).memories.values()
    assert memory.width == 12 and list(memory.words) == [0x2F1, 0x078]


OPS: list[HwOp] = [
    MultiPool(
        height=8, width=8, channels=32, in_bits=8, coef_bits=8, bias_bits=16, out_shift=8, out_bits=8, pe=4, use_dsp=1
    ),
    SpatialPool(height=8, width=8, channels=32, window_h=4, window_w=4, in_bits=8, pe=4),
    ChannelPool(tokens=64, channels=128, group=4, in_bits=8, pe=4),
    ChannelRepeat(tokens=64, channels=32, repeat=4, bits=8, signed=1, pe=4),
    Upsample(height=8, width=8, channels=32, factor=4, bits=8, signed=1, pe=4),
    PatchGather(height=8, width=8, channels=32, window_h=2, window_w=2, bits=1, signed=0, pe=4),
    PrependToken(tokens=64, channels=32, bits=8, signed=1, pe=4),
    FirstToken(tokens=65, channels=32, bits=8, signed=1, pe=4),
]  # fmt: skip


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.op_type)
def test_foldings(op: HwOp) -> None:
    """Slowest first, all different, all legal, each with a cost; twice the lanes never take longer."""
    folds = list(op.foldings())
    assert len(set(folds)) == len(folds) and op in folds
    cycles = [f.cycles for f in folds]
    assert cycles == sorted(cycles, reverse=True)
    assert cycles[0] == folds[0].fold(pe=1).cycles
    for fold in folds:
        cost = fold.resources()
        assert cost.lut > 0 and cost.ff > 0
        assert (cost.dsp > 0) == bool(fold.attributes().get("use_dsp", 0))


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.op_type)
def test_illegal_lanes_are_named(op: HwOp) -> None:
    for pe in (0, 3, 48, 10_000):
        with pytest.raises(FoldingError, match=f"{op.op_type}: pe={pe} .*allowed: "):
            op.fold(pe=pe)


@pytest.mark.parametrize(
    ("op", "changes", "words"),
    [
        (OPS[0], {"height": 0}, "height=0; allowed: 1 or more"),
        (OPS[0], {"in_bits": 1}, "in_bits=1; allowed: 2 or more"),
        (OPS[0], {"out_shift": -1}, "out_shift=-1"),
        (OPS[0], {"use_dsp": 2}, "use_dsp=2; allowed: 0 or 1"),
        (OPS[1], {"window_h": 3}, r"window_h=3 does not divide height=8; allowed: \[1, 2, 4, 8\]"),
        (OPS[2], {"group": 5}, "group=5 does not divide 128 channels"),
        (OPS[3], {"repeat": 0}, "repeat=0"),
        (OPS[3], {"signed": 2}, "signed=2"),
        (OPS[4], {"factor": 3}, r"factor=3 does not divide 8 x 8; allowed: \[1, 2, 4, 8\]"),
        (OPS[6], {"tokens": 0}, "tokens=0; allowed: 1 or more"),
        (OPS[7], {"signed": 2}, "signed=2; allowed: 0 or 1"),
        (OPS[5], {"window_w": 5}, "window_w=5 does not divide width=8"),
    ],
)
def test_illegal_shapes_are_named(op: HwOp, changes: dict[str, int], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        op.fold(**changes)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("coef", np.zeros((3, 32), dtype=np.int64), "shape"),
        ("coef", np.full((4, 32), 128), r"128; allowed: -128 \.\. 127 \(8 bits\)"),
        ("bias", np.full(32, -32769), "-32769"),
        ("bias", np.zeros(32), "float64"),
    ],
)
def test_multi_pool_parameters_are_checked(name: str, value: np.ndarray, words: str) -> None:
    op = OPS[0]
    good = {"coef": np.full((4, 32), -128), "bias": np.full(32, 32767)}
    op.check_params(good)
    with pytest.raises(ConfigError, match=words):
        op.check_params({**good, name: value})


def test_rows_in_ultraram_are_offered_where_it_pays() -> None:
    """Four lanes of 8 bits: two UltraRAMs for eight half blocks. Sixteen: six for too few. None on a target without."""
    pool = MultiPool(
        height=28, width=28, channels=128, in_bits=8, coef_bits=8, bias_bits=16, out_shift=8, out_bits=8, pe=1,
        use_dsp=0,
    )  # fmt: skip
    assert not any(fold.ultra for fold in pool.foldings())
    offered = {fold.pe: fold for fold in pool.on(XCUP).foldings() if fold.ultra}
    assert 4 in offered and 16 not in offered
    moved, kept = offered[4].resources(), offered[4].fold(ultra=0).resources()
    assert (moved.uram, kept.bram18 - moved.bram18) == (2, 8) and moved.lut == pytest.approx(kept.lut)
