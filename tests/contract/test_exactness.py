"""The static proof: it accepts what is exact, names what is not, and its bounds hold in execution."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bvit_hw.contract import EXACT_BITS, FrozenGraph, FrozenNode, FrozenTensor
from bvit_hw.contract.exactness import check_exact, intermediates
from bvit_hw.contract.fixed_point import (
    RealAffine,
    binarize_threshold,
    fit_affine,
    fit_multi_pool,
    mantissa_exponent,
    power_of_two,
)
from bvit_hw.errors import FreezeError
from bvit_hw.execute.frozen import FrozenBinaryViT
from bvit_hw.freeze import random_frozen
from tests.frozen_factory import CONFIGS


def _changed(graph: FrozenGraph, output: str, change: Callable[[FrozenNode], FrozenNode]) -> FrozenGraph:
    assert output in {n.output for n in graph.nodes}
    return replace(graph, nodes=tuple(change(n) if n.output == output else n for n in graph.nodes))


def _attr(key: str, value: object) -> Callable[[FrozenNode], FrozenNode]:
    return lambda node: replace(node, attrs={**node.attrs, key: value})


def _param(key: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[FrozenNode], FrozenNode]:
    return lambda node: replace(node, params={**node.params, key: change(node.params[key].astype(np.int64))})


MUTATIONS = {
    "shift": ("b0.q", _attr("shift", (0, 18)), r"b0\.q: shifted input 1 .* 2\*\*24"),
    "coefficient": ("b0.h", _param("coef0", lambda c: c * 2048), r"b0\.h: product 0"),
    "bias": ("b0.y", _param("bias", lambda b: b + 2**24), r"b0\.y: bias"),
    "sum": ("b0.y", _param("bias", lambda b: b * 0 + 2**24 - 1), r"b0\.y: t "),
    "slope": ("b1.f", _param("slope", lambda s: s * 4096), r"b1\.f: slope product"),
    "bias2": ("t1.x", _param("bias2", lambda b: b * 0 - 2**24), r"t1\.x: bias2"),
    "mid width": ("b0.q", lambda n: _attr("shift", (0, 11))(_attr("mid_shift", 0)(n)), r"b0\.q: m .* 17 bits"),
    "stem weights": ("stem.acc", _param("weights", lambda w: w * 64), r"stem\.acc: sum of products"),
    "accumulator": ("b0.q_acc", _param("weights", lambda w: w * 2), r"b0\.q_acc: sum of products .* bits hold"),
    "pool": ("b0.p", _param("coef", lambda c: c * 512), r"b0\.p: partial sum"),
    "threshold": ("b0.hq", _param("threshold", lambda t: t + 2**24), r"b0\.hq: difference"),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_graph_that_may_overflow_is_refused(name: str) -> None:
    output, change, message = MUTATIONS[name]
    graph = random_frozen(CONFIGS["pyramid"], seed=2)
    check_exact(graph)
    with pytest.raises(FreezeError, match=message):
        check_exact(_changed(graph, output, change))


@pytest.mark.parametrize("name", CONFIGS)
def test_bounds_hold_and_are_reached(name: str) -> None:
    """Extreme frames through every node stay within the proof's intervals; linears touch theirs."""
    graph = random_frozen(CONFIGS[name], seed=4)
    model = FrozenBinaryViT(graph)
    rng = np.random.default_rng(0)
    for node in graph.nodes:
        out = graph.tensors[node.output]
        frames = []
        for key in node.inputs:
            t = graph.tensors[key]
            low = -(1 << (t.bits - 1)) if t.signed else 0
            frames.append(
                torch.from_numpy(rng.choice([low, low + (1 << t.bits) - 1], (50, t.height, t.width, t.channels)))
            )
        values = getattr(model, f"_{node.op}")(node, out, *(f.to(torch.int32) for f in frames)).numpy()
        if node.op not in ("BinaryLinear", "IntLinear", "SpatialPool", "ChannelPool"):
            continue
        ((_, bound),) = intermediates(node, graph.tensors)
        assert (values >= bound.low).all() and (values <= bound.high).all()
        if node.op in ("BinaryLinear", "IntLinear"):
            weights = torch.from_numpy(node.params["weights"].astype(np.int64))
            t = graph.tensors[node.inputs[0]]
            low = -(1 << (t.bits - 1)) if t.signed else 0
            best = torch.where(weights > 0, low + (1 << t.bits) - 1, low)
            frame = best[:, None, None, :].to(torch.int32)
            top = getattr(model, f"_{node.op}")(node, out, frame)[:, 0, 0, :].diagonal()
            signs = 2 * best - 1 if t.binary else best
            assert top.tolist() == (signs * weights).sum(1).tolist()
            assert (top.numpy() <= bound.high).all()


