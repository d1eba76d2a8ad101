"""What the operators of the shipped digits network see and give on test images: real data for C simulation."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
import torch
from hls_checks import Case

from bvit_hw.contract import FrozenGraph
from bvit_hw.data import load_dataset
from bvit_hw.execute.frozen import FrozenBinaryViT
from bvit_hw.freeze import freeze
from bvit_hw.graph.from_contract import hw_graph_of
from bvit_hw.models.checkpoint import load_checkpoint, shipped_checkpoint
from bvit_hw.ops.base import HwOp, IntArray

IMAGES = 4

# Such small tensors gain nothing from threads, and lose much on a busy machine.
torch.set_num_threads(1)


@cache
def _frozen() -> FrozenGraph:
    return freeze(load_checkpoint(shipped_checkpoint()))


@cache
def _traces() -> Mapping[str, IntArray]:
    """Every tensor of the network by frozen PyTorch: images x tokens x channels."""
    images = torch.from_numpy(load_dataset("digits").test_images[:IMAGES])
    with torch.no_grad():
        found = FrozenBinaryViT(_frozen()).trace(images)
    return {name: value.flatten(1, 2).numpy().astype(np.int64) for name, value in found.items()}


def digits_cases(op_type: str, foldings: int = 1) -> list[Case]:
    """Every operator of one type, each in ``foldings`` of its foldings, slowest and fastest among them.

    Raises AssertionError when an operator's golden function does not give what frozen PyTorch did.
    """
    cases: list[Case] = []
    for node in hw_graph_of(_frozen()).nodes:
        if node.op.op_type != op_type:
            continue
        frames = list(zip(*(_traces()[tensor] for tensor in node.inputs), strict=True))
        for number, frame in enumerate(frames):
            for tensor, found in zip(node.outputs, node.op.golden(node.params, *frame), strict=True):
                assert np.array_equal(found, _traces()[tensor][number]), tensor
        cases += [(op, node.params, frames) for op in _spread(list(node.op.foldings()), foldings)]
    assert cases, f"the digits network has no {op_type}"
    return cases


def _spread(ops: list[HwOp], count: int) -> list[HwOp]:
    return [ops[round(i * (len(ops) - 1) / max(count - 1, 1))] for i in range(count)]
