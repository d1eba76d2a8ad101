"""From real coefficients to the integers of ChannelAffine, MultiPool and Binarize (docs/contract.md).

Each coefficient tensor gets the power-of-two exponent with which its largest magnitude fills the mantissa; inputs are
aligned by shifts; where the exact range of 24 bits does not suffice, all exponents of the node are raised together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bvit_hw.contract import EXACT_BITS, FrozenNode, FrozenTensor
from bvit_hw.contract.exactness import intermediates
from bvit_hw.contract.interval import Interval
from bvit_hw.contract.operators.channel_affine import MID_BITS, affine_rest, affine_total
from bvit_hw.errors import FreezeError

FloatArray = NDArray[np.float64]

#: fractional bits kept below the output's own step before the last rounding
GUARD_BITS = 4


@dataclass(frozen=True, kw_only=True)
class RealAffine:
    """A ChannelAffine in real numbers: rprelu(sum_i factors[i] * x_i + bias), all per channel.

    ``factors`` has a scalar or an array of C for each input; ``bias`` and ``bias2`` are (1 or tokens) x C. Without
    RPReLU ``slope`` and ``bias2`` are None. ``centre`` (C), where known, is the mean of the first input: rounding that
    input's factor then leaves no mean error, the bias takes it up.
    """

    factors: tuple[float | FloatArray, ...]
    bias: FloatArray
    slope: FloatArray | None = None
    bias2: FloatArray | None = None
    centre: FloatArray | None = None


def half_up(x: np.ndarray) -> NDArray[np.int64]:
    """floor(x + 1/2), the rounding of the whole contract, as int64."""
    return np.floor(np.asarray(x, dtype=np.float64) + 0.5).astype(np.int64)


def mantissa_exponent(values: np.ndarray, bits: int) -> int | None:
    """Smallest exponent e with which half_up(values / 2**e) fits ``bits`` signed bits; None if all values are 0."""
    peak = float(np.max(np.abs(values), initial=0.0))
    if peak == 0.0:
        return None
    limit = (1 << (bits - 1)) - 1
    exponent = math.frexp(peak)[1] - bits
    while np.max(np.abs(half_up(np.ldexp(values, -exponent)))) > limit:
        exponent += 1
    return exponent


def power_of_two(factor: float | FloatArray) -> int | None:
    """log2 of a scalar factor if that is an integer, else None."""
    if isinstance(factor, np.ndarray) or factor <= 0:
        return None
    mantissa, exponent = math.frexp(factor)
    return exponent - 1 if mantissa == 0.5 else None


def _constant(values: np.ndarray, shift: int) -> NDArray[np.int64]:
    """What added to an integer and shifted right by ``shift`` gives the integer plus ``values``, rounded half up.

    floor(integer + values + half) is what floor(values + half) gives: nothing is lost by the constant's own rounding.
    """
    return np.floor(np.asarray(values, dtype=np.float64) + math.ldexp(0.5, shift)).astype(np.int64)


def _require_finite(name: str, real: RealAffine) -> None:
    for label, values in (
        *((f"factor {i}", f) for i, f in enumerate(real.factors)),
        ("bias", real.bias),
        ("slope", real.slope),
        ("bias2", real.bias2),
        ("centre", real.centre),
    ):
        if values is not None and not np.all(np.isfinite(values)):
            raise FreezeError(f"{name}: {label} holds a value that is not finite")


def fit_affine(
    inputs: Sequence[FrozenTensor],
    output: FrozenTensor,
    real: RealAffine,
    *,
    coef_bits: int,
    slope_bits: int,
    guard: int = GUARD_BITS,
) -> FrozenNode:
    """The ChannelAffine node that computes ``real`` on the grids of ``inputs`` and ``output``.

    The sum keeps at least ``guard`` bits below the output's step, for the bias's sake, where the exact range allows.
    A plain addend whose grid is too fine for any alignment, and that can never reach half a step of the output (a pool
    branch that was never trained, say), counts 0. Raises :class:`FreezeError`, naming the output tensor, if no
    alignment stays below 2**24.
    """
    _require_finite(output.name, real)
    try:
        return _fit_affine(inputs, output, real, coef_bits, slope_bits, guard)
    except FreezeError:
        factors = tuple(
            np.zeros(output.channels) if _negligible(x, factor, output) else factor
            for x, factor in zip(inputs, real.factors, strict=True)
        )
        if all(new is old for new, old in zip(factors, real.factors, strict=True)):
            raise
        return _fit_affine(inputs, output, replace(real, factors=factors), coef_bits, slope_bits, guard)


def _negligible(x: FrozenTensor, factor: float | FloatArray, output: FrozenTensor) -> bool:
    """Whether ``x``, added as it is or shifted, stays within half a step of ``output``."""
    power = power_of_two(factor)
    return power is not None and x.bits - x.signed + x.exponent + power <= output.exponent - 1


def _fit_affine(
    inputs: Sequence[FrozenTensor],
    output: FrozenTensor,
    real: RealAffine,
    coef_bits: int,
    slope_bits: int,
    guard: int,
) -> FrozenNode:
    # Exponent that each input's term would have if only that input counted.
    wanted: list[int] = []
    fixed: list[bool] = []
    for x, factor in zip(inputs, real.factors, strict=True):
        power = power_of_two(factor)
        fixed.append(power is not None)
        if power is not None:
            wanted.append(power + x.exponent)
            continue
        exponent = mantissa_exponent(np.asarray(factor), coef_bits)
        # Mantissa bits that could not move the output by more than a guard bit only cost adder width.
        useless = output.exponent - GUARD_BITS - x.bits
        wanted.append(output.exponent if exponent is None else max(exponent + x.exponent, useless))
    first = min(*wanted, output.exponent - guard)
    last = min([w for w, f in zip(wanted, fixed, strict=True) if f] + [output.exponent])
    reason = f"an input with a plain shift has exponent {last}, below the first usable {first}"
    for exponent in range(first, last + 1):
        try:
            return _affine_at(exponent, inputs, output, real, wanted, fixed, coef_bits, slope_bits)
        except FreezeError as error:
            reason = str(error)
    raise FreezeError(f"{output.name}: no alignment keeps ChannelAffine below 2**{EXACT_BITS}: {reason}")


def _affine_at(
    exponent: int,
    inputs: Sequence[FrozenTensor],
    output: FrozenTensor,
    real: RealAffine,
    wanted: Sequence[int],
    fixed: Sequence[bool],
    coef_bits: int,
    slope_bits: int,
) -> FrozenNode:
    """The node whose sum ``t`` has the given exponent; :class:`FreezeError` if it does not fit."""
    params: dict[str, np.ndarray] = {}
    shifts = []
    for i, (x, factor, own) in enumerate(zip(inputs, real.factors, wanted, strict=True)):
        term = max(own, exponent)
        shifts.append(term - exponent)
        if shifts[-1] > EXACT_BITS:
            raise FreezeError(f"{x.name} counts 2**{shifts[-1]} times as much as what is added to it")
        if not fixed[i]:
            coefficient = np.broadcast_to(np.asarray(factor, dtype=np.float64), (output.channels,))
            params[f"coef{i}"] = half_up(coefficient * 2.0 ** (x.exponent - term)).astype(np.int32)
    multiply = tuple(int(not f) for f in fixed)
    constant = real.bias
    if real.centre is not None and not fixed[0]:
        kept = params["coef0"] * 2.0 ** (max(wanted[0], exponent) - inputs[0].exponent)
        constant = constant + (np.asarray(real.factors[0]) - kept) * real.centre
    bias = constant * 2.0**-exponent
    attrs: dict[str, int | tuple[int, ...]] = {
        "multiply": multiply, "shift": tuple(shifts), "prelu": int(real.slope is not None), "mid_shift": 0,
        "slope_shift": 0, "out_shift": 0, "coef_bits": coef_bits, "slope_bits": slope_bits,
    }  # fmt: skip

    def node() -> FrozenNode:
        return FrozenNode(
            op="ChannelAffine", inputs=tuple(x.name for x in inputs), output=output.name, attrs=attrs, params=params
        )

    def total(shift: int) -> Interval:
        params["bias"] = _stored(_constant(bias, shift), output.name, "bias")
        last: Interval | None = None
        for name, interval in affine_total(node(), tuple(Interval.of(x) for x in inputs)):
            _require_exact(interval, output.name, name)
            last = interval
        assert last is not None
        return last

    if real.slope is None:
        attrs["out_shift"] = output.exponent - exponent
        total(output.exponent - exponent)
        return node()
    assert real.bias2 is not None
    mid_shift = max(0, output.exponent - GUARD_BITS - exponent)
    while not total(mid_shift).shifted_right(mid_shift).fits(MID_BITS):
        mid_shift += 1
    attrs["mid_shift"] = mid_shift
    slope_limit = (1 << (slope_bits - 1)) - 1
    for slope_shift in range(slope_bits, -1, -1):
        slope = half_up(real.slope * 2.0**slope_shift)
        step = exponent + mid_shift - slope_shift
        if np.max(np.abs(slope)) > slope_limit:
            continue
        if step > output.exponent:
            raise FreezeError(
                f"{output.name}: m needs a step of 2**{exponent + mid_shift} to fit {MID_BITS} bits, "
                f"too coarse for the output's 2**{output.exponent}"
            )
        attrs["slope_shift"], attrs["out_shift"] = slope_shift, output.exponent - step
        params["slope"] = slope.astype(np.int32)
        bias2 = _constant(real.bias2 * 2.0**-step, output.exponent - step)
        params["bias2"] = _stored(bias2, output.name, "bias2")
        rest = list(affine_rest(node(), total(mid_shift)))
        if all(interval.peak < 1 << EXACT_BITS for _, interval in rest):
            return node()
    raise FreezeError(
        f"{output.name}: slopes up to {np.max(np.abs(real.slope)):g} in magnitude do not fit {slope_bits} bits "
        f"beside bias2 within 2**{EXACT_BITS}"
    )


def _stored(values: NDArray[np.int64], tensor: str, name: str) -> np.ndarray:
    if np.max(np.abs(values)) >= 1 << EXACT_BITS:
        raise FreezeError(
            f"{tensor}: {name} reaches {np.max(np.abs(values))}; exact execution in float32 allows less than 2**24"
        )
    return values.astype(np.int32)


def _require_exact(interval: Interval, tensor: str, name: str) -> None:
    if interval.peak >= 1 << EXACT_BITS:
        raise FreezeError(f"{tensor}: {name} can reach {interval.peak}; allowed is less than 2**{EXACT_BITS}")


def fit_multi_pool(
    x: FrozenTensor, output: FrozenTensor, factors: FloatArray, bias: FloatArray, *, coef_bits: int
) -> FrozenNode:
    """The MultiPool node for real ``factors`` (4 x C, on window sums, order h3, w3, h5, w5) and ``bias`` (C)."""
    if not (np.all(np.isfinite(factors)) and np.all(np.isfinite(bias))):
        raise FreezeError(f"{output.name}: a coefficient of the pool branches is not finite")
    natural = mantissa_exponent(factors, coef_bits)
    useless = output.exponent - GUARD_BITS - x.bits - 2
    first = output.exponent if natural is None else min(max(natural + x.exponent, useless), output.exponent)
    reason = ""
    for exponent in range(first, output.exponent + 1):
        shift = output.exponent - exponent
        coef = half_up(factors * 2.0 ** (x.exponent - exponent))
        if np.max(np.abs(coef)) >= 1 << (coef_bits - 1):
            reason = f"coefficients reach {np.max(np.abs(coef))}, more than {coef_bits} bits hold"
            continue
        params = {
            "coef": coef.astype(np.int32),
            "bias": _stored(_constant(bias * 2.0**-exponent, shift), output.name, "bias"),
        }
        node = FrozenNode(
            op="MultiPool", inputs=(x.name,), output=output.name,
            attrs={"coef_bits": coef_bits, "out_shift": shift}, params=params,
        )  # fmt: skip
        tensors: Mapping[str, FrozenTensor] = {x.name: x, output.name: output}
        over = [(n, v.peak) for n, v in intermediates(node, tensors) if v.peak >= 1 << EXACT_BITS]
        if not over:
            return node
        reason = f"{over[0][0]} can reach {over[0][1]}"
    raise FreezeError(f"{output.name}: no exponent keeps MultiPool below 2**{EXACT_BITS}: {reason}")


def binarize_threshold(x: FrozenTensor, move: FloatArray, divisor: int) -> np.ndarray:
    """Integers T (C): x_int >= T exactly where x_int * 2**exponent / divisor + move >= 0; clamped to low..high + 1."""
    if not np.all(np.isfinite(move)):
        raise FreezeError(f"threshold on {x.name}: a move is not finite")
    low = -(1 << (x.bits - 1)) if x.signed else 0
    high = (1 << (x.bits - x.signed)) - 1
    threshold = np.ceil(-np.asarray(move, dtype=np.float64) * divisor * 2.0**-x.exponent)
    return np.clip(threshold, low, high + 1).astype(np.int32)