_X = FrozenTensor(name="x", height=1, width=1, channels=3, bits=8, signed=True, exponent=-5)
_ACC = FrozenTensor(name="acc", height=1, width=1, channels=3, bits=10, signed=True)
_Y = FrozenTensor(name="y", height=1, width=1, channels=3, bits=8, signed=True, exponent=-5)
_REAL = st.floats(-4, 4, allow_nan=False, width=32)
_VECTOR = st.lists(_REAL, min_size=3, max_size=3).map(np.array)


def _outputs(node: FrozenNode, inputs: tuple[FrozenTensor, ...], frames: np.ndarray) -> np.ndarray:
    graph = FrozenGraph(tensors={t.name: t for t in (*inputs, _Y)}, nodes=(node,), input="x", output="y", config={})
    check_exact(graph)
    model = FrozenBinaryViT(graph)
    tensors = [torch.from_numpy(f.reshape(-1, 1, 1, 3)).to(torch.int32) for f in frames]
    return model._ChannelAffine(node, _Y, *tensors).numpy().reshape(-1, 3)


@settings(max_examples=60, deadline=None)
@example(np.array([4.0, 2.0, 0.0]), np.zeros(3), np.array([4.0, 0.1328125, 0.0]), np.zeros(3), 11, True)
@given(_VECTOR, _VECTOR, _VECTOR, _VECTOR, st.sampled_from([6, 8, 11]), st.booleans())
def test_fit_affine_follows_the_real_numbers(
    factor: np.ndarray, bias: np.ndarray, slope: np.ndarray, bias2: np.ndarray, bits: int, prelu: bool
) -> None:
    """Off by less than a step plus what rounding coefficient and slope to ``bits`` can cost."""
    factor = factor / 32
    real = RealAffine(
        factors=(factor, 0.5), bias=bias[None], slope=slope if prelu else None, bias2=bias2[None] if prelu else None
    )
    node = fit_affine((_ACC, _X), _Y, real, coef_bits=bits, slope_bits=bits)
    rng = np.random.default_rng(0)
    acc, x = rng.integers(-512, 512, (40, 3)), rng.integers(-128, 128, (40, 3))
    got = _outputs(node, (_ACC, _X), np.stack([acc, x])) * 2.0**_Y.exponent
    t = factor * acc + 0.5 * x * 2.0**_X.exponent + bias
    want = np.where(t >= 0, t, slope * t) + bias2 if prelu else t
    step = 2.0**_Y.exponent
    coefficient = np.max(np.abs(factor)) * 2.0 ** (1 - bits) * np.abs(acc)
    tolerance = step + coefficient * (np.maximum(1, np.abs(slope)) if prelu else 1)
    if prelu:
        mantissa = max(np.max(np.abs(slope)), 0.5) * 2.0 ** (1 - bits)
        slope_step = 2.0 ** -node.attrs["slope_shift"]
        if slope_step > 4 * mantissa:
            # Coarser than ``bits`` want (a slope that rounds up to a power of two takes one more): only where the
            # product would else leave what float32 holds exactly.
            most = 512 * int(np.abs(node.params["coef0"]).max()) + (128 << node.attrs["shift"][1])
            most += int(np.abs(node.params["bias"]).max())
            times = max(1 << node.attrs["slope_shift"], int(np.abs(node.params["slope"]).max()))
            product = (most >> node.attrs["mid_shift"]) * times
            assert 2 * product + int(np.abs(node.params["bias2"]).max()) >= 2**EXACT_BITS
        tolerance = tolerance + np.abs(t) * max(mantissa, slope_step / 2) + step * np.abs(slope)
    low, high = -128 * step, 127 * step
    assert (np.abs(got - np.clip(want, low, high)) <= tolerance).all()


def test_fit_affine_rounds_half_up_exactly() -> None:
    """With factors that need no rounding, the node is floor(v + 1/2), saturated: ties included."""
    real = RealAffine(factors=(np.array([0.5, -0.25, 0.75]),), bias=np.array([[0.0, 1 / 64, -1.0]]))
    node = fit_affine((_X,), _Y, real, coef_bits=8, slope_bits=8)
    x = np.repeat(np.arange(-128, 128)[:, None], 3, axis=1)
    got = _outputs(node, (_X,), x[None])
    want = np.clip(np.floor(x * [0.5, -0.25, 0.75] + np.array([0.0, 0.5, -32.0]) + 0.5), -128, 127)
    assert (got == want).all()


