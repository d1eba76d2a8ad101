"""A build's folder of the smallest accelerator, as the steps leave it, without what a build simulates."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np

from bvit_hw.boards import load_board
from bvit_hw.codegen.design import design
from bvit_hw.contract.file import save_frozen
from bvit_hw.freeze.random_frozen import random_frozen, random_images
from bvit_hw.graph.board_passes import board_passes
from bvit_hw.graph.border import border_of
from bvit_hw.graph.file import save_graph
from bvit_hw.graph.folding import fold
from bvit_hw.graph.from_contract import hw_graph_of
from bvit_hw.graph.hw_graph import HwGraph
from bvit_hw.graph.passes import run_passes
from bvit_hw.graph.stitch_plan import planned
from bvit_hw.models.config import BinaryViTConfig
from bvit_hw.pipeline.artefacts import GRAPH_FILE, PROVEN_RUN
from bvit_hw.rtl_library import source_paths

SMALL = BinaryViTConfig.create(
    image_size=8, patch_size=4, channels=(8,), depths=(1,), heads=(1,), mlp_widths=(8,), reductions=(1,), classes=3,
    stem_norm=False, affine=False, pool_branches=False,
)  # fmt: skip
#: frames/s that the smallest folding reaches
_RATE = 20_000


def write_small_build(folder: Path) -> HwGraph:
    """Write the folder; returns the stitched graph, with FIFOs of estimated depths."""
    board, frozen, images = load_board("pynq-z2"), random_frozen(SMALL), random_images(SMALL, 2)
    graph = fold(run_passes(hw_graph_of(frozen), board_passes(board)), board, target_fps=_RATE).graph
    border = border_of(graph, board.limits.bram18)
    stitched = planned(graph, *board.rooms)
    generate = folder / "generate"
    for part in (folder / "freeze", generate / "rtl", generate / "sim"):
        part.mkdir(parents=True)
    digest = save_frozen(frozen, folder / "freeze" / "frozen.safetensors", name="small")
    made = design(
        stitched, name="bvit_accelerator", model_hash=digest, image=(8, 8, 3), border=border, logits_exponent=0
    )
    made.write(generate / "rtl", generate / "mem")
    for names, part in ((made.library, "rtl"), (made.cell_models, "sim")):
        for source in source_paths(names):
            shutil.copyfile(source, generate / part / source.name)
    save_graph(stitched, generate / GRAPH_FILE)
    np.savez(generate / PROVEN_RUN, images=images)
    (folder / "manifest.json").write_text(json.dumps({"tool": "bvit-hw"}))
    return stitched
