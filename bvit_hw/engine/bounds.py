"""What a network takes of an engine at least, whatever its memories and its schedule: a bound for the search."""

from __future__ import annotations

from bvit_hw.contract import FrozenGraph, FrozenNode
from bvit_hw.contract.interval import bits_of
from bvit_hw.engine.config import COLUMNS, EngineConfig
from bvit_hw.engine.layout import Layout, strips

#: 32-bit words of a channel's parameters at least: bias, second bias, slope with threshold
RECORD = 3


class Sizes:
    """Of a network's tensors: the turns that they take on so many lanes, and the words of bits of a token."""

    def __init__(self, graph: FrozenGraph, lanes: int) -> None:
        self._graph, self._lanes = graph, lanes
        self._layouts = strips(graph, lanes)
        self._maker = {node.output: node for node in graph.nodes}

    def slots(self, name: str) -> int:
        """Slots of a tensor's grid: each is a turn for all lanes."""
        t = self._graph.tensors[name]
        spare = Layout(1, -(-t.tokens // self._lanes), self._lanes)
        return self._layouts.get((t.height, t.width), spare).slots

    def words(self, name: str) -> int:
        """Words of bits that a token takes, a window's tokens each its own."""
        node = self._maker.get(name)
        if node is not None and node.op == "PatchGather" and node.inputs[0] != self._graph.input:
            window = int(node.attrs["window_h"]) * int(node.attrs["window_w"])
            return window * -(-self._graph.tensors[node.inputs[0]].channels // COLUMNS)
        return -(-self._graph.tensors[name].channels // COLUMNS)


def least_cycles(graph: FrozenGraph, config: EngineConfig) -> int:
    """Cycles that no programme of the network is below: those of its products, of its results, and of its beats.

    Each product's steps are taken once for all tokens, each result of a ChannelAffine takes a cycle of its group, and
    all weights and parameters come from DRAM in each frame.
    """
    sizes = Sizes(graph, config.tokens)

    def steps(node: FrozenNode) -> int:
        out = graph.tensors[node.output]
        turns = sizes.slots(node.output) * -(-out.channels // config.rows)
        if node.op == "BinaryLinear":
            return turns * sizes.words(node.inputs[0])
        if node.op == "IntLinear":
            planes = graph.tensors[node.inputs[0]].bits * bits_of(node.params["weights"])
            return turns * sizes.words(node.inputs[0]) * planes
        return 0

    results, products, bits = 0, 0, 0
    for node in graph.nodes:
        products += steps(node)
        if node.op == "ChannelAffine":
            channels = graph.tensors[node.output].channels
            results += sizes.slots(node.output) * -(-channels // config.channels)
            bits += 32 * RECORD * channels
        elif node.op in ("BinaryLinear", "IntLinear"):
            bits += int(node.params["weights"].size)
    return max(products, results, bits // config.port)
