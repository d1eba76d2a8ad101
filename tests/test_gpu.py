"""A GPU computes what the CPU does: training, resuming, evaluating, frozen integers; one GPU and two.

Without a GPU these tests are skipped here, and emulators/test_null_gpu.py runs them on one that has the CPU compute.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import torch

from bvit_hw import data
from bvit_hw.data import open_data
from bvit_hw.data.labelled import image_batches
from bvit_hw.evaluate import evaluate
from bvit_hw.execute.frozen import FrozenBinaryViT
from bvit_hw.execute.fused import FusedBinaryViT
from bvit_hw.freeze import random_frozen
from bvit_hw.models import load_checkpoint
from bvit_hw.train import RunOptions, Trainer, train
from bvit_hw.train.distributed import Processes
from bvit_hw.train.loop import MODEL_FILE
from bvit_hw.train.trainer import compiles
from tests.emulators.null_gpu.arithmetic import computing
from tests.frozen_factory import CONFIGS, random_pixels
from tests.training_children import SHORT, finish, metrics, some_digits, start

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device (emulators/test_null_gpu.py runs this)"),
]
GPU = torch.device("cuda", 0)
#: the null GPU adds in the CPU's order; others round differently, and signs flip
EXACT = "NULL_GPUS" in os.environ
FIRST, LATER = (1e-6, 1e-6) if EXACT else (1e-3, 0.2)


@pytest.fixture(autouse=True)
def _computing(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(data.DATASETS, "some", some_digits)
    with computing():
        yield


def _losses(device: torch.device, precision: str) -> tuple[list[float], list[float]]:
    """Of an epoch in float and of one that trains quantized."""
    recipe = SHORT.changed(epochs=2, quant_epochs=1, precision=precision)
    trainer = Trainer(recipe, open_data("some"), Processes(0, 1, device))
    epochs = []
    for _ in range(2):
        epochs.append([trainer.run_step()[0] for _ in range(trainer.steps)])
        trainer.end_epoch()
    assert trainer.model.mode == "quant" and trainer.test_accuracy().images == 40
    return epochs[0], epochs[1]


@pytest.mark.parametrize(("precision", "first"), [("32", FIRST), ("bf16-mixed", 0.05)])
def test_training_is_the_same(precision: str, first: float) -> None:
    wanted, found = (_losses(device, precision) for device in (torch.device("cpu"), GPU))
    assert found[0][0] == pytest.approx(wanted[0][0], rel=first)
    if precision == "32":
        assert found[0] == pytest.approx(wanted[0], rel=LATER) and found[1] == pytest.approx(wanted[1], rel=LATER)
    else:
        assert found[0][-1] < found[0][0] and wanted[0][-1] < wanted[0][0]


def test_blocks_are_compiled_where_that_can_be_done(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    undecided = SHORT.changed(compile=None)
    assert compiles(undecided, GPU) and not compiles(undecided, torch.device("cpu"))
    assert not compiles(SHORT.changed(compile=False), GPU) and compiles(SHORT.changed(compile=True), GPU)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: (6, 1))
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)
    assert not compiles(undecided, GPU)
    assert "missing: a C compiler, which triton wants, compute capability 7.0" in caplog.text


def test_a_run_goes_on_where_it_was(tmp_path: Path) -> None:
    """Stopped in mid-epoch on the GPU, resumed there; and its state is one that a CPU can go on from."""
    options = RunOptions(device="cuda", tensorboard=False, save_steps=1)

    class Stop(Exception):
        pass

    def stop(_report: object) -> None:
        if len(steps := stopped) < 6:
            return steps.append(0)
        raise Stop

    stopped: list[int] = []
    train(SHORT, tmp_path / "whole", options=options)
    for name in ("gpu", "cpu"):
        stopped.clear()
        with pytest.raises(Stop):
            train(SHORT, tmp_path / name, options=options, on_step=stop)
        train(SHORT, tmp_path / name, options=RunOptions(device=name.replace("gpu", "cuda"), tensorboard=False))
        assert [line.get("step") for line in metrics(tmp_path / name)] == [
            line.get("step") for line in metrics(tmp_path / "whole")
        ]
    whole, gpu = (load_checkpoint(tmp_path / name / MODEL_FILE).state_dict() for name in ("whole", "gpu"))
    if EXACT:
        assert metrics(tmp_path / "whole") == metrics(tmp_path / "gpu")
        assert all(torch.equal(whole[name], gpu[name]) for name in whole)
    assert all(t.device.type == "cpu" for t in whole.values())


def test_two_gpus_train_as_one_does(tmp_path: Path) -> None:
    """NCCL, gradients averaged, norms synchronized: the first steps are those of one GPU with the whole batch."""
    if torch.cuda.device_count() < 2:
        pytest.skip("two CUDA devices are needed")
    runs = {1: {"batch_size": 40}, 2: {"batch_size": 20}}
    for processes, changes in runs.items():
        children = start(
            tmp_path / str(processes),
            processes=processes,
            options={"device": "cuda"},
            method="spawn",
            **changes,
            epochs=2,
            quant_epochs=1,
        )
        assert finish(children) == [0] * processes
    one, two = ([line["loss"] for line in metrics(tmp_path / str(n)) if "loss" in line] for n in runs)
    assert len(one) == len(two) == 8
    assert two[0] == pytest.approx(one[0], rel=1e-3) and two == pytest.approx(one, rel=0.3)


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_compiled_blocks_train_as_eager_ones(tmp_path: Path, processes: int) -> None:
    if torch.cuda.device_count() < processes:
        pytest.skip("two CUDA devices are needed")
    for name, compiled in (("eager", False), ("compiled", True)):
        changes = {"batch_size": 16 // processes, "epochs": 1, "quant_epochs": 0, "compile": compiled}
        children = start(
            tmp_path / name,
            processes=processes,
            options={"device": "cuda"},
            method="spawn",
            patience=900,  # an interpreter takes minutes
            images=32,
            **changes,
        )
        assert finish(children) == [0] * processes
    eager, compiled = ([line for line in metrics(tmp_path / name) if "loss" in line] for name in ("eager", "compiled"))
    assert len(compiled) == len(eager) == 2
    for quantity in ("loss", "gradient_norm"):
        found, wanted = ([line[quantity] for line in lines] for lines in (compiled, eager))
        assert found[0] == pytest.approx(wanted[0], rel=1e-4) and found[1] == pytest.approx(wanted[1], rel=LATER)


@pytest.mark.parametrize("fused", [False, True])
def test_evaluation_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fused: bool) -> None:
    monkeypatch.setattr("bvit_hw.evaluate._FUSED_SIDE", 0 if fused else 10**9)
    # The generated kernels have a test of their own.
    monkeypatch.setattr("bvit_hw.execute.fused.FusedBinaryViT", partial(FusedBinaryViT, compiled=False))
    train(SHORT, tmp_path, options=RunOptions(device="cpu", tensorboard=False))
    tables = []
    for device in ("cpu", "cuda"):
        model = load_checkpoint(tmp_path / MODEL_FILE)
        batches = partial(image_batches, "digits", model.config, limit=100)
        tables.append(evaluate(model, batches, ("qat", "frozen"), device=device))
    cpu, gpu = ([(score.form, score.images, score.top1) for score in table] for table in tables)
    assert cpu == gpu and [images for _, images, _ in cpu] == [100, 100]
    assert ("fused" in tables[1][1].engine) == fused


@pytest.mark.parametrize("name", CONFIGS)
def test_frozen_integers_are_the_same(name: str) -> None:
    graph, images = random_frozen(CONFIGS[name], seed=5), torch.from_numpy(random_pixels(CONFIGS[name], 6))
    want = FrozenBinaryViT(graph).trace(images)
    got = FrozenBinaryViT(graph).to(GPU).trace(images.to(GPU))
    assert all(t.is_cuda for t in got.values())
    assert [key for key in want if not torch.equal(want[key], got[key].cpu())] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
def test_fused_integers_are_the_same(name: str) -> None:
    graph, images = random_frozen(CONFIGS[name], seed=5), torch.from_numpy(random_pixels(CONFIGS[name], 6))
    want = FrozenBinaryViT(graph).trace(images)
    fused = FusedBinaryViT(graph).to(GPU)
    got = fused.trace(images.to(GPU))
    assert [key for key in want if not torch.equal(want[key], got[key].cpu())] == []
    assert torch.equal(fused(images.to(GPU)).cpu(), want["logits"].flatten(1))
