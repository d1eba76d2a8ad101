"""How long streams wait for each other: a rough, folding-free estimate of what FIFOs have to hold.

Unit is the frame: with operators folded to equal rates, a tensor's first useful value appears a fraction of a frame
after the input's. Where an operator joins streams, the early one waits in a FIFO. Real depths come from simulation
(:mod:`bvit_hw.graph.fifo_sizing`); this is what the folding solver budgets before there is one.
"""

from __future__ import annotations

from bvit_hw.graph.hw_graph import HwGraph


def held_fractions(graph: HwGraph) -> dict[tuple[str, str, int], float]:
    """(tensor, consumer's name, port) -> frames of the tensor that wait before that consumer."""
    ready: dict[str, float] = {graph.input: 0.0}
    held: dict[tuple[str, str, int], float] = {}
    for node in graph.nodes:
        start = max(ready[t] for t in node.inputs)
        for port, tensor in enumerate(node.inputs):
            held[tensor, node.name, port] = start - ready[tensor]
        for tensor in node.outputs:
            ready[tensor] = start + node.op.lag
    return held
