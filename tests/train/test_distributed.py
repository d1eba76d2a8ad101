"""Two processes with batches of B do what one does with 2 B, up to the order in which floats are added."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from bvit_hw import data
from bvit_hw.data import open_data
from bvit_hw.train import Trainer
from bvit_hw.train.distributed import processes
from bvit_hw.train.sync_norm import SyncedChannelNorm, synchronize_norms
from tests.training_children import SHORT, _context, _port, finish, metrics, some_digits, start

ROOT = Path(__file__).resolve().parents[2]


def _both(target: Any, *arguments: Any) -> None:
    """``target(*arguments)`` in two processes of a group."""
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_port())}
    children = []
    for rank in range(2):
        environment = shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)}
        child = _context.Process(target=_inside, args=(environment, target, arguments))
        child.start()
        children.append(child)
    assert finish(children) == [0, 0]


def _inside(environment: dict[str, str], target: Any, arguments: tuple[Any, ...]) -> None:
    os.environ.update(environment)
    target(*arguments)


def _norm_case() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(5)
    # A mean far above the deviation, where E[x^2] - mean^2 in float32 would lose everything.
    return torch.randn(8, 30, 6, generator=generator) * 0.01 + 100, torch.randn(8, 30, 6, generator=generator)


def _synced_norm(out: Path, dtype: torch.dtype) -> None:
    x, weight = (t.to(dtype) for t in _norm_case())
    with processes("cpu") as place:
        norm = SyncedChannelNorm(6).to(dtype)
        with torch.no_grad():
            norm.weight.copy_(torch.arange(1.0, 7))
            norm.bias.copy_(torch.arange(6.0))
        mine = slice(4 * place.rank, 4 * place.rank + 4)
        part = x[mine].clone().requires_grad_()
        y = norm(part)
        (y * weight[mine]).sum().backward()
        assert part.grad is not None and norm.weight.grad is not None and norm.bias.grad is not None
        results = {"y": y.detach(), "grad": part.grad, "mean": norm.running_mean, "var": norm.running_var}
        results |= {"grad_weight": place.sum(norm.weight.grad), "grad_bias": place.sum(norm.bias.grad)}
        torch.save(results, out / f"{place.rank}.pt")


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [pytest.param(torch.float32, 2e-3, marks=pytest.mark.slow), (torch.float64, 1e-7)]
)
def test_synchronized_norm_is_the_norm_of_the_whole_batch(tmp_path: Path, dtype: torch.dtype, tolerance: float) -> None:
    x, weight = (t.double() for t in _norm_case())
    norm = torch.nn.BatchNorm1d(6).double()
    with torch.no_grad():
        norm.weight.copy_(torch.arange(1.0, 7))
        norm.bias.copy_(torch.arange(6.0))
    # The float32 tensors are what is normalized; the reference computes with them in float64.
    rows = x.to(dtype).double().reshape(-1, 6).requires_grad_()
    y = norm(rows)
    (y * weight.reshape(-1, 6)).sum().backward()
    assert rows.grad is not None
    _both(_synced_norm, tmp_path, dtype)
    parts = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2)]
    for name, expected in (("y", y.detach()), ("grad", rows.grad)):
        found = torch.cat([part[name] for part in parts]).reshape(-1, 6).double()
        assert float((found - expected).abs().max() / expected.abs().max()) < tolerance, name
    for name, expected in (
        ("mean", norm.running_mean),
        ("var", norm.running_var),
        ("grad_weight", norm.weight.grad),
        ("grad_bias", norm.bias.grad),
    ):
        assert expected is not None
        for part in parts:
            assert torch.allclose(part[name].double(), expected, rtol=tolerance, atol=1e-6), name


def _in_double(batch_size: int, accumulate: int = 1) -> Trainer:
    """A trainer whose arithmetic is float64: what is left between one process and two is an error, not rounding."""
    data.DATASETS["some"] = some_digits
    place = processes("cpu").__enter__()
    trainer = Trainer(SHORT.changed(batch_size=batch_size, accumulate=accumulate), open_data("some"), place)
    trainer.model.double()
    trainer.batches.images = trainer.batches.images.double()  # type: ignore[attr-defined]
    trainer.loss = lambda logits, _images, labels: torch.nn.functional.cross_entropy(logits, labels)
    trainer.optimizer = torch.optim.SGD(trainer.model.parameters(), lr=0.05, fused=True)
    trainer.scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(trainer.optimizer, T_max=10)
    return trainer


def _steps(trainer: Trainer) -> list[tuple[float, float]]:
    genuine = torch.rand
    torch.rand = lambda *a, **k: genuine(*a, **k).double()
    try:
        return [trainer.run_step()[:2] for _ in range(3)]
    finally:
        torch.rand = genuine


def _two_in_double(out: Path, accumulate: int) -> None:
    trainer = _in_double(20 // accumulate, accumulate)
    seen = _steps(trainer)
    if trainer.place.main:
        (out / "two.json").write_text(json.dumps(seen))
        torch.save(trainer.model.state_dict(), out / "two.pt")


def test_two_processes_train_as_one_does(tmp_path: Path) -> None:
    _both(_two_in_double, tmp_path, 1)
    alone = multiprocessing.get_context("forkserver").Process(target=_one_in_double, args=(tmp_path,))
    alone.start()
    alone.join()
    assert alone.exitcode == 0
    one, two = (json.loads((tmp_path / name).read_text()) for name in ("one.json", "two.json"))
    for (loss, norm), (other_loss, other_norm) in zip(one, two, strict=True):
        assert other_loss == pytest.approx(loss, rel=1e-8) and other_norm == pytest.approx(norm, rel=1e-6)
    left, right = (torch.load(tmp_path / name, weights_only=True) for name in ("one.pt", "two.pt"))
    for name, tensor in left.items():
        assert torch.allclose(tensor.double(), right[name].double(), rtol=1e-6, atol=1e-8), name


def _one_in_double(out: Path) -> None:
    trainer = _in_double(40)
    (out / "one.json").write_text(json.dumps(_steps(trainer)))
    torch.save(trainer.model.state_dict(), out / "one.pt")


def test_norms_keep_names_and_values() -> None:
    trainer = Trainer(SHORT, _some())
    before = {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}
    synchronize_norms(trainer.model)
    after = trainer.model.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)
    kinds = {type(m) for m in trainer.model.modules() if isinstance(m, torch.nn.BatchNorm1d)}
    assert kinds == {SyncedChannelNorm}


def _some() -> Any:
    data.DATASETS["some"] = some_digits
    try:
        return open_data("some")
    finally:
        del data.DATASETS["some"]


@pytest.mark.slow
def test_first_losses_of_whole_runs_agree_in_float32(tmp_path: Path) -> None:
    """Later ones drift apart: a sign that flips in the last bit is a change of 2."""
    assert finish(start(tmp_path / "one", batch_size=80, epochs=2, quant_epochs=0)) == [0]
    assert finish(start(tmp_path / "two", processes=2, epochs=2, quant_epochs=0)) == [0, 0]
    one, two = metrics(tmp_path / "one"), metrics(tmp_path / "two")
    assert len(one) == len(two) == 5
    assert two[0]["loss"] == pytest.approx(one[0]["loss"], rel=0.01)
    assert two[3]["loss"] == pytest.approx(one[3]["loss"], rel=0.1)


@pytest.mark.slow
def test_torchrun_runs_the_command(tmp_path: Path) -> None:
    """The command as docs/training.md gives it, twice: the second time it finds itself finished."""
    words = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "bvit_hw.cli", "train", "--epochs", "2"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, *words, "--out", str(tmp_path)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=500,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        assert done.stdout.count("of 360 test images") == 1
    assert len(metrics(tmp_path)) == 23
