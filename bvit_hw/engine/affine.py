"""What a ChannelAffine adds up, alone or behind a product or an attention: taps, views, and channels' numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bvit_hw.contract import FrozenNode
from bvit_hw.contract.interval import IntArray
from bvit_hw.engine.commands import MATRIX, MID_SHIFTS, OUT_SHIFTS, PLAIN, Command, Kind, Tap, View, up_to
from bvit_hw.engine.emitter import VIEWS, Emitter, Rect, Results, records
from bvit_hw.engine.layout import Lines, Values
from bvit_hw.engine.machine import Machine
from bvit_hw.errors import LimitError

#: bits of a factor
FACTOR_BITS = Machine.FACTOR_BITS


@dataclass(frozen=True)
class Operand:
    """A tensor that a tap reads for lines ``first`` .. of a result.

    ``factor``: each of its tokens is read for so many lines and columns (Upsample). ``again``: groups after which its
    channels begin anew (ChannelRepeat), 0 for never.
    """

    x: Lines
    first: int
    factor: int = 1
    again: int = 0

    @property
    def one(self) -> Values:
        """Its first piece, which says what all have in common."""
        piece = self.x.pieces[0]
        assert isinstance(piece, Values)
        return piece

    def view(self, rect: Rect) -> View:
        """Where it is read; a rectangle lies within one token of a tensor with a factor."""
        step = self.one.groups * self.one.bytes
        base = self.x.at((self.first + rect.line) // self.factor) + rect.slot // self.factor * step
        return View(base, 0, *((self.one.line, step) if self.factor == 1 else (0, 0)))


@dataclass(frozen=True)
class Affine:
    """Taps with their operands (None: the matrix unit's sum), and channels' numbers."""

    taps: list[tuple[Operand | None, Tap]]
    bias: IntArray
    bias2: IntArray
    slope: IntArray
    coefs: list[IntArray]
    #: the numbers of PReLU, shift and saturation
    command: Command
    #: biases of tokens, which the caller frees
    loaded: tuple[Values, ...]

    @property
    def again(self) -> int:
        """Groups after which an operand's channels begin anew; 0: none does."""
        return max((x.again for x, _ in self.taps if x is not None), default=0)

    def rects(self, results: Results) -> list[Rect]:
        """The rectangles of which each is a command: those in which every operand is at strides."""
        whole = Rect.of(results.layout)
        cuts = {(x.first, x.factor) for x, _ in self.taps if x is not None and x.factor > 1}
        lines = _runs([tuple((y + first) // factor for first, factor in cuts) for y in range(whole.lines)])
        slots = _runs([tuple(j // factor for _, factor in cuts) for j in range(whole.slots)])
        return [Rect(line, n, slot, m) for line, n in lines for slot, m in slots]

    def named(self, rect: Rect, turn: int = 0, first: int = 0) -> tuple[Command, list[Tap]]:
        """The command with its operands from group ``first`` on, and taps; outer turns have ``turn`` groups each."""
        views: dict[tuple[int, int, int, int], tuple[int, View]] = {}
        taps: list[Tap] = []
        for x, tap in self.taps:
            if x is None:
                taps.append(tap)
                continue
            found = x.view(rect)
            key = x.one.bytes, x.again, found.s1, found.s2
            if key not in views:
                start, step = (first % x.again, 0 if turn == x.again else turn) if x.again else (first, turn)
                shifted = replace(found, base=found.base + start * x.one.bytes, s0=step * x.one.bytes)
                views[key] = found.base, shifted
            taps.append(replace(tap, source=list(views).index(key), offset=found.base - views[key][0]))
        if len(views) > VIEWS:
            raise LimitError(f"engine: views of a command={len(views)}; allowed: at most {VIEWS}")
        given = [view for _, view in views.values()] + [View()] * VIEWS
        apart = [size for size, *_ in views] + [0] * VIEWS
        command = replace(
            self.command, operand0=given[0], operand1=given[1], operand2=given[2], operand3=given[3],
            group0=apart[0], group1=apart[1], group2=apart[2], group3=apart[3],
        )  # fmt: skip
        return command, taps


def affine_of(
    e: Emitter, node: FrozenNode, inputs: Sequence[Operand | None], results: Results, bits: int, tokens: slice,
    spare_rows: bool,
) -> Affine:  # fmt: skip
    """A ChannelAffine of ``tokens``; their biases come as tensors of the programme, for channels know no lanes.

    ``spare_rows``: the matrix unit's sums are not 0 in rows that are not there.
    """
    attrs, params = node.attrs, {key: value.astype(np.int64) for key, value in node.params.items()}
    channels = params["bias"].shape[-1]
    taps: list[tuple[Operand | None, Tap]] = []
    coefs: list[IntArray] = []
    for i, x in enumerate(inputs):
        coef = PLAIN
        # A coefficient leaves out the matrix unit's rows that are not there.
        if attrs["multiply"][i] or (x is None and spare_rows):
            coef = len(coefs)
            coefs.append(params[f"coef{i}"] if attrs["multiply"][i] else np.ones(channels, dtype=np.int64))
        tap = Tap(MATRIX) if x is None else Tap(0, 0, x.one.bytes, x.one.signed)
        taps.append((x, replace(tap, shift=attrs["shift"][i], coef=coef)))
    loaded: list[Values] = []
    bias = params["bias"]
    if len(bias) > 1:
        held = e.new_loaded(results.layout, channels, _bits_of(bias))
        e.load_values(held, bias[tokens])
        taps.append((Operand(Lines((held,), 0), 0), Tap(0, 0, held.bytes)))
        loaded.append(held)
        bias = np.zeros((1, channels), dtype=np.int64)
    command = Command(kind=Kind.COMPUTE, out_shift=attrs["out_shift"], out_bits=bits)
    slope, bias2 = np.zeros(channels, dtype=np.int64), np.zeros(channels, dtype=np.int64)
    if attrs["prelu"]:
        slope, bias2 = params["slope"], params["bias2"][0]
        command = replace(command, prelu=True, mid_shift=attrs["mid_shift"], slope_shift=attrs["slope_shift"])
    return Affine(taps, bias[0], bias2, slope, coefs, command, tuple(loaded))


def without_bias2(node: FrozenNode, bits: int) -> tuple[FrozenNode, FrozenNode, int]:
    """An affine with PReLU without its last bias, the affine of one tensor that adds that, and the bits between them.

    What does not fit these saturates the result, whatever the bias is.
    """
    shift, bias2 = node.attrs["out_shift"], node.params["bias2"]
    most = (1 << bits - 1 + shift) + int(np.max(np.abs(bias2.astype(np.int64))))
    bent = replace(
        node, attrs={**node.attrs, "out_shift": 0}, params={**node.params, "bias2": np.zeros_like(bias2[:1])}
    )  # fmt: skip
    adds = replace(
        node, params={"bias": bias2}, attrs={"multiply": (0,), "shift": (0,), "prelu": 0, "out_shift": shift}
    )  # fmt: skip
    return bent, adds, min((most - 1).bit_length() + 1, Machine.RESULT_BITS)


def _bits_of(x: IntArray) -> int:
    return int(max(int(np.max(x)), -int(np.min(x)) - 1, 1)).bit_length() + 1


def of_larger(tail: Affine, shift: int) -> Affine:
    """The same of a sum that is 2^``shift`` as large: shifted by less, or all else by more; sums have room for that.

    What is more is taken away in front of the PReLU: a second shift of a result that is not bent does the same.
    """
    given = next(tap.shift for x, tap in tail.taps if x is None)
    less = min(given, shift)
    more = shift - less

    def shifted(x: Operand | None, tap: Tap) -> Tap:
        return replace(tap, shift=given - less if x is None else tap.shift + more)

    command = replace(tail.command, mid_shift=tail.command.mid_shift + more)
    taps = [(x, shifted(x, tap)) for x, tap in tail.taps]
    return replace(tail, taps=taps, bias=tail.bias << more, command=command)


def in_shifts(tail: Affine) -> Affine:
    """The same with shifts to the right that the engine has: what they shift is made larger by factors and biases.

    Of a result that is not bent some of the second shift is in the first one, where it has to be. A tap becomes several
    where its factor is too large for one. LimitError for a number beyond its field.
    """
    c, coefs, taps = tail.command, list(tail.coefs), list[tuple[Operand | None, Tap]]()
    if not c.prelu and c.out_shift > OUT_SHIFTS[-1]:
        c = replace(c, mid_shift=c.mid_shift + c.out_shift - OUT_SHIFTS[-1], out_shift=OUT_SHIFTS[-1])
    mid_shift, out_shift = up_to(MID_SHIFTS, c.mid_shift), up_to(OUT_SHIFTS, c.out_shift)
    before, behind = mid_shift - c.mid_shift, out_shift - c.out_shift
    command = replace(c, mid_shift=mid_shift, slope_shift=c.slope_shift + behind, out_shift=out_shift)
    for name, value, most in (
        ("mid_shift", c.mid_shift, MID_SHIFTS[-1]), ("out_shift", c.out_shift, OUT_SHIFTS[-1]),
        ("slope_shift", command.slope_shift, FACTOR_BITS - 2),
    ):  # fmt: skip
        if value > most:
            raise LimitError(f"engine: {name}={value}; allowed: at most {most}")
    for x, tap in tail.taps:
        for part, coef in _in_factors(replace(tap, shift=tap.shift + before), coefs):
            if coef is not None:
                coefs.append(coef)
                part = replace(part, coef=len(coefs) - 1)
            taps.append((x, part))
    if len(coefs) > PLAIN:
        raise LimitError(f"engine: coefficients of a channel={len(coefs)}; allowed: at most {PLAIN}")
    bent = tail.slope << behind
    return replace(
        tail, taps=taps, coefs=coefs, bias=tail.bias << before, bias2=tail.bias2 << behind, slope=bent, command=command
    )  # fmt: skip


def _in_factors(tap: Tap, coefs: list[IntArray]) -> list[tuple[Tap, IntArray | None]]:
    """The tap, or several that add up to it where its factor is too large for one; those behind it with coefficients.

    The first one's coefficient is made smaller in its place.
    """
    most = max(part.shift for part in tap.split())
    if tap.coef == PLAIN:
        more = max(0, most - (FACTOR_BITS - 2))
        return [(replace(tap, shift=tap.shift - more), None)] * (1 << more)
    coef, peak = coefs[tap.coef], (1 << FACTOR_BITS - 1) - 1
    count = max(1, -(-(int(np.max(np.abs(coef))) << most) // peak))
    parts = [(coef + i) // count for i in range(count)]
    coefs[tap.coef] = parts[0]
    return [(tap, None), *((tap, part) for part in parts[1:])]


def tail_records(group: int, tail: Affine, results: Results, bias: IntArray) -> IntArray:
    """Records of an affine whose bias is ``bias``; channels that are not there stay below a threshold."""
    fixed = records(group, bias, tail.bias2, tail.slope, results.threshold, *tail.coefs)
    if results.bits is not None:
        # All their numbers are 0 but the threshold.
        fixed[-1, 2, group - (-len(bias) % group) :] = 1 << 16
    return fixed


def affine(e: Emitter, tail: Affine, results: Results) -> None:
    """A ChannelAffine of tensors in memory, token by token."""
    if e.dry:
        return
    group, tail = e.config.channels, in_shifts(tail)
    fixed = tail_records(group, tail, results, tail.bias)
    for rect in tail.rects(results):
        command, taps = tail.named(rect)
        e.compute(results.named(command, rect, group), taps, fixed)


def _runs(keys: Sequence[object]) -> list[tuple[int, int]]:
    """First place and length of each run of equal keys."""
    starts = [i for i in range(len(keys)) if i == 0 or keys[i] != keys[i - 1]]
    return [(a, b - a) for a, b in zip(starts, [*starts[1:], len(keys)], strict=True)]
