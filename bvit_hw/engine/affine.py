"""What a ChannelAffine adds up, alone or behind a product or an attention: taps, views, and channels' numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bvit_hw.contract import FrozenNode
from bvit_hw.contract.interval import IntArray
from bvit_hw.engine.commands import MATRIX, PLAIN, Command, Kind, Tap, View
from bvit_hw.engine.emitter import VIEWS, Emitter, Rect, Results, records
from bvit_hw.engine.layout import Lines, Values
from bvit_hw.errors import LimitError


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
    slope: IntArray | int
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
    constants: list[IntArray] = []
    for key, post in (("bias", False), ("bias2", True)):
        value = params.get(key, np.zeros((1, channels), dtype=np.int64))
        if len(value) > 1:
            held = e.new_values(results.layout, channels, _bits_of(value))
            e.load_values(held, value[tokens])
            taps.append((Operand(Lines((held,), 0), 0), Tap(0, 0, held.bytes, post=post)))
            loaded.append(held)
            value = np.zeros((1, channels), dtype=np.int64)
        constants.append(value[0])
    command = Command(
        kind=Kind.COMPUTE, prelu=bool(attrs["prelu"]), mid_shift=attrs["mid_shift"], slope_shift=attrs["slope_shift"],
        out_shift=attrs["out_shift"], out_bits=bits,
    )  # fmt: skip
    slope = params["slope"] if attrs["prelu"] else 0
    return Affine(taps, constants[0], constants[1], slope, coefs, command, tuple(loaded))


def _bits_of(x: IntArray) -> int:
    return int(max(int(np.max(x)), -int(np.min(x)) - 1, 1)).bit_length() + 1


def of_larger(tail: Affine, shift: int) -> Affine:
    """The same of a sum that is 2^``shift`` as large: shifted by less, or all else by more; sums have room for that."""
    given = next(tap.shift for x, tap in tail.taps if x is None)
    less = min(given, shift)
    more = shift - less

    def shifted(x: Operand | None, tap: Tap) -> Tap:
        if x is None:
            return replace(tap, shift=given - less)
        return tap if tap.post else replace(tap, shift=tap.shift + more)

    c = tail.command
    command = replace(c, mid_shift=c.mid_shift + more) if c.prelu else replace(c, out_shift=c.out_shift + more)
    taps = [(x, shifted(x, tap)) for x, tap in tail.taps]
    return replace(tail, taps=taps, bias=tail.bias << more, command=command)


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
    group = e.config.channels
    fixed = tail_records(group, tail, results, tail.bias)
    for rect in tail.rects(results):
        command, taps = tail.named(rect)
        e.compute(results.named(command, rect, group), taps, fixed)


def _runs(keys: Sequence[object]) -> list[tuple[int, int]]:
    """First place and length of each run of equal keys."""
    starts = [i for i in range(len(keys)) if i == 0 or keys[i] != keys[i - 1]]
    return [(a, b - a) for a, b in zip(starts, [*starts[1:], len(keys)], strict=True)]
