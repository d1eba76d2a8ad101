"""Nodes that need the matrix unit: products with bits, and with integers in planes of bits (docs/engine_design.md)."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from bvit_hw.contract.interval import IntArray, signed_bits
from bvit_hw.engine.affine import Affine, in_shifts, of_larger, tail_records
from bvit_hw.engine.commands import MATRIX, MID_SHIFTS, PLAIN, Command, Kind, Step, Tap, View, up_to
from bvit_hw.engine.config import COLUMNS, OCTET
from bvit_hw.engine.emitter import Emitter, Rect, Results, records
from bvit_hw.engine.layout import Bits, Lines, Values
from bvit_hw.engine.machine import Machine
from bvit_hw.engine.residence import Content
from bvit_hw.engine.vector import WIDE, line_runs, octets, to_bits
from bvit_hw.errors import LimitError


@dataclass(frozen=True)
class Columns:
    """What a product's columns are: windows of ``rows`` x ``columns`` tokens of a tensor, as bits or in planes.

    ``source`` has the lines for results from line ``first`` on, of the lowest plane; ``apart``: how far from it the
    planes lie. Of ``signed`` integers the highest plane counts less than 0, but it lies inverted with ``raised``: then
    the planes are those of numbers that are 2^(planes - 1) larger.
    """

    source: Lines
    first: int = 0
    apart: tuple[int, ...] = (0,)
    signed: bool = False
    raised: bool = False
    rows: int = 1
    columns: int = 1

    @property
    def one(self) -> Bits:
        """Its first piece, which says what all have in common."""
        piece = self.source.pieces[0]
        assert isinstance(piece, Bits)
        return piece

    @property
    def words(self) -> int:
        """Words of a window in a plane."""
        return self.rows * self.columns * self.one.words

    def lines(self, count: int) -> list[list[int]]:
        """The addresses of a window's lines, for each line of results."""
        return [[self.source.at((self.first + y) * self.rows + d) for d in range(self.rows)] for y in range(count)]

    def offsets(self, lines: Sequence[int]) -> list[list[int]]:
        """For each plane the words of a window, in the order of the columns."""
        found = [at - lines[0] + i for at in lines for i in range(self.columns * self.one.words)]
        return [[plane + at for at in found] for plane in self.apart]


def in_planes(
    e: Emitter, x: Lines, bits: int, weights: np.ndarray, first: int = 0, rows: int = 1, columns: int = 1
) -> tuple[Columns, tuple[Bits, ...]]:  # fmt: skip
    """A tensor of integers of ``bits`` as planes, which the caller frees, for results from line ``first`` on.

    Where sums with ``weights`` have room for it, signed integers are raised: else each plane of weights would lie in
    DRAM turned as well.
    """
    given = [piece for piece in x.pieces if isinstance(piece, Values)]
    layout = given[0].layout
    if not layout.extra:
        layout = replace(layout, rows=sum(piece.layout.rows for piece in given))
    raised = given[0].signed and _half_sum(weights, bits) < 1 << Machine.SUM_BITS - 1
    planes = tuple(e.new_bits(layout, given[0].channels) for _ in range(bits))
    for i, plane in enumerate(planes):
        line = 0
        for piece in given:
            part = plane.part(line, line + piece.layout.lines)
            to_bits(e, piece, part, np.full(piece.channels, raised << bits - 1, dtype=np.int64), i)
            line += piece.layout.lines
    source = Lines((planes[0],), x.first)
    apart = tuple(plane.base - planes[0].base for plane in planes)
    return Columns(source, first, apart, given[0].signed, raised, rows, columns), planes


@dataclass(frozen=True)
class _Step:
    """A step whose word of bits is a column of a plane."""

    plane: int
    column: int
    weights: int
    double: bool = False


@dataclass(frozen=True)
class _Products:
    """Steps, and the words of weights that they name: each turns x rows x 64 bits."""

    steps: list[_Step]
    words: np.ndarray
    #: what the sums have to be corrected by, for each row; and log2 of what they then are too large by
    constant: IntArray
    shift: int


