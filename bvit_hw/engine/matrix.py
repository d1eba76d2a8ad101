"""Nodes that need the matrix unit: products with bits, and with integers in planes of bits (docs/engine.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bvit_hw.contract.interval import IntArray, signed_bits
from bvit_hw.engine.commands import MATRIX, PLAIN, BitMode, Command, Kind, Step, Tap, View
from bvit_hw.engine.config import COLUMNS, OCTET
from bvit_hw.engine.emitter import Emitter, bit_strides, octet_view, records, strides
from bvit_hw.engine.layout import Bits, Layout, Values
from bvit_hw.engine.vector import WIDE, Affine, Binarized, octets, to_bits, with_threshold


@dataclass(frozen=True)
class Columns:
    """What a product's columns are: windows of ``rows`` x ``columns`` tokens of a tensor, as bits or in planes."""

    planes: tuple[Bits, ...]
    signed: bool = False
    rows: int = 1
    columns: int = 1

    @property
    def tokens(self) -> int:
        """Tokens of a window."""
        return self.rows * self.columns

    def offsets(self) -> list[list[int]]:
        """For each plane the words of a window, in the order of the columns."""
        first = self.planes[0]
        row, slot = bit_strides(first)
        window = [y * row + x * slot for y in range(self.rows) for x in range(self.columns)]
        return [[p.base - first.base + at + i for at in window for i in range(first.words)] for p in self.planes]


def in_planes(e: Emitter, x: Values, bits: int, rows: int = 1, columns: int = 1) -> Columns:
    """A tensor of integers of ``bits`` as planes, which the caller frees."""
    planes = tuple(e.new_bits(x.layout, x.channels) for _ in range(bits))
    for i, plane in enumerate(planes):
        to_bits(e, x, plane, np.zeros(x.channels, dtype=np.int64), i)
    return Columns(planes, x.signed, rows, columns)


@dataclass
class _Products:
    """Steps, and the words of weights that they name: each turns x rows x 64 bits."""

    steps: list[Step]
    words: list[np.ndarray]
    #: what the sums have to be corrected by, for each row; and log2 of what they then are too large by
    constant: IntArray
    shift: int


def _cut(weights: np.ndarray, x: Columns, turns: int, rows: int, pad: int) -> np.ndarray:
    """Weights by words of the window, turns x rows x 64 each; ``pad`` where no channel is."""
    first = x.planes[0]
    whole = np.full((turns * rows, x.tokens, first.words * COLUMNS), pad, dtype=np.int64)
    whole[: len(weights), :, : first.channels] = weights.reshape(len(weights), x.tokens, first.channels)
    return whole.reshape(turns, rows, -1, COLUMNS).transpose(2, 0, 1, 3)


def _binary(weights: np.ndarray, x: Columns, turns: int, rows: int) -> _Products:
    cut = _cut(weights, x, turns, rows, 1)
    offsets = x.offsets()[0]
    missing = len(offsets) * COLUMNS - weights.shape[1]
    steps = [Step(at, i, 0, _count(x, i)) for i, at in enumerate(offsets)]
    return _Products(steps, list(cut > 0), np.full(len(weights), missing), 0)


