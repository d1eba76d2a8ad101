"""Cutout and mixup."""

from __future__ import annotations

import torch

from bvit_hw.train.blend import cut_out, mixed_up


def test_cutout_and_mixup_do_what_they_say() -> None:
    images = torch.ones(4, 2, 8, 8)
    cut = cut_out(images, torch.full((2, 4), 0.5), 4)
    assert float(cut.sum()) == 4 * 2 * (64 - 16) and (cut[:, :, 2:6, 2:6] == 0).all()
    assert float(cut_out(images, torch.zeros(2, 4), 4).sum()) == 4 * 2 * (64 - 4), "cut off at the border"
    mixed, shares = mixed_up(torch.arange(3.0).view(3, 1, 1, 1), torch.tensor([0, 1, 2]), 3, 0.75)
    assert mixed.flatten().tolist() == [0.25, 0.75, 2.0], "the odd one out is mixed with itself"
    assert shares.tolist() == [[0.75, 0.25, 0], [0.25, 0.75, 0], [0, 0, 1]]
