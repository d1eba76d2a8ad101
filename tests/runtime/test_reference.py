"""The reference execution that goes to the board."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bvit_hw import runtime
from bvit_hw.pipeline.board_package import write_driver


@pytest.mark.parametrize("config", ["pyramid", "odd", "plain", "token"])
def test_reference_is_the_frozen_model(config: str, tmp_path: Path) -> None:
    """Every tensor of the NumPy reference against frozen PyTorch, from the file as the package has it."""
    import torch

    from bvit_hw.contract.file import save_frozen
    from bvit_hw.execute.frozen import FrozenBinaryViT
    from bvit_hw.freeze import random_frozen, random_images
    from tests.frozen_factory import CONFIGS

    graph = random_frozen(CONFIGS[config], seed=5)
    digest = save_frozen(graph, tmp_path / "frozen.safetensors")
    pictures = random_images(CONFIGS[config], 3)
    model, reference = FrozenBinaryViT(graph), runtime.Reference(tmp_path / "frozen.safetensors")
    trace = {name: value.numpy() for name, value in model.trace(torch.from_numpy(pictures)).items()}
    found = reference.tensors(pictures, list(trace))
    assert all(np.array_equal(found[name], trace[name]) for name in trace) and reference.model_hash == digest
    assert np.array_equal(reference.logits_int(pictures), model(torch.from_numpy(pictures)).numpy())
    for name, attended in reference.attention(pictures).items():
        (rows, cols), (height, width) = reference.grids(name)
        assert attended.dtype == bool and attended.shape[2:] == (rows * cols, height * width)
    with pytest.raises(runtime.ImageError, match="needed: uint8"):
        reference.logits_int(pictures[:, 1:])
    (tmp_path / "broken").write_bytes((tmp_path / "frozen.safetensors").read_bytes()[:99])
    with pytest.raises(runtime.PackageError, match="no frozen model"):
        runtime.Reference(tmp_path / "broken")
    strange = replace(graph, nodes=(replace(graph.nodes[0], op="Melt"), *graph.nodes[1:]))
    save_frozen(strange, tmp_path / "strange.safetensors")
    with pytest.raises(runtime.PackageError, match=r"operations \['Melt'\] are not known"):
        runtime.Reference(tmp_path / "strange.safetensors")


def test_reference_beside_the_driver(tmp_path: Path) -> None:
    """As on the board: nothing of ours can be imported but the driver's folder."""
    import torch

    from bvit_hw.contract.file import save_frozen
    from bvit_hw.execute.frozen import FrozenBinaryViT
    from bvit_hw.freeze import random_frozen, random_images
    from tests.frozen_factory import CONFIGS

    graph, pictures = random_frozen(CONFIGS["pyramid"], seed=5), random_images(CONFIGS["pyramid"], 2)
    save_frozen(graph, tmp_path / "frozen.safetensors")
    np.save(tmp_path / "pictures.npy", pictures)
    np.save(tmp_path / "logits.npy", FrozenBinaryViT(graph)(torch.from_numpy(pictures)).numpy())
    write_driver(tmp_path)
    program = (
        "import sys, numpy as np\n"
        "sys.modules['bvit_hw'] = None\n"
        "from bvit_hw_runtime import Reference\n"
        "found = Reference('frozen.safetensors').logits_int(np.load('pictures.npy'))\n"
        "assert np.array_equal(found, np.load('logits.npy'))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_a_bit_that_was_flipped_is_noticed(tmp_path: Path) -> None:
    from bvit_hw.contract.file import save_frozen
    from bvit_hw.freeze import random_frozen
    from tests.frozen_factory import CONFIGS

    path = tmp_path / "frozen.safetensors"
    save_frozen(random_frozen(CONFIGS["plain"], seed=5), path)
    whole = path.read_bytes()
    for place in np.linspace(len(whole) // 2, len(whole) - 1, 9).astype(int):
        damaged = bytearray(whole)
        damaged[place] ^= 4
        path.write_bytes(damaged)
        with pytest.raises(runtime.PackageError, match="copy the package again"):
            runtime.Reference(path)
