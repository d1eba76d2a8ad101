"""Nodes that the vector unit computes alone: tensors come from the memory of values, and results go there or to bits.

A result is a piece of a tensor: all of it, or some of its lines. Channels that fill up the last group are 0 as values
and as bits: nodes keep that, and rely on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bvit_hw.contract import FrozenNode
from bvit_hw.contract.interval import IntArray
from bvit_hw.engine.commands import MID_SHIFTS, OUT_SHIFTS, BitMode, Command, Kind, Tap, View, up_to
from bvit_hw.engine.config import ADDRESS_BITS, OCTET
from bvit_hw.engine.emitter import Emitter, Rect, Results, records
from bvit_hw.engine.layout import Bits, Lines, Values
from bvit_hw.engine.machine import Machine

#: bits of a result that is not cut
WIDE = 32


def to_bits(e: Emitter, x: Values, out: Bits, bias: IntArray, plane: int | None = None) -> None:
    """Whether x + bias >= 0, or a plane of x; channels that are not there are 0."""
    if e.dry:
        return
    fixed = records(e.config.channels, bias)
    if plane is None:
        tail = fixed.shape[0] * e.config.channels - len(bias)
        if tail:
            fixed[-1, 0, e.config.channels - tail :] = -1
    rect = Rect.of(out.layout)
    command = Command(
        kind=Kind.COMPUTE, n1=rect.lines, n2=rect.slots, operand0=rect.values(x), group0=x.bytes,
        bits_out=rect.octets(out), lanes=out.layout.lanes,
    )  # fmt: skip
    if plane is None:
        # The sign, of which a sum of more bits than a result has loses nothing.
        command = replace(command, bit_mode=BitMode.THRESHOLD, mid_shift=MID_SHIFTS[1], out_bits=Machine.COMPARE_BITS)
    else:
        command = replace(shifted_right(command, plane), bit_mode=BitMode.PLANE, out_bits=WIDE)
    e.compute(command, [Tap(0, 0, x.bytes, x.signed)], fixed)


def shifted_right(command: Command, shift: int) -> Command:
    """With a result that is not bent shifted by so much: what the engine shifts further is made larger."""
    first = max(0, shift - OUT_SHIFTS[-1])
    mid_shift, out_shift = up_to(MID_SHIFTS, first), up_to(OUT_SHIFTS, shift)
    if first:
        out_shift = next(one for one in OUT_SHIFTS if one >= shift - mid_shift)
    return replace(command, mid_shift=mid_shift, slope_shift=mid_shift + out_shift - shift, out_shift=out_shift)


def _step(x: Values) -> int:
    """Words of a slot."""
    return x.groups * x.bytes


def _values(x: Lines) -> Values:
    piece = x.pieces[0]
    assert isinstance(piece, Values)
    return piece


def line_runs(lines: Sequence[Sequence[int | None]]) -> list[tuple[int, int, int]]:
    """First place, length and stride of runs of lines that are read alike.

    A line is the addresses of all lines that it needs, the first of which is there; None: outside the grid.
    """
    apart = [tuple(None if at is None else at - (line[0] or 0) for at in line) for line in lines]
    first = [line[0] or 0 for line in lines]
    runs: list[tuple[int, int, int]] = []
    for i, address in enumerate(first):
        if runs:
            start, count, stride = runs[-1]
            if apart[i] == apart[start] and (count == 1 or address - first[i - 1] == stride):
                runs[-1] = (start, count + 1, address - first[i - 1])
                continue
        runs.append((i, 1, 0))
    return runs


def spatial_pool(e: Emitter, x: Lines, out: Values, first: int, rows: int, columns: int) -> None:
    """Sums of windows, which lie within lanes, or of the whole grid; ``out`` begins with line ``first``."""
    if e.dry:
        return
    given = _values(x)
    whole = out.layout.slots == 1 and given.layout.strip * given.layout.lanes == columns
    lanes = range(given.layout.lanes) if whole else range(1)
    width = given.layout.strip if whole else columns
    lines = [[x.at((first + y) * rows + d) for d in range(rows)] for y in range(out.layout.lines)]
    step = _step(given)
    for start, count, stride in line_runs(lines):
        taps = [
            Tap(0, at - lines[start][0] + column * step, given.bytes, given.signed, lane)
            for lane in lanes for at in lines[start] for column in range(width)
        ]  # fmt: skip
        view = Rect(start, count, 0, out.layout.strip).values(out)
        e.compute(Command(
            kind=Kind.COMPUTE, n1=count, n2=out.layout.strip, operand0=View(lines[start][0], 0, stride, columns * step),
            group0=given.bytes, values_out=view, out_group=out.bytes, out_bytes=out.bytes, out_bits=WIDE,
            lanes=given.layout.lanes,
        ), taps, _nothing(e, out))  # fmt: skip


def _nothing(e: Emitter, out: Values) -> IntArray:
    return records(e.config.channels, np.zeros(out.channels, dtype=np.int64))


def upsample(e: Emitter, x: Lines, out: Values, first: int, factor: int) -> None:
    """A command for each column of the squares, of lines that come from one; ``out`` begins with line ``first``."""
    if e.dry:
        return
    given = _values(x)
    lines = [[x.at((first + y) // factor)] for y in range(out.layout.lines)]
    for start, count, stride in line_runs(lines):
        for column in range(factor):
            view = Rect(start, count, column, 1).values(out)
            e.compute(Command(
                kind=Kind.COMPUTE, n1=count, n2=given.layout.strip, group0=given.bytes,
                operand0=View(lines[start][0], 0, stride, _step(given)),
                values_out=replace(view, s2=factor * view.s2), out_group=out.bytes, out_bytes=out.bytes,
                out_bits=WIDE, lanes=given.layout.lanes,
            ), [Tap(0, 0, given.bytes, given.signed)], _nothing(e, out))  # fmt: skip


def multi_pool(e: Emitter, node: FrozenNode, x: Lines, out: Values, first: int, height: int, bits: int) -> None:
    """Nine taps with five coefficients; lines and columns beside a border have commands of their own.

    ``out`` begins with line ``first`` of ``height``.
    """
    if e.dry:
        return
    h3, w3, h5, w5 = node.params["coef"].astype(np.int64)
    coefs = (h3 + w3 + h5 + w5, h3 + h5, h5, w3 + w5, w5)
    fixed = records(e.config.channels, node.params["bias"].astype(np.int64), 0, 0, 0, *coefs)
    given, near = _values(x), (-2, -1, 1, 2)
    layout, step = out.layout, _step(given)
    lines = [[x.at(y + d) if 0 <= y + d < height else None for d in (0, *near)]
             for y in range(first, first + layout.lines)]  # fmt: skip
    beside = [tuple((j + d) // layout.strip for d in near) for j in range(layout.strip)]
    starts = [j for j in range(layout.strip) if j == 0 or beside[j] != beside[j - 1]]
    for start, count, stride in line_runs(lines):
        middle, *others = lines[start]
        assert middle is not None
        for left, right in zip(starts, [*starts[1:], layout.strip], strict=True):
            taps = [Tap(0, 0, given.bytes, given.signed, coef=0)]
            for d, at in zip(near, others, strict=True):
                if at is not None:
                    taps.append(Tap(0, at - middle, given.bytes, given.signed, coef=abs(d)))
                lane, column = divmod(left + d, layout.strip)
                if abs(lane) < layout.lanes:
                    taps.append(Tap(0, (column - left) * step, given.bytes, given.signed, lane, coef=2 + abs(d)))
            e.compute(shifted_right(Command(
                kind=Kind.COMPUTE, n1=count, n2=right - left, group0=given.bytes,
                operand0=View(middle + left * step, 0, stride, step),
                values_out=Rect(start, count, left, right - left).values(out), out_group=out.bytes,
                out_bytes=out.bytes, out_bits=bits, lanes=layout.lanes,
            ), node.attrs["out_shift"]), taps, fixed)  # fmt: skip


def copy(e: Emitter, x: Values, out: Values, slot: int = 0, to: int = 0) -> None:
    """From ``slot`` on, as many slots as both have, to the slots of ``out`` from ``to`` on."""
    e.compute(Command(
        kind=Kind.COMPUTE, n2=min(x.layout.slots - slot, out.layout.slots - to), group0=x.bytes,
        operand0=View(x.at(slot, 0), 0, 0, _step(x)), values_out=View(out.at(to, 0), 0, 0, _step(out)),
        out_group=out.bytes, out_bytes=out.bytes, out_bits=WIDE, lanes=x.layout.lanes,
    ), [Tap(0, 0, x.bytes, x.signed)], _nothing(e, out))  # fmt: skip


def can_repeat(e: Emitter, channels: int) -> bool:
    """Whether copies of the channels are copies of groups."""
    return channels % e.config.channels == 0


def repeat(e: Emitter, x: Values, out: Values, copies: int) -> None:
    """Whole groups, ``copies`` times."""
    rect = Rect.of(out.layout)
    e.compute(Command(
        kind=Kind.COMPUTE, n0=copies, n1=rect.lines, n2=rect.slots, operand0=rect.values(x), group0=x.bytes,
        values_out=rect.values(out, x.groups * out.bytes), out_group=out.bytes, out_bytes=out.bytes,
        out_bits=WIDE, lanes=x.layout.lanes,
    ), [Tap(0, 0, x.bytes, x.signed)], _nothing(e, x))  # fmt: skip


def can_pool(e: Emitter, group: int, bits: int) -> bool:
    """Whether so many channels are added up within a group, to sums of ``bits``."""
    return group & (group - 1) == 0 and group <= e.config.channels and bits <= Machine.FOLD_BITS


def channel_pool(e: Emitter, x: Values, out: Values, group: int) -> None:
    """Sums of neighbouring channels: each group of the input becomes a piece of a word of the output."""
    # Behind the input's last group the next slot begins: what is read there counts nothing.
    channels = np.arange(out.groups * group * e.config.channels)
    fixed = records(e.config.channels, 0 * channels, 0, 0, 0, (channels < x.channels).astype(np.int64))
    e.limit("pieces of a pooled tensor", out.words // out.bytes * group, 1 << ADDRESS_BITS)
    rect, results = Rect.of(out.layout), Results(out.layout, pool=out, fold=group.bit_length() - 1)
    command = Command(kind=Kind.COMPUTE, operand0=rect.values(x), group0=x.bytes, out_bits=WIDE)
    e.compute(
        results.named(command, rect, e.config.channels), [Tap(0, 0, x.bytes, x.signed, coef=0)], fixed
    )  # fmt: skip


def octets(channels: int) -> int:
    """Octets that hold so many bits."""
    return -(-channels // OCTET)
