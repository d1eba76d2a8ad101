"""Element-wise steps with gradients written out, against PyTorch's operators one by one and against Brevitas."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bvit_hw.errors import FreezeError
from bvit_hw.freeze import freeze
from bvit_hw.models import BinaryViT, BinaryViTConfig
from bvit_hw.models import elementwise as e
from bvit_hw.models.blocks import PoolBranches
from bvit_hw.models.fusing import fusing
from bvit_hw.models.quant import ActQuant

CONFIG = BinaryViTConfig.create(
    image_size=16, patch_size=2, channels=(16, 32), depths=(1, 1), heads=(1, 2), mlp_widths=(32, 64), reductions=(2, 1),
    classes=5,
)  # fmt: skip


def gradients(out: Tensor, *inputs: Tensor) -> list[Tensor]:
    seed = torch.linspace(-1, 1, out.numel()).view(out.shape)
    return list(torch.autograd.grad((out * seed).sum(), inputs))


def drawn(*shapes: tuple[int, ...]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(shape, generator=generator, requires_grad=True) for shape in shapes]


def test_rprelu_of_a_sum() -> None:
    inputs = drawn((3, 5, 4), (3, 5, 4), (4,), (4,), (4,))
    x, shortcut, move_1, slope, move_2 = inputs
    wanted = F.prelu((x + shortcut - move_1).flatten(0, 1), slope).view(x.shape) + move_2
    found = e.rprelu_of_sum(*inputs)
    torch.testing.assert_close(found, wanted)
    for mine, theirs in zip(gradients(found, *inputs), gradients(wanted, *inputs), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_affine_onto() -> None:
    inputs = drawn((3, 5, 4), (3, 5, 4), (4,), (4,))
    x, inner, alpha, move = inputs
    wanted, found = x + alpha * inner + move, e.affine_onto(*inputs)
    torch.testing.assert_close(found, wanted)
    for mine, theirs in zip(gradients(found, *inputs), gradients(wanted, *inputs), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_sign_of_a_sum_has_the_papers_gradient() -> None:
    x = torch.tensor([[-2.0, -1.0, -0.75, -0.25, 0.0, 0.25, 0.75, 1.0, 2.0]]).T.requires_grad_()
    move = torch.zeros(1, requires_grad=True)
    out = e.sign_of_sum(x, move)
    assert out.flatten().tolist() == [-1, -1, -1, -1, 1, 1, 1, 1, 1]
    grad_x, grad_move = torch.autograd.grad(out.sum(), (x, move))
    assert grad_x.flatten().tolist() == [0, 0, 0.5, 1.5, 2, 1.5, 0.5, 0, 0] and grad_move.tolist() == [6.0]


@pytest.mark.parametrize("side", [1, 2, 7])
def test_pool_branches_at_every_border(side: int) -> None:
    torch.manual_seed(0)
    pools = PoolBranches(4, side, 8)
    for parameter in pools.parameters():
        nn.init.normal_(parameter)
    (h2,) = drawn((2, side * side, 4))
    inputs = [h2, *(p for p in pools.parameters() if p.requires_grad)]
    wanted = pools(h2)
    with fusing(compiled=False):
        found = pools(h2)
    torch.testing.assert_close(found, wanted)
    for mine, theirs in zip(gradients(found, *inputs), gradients(wanted, *inputs), strict=True):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("bits", [2, 8, 12])
@pytest.mark.parametrize("exponent", [-9, 0, 2])
def test_fixed_point_is_brevitas_to_the_last_bit(bits: int, exponent: int) -> None:
    quantizer = ActQuant(bits)
    quantizer.mode, quantizer.exponent = "quant", exponent
    ties = torch.arange(-(2**bits), 2**bits) * 0.5
    values = torch.cat([torch.randn(4000) * 2 ** (bits - 1), ties]) * 2.0**exponent
    mine, theirs = values.clone().requires_grad_(), values.clone().requires_grad_()
    found, wanted = quantizer.train()(mine), quantizer.impl(theirs)
    assert torch.equal(found, wanted)
    assert torch.equal(*(gradients(out, x)[0] for out, x in ((found, mine), (wanted, theirs))))


@pytest.mark.parametrize(
    ("full_precision", "mode", "kind"),
    [
        *((full_precision, mode, torch.float64) for full_precision in (False, True) for mode in ("float", "quant")),
        (False, "float", torch.float32),
        (False, "quant", torch.float32),
        # No fourth: many real values round in int8, and sums in another order move one of them across a half.
        (True, "float", torch.float32),
    ],
)
def test_a_network_trains_the_same_fused(full_precision: bool, mode: str, kind: torch.dtype) -> None:
    exact = kind == torch.float64
    torch.manual_seed(0)
    model = BinaryViT(CONFIG.model_copy(update={"full_precision": full_precision}))
    for name, parameter in model.named_parameters():
        if parameter.ndim == 1 and parameter.requires_grad:
            nn.init.normal_(parameter, std=0.1, mean=1.0 if name.endswith("norm.weight") else 0.0)
    images, labels = torch.randn(8, 3, 16, 16), torch.arange(8) % 5
    if mode == "quant":
        model.calibrate([images])
    model.train().to(kind)
    images = images.to(kind)
    found = []
    for fused in (False, True):
        network = copy.deepcopy(model)
        network.set_mode(mode)  # type: ignore[arg-type]
        if fused:
            with fusing(compiled=False):
                loss = F.cross_entropy(network(images), labels)
                loss.backward()
        else:
            loss = F.cross_entropy(network(images), labels)
            loss.backward()
        found.append((loss.item(), {n: p.grad for n, p in network.named_parameters() if p.grad is not None}))
    (loss, plain), (fused_loss, mine) = found
    assert loss == pytest.approx(fused_loss, rel=1e-12 if exact else 1e-5) and plain.keys() == mine.keys()
    scale = max(float(g.norm()) for g in plain.values())
    for name, gradient in plain.items():
        assert float((gradient - mine[name]).norm()) < (1e-10 if exact else 1e-4) * scale, name


def test_a_full_precision_network_is_never_frozen() -> None:
    model = BinaryViT(CONFIG.model_copy(update={"full_precision": True}))
    model.calibrate([torch.randn(4, 3, 16, 16)])
    with pytest.raises(FreezeError, match="full_precision=True"):
        freeze(model)
