"""A training step's kernels on a CPU against the network's operators one by one: values, statistics, gradients."""

from __future__ import annotations

import copy
from contextlib import nullcontext
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from bvit_hw.flows.native import native_library
from bvit_hw.models import BinaryViT, BinaryViTConfig, cpu_steps
from bvit_hw.models.blocks import Merge, PoolBranches
from bvit_hw.models.cpu_steps import units
from bvit_hw.models.grid import pool_grid, upsample_grid
from bvit_hw.models.layers import Affine, BinaryUnit, ChannelNorm, RPReLU, moved_sign
from bvit_hw.models.quant import ActQuant, FixedPointQuant
from tests.models.test_elementwise import CONFIG, gradients

#: tokens of a picture where rows do not fill vectors, and channels that do not either
SHAPES = [(3, 16, 6), (2, 4, 70), (1, 9, 16)]


def kernels(threads: int = 1, *, brief: bool = False) -> cpu_steps.StepKernels:
    library = native_library("steps", cpu_steps.SOURCE, cpu_steps.FLAGS)
    return cpu_steps.StepKernels(library, threads=threads, brief_gradients=brief)


class _Counted(cpu_steps.StepKernels):
    calls = 0

    def __call__(self, *arguments: Any, **keywords: Any) -> None:
        self.calls += 1
        super().__call__(*arguments, **keywords)


def drawn(module: nn.Module, *shapes: tuple[int, ...], quantized: bool = False, mean: float = 0.0) -> list[Tensor]:
    """Random parameters for ``module``, in double precision, and random inputs; quantizers that saturate at times."""
    generator = torch.Generator().manual_seed(3)
    module.double().train()
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            values = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.data = values * (0.3 if name.endswith("weight") and parameter.ndim == 2 else 1)
    for part in module.modules():
        if isinstance(part, FixedPointQuant) and quantized:
            part.mode, part.exponent = "quant", -6
    return [
        (torch.randn(s, generator=generator, dtype=torch.float64) + mean).requires_grad_() for s in shapes
    ]


def compare(module: nn.Module, run: Any, inputs: list[Tensor], *, rtol: float = 1e-9) -> None:
    """The same values, gradients and running statistics with kernels as without."""
    found = []
    counted = _Counted(native_library("steps", cpu_steps.SOURCE, cpu_steps.FLAGS), threads=1)
    for context in (nullcontext(), cpu_steps.using(counted)):
        mine = copy.deepcopy(module)
        with context:
            out = run(mine, *inputs)
            parameters = [p for p in mine.parameters() if p.requires_grad]
            found.append((out, gradients(out, *inputs, *parameters), dict(mine.named_buffers())))
    assert counted.calls > 1, "forward and back went through kernels"
    torch.testing.assert_close(found[1], found[0], rtol=rtol, atol=1e-12)


