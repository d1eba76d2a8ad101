"""Layers against plain statements of their mathematics."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from bvit_hw.contract.attention_rule import THRESHOLD_MAX, attended, score_table, threshold_integer
from bvit_hw.models import binary, grid, layers
from bvit_hw.models.blocks import PoolBranches
from bvit_hw.models.quant import ActQuant, WeightQuant


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_sign_of_zero_is_plus_one_and_its_gradient_is_piecewise() -> None:
    x = torch.tensor([-2.0, -1.0, -0.75, 0.0, 0.25, 1.0, 3.0], requires_grad=True)
    y = binary.sign(x)
    y.sum().backward()
    assert y.tolist() == [-1, -1, -1, 1, 1, 1, 1]
    assert x.grad is not None and x.grad.tolist() == [0, 0, 0.5, 2, 1.5, 0, 0]


@pytest.mark.parametrize("centred", [True, False])
def test_binary_linear_is_row_scale_times_signs(centred: bool) -> None:
    linear = layers.BinaryLinear(24, 6, centred=centred)
    with torch.no_grad():
        linear.weight.copy_(2 * randn(6, 24) + 0.3)
    bits = binary.sign(randn(5, 24, seed=1))
    output = linear(bits)
    output.sum().backward()
    for row in range(6):
        weight = linear.weight.detach()[row]
        shifted = weight - weight.mean() if centred else weight
        expected = weight.abs().mean() * (bits * torch.where(shifted >= 0, 1.0, -1.0)).sum(dim=1)
        assert torch.allclose(output[:, row], expected, atol=1e-5)
        # Straight through: the upstream gradient times the input, but only where the shifted weight is within [-1, 1].
        assert linear.weight.grad is not None
        assert torch.equal(linear.weight.grad[row], bits.sum(dim=0) * (shifted.abs() <= 1))
    signs, scale = linear.binary()
    assert signs.dtype == torch.int8 and set(signs.flatten().tolist()) == {-1, 1}
    assert torch.allclose((bits @ signs.float().T) * scale, output, atol=1e-5)


def test_norm_scale_and_shift_are_what_eval_computes() -> None:
    norm = layers.ChannelNorm(7)
    norm(3 * randn(4, 5, 7) + 1)
    torch.nn.init.normal_(norm.weight)
    norm.eval()
    x = randn(2, 3, 7, seed=2)
    scale, shift = norm.scale_shift()
    assert torch.allclose(norm(x), scale * x + shift, atol=1e-5)


def test_rprelu_and_affine() -> None:
    rprelu, affine = layers.RPReLU(2), layers.Affine(2, 0.1)
    with torch.no_grad():
        rprelu.move_1.copy_(torch.tensor([1.0, -1.0]))
        rprelu.move_2.copy_(torch.tensor([10.0, 20.0]))
        rprelu.slope.copy_(torch.tensor([0.5, -2.0]))
        affine.move.copy_(torch.tensor([1.0, 2.0]))
    x = torch.tensor([[[3.0, -3.0]], [[0.0, 0.0]]])
    assert rprelu(x).flatten().tolist() == [12.0, 24.0, 9.5, 21.0]
    assert torch.allclose(affine(x).flatten(), torch.tensor([1.3, 1.7, 1.0, 2.0]))


def test_grid_operations_address_the_right_tokens() -> None:
    side, window, channels = 6, 3, 2
    x = randn(2, side * side, channels)
    squares = x.view(2, side, side, channels)
    patches = grid.gather_patches(x, side, window)
    pooled = grid.pool_grid(x, side, window)
    upsampled = grid.upsample_grid(pooled, side // window, window)
    for token in range(4):
        rows, cols = divmod(token, 2)
        cut = squares[:, rows * 3 : rows * 3 + 3, cols * 3 : cols * 3 + 3]
        assert torch.equal(patches[:, token], cut.reshape(2, -1))
        assert torch.allclose(pooled[:, token], cut.mean(dim=(1, 2)))
    for token in range(36):
        rows, cols = divmod(token, 6)
        assert torch.equal(upsampled[:, token], pooled[:, rows // 3 * 2 + cols // 3])


def test_channel_pool_takes_neighbours_and_repeat_whole_copies() -> None:
    x = torch.arange(6.0).view(1, 1, 6)
    assert grid.pool_channels(x, 2).flatten().tolist() == [0.5, 2.5, 4.5]
    assert grid.repeat_channels(x, 2).flatten().tolist() == [0, 1, 2, 3, 4, 5] * 2


def test_pool_branches_divide_by_the_whole_window_at_the_border() -> None:
    side, channels = 4, 3
    pools = PoolBranches(channels, side, 8)
    with torch.no_grad():
        for index, parameter in enumerate(pools.parameters()):
            if parameter.requires_grad:
                parameter.copy_(randn(*parameter.shape, seed=index))
    x = randn(2, side * side, channels)
    output = pools(x).view(2, side, side, channels)
    grid = x.view(2, side, side, channels)
    for row in range(side):
        for col in range(side):
            expected = torch.zeros(2, channels)
            for name, reach, vertical in (("h3", 1, True), ("w3", 1, False), ("h5", 2, True), ("w5", 2, False)):
                total = torch.zeros(2, channels)
                for step in range(-reach, reach + 1):
                    r, c = (row + step, col) if vertical else (row, col + step)
                    if 0 <= r < side and 0 <= c < side:
                        total += grid[:, r, c]
                expected += pools.get_submodule(name)(total / (2 * reach + 1))
            assert torch.allclose(output[:, row, col], expected, atol=1e-5)


def test_score_table_has_the_softmax_in_it() -> None:
    for head_dim in (16, 32, 64):
        table = score_table(head_dim)
        assert table.shape == (head_dim + 1,) and table[-1] == 32767 and np.all(np.diff(table) >= 0)
        score = 2 * np.arange(head_dim + 1) - head_dim
        exact = np.exp((score - head_dim) / np.sqrt(head_dim)) * 32767
        assert np.abs(table - exact).max() <= 0.5
    assert [threshold_integer(t) for t in (0.0, -1.0, 1.0, 2.0, 50.0)] == [0, 0, 32768, 65536, THRESHOLD_MAX]


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 2**32 - 1), keys=st.integers(1, 49), t=st.floats(0.01, 1.5))
def test_integer_rule_is_the_softmax_rule_away_from_ties(seed: int, keys: int, t: float) -> None:
    head_dim = 32
    equal = np.random.default_rng(seed).binomial(head_dim, 0.5, (8, keys))
    weights = np.exp((2.0 * equal - head_dim) / np.sqrt(head_dim))
    margin = weights / weights.sum(axis=1, keepdims=True) - t / 2
    decided = attended(equal, score_table(head_dim), threshold_integer(t))
    clear = np.abs(margin) > 0.01 * t
    assert np.array_equal(decided[clear], margin[clear] > 0)


def test_bit_probability_gradients_are_those_of_a_learned_step() -> None:
    p = torch.tensor([0.05, 0.2, 0.3, 0.9], requires_grad=True)
    t = torch.tensor(0.5, requires_grad=True)
    y = binary.bit_probability(p, t)
    y.sum().backward()
    assert torch.allclose(y, torch.tensor([0.0, 0.0, 0.5, 0.5]))
    assert p.grad is not None and t.grad is not None
    assert p.grad.tolist() == [1, 1, 1, 0]
    assert t.grad.item() == pytest.approx((-0.1 - 0.4 + (1 - 0.6) + 1) / 2)


@settings(deadline=None, max_examples=20)
@given(bits=st.integers(2, 12), exponent=st.integers(-10, 3), seed=st.integers(0, 1000))
def test_quantizer_output_is_its_integer_times_its_scale(bits: int, exponent: int, seed: int) -> None:
    quantizer = ActQuant(bits)
    quantizer.exponent = exponent
    assert quantizer.exponent == exponent
    high = 2 ** (bits - 1)
    x = randn(200, seed=seed) * high * 2.0**exponent
    assert torch.equal(quantizer(x), x), "float mode must not change anything"
    quantizer.mode = "quant"
    integers = quantizer.to_int(x)
    assert integers.min() >= -high and integers.max() <= high - 1
    assert (x * 2.0**-exponent).abs().max() > high, "the example is meant to saturate"
    assert torch.equal(quantizer(x), integers * 2.0**exponent)


def test_calibration_finds_the_exponent_of_least_squared_error() -> None:
    x = randn(5000)
    quantizer = ActQuant(4)
    quantizer.mode = "observe"
    quantizer(x)
    quantizer.finish_calibration()
    found = quantizer.exponent
    quantizer.mode = "quant"
    errors = {}
    for exponent in range(found - 2, found + 3):
        quantizer.exponent = exponent
        errors[exponent] = float((quantizer(x) - x).square().mean())
    assert min(errors, key=errors.__getitem__) == found


def test_weight_exponent_is_the_smallest_that_does_not_saturate() -> None:
    quantizer = WeightQuant(8)
    for peak, expected in ((127 / 64, -6), (127.6 / 64, -5), (1e-3, -16), (0.0, 0)):
        quantizer.fit(torch.tensor([peak, -peak / 3]))
        assert quantizer.exponent == expected


def test_patch_linear_computes_with_the_folded_integer_weight() -> None:
    column_scale = torch.tensor([0.5, 3.0]).repeat(6)
    layer = layers.PatchLinear(12, 5, 8, bias=True, norm=True, column_scale=column_scale)
    assert layer.norm is not None and layer.bias is not None
    layer.norm.weight.data.copy_(randn(5))
    layer(randn(3, 4, 12, seed=3))
    layer.eval()
    x = randn(2, 4, 12, seed=4)
    exact = layer(x)
    layer.quant_weight.mode = "quant"
    output = layer(x)
    layer.quant_weight.fit(layer.folded_weight())
    exponent = layer.quant_weight.exponent
    integers = layer.quant_weight.to_int(layer.folded_weight())
    scale, shift = layer.norm.scale_shift()
    assert not torch.equal(output, exact)
    rounding = (x / column_scale).abs().sum(dim=-1, keepdim=True) * 2.0 ** (exponent - 1)
    assert ((output - exact).abs() <= rounding + 1e-5).all()
    # What hardware does: integer weights on inputs without column_scale, one bias behind.
    hardware = (x / column_scale) @ (integers * 2.0**exponent).T + layer.bias * scale + shift
    assert torch.allclose(output, hardware, atol=1e-4)
