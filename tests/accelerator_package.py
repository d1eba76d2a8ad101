"""A small accelerator's files as the step ``package`` lays them out, for tests of what is generated around it."""

from __future__ import annotations

import shutil
from pathlib import Path

from bvit_hw.boards import Board
from bvit_hw.codegen.accelerator import OUTPUT_BITS, accelerator
from bvit_hw.codegen.stitch import stitch
from bvit_hw.flows.vivado import IpContents
from bvit_hw.freeze import random_frozen
from bvit_hw.graph.board_passes import board_passes
from bvit_hw.graph.border import border_of
from bvit_hw.graph.from_contract import hw_graph_of
from bvit_hw.graph.passes import run_passes
from bvit_hw.graph.stitch_plan import planned
from bvit_hw.rtl_library import source_paths
from tests.frozen_factory import CONFIGS

TOP = "bvit_accelerator"
MODEL_HASH = "ab" * 32


def write_accelerator(folder: Path, board: Board) -> IpContents:
    """Write sources and memories of a random tiny network, unfolded, into ``folder``/ip; nothing of a vendor's."""
    config = CONFIGS["pyramid"]
    graph = run_passes(hw_graph_of(random_frozen(config, seed=1)), board_passes(board))
    border = border_of(graph, board.limits.bram18)
    core = stitch(planned(graph, board.limits))
    size = config.image_size
    top = accelerator(
        core,
        name=TOP,
        model_hash=MODEL_HASH,
        image=(size, size, config.in_channels),
        border=border,
        logits_exponent=-4,
    )
    ip = folder / "ip"
    core.write(ip, ip / "mem")
    top.write(ip)
    for source in source_paths(top.library):
        shutil.copyfile(source, ip / source.name)
    sources = (*top.library, f"{core.module}.sv", f"{top.module}.v")
    return IpContents(
        top=TOP, sources=sources, model_hash=MODEL_HASH, input_bits=border.input_bits, output_bits=OUTPUT_BITS
    )