def _count(x: Columns, word: int) -> int:
    """Octets of a word of bits that hold channels."""
    first = x.planes[0]
    return min(COLUMNS // OCTET, octets(first.channels - word % first.words * COLUMNS))


def _integers(weights: np.ndarray, x: Columns, turns: int, rows: int) -> _Products:
    """4wx = sum of a_q b_p u_q s_p - sum of b_p s_p + 2Bw, with a and b the planes' powers of two and signs."""
    depth = signed_bits(int(np.min(weights)), int(np.max(weights)))
    cut = _cut(weights, x, turns, rows, 0)
    steps: list[Step] = []
    words: list[np.ndarray] = []
    known: dict[tuple[int, int, bool], int] = {}

    def word(plane: int, column: int, turned: bool) -> int:
        """Which word of weights is a plane, turned or not; plane ``depth`` is of ones."""
        key = (plane, column if plane < depth else 0, turned)
        if key not in known:
            known[key] = len(words)
            found = cut[column] >> plane & 1 if plane < depth else np.ones_like(cut[0])
            words.append((found ^ turned).astype(bool))
        return known[key]

    last, offsets = len(x.planes) - 1, x.offsets()
    for power in reversed(range(last + depth)):
        double = bool(steps)
        for p, places in enumerate(offsets):
            negative = x.signed and p == last
            pairs = [(power - p, (power - p == depth - 1) != negative)] if 0 <= power - p < depth else []
            if power == p:
                pairs.append((depth, not negative))
            for plane, turned in pairs:
                for column, at in enumerate(places):
                    steps.append(Step(at, word(plane, column, turned), 0, _count(x, column), double=double))
                    double = False
    base = -1 if x.signed else (1 << len(x.planes)) - 1
    return _Products(steps, words, 2 * base * weights.sum(axis=1, dtype=np.int64), 2)


def product(
    e: Emitter, x: Columns, weights: np.ndarray, layout: Layout, out: Values | Bits, *, binary: bool,
    tail: Affine | None = None, beside: Binarized | None = None,
) -> None:  # fmt: skip
    """The product with ``weights`` (rows x columns), of bits as +-1 where ``binary``, else of integers.

    Bits of ``out`` say whether it is above 0. A ``tail`` is computed of it in the same command, with bits ``beside``.
    """
    rows, group = e.config.rows, e.config.channels
    turns = -(-len(weights) // rows)
    found = (_binary if binary else _integers)(weights.astype(np.int64), x, turns, rows)
    # Of bits a coefficient of 1 leaves the rows out that are not there; of integers their sums are 0.
    if tail is None:
        ones = [np.ones(len(weights), dtype=np.int64)] if binary else []
        fixed = records(group, found.constant, 0, 0, 1, *ones)
        taps = [Tap(MATRIX, coef=0 if binary else PLAIN)]
    else:
        assert binary
        taps = tail.named()
        bias = tail.bias + sum(tail.coefs[t.coef] * found.constant << t.shift for t in taps if t.source == MATRIX)
        threshold = 0 if beside is None else beside.threshold
        fixed = records(group, bias, tail.bias2, tail.slope, threshold, *tail.coefs)
    if beside is not None:
        fixed = with_threshold(fixed, len(weights))
    size, per_turn = fixed.shape[1], rows // group
    e.limit("weights", len(found.words), e.config.weights)
    e.limit("params", per_turn * size, e.config.params)
    most = min(e.config.weights // len(found.words), e.config.params // (per_turn * size))
    e.load_steps(found.steps)
    tap_count = e.load_taps(taps)
    n1, n2 = layout.loops
    plain = Command(kind=Kind.COMPUTE, out_shift=found.shift, out_bits=WIDE)
    command = replace(
        plain if tail is None else tail.operands(per_turn),
        n1=n1, n2=n2, step_count=len(found.steps), tap_count=tap_count, record=size,
        bits_in=View(x.planes[0].base, 0, *bit_strides(x.planes[0], x.rows, x.columns)),
        weights=View(0, len(found.words)), param_stride=per_turn * size, lanes=layout.lanes,
    )  # fmt: skip
    if isinstance(out, Values):
        view = View(out.base, per_turn * out.bytes, *strides(out))
        command = replace(command, values_out=view, out_group=out.bytes, out_bytes=out.bytes)
    made = out if isinstance(out, Bits) else beside.bits if beside else None
    if made is not None:
        command = replace(command, bits_out=octet_view(made, rows // OCTET), bit_mode=BitMode.THRESHOLD)
    words = np.stack(found.words)
    for first, count, groups in _parts(len(fixed), per_turn, most):
        e.load_weights(words[:, first : first + count].swapaxes(0, 1).reshape(-1, rows, COLUMNS))
        e.load_params(fixed[first * per_turn : first * per_turn + (count - 1) * per_turn + groups])
        operands = [replace(view, base=view.base + first * view.s0) for view in command.operands]
        e.commands.append(replace(
            command, n0=count, groups=groups,
            operand0=operands[0], operand1=operands[1], operand2=operands[2], operand3=operands[3],
            values_out=replace(command.values_out, base=command.values_out.base + first * command.values_out.s0),
            bits_out=replace(command.bits_out, base=command.bits_out.base + first * command.bits_out.s0),
        ))  # fmt: skip


def _parts(groups: int, per_turn: int, most: int) -> list[tuple[int, int, int]]:
    """First turn, turns and groups of each command: ``most`` whole turns at once, then what is left of one."""
    whole, left = divmod(groups, per_turn)
    parts = [(first, min(most, whole - first), per_turn) for first in range(0, whole, most)]
    return [*parts, (whole, 1, left)] if left else parts


def gathered(e: Emitter, x: Values, bits: int, weights: np.ndarray, out: Values) -> None:
    """Channels of ``out`` as sums of those of ``x``, which no view reaches: repeats and pools that cut groups."""
    columns = in_planes(e, x, bits)
    product(e, columns, weights, x.layout, out, binary=False)
    e.free(*columns.planes)


def selection(rows: Sequence[Sequence[int]], columns: int) -> np.ndarray:
    """Weights 1 at the columns that each row names, else 0."""
    weights = np.zeros((len(rows), columns), dtype=np.int64)
    for row, named in enumerate(rows):
        weights[row, list(named)] = 1
    return weights
