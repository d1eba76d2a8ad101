"""The whole accelerator: the generated top behind AXI bus models, and its core with every test image."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from harness import RTL, SIM, cocotb_model, simulate

from bvit_hw.boards import load_board
from bvit_hw.build.engine import StepContext
from bvit_hw.build.hardware_steps import stitched_graph
from bvit_hw.data import load_dataset
from bvit_hw.flows.core_sim import CoreSimulator
from bvit_hw.lower.fifo_sizing import check_logits
from bvit_hw.models.frozen import FrozenBinaryViT
from bvit_hw.models.frozen_io import load_frozen

IMAGES = 32


def frozen_logits(built: Path, images: np.ndarray) -> np.ndarray:
    """What frozen PyTorch gives, N x classes int64."""
    model = FrozenBinaryViT(load_frozen(built / "freeze/frozen.safetensors"))
    return model(torch.from_numpy(images)).numpy().astype(np.int64)


def test_accelerator_behind_axi(built: Path, tmp_path: Path) -> None:
    images = load_dataset("digits").test_images[:IMAGES]
    report = json.loads((built / "report.json").read_text())
    digest = report["model_hash"]
    np.savez(
        tmp_path / "frames.npz",
        images=images,
        logits=frozen_logits(built, images),
        hash=np.array([int(digest[8 * i : 8 * i + 8], 16) for i in range(8)]),
        cycles=report["cycles_per_frame"]["model"],
    )
    shutil.copytree(built / "generate/mem", tmp_path, dirs_exist_ok=True)
    files = (built / "generate/sim_files.f").read_text().split()
    sources = [*(built / "generate" / f for f in files), RTL / "bvit_axis_check.sv", SIM / "accelerator_top.sv"]
    model = cocotb_model(list(dict.fromkeys(sources)), "accelerator_top", defines=["BVIT_CHECK"])
    simulate(model, top="accelerator_top", module="accelerator_cocotb", folder=tmp_path)


@pytest.mark.slow
def test_every_test_image(built: Path) -> None:
    """All 360 images through the core, back to back and with stalls, equal to frozen PyTorch bit for bit."""
    images = load_dataset("digits").test_images
    results = json.loads((built / "manifest.json").read_text())["steps"]
    context = StepContext(built, lambda done, total: None, {n: built / n for n in results}, {})
    graph = stitched_graph(context, load_board("pynq-z2"))
    wanted = frozen_logits(built, images)
    run = CoreSimulator()(graph, images, frames=len(images))
    check_logits(run, wanted)
    assert abs(run.cycles_per_frame - graph.cycles) <= 0.02 * graph.cycles
    check_logits(CoreSimulator(source_chance=160, sink_chance=80, seed=3)(graph, images, frames=len(images)), wanted)
