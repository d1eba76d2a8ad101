"""What a network takes of an engine at least, whatever its memories and its schedule: a bound for the search."""

from __future__ import annotations

from bvit_hw.contract import FrozenGraph, FrozenNode
from bvit_hw.contract.interval import bits_of
from bvit_hw.engine.config import COLUMNS, EngineConfig
from bvit_hw.engine.layout import Layout, strips

#: 32-bit words of a channel's parameters at least: bias, second bias, slope with threshold
RECORD = 3


def least_cycles(graph: FrozenGraph, config: EngineConfig) -> int:
    """Cycles that no programme of the network is below: those of its products, of its results, and of its beats.

    Each product's steps are taken once for all tokens, each result of a ChannelAffine takes a cycle of its group, and
    all weights and parameters come from DRAM in each frame.
    """
    layouts = strips(graph, config.tokens)
    maker = {node.output: node for node in graph.nodes}

    def slots(name: str) -> int:
        t = graph.tensors[name]
        spare = Layout(1, -(-t.tokens // config.tokens), config.tokens)
        return layouts.get((t.height, t.width), spare).slots

    def words(name: str) -> int:
        """Words of bits of a token, whose windows each take their own."""
        node = maker.get(name)
        if node is not None and node.op == "PatchGather" and node.inputs[0] != graph.input:
            window = int(node.attrs["window_h"]) * int(node.attrs["window_w"])
            return window * -(-graph.tensors[node.inputs[0]].channels // COLUMNS)
        return -(-graph.tensors[name].channels // COLUMNS)

    def steps(node: FrozenNode) -> int:
        out = graph.tensors[node.output]
        turns = slots(node.output) * -(-out.channels // config.rows)
        if node.op == "BinaryLinear":
            return turns * words(node.inputs[0])
        if node.op == "IntLinear":
            return turns * words(node.inputs[0]) * graph.tensors[node.inputs[0]].bits * bits_of(node.params["weights"])
        return 0

    results, products, bits = 0, 0, 0
    for node in graph.nodes:
        products += steps(node)
        if node.op == "ChannelAffine":
            channels = graph.tensors[node.output].channels
            results += slots(node.output) * -(-channels // config.channels)
            bits += 32 * RECORD * channels
        elif node.op in ("BinaryLinear", "IntLinear"):
            bits += int(node.params["weights"].size)
    return max(products, results, bits // config.port)
