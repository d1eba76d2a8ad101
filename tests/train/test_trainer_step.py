"""The training step's quicker ways compute what the plain ones do; compiled blocks train as eager ones."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from bvit_hw import data
from bvit_hw.data import open_data
from bvit_hw.models.binary import plus_minus_one
from bvit_hw.models.layers import BinaryLinear, RPReLU
from bvit_hw.train import Trainer
from bvit_hw.train.memory import keep_freed_memory
from tests.training_children import SHORT, some_digits


def test_rprelu_has_the_gradients_of_pytorch_s_prelu() -> None:
    torch.manual_seed(0)
    layer = RPReLU(6)
    with torch.no_grad():
        layer.slope.copy_(torch.tensor([0.25, -0.5, 1.5, 0.0, 1.0, 0.1]))
        layer.move_1.copy_(torch.tensor([0.0, 0.1, -0.2, 0.0, 0.3, 0.0]))
    x = torch.randn(3, 50, 6)
    x[0, :10] = 0
    x[1, :10] = -0.0
    grad = torch.randn_like(x)
    results = []
    for training in (True, False):  # in eval mode PyTorch's own
        layer.train(training).zero_grad()
        given = x.clone().requires_grad_()
        y = layer(given)
        y.backward(grad)
        assert given.grad is not None
        results.append([y, given.grad, *(p.grad.clone() for p in layer.parameters() if p.grad is not None)])
    assert len(results[0]) == 5
    for ours, theirs in zip(*results, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-5, atol=1e-5)
    assert torch.equal(results[0][0], results[1][0]) and torch.equal(results[0][1], results[1][1])


@pytest.mark.parametrize("scale", [0.02, 1.5])
def test_weights_outside_one_get_no_gradient(scale: float) -> None:
    torch.manual_seed(0)
    layer = BinaryLinear(40, 8)
    with torch.no_grad():
        layer.weight.copy_(scale * torch.randn(8, 40))
    bits = plus_minus_one(torch.randn(16, 40))
    grad = torch.randn(16, 8)
    layer(bits).backward(grad)
    inside = (layer.weight - layer.weight.mean(dim=1, keepdim=True)).abs() <= 1
    assert bool(inside.all()) == (scale < 1), "both ways are taken"
    assert layer.weight.grad is not None
    assert torch.allclose(layer.weight.grad, grad.T @ bits * inside, atol=1e-5)


def test_signs_of_zeros_are_positive() -> None:
    x = torch.tensor([0.0, -0.0, 1e-45, -1e-45, torch.inf, -torch.inf])
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        tiny = x if dtype != torch.bfloat16 else torch.tensor([0.0, -0.0, 1e-30, -1e-30, torch.inf, -torch.inf])
        assert plus_minus_one(tiny.to(dtype)).tolist() == [1, 1, 1, -1, 1, -1]


def test_memory_is_kept_where_glibc_is() -> None:
    import platform

    assert keep_freed_memory() == (platform.libc_ver()[0] == "glibc")


@pytest.mark.slow
def test_compiled_blocks_train_as_eager_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Traced and differentiated ahead, without the code generator, which takes minutes; and on through calibration."""
    monkeypatch.setitem(data.DATASETS, "some", some_digits)
    genuine = torch.nn.Module.compile
    compiled: list[torch.nn.Module] = []

    def traced(module: torch.nn.Module, *, dynamic: bool) -> None:
        compiled.append(module)
        genuine(module, backend="aot_eager", dynamic=dynamic)

    monkeypatch.setattr(torch.nn.Module, "compile", traced)
    losses = []
    for wanted in (False, True):
        trainer = Trainer(SHORT.changed(epochs=2, quant_epochs=1, compile=wanted), open_data("some"))
        losses.append([])
        for _ in range(2):
            losses[-1] += [trainer.run_step()[0] for _ in range(trainer.steps)]
            trainer.end_epoch()
        assert trainer.model.mode == "quant"
    assert len(compiled) == 3 and losses[1] == pytest.approx(losses[0], rel=1e-3)


def test_each_block_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever comes between the steps: Dynamo keeps few kinds of one block, and gives up beyond them."""
    monkeypatch.setitem(data.DATASETS, "some", some_digits)
    genuine = torch.nn.Module.compile
    graphs: list[object] = []

    def counted(graph: torch.fx.GraphModule, _inputs: object) -> object:
        graphs.append(graph)
        return graph.forward

    def compiled(module: torch.nn.Module, *, dynamic: bool) -> None:
        assert dynamic is False, "kernels for each stage's own shape"
        genuine(module, backend=counted, dynamic=dynamic)

    monkeypatch.setattr(torch.nn.Module, "compile", compiled)
    trainer = Trainer(SHORT.changed(compile=True, batch_size=80, epochs=2, quant_epochs=0), open_data("some"))
    for _ in range(2):
        for _ in range(trainer.steps):
            trainer.run_step()
        trainer.end_epoch(trainer.test_accuracy())
    assert len(graphs) == 3, "two blocks and a merge"


def test_the_loss_falls_with_bf16_and_accumulation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(data.DATASETS, "some", some_digits)
    trainer = Trainer(SHORT.changed(precision="bf16-mixed", batch_size=20, accumulate=2), open_data("some"))
    images, labels = next(trainer.batches.epoch(0, 0))

    def loss() -> float:
        with torch.no_grad():
            return float(F.cross_entropy(trainer.model(images), labels))

    before = loss()
    for _ in range(2):
        for _ in range(trainer.steps):
            trainer.run_step()
        trainer.end_epoch()
    assert loss() < before - 0.01
