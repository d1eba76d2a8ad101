"""A frozen network as operations: which nodes are one command, which are views, which are made twice, what each reads.

An operation makes lines of its results from lines of what it reads; the scheduler needs to know no more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bvit_hw.contract import FrozenGraph, FrozenNode, FrozenTensor
from bvit_hw.engine.config import COLUMNS, EngineConfig
from bvit_hw.engine.layout import Layout
from bvit_hw.engine.machine import Machine
from bvit_hw.errors import LoweringError

#: kinds of nodes that see neighbours, and so no class token
GRID_NODES = ("MultiPool", "SpatialPool", "Upsample", "PatchGather")
#: what the name of a tensor that is made a second time has behind it
LATE = "'"
#: lines beside a line that a MultiPool reads
NEAR = 2


@dataclass(frozen=True)
class Read:
    """A tensor that an operation reads, for each of its lines ``rows`` lines, or one for ``factor`` of them.

    ``near``: lines above and below besides. ``whole``: all of them at once. ``columns`` is the width of a window,
    ``again`` the groups after which channels begin anew.
    """

    name: str
    rows: int = 1
    columns: int = 1
    factor: int = 1
    near: int = 0
    whole: bool = False
    again: int = 0

    def lines(self, first: int, behind: int, height: int) -> tuple[int, int]:
        """Which of its ``height`` lines are read for lines ``first`` .. ``behind`` - 1."""
        if self.whole:
            return 0, height
        top, bottom = first * self.rows // self.factor, -(-behind * self.rows // self.factor)
        return max(0, top - self.near), min(height, bottom + self.near)


@dataclass(frozen=True, eq=False)
class Operation:
    """``node`` makes tensors, each in memory. ``head``: a product or an attention that is computed in front of it.

    ``reads`` are in the order of the head's and the node's inputs; None in ``inputs`` is the head. With ``hidden`` the
    node's own output lies nowhere. ``bits`` and ``pool`` are made of it in the same command.
    """

    node: FrozenNode
    layout: Layout
    head: FrozenNode | None
    head_reads: tuple[Read, ...]
    inputs: tuple[Read | None, ...]
    bits: FrozenNode | None = None
    pool: FrozenNode | None = None
    hidden: bool = False

    @property
    def reads(self) -> tuple[Read, ...]:
        """All that it reads."""
        return (*self.head_reads, *(read for read in self.inputs if read is not None))

    @property
    def makes(self) -> tuple[str, ...]:
        """The tensors that it makes."""
        own = () if self.hidden else (self.node.output,)
        return own + tuple(node.output for node in (self.bits, self.pool) if node is not None)


@dataclass(frozen=True)
class Plan:
    """Operations in an order in which each could be done, views, and what all tensors are."""

    operations: tuple[Operation, ...]
    #: windows of tensors as tokens: by name what they show, and rows and columns of a window
    views: Mapping[str, tuple[str, int, int]]
    tensors: Mapping[str, FrozenTensor]
    layouts: Mapping[str, Layout]
    #: tensors that have to lie in one piece
    whole: frozenset[str]


def contract_name(name: str) -> str:
    """The contract's name of a tensor that may be made twice."""
    return name.removesuffix(LATE)


