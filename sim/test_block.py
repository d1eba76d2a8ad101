"""Whole transformer blocks of the shipped network: stitched as in an accelerator, fed with what they see in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from harness import Dut, DutStream, check_op

from bvit_hw.codegen.stitch import stitch
from bvit_hw.contract import FrozenGraph
from bvit_hw.data import load_dataset
from bvit_hw.execute.frozen import FrozenBinaryViT
from bvit_hw.flows.core_sim import CoreSimulator
from bvit_hw.freeze import freeze
from bvit_hw.graph.fifo_sizing import measure, round_depth
from bvit_hw.graph.from_contract import hw_graph_of
from bvit_hw.graph.hw_graph import HwGraph
from bvit_hw.graph.insert_fifos import with_depths
from bvit_hw.graph.place_fifos import place_fifos
from bvit_hw.graph.stitch_plan import add_glue
from bvit_hw.models.checkpoint import load_checkpoint, shipped_checkpoint
from bvit_hw.ops.base import HwOp, IntArray, Params, Resources, Stream
from bvit_hw.rtl_library import source_paths

IMAGES = 6
#: block RAM for the block's deep FIFOs, in halves: what a part of a small FPGA's would be
ROOM = Resources(bram18=40)


@cache
def frozen() -> FrozenGraph:
    return freeze(load_checkpoint(shipped_checkpoint()))


@cache
def traces() -> Mapping[str, IntArray]:
    """Every tensor of the network on some test images, by frozen PyTorch: images x tokens x channels."""
    images = torch.from_numpy(load_dataset("digits").test_images[:IMAGES])
    found = FrozenBinaryViT(frozen()).trace(images)
    return {name: value.flatten(1, 2).numpy().astype(np.int64) for name, value in found.items()}


def block_of(graph: HwGraph, name: str) -> HwGraph:
    """The operators ``name``.* of a network's graph, from the one tensor that they read to ``name``.x."""
    nodes = tuple(node for node in graph.nodes if node.name.startswith(f"{name}."))
    written = {tensor for node in nodes for tensor in node.outputs}
    (source,) = {tensor for node in nodes for tensor in node.inputs} - written
    block = replace(graph, name=name, nodes=nodes, input=source, output=f"{name}.x")
    block.check()
    return block


def folded(graph: HwGraph, cycles: int) -> HwGraph:
    """Every operator in the folding of fewest LUTs that takes at most ``cycles`` cycles a frame."""
    ops: dict[str, HwOp] = {}
    for node in graph.nodes:
        allowed = [op for op in node.op.foldings() if op.cycles <= cycles]
        ops[node.name] = min(allowed, key=lambda op: (op.resources().lut, op.cycles))
    return graph.with_ops(ops)


def sized(graph: HwGraph, frames: IntArray) -> HwGraph:
    """The graph with all glue, its FIFOs as deep as they get full when a frame comes every ``graph.cycles`` cycles."""
    glued = add_glue(graph)
    run = measure(glued, CoreSimulator(), frames, frames=2 * len(frames))
    return place_fifos(with_depths(glued, {n: round_depth(held) for n, held in run.occupancy.items()}), ROOM)


@dataclass(frozen=True)
class Block:
    """A stitched block as the bench plays it; what must come out was traced, so it owes nothing to the operators."""

    name: str
    inputs: tuple[Stream, ...]
    outputs: tuple[Stream, ...]
    cycles: int
    traced: Mapping[bytes, IntArray] = field(repr=False)

    def golden(self, params: Params, *frames: np.ndarray) -> tuple[IntArray, ...]:
        """The traced output for a traced input."""
        (frame,) = frames
        return (self.traced[frame.tobytes()],)


@pytest.mark.parametrize("name", ["b1", pytest.param("b2", marks=pytest.mark.slow)])
def test_block(name: str, tmp_path: Path) -> None:
    """Pools and upsampling at r = 2, direct paths at r = 1; a value a cycle, the pace of the accelerator's border."""
    plain = block_of(hw_graph_of(frozen()), name)
    inputs, outputs = traces()[plain.input], traces()[plain.output]
    graph = sized(folded(plain, outputs[0].size), inputs)
    core = stitch(graph)
    block = Block(
        name=name,
        inputs=(core.input,),
        outputs=(core.output,),
        cycles=core.cycles,
        traced={x.tobytes(): y for x, y in zip(inputs, outputs, strict=True)},
    )
    dut = Dut(
        module=core.module,
        sources=(*source_paths((*core.cell_models, *core.library)), core.write(tmp_path, tmp_path)),
        inputs=(DutStream(prefix="s_axis", width=core.input.width, port_width=core.input.width),),
        outputs=(DutStream(prefix="m_axis", width=core.output.width, port_width=core.output.width),),
        memories=core.memories,
        defines=("BVIT_CHECK",),
    )
    measured = check_op(block, {}, list(inputs), dut=dut)
    assert measured.latency_last > 0
