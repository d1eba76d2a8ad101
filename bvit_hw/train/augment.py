"""What happens to whole batches of small pictures: affine maps, shifts and flips."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

#: augmentations that are nothing but shifts and flips
CROP_AUGMENTATIONS = ("crop-flip", "crop", "none")


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


def shifted(pixels: Tensor, draw: Tensor, *, margin: int, flips: bool) -> Tensor:
    """Each picture of N x C x S x S moved by up to ``margin`` pixels either way, zeros coming in, half mirrored.

    ``draw`` (3 x N, uniform in 0..1) is all the randomness. What torchvision's RandomCrop with padding and
    RandomHorizontalFlip do, for a whole batch at once.
    """
    count, channels, side, _ = pixels.shape
    if margin:
        pixels = F.pad(pixels, (margin, margin, margin, margin))
    place = torch.arange(side, device=pixels.device)
    moves = (draw[:2] * (2 * margin + 1)).long().clamp_(max=2 * margin)
    rows, columns = moves[0][:, None] + place, moves[1][:, None] + place
    if flips:
        columns = torch.where(draw[2][:, None] < 0.5, columns.flip(1), columns)
    width = pixels.shape[-1]
    taken = pixels.gather(2, rows[:, None, :, None].expand(count, channels, side, width))
    return taken.gather(3, columns[:, None, None, :].expand(count, channels, side, side))
