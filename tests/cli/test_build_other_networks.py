"""Networks of other sizes than the shipped one go the same way, and the RTL gives what the frozen model gives."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from math import gcd
from pathlib import Path

import numpy as np
import pytest
import torch

from bvit_hw.boards import load_board
from bvit_hw.contract.file import load_frozen
from bvit_hw.execute.frozen import FrozenBinaryViT
from bvit_hw.flows.core_sim import CoreSimulator
from bvit_hw.graph.fifo_sizing import check_logits
from bvit_hw.graph.file import load_graph
from bvit_hw.pipeline.artefacts import GRAPH_FILE
from bvit_hw.resources import data_path
from tests.other_networks import LONG_LINES, NETWORKS, STEPS, build

#: the others are slow
QUICK = ("small", "full-width")


@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in NETWORKS])
def test_network(name: str, tmp_path: Path) -> None:
    network = NETWORKS[name]
    done = build(network, tmp_path)
    model = FrozenBinaryViT(load_frozen(done.folder / "freeze/frozen.safetensors"))
    wanted = model(torch.from_numpy(done.images)).numpy()
    with np.load(done.folder / "simulate/logits.npz", allow_pickle=False) as archive:
        assert np.array_equal(archive["logits"], wanted)
    assert len(np.unique(wanted, axis=0)) > 1, "the images must not all look alike to the network"
    graph = load_graph(done.folder / "generate" / GRAPH_FILE)
    for frames in (1, 2):
        run = CoreSimulator(jobs=1)(graph, done.images[:frames], frames=frames)
        check_logits(run, wanted[:frames].reshape(frames, -1).astype(np.int64))
    simulated = done.results["simulate"]
    assert abs(simulated["cycles_simulated"] - simulated["cycles_model"]) <= 0.02 * simulated["cycles_model"]
    board = load_board(network.board)
    assert simulated["cycles_model"] <= board.cycles_at(network.fps)
    frame = done.images[0].nbytes
    lanes = gcd(frame, board.pixel_bytes)
    top = (done.folder / "generate/rtl/bvit_accelerator.v").read_text()
    assert f"input  wire [{8 * lanes - 1}:0] s_axis_tdata" in top and f".W({8 * lanes}), .BYTES({frame})" in top
    folded = done.results["fold"]
    assert all(value <= folded["budget"][kind] for kind, value in folded["resources"].items())


@pytest.mark.slow
def test_long_lines_wait_in_ultraram(tmp_path: Path) -> None:
    """Depths found, RTL simulated and counted: as many URAM288 as the model says, the frozen network's logits."""
    done = build(LONG_LINES, tmp_path, (*STEPS, "synthesize"))
    model = FrozenBinaryViT(load_frozen(done.folder / "freeze/frozen.safetensors"))
    with np.load(done.folder / "simulate/logits.npz", allow_pickle=False) as archive:
        assert np.array_equal(archive["logits"], model(torch.from_numpy(done.images)).numpy())
    simulated, counted = done.results["simulate"], done.results["synthesize"]
    assert abs(simulated["cycles_simulated"] - simulated["cycles_model"]) <= 0.02 * simulated["cycles_model"]
    graph = load_graph(done.folder / "generate" / GRAPH_FILE)
    memories = [node.op.fifo_memory for node in graph.fifos]
    assert {"LUT RAM", "UltraRAM"} <= set(memories)
    assert counted["total"]["uram"] == counted["predicted"]["uram"] >= memories.count("UltraRAM")


@pytest.mark.slow
def test_the_papers_network_on_a_card(tmp_path: Path) -> None:
    """small-224 on the U250, as a user builds it, up to the simulated accelerator: half an hour on two idle cores."""
    out = tmp_path / "u250"
    command = [sys.executable, "-m", "bvit_hw.cli", "build", "--board", "u250", "--preset", "small-224",
               "--random-weights", "--images", "2", "--until", "simulate", "--out", str(out)]  # fmt: skip
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    results = {name: step["results"] for name, step in json.loads((out / "manifest.json").read_text())["steps"].items()}
    found, generated = results["simulate"], results["generate"]
    assert found["logits_equal_to_frozen"] and found["images"] == found["frames_with_stalls"] == 2
    assert abs(found["cycles_simulated"] - found["cycles_model"]) <= 0.02 * found["cycles_model"]
    board = load_board("u250")
    assert board.clock_mhz * 1e6 / found["cycles_simulated"] >= 10_000
    assert generated["fifo_bits"] <= 25e6
    assert len(generated["kernels"]) == 4
    model = FrozenBinaryViT(load_frozen(out / "freeze/frozen.safetensors"))
    with np.load(out / "generate/proven_run.npz", allow_pickle=False) as archive:
        wanted = model(torch.from_numpy(archive["images"][:2])).numpy()
    with np.load(out / "simulate/logits.npz", allow_pickle=False) as archive:
        assert np.array_equal(archive["logits"], wanted)
    assert not np.array_equal(*wanted), "the images must not look alike to the network"


@pytest.mark.slow
def test_a_network_on_several_dies_to_its_self_test(tmp_path: Path) -> None:
    """On a card that leaves little of each die: cut, sized, simulated, and connected behind pynq's interface."""
    text = (data_path("boards") / "u250.toml").read_text().replace('name = "u250"', 'name = "crowded"')
    few = "{ lut = 6000, ff = 16000, bram18 = 60, uram = 4, dsp = 60 }"
    (tmp_path / "crowded.toml").write_text(re.sub(r"(SLR\d) = .*", rf"\1 = {few}", text))
    network = replace(NETWORKS["three-stages"], board=str(tmp_path / "crowded.toml"))
    done = build(network, tmp_path, (*STEPS, "package"))
    model = FrozenBinaryViT(load_frozen(done.folder / "freeze/frozen.safetensors"))
    with np.load(done.folder / "simulate/logits.npz", allow_pickle=False) as archive:
        assert np.array_equal(archive["logits"], model(torch.from_numpy(done.images)).numpy())
    tops = [kernel["top"] for kernel in done.results["generate"]["kernels"]]
    assert len(tops) > 1
    package = done.folder / "package"
    for number, top in enumerate(tops[1:], 1):
        own = package / "dies" / top
        assert {"ip", "kernel.xml", "package_xo.tcl"} <= {path.name for path in own.iterdir()}
        assert f"slr=die{number}:SLR{number}" in (package / "link.cfg").read_text()
        # Each has its own memories, and those alone.
        named = set(re.findall(r'"(\w+\.mem)"', "".join(path.read_text() for path in (own / "ip").glob("*_core.sv"))))
        assert {path.name for path in (own / "ip" / "mem").iterdir()} == named
    command = [sys.executable, "-m", "bvit_hw_runtime", "--device", "sim", "selftest"]
    ran = subprocess.run(command, cwd=package, capture_output=True, text=True, check=False)
    assert ran.returncode == 0 and "all logits of 8 images as expected" in ran.stdout, ran.stdout + ran.stderr
