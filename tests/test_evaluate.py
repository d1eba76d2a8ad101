"""`bvit-hw evaluate` and `bvit-hw export`: the same images through every form of one model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from bvit_hw.cli.evaluate import evaluate_command
from bvit_hw.cli.export import export_command
from bvit_hw.data.labelled import image_batches
from bvit_hw.errors import ConfigError, DatasetError, FreezeError, OutputError
from bvit_hw.evaluate import evaluate, ranks
from bvit_hw.execute.frozen import FrozenBinaryViT
from bvit_hw.freeze import freeze
from bvit_hw.models import BinaryViT, save_checkpoint
from bvit_hw.qonnx import load_qonnx
from tests.frozen_factory import CONFIGS, calibrated_model, random_pixels

CONFIG = CONFIGS["pyramid"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A calibrated small model and 40 images labelled by its frozen self, a fifth of the labels moved on by one."""
    path = tmp_path_factory.mktemp("evaluate")
    model = calibrated_model(CONFIG, torch.randn(32, 3, CONFIG.image_size, CONFIG.image_size), seed=3)
    save_checkpoint(model, path / "model.safetensors")
    images = random_pixels(CONFIG, 40, seed=9)
    labels = FrozenBinaryViT(freeze(model)).predict(images)
    labels[::5] = (labels[::5] + 1) % CONFIG.classes
    np.savez(path / "set.npz", images=images, labels=labels)
    return path


def test_ranks_count_what_lies_above_and_break_ties_by_label() -> None:
    logits = np.array([[3, 5, 5, 1], [3, 5, 5, 1], [0, 0, 0, 0], [9, 8, 7, 6]])
    assert ranks(logits, np.array([2, 1, 0, 3])).tolist() == [1, 0, 0, 3]


def test_frozen_and_qonnx_agree_and_the_table_counts_right(folder: Path) -> None:
    arguments = [str(folder / "model.safetensors"), "--data", str(folder / "set.npz"), "--json", "--quiet"]
    done = CliRunner().invoke(evaluate_command, arguments, catch_exceptions=False)
    scores = {row["form"]: row for row in json.loads(done.stdout)["scores"]}
    assert list(scores) == ["qat", "frozen", "qonnx"]
    assert scores["frozen"]["top1"] == pytest.approx(32 / 40)
    assert scores["qonnx"]["top1"] == scores["frozen"]["top1"] and scores["qonnx"]["top5"] == 1.0
    assert all(row["images"] == 40 for row in scores.values())


def test_limit_takes_the_first_images(folder: Path) -> None:
    batches = list(image_batches(str(folder / "set.npz"), CONFIG, 16, limit=20))
    assert [len(images) for images, _ in batches] == [16, 4]
    with np.load(folder / "set.npz") as stored:
        assert np.array_equal(np.concatenate([images for images, _ in batches]), stored["images"][:20])


def test_a_float_model_is_evaluated_as_such(folder: Path) -> None:
    save_checkpoint(BinaryViT(CONFIG), folder / "float.safetensors")
    arguments = [str(folder / "float.safetensors"), "--data", str(folder / "set.npz"), "--quiet"]
    done = CliRunner().invoke(evaluate_command, arguments, catch_exceptions=False)
    assert "only the float model is evaluated" in done.stderr
    assert "float" in done.stdout and "frozen" not in done.stdout
    with pytest.raises(FreezeError):
        evaluate(BinaryViT(CONFIG), lambda size: image_batches(str(folder / "set.npz"), CONFIG, size), ["frozen"])


def test_labels_that_the_network_has_not(folder: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", images=random_pixels(CONFIG, 2), labels=np.array([0, CONFIG.classes]))
    with pytest.raises(DatasetError, match=r"labels 0\.\.5; the network has classes 0\.\.4"):
        list(image_batches(str(tmp_path / "set.npz"), CONFIG, 8))


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (["--forms", "qat,best"], "allowed: qat, frozen, qonnx"),
        (["--forms", ","], "nothing given"),
        (["--device", "abacus"], "--device abacus"),
    ],
)
def test_wrong_words(arguments: list[str], fragment: str) -> None:
    with pytest.raises(ConfigError, match=fragment):
        CliRunner().invoke(evaluate_command, arguments, catch_exceptions=False)


def test_export_in_standard_operators(folder: Path, tmp_path: Path) -> None:
    import onnx

    arguments = [str(folder / "model.safetensors"), "-o", str(tmp_path / "plain.onnx"), "--format", "onnx"]
    done = CliRunner().invoke(export_command, arguments, catch_exceptions=False)
    assert done.exit_code == 0 and "nodes" in done.output
    assert {node.domain for node in onnx.load(tmp_path / "plain.onnx").graph.node} == {""}


def test_export_writes_what_load_reads_and_keeps_a_file_that_is_there(folder: Path, tmp_path: Path) -> None:
    arguments = [str(folder / "model.safetensors"), "-o", str(tmp_path / "model.onnx")]
    done = CliRunner().invoke(export_command, arguments, catch_exceptions=False)
    nodes = len(load_qonnx(tmp_path / "model.onnx").graph.node)
    assert f"{nodes} nodes" in done.stdout
    before = (tmp_path / "model.onnx").stat().st_mtime_ns
    with pytest.raises(OutputError, match="is there already"):
        CliRunner().invoke(export_command, arguments, catch_exceptions=False)
    assert (tmp_path / "model.onnx").stat().st_mtime_ns == before