def test_fit_affine_gives_up_by_name() -> None:
    far = replace(_X, name="far", exponent=40)
    real = RealAffine(factors=(1.0, 1.0), bias=np.zeros((1, 3)))
    with pytest.raises(FreezeError, match=r"^y: no alignment keeps ChannelAffine below 2\*\*24"):
        fit_affine((_X, far), _Y, real, coef_bits=8, slope_bits=8)
    steep = RealAffine(
        factors=(np.ones(3),), bias=np.zeros((1, 3)), slope=np.full(3, 1e4), bias2=np.zeros((1, 3))
    )  # fmt: skip
    with pytest.raises(FreezeError, match=r"^y: .*slopes up to 10000"):
        fit_affine((_X,), _Y, steep, coef_bits=8, slope_bits=8)
    nan = RealAffine(factors=(np.array([1.0, np.nan, 1.0]),), bias=np.zeros((1, 3)))
    with pytest.raises(FreezeError, match="y: factor 0 holds a value that is not finite"):
        fit_affine((_X,), _Y, nan, coef_bits=8, slope_bits=8)
    with pytest.raises(FreezeError, match="y: no exponent keeps MultiPool"):
        fit_multi_pool(_X, _Y, np.full((4, 3), 1e4), np.zeros(3), coef_bits=8)


def test_an_addend_too_fine_to_matter_counts_nothing() -> None:
    """What never reaches half a step may be as fine as it likes; a little more than that and it must be added."""
    wide = replace(_X, name="wide", bits=18, exponent=_Y.exponent)
    fine = replace(_X, name="fine", exponent=_Y.exponent - _X.bits)
    real = RealAffine(factors=(1.0, 1.0), bias=np.zeros((1, 3)))
    node = fit_affine((wide, fine), _Y, real, coef_bits=8, slope_bits=8)
    wide_values = np.arange(-96, 96).reshape(1, -1, 3)
    fine_values = np.where(np.arange(192).reshape(1, -1, 3) % 2, -128, 127)
    assert (_outputs(node, (wide, fine), np.stack([wide_values[0], fine_values[0]])) == wide_values[0]).all()
    with pytest.raises(FreezeError, match=r"^y: no alignment"):
        fit_affine((wide, replace(fine, bits=9)), _Y, real, coef_bits=8, slope_bits=8)


def test_rounded_coefficients_leave_no_mean_error() -> None:
    """At the input's mean the node gives what the real factor gives, however coarse the mantissa."""
    factor, mean = np.array([1.0, 0.013, -0.37]), np.array([1.5, 3.0, -2.0])
    real = RealAffine(factors=(factor,), bias=np.zeros((1, 3)), centre=mean)
    x = np.broadcast_to(np.round(mean * 32), (1, 1, 3)).astype(np.int64)
    want = np.floor(factor * mean * 32 + 0.5)
    assert (_outputs(fit_affine((_X,), _Y, real, coef_bits=4, slope_bits=8), (_X,), x) == want).all()
    plain = replace(real, centre=None)
    assert (_outputs(fit_affine((_X,), _Y, plain, coef_bits=4, slope_bits=8), (_X,), x) != want).any()


@given(st.floats(-1e3, 1e3), st.integers(2, 12))
def test_mantissa_is_filled(peak: float, bits: int) -> None:
    exponent = mantissa_exponent(np.array([peak, -peak / 3]), bits)
    if peak == 0:
        assert exponent is None
        return
    assert exponent is not None
    limit = 2 ** (bits - 1) - 1
    assert abs(np.floor(np.ldexp(peak, -exponent) + 0.5)) <= limit
    assert max(abs(np.floor(np.ldexp(v, 1 - exponent) + 0.5)) for v in (peak, -peak / 3)) > limit


def test_power_of_two() -> None:
    assert [power_of_two(f) for f in (1.0, 0.25, 8.0, 1 / 9, -1.0, 0.0)] == [0, -2, 3, None, None, None]
    assert power_of_two(np.ones(3)) is None


@given(_VECTOR, st.sampled_from([1, 4, 9]), st.integers(-7, -1))
def test_threshold_decides_as_the_sign(move: np.ndarray, divisor: int, exponent: int) -> None:
    x = replace(_X, exponent=exponent)
    threshold = binarize_threshold(x, move, divisor)
    values = np.arange(-128, 128)[:, None]
    for c in range(3):
        want = [Fraction(int(v)) * Fraction(2) ** exponent / divisor + Fraction(move[c]) >= 0 for v in values[:, 0]]
        assert (values[:, 0] >= threshold[c]).tolist() == want
    assert (threshold >= -128).all() and (threshold <= 128).all()