def _cut(weights: np.ndarray, x: Columns, turns: int, rows: int, pad: int) -> np.ndarray:
    """Weights by words of the window, turns x rows x 64 each; ``pad`` where no channel is."""
    first, tokens = x.one, x.rows * x.columns
    whole = np.full((turns * rows, tokens, first.words * COLUMNS), pad, dtype=np.int64)
    whole[: len(weights), :, : first.channels] = weights.reshape(len(weights), tokens, first.channels)
    return whole.reshape(turns, rows, -1, COLUMNS).transpose(2, 0, 1, 3)


def _binary(weights: np.ndarray, x: Columns, turns: int, rows: int) -> _Products:
    cut = _cut(weights, x, turns, rows, 1)
    missing = x.words * COLUMNS - weights.shape[1]
    steps = [_Step(0, i, i) for i in range(x.words)]
    return _Products(steps, cut > 0, np.full(len(weights), missing), 0)


def _count(x: Columns, word: int) -> int:
    """Octets of a word of bits that hold channels."""
    return min(COLUMNS // OCTET, octets(x.one.channels - word % x.one.words * COLUMNS))


def _half_sum(weights: np.ndarray, bits: int) -> int:
    """What half of the unit's sum of integers up to 2^``bits`` stays below."""
    return (2 << bits) * int(np.max(np.abs(weights.astype(np.int64)).sum(axis=1)))


def _integers(weights: np.ndarray, x: Columns, turns: int, rows: int) -> _Products:
    """4wx = sum of a_q b_p u_q s_p - sum of b_p s_p + 2Bw, with a and b the planes' powers of two and signs."""
    depth = signed_bits(int(np.min(weights)), int(np.max(weights)))
    cut = _cut(weights, x, turns, rows, 0)
    steps: list[_Step] = []
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

    planes = len(x.apart)
    for power in reversed(range(planes - 1 + depth)):
        double = bool(steps)
        for p in range(planes):
            negative = x.signed and not x.raised and p == planes - 1
            pairs = [(power - p, (power - p == depth - 1) != negative)] if 0 <= power - p < depth else []
            if power == p:
                pairs.append((depth, not negative))
            for plane, turned in pairs:
                for column in range(x.words):
                    steps.append(_Step(p, column, word(plane, column, turned), double))
                    double = False
    base = -1 if x.signed else (1 << planes) - 1
    peak = _half_sum(weights, planes - (x.signed and not x.raised))
    if peak >= 1 << Machine.SUM_BITS - 1:
        raise LimitError(f"engine: twice a sum of integers={peak}; allowed: below {1 << Machine.SUM_BITS - 1}")
    return _Products(steps, np.stack(words), 2 * base * weights.sum(axis=1, dtype=np.int64), 2)


@dataclass(frozen=True)
class _Part:
    """Turns ``first`` .. of a product, as a command takes them."""

    first: int
    turns: int
    groups: int
    weights: Content
    params: Content


def product(
    e: Emitter, key: Hashable, x: Columns, weights: np.ndarray, results: Results, *, binary: bool,
    tail: Affine | None = None,
) -> None:  # fmt: skip
    """The product with ``weights`` (rows x columns), of bits as +-1 where ``binary``, else of integers.

    Bits say whether it is above 0; with a ``tail``, which is computed of it in the same command, whether that is at
    least the threshold. What does not depend on places is prepared once for each ``key``.
    """
    if e.dry:
        return
    rows, group = e.config.rows, e.config.channels
    turns, per_turn = -(-len(weights) // rows), rows // group
    found = e.contents.once(
        ("product", key), lambda: (_binary if binary else _integers)(weights.astype(np.int64), x, turns, rows)
    )
    depth, before = len(found.words), up_to(MID_SHIFTS, found.shift) - found.shift
    if tail is not None:
        tail = in_shifts(of_larger(tail, found.shift))

    def parts() -> tuple[list[_Part], int]:
        # Of bits a coefficient of 1 leaves the rows out that are not there; of integers their sums are 0.
        if tail is None:
            ones = [np.ones(len(weights), dtype=np.int64)] if binary else []
            fixed = records(group, found.constant << before, 0, 0, 1, *ones)
        else:
            # A tap may have become several.
            bias = tail.bias + sum(
                (found.constant if tap.coef == PLAIN else tail.coefs[tap.coef] * found.constant) << tap.shift
                for x, tap in tail.taps if x is None
            )
            fixed = tail_records(group, tail, results, bias)
        size = fixed.shape[1]
        e.limit("weights", depth, e.config.weights)
        e.limit("params", per_turn * size, e.config.params)
        # At most half a memory, so that the next part is loaded meanwhile; but a turn at least.
        most = max(1, min(e.config.weights // 2 // depth, e.config.params // 2 // (per_turn * size)))
        cut = []
        for first, count, groups in _parts(len(fixed), per_turn, most, tail.again // per_turn if tail else 0):
            words = found.words[:, first : first + count].swapaxes(0, 1).reshape(-1, rows, COLUMNS)
            some = fixed[first * per_turn : first * per_turn + (count - 1) * per_turn + groups]
            cut.append(_Part(first, count, groups, e.weights(words), e.params(some)))
        return cut, size

    cut, size = e.contents.once(("parts", key), parts)
    lines = x.lines(results.layout.lines)
    for start, lines_count, stride in line_runs(lines):
        rect = replace(Rect.of(results.layout), line=start, lines=lines_count)
        offsets = x.offsets(lines[start])
        steps = e.steps([
            Step(offsets[s.plane][s.column], s.weights, 0, _count(x, s.column), double=s.double) for s in found.steps
        ])  # fmt: skip
        for part in cut:
            if tail is None:
                command = Command(kind=Kind.COMPUTE, mid_shift=found.shift + before, out_bits=WIDE)
                taps = [Tap(MATRIX, shift=before, coef=0 if binary else PLAIN)]
            else:
                command, taps = tail.named(rect, per_turn, part.first * per_turn)
            command = results.named(command, rect, group, per_turn, part.first * per_turn)
            content = e.taps(taps)
            e.add(replace(
                command, n0=part.turns, groups=part.groups, step_count=len(found.steps), tap_count=content.words,
                record=size, param_stride=per_turn * size, weights=View(0, depth),
                bits_in=View(lines[start][0], 0, stride, x.columns * x.one.words),
            ), steps, content, part.weights, part.params)  # fmt: skip


def _parts(groups: int, per_turn: int, most: int, again: int = 0) -> list[tuple[int, int, int]]:
    """First turn, turns and groups of each command: ``most`` whole turns at once, then what is left of one.

    None goes beyond a multiple of ``again`` turns, where that is more than 1.
    """
    whole, left = divmod(groups, per_turn)
    starts = [0]
    while starts[-1] < whole:
        first = starts[-1]
        end = (first // again + 1) * again if again > 1 else whole
        starts.append(min(first + most, end, whole))
    parts = [(first, behind - first, per_turn) for first, behind in pairwise(starts)]
    return [*parts, (whole, 1, left)] if left else parts


def gathered(e: Emitter, key: Hashable, x: Values, bits: int, weights: np.ndarray, out: Values) -> None:
    """Channels of ``out`` as sums of those of ``x``, which no view reaches: repeats and pools that cut groups."""
    columns, planes = in_planes(e, Lines((x,), 0), bits, weights)
    product(e, key, columns, weights, Results(out.layout, out), binary=False)
    e.free(*planes)


def selection(rows: Sequence[Sequence[int]], columns: int) -> np.ndarray:
    """Weights 1 at the columns that each row names, else 0."""
    weights = np.zeros((len(rows), columns), dtype=np.int64)
    for row, named in enumerate(rows):
        weights[row, list(named)] = 1
    return weights
