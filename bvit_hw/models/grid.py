"""Token tensors, batch x tokens x channels, seen as the grid that they lie on: windows, means, copies."""

from __future__ import annotations

from torch import Tensor


def gather_patches(x: Tensor, side: int, window: int) -> Tensor:
    """Cut B x side^2 x C into non-overlapping windows: B x (side/window)^2 x (window^2 C), order (ky, kx, c)."""
    batch, _, channels = x.shape
    out = side // window
    x = x.reshape(batch, out, window, out, window, channels).transpose(2, 3)
    return x.reshape(batch, out * out, window * window * channels)


def pool_grid(x: Tensor, side: int, window: int) -> Tensor:
    """Mean over non-overlapping ``window`` x ``window`` tokens: B x side^2 x C to B x (side/window)^2 x C."""
    batch, _, channels = x.shape
    out = side // window
    return x.reshape(batch, out, window, out, window, channels).mean(dim=(2, 4)).view(batch, out * out, channels)


def upsample_grid(x: Tensor, side: int, factor: int) -> Tensor:
    """Nearest neighbour: B x side^2 x C to B x (side*factor)^2 x C."""
    batch, _, channels = x.shape
    x = x.view(batch, side, 1, side, 1, channels).expand(-1, -1, factor, -1, factor, -1)
    return x.reshape(batch, (side * factor) ** 2, channels)


def pool_channels(x: Tensor, group: int) -> Tensor:
    """Mean over consecutive groups of ``group`` channels."""
    return x if group == 1 else x.unflatten(-1, (-1, group)).mean(dim=-1)


def repeat_channels(x: Tensor, copies: int) -> Tensor:
    """Whole copies of the channels, one after the other."""
    return x if copies == 1 else x.repeat(1, 1, copies)
