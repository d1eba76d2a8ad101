"""Cutout and mixup: what a recipe does to a batch of normalized images, after the augmentation of single pictures."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from scipy.stats import beta
from torch import Tensor

from bvit_hw.data.loading import Share, derived_seed
from bvit_hw.train.recipe import Recipe


def cut_out(images: Tensor, draw: Tensor, side: int) -> Tensor:
    """Normalized images N x C x S x S with a square of ``side`` pixels set to the mean, its centre anywhere (Cutout).

    ``draw`` (2 x N, uniform in 0..1) says where. Source: DeVries and Taylor, arXiv 1708.04552.
    """
    size = images.shape[-1]
    place = torch.arange(size, device=images.device)
    low = (draw * size).long()[..., None] - side // 2
    inside = (place >= low) & (place < low + side)
    return images.masked_fill((inside[0][:, :, None] & inside[1][:, None, :])[:, None], 0.0)


def mixed_up(images: Tensor, labels: Tensor, classes: int, share: float) -> tuple[Tensor, Tensor]:
    """Neighbours of a batch mixed pairwise, ``share`` of each picture itself; labels as shares, N x ``classes``.

    Source: Zhang et al., mixup, arXiv 1710.09412. Neighbours, so that processes that divide a step mix the same pairs.
    """
    partner = torch.arange(len(images), device=images.device) ^ 1
    partner.clamp_(max=len(images) - 1)
    shares = F.one_hot(labels, classes).to(images.dtype)
    return torch.lerp(images[partner], images, share), torch.lerp(shares[partner], shares, share)


class Blend:
    """Cutout and mixup of a recipe for one process's share; their randomness depends on seed, epoch and step alone."""

    def __init__(self, recipe: Recipe, share: Share) -> None:
        self.recipe, self.share = recipe, share

    def __call__(self, images: Tensor, labels: Tensor, epoch: int, step: int, micro: int) -> tuple[Tensor, Tensor]:
        """Normalized images B x C x S x S and labels B; with mixup labels become shares, B x classes."""
        recipe, share = self.recipe, self.share
        if not (recipe.cutout or recipe.mixup):
            return images, labels
        # Of the whole step, whatever part of it this process sees: its pictures are the same in any division.
        generator = torch.Generator().manual_seed(derived_seed("blend", recipe.seed, epoch, step))
        places = torch.rand(2, share.step, generator=generator)
        quantiles = torch.rand(share.accumulate, generator=generator)
        mine = share.positions(step, micro)
        if recipe.cutout:
            own = places[:, mine.start - step * share.step : mine.stop - step * share.step]
            images = cut_out(images, own.to(images.device, non_blocking=True), recipe.cutout)
        if recipe.mixup:
            kept = float(beta.ppf(float(quantiles[micro]), recipe.mixup, recipe.mixup))
            images, labels = mixed_up(images, labels, recipe.model.classes, kept)
        return images, labels
