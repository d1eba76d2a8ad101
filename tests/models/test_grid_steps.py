"""Means over windows and groups, and windows added onto: the same as the operators of the grid, gradients included."""

from __future__ import annotations

import pytest
import torch

from bvit_hw.models import grid, grid_steps
from tests.models.test_elementwise import drawn, gradients


@pytest.mark.parametrize(("side", "window"), [(4, 2), (6, 3), (3, 1), (2, 2)])
def test_windows(side: int, window: int) -> None:
    x, small = drawn((2, side**2, 5), (2, (side // window) ** 2, 5))
    for found, wanted, inputs in (
        (grid_steps.pool_grid(x, window), grid.pool_grid(x, side, window), [x]),
        (
            grid_steps.upsampled_onto(x, small, window),
            x + grid.upsample_grid(small, side // window, window),
            [x, small],
        ),
    ):
        torch.testing.assert_close(found, wanted)
        torch.testing.assert_close(gradients(found, *inputs), gradients(wanted, *inputs))


@pytest.mark.parametrize("group", [1, 2, 3])
def test_groups_of_channels(group: int) -> None:
    (x,) = drawn((2, 3, 6))
    found, wanted = grid_steps.pool_channels(x, group), grid.pool_channels(x, group)
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(gradients(found, x), gradients(wanted, x))
