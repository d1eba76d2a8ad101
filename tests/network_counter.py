"""What a network costs, counted on the network itself: the oracle of :mod:`bvit_hw.models.cost`."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from bvit_hw.models.binaryvit import BinaryViT
from bvit_hw.models.config import BinaryViTConfig
from bvit_hw.models.cost import NetworkCost
from bvit_hw.models.layers import BinaryLinear

#: matrix products of two activations; every other product has a weight
_ATTENTION_OPS = ("bmm", "baddbmm", "scaled_dot_product", "attention_forward")


def count(
    name: str,
    summary: str,
    model: nn.Module,
    image_shape: tuple[int, int, int],
    repeated: Mapping[str, int] | None = None,
) -> NetworkCost:
    """Count ``model`` on one image of ``image_shape`` (channels, height, width), without any arithmetic.

    Products are counted where they are computed, by running the model on tensors that have shapes only. The network
    meant has each module whose path is in ``repeated`` that many times over.
    """
    model = model.to("meta").eval()
    repeated = repeated or {}

    def times(path: str) -> int:
        return next((n for part, n in repeated.items() if path == part or path.startswith(f"{part}.")), 1)

    binary = {path: module for path, module in model.named_modules() if isinstance(module, BinaryLinear)}
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        model(torch.empty(1, *image_shape, device="meta"))
    counts = counter.get_flop_counts()
    prefix = f"{type(model).__name__}."
    total = attention = 0
    for path, copies in {"Global": 1, **{prefix + part: n - 1 for part, n in repeated.items()}}.items():
        for operation, flops in counts[path].items():
            total += flops // 2 * copies
            if any(part in str(operation) for part in _ATTENTION_OPS):
                attention += flops // 2 * copies
    binary_macs = sum(sum(counts[prefix + path].values()) // 2 * times(path) for path in binary)
    return NetworkCost(
        name=name,
        summary=summary,
        parameters=sum(p.numel() * times(path) for path, p in model.named_parameters() if p.requires_grad),
        binary_weights=sum(module.weight.numel() * times(path) for path, module in binary.items()),
        binary_macs=binary_macs,
        attention_macs=attention,
        other_macs=total - attention - binary_macs,
    )


def count_network(name: str, config: BinaryViTConfig, summary: str = "") -> NetworkCost:
    """The counts of a configuration; blocks of one stage cost the same, so one of each is built."""
    one_each = config.model_copy(update={"depths": (1,) * config.stages})
    shape = (config.in_channels, config.image_size, config.image_size)
    repeated = {f"blocks.{stage}": depth for stage, depth in enumerate(config.depths)}
    return count(name, summary, BinaryViT(one_each), shape, repeated)
