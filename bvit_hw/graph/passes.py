"""How passes over a hardware graph are run: each a function from graph to graph, its result checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from bvit_hw.errors import LoweringError
from bvit_hw.graph.hw_graph import HwGraph
from bvit_hw.ops.base import IntArray

#: gives a new graph (or the same one, where it has nothing to do) and leaves the given one as it is
GraphPass = Callable[[HwGraph], HwGraph]


def run_passes(graph: HwGraph, passes: Sequence[GraphPass], image: np.ndarray | None = None) -> HwGraph:
    """``graph`` after all ``passes``, in order.

    With ``image`` (uint8, H x W x C) each result must be sound, and every tensor that the graph had before must be
    there with equal values: LoweringError, naming pass and tensor, where not. Folding plans hundreds of graphs and
    gives none.
    """
    reference: dict[str, IntArray] | None = None
    for step in passes:
        before, graph = graph, step(graph)
        if image is None or graph is before:
            continue
        if reference is None:
            reference = before.execute(image.reshape(1, -1))
        graph.check()
        found = graph.execute(image.reshape(1, -1))
        for tensor, wanted in reference.items():
            if tensor not in found:
                raise LoweringError(f"after {_name(step)}: tensor {tensor} is no longer computed")
            if not np.array_equal(found[tensor].reshape(-1), wanted.reshape(-1)):
                raise LoweringError(f"after {_name(step)}: tensor {tensor} has other values than before")
        reference = found
    return graph


def _name(step: GraphPass) -> str:
    return getattr(step.func if isinstance(step, partial) else step, "__name__", repr(step))
