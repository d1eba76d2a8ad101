"""A frozen network to a programme, node by node in its order, each tensor whole in the engine's memories.

Nothing is loaded beside computing, and little is fused: this is the plain compiler, for networks that fit.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from bvit_hw.contract import FrozenGraph, FrozenNode, FrozenTensor
from bvit_hw.contract.interval import IntArray
from bvit_hw.engine.attention import attention
from bvit_hw.engine.commands import Command, Kind, Memory, Space, View
from bvit_hw.engine.config import EngineConfig
from bvit_hw.engine.emitter import Emitter, held_words
from bvit_hw.engine.layout import Bits, Layout, Values, strips
from bvit_hw.engine.matrix import Columns, gathered, in_planes, product, selection
from bvit_hw.engine.programme import Programme
from bvit_hw.engine.vector import (
    Binarized,
    affine,
    affine_of,
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


@dataclass(frozen=True)
class Patches:
    """Windows of a tensor as tokens: a view, of which nothing lies in memory."""

    source: Values | Bits
    rows: int
    columns: int

    @property
    def layout(self) -> Layout:
        """That of the windows."""
        x = self.source.layout
        return replace(x, rows=x.rows // self.rows, strip=x.strip // self.columns)

    def read(self, memory: np.ndarray) -> IntArray:
        """Tokens x channels."""
        x, (h, w) = self.source.layout, (self.rows, self.columns)
        cut = self.source.read(memory).reshape(x.rows // h, h, -1, w, self.source.channels)
        return cut.transpose(0, 2, 1, 3, 4).reshape(-1, h * w * self.source.channels)


@dataclass(frozen=True)
class Product:
    """A product of bits that is computed where it is read, in the same command."""

    source: Bits
    columns: Columns
    node: FrozenNode
    layout: Layout


Place = Values | Bits | Patches | Product
#: kinds of nodes that see neighbours, and so no class token
GRID_NODES = ("MultiPool", "SpatialPool", "Upsample")


@dataclass(frozen=True)
class Compiled:
    """A programme, how a frame goes into it and out, and where each tensor lies behind how many commands."""

    programme: Programme
    first: Values
    window: tuple[int, int]
    last: Values
    places: tuple[tuple[int, str, Values | Bits | Patches], ...]

    def frame(self, image: np.ndarray) -> bytes:
        """An image, uint8 H x W x C, as it has to lie in DRAM: the stem's patches in the words of their lanes."""
        h, w = self.window
        rows, columns, channels = image.shape
        cut = image.reshape(rows // h, h, columns // w, w, channels).transpose(0, 2, 1, 3, 4)
        return held_words(self.first, cut.reshape(-1, h * w * channels).astype(np.int64)).tobytes()

    def logits(self, output: bytes | np.ndarray) -> IntArray:
        """What a frame's output says."""
        words = np.frombuffer(bytes(output), dtype=np.uint8).reshape(self.last.words, 1, self.last.group)
        found: IntArray = replace(self.last, base=0).read(words)[0]
        return found


class _Compiler:
    """The state of one compilation."""

    def __init__(self, graph: FrozenGraph, config: EngineConfig, fused: bool) -> None:
        self.graph, self.fused = graph, fused
        #: by tensor, the nodes that read it, as often as they do
        self.readers: defaultdict[str, list[FrozenNode]] = defaultdict(list)
        for node in graph.nodes:
            for name in node.inputs:
                self.readers[name].append(node)
        #: bits that were made beside the tensor of which they are
        self.made: dict[str, Bits] = {}
        self.e = Emitter(config)
        self.layouts = strips(graph, config.tokens)
        self.held: dict[str, Place] = {}
        self.places: list[tuple[int, str, Values | Bits | Patches]] = []
        self.left = Counter(name for node in graph.nodes for name in node.inputs)

    def values(self, name: str) -> Values:
        """An input that is a tensor of integers."""
        held = self.held[name]
        if not isinstance(held, Values):
            raise LoweringError(f"engine: {name} is no tensor of integers in memory")
        return held

    def bits(self, name: str) -> Bits:
        """An input that is a tensor of bits."""
        held = self.held[name]
        if not isinstance(held, Bits):
            raise LoweringError(f"engine: {name} is no tensor of bits in memory")
        return held

    def layout(self, node: FrozenNode) -> Layout:
        """Of a node's output."""
        x, out = self.held[node.inputs[0]].layout, self.graph.tensors[node.output]
        if x.extra and node.op in GRID_NODES:
            raise LoweringError(f"engine: {node.output}: {node.op} of tokens with a class token")
        match node.op:
            case "SpatialPool" | "Upsample":
                return self.layouts[out.height, out.width]
            case "PrependToken":
                return replace(x, extra=True)
            case "FirstToken":
                return Layout(1, 1, 1)
            case _:
                return x

    def beside(self, node: FrozenNode) -> Binarized | None:
        """The first Binarize of a node's output, where its thresholds fit a parameter."""
        for reader in self.readers[node.output] if self.fused else ():
            if reader.op == "Binarize":
                threshold = reader.params["threshold"].astype(np.int64)
                if np.min(threshold) >= -(1 << 15) and np.max(threshold) < 1 << 15:
                    bits = self.e.new_bits(self.layout(node), len(threshold))
                    self.made[reader.output] = bits
                    return Binarized(bits, threshold)
        return None

    def new(self, node: FrozenNode) -> Values:
        """Room for a node's output."""
        out = self.graph.tensors[node.output]
        return self.e.new_values(self.layout(node), out.channels, out.bits, signed=out.signed)


def _affine(c: _Compiler, node: FrozenNode, out: FrozenTensor) -> Place:
    held, beside = c.new(node), c.beside(node)
    later = next((x for x in (c.held[name] for name in node.inputs) if isinstance(x, Product)), None)
    inputs = [None if c.held[name] is later else c.values(name) for name in node.inputs]
    found = affine_of(c.e, node, inputs, held, out.bits)
    if later is None:
        affine(c.e, found, held, beside)
    else:
        weights = later.node.params["weights"]
        product(c.e, later.columns, weights, held.layout, held, binary=True, tail=found, beside=beside)
    c.e.free(*found.loaded)
    return held


def _binarize(c: _Compiler, node: FrozenNode, out: FrozenTensor) -> Place:
    if node.output in c.made:
        return c.made.pop(node.output)
    held = c.e.new_bits(c.layout(node), out.channels)
    to_bits(c.e, c.values(node.inputs[0]), held, -node.params["threshold"].astype(np.int64))
    return held


def _linear(c: _Compiler, node: FrozenNode, out: FrozenTensor) -> Place:
    x, given = c.held[node.inputs[0]], c.graph.tensors[node.inputs[0]]
    source, window = (x.source, (x.rows, x.columns)) if isinstance(x, Patches) else (x, (1, 1))
    if isinstance(source, Product):
        raise LoweringError(f"engine: {node.output} reads a product that is not in memory")
    if c.fused and node.op == "BinaryLinear" and isinstance(source, Bits):
        readers = c.readers[node.output]
        if len(readers) == 1 and readers[0].op == "ChannelAffine" and not any(
            isinstance(c.held.get(name), Product) for name in readers[0].inputs
        ):  # fmt: skip
            return Product(source, Columns((source,), False, *window), node, x.layout)
    held = c.new(node)
    if isinstance(source, Bits):
        binary = node.op == "BinaryLinear"
        product(c.e, Columns((source,), False, *window), node.params["weights"], held.layout, held, binary=binary)
    else:
        columns = in_planes(c.e, source, given.bits, *window)
        product(c.e, columns, node.params["weights"], held.layout, held, binary=False)
        c.e.free(*columns.planes)
    return held


def _attention(c: _Compiler, node: FrozenNode, out: FrozenTensor) -> Place:
    held = c.new(node)
    q, k, v = (c.bits(name) for name in node.inputs)
    attention(c.e, node, q, k, v, held, out.bits)
    return held


def _spatial_pool(c: _Compiler, node: FrozenNode, out: FrozenTensor) -> Place:
    held = c.new(node)
    spatial_pool(c.e, c.values(node.inputs[0]), held, node.attrs["window_h"], node.attrs["window_w"])
    return held


def _multi_pool(c: _Compiler, node: FrozenNode, out: FrozenTensor) -> Place:
    held = c.new(node)
    multi_pool(c.e, node, c.values(node.inputs[0]), held, out.bits)
    return held


def _channel_pool(c: _Compiler, node: FrozenNode, out: FrozenTensor) -> Place:
    x, held, group = c.values(node.inputs[0]), c.new(node), node.attrs["group"]
    if can_pool(c.e, group):
        channel_pool(c.e, x, held, group)
    else:
        rows = [range(i * group, (i + 1) * group) for i in range(out.channels)]
        gathered(c.e, x, c.graph.tensors[node.inputs[0]].bits, selection(rows, x.channels), held)
    return held


def _channel_repeat(c: _Compiler, node: FrozenNode, out: FrozenTensor) -> Place:
    x, held = c.values(node.inputs[0]), c.new(node)
    if can_repeat(c.e, x):
        repeat(c.e, x, held, node.attrs["repeat"])
    else:
        rows = [[i % x.channels] for i in range(out.channels)]
        gathered(c.e, x, c.graph.tensors[node.inputs[0]].bits, selection(rows, x.channels), held)
    return held


def _upsample(c: _Compiler, node: FrozenNode, out: FrozenTensor) -> Place:
    held = c.new(node)
    upsample(c.e, c.values(node.inputs[0]), held, node.attrs["factor"])
    return held


def _prepend_token(c: _Compiler, node: FrozenNode, out: FrozenTensor) -> Place:
    x, held = c.values(node.inputs[0]), c.new(node)
    copy(c.e, x, held)
    last = replace(held, base=held.at(held.layout.slots - 1, 0), layout=Layout(1, 1, 1))
    c.e.load_values(last, node.params["token"].astype(np.int64)[None, :])
    return held


def _first_token(c: _Compiler, node: FrozenNode, out: FrozenTensor) -> Place:
    x, held = c.values(node.inputs[0]), c.new(node)
    copy(c.e, x, held, x.layout.slots - 1 if x.layout.extra else 0)
    return held


def _patches(c: _Compiler, node: FrozenNode, out: FrozenTensor) -> Place:
    source = c.held[node.inputs[0]]
    if isinstance(source, Patches | Product) or source.layout.extra:
        raise LoweringError(f"engine: {node.output} gathers patches of patches, or with a class token")
    return Patches(source, node.attrs["window_h"], node.attrs["window_w"])


#: what each kind of node becomes
NODES: dict[str, Callable[[_Compiler, FrozenNode, FrozenTensor], Place]] = {
    "Binarize": _binarize,
    "BinaryAttention": _attention,
    "BinaryLinear": _linear,
    "ChannelAffine": _affine,
    "ChannelPool": _channel_pool,
    "ChannelRepeat": _channel_repeat,
    "FirstToken": _first_token,
    "IntLinear": _linear,
    "MultiPool": _multi_pool,
    "PatchGather": _patches,
    "PrependToken": _prepend_token,
    "SpatialPool": _spatial_pool,
    "Upsample": _upsample,
}


def compile_network(graph: FrozenGraph, config: EngineConfig, *, fused: bool = False) -> Compiled:
    """The programme of a network for the engine ``config``.

    With ``fused`` a product of bits, the affine that reads it and a threshold behind that are one command; the product
    then is nowhere in memory.

    Raises LimitError, naming limit, given and allowed, for a network beyond a memory or a field of the engine.
    """
    c = _Compiler(graph, config, fused)
    stem = graph.nodes[0]
    patch = graph.tensors[stem.output]
    first = c.e.new_values(c.layouts[patch.height, patch.width], patch.channels, patch.bits, signed=patch.signed)
    slices = first.layout.lanes * config.channels // 8
    c.e.commands.append(Command(
        kind=Kind.LOAD, memory=Memory.VALUES, space=Space.INPUT, weights=View(first.base), words=first.words,
        slices=slices,
    ))  # fmt: skip
    _done(c, stem, first)
    for node in graph.nodes[1:]:
        _done(c, node, NODES[node.op](c, node, graph.tensors[node.output]))
    last = c.values(graph.output)
    if last.layout.slots > 1:
        raise LoweringError(f"engine: {graph.output} has {last.layout.slots} tokens; allowed: 1")
    c.e.commands.append(Command(
        kind=Kind.STORE, operand0=View(last.base), words=last.words, slices=config.channels // 8
    ))  # fmt: skip
    programme = c.e.finish(8 * first.words * slices, last.words * config.channels)
    return Compiled(programme, first, (stem.attrs["window_h"], stem.attrs["window_w"]), last, tuple(c.places))


def _done(c: _Compiler, node: FrozenNode, held: Place) -> None:
    """A node's output is there; what nobody needs any more makes room. A view needs what it shows."""
    c.held[node.output] = held
    if not isinstance(held, Product):
        c.places.append((len(c.e.commands), node.output, held))
    for name in node.inputs:
        c.left[name] -= 1
    needed = {id(_root(x)) for name, x in c.held.items() if c.left[name] > 0 or name == c.graph.output}
    for name in [name for name in c.held if c.left[name] <= 0 and name != c.graph.output]:
        root = _root(c.held.pop(name))
        if id(root) not in needed:
            c.e.free(root)
            needed.add(id(root))


def _root(held: Place) -> Values | Bits:
    return held.source if isinstance(held, Patches | Product) else held
