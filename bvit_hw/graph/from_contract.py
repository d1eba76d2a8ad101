"""The hardware operator for one node of the integer contract, folded as slowly as possible.

Lowering passes recognise a node of docs/contract.md in the QONNX graph and ask here for the operator, which says itself
how its fields follow from shapes, widths and parameters.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bvit_hw.contract import FrozenGraph, FrozenNode, FrozenTensor
from bvit_hw.errors import LoweringError
from bvit_hw.graph.hw_graph import HwGraph, HwNode
from bvit_hw.ops.base import HwOp, Params
from bvit_hw.ops.registry import from_contract


def build_op(node: FrozenNode, tensors: Mapping[str, FrozenTensor]) -> tuple[HwOp, Params]:
    """The operator, in its slowest folding, and its parameters for a contract node.

    Raises LoweringError when there is none or its result does not have the width that the contract's tensor has.
    """
    output = tensors[node.output]
    params = {name: np.asarray(value) for name, value in node.params.items()}
    op = from_contract(node, tensors)
    op.check_params(params)
    stream = op.outputs[0]
    found = (stream.tokens * stream.channels, stream.bits, stream.signed)
    wanted = (output.tokens * output.channels, output.bits, output.signed)
    if found != wanted:
        raise LoweringError(
            f"{node.output}: {op.op_type} gives (values, bits, signed) = {found}, the contract says {wanted}"
        )
    return op, params


def hw_graph_of(frozen: FrozenGraph) -> HwGraph:
    """The hardware graph straight from a frozen one, without QONNX between (lowering gives the same; tests say so)."""
    nodes = []
    for node in frozen.nodes:
        op, params = build_op(node, frozen.tensors)
        nodes.append(HwNode(name=node.output, op=op, inputs=node.inputs, outputs=(node.output,), params=params))
    graph = HwGraph(name="bvit", nodes=tuple(nodes), input=frozen.input, output=frozen.output)
    graph.check()
    return graph
