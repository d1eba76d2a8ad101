"""Norms in few passes, with gradients written out, against PyTorch's norm and its operators one by one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from bvit_hw.models.fusing import fusing
from bvit_hw.models.layers import ChannelNorm, RPReLU
from tests.models.test_elementwise import gradients


def drawn(channels: int, *shapes: tuple[int, ...], mean: float) -> tuple[ChannelNorm, RPReLU, list[Tensor]]:
    torch.manual_seed(2)
    norm, rprelu = ChannelNorm(channels), RPReLU(channels)
    for parameter in (*norm.parameters(), *rprelu.parameters()):
        torch.nn.init.normal_(parameter)
    return norm, rprelu, [(torch.randn(shape) + mean).requires_grad_() for shape in shapes]


@pytest.mark.parametrize("mean", [0.0, 30.0])
@pytest.mark.parametrize("rows", [(2, 7), (3, 1), (1, 16)])
def test_a_norm(rows: tuple[int, int], mean: float) -> None:
    norm, _, (x,) = drawn(6, (*rows, 6), mean=mean)
    inputs = [x, *norm.parameters()]
    wanted = norm(x)
    statistics = [buffer.clone() for buffer in norm.buffers()]
    wanted_gradients = gradients(wanted, *inputs)
    norm.reset_running_stats()
    with fusing(compiled=False):
        found = norm(x)
        found_gradients = gradients(found, *inputs)
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(list(norm.buffers()), statistics)
    torch.testing.assert_close(found_gradients, wanted_gradients, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("copies", [1, 3])
def test_the_rprelu_of_a_norm_and_a_shortcut(copies: int) -> None:
    norm, rprelu, (x, shortcut) = drawn(6, (3, 5, 6), (3, 5, 6 // copies), mean=1.0)
    inputs = [x, shortcut, *norm.parameters(), *rprelu.parameters()]
    wanted = rprelu.of_norm(norm, x, shortcut)
    statistics = [buffer.clone() for buffer in norm.buffers()]
    wanted_gradients = gradients(wanted, *inputs)
    norm.reset_running_stats()
    with fusing(compiled=False):
        found = rprelu.of_norm(norm, x, shortcut)
        found_gradients = gradients(found, *inputs)
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(list(norm.buffers()), statistics)
    torch.testing.assert_close(found_gradients, wanted_gradients, rtol=1e-4, atol=1e-5)


def test_a_constant_channel_has_no_deviation() -> None:
    norm = ChannelNorm(2)
    x = torch.full((2, 3, 2), 7.0, requires_grad=True)
    with fusing(compiled=False):
        found = norm(x)
    torch.testing.assert_close(found, torch.zeros_like(x), atol=1e-3, rtol=0)
    assert norm.running_var.tolist() == pytest.approx([0.9, 0.9])
