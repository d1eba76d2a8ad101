"""Networks from Python: load, freeze, export, import, each as the command does it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bvit_hw import api
from bvit_hw.contract.file import save_frozen
from bvit_hw.contract.reference import Reference
from bvit_hw.errors import CheckpointError, ConfigError, OutputError
from bvit_hw.freeze.random_frozen import random_frozen
from bvit_hw.models import shipped_checkpoint
from tests.command import bvit, refused
from tests.small_build import SMALL


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> api.FrozenNetwork:
    """A small one, read from its file."""
    path = tmp_path_factory.mktemp("networks") / "small.safetensors"
    save_frozen(random_frozen(SMALL), path, name="small")
    return api.freeze(path)


def test_what_is_loaded_where_nothing_is_named() -> None:
    network = api.load()
    assert network.path == shipped_checkpoint() and network.name == "tiny-digits" and not network.is_frozen
    assert network.config.classes == 10 and network.info and not network.random
    assert api.load(preset="tiny-digits").path == network.path


def test_mistakes_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="give one of them"):
        api.load("x.safetensors", preset="tiny-digits")
    with pytest.raises(CheckpointError, match=r"none\.safetensors"):
        api.load(tmp_path / "none.safetensors")
    with pytest.raises(ConfigError, match="'tflite'; allowed: qonnx, onnx"):
        api.export(api.load(), tmp_path / "x.onnx", form="tflite")


def test_a_checkpoint_is_frozen() -> None:
    found = api.freeze(api.load())
    assert found.name == "tiny-digits" and found.calibration is None and found.graph.config["classes"] == 10


def test_a_frozen_network_computes_is_saved_and_comes_back(frozen: api.FrozenNetwork, tmp_path: Path) -> None:
    images = np.random.default_rng(1).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
    logits = frozen.logits(images)
    assert logits.dtype == np.int64 and np.array_equal(logits, Reference(frozen.graph).logits_int(images))
    assert frozen.predict(images).tolist() == logits.argmax(axis=1).tolist()
    traced = frozen.trace(images[:1])
    assert np.array_equal(traced[frozen.graph.output].reshape(1, -1), logits[:1]) and len(traced) > 30
    out = tmp_path / "frozen.safetensors"
    assert frozen.save(out) == frozen.model_hash and len(frozen.model_hash) == 64
    with pytest.raises(OutputError, match="is there already"):
        frozen.save(out)
    again = api.freeze(out)
    assert again.model_hash == frozen.model_hash and again.name == "small"
    assert again.exponent == frozen.graph.tensors[frozen.graph.output].exponent
    with pytest.raises(ConfigError, match="is frozen, with the widths"):
        api.freeze(out, coef_bits=6)
    with pytest.raises(ConfigError, match="is frozen"):
        api.freeze(out, calibrate="digits")
    refused(bvit("freeze", out, "-o", "again.safetensors", cwd=tmp_path), "is frozen already")


def test_it_is_exported_as_the_command_does(frozen: api.FrozenNetwork, tmp_path: Path) -> None:
    done = api.export(frozen, tmp_path / "a.onnx", form="onnx")
    assert done.nodes > 100 and done.bytes == (tmp_path / "a.onnx").stat().st_size and done.calibration is None
    command = bvit("export", frozen.source, "-o", "b.onnx", "--format", "onnx", cwd=tmp_path)
    assert command.returncode == 0 and f"{done.nodes} nodes" in command.stdout
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
    source = tmp_path / "net.safetensors"
    frozen.save(source)
    with pytest.raises(OutputError, match="an input is never replaced"):
        api.export(source, source, overwrite=True)


def test_a_checkpoint_of_the_papers_code_is_imported(paper: Path, tmp_path: Path) -> None:
    out = tmp_path / "net.safetensors"
    done = api.import_checkpoint(paper, out, heads=[1, 2], reduction=[2, 1], mean=[0.5, 0.5, 0.5])
    assert done.assumed == ("std",) and done.calibration is None
    assert done.network.config.heads == (1, 2) and done.network.info["imported_from"] == paper.name
