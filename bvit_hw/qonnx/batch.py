"""Which tensors of a model have the images' axis."""

from __future__ import annotations

from collections.abc import Iterable

from onnx import NodeProto


def per_image(nodes: Iterable[NodeProto], inputs: Iterable[str]) -> set[str]:
    """Names of ``inputs`` and of all that ``nodes``, in order of execution, compute from them."""
    found = set(inputs)
    for node in nodes:
        if found.intersection(node.input):
            found.update(node.output)
    return found