@pytest.mark.parametrize("quantized", [False, True])
@pytest.mark.parametrize("mean", [0.0, 30.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_norm_with_its_quantizer(shape: tuple[int, int, int], mean: float, quantized: bool) -> None:
    module = nn.ModuleList([ChannelNorm(shape[-1]), ActQuant(8)])
    inputs = drawn(module, shape, quantized=quantized, mean=mean)
    compare(module, lambda m, x: m[0].quantized(x, m[1]), inputs, rtol=1e-9 if mean == 0 else 1e-6)


@pytest.mark.parametrize("quantized", [False, True])
@pytest.mark.parametrize("copies", [1, 2])
@pytest.mark.parametrize("shape", SHAPES)
def test_rprelu_of_a_real_norm_and_a_shortcut(shape: tuple[int, int, int], copies: int, quantized: bool) -> None:
    module = nn.ModuleList([ChannelNorm(shape[-1]), RPReLU(shape[-1]), ActQuant(8)])
    inputs = drawn(module, shape, (*shape[:2], shape[2] // copies), quantized=quantized)

    def run(m: Any, x: Tensor, shortcut: Tensor) -> Tensor:
        if cpu_steps.active(x):
            return cpu_steps.rprelu_of_norm(m[0], m[1], x, shortcut, m[2])
        return m[2](m[1].of_norm(m[0], x, shortcut))

    compare(module, run, inputs)


@pytest.mark.parametrize("quantized", [False, True])
@pytest.mark.parametrize(
    ("rows", "group", "shortcut"), [(6, 1, None), (12, 1, None), (3, 2, None), (2, 3, None), (6, 1, 6), (12, 1, 3)]
)
def test_a_binary_unit(rows: int, group: int, shortcut: int | None, quantized: bool) -> None:
    """Shortcuts that are the input, its repeated channels, means of groups of them, or another tensor."""
    module = BinaryUnit(6, rows, 8)
    inputs = drawn(module, (3, 5, 6), *([] if shortcut is None else [(3, 5, shortcut)]), quantized=quantized)
    with torch.no_grad():
        module.linear.weight[0] = 0  # its scale is 0, its gradient is not
        module.linear.weight[1] *= 20  # too far from 0 to learn
    compare(module, lambda m, *given: m(*given, group=group), inputs)


def test_products_of_many_columns_are_summed_in_parts() -> None:
    """Squares of 2,000 columns fill 32 bits after 536 tokens; a token's signs agree, so every product is as large."""
    module = BinaryUnit(2000, 2, 8)
    inputs = drawn(module, (2, 600, 2000), (2, 600, 2))
    with torch.no_grad():
        inputs[0].abs_().add_(10)[:, ::3].neg_()
        module.move.zero_()
        module.linear.centred = False
        module.linear.weight.abs_()
    compare(module, lambda m, x, shortcut: m(x, shortcut), inputs)


def test_more_columns_than_two_bytes_hold_go_another_way() -> None:
    assert units.serves(BinaryUnit(64, 2, 8).linear) and not units.serves(BinaryUnit(2**15, 2, 8).linear)


@pytest.mark.parametrize("quantized", [False, True])
def test_a_transition_between_stages(quantized: bool) -> None:
    module = Merge(CONFIG, 1)
    compare(module, lambda m, x: m(x), drawn(module, (2, 64, 16), quantized=quantized))


@pytest.mark.parametrize("quantized", [False, True])
@pytest.mark.parametrize("third", [False, True])
def test_an_affine_onto_others(third: bool, quantized: bool) -> None:
    module = nn.ModuleList([Affine(6, 0.5), ActQuant(8)])
    inputs = drawn(module, *([(3, 5, 6)] * (3 if third else 2)), quantized=quantized)
    compare(module, lambda m, x, inner, other=None: m[0].onto(x, inner, other, m[1]), inputs)


@pytest.mark.parametrize("quantized", [False, True])
@pytest.mark.parametrize("side", [1, 2, 7])
def test_pool_branches_at_every_border(side: int, quantized: bool) -> None:
    module = PoolBranches(4, side, 8)
    compare(module, lambda m, x: m(x), drawn(module, (2, side * side, 4), quantized=quantized))


@pytest.mark.parametrize(("side", "window"), [(4, 2), (6, 3), (3, 1), (2, 2)])
def test_windows(side: int, window: int) -> None:
    def run(_: Any, x: Tensor, a: Tensor, b: Tensor) -> Tensor:
        if cpu_steps.active(x):
            return cpu_steps.upsampled_onto(x, a, b, window) + cpu_steps.pool_grid(x, side, window).sum()
        return x + upsample_grid(a + b, side // window, window) + pool_grid(x, side, window).sum()

    small = (2, (side // window) ** 2, 5)
    compare(nn.Identity(), run, drawn(nn.Identity(), (2, side**2, 5), small, small))


def test_tokens_that_are_no_grid_are_added_one_by_one() -> None:
    x, a, b = (torch.randn(2, 5, 3) for _ in range(3))
    with cpu_steps.using(kernels()):
        assert torch.equal(cpu_steps.upsampled_onto(x, a, b, 1), x + (a + b))


def test_signs() -> None:
    module = nn.Linear(1, 5)
    compare(module, lambda m, x: moved_sign(x, m.bias) + 0 * m.weight.sum(), drawn(module, (3, 4, 5)))
    x = torch.tensor([0.0, -0.0, 1e-45, -1e-45, torch.inf, -torch.inf]).view(1, 1, 6)
    with cpu_steps.using(kernels()):
        assert moved_sign(x, torch.zeros(6)).flatten().tolist() == [1, 1, 1, -1, 1, -1]


def trained(model: BinaryViT, images: Tensor, run: cpu_steps.StepKernels | None) -> tuple[float, dict[str, Tensor]]:
    network = copy.deepcopy(model)
    with nullcontext() if run is None else cpu_steps.using(run):
        loss = F.cross_entropy(network(images), torch.arange(len(images)) % 5)
        loss.backward()
    return loss.item(), {n: p.grad for n, p in network.named_parameters() if p.grad is not None}


def network(config: BinaryViTConfig, mode: str, kind: torch.dtype) -> tuple[BinaryViT, Tensor]:
    torch.manual_seed(0)
    model = BinaryViT(config)
    for name, parameter in model.named_parameters():
        if parameter.ndim == 1 and parameter.requires_grad:
            nn.init.normal_(parameter, std=0.1, mean=1.0 if name.endswith("norm.weight") else 0.0)
    images = torch.randn(8, 3, 16, 16)
    if mode == "quant":
        model.calibrate([images])
    return model.train().to(kind).set_mode(mode), images.to(kind)  # type: ignore[arg-type]


def distance(mine: dict[str, Tensor], theirs: dict[str, Tensor]) -> float:
    """Of the parameter whose gradient differs most, by the largest gradient's norm."""
    assert mine.keys() == theirs.keys()
    return max(float((mine[n] - theirs[n]).norm()) for n in mine) / max(float(g.norm()) for g in theirs.values())


CLASS_TOKEN = BinaryViTConfig.create(
    image_size=16, patch_size=4, channels=(16,), depths=(2,), heads=(2,), mlp_widths=(48,), reductions=(1,), classes=5,
    class_token=True, pool_branches=False, affine=False, stem_norm=False,
)  # fmt: skip


@pytest.mark.parametrize("mode", ["float", "quant"])
@pytest.mark.parametrize("kind", [torch.float64, torch.float32])
@pytest.mark.parametrize("variant", ["pyramid", "class token", "full precision"])
def test_a_network_trains_the_same(variant: str, kind: torch.dtype, mode: str) -> None:
    config = CLASS_TOKEN if variant == "class token" else CONFIG
    config = config.model_copy(update={"full_precision": variant == "full precision"})
    model, images = network(config, mode, kind)
    (loss, plain), (mine_loss, mine) = (trained(model, images, run) for run in (None, kernels()))
    if kind == torch.float64:
        assert mine_loss == pytest.approx(loss, rel=1e-12) and distance(mine, plain) < 1e-10
    elif (variant, mode) != ("full precision", "quant"):
        # There many real values round in int8, and sums in another order move one of them across a half.
        assert mine_loss == pytest.approx(loss, rel=1e-5) and distance(mine, plain) < 1e-4


@pytest.mark.parametrize("mode", ["float", "quant"])
def test_gradients_in_bfloat16_change_no_value_and_gradients_by_less_than_a_hundredth(mode: str) -> None:
    model, images = network(CONFIG, mode, torch.float32)
    (loss, exact), (brief_loss, brief) = (trained(model, images, run) for run in (kernels(), kernels(brief=True)))
    assert brief_loss == loss
    assert 1e-4 < distance(brief, exact) < 1e-2
    rounded = torch.cat([brief[n].flatten() for n in exact]), torch.cat([g.flatten() for g in exact.values()])
    assert F.cosine_similarity(*rounded, dim=0) > 0.9999


def test_bits_do_not_depend_on_threads() -> None:
    model, images = network(CONFIG, "quant", torch.float32)
    one, three = (trained(model, images, kernels(threads)) for threads in (1, 3))
    assert one[0] == three[0]
    assert all(torch.equal(one[1][name], three[1][name]) for name in one[1])


def test_what_is_not_finite_stays_so() -> None:
    for poison in (torch.nan, torch.inf):
        for quantized in (False, True):
            module = BinaryUnit(4, 4, 8)
            (x,) = drawn(module, (2, 3, 4), quantized=quantized)
            with torch.no_grad():
                x[1, 2, 3] = poison
            with cpu_steps.using(kernels()):
                out = module(x)
            assert not torch.isfinite(out).all() or (quantized and poison == torch.inf)
            norm = ChannelNorm(4).double()
            with cpu_steps.using(kernels()):
                assert torch.isnan(norm.train()(x)[..., 3]).all()


@settings(max_examples=20, deadline=None)
@given(values=st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=40))
def test_bfloat16_is_rounded_as_pytorch_rounds_it(values: list[float]) -> None:
    """Gradients of a unit of one column whose norm passes them on: what is written is what ``.bfloat16()`` gives."""
    grad = torch.tensor(values).view(1, -1, 1)
    x, move = torch.zeros_like(grad), torch.full((1,), 0.5)
    out, into_move = torch.empty_like(x), torch.empty(1)
    rounded = grad.bfloat16().contiguous()
    kernels()("signs_backward", torch.float32, rounded, x, move, None, out, into_move, *x.shape, 0, 0, 1, brief=True)
    assert torch.equal(out, rounded.float())
