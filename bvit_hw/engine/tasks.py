"""Tiles of a network become commands: what each kind of node is, and which tiles lie in memory meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from bvit_hw.contract import FrozenGraph, FrozenNode
from bvit_hw.engine.affine import Affine, Operand, affine, affine_of, without_bias2
from bvit_hw.engine.attention import attention
from bvit_hw.engine.commands import Command, Kind, Memory, Space, View
from bvit_hw.engine.compiled import Made
from bvit_hw.engine.emitter import Emitter, Results
from bvit_hw.engine.layout import Bits, Layout, Lines, Values
from bvit_hw.engine.matrix import Columns, gathered, in_planes, product, selection
from bvit_hw.engine.plan import Plan, Read, contract_name
from bvit_hw.engine.schedule import Schedule, Task
from bvit_hw.engine.vector import (
    can_pool,
    can_repeat,
    channel_pool,
    copy,
    multi_pool,
    repeat,
    spatial_pool,
    to_bits,
    upsample,
)
from bvit_hw.errors import LoweringError

#: of the memory of values what lies between two commands of an affine takes at most one part, but for a line
SOME = 16


class TaskCompiler:
    """Makes commands of a plan's tasks, one after another, with given heights of tiles."""

    def __init__(self, graph: FrozenGraph, e: Emitter, plan: Plan, heights: Mapping[Layout, int]) -> None:
        self.graph, self.e, self.plan = graph, e, plan
        self.schedule = Schedule(plan, heights, graph.output)
        #: tiles that lie in memory
        self.tiles: dict[tuple[str, int], Values | Bits] = {}
        #: tensors that lie in one piece, of which some tiles are there
        self.entire: dict[str, Values | Bits] = {}
        self.places: list[Made] = []
        self.done: list[tuple[int, str]] = []
        self.left = self.schedule.readers.copy()

    def run(self) -> None:
        """All tasks; what nobody needs any more makes room."""
        for task in self.schedule.tasks:
            NODES[task.op.node.op](self, task)
            self.done.append((len(self.e.drafts), contract_name(task.op.node.output)))
            for name in task.op.makes:
                made = self.new(task, name)
                self.places.append(Made(len(self.e.drafts), contract_name(name), task.first, made))
                if not self.left[name, task.index] and name != self.graph.output:
                    self._free(name, task.index)
            for name, index in dict.fromkeys(self.schedule.tiles(task)):
                self.left[name, index] -= 1
                if not self.left[name, index]:
                    self._free(name, index)

    def _free(self, name: str, index: int) -> None:
        tile = self.tiles.pop((name, index))
        if name not in self.entire:
            self.e.free(tile)
        elif not any(self.left[name, other] for other in range(self.schedule.count(self.plan.layouts[name]))):
            self.e.free(self.entire.pop(name))

    # what a task makes

    def new(self, task: Task, name: str, *, loaded: bool = False) -> Values | Bits:
        """Room for its lines of a tensor: they are a tile, or a part of one. ``loaded``: a LOAD brings it."""
        layout, height = self.plan.layouts[name], self.schedule.heights[self.plan.layouts[name]]
        start = task.index * height
        if (name, task.index) not in self.tiles:
            behind = min(start + height, layout.lines)
            if name in self.plan.whole:
                if name not in self.entire:
                    self.entire[name] = self._room(name, layout)
                tile = self.entire[name].part(start, behind)
            else:
                tile = self._room(name, layout.part(start, behind), loaded=loaded)
            self.tiles[name, task.index] = tile
        return self.tiles[name, task.index].part(task.first - start, task.behind - start)

    def _room(self, name: str, layout: Layout, *, loaded: bool = False) -> Values | Bits:
        out = self.plan.tensors[name]
        if out.binary:
            return self.e.new_bits(layout, out.channels)
        new = self.e.new_loaded if loaded else self.e.new_values
        return new(layout, out.channels, out.bits, signed=out.signed)

    def new_values(self, task: Task, *, loaded: bool = False) -> Values:
        """Room for the lines of its node's integers."""
        made = self.new(task, task.op.node.output, loaded=loaded)
        assert isinstance(made, Values)
        return made

    def results(self, task: Task) -> Results:
        """Room for all that it makes, its node's integers at least where they are not hidden."""
        op = task.op
        values = None if op.hidden else self.new_values(task)
        bits = self.new(task, op.bits.output) if op.bits is not None else None
        pool = self.new(task, op.pool.output) if op.pool is not None else None
        assert not isinstance(bits, Values) and not isinstance(pool, Bits)
        return Results(
            op.layout.part(task.first, task.behind), values, bits,
            op.bits.params["threshold"].astype(np.int64) if op.bits is not None else 0, pool,
            op.pool.attrs["group"].bit_length() - 1 if op.pool is not None else 0,
        )  # fmt: skip

    # what a task reads

    def lines(self, task: Task, read: Read) -> Lines:
        """The tiles in which the lines lie that it reads."""
        layout = self.plan.layouts.get(read.name)
        if layout is None or read.name in self.plan.views:
            raise LoweringError(f"engine: {task.op.node.output}: {task.op.node.op} of patches")
        first, behind = read.lines(task.first, task.behind, layout.lines)
        height = self.schedule.heights[layout]
        start = first // height
        tiles = [self.tiles[read.name, index] for index in range(start, -(-behind // height))]
        values = tuple(tile for tile in tiles if isinstance(tile, Values))
        bits = tuple(tile for tile in tiles if isinstance(tile, Bits))
        return Lines(values or bits, start * height)

    def one(self, task: Task, read: Read | None) -> Values:
        """Integers of the same lines as its results."""
        assert read is not None
        tile = self.tiles[read.name, task.index]
        assert isinstance(tile, Values)
        return tile

    def bits(self, task: Task, read: Read) -> Bits:
        """Bits of the same lines, or all where it reads them whole."""
        tile = self.entire[read.name] if read.whole else self.tiles[read.name, task.index]
        assert isinstance(tile, Bits)
        return tile

    def width(self, read: Read) -> int:
        """Bits of a tensor's integers."""
        return self.plan.tensors[read.name].bits


def _load(c: TaskCompiler, task: Task) -> None:
    held = c.new_values(task, loaded=True)
    slices = held.layout.lanes * held.group // 8
    c.e.add(Command(
        kind=Kind.LOAD, memory=Memory.VALUES, space=Space.INPUT, weights=View(held.base), words=held.words,
        slices=slices, address=8 * slices * task.first * held.line,
    ))  # fmt: skip


def _affine(c: TaskCompiler, task: Task) -> None:
    """Where biases behind a PReLU know tokens, a command of its own adds them to what lies between, some lines high."""
    op, height = task.op, task.behind - task.first
    node, bits = op.node, c.plan.tensors[op.node.output].bits
    bias2 = node.params.get("bias2")
    if bias2 is None or len(bias2) == 1:
        _affine_of(c, task, node, c.results(task), bits)
        return
    bent, adds, between = without_bias2(node, bits)
    if not (op.head is not None and op.head.op == "BinaryAttention"):
        line = Values(0, op.layout.part(0, 1), bias2.shape[1], -(-between // 8), True, c.e.config.channels).words
        height = max(1, c.e.config.values // SOME // line)
    for first in range(task.first, task.behind, height):
        part = replace(task, first=first, behind=min(first + height, task.behind))
        results = c.results(part)
        held = c.e.new_values(results.layout, bias2.shape[1], between)
        _affine_of(c, part, bent, Results(results.layout, held), between)
        tokens = op.layout.tokens(part.first, part.behind)
        found = affine_of(c.e, adds, [Operand(Lines((held,), first), first)], results, bits, tokens, False)
        affine(c.e, found, results)
        c.e.free(held, *found.loaded)


def _affine_of(c: TaskCompiler, task: Task, node: FrozenNode, results: Results, bits: int) -> None:
    """The commands of an affine, which is a task's node or a part of it."""
    op = task.op
    inputs = [
        None if read is None else Operand(c.lines(task, read), task.first, read.factor, read.again)
        for read in op.inputs
    ]
    tokens = op.layout.tokens(task.first, task.behind)
    spare = op.head is not None and op.head.op != "IntLinear"
    found = affine_of(c.e, node, inputs, results, bits, tokens, spare)
    if op.head is None:
        affine(c.e, found, results)
    elif op.head.op == "BinaryAttention":
        q, k, v = (c.bits(task, read) for read in op.head_reads)
        attention(c.e, op.head, q, k, v, results, bits, found)
    else:
        _product(c, task, op.head, op.head_reads[0], results, found)
    c.e.free(*found.loaded)


def _product(
    c: TaskCompiler, task: Task, node: FrozenNode, read: Read, results: Results, tail: Affine | None = None
) -> None:  # fmt: skip
    source, weights = c.lines(task, read), node.params["weights"]
    key = node.output, task.op.node.output
    if isinstance(source.pieces[0], Bits):
        columns = Columns(source, task.first, rows=read.rows, columns=read.columns)
        product(c.e, key, columns, weights, results, binary=node.op == "BinaryLinear", tail=tail)
        return
    columns, planes = in_planes(c.e, source, c.width(read), weights, task.first, read.rows, read.columns)
    product(c.e, key, columns, weights, results, binary=False, tail=tail)
    c.e.free(*planes)


def _linear(c: TaskCompiler, task: Task) -> None:
    results = c.results(task)
    _product(c, task, task.op.node, task.op.reads[0], results)


def _binarize(c: TaskCompiler, task: Task) -> None:
    held = c.new(task, task.op.node.output)
    assert isinstance(held, Bits)
    to_bits(c.e, c.one(task, task.op.reads[0]), held, -task.op.node.params["threshold"].astype(np.int64))


def _attention(c: TaskCompiler, task: Task) -> None:
    results, node = c.results(task), task.op.node
    q, k, v = (c.bits(task, read) for read in task.op.reads)
    attention(c.e, node, q, k, v, results, c.plan.tensors[node.output].bits)


def _spatial_pool(c: TaskCompiler, task: Task) -> None:
    read = task.op.reads[0]
    spatial_pool(c.e, c.lines(task, read), c.new_values(task), task.first, read.rows, read.columns)


def _multi_pool(c: TaskCompiler, task: Task) -> None:
    node, height = task.op.node, task.op.layout.lines
    bits = c.plan.tensors[node.output].bits
    multi_pool(c.e, node, c.lines(task, task.op.reads[0]), c.new_values(task), task.first, height, bits)


def _channel_pool(c: TaskCompiler, task: Task) -> None:
    read, node = task.op.reads[0], task.op.node
    x, held, group = c.one(task, read), c.new_values(task), node.attrs["group"]
    if can_pool(c.e, group, c.plan.tensors[node.output].bits):
        channel_pool(c.e, x, held, group)
    else:
        rows = [range(i * group, (i + 1) * group) for i in range(held.channels)]
        gathered(c.e, node.output, x, c.width(read), selection(rows, x.channels), held)


def _channel_repeat(c: TaskCompiler, task: Task) -> None:
    read, node = task.op.reads[0], task.op.node
    x, held = c.one(task, read), c.new_values(task)
    if can_repeat(c.e, x.channels):
        repeat(c.e, x, held, node.attrs["repeat"])
    else:
        rows = [[i % x.channels] for i in range(held.channels)]
        gathered(c.e, node.output, x, c.width(read), selection(rows, x.channels), held)


def _upsample(c: TaskCompiler, task: Task) -> None:
    read = task.op.reads[0]
    upsample(c.e, c.lines(task, read), c.new_values(task), task.first, read.factor)


def _prepend_token(c: TaskCompiler, task: Task) -> None:
    held, slot = c.new_values(task), 0
    for x in c.lines(task, task.op.reads[0]).pieces:
        assert isinstance(x, Values)
        copy(c.e, x, held, to=slot)
        slot += x.layout.slots
    last = replace(held, base=held.at(slot, 0), layout=Layout(1, 1, 1))
    c.e.load_values(last, task.op.node.params["token"].astype(np.int64)[None, :])


def _first_token(c: TaskCompiler, task: Task) -> None:
    x, held = c.lines(task, task.op.reads[0]).pieces[0], c.new_values(task)
    assert isinstance(x, Values)
    copy(c.e, x, held, x.layout.slots - 1 if x.layout.extra else 0)


#: what each kind of node becomes; of PatchGather the stem's, for all others are views
NODES: dict[str, Callable[[TaskCompiler, Task], None]] = {
    "Binarize": _binarize,
    "BinaryAttention": _attention,
    "BinaryLinear": _linear,
    "ChannelAffine": _affine,
    "ChannelPool": _channel_pool,
    "ChannelRepeat": _channel_repeat,
    "FirstToken": _first_token,
    "IntLinear": _linear,
    "MultiPool": _multi_pool,
    "PatchGather": _load,
    "PrependToken": _prepend_token,
    "SpatialPool": _spatial_pool,
    "Upsample": _upsample,
}
