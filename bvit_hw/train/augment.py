"""Small random shifts, rotations and scalings of image batches."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def random_affine(images: Tensor, draw: Tensor, *, shift: float, degrees: float, scale: float) -> Tensor:
    """Each image of N x C x H x W moved by its own random affine map, bilinear, the border repeated.

    ``draw`` (4 x N, uniform in 0..1) is all the randomness. ``shift`` is the largest shift as a fraction of the side,
    ``degrees`` the largest rotation, ``scale`` the largest relative change of size.
    """
    count = len(images)
    draw = draw * 2 - 1
    angle = draw[0] * math.radians(degrees)
    size = 1 + draw[1] * scale
    cos, sin = angle.cos() * size, angle.sin() * size
    # affine_grid's coordinates span the side with 2 units.
    maps = torch.stack((cos, -sin, 2 * shift * draw[2], sin, cos, 2 * shift * draw[3]), dim=1).view(count, 2, 3)
    grid = F.affine_grid(maps, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
