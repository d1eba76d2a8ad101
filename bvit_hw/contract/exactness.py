"""Static proof that a frozen graph computes exactly in float32: no product or partial sum reaches 2**24.

Bounds are interval arithmetic over the declared widths of a node's inputs and its actual weights and coefficients, one
interval a channel; they hold for every input whatever. BinaryAttention is exempt: all levels compute it in 64-bit
integers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bvit_hw.contract.interval import Interval
from bvit_hw.contract.nodes import EXACT_BITS, FrozenGraph, FrozenNode, FrozenTensor
from bvit_hw.contract.operators import OPERATORS
from bvit_hw.contract.operators.channel_affine import MID_BITS
from bvit_hw.errors import FreezeError


def intermediates(node: FrozenNode, tensors: Mapping[str, FrozenTensor]) -> Iterator[tuple[str, Interval]]:
    """Every named intermediate of ``node`` that float32 has to hold exactly, with its bounds.

    None of a kind that is not in the contract: whoever executes or writes it refuses that.
    """
    if node.op in OPERATORS:
        yield from OPERATORS[node.op].bounds(node, *(Interval.of(tensors[name]) for name in node.inputs))


def check_node(node: FrozenNode, tensors: Mapping[str, FrozenTensor]) -> None:
    """Raise :class:`FreezeError` naming the tensor and the bound if ``node`` could leave the exact range."""
    for name, interval in intermediates(node, tensors):
        if interval.peak >= 1 << EXACT_BITS:
            raise FreezeError(
                f"{node.output}: {name} of {node.op} can reach {interval.peak}; "
                f"exact execution in float32 allows less than 2**{EXACT_BITS} = {1 << EXACT_BITS}"
            )
        if name == "m" and not interval.fits(MID_BITS):
            raise FreezeError(
                f"{node.output}: m of {node.op} can reach {interval.peak} after mid_shift={node.attrs['mid_shift']}; "
                f"allowed are {MID_BITS} bits, at most {(1 << (MID_BITS - 1)) - 1}"
            )
        if name in ("sum of products", "window sum", "group sum") and not interval.fits(tensors[node.output].bits):
            raise FreezeError(
                f"{node.output}: {name} of {node.op} can reach {interval.peak}, "
                f"more than its {tensors[node.output].bits} bits hold"
            )


def check_exact(graph: FrozenGraph) -> None:
    """Raise :class:`FreezeError` unless every node of ``graph`` stays exact."""
    for node in graph.nodes:
        check_node(node, graph.tensors)
