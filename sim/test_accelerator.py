"""The whole accelerator: the generated top behind AXI bus models, and its core with every test image."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from harness import SIM, cocotb_model, simulate

from bvit_hw.contract.file import load_frozen
from bvit_hw.data import load_dataset
from bvit_hw.execute.frozen import FrozenBinaryViT
from bvit_hw.flows.core_sim import CoreSimulator
from bvit_hw.graph.fifo_sizing import check_logits
from bvit_hw.graph.file import load_graph
from bvit_hw.ops.shell import guard_depths
from bvit_hw.pipeline.artefacts import GRAPH_FILE
from bvit_hw.rtl_library import source_paths
from tests.other_networks import NETWORKS, build

IMAGES = 32


def frozen_logits(built: Path, images: np.ndarray) -> np.ndarray:
    """What frozen PyTorch gives, N x classes int64."""
    model = FrozenBinaryViT(load_frozen(built / "freeze/frozen.safetensors"))
    return model(torch.from_numpy(images)).numpy().astype(np.int64)


def behind_axi(built: Path, images: np.ndarray, folder: Path, *, depth: int | None = None) -> None:
    """Images through the generated top of a build as a DMA sends them; ``depth`` is another one of the frame guard."""
    steps = json.loads((built / "manifest.json").read_text())["steps"]
    digest, generated = steps["freeze"]["results"]["model_hash"], steps["generate"]["results"]
    np.savez(
        folder / "frames.npz",
        images=images,
        logits=frozen_logits(built, images),
        hash=np.array([int(digest[8 * i : 8 * i + 8], 16) for i in range(8)]),
        cycles=steps["simulate"]["results"]["cycles_model"],
    )
    shutil.copytree(built / "generate", folder / "generate")
    shutil.copytree(built / "generate/mem", folder, dirs_exist_ok=True)
    if depth is not None:
        top = folder / "generate/rtl" / f"{generated['top']}.v"
        text = top.read_text()
        assert f".DEPTH({generated['guard_depth']})" in text
        top.write_text(text.replace(f".DEPTH({generated['guard_depth']})", f".DEPTH({depth})"))
    files = (folder / "generate/sim_files.f").read_text().split()
    bench = [*source_paths(["bvit_axis_check.sv"]), SIM / "accelerator_top.sv"]
    sources = [*(folder / "generate" / f for f in files), *bench]
    parameters = {"INPUT_BITS": generated["input_bits"]}
    model = cocotb_model(list(dict.fromkeys(sources)), "accelerator_top", parameters, defines=["BVIT_CHECK"])
    simulate(model, top="accelerator_top", module="accelerator_cocotb", folder=folder)


def test_accelerator_behind_axi(built: Path, tmp_path: Path) -> None:
    behind_axi(built, load_dataset("digits").test_images[:IMAGES], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["small", "byte-beats"])
def test_other_accelerators_behind_axi(name: str, tmp_path: Path) -> None:
    """Streams of 4 bytes and of 1 byte, room for a single frame in the frame guard."""
    built = build(NETWORKS[name], tmp_path / "network")
    (tmp_path / "run").mkdir()
    bits = built.results["generate"]["input_bits"]
    least, _ = guard_depths(built.images[0].nbytes, bits)
    behind_axi(built.folder, built.images, tmp_path / "run", depth=least)


@pytest.mark.slow
def test_every_test_image(built: Path) -> None:
    """All 360 images through the core, back to back and with stalls, equal to frozen PyTorch bit for bit."""
    images = load_dataset("digits").test_images
    graph = load_graph(built / "generate" / GRAPH_FILE)
    wanted = frozen_logits(built, images)
    run = CoreSimulator()(graph, images, frames=len(images))
    check_logits(run, wanted)
    assert abs(run.cycles_per_frame - graph.cycles) <= 0.02 * graph.cycles
    check_logits(CoreSimulator(source_chance=160, sink_chance=80, seed=3)(graph, images, frames=len(images)), wanted)
