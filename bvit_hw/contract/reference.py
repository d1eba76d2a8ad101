"""A frozen graph executed in NumPy: what every other execution must give, for any image, and what happens inside.

Slow beside the accelerator and meant for a few images. A copy of this file goes to the board with the driver.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from .interval import IntArray
from .nodes import FrozenGraph
from .operators import OPERATORS
from .operators.binary_attention import BinaryAttention


class Reference:
    """Executes a frozen graph on uint8 images, N x H x W x C, in integers.

    Raises ValueError for a graph with an operation that the contract does not know.
    """

    #: what images of another shape or type raise
    image_error: type[ValueError] = ValueError

    def __init__(self, graph: FrozenGraph) -> None:
        self.graph = graph
        unknown = {node.op for node in graph.nodes} - set(OPERATORS)
        if unknown:
            raise ValueError(f"operations {sorted(unknown)} are not known to this driver")
        # 64 bits throughout: the attention rule needs them, and nothing else has to think of its width.
        self._nodes = [
            replace(node, params={key: value.astype(np.int64) for key, value in node.params.items()})
            for node in graph.nodes
        ]

    def logits_int(self, images: np.ndarray) -> np.ndarray:
        """Integer logits, int32 N x classes: what the accelerator gives."""
        (found,) = self.tensors(images, [self.graph.output]).values()
        return found.reshape(len(images), -1).astype(np.int32)

    def tensors(self, images: np.ndarray, names: Collection[str]) -> dict[str, IntArray]:
        """The tensors ``names`` of docs/contract.md, N x H x W x C integers (binary ones 0 / 1)."""
        graph = self.graph
        source = graph.tensors[graph.input]
        shape = (source.height, source.width, source.channels)
        if images.dtype != np.uint8 or images.shape[1:] != shape:
            raise self.image_error(f"images are {images.dtype} {images.shape}; needed: uint8 N x {shape}")
        unknown = set(names) - set(graph.tensors)
        if unknown:
            raise KeyError(f"no tensors {sorted(unknown)} in this model")
        last = {name: index for index, node in enumerate(self._nodes) for name in node.inputs}
        values: dict[str, IntArray] = {graph.input: images.astype(np.int64)}
        found = {name: value for name, value in values.items() if name in names}
        for index, node in enumerate(self._nodes):
            result = OPERATORS[node.op].run(
                node, graph.tensors[node.output], *(values[name] for name in node.inputs)
            )  # fmt: skip
            for name in {name for name in node.inputs if last[name] == index}:
                del values[name]
            values[node.output] = result
            if node.output in names:
                found[node.output] = result
        return found

    def attention(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Which keys each query attends: by block's tensor name, bool N x heads x queries x keys."""
        rows = [node for node in self._nodes if isinstance(OPERATORS[node.op], BinaryAttention)]
        values = self.tensors(images, {name for node in rows for name in node.inputs})
        return {node.output: BinaryAttention.attended(node, *(values[x] for x in node.inputs)) for node in rows}

    def grids(self, name: str) -> tuple[tuple[int, int], tuple[int, int]]:
        """Height and width of the queries' and of the keys' grid of an attention."""
        node = next(n for n in self._nodes if n.output == name)
        query, key = (self.graph.tensors[tensor] for tensor in node.inputs[:2])
        return (query.height, query.width), (key.height, key.width)
