"""How many cores there are for us, and how many threads PyTorch gets."""

from __future__ import annotations

import os

#: pixels along a side up to which an image's tensors are too small to be shared out
_SMALL = 64


def use_threads(image_size: int, threads: int | None = None) -> None:
    """Set PyTorch's threads: ``threads``, or by default one for images up to 64 x 64 pixels and all cores beyond.

    The tensors of small images gain nothing from threads, and lose much where other programs keep the cores busy.
    """
    import torch

    if threads is not None:
        torch.set_num_threads(threads)
    elif image_size <= _SMALL:
        torch.set_num_threads(1)


def usable_cores() -> int:
    """Cores that this process may run on: of a container or under taskset fewer than the machine has."""
    return len(os.sched_getaffinity(0))