class _Planner:
    """The state of one plan."""

    def __init__(self, graph: FrozenGraph, nodes: Sequence[FrozenNode], config: EngineConfig, fused: bool) -> None:
        self.graph, self.nodes, self.config, self.fused = graph, nodes, config, fused
        self.tensors = {node.output: graph.tensors[contract_name(node.output)] for node in nodes}
        self.readers: defaultdict[str, list[FrozenNode]] = defaultdict(list)
        for node in nodes:
            for name in node.inputs:
                self.readers[name].append(node)
        self.maker = {node.output: node for node in nodes}
        #: nodes that an operation of another node does as well, or that are views
        self.taken: set[str] = set()

    def windows(self, name: str) -> tuple[str, int, int]:
        """What lies in memory of a product's input, and its windows."""
        node = self.maker[name]
        if node.op != "PatchGather" or node is self.nodes[0]:
            return name, 1, 1
        return node.inputs[0], node.attrs["window_h"], node.attrs["window_w"]

    def head(self, node: FrozenNode) -> FrozenNode | None:
        """The product or the attention that is computed in the command of the affine that reads it."""
        if not self.fused or node.op != "ChannelAffine":
            return None
        for name in node.inputs:
            maker = self.maker[name]
            if len(self.readers[name]) > 1 or node.inputs.count(name) > 1:
                continue
            # A coefficient multiplies fewer bits than the sums of integers have.
            plain = maker.op == "IntLinear" and not node.attrs["multiply"][node.inputs.index(name)]
            if maker.op == "BinaryLinear" or plain or (maker.op == "BinaryAttention" and self.whole_heads(maker)):
                return maker
        return None

    def whole_heads(self, node: FrozenNode) -> bool:
        """Whether each head is a power of two of groups."""
        channels = self.tensors[node.output].channels
        width, group = channels // int(node.attrs["heads"]), self.config.channels
        return width % group == 0 and (width // group) & (width // group - 1) == 0 and width <= COLUMNS

    def bits(self, node: FrozenNode) -> FrozenNode | None:
        """The first Binarize of an affine's output, where its thresholds fit a parameter."""
        for reader in self.readers[node.output] if self.fused and node.op == "ChannelAffine" else ():
            if reader.op == "Binarize":
                threshold = reader.params["threshold"].astype(np.int64)
                fits = np.min(threshold) >= -(1 << 15) and np.max(threshold) < 1 << 15
                return reader if fits and self.tensors[node.output].bits <= Machine.COMPARE_BITS else None
        return None

    def pool(self, node: FrozenNode, bits: FrozenNode | None) -> FrozenNode | None:
        """A ChannelPool of an affine's output that nobody else reads but ``bits``: it is made in the same command."""
        pools = [reader for reader in self.readers[node.output] if reader.op == "ChannelPool"]
        if not self.fused or node.op != "ChannelAffine" or len(pools) != 1 or node.output == self.graph.output:
            return None
        fold, group, channels = pools[0].attrs["group"], self.config.channels, self.tensors[node.output].channels
        others = [reader for reader in self.readers[node.output] if reader is not pools[0] and reader is not bits]
        fits = fold & (fold - 1) == 0 and fold <= group and channels % (group * fold) == 0
        fits = fits and self.tensors[pools[0].output].bits <= Machine.FOLD_BITS
        return pools[0] if fits and not others else None

    def operand(self, node: FrozenNode, name: str, head: FrozenNode | None) -> Read:
        """An input of an affine, through views of the channels or of the grid."""
        maker, per_turn = self.maker[name], self.config.rows // self.config.channels
        if not self.fused or node.op != "ChannelAffine":
            return Read(name)
        if head is not None and head.op != "BinaryAttention" and maker.op == "ChannelRepeat":
            given = self.tensors[maker.inputs[0]].channels
            groups = given // self.config.channels
            if given % self.config.channels == 0 and groups % per_turn == 0:
                return Read(maker.inputs[0], again=groups)
        if (head is None or head.op == "BinaryAttention") and maker.op == "Upsample":
            return Read(maker.inputs[0], factor=maker.attrs["factor"])
        return Read(name)

    def reads(self, node: FrozenNode, head: FrozenNode | None) -> tuple[Read | None, ...]:
        """What a node reads of memory."""
        name = node.inputs[0]
        match node.op:
            case "ChannelAffine":
                return tuple(
                    None if head is not None and name == head.output else self.operand(node, name, head)
                    for name in node.inputs
                )
            case "BinaryLinear" | "IntLinear":
                name, rows, columns = self.windows(name)
                return (Read(name, rows, columns),)
            case "BinaryAttention":
                q, k, v = node.inputs
                return Read(q), Read(k, whole=True), Read(v, whole=True)
            case "SpatialPool":
                return (Read(name, node.attrs["window_h"], node.attrs["window_w"]),)
            case "Upsample":
                return (Read(name, factor=node.attrs["factor"]),)
            case "MultiPool":
                return (Read(name, near=NEAR),)
            case "PrependToken" | "FirstToken":
                return (Read(name, whole=True),)
            case _:
                return (Read(name),)

    def operations(self, layouts: Mapping[str, Layout]) -> list[Operation]:
        """Of all nodes behind the first; a node that nobody reads in memory makes none."""
        found: list[Operation] = []
        for node in self.nodes[1:]:
            head = self.head(node)
            bits = self.bits(node)
            pool = self.pool(node, bits)
            self.taken |= {one.output for one in (head, bits, pool) if one is not None}
            heads = tuple(read for read in self.reads(head, None) if read is not None) if head is not None else ()
            found.append(Operation(
                node, layouts[node.output], head, heads, self.reads(node, head), bits, pool, pool is not None
            ))  # fmt: skip
        read = {read.name for op in found if op.node.output not in self.taken for read in op.reads}
        views = ("ChannelRepeat", "Upsample", "PatchGather")
        return [
            op for op in found
            if op.node.output not in self.taken and (op.node.op not in views or op.node.output in read)
        ]  # fmt: skip


def tensor_layouts(
    graph: FrozenGraph, nodes: Sequence[FrozenNode], grids: Mapping[tuple[int, int], Layout]
) -> dict[str, Layout]:  # fmt: skip
    """Where each tensor's tokens lie."""
    found: dict[str, Layout] = {}
    for node in nodes:
        out = graph.tensors[contract_name(node.output)]
        x = found.get(node.inputs[0])
        if x is not None and x.extra and node.op in GRID_NODES:
            raise LoweringError(f"engine: {node.output}: {node.op} of tokens with a class token")
        match node.op:
            case "SpatialPool" | "Upsample" | "PatchGather":
                found[node.output] = grids[out.height, out.width]
            case "PrependToken":
                assert x is not None
                found[node.output] = replace(x, extra=True)
            case "FirstToken":
                found[node.output] = Layout(1, 1, 1)
            case _:
                assert x is not None
                found[node.output] = x
    return found


def _ancestors(maker: Mapping[str, FrozenNode], names: Sequence[str]) -> set[str]:
    """Tensors that these are made of, and they themselves."""
    found: set[str] = set()
    left = [name for name in names if name in maker]
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += [x for x in maker[name].inputs if x in maker]
    return found


def made_twice(
    graph: FrozenGraph, layouts: Mapping[str, Layout], heights: Mapping[Layout, int]
) -> list[FrozenNode]:  # fmt: skip
    """The nodes, of which those are made again for their late readers that would only wait for an attention's keys.

    That is a ChannelAffine of one tensor, which waits there anyway. Where all lines are made at once none is.
    """
    maker = {node.output: node for node in graph.nodes}
    readers: defaultdict[str, list[FrozenNode]] = defaultdict(list)
    for node in graph.nodes:
        for name in node.inputs:
            readers[name].append(node)
    #: by tensor that is made twice, who reads the second one
    late: dict[str, set[str]] = {}
    for attention in graph.nodes:
        if attention.op != "BinaryAttention":
            continue
        early = _ancestors(maker, attention.inputs[1:])
        for name in early:
            node, layout = maker[name], layouts[name]
            if node.op != "ChannelAffine" or len(node.inputs) > 1 or heights[layout] >= layout.lines or name in late:
                continue
            behind = {reader.output for reader in readers[name] if reader.output not in early}
            waits = any(reader.output not in early for reader in readers[node.inputs[0]])
            if behind and len(behind) < len(readers[name]) and waits:
                late[name] = behind
    nodes: list[FrozenNode] = []
    for node in graph.nodes:
        inputs = tuple(name + LATE if node.output in late.get(name, ()) else name for name in node.inputs)
        nodes.append(replace(node, inputs=inputs))
        if node.output in late:
            nodes.append(replace(nodes[-1], output=node.output + LATE))
    return nodes


def plan_network(
    graph: FrozenGraph, config: EngineConfig, grids: Mapping[tuple[int, int], Layout], heights: Mapping[Layout, int],
    fused: bool,
) -> Plan:  # fmt: skip
    """The operations of a network, of whose grids ``heights`` lines are made at a time."""
    nodes = made_twice(graph, tensor_layouts(graph, graph.nodes, grids), heights)
    planner = _Planner(graph, nodes, config, fused)
    layouts = tensor_layouts(graph, nodes, grids)
    for node in nodes[1:]:
        if node.op == "PatchGather" and planner.maker[node.inputs[0]].op == "PatchGather":
            raise LoweringError(f"engine: {node.output} gathers patches of patches")
    operations = planner.operations(layouts)
    views = {
        node.output: planner.windows(node.output) for node in nodes[1:] if node.op == "PatchGather"
    }  # fmt: skip
    kept = [op for op in operations if op.node.op != "PatchGather"]
    whole = frozenset(read.name for op in kept for read in op.reads if read.whole and _keys(op))
    stem = Operation(nodes[0], layouts[nodes[0].output], None, (), ())
    return Plan((stem, *kept), views, planner.tensors, layouts, whole)


def _keys(op: Operation) -> bool:
    """Whether what it reads whole has to lie in one piece."""
    return "BinaryAttention" in (op.node.op, op.head.op if op.head is not None else "")
