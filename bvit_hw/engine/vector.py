"""Nodes that the vector unit computes alone: tensors come from the memory of values, and results go there or to bits.

Channels that fill up the last group are 0 as values and as bits: nodes keep that, and rely on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bvit_hw.contract import FrozenNode
from bvit_hw.contract.interval import IntArray
from bvit_hw.engine.commands import MATRIX, PLAIN, BitMode, Command, Kind, Tap, View
from bvit_hw.engine.config import ADDRESS_BITS, OCTET
from bvit_hw.engine.emitter import VIEWS, Emitter, octet_view, records, strides
from bvit_hw.engine.layout import Bits, Values

#: bits of a result that is not cut
WIDE = 32


@dataclass(frozen=True)
class Affine:
    """What a ChannelAffine adds up: taps with their tensors (None: the matrix unit's sum), and channels' numbers."""

    taps: list[tuple[Values | None, Tap]]
    bias: IntArray
    bias2: IntArray
    slope: IntArray | int
    coefs: list[IntArray]
    #: the numbers of PReLU, shift and saturation
    command: Command
    #: biases of tokens, which the caller frees
    loaded: tuple[Values, ...]

    @property
    def widths(self) -> list[int]:
        """Bytes of the tensors; those of one number of bytes share a view, and taps have their bases."""
        return sorted({x.bytes for x, _ in self.taps if x is not None})

    def named(self) -> list[Tap]:
        """The taps with their views."""
        return [tap if x is None else replace(tap, source=self.widths.index(x.bytes)) for x, tap in self.taps]

    def operands(self, groups: int = 0) -> Command:
        """The command with the views of its operands; outer turns have ``groups`` each."""
        found = {x.bytes: View(0, groups * x.bytes, *strides(x)) for x, _ in self.taps if x is not None}
        views = [found[width] for width in self.widths] + [View()] * VIEWS
        apart = self.widths + [0] * VIEWS
        return replace(
            self.command, operand0=views[0], operand1=views[1], operand2=views[2], operand3=views[3],
            group0=apart[0], group1=apart[1], group2=apart[2], group3=apart[3],
        )  # fmt: skip


def affine_of(e: Emitter, node: FrozenNode, inputs: Sequence[Values | None], out: Values, bits: int) -> Affine:
    """A ChannelAffine; biases of tokens come as tensors of the programme, for channels know no lanes."""
    attrs, params = node.attrs, {key: value.astype(np.int64) for key, value in node.params.items()}
    taps: list[tuple[Values | None, Tap]] = []
    coefs: list[IntArray] = []
    for i, x in enumerate(inputs):
        coef = PLAIN
        # Of the matrix unit's rows a coefficient leaves out those that are not there.
        if attrs["multiply"][i] or x is None:
            coef = len(coefs)
            coefs.append(params[f"coef{i}"] if attrs["multiply"][i] else np.ones(out.channels, dtype=np.int64))
        tap = Tap(MATRIX) if x is None else Tap(0, x.base, x.bytes, x.signed)
        taps.append((x, replace(tap, shift=attrs["shift"][i], coef=coef)))
    loaded: list[Values] = []
    constants: list[IntArray] = []
    for key, post in (("bias", False), ("bias2", True)):
        value = params.get(key, np.zeros((1, out.channels), dtype=np.int64))
        if len(value) > 1:
            held = e.new_values(out.layout, out.channels, _bits_of(value))
            e.load_values(held, value)
            taps.append((held, Tap(0, held.base, held.bytes, post=post)))
            loaded.append(held)
            value = np.zeros((1, out.channels), dtype=np.int64)
        constants.append(value[0])
    command = Command(
        kind=Kind.COMPUTE, prelu=bool(attrs["prelu"]), mid_shift=attrs["mid_shift"], slope_shift=attrs["slope_shift"],
        out_shift=attrs["out_shift"], out_bits=bits,
    )  # fmt: skip
    slope = params["slope"] if attrs["prelu"] else 0
    return Affine(taps, constants[0], constants[1], slope, coefs, command, tuple(loaded))


def _bits_of(x: IntArray) -> int:
    return int(max(int(np.max(x)), -int(np.min(x)) - 1, 1)).bit_length() + 1


@dataclass(frozen=True)
class Binarized:
    """Bits that are made beside a result: whether it is at least ``threshold``."""

    bits: Bits
    threshold: IntArray


def with_threshold(fixed: IntArray, channels: int) -> IntArray:
    """Records whose last group's channels that are not there, all 0, stay below a threshold of 1."""
    fixed[-1, 2, fixed.shape[2] - (-channels % fixed.shape[2]) :] = 1 << 16
    return fixed


def affine(e: Emitter, found: Affine, out: Values, beside: Binarized | None = None) -> None:
    """A ChannelAffine of tensors in memory, token by token."""
    threshold = 0 if beside is None else beside.threshold
    fixed = records(e.config.channels, found.bias, found.bias2, found.slope, threshold, *found.coefs)
    n1, n2 = out.layout.loops
    command = replace(
        found.operands(), n1=n1, n2=n2, values_out=View(out.base, 0, *strides(out)), out_group=out.bytes,
        out_bytes=out.bytes, lanes=out.layout.lanes,
    )  # fmt: skip
    if beside is not None:
        command = replace(command, bits_out=octet_view(beside.bits), bit_mode=BitMode.THRESHOLD)
        fixed = with_threshold(fixed, out.channels)
    e.compute(command, found.named(), fixed)


def to_bits(e: Emitter, x: Values, out: Bits, bias: IntArray, plane: int | None = None) -> None:
    """Whether x + bias >= 0, or a plane of x; channels that are not there are 0."""
    fixed = records(e.config.channels, bias)
    if plane is None:
        tail = fixed.shape[0] * e.config.channels - len(bias)
        if tail:
            fixed[-1, 0, e.config.channels - tail :] = -1
    n1, n2 = out.layout.loops
    e.compute(Command(
        kind=Kind.COMPUTE, n1=n1, n2=n2, operand0=View(x.base, 0, *strides(x)), group0=x.bytes, out_bits=WIDE,
        bits_out=octet_view(out), bit_mode=BitMode.THRESHOLD if plane is None else BitMode.PLANE,
        out_shift=plane or 0, lanes=out.layout.lanes,
    ), [Tap(0, 0, x.bytes, x.signed)], fixed)  # fmt: skip


def spatial_pool(e: Emitter, x: Values, out: Values, rows: int, columns: int) -> None:
    """Sums of windows, which lie within lanes, or of the whole grid."""
    whole = out.layout.slots == 1 and x.layout.slots * x.layout.lanes == rows * columns
    lanes = range(x.layout.lanes) if whole else range(1)
    width = x.layout.strip if whole else columns
    step_row, step = strides(x)
    taps = [
        Tap(0, row * step_row + column * step, x.bytes, x.signed, lane)
        for lane in lanes for row in range(rows) for column in range(width)
    ]  # fmt: skip
    n1, n2 = out.layout.loops
    e.compute(Command(
        kind=Kind.COMPUTE, n1=n1, n2=n2, operand0=View(x.base, 0, *strides(x, rows, columns)), group0=x.bytes,
        values_out=View(out.base, 0, *strides(out)), out_group=out.bytes, out_bytes=out.bytes, out_bits=WIDE,
        lanes=x.layout.lanes,
    ), taps, _nothing(e, out))  # fmt: skip


def _nothing(e: Emitter, out: Values) -> IntArray:
    return records(e.config.channels, np.zeros(out.channels, dtype=np.int64))


def upsample(e: Emitter, x: Values, out: Values, factor: int) -> None:
    """A command for each column of the squares: loops are rows of a square, rows and slots of the input."""
    s0, s2 = strides(out)
    n1, n2 = x.layout.loops
    for column in range(factor):
        e.compute(Command(
            kind=Kind.COMPUTE, n0=factor, n1=n1, n2=n2, operand0=View(x.base, 0, *strides(x)), group0=x.bytes,
            values_out=View(out.base + column * s2, s0, factor * s0, factor * s2), out_group=out.bytes,
            out_bytes=out.bytes, out_bits=WIDE, lanes=x.layout.lanes,
        ), [Tap(0, 0, x.bytes, x.signed)], _nothing(e, out))  # fmt: skip


def multi_pool(e: Emitter, node: FrozenNode, x: Values, out: Values, bits: int) -> None:
    """Nine taps with five coefficients; rows and columns beside a border have commands of their own."""
    h3, w3, h5, w5 = node.params["coef"].astype(np.int64)
    coefs = (h3 + w3 + h5 + w5, h3 + h5, h5, w3 + w5, w5)
    fixed = records(e.config.channels, node.params["bias"].astype(np.int64), 0, 0, 0, *coefs)
    layout, (step_row, step) = x.layout, strides(x)
    row_out, slot_out = strides(out)
    near = (-2, -1, 1, 2)
    above = _runs([tuple(0 <= y + d < layout.rows for d in near) for y in range(layout.rows)])
    beside = _runs([tuple((j + d) // layout.strip for d in near) for j in range(layout.strip)])
    for top, rows in above:
        for left, columns in beside:
            taps = [Tap(0, 0, x.bytes, x.signed, coef=0)]
            for d in near:
                if 0 <= top + d < layout.rows:
                    taps.append(Tap(0, d * step_row, x.bytes, x.signed, coef=abs(d)))
                lane, column = divmod(left + d, layout.strip)
                if abs(lane) < layout.lanes:
                    taps.append(Tap(0, (column - left) * step, x.bytes, x.signed, lane, coef=2 + abs(d)))
            e.compute(Command(
                kind=Kind.COMPUTE, n1=rows, n2=columns, group0=x.bytes,
                operand0=View(x.base + top * step_row + left * step, 0, step_row, step),
                values_out=View(out.base + top * row_out + left * slot_out, 0, row_out, slot_out),
                out_group=out.bytes, out_bytes=out.bytes, out_bits=bits, out_shift=node.attrs["out_shift"],
                lanes=layout.lanes,
            ), taps, fixed)  # fmt: skip


def _runs(keys: Sequence[object]) -> list[tuple[int, int]]:
    """First place and length of each run of equal keys."""
    starts = [i for i in range(len(keys)) if i == 0 or keys[i] != keys[i - 1]]
    return [(a, b - a) for a, b in zip(starts, [*starts[1:], len(keys)], strict=True)]


def copy(e: Emitter, x: Values, out: Values, slot: int = 0) -> None:
    """From ``slot`` on, as many slots as both have, to the first slots of ``out``."""
    step, step_out = strides(x)[1], strides(out)[1]
    e.compute(Command(
        kind=Kind.COMPUTE, n2=min(x.layout.slots - slot, out.layout.slots), group0=x.bytes,
        operand0=View(x.base + slot * step, 0, 0, step), values_out=View(out.base, 0, 0, step_out),
        out_group=out.bytes, out_bytes=out.bytes, out_bits=WIDE, lanes=x.layout.lanes,
    ), [Tap(0, 0, x.bytes, x.signed)], _nothing(e, out))  # fmt: skip


def can_repeat(e: Emitter, x: Values) -> bool:
    """Whether copies of the channels are copies of groups."""
    return x.channels % e.config.channels == 0


def repeat(e: Emitter, x: Values, out: Values, copies: int) -> None:
    """Whole groups, ``copies`` times."""
    n1, n2 = x.layout.loops
    e.compute(Command(
        kind=Kind.COMPUTE, n0=copies, n1=n1, n2=n2, operand0=View(x.base, 0, *strides(x)), group0=x.bytes,
        values_out=View(out.base, x.groups * out.bytes, *strides(out)), out_group=out.bytes, out_bytes=out.bytes,
        out_bits=WIDE, lanes=x.layout.lanes,
    ), [Tap(0, 0, x.bytes, x.signed)], _nothing(e, x))  # fmt: skip


def can_pool(e: Emitter, group: int) -> bool:
    """Whether so many channels are added up within a group."""
    return group & (group - 1) == 0 and group <= e.config.channels


def channel_pool(e: Emitter, x: Values, out: Values, group: int) -> None:
    """Sums of neighbouring channels: each group of the input becomes a piece of a word of the output."""
    # Behind the input's last group the next slot begins: what is read there counts nothing.
    channels = np.arange(out.groups * group * e.config.channels)
    fixed = records(e.config.channels, 0 * channels, 0, 0, 0, (channels < x.channels).astype(np.int64))
    row, slot = strides(out)
    e.limit("pieces of a pooled tensor", out.words // out.bytes * group, 1 << ADDRESS_BITS)
    n1, n2 = out.layout.loops
    e.compute(Command(
        kind=Kind.COMPUTE, n1=n1, n2=n2, operand0=View(x.base, 0, *strides(x)), group0=x.bytes,
        values_out=View(0, 0, row // out.bytes * group, slot // out.bytes * group), out_group=1, out_bytes=out.bytes,
        out_fold=group.bit_length() - 1, fold_base=out.base, out_bits=WIDE, lanes=out.layout.lanes,
    ), [Tap(0, 0, x.bytes, x.signed, coef=0)], fixed)  # fmt: skip


def octets(channels: int) -> int:
    """Octets that hold so many bits."""
    return -(-channels // OCTET)
