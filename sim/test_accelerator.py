"""The whole accelerator: the generated top behind AXI bus models, and its core with every test image."""

from __future__ import annotations

import json
import shutil
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch
from harness import SIM, cocotb_model, find_sources, mutant, simulate

from bvit_hw.boards import load_board
from bvit_hw.codegen.design import design
from bvit_hw.contract.file import load_frozen
from bvit_hw.data import load_dataset
from bvit_hw.execute.frozen import FrozenBinaryViT
from bvit_hw.flows.core_sim import CoreSimulator
from bvit_hw.freeze import random_frozen
from bvit_hw.graph.border import border_of
from bvit_hw.graph.dies import with_cuts
from bvit_hw.graph.fifo_sizing import check_logits, golden_logits
from bvit_hw.graph.file import load_graph
from bvit_hw.graph.folding import fold
from bvit_hw.graph.from_contract import hw_graph_of
from bvit_hw.graph.stitch_plan import planned
from bvit_hw.ops.base import Resources
from bvit_hw.ops.shell import guard_depths
from bvit_hw.pipeline.artefacts import GRAPH_FILE
from bvit_hw.rtl_library import source_paths
from tests.frozen_factory import CONFIGS, random_pixels
from tests.other_networks import NETWORKS, build

IMAGES = 32


def frozen_logits(built: Path, images: np.ndarray) -> np.ndarray:
    """What frozen PyTorch gives, N x classes int64."""
    model = FrozenBinaryViT(load_frozen(built / "freeze/frozen.safetensors"))
    return model(torch.from_numpy(images)).numpy().astype(np.int64)


def bench(folder: Path, sources: list[Path], input_bits: int, top: str) -> None:
    """Runs accelerator_cocotb in ``folder``, where frames.npz and the memories are, on the module ``top``."""
    parts = [*source_paths(["bvit_axis_check.sv"]), SIM / "accelerator_top.sv"]
    model = cocotb_model(
        list(dict.fromkeys([*sources, *parts])),
        "accelerator_top",
        {"INPUT_BITS": input_bits},
        defines=["BVIT_CHECK", f"BVIT_TOP={top}"],
    )
    simulate(model, top="accelerator_top", module="accelerator_cocotb", folder=folder)


def write_frames(folder: Path, images: np.ndarray, logits: np.ndarray, digest: str, cycles: int) -> None:
    """What accelerator_cocotb reads."""
    words = np.array([int(digest[8 * i : 8 * i + 8], 16) for i in range(8)])
    np.savez(folder / "frames.npz", images=images, logits=logits, hash=words, cycles=cycles)


def behind_axi(built: Path, images: np.ndarray, folder: Path, *, depth: int | None = None) -> None:
    """Images through the generated top of a build as a DMA sends them; ``depth`` is another one of the frame guard."""
    steps = json.loads((built / "manifest.json").read_text())["steps"]
    digest, generated = steps["freeze"]["results"]["model_hash"], steps["generate"]["results"]
    cycles = steps["simulate"]["results"]["cycles_model"]
    write_frames(folder, images, frozen_logits(built, images), digest, cycles)
    shutil.copytree(built / "generate", folder / "generate")
    shutil.copytree(built / "generate/mem", folder, dirs_exist_ok=True)
    if depth is not None:
        top = folder / "generate/rtl" / f"{generated['kernels'][0]['top']}.v"
        text = top.read_text()
        assert f".DEPTH({generated['guard_depth']})" in text
        top.write_text(text.replace(f".DEPTH({generated['guard_depth']})", f".DEPTH({depth})"))
    files = (folder / "generate/sim_files.f").read_text().split()
    bench(folder, [folder / "generate" / f for f in files], generated["input_bits"], generated["simulated_top"])


def test_accelerator_behind_axi(built: Path, tmp_path: Path) -> None:
    behind_axi(built, load_dataset("digits").test_images[:IMAGES], tmp_path)


def on_four_dies(folder: Path, override: Path | None = None) -> None:
    """A small network in four kernels, connected as on the card, behind AXI; ``override`` has mutations of rtl/."""
    config, limits = CONFIGS["pyramid"], load_board("pynq-z2").limits
    folded = fold(hw_graph_of(random_frozen(config, seed=6)), load_board("pynq-z2"), target_fps=100_000.0).graph
    graph = planned(with_cuts(folded, ("b0.y", "t1.h", "b1.y")), Resources(bram18=limits.bram18))
    digest, images = "5c" * 32, random_pixels(config, 8, seed=9)
    border = border_of(graph, limits.bram18)
    size = (config.image_size, config.image_size, config.in_channels)
    made = design(graph, name="bvit_accelerator", model_hash=digest, image=size, border=border, logits_exponent=0)
    assert len(made.kernels) == 4
    whole = CoreSimulator()(planned(folded, Resources(bram18=limits.bram18)), images, frames=12)
    write_frames(folder, images, golden_logits(graph, images), digest, round(whole.cycles_per_frame))
    made.write(folder, folder)
    own = [folder / name for name in dict.fromkeys(chain.from_iterable(made.sources.values()))]
    sources = [*find_sources((*made.cell_models, *made.library), override), *(path for path in own if path.is_file())]
    bench(folder, [*sources, *made.write_linked(folder)], border.input_bits, made.simulated_top)


def test_kernels_on_four_dies_behind_axi(tmp_path: Path) -> None:
    """Logits, cycles a frame, counters and resets are those of a single kernel."""
    on_four_dies(tmp_path)


#: prove/ has those of bvit_reset_chain that only more time between kernels would show
DIE_MUTATIONS = [
    ("bvit_entry_register.sv", "m_axis_tready || drain", "m_axis_tready"),
    ("bvit_entry_register.sv", "m_axis_tready || drain", "drain"),
    ("bvit_entry_register.sv", "valid && !drain", "valid"),
    ("bvit_reset_chain.sv", "      hold_q <= 1'b1;", "      hold_q <= 1'b0;"),
    ("bvit_reset_chain.sv", "else hold_q <= 1'b0;", "else hold_q <= 1'b1;"),
    ("bvit_reset_chain.sv", "busy_q <= busy_q && held", "busy_q <= 1'b1"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "old", "new"), DIE_MUTATIONS)
def test_mutations_between_dies_are_caught(name: str, old: str, new: str, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with pytest.raises(AssertionError, match="simulation failed"):
        on_four_dies(tmp_path / "run", mutant(tmp_path, name, old, new))


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
