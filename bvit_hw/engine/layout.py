"""Where tokens and channels lie on the chip: lanes hold strips of columns, slots the tokens of a strip."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from math import lcm

import numpy as np

from bvit_hw.contract import FrozenGraph
from bvit_hw.contract.interval import IntArray
from bvit_hw.engine.config import OCTET, OCTETS
from bvit_hw.errors import LoweringError


@dataclass(frozen=True)
class Layout:
    """``rows`` x ``strip`` slots in each of ``lanes``; column x is in lane x // strip.

    With ``extra`` a token stands before those of the grid: in lane 0, in a slot behind all others. The rows then are
    one.
    """

    rows: int
    strip: int
    lanes: int
    extra: bool = False

    @property
    def slots(self) -> int:
        """Slots of a lane."""
        return self.rows * self.strip + self.extra

    @property
    def loops(self) -> tuple[int, int]:
        """Rows and slots of a row, as commands count them."""
        return (1, self.slots) if self.extra else (self.rows, self.strip)

    @property
    def lines(self) -> int:
        """Rows that can be made one by one: with ``extra`` there is one."""
        return 1 if self.extra else self.rows

    def part(self, first: int, behind: int) -> Layout:
        """Of the lines ``first`` .. ``behind`` - 1."""
        return self if self.extra else replace(self, rows=behind - first)

    def tokens(self, first: int, behind: int) -> slice:
        """The tokens of lines, in the order of all tokens."""
        width = self.strip * self.lanes
        return slice(None) if self.extra else slice(first * width, behind * width)

    def places(self) -> tuple[IntArray, IntArray]:
        """Lane and slot of each token in its order."""
        y, x = np.divmod(np.arange(self.rows * self.strip * self.lanes), self.strip * self.lanes)
        lane, slot = x // self.strip, y * self.strip + x % self.strip
        if self.extra:
            lane, slot = np.append(0, lane), np.append(self.slots - 1, slot)
        return lane, slot


def strips(graph: FrozenGraph, tokens: int) -> dict[tuple[int, int], Layout]:
    """The layout of each grid of a network: as many lanes as divide its width, windows within one lane.

    Raises LoweringError for a network whose first operation does not gather patches.
    """
    first = graph.nodes[0]
    if first.op != "PatchGather":
        raise LoweringError(f"engine: a network begins with PatchGather; given {first.op}")
    base = graph.tensors[first.output]
    grids = {(base.height, base.width)}
    for node in graph.nodes[1:]:
        x, y = graph.tensors[node.inputs[0]], graph.tensors[node.output]
        small = {"PatchGather": y, "SpatialPool": y, "Upsample": x}.get(node.op)
        # A pool over the whole grid adds up lanes, unless all tokens see its result again.
        if small is not None and (node.op != "SpatialPool" or small.width > 1):
            grids.add((small.height, small.width))
    unit = reduce(lcm, (base.width // width for _, width in grids), 1)
    for strip in range(unit, base.width + 1, unit):
        lanes = base.width // strip
        if base.width % strip == 0 and lanes <= tokens:
            return {(h, w): Layout(h, w // lanes, lanes) for h, w in grids} | (
                {} if (1, 1) in grids else {(1, 1): Layout(1, 1, 1)}
            )
    raise LoweringError(f"engine: {base.width} columns do not fall into strips of a multiple of {unit}")


@dataclass(frozen=True)
class Values:
    """A tensor in the memory of values; ``bytes`` words side by side for each group of channels of a slot.

    ``group``: channels of a group, which is the engine's.
    """

    base: int
    layout: Layout
    channels: int
    bytes: int
    signed: bool
    group: int = 8

    @property
    def groups(self) -> int:
        """Groups of channels."""
        return -(-self.channels // self.group)

    @property
    def words(self) -> int:
        """Words that it takes."""
        return self.layout.slots * self.groups * self.bytes

    def at(self, slot: int, group: int) -> int:
        """Address of a group's lowest byte."""
        return self.base + (slot * self.groups + group) * self.bytes

    @property
    def line(self) -> int:
        """Words of a line."""
        return self.words // self.layout.lines

    def part(self, first: int, behind: int) -> Values:
        """Lines ``first`` .. ``behind`` - 1 as a tensor."""
        return replace(self, base=self.base + first * self.line, layout=self.layout.part(first, behind))

    def read(self, memory: np.ndarray) -> IntArray:
        """Tokens x channels."""
        lane, slot = self.layout.places()
        words = memory[self.base : self.base + self.words].astype(np.int64)
        cut = words.reshape(self.layout.slots, self.groups, self.bytes, *words.shape[1:])
        value = np.sum([cut[:, :, plane] << 8 * plane for plane in range(self.bytes)], axis=0)
        if self.signed:
            value = (value ^ (1 << 8 * self.bytes - 1)) - (1 << 8 * self.bytes - 1)
        tokens = value[slot[:, None], np.arange(self.groups), lane[:, None]]
        return np.asarray(tokens.reshape(len(slot), -1)[:, : self.channels], dtype=np.int64)


@dataclass(frozen=True)
class Bits:
    """A tensor in the memory of bits: ``words`` for each slot, one bit a channel."""

    base: int
    layout: Layout
    channels: int
    words: int

    @property
    def line(self) -> int:
        """Words of a line."""
        return self.layout.slots * self.words // self.layout.lines

    def part(self, first: int, behind: int) -> Bits:
        """Lines ``first`` .. ``behind`` - 1 as a tensor."""
        return replace(self, base=self.base + first * self.line, layout=self.layout.part(first, behind))

    def octet(self, slot: int, channel: int) -> int:
        """Address of the octet that holds a channel, in octets."""
        return ((self.base + slot * self.words) * OCTETS + channel // OCTET) & 0xFFFF

    def read(self, memory: np.ndarray) -> IntArray:
        """Tokens x channels."""
        lane, slot = self.layout.places()
        cut = memory[self.base : self.base + self.layout.slots * self.words]
        cut = cut.reshape(self.layout.slots, self.words, *cut.shape[1:])
        tokens = cut[slot[:, None], np.arange(self.words), lane[:, None]]
        return np.asarray(tokens.reshape(len(slot), -1)[:, : self.channels], dtype=np.int64)


@dataclass(frozen=True)
class Lines:
    """Lines of a tensor from ``first`` on, which lie in pieces, all of one kind and in their order."""

    pieces: tuple[Values, ...] | tuple[Bits, ...]
    first: int

    def at(self, line: int) -> int:
        """Address of a line's first word."""
        line -= self.first
        for piece in self.pieces:
            if line < piece.layout.lines:
                return piece.base + line * piece.line
            line -= piece.layout.lines
        raise ValueError(f"line {line} is not among these")
